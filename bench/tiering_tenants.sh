#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in a guest of the lab, for bench/tiering: two greedy tenants with equal floors under the
# daemon, one of them there first. Each touches more than its half of fast memory, all of it equally
# hot. tiering_tenants.sh BERTH HOTSET MACHINE FIRST SECOND MEMORY FLOOR LEAD SECONDS: says SECONDS
# after the second came how many pages of fast memory (node 0) each has.
set -eu
berth=$1 hotset=$2 machine=$3 first=$4 second=$5 memory=$6 floor=$7 lead=$8 seconds=$9
dir=$(mktemp -d)
mkdir -m 700 "$dir/state"
printf '[Daemon]\nDryRun=no\n' >"$dir/berth.conf"
for tenant in "$first" "$second"; do
	cp "$hotset" "$dir/tenant-$tenant"
	printf '[Job %s]\nMatch=command:tenant-%s\nFastMin=%s\n' "$tenant" "$tenant" "$floor" >>"$dir/berth.conf"
done
"$berth" daemon --config "$dir/berth.conf" --state "$dir/state" -M "$machine" >"$dir/log" 2>&1 &
daemon=$!

tenant() { "$dir/tenant-$1" --memory "$memory" --hot "$memory" --seconds 1000s >/dev/null & }
# Of numa_maps, in base pages: N0=PAGES with kernelpagesize_kB=SIZE.
fast_pages() {
	tr ' ' '\n' <"/proc/$1/numa_maps" | awk -F= '
		$1 == "N0" { pages = $2 }
		$1 == "kernelpagesize_kB" { sum += pages * $2 / 4; pages = 0 }
		END { print int(sum) }'
}

tenant "$first"
first_pid=$!
sleep "$lead"
tenant "$second"
second_pid=$!
sleep "$seconds"
kill -0 "$daemon" || { cat "$dir/log"; exit 1; }
echo "shares: $first $(fast_pages $first_pid) $second $(fast_pages $second_pid)"
kill "$first_pid" "$second_pid" "$daemon"
