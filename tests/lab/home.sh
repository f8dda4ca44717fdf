#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon on a machine of two sockets and a slow node: threads of a job that prefers no CPUs, and
# whose pages may not move (it is at its cap), stay by them; its masks are as before at the end.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:224MiB@80ns/100GBps:cpus=0 node:dram:128MiB@80ns/100GBps:cpus=1 node:cxl:128MiB@250ns/20GBps'
# A tenant: SIZE MiB of its own, of which it uses as much again and again, and sleeps in between.
cat >"$TMP/tenant.py" <<'END'
import mmap, sys, time
size, used = int(sys.argv[1]) << 20, int(sys.argv[2]) << 20
memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, size, 4096):
    memory[at] = 1
while True:
    for at in range(0, used, 4096):
        memory[at] = 2
    time.sleep(0.1)
END
cat >"$TMP/berth.conf" <<END
[Daemon]
DryRun=no
[Job stayer]
Match=command:stayer
FastMax=52MiB
END
cat >"$TMP/guest" <<'END'
berth=$1 folder=$2 machine=$3 state=/tmp/state
mkdir -m 700 $state
fail() {
	echo "$*"
	"$berth" status --state $state
	cat $folder/err
	echo "stayer: $(pages_on $stayer 0) $(pages_on $stayer 1) $(pages_on $stayer 2)"
	exit 1
}
until_is() { # CONDITION...: for up to 40 s
	local i
	for i in $(seq 100); do
		"$@" && return 0
		sleep 0.25
	done
	return 1
}
pages_on() { # PID NODE: of its own, not of files
	grep anon= /proc/$1/numa_maps | tr ' ' '\n' | sed -n "s/^N$2=//p" | { sum=0; while read nr; do sum=$((sum + nr)); done; echo $sum; }
}
has_on() { [ "$(pages_on $1 $2)" -ge $3 ]; }
has_mask() { taskset -pc $1 | grep -q ": $2\$"; }

tenant() { # NAME CPU SIZE USED
	(exec -a $1 taskset -c $2 bash -c "exec -a $1 /usr/bin/python3 $folder/tenant.py $3 $4") &
}
tenant stayer 1 48 1; stayer=$!
until_is has_on $stayer 1 12000 || fail "stayer has not filled its memory"
taskset -pac 0,1 $stayer >/dev/null

"$berth" daemon -M "$machine" --config "$folder/berth.conf" --state $state 2>$folder/err & daemon=$!
until_is has_mask $stayer 1 || fail "stayer is not by its pages: $(taskset -pc $stayer)"
kill $daemon
wait $daemon || fail "status $? at the end"
has_mask $stayer 0,1 || fail "stayer's mask at the end: $(taskset -pc $stayer)"
exit 0
END
lab_run -q --no-model -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" "$BERTH" "$TMP" \
	"$M" >"$TMP/out" 2>&1 || fail "the guest: status $?"
