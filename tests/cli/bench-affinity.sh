#!/bin/sh
# SPDX-License-Identifier: MIT
# The page of `make bench-affinity` from runs written by hand: medians, quartiles, ratios within
# rounds, verdicts at their limits; several boots, a policy that was left out, a guest that was cut.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
mkdir raw
/usr/bin/python3 - >raw/7.3.jsonl <<'END_OF_RUNS'
import json
def say(**record):
    print(json.dumps(record))
def run(number, cell, policy, a, **more):
    say(round=number, cell=cell, policy=policy, a=a, a_cpu_s=3.0, **more)
def periodic(p99):
    spread = {"p50": 1000 * p99 // 4, "p99": 1000 * p99, "max": 2000 * p99}
    return {"releases": 240, "period_ns": 5000000, "run_ns": 2000000000,
            "counted_ns": 1200000000, "wakeup_ns": spread,
            "response_ns": spread}
for boot in range(2):
    say(boot="7.3")
    say(left_out="scx", why="berth run: --engine scx: not here")
    say(kernel="7.3.4-test", cpus=2, seconds=2.0, period_ms=5)
    say(loops=1000, rounds_of_period=10)
    for number in range(2):
        k = 1 + 2 * boot + number  # 1 to 4: the host's speed drifts, ratios do not
        run(number, "alone-stress", "none", 200 * k)
        run(number, "alone-stress", "hard", 100 * k)
        run(number, "alone-stress", "user", (188 + k) * k)
        run(number, "owner-stress", "hard", 100, b_cpu_s=1, periodic=periodic(100 * k))
        run(number, "owner-stress", "user", 97, b_cpu_s=1, periodic=periodic(100 * k + 50))
        run(number, "both-stress", "hard", 50, b=150)
        run(number, "both-stress", "user", 90, b=100)
    if boot == 0:
        say(host_cpus=2, siblings=False, speed_share=0.98, stolen_percent=0.5, others_percent=3.25)
END_OF_RUNS
"$TOP/bench/affinity" "$BUILD" page --raw raw --page page.md >verdicts || fail "status $?"

# has LINE...: each is a line of the page
has() {
	for line in "$@"; do
		grep -qxF -- "$line" page.md || fail "no line '$line' in: $(cat page.md)"
	done
}
has '## Linux 7.3' \
	'Left out: soft, scx engine. --engine scx: not here' \
	'| stress-ng, 2 workers | none | 500 [350, 650] | 2.00 [2.00, 2.00] | 1.00 [1.00, 1.00] | 1.50 [1.50, 1.50] |' \
	'| stress-ng, 2 workers | soft, user engine | 476 [332, 622] | 1.90 [1.90, 1.91] | 0.95 [0.95, 0.96] | 1.50 [1.50, 1.50] |' \
	'| stress-ng, 2 workers | hard | 1.00 [1.00, 1.00] | 62.5 [43.8, 81.2] | 250 [175, 325] | 1.00 | 250 [175, 325] |' \
	'| stress-ng, 2 workers | soft, user engine | 0.97 [0.97, 0.97] | 75.0 [56.2, 93.8] | 300 [225, 375] | 1.20 | 300 [225, 375] |' \
	'| soft, user engine | 1.80 [1.80, 1.80] | 0.67 [0.67, 0.67] | 0.95 [0.95, 0.95] | 0.47 [0.47, 0.47] |' \
	'| soft, user engine, one job idle: stress-ng against hard | 1.905 | at least 1.70 | kept |' \
	'| soft, user engine, one job idle: stress-ng against none | 0.952 | at least 0.95 | kept |' \
	'| soft, user engine, both busy: stress-ng beside periodic against hard | 0.970 | at least 0.97 | kept |' \
	'| soft, user engine, both busy: p99 lateness of periodic beside stress-ng against hard | 1.200 | at most 1.10 | **missed** |' \
	'| soft, user engine, both busy: stress-ng and stress-ng together against hard | 0.950 | at least 0.97 | **missed** |'
grep -q '^7.3.4-test, 4 rounds in 2 boots. .*98 %.*took 3.25 %.*0.50 %' page.md ||
	fail "the host: $(cat page.md)"
! grep -q '^| none | - ' page.md || fail "a row without runs"
! grep -q 'periodic at 10 %\|hackbench' page.md || fail "what was not measured is shown"
[ "$(grep -c MISSED verdicts)" = 2 ] && [ "$(grep -c 'ok$' verdicts)" = 4 ] ||
	fail "verdicts: $(cat verdicts)"

status=0
"$TOP/bench/affinity" "$BUILD" page --raw none --page none.md 2>err || status=$?
[ "$status" = 1 ] && grep -q 'nothing was measured' err && [ ! -e none.md ] || fail "no runs: $status"
