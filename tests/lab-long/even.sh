#!/bin/bash
# SPDX-License-Identifier: MIT
# Where all pages are used alike nothing is to be gained: berth run --tier moves hardly anything and
# soon hardly looks, also where fast memory is huge pages, which are seen by other means than single
# ones. The same where the program sleeps. By the rows of its report and by instruction counts, so
# that a busy host does not change what is seen.
. "$TOP/tests/lab/common.sh"
lab_required

M='node:dram:160MiB@80ns/100GBps:cpus=0 node:cxl:160MiB@250ns/20GBps'
export LAB_LIMIT=400s
run_tiered() { # THP PROGRAM...
	local thp=$1
	shift
	lab_run -q --time icount -M "$M" -P "none:thp=$thp" --share "$TMP" -- \
		"$BERTH" run --tier --sampler accessed-bits -M "$M" --state /dev/state \
		--format json --report "$TMP/report" -- "$@" >"$TMP/out" 2>&1 || fail "status $?"
	# From 15 s on: sampling and deciding, in ten thousandths of a CPU; and all that was promoted.
	# Before, all that was moved. In the end the program reads its memory once, which is a change.
	read -r share promoted early < <(tr -d ' ,' <"$TMP/report" | awk -F: '
		$1 == "\"end_ns\"" { at = $2 / 1e9; if (at > 15 && !first) first = at }
		$1 == "\"promoted_pages\"" && at > 15 { all += $2 }
		$1 ~ /^"(promoted|demoted)_pages"$/ && at && at <= 15 { early += $2 }
		($1 == "\"sampling_ns\"" || $1 == "\"deciding_ns\"") && at > 15 && at > first && at <= 36 {
			ns += $2; last = at }
		END { print int(ns / (last - first) / 1e5), all + 0, early + 0 }')
	echo "$1, thp=$thp: moved $early pages in 15 s, promoted $promoted from then on;" \
		"looking and deciding took $share / 10,000 of a CPU"
}

for thp in never always; do
	run_tiered $thp "$BUILD/lab/workloads/hotset" --memory 200MiB --hot 30MiB --share-hot 0 \
		--think 300 --seconds 35s
	[ "$share" -le 200 ] && [ "$promoted" -le 1000 ] && [ "$early" -le 2000 ] ||
		fail "too much for an even load"
done
# shellcheck disable=SC2016
run_tiered never bash -c 'x=$(head -c 20000000 /dev/zero | tr "\0" a); sleep 30'
[ "$share" -le 200 ] && [ "$promoted" -le 500 ] || fail "too much for a sleeping program"
