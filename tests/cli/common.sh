# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# What the tests of berth run and status begin with; sourced, not a test itself: a place for the
# journal, the CPUs that we may use, and what was expected against what came.
state=$TMP/state
cpus=$(taskset -cp $$ | sed 's/.*: //')
first=${cpus%%[-,]*}
failures=0

check() { # NAME EXPECTED GOT
	[ "$2" = "$3" ] && return
	echo "$1: expected \"$2\", got \"$3\""
	failures=$((failures + 1))
}
