#!/bin/sh
# SPDX-License-Identifier: MIT
# berth report from outside: other tools' files, errors, exit codes, and where the output goes.
set -u
cd "$TMP" || exit 1
fail() { echo "report: $*"; exit 1; }
# expect STATUS WORD command...: the status, and the word in what it prints
expect() {
	status=$1 word=$2
	shift 2
	"$@" >out 2>err
	got=$?
	[ $got -eq "$status" ] || fail "$*: exit $got, not $status: $(cat err)"
	[ -z "$word" ] || grep -q -- "$word" out err || fail "$*: no \"$word\" in: $(cat out err)"
}

i=0
while [ $i -lt 400 ]; do
	printf '0x%x\n' $((0x7f0000000000 + (i * 7919 % 300) * 4096))
	i=$((i + 1))
done >addresses.txt

expect 0 'Where and when' "$BERTH" report addresses.txt
expect 0 'node:dram:1200KiB' "$BERTH" report addresses.txt
expect 0 'node:dram:1GiB@80ns' "$BERTH" report addresses.txt \
	-M 'node:dram:1GiB@80ns/100GBps:cpus=0 node:cxl:1GiB@300ns/20GBps'
expect 0 'No slowdown to predict' "$BERTH" report addresses.txt \
	-M 'node:dram:1GiB@80ns/100GBps:cpus=0'
expect 0 '"schema": 1' "$BERTH" report addresses.txt --format json
expect 0 '</svg>' "$BERTH" report addresses.txt --format svg
/usr/bin/python3 -c 'import sys, xml.dom.minidom as m; m.parse("out")' || fail 'svg is not XML'
expect 0 'fast_ratio' "$BERTH" report addresses.txt --format csv --table curve

# No colour and no UTF-8 where they were not asked for.
LC_ALL=C "$BERTH" report addresses.txt >out || fail 'C locale'
LC_ALL=C grep -q '[^ -~]' out && fail 'bytes beyond ASCII in the C locale'

# The result goes to a file whole, or not at all.
expect 0 '' "$BERTH" report addresses.txt -o saved.txt
grep -q 'Where and when' saved.txt || fail '-o wrote something else'
[ -e saved.txt.part ] && fail 'a part is left over'
expect 1 'No such file' "$BERTH" report addresses.txt -o missing/saved.txt
"$BERTH" report addresses.txt >/dev/full 2>err
[ $? -eq 1 ] || fail 'a full disk is no error'

expect 1 'absent' "$BERTH" report absent
expect 1 '' "$BERTH" report .
: >empty
expect 1 'empty' "$BERTH" report empty
head -c 5000 /dev/zero >zeros
expect 1 'zeros' "$BERTH" report zeros
expect 2 'usage' "$BERTH" report
expect 2 'rows' "$BERTH" report addresses.txt --rows 99999
expect 2 'table' "$BERTH" report addresses.txt --table curve
expect 2 'not one of' "$BERTH" report addresses.txt --format pdf
expect 2 'node' "$BERTH" report addresses.txt -M 'node:dram:0'

# The same input gives the same bytes.
"$BERTH" report addresses.txt --format json >one && "$BERTH" report addresses.txt --format json >two
cmp -s one two || fail 'two runs differ'
exit 0
