#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon on a machine of two sockets and a slow node. Threads of a job that prefers no CPUs, and
# whose pages may not move (it is at its cap), stay by them; its masks are as before at the end. Pages
# of a job that prefers the CPUs of the second socket go there from slow memory, though the first has
# more room.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:224MiB@80ns/100GBps:cpus=0 node:dram:128MiB@80ns/100GBps:cpus=1 node:cxl:128MiB@250ns/20GBps'
# A tenant: SIZE MiB of its own, of which it uses as much again and again, and sleeps in between. With
# a third argument that memory begins on this node.
cat >"$TMP/tenant.py" <<'END'
import ctypes, mmap, sys, time
size, used = int(sys.argv[1]) << 20, int(sys.argv[2]) << 20
memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
SET_MEMPOLICY, BIND, DEFAULT = 238, 2, 0
system = ctypes.CDLL(None).syscall
if len(sys.argv) > 3:
    nodes = ctypes.c_ulong(1 << int(sys.argv[3]))
    if system(SET_MEMPOLICY, BIND, ctypes.byref(nodes), 65):
        sys.exit("set_mempolicy")
for at in range(0, size, 4096):
    memory[at] = 1
system(SET_MEMPOLICY, DEFAULT, None, 0)
while True:
    for at in range(0, used, 4096):
        memory[at] = 2
    time.sleep(0.1)
END
lab_jobs <<END
[Job stayer]
Match=command:stayer
FastMax=52MiB
[Job comer]
Match=command:comer
PreferCPUs=1
END
lab_guest <<'END'
berth=$1 folder=$2 machine=$3 state=/tmp/state
mkdir -m 700 $state
fail() {
	echo "$*"
	"$berth" status --state $state
	cat $folder/err
	for tenant in $stayer $comer; do
		echo "$tenant: $(pages_on $tenant 0) $(pages_on $tenant 1) $(pages_on $tenant 2)"
	done
	exit 1
}
pages_on() { # PID NODE: of its own, not of files
	grep anon= /proc/$1/numa_maps | tr ' ' '\n' | sed -n "s/^N$2=//p" | { sum=0; while read nr; do sum=$((sum + nr)); done; echo $sum; }
}
has_on() { [ "$(pages_on $1 $2)" -ge $3 ]; }
has_mask() { taskset -pc $1 | grep -q ": $2\$"; }

tenant() { # NAME CPU SIZE USED [NODE]
	(exec -a $1 taskset -c $2 bash -c "exec -a $1 /usr/bin/python3 $folder/tenant.py $3 $4 ${5:-}") &
}
tenant stayer 1 48 1; stayer=$!
until_is has_on $stayer 1 12000 || fail "stayer has not filled its memory"
taskset -pac 0,1 $stayer >/dev/null
tenant comer 0 24 6 2; comer=$!
until_is has_on $comer 2 6000 || fail "comer has not filled its memory"
first=$(pages_on $comer 0) second=$(pages_on $comer 1)
taskset -pac 0,1 $comer >/dev/null

"$berth" daemon -M "$machine" --config "$folder/berth.conf" --state $state 2>$folder/err & daemon=$!
until_is has_mask $stayer 1 || fail "stayer is not by its pages: $(taskset -pc $stayer)"
until_is has_on $comer 1 $((second + 1000)) || fail "comer's pages do not come to its CPUs"
[ "$(pages_on $comer 0)" -le $((first + 100)) ] || fail "comer's pages went to the other socket"
kill $daemon
wait $daemon || fail "status $? at the end"
has_mask $stayer 0,1 || fail "stayer's mask at the end: $(taskset -pc $stayer)"
exit 0
END
lab_run -q --no-model -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" "$BERTH" "$TMP" \
	"$M" >"$TMP/out" 2>&1 || fail "the guest: status $?"
