#!/bin/sh
# SPDX-License-Identifier: MIT
# What lstopo, lscpu and numactl make of the same roots: node sizes and CPUs must agree. Also the
# XML that lstopo writes of them must give the same nodes.
set -u
roots=$TOP/tests/roots
failed=0 compared=0
wrong() {
	echo "$*"
	failed=1
}
# Thousands of small files: in memory where that is possible.
work=$(mktemp -d /dev/shm/berth-test-XXXXXX 2>/dev/null) || work=$TMP
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# "ID SIZE_BYTES CPUS" of each node, from berth's JSON.
nodes_of() {
	"$BERTH" machine "$1" --format json 2>/dev/null | awk -F'"' '
		/"tiers": \[/ { exit }
		$2 == "id" { id = $3; gsub(/[^0-9]/, "", id) }
		$2 == "size_bytes" { size = $3; gsub(/[^0-9]/, "", size) }
		$2 == "cpus" { print id, size, $4 }'
}

# The second word, a list of CPUs, number by number.
expanded() {
	awk '{ text = $1; n = split($2, part, ",")
		for (i = 1; i <= n; i++) {
			m = split(part[i], ends, "-")
			for (cpu = ends[1]; cpu <= ends[m]; cpu++) text = text " " cpu
		}
		print text }' | sort -n
}

check_lscpu() {
	lscpu --sysroot "$1" 2>/dev/null | sed -n 's/^NUMA node\([0-9]*\) CPU(s): */\1 /p' |
		expanded >lscpu.out
	[ -s lscpu.out ] || return
	nodes_of "$1" | awk '{ print $1, $3 }' | expanded >berth.out
	compared=$((compared + 1))
	cmp -s lscpu.out berth.out || {
		wrong "$1: lscpu sees other CPUs:"
		diff lscpu.out berth.out | head
	}
}

# Node ids and sizes; hwloc lists nodes without memory too.
check_lstopo() {
	lstopo-no-graphics -i "$1" --of xml 2>/dev/null >"$1.xml" || return
	tr ' ' '\n' <"$1.xml" | awk -F'"' '/^type=/ { numa = $2 == "NUMANode" }
		/^os_index=/ && numa { id = $2 } /^local_memory=/ && numa { print id, $2 }' |
		sort -n >lstopo.out
	[ -s lstopo.out ] || return
	nodes_of "$1" | awk '$2 > 0 { print $1, $2 }' | sort -n >berth.out
	compared=$((compared + 1))
	cmp -s lstopo.out berth.out || {
		wrong "$1: lstopo sees other memory:"
		diff lstopo.out berth.out | head
	}
	check_xml "$1"
}

# XML does not say whose CPUs they are where nodes share a locality: sizes and CPUs must be there.
check_xml() {
	nodes_of "$1" | sort -n >berth.out
	nodes_of "$1.xml" | sort -n >xml.out
	cmp -s berth.out xml.out || {
		wrong "$1: its XML gives other nodes:"
		diff berth.out xml.out | head
	}
}

for root in $("$roots/generate" --list | awk '{ print $1 }'); do
	case $root in broken*) continue ;; esac
	"$roots/generate" "$root" "$root" || exit 1
	command -v lscpu >/dev/null && [ "$root" != no-numa ] && check_lscpu "$root"
	command -v lstopo-no-graphics >/dev/null && check_lstopo "$root"
done

# The host, where numactl has no root to be given.
if command -v numactl >/dev/null && numactl -H 2>/dev/null | grep -q '^node 0 size'; then
	numactl -H | awk '$1 == "node" && $3 == "size:" { print $2, $4 }' | sort -n >numactl.out
	nodes_of host | awk '{ print $1, int($2 / 1048576) }' | sort -n >berth.out
	compared=$((compared + 1))
	cmp -s numactl.out berth.out || {
		wrong "host: numactl -H sees other memory:"
		diff numactl.out berth.out
	}
fi
[ $compared -gt 0 ] || { echo tools; exit 77; }
exit $failed
