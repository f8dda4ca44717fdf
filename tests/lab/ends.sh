#!/bin/sh
# SPDX-License-Identifier: MIT
# However a program ends in the guest, or does not begin, berth's exit status says it.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required

# expect STATUS WORDS ARGUMENTS...
expect() {
	expected=$1 words=$2 status=0
	shift 2
	lab_run -M "$LAB_ONE" "$@" >"$TMP/out" 2>"$TMP/err" </dev/null || status=$?
	[ "$status" = "$expected" ] ||
		fail "$*: status $status, not $expected"
	grep -q -e "$words" "$TMP/err" || fail "$*: \"$words\" is not in err"
}

: >"$TMP/plain"
expect 127 'No such file' -- /nowhere/to/be/found
expect 126 'Permission denied' -- "$TMP/plain"
expect 137 '' -- sh -c 'kill -9 $$'
expect 143 '' -- sh -c 'kill -15 $$'

# Out of memory: 512 MiB are there, and the program takes all it can get.
cat >"$TMP/greedy.py" <<'EOT'
blocks = []
while True:
    blocks.append(bytearray(16 << 20))
EOT
expect 137 'ran out of memory' -- /usr/bin/python3 "$TMP/greedy.py"

# A signal that comes to berth goes to the program, which may do with it what it likes.
env --default-signal=INT "$BERTH" lab run --time-limit 90s -M "$LAB_ONE" -- \
	sh -c 'trap "echo caught; exit 9" INT; echo ready; while :; do sleep 0.1; done' \
	>"$TMP/out" 2>"$TMP/err" </dev/null &
berth=$!
for _ in $(seq 600); do
	grep -q ready "$TMP/out" && break
	sleep 0.1
done
kill -INT "$berth"
status=0
wait "$berth" || status=$?
[ "$status" = 9 ] && grep -q caught "$TMP/out" ||
	fail "SIGINT: status $status"
