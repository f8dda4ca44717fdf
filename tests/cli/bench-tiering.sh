#!/bin/sh
# SPDX-License-Identifier: MIT
# The page of `make bench-tiering` from runs written by hand: means, ratios within rounds, times to
# settle and to regain, copying taken off, verdicts at their limits; a run that failed, one that
# was cut by a kill; and the table that stands in README.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
/usr/bin/python3 - >raw.jsonl <<'END_OF_RUNS'
import json
GOOD = {"commit": "abc", "kernel": "7.3", "tiny": False, "status": 0, "wall_s": 90, "is_good": True,
        "release": "7.3.4-test", "others_percent": 1.5, "stolen_percent": 0.25, "moves": 0,
        "placed": [], "unit": "Mop/s", "sample_s": [], "migrated": []}
OWN = {"passed_ns": 10**10, "sampling_ns": 10**8, "deciding_ns": 5 * 10**7, "moving_ns": 10**9,
       "all_ns": 1650 * 10**6, "sleeps": 9, "max_rss_bytes": 12 << 20, "promoted_pages": 10,
       "demoted_pages": 5}
def say(number, row, policy, rates, **more):
    record = dict(GOOD, round=number, row=row, policy=policy, intervals=[[1, r] for r in rates],
                  value=sum(rates) / len(rates) if rates else 0, **more)
    print(json.dumps(record))
for number, drift in enumerate([1, 2]):  # the host's speed drifts, ratios do not
    say(number, "hotset", "berth", [drift * r for r in [1] * 2 + [2] * 8], berth=OWN)
    say(number, "hotset", "static-best", [2 * drift] * 10)
    say(number, "hotset", "kernel", [drift] * 10)
    say(number, "hotset", "damon", [1.2 * drift] * 10)
    say(number, "zipf", "none", [drift] * 4, slow_wait_s=0.5 + number)
    say(number, "zipf", "kernel", [0.5 * drift] * 4)
    say(number, "zipf", "berth", [0.97 * drift] * 4, berth=OWN)
    say(number, "zipf", "static-best", [1.1 * drift] * 4)
say(0, "move", "berth", [2] * 20 + [1] * 7 + [1.8] * 13 + [1] * 3 + [2] * 17, moves=2, berth=OWN)
say(0, "move", "static-best", [2] * 10, placed=[[25600, 1.0], [25600, 2.0]])
say(0, "even", "none", [1] * 9)
say(0, "even", "berth", [0.995] * 9, berth=OWN, sample_s=list(range(10)),
    migrated=[0, 300, 600, 900, 900, 900, 900, 905, 910, 915])
say(0, "idle", "berth", [], berth=dict(OWN, sleeps=12))
say(0, "tenants", "a first", [], shares=[5300, 4700])
say(0, "tenants", "b first", [], shares=[5600, 4400])
print(json.dumps(dict(GOOD, round=0, row="bfs", policy="berth", is_good=False, status=137,
                      why="out of memory")))
print('{"round": 0, "row": "btr', end="")
END_OF_RUNS
"$TOP/bench/tiering" "$BUILD" page --raw raw.jsonl --page page.md >verdicts || fail "status $?"

# has LINE...: each is a line of the page
has() {
	for line in "$@"; do
		grep -qxF -- "$line" page.md || fail "no line '$line' in: $(cat page.md)"
	done
}
has '## Linux 7.3' \
	'Failed: bfs under berth, round 1: out of memory' \
	'| kernel | 1.50 [1.00, 2.00] | 0.50 [0.50, 0.50] | 1.50 [1.00, 2.00] | 1.00 [1.00, 1.00] |' \
	'| berth | 2.70 [1.80, 3.60] | 0.90 [0.90, 0.90] | 3.00 [2.00, 4.00] | 2.00 [2.00, 2.00] |' \
	'| 2 | 5.00 [3.00, 7.00] | 2.00 | 2.00 |' \
	'| zipf | Mop/s | 1.50 [1.00, 2.00] | 0.75 [0.50, 1.00] | 1.46 [0.97, 1.94] | 0.97 [0.97, 0.97] | 0.97 [0.97, 0.97] | 1.65 [1.10, 2.20] | 1.10 [1.10, 1.10] | 25.0 [12.5, 37.5] |' \
	'| berth | 0.99 | 0.99 | 300 | 5.00 |' \
	'| a | 20.7 | 18.4 | 6.00 |' \
	'| a program sleeps | 1.00 | 0.50 | 10.0 | 0.50 | 12.0 | 1.20 | 15.0 |' \
	'| hot set lying still: against static-best | 0.90 [0.90, 0.90] | at least 0.9 | kept |' \
	'| hot set lying still: against kernel | 1.80 [1.80, 1.80] | at least 2 | **missed** |' \
	'| hot set lying still: against damon | 1.50 [1.50, 1.50] | at least 1.3 | kept |' \
	'| hot set moving: seconds until 90 % regained, copying taken off | 2.00 [0.000, 4.00] | at most 5 | kept |' \
	'| zipf: against the better of none and kernel | 0.97 [0.97, 0.97] | at least 0.98 | **missed** |' \
	'| berth itself: percent of a CPU, copying not counted | 1.50 [1.50, 1.50] | at most 2 | kept |' \
	'| berth itself: wake-ups a second with nothing to do | 1.20 | at most 1 | **missed** |' \
	'| two tenants with equal floors: percent off their shares after 30 s | 12.0 | at most 10 | **missed** |'
grep -q 'Copying the set, in and as much out to make room, takes 3.00 s here' page.md ||
	fail "copying: $(grep Copying page.md)"
grep -q '^7.3.4-test, 2 rounds, .*took 1.50 % .* 0.25 %' page.md || fail "the host: $(cat page.md)"
! grep -q 'not for publication' page.md || fail 'taken for a busy machine'
! grep -q '^| btree' page.md || fail 'a row without runs'
[ "$(grep -c MISSED verdicts)" = 4 ] || fail "verdicts: $(cat verdicts)"
# README's table: between its marks, the rest as it was; a promise that a kernel did not measure.
printf '%s\n' before '<!-- bench-tiering -->' old '<!-- /bench-tiering -->' after >readme.md
{ cat raw.jsonl; echo; sed -n '/"row": "move"/s/"7.3"/"6.12"/p' raw.jsonl; } >both.jsonl
"$TOP/bench/tiering" "$BUILD" page --raw both.jsonl --page both.md --readme readme.md >out || fail "status $?"
cat >expected <<'END_OF_README'
before
<!-- bench-tiering -->

|  | promised | Linux 6.12 | Linux 7.3 |
| --- | --- | --- | --- |
| hot set moving: seconds until 90 % regained, copying taken off | at most 5 | 2.00 [0.000, 4.00], kept | 2.00 [0.000, 4.00], kept |
| berth itself: wake-ups a second with nothing to do | at most 1 | - | 1.20, **missed** |

2 rounds, commit abc, one boot a run; in brackets the least and the greatest.

<!-- /bench-tiering -->
after
END_OF_README
grep -vE '^\| (hot set lying|zipf|berth itself: [pM]|two|nothing)' readme.md | diff expected - || fail 'README'
[ "$(grep -c '^| ' readme.md)" = 13 ] || fail "README: $(cat readme.md)"
echo 'no marks' >readme.md
if "$TOP/bench/tiering" "$BUILD" page --raw raw.jsonl --page page.md --readme readme.md 2>out; then
	fail 'put into a README without marks'
fi
grep -q 'readme.md has no line <!-- bench-tiering -->' out || fail "says $(cat out)"
[ "$(cat readme.md)" = 'no marks' ] || fail 'README without marks was changed'

# What never was found cannot be regained, however soon it is as slow as before.
sed '/"policy": "static-best", "intervals"/s/\[1, 2\]/[1, 4]/g' raw.jsonl >lost.jsonl
"$TOP/bench/tiering" "$BUILD" page --raw lost.jsonl --page page.md >verdicts || fail "status $?"
has '| hot set moving: seconds until 90 % regained, copying taken off | 17.0 [17.0, 17.0] | at most 5 | **missed** |'

sed 's/"others_percent": 1.5/"others_percent": 25/' raw.jsonl >busy.jsonl
"$TOP/bench/tiering" "$BUILD" page --raw busy.jsonl --page page.md >verdicts || fail "status $?"
grep -q 'not for publication' page.md verdicts || fail 'not taken for a busy machine'
if "$TOP/bench/tiering" "$BUILD" page --raw none.jsonl --page page.md >out 2>&1; then
	fail 'a page of nothing'
fi
grep -q 'nothing was measured' out || fail "says $(cat out)"

# A full disk, and asking for nothing makes no folders.
if "$TOP/bench/tiering" "$BUILD" page --raw raw.jsonl --page /dev/full >out 2>&1; then
	fail 'a page on a full disk'
fi
[ "$(cat out)" = 'bench/tiering: /dev/full: No space left on device' ] || fail "says $(cat out)"
"$TOP/bench/tiering" "$BUILD" page --raw new/none.jsonl --page page.md >out 2>&1 &&
	fail 'a page of nothing'
[ ! -e new ] || fail 'made a folder for what it only reads'

# A run of a berth that only says what the lab's would: of the model's waits those of slow memory,
# in the run itself, of all CPUs; and in turn, with no room for it, what is there stays.
mkdir -p fake
cat >fake/berth <<'END_OF_FAKE'
#!/bin/sh
echo 'result: rate 1.5 Mop/s higher'
echo 'also: check 2.5 s'
while [ "$1" != -o ]; do shift; done
cat >"$2" <<END_OF_REPORT
{"kernel": "7.3.4", "qemu": "8", "end": "exit", "guest_ns": 5000000000, "sample_ns": [1000000000],
 "model": {"vcpus": [
  {"phases": [{"phase": 1, "nodes": [{"node": 1, "wait_ns": 9000000000}]},
              {"phase": 2, "nodes": [{"node": 0, "wait_ns": 7000000000},
                                     {"node": 1, "wait_ns": 1500000000}]}]},
  {"phases": [{"phase": 2, "nodes": [{"node": 1, "wait_ns": 250000000}]}]}]}}
END_OF_REPORT
END_OF_FAKE
chmod +x fake/berth
"$TOP/bench/tiering" fake measure --rows zipf --kernels 7.3 --pin 0,1 --budget 100 --raw fake.jsonl \
	>out 2>&1 || fail "status $?: $(cat out)"
[ "$(grep -c '"slow_wait_s": 1.75,' fake.jsonl)" = 4 ] || fail "waits: $(cat fake.jsonl)"
for try in 1 2 3 4; do grep -v btr raw.jsonl; done >kept.jsonl
cp kept.jsonl before.jsonl
(ulimit -f 8; "$TOP/bench/tiering" fake measure --rows idle --kernels 6.12 --pin 0,1 \
	--raw kept.jsonl 2>&1) | cat >out
grep -q 'kept.jsonl: File too large; what was measured before is kept' out || fail "says $(cat out)"
cmp kept.jsonl before.jsonl || fail 'what was measured before is gone'
# Nor is a README lost for which there is no room, and what is not a build is named.
{ printf '%s\n' before '<!-- bench-tiering -->' old '<!-- /bench-tiering -->'; seq 20000; } >large.md
cp large.md before.md
(ulimit -f 100; "$TOP/bench/tiering" "$BUILD" page --raw raw.jsonl --page page.md --readme large.md \
	2>&1) | cat >out
grep -q 'large.md: File too large; it is as it was' out || fail "says $(cat out)"
cmp large.md before.md || fail 'README is lost'
[ ! -e large.md.new ] || fail 'left a file behind'
"$TOP/bench/tiering" nowhere measure --raw fake.jsonl >out 2>&1 && fail 'a build that is not there'
[ "$(cat out)" = 'bench/tiering: nowhere/berth: No such file or directory; name the folder that it is built in' ] ||
	fail "says $(cat out)"
