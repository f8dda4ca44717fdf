#!/bin/sh
# SPDX-License-Identifier: MIT
# A program in the lab: its output, input and status are its own; the guest's kernel reports the
# tiers, nodes and memory that were described; what it writes stays in the guest.
# Runs beside others.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required 6.12 7.3
cd "$TMP"
json() { python3 -c "import json,sys; r=json.load(open('$1')); print(($2))"; }

# Two tiers, the default kernel.
mkdir share
status=0
echo "a line" | "$BERTH" lab run -M 'node:dram:384MiB@80ns/100GBps:cpus=0-1 node:cxl:512MiB@250ns/20GBps' \
	--share "$TMP/share" --format json -o two.json -- sh -c '
	cat
	echo to stderr >&2
	echo kept >"$PWD/share/kept"
	echo lost >/etc/berth-lab-was-here
	nproc
	cat /sys/devices/system/node/online
	exit 7' >out 2>err || status=$?
[ "$status" = 7 ] || fail "status $status"
[ "$(cat out)" = "$(printf 'a line\n2\n0-1')" ] || fail "output"
[ "$(cat err)" = "to stderr" ] || fail "stderr"
[ "$(cat share/kept)" = kept ] || fail "the share was not written"
[ ! -e /etc/berth-lab-was-here ] || fail "the guest wrote to our root"
[ "$(json two.json "r['end'], r['status'], r['time']")" = "('exited', 7, 'delay')" ] || fail "end"
tiers=$(json two.json "[(t['tier'], t['guest_nodes']) for t in r['tiers']]")
[ "$tiers" = "[('memory_tier4', '0'), ('memory_tier70', '1')]" ] || fail "tiers: $tiers"
[ "$(json two.json "len(r['sample_ns']) >= 2 and r['nodes'][1]['free_bytes'][0] > 400 << 20")" = True ] ||
	fail "no samples"
[ "$(json two.json "r['notes']")" = "[]" ] || fail "notes: $(json two.json "r['notes']")"
[ "$(json two.json "r['console']")" = None ] || fail "a console was kept"

# Three tiers, CPUs without memory, more than 4 GiB, the other kernel: QEMU is told of nodes in the
# guest's order, and memory lies where the layout says.
"$BERTH" lab run --kernel 7.3 --format json -o three.json -M 'node:cxl:1GiB@250ns/30GBps
	node:dram:512MiB@80ns/100GBps:cpus=0 node:none:0:cpus=1 node:pmem:5GiB@400ns/10GBps' -- sh -c '
	grep -H . /sys/devices/system/node/node*/cpulist
	awk "/^Node/ {node = \$2} /spanned/ {spanned = \$2} /start_pfn/ && spanned {print node, \$2, spanned}" \
		/proc/zoneinfo' >out 2>err || fail "status $?"
tiers=$(json three.json "[(t['tier'], t['guest_nodes']) for t in sorted(r['tiers'], key=lambda t: int(t['tier'][11:]))]")
[ "$tiers" = "[('memory_tier4', '0'), ('memory_tier46', '2'), ('memory_tier225', '3')]" ] ||
	fail "tiers: $tiers"
described=$("$BERTH" machine --format json 'node:cxl:1GiB@250ns/30GBps
	node:dram:512MiB@80ns/100GBps:cpus=0 node:none:0:cpus=1 node:pmem:5GiB@400ns/10GBps' |
	python3 -c "import json,sys; print([t['id'] for t in json.load(sys.stdin)['tiers']])")
[ "$described" = "[4, 46, 225]" ] || fail "described tiers: $described"
json three.json "r['notes']" | grep -q 'other tiers' && fail "tiers: $(json three.json "r['notes']")"
[ "$(json three.json "[n['guest_node'] for n in r['nodes']]")" = "[2, 0, 1, 3]" ] || fail "numbers"
grep -q 'node0/cpulist:0$' out && grep -q 'node1/cpulist:1$' out || fail "CPUs"
# Node 2 is [512 MiB, 1.5 GiB), node 3 [1.5 GiB, 2 GiB) and [4 GiB, 8.5 GiB).
grep -q '^2, 131072 262144$' out || fail "node 2"
grep -q '^3, 1048576 1179648$' out || fail "node 3"
echo passed
