#!/bin/bash
# SPDX-License-Identifier: MIT
# berth daemon in a guest of two tiers: a job whose memory the kernel put into fast memory is brought
# under a cap that it is given, explain tells why, a dry run moves nothing, and what was held is as
# before at the end and after kill -9. How fast is what bench/fairness measures, on a quiet machine.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'

cp "$BUILD/lab/workloads/hotset" "$TMP/tenant"
lab_jobs <<END
[Job tenant]
Match=command:tenant
Goal=performance
END
lab_guest <<'END'
berth=$1 folder=$2 machine=$3
balancing=/proc/sys/kernel/numa_balancing
state=/tmp/state
mkdir -m 700 $state
echo 1 >$balancing
status() { "$berth" status --state $state --format json; }
fail() {
	echo "$*"
	status
	cat "$folder/err"
	exit 1
}
has_at_least() { [ "$(field fast_bytes)" -ge $(($1 << 20)) ] 2>/dev/null; }
has_at_most() { [ "$(field fast_bytes)" -le $(($1 << 20)) ] 2>/dev/null; }
is_balancing() { [ "$(cat $balancing)" = "$1" ]; }
start() {
	"$berth" daemon -M "$machine" --config "$folder/berth.conf" --state $state "$@" 2>"$folder/err" &
	daemon=$!
	until_is test -S $state/daemon.sock || fail "no socket"
}

"$folder/tenant" --memory 30MiB --hot 2MiB --seconds 10min >/dev/null &
tenant=$!

start --dry-run
until_is has_at_least 10 || fail "a dry run does not see the tenant"
is_balancing 1 || fail "a dry run holds the kernel back"
[ "$(field promoted_pages)$(field demoted_pages)" = 00 ] || fail "a dry run has moved pages"
kill $daemon && wait $daemon || fail "status $? at the end"

start
until_is has_at_least 10 || fail "the tenant is not seen"
is_balancing 0 || fail "the kernel is not held back"
"$berth" set tenant fast-max=8MiB --state $state || fail "set: status $?"
until_is has_at_most 8 || fail "the tenant is above its cap"
[ "$(field demoted_pages)" -gt 500 ] || fail "nothing was demoted"
"$berth" explain tenant --state $state | grep -q 'moved .*its job is above its cap' || fail "explain tells no reason"
address=$("$berth" explain tenant --state $state | sed -n 's/.* \(0x[0-9a-f]*\) .*moved .*cap.*/\1/p' | head -1)
"$berth" explain "$address" --state $state | grep -q 'moves' || fail "explain knows nothing of $address"
"$berth" stop tenant --state $state || fail "stop: status $?"
is_balancing 1 || fail "numa_balancing is $(cat $balancing) with no job left"
kill -0 $tenant || fail "the tenant has ended"
kill -HUP $daemon
until_is is_balancing 0 || fail "not taken up again"
kill -9 $daemon
wait $daemon
is_balancing 0 || fail "who was killed has undone something"
"$berth" restore --state $state >/dev/null || fail "restore: status $?"
is_balancing 1 || fail "numa_balancing is $(cat $balancing) after restore"
kill $tenant
exit 0
END

lab_run -q --no-model -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" "$BERTH" "$TMP" "$M" \
	>"$TMP/out" 2>&1 || fail "the guest: status $?"
