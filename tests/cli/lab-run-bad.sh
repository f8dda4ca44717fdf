#!/bin/sh
# SPDX-License-Identifier: MIT
# What the lab cannot do is said in one sentence, before anything is started. Needs no cache.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
export BERTH_LAB_CACHE="$TMP/empty"

expect() {
	want=$1 words=$2
	shift 2
	status=0
	"$BERTH" lab run "$@" >out 2>err || status=$?
	[ "$status" = "$want" ] || fail "$*: status $status, not $want: $(cat err)"
	[ -z "$words" ] || grep -q -- "$words" err || fail "$*: said $(cat err), not $words"
	[ "$(wc -l <err)" -le 2 ] || fail "$*: more than a sentence: $(cat err)"
	[ ! -s out ] || fail "$*: wrote to stdout"
}
two='node:dram:512MiB:cpus=0-1 node:cxl:1GiB'

expect 2 'no machine' -- true
expect 2 'usage' -M "$two"
expect 1 'no such file' -M 'no-such-machine' -- true
expect 2 'not a list of CPUs' -M "$two" --pin 0- -- true
expect 2 'one for each' -M "$two" --pin 0 -- true
expect 2 'leave one of the two out' -M 'node:dram:512MiB:cpus=0' --pin 0 --time icount -- true
expect 2 'may use CPUs' -M "$two" --pin 8000-8001 -- true
expect 2 'node:dram:x' -M 'node:dram:x' -- true
expect 2 'delay|icount' -M "$two" --time slow -- true
expect 2 'multiples of 2MiB' -M 'node:dram:513MiB:cpus=0' -- true
expect 2 '256MiB or more' -M 'node:dram:128MiB:cpus=0' -- true
expect 2 '16MiB or more' -M 'node:dram:512MiB:cpus=0 node:cxl:4MiB' -- true
expect 2 'up to 64' -M 'node:dram:512MiB:cpus=0-99' -- true
expect 2 'more memory than' -M 'node:dram:64TiB:cpus=0' -- true
many=$(i=0; while [ $i -lt 33 ]; do printf 'node:dram:128MiB:cpus=%d ' $i; i=$((i + 1)); done)
expect 2 'up to 32' -M "$many" -- true
if [ "$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)" -lt 800 ]; then
	expect 1 'scale the machine down' -M 'node:dram:900GiB:cpus=0' -- true
fi
expect 1 'cannot be shared' -M "$two" --share "$TMP/none" -- true
echo text >file
expect 1 'not a directory' -M "$two" --share "$TMP/file" -- true
expect 1 'berth lab setup' -M "$two" -- true
expect 1 '' -M "$two" --kernel "$TMP/none" -- true
expect 1 '' -M "$two" --kernel "$TMP/file" -- true
expect 2 '9.9' -M "$two" --kernel 9.9 -- true
echo passed
