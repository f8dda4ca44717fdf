#!/bin/bash
# SPDX-License-Identifier: MIT
# Policies in real guests: what was written is read back there, the kernel's own tiering promotes
# pages of a hot set, DAMON's threads run and move pages. One of them on each kernel; with
# POLICIES_ON_ALL=1 (tests/lab-long/policies.sh) both on both, and none.
set -u
. "$TOP/tests/lab/common.sh"
lab_required 6.12 7.3
M='node:dram:192MiB@80ns/100GBps:cpus=0-1 node:cxl:192MiB@250ns/20GBps'
hotset="$BUILD/lab/workloads/hotset"

# The files of a policy are printed, then a hot set that starts in slow memory is updated.
# shellcheck disable=SC2016
program='grep -H . "$@" | sed "s/^\([^:]*\):/read \1 /"
grep -h . /sys/kernel/mm/damon/admin/kdamonds/*/pid 2>/dev/null | sed "s/^/kdamond /"
exec "$0" --hot 24MiB --seconds'

# Values as they are written, whatever the kernel prints for them.
plain() {
	sed -E 's/ (false|N)$/ 0/; s/ (true|Y)$/ 1/; s/ 0x0*([0-9a-f]+)$/ \1/;
		s/ .*\[([a-z]+)\].*$/ \1/' | sort -u
}

# check KERNEL POLICY SECONDS [OPTIONS]: of the hot set; leaves the figures of its run in $json.
check() {
	keep="$TMP/$1-${2%%:*}"
	"$BERTH" lab compare -M "$M" -P "$2" --kernel "$1" --no-yardsticks --dry-run -- true |
		sed -n 's/^\(set\|try\) //p' >"$TMP/settings" || fail "--dry-run $2"
	[ "$(wc -l <"$TMP/settings")" -ge 2 ] || fail "$2 has no settings"
	mapfile -t files < <(cut -d' ' -f1 "$TMP/settings")
	"$BERTH" lab compare -M "$M" -P "$2" --kernel "$1" --no-yardsticks --time-limit 90s \
		--keep "$keep" --format json -- \
		sh -c "$program $3 ${4:---memory 200MiB}" "$hotset" "${files[@]}" >"$TMP/table" ||
		fail "$2 on $1: status $?: $(cat "$TMP/table" "$keep"/*.stderr)"
	json=$(cat "$TMP/table")
	plain <"$TMP/settings" >"$TMP/wanted"
	sed -n 's/^read //p' "$keep"/*.stdout | plain >"$TMP/got"
	diff "$TMP/wanted" "$TMP/got" || fail "$2 on $1: not as written"
}

# figure NAME: of the first run in $json.
figure() { printf '%s\n' "$json" | sed -n "s/^ *\"$1\": \([0-9]*\),*$/\1/p" | head -1; }

kernel='kernel:scan_delay_ms=100,scan_period_min_ms=100,scan_period_max_ms=1000,scan_size_mb=512,'
kernel="${kernel}hot_threshold_ms=30000,promote_rate_limit_MBps=32768,thp=never,swappiness=10,"
kernel="${kernel}watermark_scale_factor=20,zone_reclaim_mode=0,lru_gen=0,min_ttl_ms=0"
damon=damon:min_age_ms=1000,thp=never

# Built while fast memory is full, used when much of it is free again. Who relied on kswapd to make
# room for what is promoted would find, more often than not, that it has given up on the node for
# good: while a program is built each page was just used, and 16 walks in a row free nothing.
room='--memory 100MiB --before 130MiB'

check_kernel() {
	check "$1" "$kernel" 6 "$room"
	# A busy host gives the guest little time: then it gets more of it once.
	[ "$(figure promoted_pages)" -gt 1000 ] || check "$1" "$kernel" 40 "$room"
	echo "$1: $(figure promoted_pages) pages promoted, $(figure hint_faults) hint faults"
	[ "$(figure promoted_pages)" -gt 1000 ] || fail "$1 promoted too little"
	[ "$(figure hint_faults)" -gt 100 ] || fail "$1 faulted $(figure hint_faults)"
}

check_damon() {
	check "$1" "$damon" 6
	[ "$(grep -Ec '^kdamond [1-9][0-9]*$' "$keep"/*.stdout)" = 2 ] ||
		fail "$1: two kdamonds do not run: $(grep kdamond "$keep"/*.stdout)"
	[ "$(figure promoted_pages)" = 0 ] || fail "$1: the kernel promoted beside DAMON"
	[ "$(figure moved_pages)" -gt 100 ] || check "$1" "$damon" 40
	[ "$(figure moved_pages)" -gt 100 ] || fail "$1: DAMON moved $(figure moved_pages)"
}

check_none() {
	check "$1" none 2
	[ "$(figure promoted_pages)$(figure hint_faults)$(figure demoted_pages)" = 000 ] ||
		fail "none moves pages: $json"
}

check_kernel 6.12
check_damon 7.3
[ "${POLICIES_ON_ALL:-}" = 1 ] || exit 0
check_kernel 7.3
check_damon 6.12
check_none 6.12
exit 0
