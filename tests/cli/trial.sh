#!/bin/bash
# SPDX-License-Identifier: MIT
# berth trial: what is refused before anything runs, and what it says where it cannot work.
cd "$TMP" || exit 1
fail() {
	echo "FAILED: $*"
	cat out err
	exit 1
}
# refused STATUS WORDS ARGUMENTS...
refused() {
	local status=$1 words=$2
	shift 2
	"$BERTH" trial --state "$TMP" "$@" >out 2>err </dev/null
	[ $? = "$status" ] || fail "trial $*: not status $status"
	grep -q -- "$words" err || fail "trial $*: no '$words'"
	[ ! -s out ] || fail "trial $*: said something on standard output"
}
refused 2 'of what?'
refused 2 'one of them' -p 1 -- true
refused 2 '--lower: of which number?' --lower -- true
refused 2 '--counter: which number?' --counter -p 1
refused 2 'go with --pid' --window 1s -- true
refused 2 'go with --pid' --counter --metric 'echo 1' -- true
refused 2 'no process has such a number' -p 9999999999
refused 2 'csv' --format csv -- true
refused 2 'no such policy' -p $$ --policy nonesuch --metric 'echo 1'
refused 2 'did you mean damon?' --sampler damn -- true
refused 1 'pid 4194303: no such process' -p 4194303 --metric 'echo 1'

# One tier of memory: said by whoever would place, and nothing is left behind.
machine='node:dram:1GiB@80ns:cpus=0'
mkdir tmp
TMPDIR=$TMP/tmp refused 3 'one tier of memory' -M "$machine" -- true
refused 3 'one tier of memory' -M "$machine" -p $$ --metric 'echo 1' --for 3s --window 300ms
[ -z "$(ls tmp)" ] || fail "left: $(ls tmp)"
TMPDIR=$TMP/none refused 1 'name another with \$TMPDIR' -- true
