#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory of the slow node goes offline, and comes back, while the daemon has a job's pages there: it
# goes on, keeps the job to its cap before and after, and the program does not notice.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:256MiB@80ns/100GBps:cpus=0 node:cxl:512MiB@250ns/20GBps'

cp "$BUILD/lab/workloads/hotset" "$TMP/tenant"
lab_jobs <<END
[Job tenant]
Match=command:tenant
FastMax=24MiB
END
lab_guest <<'END'
berth=$1 folder=$2 machine=$3
state=/tmp/state
mkdir -m 700 $state
fail() {
	echo "$*"
	"$berth" status --state $state --format json
	cat "$folder/err"
	exit 1
}
fast_is() { [ "$(field fast_bytes)" -le $(($1 << 20)) ] 2>/dev/null && [ "$(field fast_bytes)" -gt 0 ]; }
offline() { # NR: so many blocks of the node, the last first; some hold what cannot be moved
	local block nr=0
	for block in $(ls -d /sys/devices/system/node/node1/memory[0-9]* | sort -rV); do
		[ $nr -lt "$1" ] || return 0
		timeout 8 bash -c "echo offline >$block/state" 2>/dev/null && nr=$((nr + 1)) && gone="$gone $block"
	done
	[ $nr -gt 0 ]
}
gone=
"$folder/tenant" --memory 60MiB --hot 2MiB --seconds 10min >/dev/null &
tenant=$!
"$berth" daemon -M "$machine" --config "$folder/berth.conf" --state $state 2>"$folder/err" &
daemon=$!
until_is test -S $state/daemon.sock || fail "no socket"
until_is fast_is 24 || fail "the tenant is above its cap"
offline 2 || fail "no memory could be taken offline"
echo "offline:$gone"
"$berth" set tenant fast-max=12MiB --state $state || fail "set: status $?"
until_is fast_is 12 || fail "with memory offline the tenant is above its cap"
for block in $gone; do
	echo online >"$block/state" || fail "$block: does not come back"
done
"$berth" set tenant fast-max=6MiB --state $state || fail "set: status $?"
until_is fast_is 6 || fail "with memory back the tenant is above its cap"
kill -0 $tenant || fail "the tenant has ended"
kill $daemon && wait $daemon || fail "the daemon ended with status $?"
kill $tenant
exit 0
END

lab_run -q --no-model -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" "$BERTH" "$TMP" "$M" \
	>"$TMP/out" 2>&1 || fail "the guest: status $?"
grep -q '^offline: ' "$TMP/out" || fail "nothing went offline"
