#!/bin/bash
# SPDX-License-Identifier: MIT
# berth run --tier: movers and advice that there are none of are refused with those that there are,
# before anything runs.
expect() { # TEXT OPTIONS...
	text=$1
	shift
	status=0
	"$BERTH" run --tier "$@" -- touch "$TMP/ran" 2>"$TMP/err" || status=$?
	[ $status = 2 ] || { echo "$*: status $status"; cat "$TMP/err"; exit 1; }
	grep -q -- "$text" "$TMP/err" || { echo "$*: says otherwise"; cat "$TMP/err"; exit 1; }
	[ ! -e "$TMP/ran" ] || { echo "$*: the program ran"; exit 1; }
}
expect 'move_pages.*damos' --mover moving
expect 'no such advice; there are cold, pageout, collapse, reclaim' --advise warm
expect 'no such advice' --advise cold,,collapse
"$BERTH" run --help | grep -q -- '--advise KIND' || { echo 'help does not name --advise'; exit 1; }

# Without --tier they would do nothing, nor would a format without a report, or an engine without CPUs.
refuses() { # TEXT OPTIONS...
	text=$1
	shift
	status=0
	"$BERTH" run --state "$TMP/state" "$@" -- touch "$TMP/ran" 2>"$TMP/err" || status=$?
	[ $status = 2 ] || { echo "$*: status $status"; cat "$TMP/err"; exit 1; }
	grep -q -- "$text" "$TMP/err" || { echo "$*: says otherwise"; cat "$TMP/err"; exit 1; }
	[ ! -e "$TMP/ran" ] || { echo "$*: the program ran"; exit 1; }
}
for option in --policy=berth --sampler=auto --mover=damos --advise=cold --machine=host --rate=1MiB \
	--fast-floor=1MiB --fast-cap=1MiB --report="$TMP/report" --format=json; do
	refuses "${option%%=*} goes with --tier" --prefer 0 "$option"
done
refuses 'name a file for it with --report' --tier --format json
refuses 'no preferred CPUs' --tier --engine user
