#!/bin/bash
# SPDX-License-Identifier: MIT
# Where all pages are used alike nothing is to be gained: berth run --tier moves hardly anything and
# soon hardly looks. The same where the program sleeps. By the rows of its report and by
# instruction counts, so that a busy host does not change what is seen.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'
export LAB_LIMIT=400s
run_tiered() {
	lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- \
		"$BERTH" run --tier --sampler accessed-bits -M "$M" --state /dev/state \
		--format json --report "$TMP/report" -- "$@" >"$TMP/out" 2>&1 || fail "status $?"
	# From 15 s on: sampling and deciding, in ten thousandths of a CPU; and all that was promoted.
	read -r share promoted < <(tr -d ' ,' <"$TMP/report" | awk -F: '
		$1 == "\"end_ns\"" { at = $2 / 1e9; if (at > 15 && !first) first = at }
		$1 == "\"promoted_pages\"" && at { all += $2 }
		($1 == "\"sampling_ns\"" || $1 == "\"deciding_ns\"") && at > 15 && at > first { ns += $2 }
		END { print int(ns / (at - first) / 1e5), all + 0 }')
	echo "$1: promoted $promoted pages; looking and deciding took $share / 10,000 of a CPU"
}

run_tiered "$BUILD/lab/workloads/hotset" --memory 200MiB --hot 30MiB --share-hot 0 --think 300 \
	--seconds 35s
[ "$share" -le 200 ] && [ "$promoted" -le 1000 ] || fail "too much for an even load"
# shellcheck disable=SC2016
run_tiered bash -c 'x=$(head -c 20000000 /dev/zero | tr "\0" a); sleep 30'
[ "$share" -le 200 ] && [ "$promoted" -le 500 ] || fail "too much for a sleeping program"
