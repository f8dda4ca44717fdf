#!/bin/sh
# SPDX-License-Identifier: MIT
# What was set up is found again without apt and without network, at once; a vmlinuz named by its
# path boots with the modules beside it.
set -u
. "$TOP/tests/lab/common.sh"
lab_required
failed=0
complain() { echo "$*"; failed=1; }

offline=
unshare -n true 2>/dev/null && offline="unshare -n"
best=999999
for i in 1 2 3 4 5; do
	start=$(date +%s%N)
	$offline env PATH=/none "$BERTH" lab setup --format csv >"$TMP/out" 2>"$TMP/err" ||
		complain "a second setup failed: $(cat "$TMP/err")"
	took=$((($(date +%s%N) - start) / 1000000))
	[ $took -lt $best ] && best=$took
done
[ ! -s "$TMP/err" ] || complain "a second setup did something: $(cat "$TMP/err")"
echo "cached setup: $best ms"
[ $best -lt 200 ] || complain "a second setup took $best ms, not below 200"
grep -q '^QEMU,[1-9][0-9]*\.' "$TMP/out" || complain "QEMU is not listed: $(cat "$TMP/out")"
grep -q '^kernel 6.12,6\.12\.' "$TMP/out" || complain "6.12 is not listed: $(cat "$TMP/out")"
[ ! -e "$lab_cache/work" ] || complain "$lab_cache/work was left"

# Modules as a user's own kernel has them: a tree with modules.dep.
own=$TMP/own
mkdir -p "$own/modules/kernel/net"
cp "$lab_cache/kernels/6.12/vmlinuz" "$own/bzImage"
cp "$lab_cache"/kernels/6.12/modules/*.ko "$own/modules/kernel/net"
for module in netfs 9pnet 9pnet_virtio 9p overlay; do
	echo "kernel/net/$module.ko: kernel/net/another.ko"
done >"$own/modules/modules.dep"
lab_run -M "$LAB_ONE" --kernel "$own/bzImage" -- cat "$TOP/LICENSE" >"$TMP/license" 2>"$TMP/err" ||
	complain "an own kernel did not run: $(cat "$TMP/err")"
cmp -s "$TMP/license" "$TOP/LICENSE" || complain "an own kernel's guest read another file"
exit $failed
