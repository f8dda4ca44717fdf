#!/bin/sh
# SPDX-License-Identifier: MIT
# What the doctor says of described machines, to the letter (tests/doctor/update prints the goldens
# anew), and of captured ones; it leaves a root as it was.
set -u
doctor=$TOP/tests/doctor
failed=0
export BERTH
wrong() {
	echo "$*"
	failed=1
}
cd "$TMP" || exit 1
state_of() { find "$1" -printf '%p %s %T@ %m\n' | sort | cksum; }
for description in "$doctor"/roots/*.root; do
	name=$(basename "$description" .root)
	"$doctor/make" "$description" "$name" || exit 1
	before=$(state_of "$name")
	"$doctor/show" "$name" >got
	[ "$(state_of "$name")" = "$before" ] || wrong "$name: the root was changed"
	cmp -s "$doctor/golden/$name.txt" got || {
		wrong "$name: differs from tests/doctor/golden/$name.txt:"
		diff "$doctor/golden/$name.txt" got | head -20
	}
	LC_ALL=C grep -q '[^[:print:][:space:]]' got && wrong "$name: control characters come out"
	sed '1,/^status/d' got | /usr/bin/python3 -c 'import json,sys; json.load(sys.stdin)' ||
		wrong "$name: not JSON"
done
# Captured machines hold no processes and no configuration: unknown, not missing.
for tar in "$TOP"/tests/roots/captured/*.tar; do
	"$BERTH" doctor --root "$tar" >got 2>err || wrong "$tar: status $?: $(cat got err)"
	grep -q '^  missing' got && wrong "$tar: something is missing that nobody captured"
	grep -q '^  unknown *kernel  ' got || wrong "$tar: $(cat got)"
done
exit $failed
