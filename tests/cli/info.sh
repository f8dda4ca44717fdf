#!/bin/sh
# SPDX-License-Identifier: MIT
# berth info: what it says of whole, cut and wrong files, and its exit status.
set -u
cd "$TMP" || exit 1
failed=0
complain() { echo "$*" >&2; failed=1; }

# want STATUS WORDS command...: the exit status, and words in what it prints or says.
want() {
	status=$1 words=$2
	shift 2
	"$@" >out 2>err </dev/null
	got=$?
	[ $got = "$status" ] || complain "$*: exit $got, wanted $status"
	grep -qF -- "$words" out err || complain "$*: does not say \"$words\": $(cat out err)"
	[ "$(wc -l <err)" -le 1 ] || complain "$*: more than a sentence: $(cat err)"
}

i=0
while [ $i -lt 500 ]; do printf '7f%03x010\n' $((i % 97)); i=$((i + 1)); done >list.txt
"$BERTH" convert list.txt a.berth || complain "convert failed"

want 0 "accesses" "$BERTH" info a.berth
want 0 "complete                   yes" "$BERTH" info a.berth
want 0 '"nr_accesses": 500' "$BERTH" info a.berth --format json
want 0 '"is_cut": false' "$BERTH" info a.berth --format json
want 0 "nr_misses,500" "$BERTH" info a.berth --format csv
want 0 "nr_accesses,500" "$BERTH" info list.txt --format csv # counted, not recorded

size=$(wc -c <a.berth)
head -c $((size - 1)) a.berth >cut.berth
want 5 "the file has no end" "$BERTH" info cut.berth
want 5 "nr_accesses,500" "$BERTH" info cut.berth --format csv
head -c 5 a.berth >head.berth
want 1 "cut or damaged" "$BERTH" info head.berth
: >empty.berth
want 1 "is empty" "$BERTH" info empty.berth
echo hello >text.berth
want 1 "not a recording" "$BERTH" info text.berth
want 1 "is a directory" "$BERTH" info .
want 1 "No such file" "$BERTH" info none.berth
want 2 "usage" "$BERTH" info
"$BERTH" info a.berth >/dev/full 2>err && complain "a full output went unseen"
grep -q "No space left" err || complain "a full output: $(cat err)"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 600 a.berth
	chmod 755 .
	want 4 "Permission denied" setpriv --reuid=65534 --clear-groups "$BERTH" info a.berth
fi
exit $failed
