#!/bin/sh
# SPDX-License-Identifier: MIT
# Every bad machine: one clear sentence, the documented exit code, nothing on stdout.
set -u
failed=0

# bad STATUS PATTERN ARGUMENTS...
bad() {
	status=$1 pattern=$2
	shift 2
	"$BERTH" machine "$@" >"$TMP/out" 2>"$TMP/err"
	got=$?
	if [ $got != "$status" ] || [ -s "$TMP/out" ] || [ "$(wc -l <"$TMP/err")" != 1 ] ||
		! grep -q -e "$pattern" "$TMP/err"; then
		echo "machine $*: status $got, wanted $status with \"$pattern\":"
		cat "$TMP/err"
		failed=1
	fi
}

# Lines: 2.
bad 2 'CPU 4 belongs to node 1 and to another' 'node:dram:1GiB:cpus=0-4 node:dram:1GiB:cpus=4-7'
bad 2 'latency 0ns is zero' 'node:dram:1GiB@0ns:cpus=0'
bad 2 'size zero' 'node:dram:0:cpus=0'
bad 2 'below 2^63' 'node:dram:9223372036854775808:cpus=0'
bad 2 'unknown word "colour"' 'node:dram:1GiB:cpus=0:colour=blue'
bad 2 'no node has memory' 'node:none:0:cpus=0'
bad 2 'a part starts with node:' 'dram:64GiB'
bad 2 'an empty argument' ''
bad 2 'an empty machine' '   '
bad 2 'both name a machine' host --root /
bad 2 'not one of text|json|line' --format csv

# Files: missing 1, not a machine 1, unreadable 4.
bad 1 'no such file' "$TMP/nothing"
bad 1 'no such file' hots
mkdir "$TMP/empty"
bad 1 'not a machine.s root' "$TMP/empty"
bad 1 'not a machine.s root' --root "$TMP/empty"
bad 1 'No such file' --root "$TMP/nothing"
: >"$TMP/void"
bad 1 'neither hwloc XML nor a tar' "$TMP/void"
head -c 2000 /dev/zero | tr '\0' x >"$TMP/noise"
bad 1 'not a tar file' "$TMP/noise"
gzip -c "$TMP/noise" >"$TMP/noise.gz"
bad 1 'compressed' "$TMP/noise.gz"
mkfifo "$TMP/fifo"
bad 1 'neither a file nor a directory' "$TMP/fifo"
echo '<topology version="2.0"><object' >"$TMP/bad.xml"
bad 1 'hwloc' "$TMP/bad.xml"
bad 1 'XML, not a captured root' --root "$TMP/bad.xml"
bad 1 'No such file or directory' --capture "$TMP/no/such/dir.tar"

# As another user, for whom the mode counts.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	other=$(mktemp -d /tmp/berth-other-XXXXXX)
	chmod 755 "$other"
	cp "$TMP/noise" "$other/secret"
	cp "$BERTH" "$other/berth"
	chmod 000 "$other/secret"
	mkdir -m 700 "$other/closed"
	for secret in secret closed; do
		setpriv --reuid 65534 --clear-groups "$other/berth" machine "$other/$secret" \
			>"$TMP/out" 2>"$TMP/err"
		[ $? = 4 ] && grep -q 'Permission denied' "$TMP/err" || {
			echo "unreadable $secret:"
			cat "$TMP/err"
			failed=1
		}
	done
	rm -rf "$other"
fi

# A full disk.
"$BERTH" machine 'node:dram:1GiB:cpus=0' >/dev/full 2>"$TMP/err"
[ $? = 1 ] && grep -q 'No space left' "$TMP/err" || { echo "full disk:"; cat "$TMP/err"; failed=1; }
exit $failed
