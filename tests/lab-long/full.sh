#!/bin/bash
# SPDX-License-Identifier: MIT
# The fast node fills up under berth run --tier: another program takes what is free of it, and
# what berth frees as fast as it can. Nothing is killed, the program has what it wrote in memory,
# and berth goes on: what was refused is counted, and most of the hot set is promoted nonetheless.
# By instruction counts, so that a busy host does not change what is seen.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:192MiB@80ns/100GBps:cpus=0 node:cxl:256MiB@250ns/20GBps'
LAB_LIMIT=280s

# Takes 1 MiB, of node 0 as long as it has some, whenever 3 MiB of that are free, and locks it, so
# that it is there to stay.
cat >"$TMP/filler.py" <<'END'
import ctypes, mmap, signal, sys, time
memory = mmap.mmap(-1, 256 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
system = ctypes.CDLL(None).syscall
SET_MEMPOLICY, PREFERRED, MLOCKALL, CURRENT, ONFAULT = 238, 1, 151, 1, 4
nodes = ctypes.c_ulong(1)
if system(SET_MEMPOLICY, PREFERRED, ctypes.byref(nodes), 65) or system(MLOCKALL, CURRENT | ONFAULT):
    sys.exit("set_mempolicy, mlockall")
def free():
    with open("/sys/devices/system/node/node0/meminfo") as text:
        return next(int(line.split()[3]) for line in text if "MemFree" in line)
taken = nr_full = 0
def end(*_):
    print("filler: took", taken, "MiB; full at", nr_full, "looks")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
while taken < 256:
    if free() < 3 << 10:
        nr_full += 1
        time.sleep(0.02)
        continue
    for at in range(taken << 20, taken + 1 << 20, 4096):
        memory[at] = 1
    taken += 1
END
lab_guest <<'END'
berth=$1 folder=$2 hotset=$3 machine=$4
mkdir -m 700 /tmp/state
is_built() { # its memory, to about what it is to have
	local kib
	kib=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$(pidof hotset)/status 2>/dev/null)
	[ "${kib:-0}" -ge 165000 ]
}
"$berth" run --tier -M "$machine" --sampler accessed-bits --state /tmp/state --format json \
	--report $folder/report -- "$hotset" --memory 170MiB --hot 24MiB --think 300 --seconds 26s \
	>$folder/program & job=$!
until_is is_built || exit 3
/usr/bin/python3 $folder/filler.py & filler=$!
sleep 12
kill -0 $job || exit 4
sed -n 's/.*MemFree: */free: /p' /sys/devices/system/node/node0/meminfo
kill $filler
wait $filler || exit 5
wait $job || exit 6
dmesg | grep -E 'oom-kill|Out of memory|Killed process|BUG:|WARNING:' && exit 7
[ -z "$(ls -A /tmp/state)" ] || { ls -lA /tmp/state; exit 8; }
END
lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" "$BERTH" \
	"$TMP" "$BUILD/lab/workloads/hotset" "$M" >"$TMP/out" 2>&1 || fail "the guest: status $?"

figure() { sed -n "s/^ *\"$1\": \([0-9]*\),*$/\1/p" "$TMP/report" | head -n 1; }
free_kib=$(sed -n 's/^free: \([0-9]*\) kB/\1/p' "$TMP/out")
taken=$(sed -n 's/^filler: took \([0-9]*\) .*/\1/p' "$TMP/out")
echo "$free_kib KiB of the fast node were free, the other program had $taken MiB;" \
	"$(figure promoted_pages) pages promoted, $(figure full) refused as it was full"
[ "$free_kib" -lt 6144 ] && [ "$taken" -ge 8 ] || fail "the fast node was not full"
[ "$(figure full)" -gt 0 ] || fail "nothing was refused"
[ "$(figure promoted_pages)" -ge 3000 ] || fail "promoted too little of 6,144 hot pages"
grep -q '"has_failed": false' "$TMP/report" || fail "placing has ended"
