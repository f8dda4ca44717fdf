#!/bin/sh
# SPDX-License-Identifier: MIT
# A program's output and status pass through; what cannot be run says why.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }

out=$("$BERTH" record -o echo.berth -- /bin/echo one two 2>err) || fail "status $?"
[ "$out" = "one two" ] || fail "output: $out"
[ ! -s err ] || fail "said: $(cat err)"
[ -s echo.berth ] && [ ! -e echo.berth.part ] || fail "no recording"

expect() {
	want=$1 words=$2
	shift 2
	status=0
	"$BERTH" record -o none.berth "$@" >out 2>err || status=$?
	[ "$status" = "$want" ] || fail "$*: status $status, not $want: $(cat err)"
	[ -z "$words" ] || grep -q -- "$words" err || fail "$*: said $(cat err), not $words"
}

expect 7 '' -- /bin/sh -c 'exit 7'
[ -s none.berth ] || fail "a failing program leaves a recording"
rm none.berth
expect 127 'no such program' -- no-such-program-anywhere
expect 127 'no such program' -- ./no-such-file
expect 126 'it is a directory' -- /
touch plain
expect 126 'not executable' -- ./plain
printf 'a\0b' >noise
chmod +x noise
expect 126 'no program' -- ./noise
printf '\177ELF\1\1\1' >elf32
chmod +x elf32
expect 3 'x86-64' -- ./elf32
expect 2 'stream' --stream hits -- /bin/true
expect 2 'ways' --cache 2MiB,0 -- /bin/true
expect 2 'cache' --cache 100,3 -- /bin/true
expect 2 'interval' --interval 1ns -- /bin/true
expect 2 'usage' --
[ ! -e none.berth ] && [ ! -e none.berth.part ] || fail "something was left"

printf '#!/bin/sh -e\necho script $1; exit 3\n' >script
chmod +x script
expect 3 '' -- ./script word
[ "$(cat out)" = "script word" ] || fail "script said $(cat out)"
expect 143 '' -- /bin/sh -c 'kill -TERM $$'
status=0
PATH=/nonexistent "$BERTH" record -o none.berth -- /bin/true 2>err || status=$?
[ "$status" = 3 ] || fail "without qemu: status $status"
grep -q 'apt-get install qemu-user' err || fail "without qemu: $(cat err)"
