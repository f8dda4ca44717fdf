#!/bin/sh
# SPDX-License-Identifier: MIT
# berth explain: a survey names pages, the story of one adds up with the simulation, in text, JSON and
# CSV; bad input is said.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
file=$TOP/corpus/example.berth
setting='-P linux-tiering --dilate 900'

"$BERTH" explain "$file" $setting --top 3 --format json >survey.json
"$BERTH" explain "$file" $setting --top 3 >survey.txt
grep -q '^Those that moved most:' survey.txt || fail "survey: $(cat survey.txt)"
address=$(/usr/bin/python3 - <<'P'
import json
survey = json.load(open("survey.json"))
moved = [page for page in survey["pages"] if page["list"] == "moved"]
lost = [page for page in survey["pages"] if page["list"] == "lost"]
assert len(moved) == len(lost) == 3, survey
assert moved[0]["moves"] >= moved[2]["moves"] >= 1, moved
assert lost[0]["lost_ps"] >= lost[2]["lost_ps"] > 0, lost
assert survey["lives"] >= survey["lives_moved"] > 0
print(moved[0]["address"])
P
)
"$BERTH" explain "$file" "$address" $setting >story.txt
grep -Eq '^ +[0-9.]+ .?s  born     on node [01] \((dram|cxl)\): ' story.txt || fail "$(cat story.txt)"
grep -Eq 'moved    node 0 \(dram\) -> node 1 \(cxl\): cold: demoted' story.txt || fail "$(cat story.txt)"
grep -q 'promoted after a hint fault' story.txt || fail "no promotion: $(cat story.txt)"
[ "$(awk '{ if (length($0) > 80) n++ } END { print n + 0 }' story.txt)" -le 3 ] || fail "too wide"
"$BERTH" explain "$file" "$address" $setting --format json >story.json
"$BERTH" explain "$file" "${address#0x}" $setting --space 0 --format csv >story.csv
/usr/bin/python3 - <<'P'
import csv, json
story = json.load(open("story.json"))
survey = json.load(open("survey.json"))["pages"][0]
rows = list(csv.DictReader(open("story.csv")))
events = story["events"]
assert len(rows) == len(events) and rows[0]["event"] == "born"
moves = [event for event in events if event["event"] == "moved"]
assert len(moves) == story["moves"] >= survey["moves"] and story["region"], story
stays = [event for event in events if event["event"] in ("born", "moved")]
for one, next in zip(stays, stays[1:]):
    if next["event"] == "moved":
        assert one["to_node"] == next["from_node"] and one["stay_end_ns"] == next["first_ns"]
decided = [event for event in events if event["event"] == "decided"]
assert any(event["threshold_ns"] and event["min_latency_ns"] is not None for event in decided)
if story["lives"] == 1:
    assert sum(event["loads"] + event["stores"] for event in stays) == survey["misses"]
P
"$BERTH" explain "$file" "$address" -P recency --dilate 900 >agent.txt
grep -q 'sampled  accessed bits: ' agent.txt || fail "no sample: $(cat agent.txt)"
grep -q 'policy       recency above linux-none' agent.txt || fail "$(cat agent.txt)"
"$BERTH" explain "$file" "$address" -P recency:rate=1MBps --dilate 900 --fast 2MiB --format csv >cut.csv
"$BERTH" explain "$file" -P recency:rate=1MBps --dilate 900 --fast 2MiB >agents.txt

# bad STATUS WORDS ARGUMENTS...
bad() {
	expected=$1 words=$2 status=0
	shift 2
	"$BERTH" explain "$@" >out 2>err || status=$?
	[ "$status" = "$expected" ] || fail "$*: status $status: $(cat err)"
	grep -q -- "$words" err || fail "$*: $(cat err)"
}
bad 2 'not an address' "$file" heap
bad 2 'not an address' "$file" -- -1
bad 1 'is never used; .berth explain' "$file" 0x1000 -P linux-none
bad 2 'has 1 of them' "$file" "$address" --space 7
bad 2 'not a number' "$file" "$address" --space heap
bad 2 'too many' "$file" --top 100000
bad 2 'a bound knows the future' "$file" -P optimal
bad 2 'nonsense' "$file" -P nonsense
bad 2 '--fast much: not understood' "$file" --fast much
bad 1 'nothing.berth' nothing.berth
bad 2 'usage' 
bad 1 'the machine is full' "$file" -P linux-none \
	-M 'node:dram:1MiB@80ns/100GBps:cpus=0 node:cxl:1MiB@250ns/30GBps'
head -c 300000 "$file" >cut.berth
status=0
"$BERTH" explain cut.berth -P linux-none >out 2>err || status=$?
[ "$status" = 5 ] || fail "a cut recording: status $status: $(cat err)"
