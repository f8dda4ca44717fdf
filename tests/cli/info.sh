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

# A recording of the lab (a seed of the fuzzer: its last byte is not of the file).
head -c -1 "$TOP/fuzz/corpus/fuzz_trace/nodes" >lab.berth
want 0 "streams                    misses,touches,nodes" "$BERTH" info lab.berth
want 0 "kernel                     6.12.95+deb12-amd64" "$BERTH" info lab.berth
want 0 "node 0                     512 MiB, managed 469 MiB, free 430 MiB, min 3.91 MiB, low 4.88 MiB, high 5.86 MiB, promo 6.25 MiB; ballast: kernel 23.4 MiB, page cache 15.6 MiB, others 80 KiB" "$BERTH" info lab.berth
want 0 '"promo_pages": null' "$BERTH" info lab.berth --format json
want 0 "setting,demotion_enabled=true" "$BERTH" info lab.berth --format csv
want 0 "node_1_high_pages,3000" "$BERTH" info lab.berth --format csv
"$BERTH" convert lab.berth copy.berth || complain "convert failed on a recording of the lab"
for format in json csv; do
	"$BERTH" info lab.berth --format $format | grep -Ev "path|bytes|nr_blocks" >lab.$format
	"$BERTH" info copy.berth --format $format | grep -Ev "path|bytes|nr_blocks" | cmp - lab.$format ||
		complain "convert lost something of the lab"
done
"$BERTH" convert lab.berth lab.csv && "$BERTH" convert copy.berth copy.csv && cmp lab.csv copy.csv ||
	complain "convert changed the events of the lab"
[ "$(grep -c ,node, lab.csv)" = 132 ] || complain "132 nodes of pages, but $(grep -c ,node, lab.csv)"
want 0 "first touches, nodes" "$BERTH" report lab.berth
want 0 "all-fast" "$BERTH" sim lab.berth -M 'node:dram:1MiB@80ns:cpus=0 node:cxl:1MiB@250ns'

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
