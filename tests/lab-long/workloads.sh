#!/bin/sh
# SPDX-License-Identifier: MIT
# Every workload, real ones too, runs in the guest of a two-tier machine and prints its result; what is
# placed by hand lies on the fast node.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
machine='node:dram:320MiB@80ns/100GBps:cpus=0-1 node:cxl:640MiB@250ns/20GBps'

# run TIME-LIMIT COMMAND...: in the guest; its output in out
run() {
	limit=$1
	shift
	"$BERTH" lab run -q -M "$machine" --time-limit "$limit" -- "$@" >out 2>err ||
		fail "$*: status $?: $(tail -5 err)"
}
w=$BUILD/lab/workloads
cat >all.sh <<SH
set -e
for place in '' 0; do
	export LAB_PLACE=\$place
	$w/hotset --memory 350MiB --hot 40MiB --operations 1M --move-every 400k
	$w/zipf --memory 350MiB --operations 50k
	$w/chase --memory 350MiB --operations 300k
	$w/stream --memory 350MiB --operations 6000
	$w/phases --memory 350MiB --operations 50k
	$w/btree --memory 350MiB --operations 50k
	$w/tenants --greedy 350MiB --greedy-start 250MiB --modest 40MiB --operations 500k
	$w/bfs --scale 16 --operations 1M
done
SH
# The guest sees this folder: it is below the host's root.
run 30min sh "$TMP/all.sh"
[ "$(grep -c '^result:' out)" = 16 ] || fail "$(grep -c '^result:' out) results, not 16: $(cat out)"
grep '^placed:' out | grep -v ' 0 of 0 hot' | awk '
	{ placed += $2; hot += $4 }
	END { exit !(hot > 0 && placed >= hot / 2) }' || fail "not placed: $(grep '^placed:' out)"

for name in redis memcached sqlite flask bottle python; do
	case $name in
	redis | memcached) options='--keys 20000 --operations 10000' ;;
	sqlite) options='20000 2' ;;
	python) options=0.02 ;;
	*) options='--operations 100' ;;
	esac
	status=0
	"$BERTH" lab run -q -M "$machine" -- "$name" $options >out 2>err || status=$?
	if [ "$status" = 3 ] && grep -q 'apt-get install' err; then
		echo "$name is not installed"
		continue
	fi
	[ "$status" = 0 ] && grep -q '^result: ' out || fail "$name: status $status: $(tail -5 err)"
done
