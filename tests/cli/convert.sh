#!/bin/sh
# SPDX-License-Identifier: MIT
# berth convert: there and back, cut input, and targets that cannot be written.
set -u
cd "$TMP" || exit 1
failed=0
complain() { echo "$*" >&2; failed=1; }

want() { # STATUS WORDS command...
	status=$1 words=$2
	shift 2
	"$@" >out 2>err </dev/null
	got=$?
	[ $got = "$status" ] || complain "$*: exit $got, wanted $status: $(cat err)"
	[ -z "$words" ] || grep -qF -- "$words" out err || complain "$*: does not say \"$words\": $(cat out err)"
}

printf '7f0010\n7f1010\n7f0018\n12345\n' >list.txt
want 0 "" "$BERTH" convert list.txt a.berth
[ -e a.berth.part ] && complain "the part was left"
want 0 "0,access,0,0,0x7f0000,1,miss" "$BERTH" convert a.berth -
[ "$(wc -l <out)" = 5 ] || complain "four events and a heading, not: $(cat out)"
mv out whole.csv
want 0 "" "$BERTH" convert a.berth b.csv
cmp -s whole.csv b.csv || complain "CSV in a file is not CSV on standard output"

# A recording of a recording has the same events, whatever its clock.
want 0 "" "$BERTH" convert a.berth again.berth
want 0 "" "$BERTH" convert again.berth again.csv
cmp -s whole.csv again.csv || complain "events changed on the way"

head -c $(($(wc -c <a.berth) - 7)) a.berth >cut.berth
want 5 "was cut" "$BERTH" convert cut.berth mended.berth
want 0 "" "$BERTH" convert mended.berth mended.csv
cmp -s whole.csv mended.csv || complain "a cut end lost events"

want 2 "say --to" "$BERTH" convert a.berth out.txt
want 0 "" "$BERTH" convert a.berth out.txt --to csv
cmp -s whole.csv out.txt || complain "--to csv wrote something else"
want 2 "not one of" "$BERTH" convert a.berth out.txt --to xml
want 2 "name a file" "$BERTH" convert a.berth - --to berth
want 1 "No such file" "$BERTH" convert a.berth none/b.berth
want 1 "is a directory" "$BERTH" convert a.berth . --to berth
ln -s /dev/full full.csv
want 1 "No space left" "$BERTH" convert a.berth full.csv
[ -L full.csv ] || complain "a link was replaced"
ln -s b.csv link.berth
want 1 "not an ordinary file" "$BERTH" convert a.berth link.berth
cp a.berth self.berth
want 0 "" "$BERTH" convert self.berth self.berth
cmp -s a.berth self.berth || complain "a recording onto itself was spoilt"

# A bad byte in a block: an error, and nothing under the final name.
cp a.berth bad.berth
offset=$(($("$BERTH" info a.berth --format csv | sed -n 's/^file_bytes,//p') / 2))
printf 'X' | dd of=bad.berth bs=1 seek=$offset conv=notrunc 2>/dev/null
"$BERTH" convert bad.berth never.berth 2>err
status=$?
[ $status = 1 ] || [ $status = 5 ] || complain "a damaged file: exit $status"
[ $status = 5 ] || [ ! -e never.berth ] || complain "an incomplete file has the final name"
[ -e never.berth.part ] && complain "a part was left"
exit $failed
