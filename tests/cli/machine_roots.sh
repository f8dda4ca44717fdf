#!/bin/sh
# SPDX-License-Identifier: MIT
# Every root gives its golden output, the same from a tar, from our own capture of it, and its line
# gives the same line. (tests/roots/update prints the goldens anew.)
set -u
roots=$TOP/tests/roots
failed=0
export BERTH
wrong() {
	echo "$*"
	failed=1
}
# Thousands of small files: in memory where that is possible.
work=$(mktemp -d /dev/shm/berth-test-XXXXXX 2>/dev/null) || work=$TMP
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir unpacked
export TMPDIR="$work/unpacked" # where tars are unpacked to, and must be gone from

compare() {
	TMPDIR=$TMP "$roots/show" "$1" >"$TMP/got"
	cmp -s "$TMP/got" "$roots/golden/$2.txt" || {
		wrong "$2: differs from tests/roots/golden/$2.txt:"
		diff "$roots/golden/$2.txt" "$TMP/got" | head -20
	}
}

# The JSON without the name, from another form of the same root.
same_json() {
	"$BERTH" machine "$1" --format json 2>/dev/null | grep -v '"name":' >"$TMP/other.json"
	cmp -s "$TMP/json" "$TMP/other.json" || {
		wrong "$1: not the same machine as its directory:"
		diff "$TMP/json" "$TMP/other.json" | head
	}
}

for root in $("$roots/generate" --list | awk '{ print $1 }'); do
	"$roots/generate" "$root" "$root" || exit 1
	compare "$root" "$root"
	[ "$root" = broken-empty ] && continue
	"$BERTH" machine "$root" --format json 2>/dev/null | grep -v '"name":' >"$TMP/json"
	"$BERTH" machine --root "$root" --format json 2>/dev/null | grep -v '"name":' |
		cmp -s - "$TMP/json" || wrong "--root $root: not the same"
	for format in ustar gnu pax; do
		tar -cf "$root.$format" --format=$format "$root" || exit 1
		same_json "$root.$format"
	done
	"$BERTH" machine "$root" --capture "$root.tar" || wrong "$root: no capture"
	same_json "$root.tar"
	"$BERTH" machine --root "$root.tar" --capture "$root.again.tar" || wrong "$root: no recapture"
	cmp -s "$root.tar" "$root.again.tar" || wrong "$root: its capture's capture differs"
	line=$("$BERTH" machine "$root" --format line 2>/dev/null)
	[ "$("$BERTH" machine "$line" --format line)" = "$line" ] || wrong "$root: line differs"
done
for tar in "$roots"/captured/*.tar; do
	cp "$tar" .
	compare "$(basename "$tar")" "$(basename "$tar" .tar)"
done
[ -z "$(ls "$work/unpacked")" ] || wrong "left behind: $(ls "$work/unpacked")"
exit $failed
