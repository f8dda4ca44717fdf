#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest whose kernel dies of a breakpoint that nobody set, which emulation brings about now and
# then, or whose QEMU dies of its own assertion, is booted anew once, before any program ran, and it
# is said; one that dies of anything else, or of it twice, is not. The first "QEMU" is a script that says what such a kernel says.
. "$TOP/tests/lab/common.sh"
lab_required
lab_false_qemu <<'END'
[ "$WORDS" = abort ] && kill -ABRT $$
eval "echo \"[    1.0] $WORDS\" >&$fd"
eval "echo '[    1.1] Kernel panic - not syncing: Fatal exception' >&$fd"
exit 0
END
export TMPDIR="$TMP"
# run DEATHS WORDS: sets $status and $boots
run() {
	rm -f "$TMP/boots"
	status=0
	DEATHS=$1 WORDS=$2 lab_run -q -M 'node:dram:256MiB:cpus=0' --no-model -- echo here \
		>"$TMP/out" 2>"$TMP/err" || status=$?
	boots=$(wc -l <"$TMP/boots")
}
run 1 'Oops: int3: 0000 [#1] PREEMPT SMP NOPTI'
[ "$status" = 0 ] && [ "$boots" = 2 ] || fail "a breakpoint: status $status, $boots boots"
grep -qx here "$TMP/out" || fail "the program did not run"
grep -q 'booted again: .*int3' "$TMP/err" || fail "it is not said"
grep -q 'Oops: int3' "$(sed -n 's/.*booted again.*kept in //p' "$TMP/err")" || fail "no console of the first"
run 2 'Oops: int3: 0000 [#1] PREEMPT SMP NOPTI'
[ "$status" = 1 ] && [ "$boots" = 2 ] || fail "twice: status $status, $boots boots"
grep -q 'kernel died: Oops: int3' "$TMP/err" || fail "twice: not named"
run 1 'Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI'
[ "$status" = 1 ] && [ "$boots" = 1 ] || fail "another death: status $status, $boots boots"
grep -q 'kernel died: Oops: invalid opcode' "$TMP/err" || fail "another death: not named"
run 1 abort
[ "$status" = 0 ] && [ "$boots" = 2 ] || fail "QEMU asserts: status $status, $boots boots"
grep -q 'booted again: .*signal 6' "$TMP/err" || fail "QEMU asserts: it is not said"
run 2 abort
[ "$status" = 1 ] && [ "$boots" = 2 ] || fail "QEMU asserts twice: status $status, $boots boots"
exit 0
