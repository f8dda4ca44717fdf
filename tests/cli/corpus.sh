#!/bin/sh
# SPDX-License-Identifier: MIT
# The corpus: its list is well-formed, both halves have what they must, the script says what it would
# do and refuses nonsense, and the recordings in the tree are those of the list and can be simulated.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
export CORPUS=$TMP/corpus TMPDIR=$TMP
script=$TOP/scripts/corpus

# The list: five fields and more, known halves, names that are there once, programs that exist.
grep -v '^#' "$TOP/corpus/list" >list
awk 'NF < 5 || $2 !~ /^(develop|report)$/ || $4 !~ /^[0-9]+us$/ || seen[$1]++ { print; bad = 1 }
	END { exit bad }' list || fail "the list has a bad line"
while read -r name half packages interval program; do
	for word in $program; do
		case $word in *=*) continue ;; esac
		break
	done
	[ -x "$TOP/corpus/programs/$word.sh" ] || [ -x "$TOP/lab/workloads/real/$word.sh" ] ||
		[ -f "$TOP/lab/workloads/$word.c" ] || fail "$name: no program $word"
done <list
for half in develop report; do
	[ "$(awk -v half=$half '$2 == half' list | wc -l)" -ge 10 ] || fail "$half is small"
done

"$script" --dry-run >dry
[ "$(wc -l <dry)" = "$(wc -l <list)" ] || fail "--dry-run does not name all: $(cat dry)"
"$script" --dry-run --half report sort stream gzip >dry
[ "$(cut -d' ' -f1 dry | tr '\n' ' ')" = 'sort stream ' ] || fail "choosing: $(cat dry)"
[ -z "$("$script" --list)" ] || fail "--list names what is not there"
[ ! -e "$CORPUS" ] || fail "looking made a folder"

# What the tree holds is not recorded again.
"$script" gzip stream 2>err || fail "the tree's: $(cat err)"
[ ! -s err ] || fail "the tree's were recorded: $(cat err)"
"$script" --list >listed
[ "$(cut -d' ' -f1 listed | tr '\n' ' ')" = 'gzip stream ' ] || fail "listed: $(cat listed)"
while read -r name half dilate file; do
	"$BERTH" sim "$file" -P linux-none -P linux-tiering --dilate "$dilate" --format csv >out ||
		fail "$name: cannot be simulated"
	"$BERTH" info --format json "$file" >info
	ns=$(awk -F'[:,]' '/"duration_ns"/ { print $2; exit }' info)
	awk -v ns="$ns" -v dilate="$dilate" 'BEGIN { exit !(ns * dilate >= 120e9) }' ||
		fail "$name: $ns ns dilated $dilate times are no 120 s"
done <listed
[ "$(du -sk "$TOP/corpus" | cut -f1)" -le 5120 ] || fail "the tree holds more than 5 MiB"

# The page of policies: every policy has its row in it, and a second run simulates nothing anew.
"$TOP/scripts/policies" --half develop -j 1 -o page.md 2>err || fail "policies: $(cat err)"
sed -n 's/^\[policy \(.*\)\]$/\1/p' "$TOP/corpus/policies.ini" >policies
while read -r policy; do
	grep -q "^| $policy |.*%.*|" page.md || fail "policies: no row of $policy"
done <policies
cp page.md first.md
"$TOP/scripts/policies" --half develop -j 1 -o page.md 2>err || fail "policies again: $(cat err)"
! grep -q 'sweep: [1-9][0-9]* simulations' err || fail "policies again: simulated anew: $(cat err)"
cmp first.md page.md || fail "the page differs"
status=0
CORPUS=$TMP/none "$TOP/scripts/policies" -o none.md 2>err || status=$?
[ "$status" = 1 ] && grep -q 'nothing of the corpus is recorded' err || fail "no corpus: $(cat err)"

# A changed line is recorded anew, with the program under the recorder and its client outside of it.
printf 'little develop - 500us gzip 20000 1\n' >own
CORPUS_LIST=$TMP/own "$script" 2>err || fail "gzip: $(cat err)"
[ -s "$CORPUS/develop/little.berth" ] || fail "no recording"
printf 'little develop - 500us gzip 30000 1\n' >own
[ "$(CORPUS_LIST=$TMP/own "$script" --dry-run)" = 'little develop 500us gzip 30000 1' ] ||
	fail "a changed line is not seen"
[ -z "$(ls -d "$TMP"/berth-* 2>/dev/null)" ] || fail "a folder was left"

# bad STATUS WORDS ARGUMENTS...
bad() {
	expected=$1 words=$2 status=0
	shift 2
	"$script" "$@" >out 2>err || status=$?
	[ "$status" = "$expected" ] || fail "$*: status $status"
	grep -q "$words" err || fail "$*: $(cat err)"
}
bad 2 'not in the list; there are: sqlite' nonsense
bad 2 'usage:' --half both
bad 2 'usage:' --sometimes
printf 'little develop - 500us nonsense\n' >own
export CORPUS_LIST=$TMP/own
bad 1 'nonsense: no such program' little
printf 'little develop - 500us gzip many\n' >own
bad 1 'could not be recorded: little' little
grep -q 'many: not a number of bytes' err || fail "no last words: $(cat err)"
