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
