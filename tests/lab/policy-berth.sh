#!/bin/bash
# SPDX-License-Identifier: MIT
# The lab's policy `berth`: the program runs under berth in the guest, its result is still read, and
# what berth says of itself comes back in the report. By instruction counts, so that a busy host
# does not change what is seen.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
lab_required
cd "$TMP" || exit 1

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'
number() { sed -n "s/^ *\"$1\": \([0-9]*\),*$/\1/p" "$2" | head -1; }

lab_run --time icount -M "$M" -P berth:thp=never --format json -o report.json -- \
	hotset --memory 130MiB --hot 6MiB --seconds 3s >out 2>err || fail "status $?"
grep -q '^result: throughput ' out || fail 'no result'
grep -q '"sampler": "' report.json || { cat report.json >>err; fail 'no report of berth'; }
[ "$(number promoted_pages report.json)" -gt 200 ] || fail "promoted $(number promoted_pages report.json)"
[ "$(number passed_ns report.json)" -gt 3000000000 ] || fail "passed $(number passed_ns report.json)"
[ "$(number all_ns report.json)" -gt 0 ] || fail 'no CPU time'
[ "$(number max_rss_bytes report.json)" -gt 1000000 ] || fail 'no memory'

# What berth in the guest refuses is told, with its status.
lab_run -q --time icount -M "$M" -P berth:policy=nonesuch -- true >out 2>err
[ $? = 2 ] || fail 'a policy that there is not'
grep -q 'nonesuch: no such policy' err || fail 'no sentence of berth'

# A recording would have berth in it.
lab_run -q --record x.berth -M "$M" -P berth -- true >out 2>err
[ $? = 2 ] && grep -q 'record under another policy' err || fail 'recorded with berth'
