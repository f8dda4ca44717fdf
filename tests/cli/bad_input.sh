#!/bin/bash
# SPDX-License-Identifier: MIT
# The hostile user. Every bad input, to every command: one clear sentence, the documented exit code
# (docs: 1 failed, 2 wrong command line, 4 not permitted, 5 partly, 126/127/128+N of a program),
# nothing under a final name that is not whole, no .part left, no input destroyed.
#
# A row is:  bad STATUS 'words of the sentence' -- COMMAND ARGUMENTS...
set -u
cd "$TMP" || exit 1
failed=0
MACHINE='node:dram:160KiB@80ns/100GBps:cpus=0 node:cxl:16MiB@250ns/30GBps'
complain() {
	echo "$*" | cat -v
	failed=1
}

# What is there now, but for the test's own files, with checksums: errors must not change it.
inventory() { find . -type f ! -name .out ! -name .err -exec cksum {} + | sort -k 3; }

run() { # STATUS WORDS COMMAND...
	local want=$1 words=$2 got
	shift 2
	timeout 60 "$@" >.out 2>.err </dev/null
	got=$?
	[ $got = "$want" ] || complain "$*: exit $got, wanted $want: $(head -c 500 .err)"
	grep -qF -e "$words" .err || complain "$*: does not say '$words': $(head -c 500 .err)"
	[ "$(wc -l <.err)" = 1 ] || complain "$*: not one line: $(head -c 500 .err)"
	LC_ALL=C grep -q '[[:cntrl:]]' <(tr -d '\n' <.err) && complain "$*: control characters: $(cat .err)"
	return 0
}

bad() { # STATUS WORDS -- COMMAND...: and nothing is on stdout, and no file changed
	local status=$1 words=$2
	shift 3
	run "$status" "$words" "$BERTH" "$@"
	[ -s .out ] && complain "$*: wrote to standard output: $(head -c 200 .out)"
	[ "$(inventory)" = "$before" ] || complain "$*: files changed: $(inventory | diff <(echo "$before") -)"
	return 0
}

#--- files that are no whole recordings ---------------------------------------------------------
cp "$TOP/tests/golden/sim/lives.berth" good.berth
size=$(wc -c <good.berth)
patch_at() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; } # FILE OFFSET BYTES
head -c 100 good.berth >head.berth
head -c $((size - 9)) good.berth >tail.berth
cp good.berth magic.berth && patch_at magic.berth 0 X
cp good.berth huge.berth && patch_at huge.berth 8 '\377\377\377\377\377\377\377\177'
: >empty.berth
head -c 5000 /dev/zero >zero.berth
printf 'hello, world\n' >text.berth
printf '%0100000d' 7 >line.txt
printf '{"a": [' >cut.json
printf 'not\0text' >nul.txt
mkdir dir
mkfifo fifo
printf 'x' >$'red\033[31m\nname'
before=$(inventory)

for command in info report sim 'convert.csv' 'convert.berth'; do
	name=${command%.*} out=()
	[ "$name" = convert ] && out=("out.${command#*.}")
	bad 1 'cut or damaged' -- $name head.berth "${out[@]}"
	bad 1 'cut or damaged' -- $name magic.berth "${out[@]}"
	bad 1 'cut or damaged' -- $name huge.berth "${out[@]}"
	bad 1 'is empty' -- $name empty.berth "${out[@]}"
	for file in zero.berth text.berth line.txt cut.json nul.txt $'red\033[31m\nname'; do
		bad 1 'not a recording that berth can read' -- $name "$file" "${out[@]}"
	done
	bad 1 'is a directory' -- $name dir "${out[@]}"
	bad 1 'not an ordinary file' -- $name fifo "${out[@]}"
	bad 1 'not an ordinary file' -- $name /dev/zero "${out[@]}"
	bad 1 'No such file or directory; check the path' -- $name absent.berth "${out[@]}"
	bad 1 'Not a directory; check the path' -- $name good.berth/x "${out[@]}"
	bad 2 'an empty argument' -- $name '' "${out[@]}"
	bad 2 'usage: berth' -- $name
	bad 2 'one argument too many' -- $name a b c
	bad 2 'no such option' -- $name --frobnicate good.berth "${out[@]}"
done

# Cut at the end: what is whole is used, 5 says so on stderr, and a repaired copy is whole.
for command in info report sim 'convert tail.berth out.csv --to' 'convert tail.berth out.berth --to'; do
	case $command in
	convert*csv*) run 5 'was cut' "$BERTH" $command csv ;;
	convert*) run 5 'was cut' "$BERTH" $command berth ;;
	*) run 5 'was cut' "$BERTH" $command tail.berth --format json ;;
	esac
done
"$BERTH" info out.berth >/dev/null || complain 'the repaired recording is not whole'
[ -s out.csv ] || complain 'the cut recording gave no CSV'
rm -f out.csv out.berth

# A bit anywhere: an exit that is documented, and never a crash, hang or half a file.
for ((i = 0; i < 40; i++)); do
	offset=$((size * i / 40)) status=0
	cp good.berth flip.berth && patch_at flip.berth $offset "\\x$(printf %02x $((i * 37 % 255 + 1)))"
	for command in info report sim convert; do
		case $command in
		convert) timeout 60 "$BERTH" convert flip.berth flip.csv >.out 2>.err ;;
		*) timeout 60 "$BERTH" $command flip.berth >.out 2>.err ;;
		esac
		status=$?
		case $status in
		0) [ ! -s .err ] || grep -q 'no miss' .err || complain "$command: silent exit 0: $(cat .err)" ;;
		1 | 5) [ "$(wc -l <.err)" = 1 ] || complain "$command, byte $offset: says $(cat .err)" ;;
		*) complain "$command, byte $offset changed: exit $status: $(head -c 300 .err)" ;;
		esac
		[ $command = convert ] && [ $status = 1 ] && [ -e flip.csv ] && complain "byte $offset: half a CSV"
		[ -e flip.csv.part ] && complain "byte $offset: a .part is left"
		rm -f flip.csv
	done
done
rm -f flip.berth

#--- command lines ------------------------------------------------------------------------------
bad 2 'there is no such command; did you mean report' -- reprot
bad 2 '"": there is no such command' -- ''
bad 2 '\x1b[31m\x0a: there is no such command' -- $'\033[31m\n'
bad 2 'several commands begin so' -- re
bad 2 'there is no such command' -- help frobnicate
bad 2 'one argument too many' -- help sim extra
for command in record report info convert machine sim; do
	bad 2 'there is no such option' -- $command --nonsense
	bad 2 'there is no such option' -- $command $'--\033[31m'
done
for command in report info machine sim; do
	bad 2 '--format xml: not one of text|json|' -- $command --format xml good.berth
	bad 2 '--format: its value is empty' -- $command --format= good.berth
	bad 2 '--format needs a value' -- $command good.berth --format
done
bad 2 'takes no value' -- sim --list=yes

bad 2 '--rows 0: must not be zero' -- report good.berth --rows 0
bad 2 '--rows -1: not understood' -- report good.berth --rows -1
bad 2 'too large' -- report good.berth --rows 99999999999999999999
bad 2 'not one of regions|' -- report good.berth --format csv --table x
bad 2 '--table picks' -- report good.berth --table curve
bad 2 'neither .berth nor .csv' -- convert good.berth out.txt
bad 2 'not one of berth|csv' -- convert good.berth out.csv --to xml
bad 2 'cannot be written to a pipe' -- convert good.berth - --to berth

#--- machines -----------------------------------------------------------------------------------
for use in 'machine' 'sim good.berth -M' 'report good.berth -M'; do
	bad 2 'CPU 1 belongs to node 1 and to another' -- $use \
		'node:dram:1GiB:cpus=0-1 node:dram:1GiB:cpus=1-2'
	bad 2 'latency 0ns is zero' -- $use 'node:dram:1GiB@0ns:cpus=0'
	bad 2 'size zero' -- $use 'node:dram:0:cpus=0'
	bad 2 'below 2^63' -- $use 'node:dram:9223372036854775808:cpus=0'
	bad 2 'unknown word "colour"' -- $use 'node:dram:1GiB:cpus=0:colour=blue'
	bad 2 'kind' -- $use 'node:sram:1GiB'
	bad 2 'kind or size is missing' -- $use $'node:\033[31m'
	bad 2 'no node has memory' -- $use 'node:none:0:cpus=0'
	bad 1 'no such file' -- $use absent
	bad 1 'not a machine' -- $use dir
	bad 1 'not a tar file' -- $use good.berth
	bad 2 'empty' -- $use ''
done
bad 2 'both name a machine' -- machine host --root dir
bad 2 'its value is empty' -- machine --root ''
bad 2 'its value is empty' -- machine --capture ''

#--- policies, kernels, keys --------------------------------------------------------------------
bad 2 'did you mean optimal' -- sim good.berth -P optimul
bad 2 'there are linux-none, linux-numab, linux-tiering' -- sim good.berth -P xyzzy
bad 2 'there are touches, window' -- sim good.berth -P recency:idel=3
bad 2 'is not key=value' -- sim good.berth -P recency:touches
bad 2 'out of range' -- sim good.berth -P recency:touches=0
bad 2 'takes no keys' -- sim good.berth -P all-fast:x=1
bad 2 'its value is empty' -- sim good.berth -P ''
bad 2 'there is no such kernel' -- sim good.berth -K xyzzy
bad 2 'there is no such policy' -- sim good.berth -P $'\033[31m'
bad 2 'not understood' -- sim good.berth --fast lots
bad 2 'too large' -- sim good.berth --fast 99EiB
bad 2 '--dilate 0: must not be zero' -- sim good.berth --dilate 0
bad 2 'too large' -- sim good.berth --dilate 18446744073709551615
bad 2 'is not key=value' -- sim good.berth --cost x
bad 2 'out of range' -- sim good.berth --cost mlp=0

#--- programs to record -------------------------------------------------------------------------
printf '#!/bin/sh\nexit 9\n' >script && chmod 755 script
printf '#!/no/such/interpreter\n' >orphan && chmod 755 orphan
: >plain
before=$(inventory)
bad 127 'there is no such program' -- record -- no-such-program-anywhere
bad 127 'there is no such program' -- record -- ./absent
bad 127 '"": there is no such program' -- record -- ''
bad 127 'there is no such program' -- record -- $'a\nb\033[31m'
bad 127 'the interpreter of' -- record -- ./orphan
bad 126 'is a directory' -- record -- ./dir
bad 126 'not executable' -- record -- ./plain
bad 126 'it is not a file' -- record -- ./fifo
bad 2 'usage: berth record' -- record
bad 2 'usage: berth record' -- record -o x.berth --
bad 2 '-o needs a value' -- record -o
bad 2 'its value is empty' -- record -o '' -- /bin/true
bad 2 'cannot be written to a pipe' -- record -o - -- /bin/true
bad 2 'would destroy it' -- record -o script -- ./script
bad 2 '--interval 0: must not be zero' -- record --interval 0 -- /bin/true
bad 2 '--interval 5: not understood' -- record --interval 5 -- /bin/true
bad 2 '--time-limit' -- record --time-limit 0ms -- /bin/true
bad 2 '--stream' -- record --stream misses,hits -- /bin/true
bad 2 'SIZE[,WAYS]' -- record --cache many -- /bin/true
bad 2 'ways' -- record --cache 2MiB,0 -- /bin/true
bad 2 'takes no value' -- record --baseline=1 -- /bin/true

# The recorder needs QEMU, which exists for the tests of record too.
"$BERTH" record -o dies.berth -- /bin/sh -c 'kill -SEGV $$' >.out 2>.err
[ $? = 139 ] || complain "a program that dies by SIGSEGV: $(cat .err)"
"$BERTH" info dies.berth >/dev/null 2>.err || complain "its recording: $(cat .err)"
[ -e dies.berth.part ] && complain 'its .part is left'
rm -f dies.berth

#--- where the output cannot go -----------------------------------------------------------------
before=$(inventory)
for out in dir dir/; do
	bad 1 'is a directory' -- record -o $out -- /bin/true
	bad 1 's a directory' -- convert good.berth $out --to berth
	bad 1 's a directory' -- convert good.berth $out --to csv
	bad 1 's a directory' -- report good.berth -o $out
	bad 1 's a directory' -- machine --root / --capture $out
done
for out in none/x.berth good.berth/x; do
	bad 1 'cannot write: No' -- record -o $out -- /bin/true
	bad 1 'cannot write: No' -- convert good.berth $out --to berth
	bad 1 'cannot write: No' -- convert good.berth $out --to csv
	bad 1 'cannot write: No' -- report good.berth -o $out
	bad 1 'cannot write: No' -- machine --root / --capture $out
done
long=$(printf '%0300d' 1)
bad 1 'File name too long; write elsewhere' -- record -o $long -- /bin/true
bad 1 'File name too long; write elsewhere' -- report good.berth -o $long
bad 1 'not an ordinary file' -- record -o /dev/null -- /bin/true
bad 1 'not an ordinary file' -- convert good.berth /dev/null --to berth

# Onto the input, by another name too.
cp good.berth copy.berth.part
ln good.berth link.berth
before=$(inventory)
bad 2 'would destroy it' -- report good.berth -o good.berth
bad 2 'would destroy it' -- report good.berth -o dir/../link.berth
bad 2 'would destroy it' -- report copy.berth.part -o copy.berth
bad 2 'would destroy it' -- convert good.berth good.berth --to csv
bad 2 'would destroy it' -- convert copy.berth.part copy.berth
bad 2 'would destroy it' -- convert copy.berth.part copy.berth --to csv
rm -f copy.berth.part link.berth

# A full disk under standard output or -o.
full='No space left on device; free some space or write elsewhere'
to_full() {
	"$BERTH" "$@" >/dev/full 2>.err </dev/null
	local got=$?
	[ $got = 1 ] && grep -qF "$full" .err && [ "$(wc -l <.err)" = 1 ] ||
		complain "$* >/dev/full: exit $got: $(cat .err)"
}
for command in help --help --version 'help sim' 'help --man' 'help --man sim' 'help --completion' \
	machine 'machine --format json' 'machine --format line' 'sim --list' 'convert good.berth -' \
	'report good.berth --format svg'; do
	to_full $command
done
for command in record report info convert machine sim; do to_full $command --help; done
for format in text json csv; do
	for command in info report sim; do to_full $command good.berth --format $format; done
done
before=$(inventory)
bad 1 "$full" -- report good.berth -o /dev/full
bad 1 "$full" -- convert good.berth /dev/full --to csv
bad 1 "$full" -- machine --capture /dev/full

# A reader that goes away: ended by SIGPIPE as any filter, or told when that is ignored; no crash.
"$BERTH" convert good.berth - 2>.err | head -n 1 >/dev/null
case ${PIPESTATUS[0]} in
0 | 141) [ ! -s .err ] || complain "a closed pipe: $(cat .err)" ;;
*) complain "a closed pipe: exit ${PIPESTATUS[0]}: $(cat .err)" ;;
esac
(
	trap '' PIPE
	run 1 'Broken pipe' bash -c '"$1" report good.berth | exit 3; exit ${PIPESTATUS[0]}' - "$BERTH"
	exit $failed
) || failed=1

# Closed descriptors: said where it can be, and no message or output ends up in a file.
for command in info report sim machine help; do
	args=(good.berth)
	case $command in machine | help) args=() ;; esac
	"$BERTH" $command "${args[@]}" >&- 2>.err
	[ $? = 1 ] && grep -qF 'Bad file descriptor' .err || complain "$command >&-: $(cat .err)"
done
before=$(inventory)
"$BERTH" convert head.berth out.berth <&- >&- 2>&-
[ $? = 1 ] || complain 'convert with everything closed: not 1'
[ "$(inventory)" = "$before" ] || complain 'convert with everything closed left a file'
"$BERTH" record -o closed.berth -- /bin/sh -c 'echo out; echo err >&2; exit 6' <&- >&- 2>&-
[ $? = 6 ] || complain 'record with everything closed: not 6'
"$BERTH" info closed.berth >.out 2>.err || complain "record with everything closed: $(cat .err)"
"$BERTH" record -o closed.berth -- /bin/sh -c '(sleep 1.3; :) &' 2>&- # it tells of who goes on
"$BERTH" info closed.berth >.out 2>.err || complain "record without stderr: $(cat .err)"
grep 'passed over' .out && complain 'a message was written into the recording'
rm -f closed.berth

# Given twice, the last counts.
"$BERTH" info good.berth --format json --format csv | head -n 1 | grep -q '^key,value$' ||
	complain 'given twice, the last --format does not count'

#--- as somebody else, for whom the modes count -------------------------------------------------
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	other=$(mktemp -d /tmp/berth-other-XXXXXX)
	trap 'rm -rf "$other"' EXIT
	mkdir -m 700 "$other/closed" && mkdir -m 755 "$other/sealed"
	mkdir "$other/recorder" && cp "$BUILD/recorder/libberth-recorder.so" "$other/recorder"
	cp "$BERTH" "$other/berth" && cp good.berth "$other/secret" && cp good.berth "$other"
	cp /bin/true "$other/blind" && cp /bin/true "$other/tool"
	chmod 755 "$other" && chmod 000 "$other/secret" && chmod 711 "$other/blind"
	nobody() {
		local status=$1 words=$2
		shift 2
		run "$status" "$words" setpriv --reuid 65534 --regid 65534 --clear-groups \
			"$other/berth" "$@"
	}
	for command in info report sim 'convert.csv'; do
		name=${command%.*} out=
		[ "$name" = convert ] && out=/dev/null
		for file in secret closed/x; do
			nobody 4 'cannot read: Permission denied; run as its owner or root' \
				$name "$other/$file" $out ${out:+--to csv}
		done
	done
	nobody 4 'Permission denied' machine "$other/secret"
	nobody 4 'Permission denied' sim "$other/good.berth" -M "$other/closed"
	nobody 4 'cannot write: Permission denied; write elsewhere' report "$other/good.berth" -o "$other/sealed/x"
	nobody 4 'cannot write: Permission denied; write elsewhere' convert "$other/good.berth" "$other/sealed/x.berth"
	nobody 4 'cannot write: Permission denied; write elsewhere' convert "$other/good.berth" "$other/sealed/x.csv"
	nobody 4 'cannot write: Permission denied; write elsewhere' machine --capture "$other/sealed/x.tar"
	nobody 4 'cannot write: Permission denied; write elsewhere' record -o "$other/sealed/x.berth" -- "$other/tool"
	nobody 126 'may not read it' record -o "$other/sealed/x.berth" -- "$other/blind"
	nobody 126 'Permission denied' record -o "$other/sealed/x.berth" -- "$other/closed/x"
	[ -z "$(ls -A "$other/sealed")" ] || complain "something was left: $(ls -A "$other/sealed")"
fi
exit $failed
