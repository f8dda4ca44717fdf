#!/bin/sh
# SPDX-License-Identifier: MIT
# berth lab decisions: a small trace whose answer is known, and files that are none.
set -u
cd "$TMP" || exit 1
failed=0
complain() { echo "$*" >&2; failed=1; }
cat >trace <<'END'
berth-decisions 1
setting hz=250 hot_threshold_ms=1000 scan_period_max_ms=60000 rate_limit_MBps=65536 version=612
setting stamp_shift=30 stamp_bits=21
zone managed=80000 present=81000 high=480 promo=575 reserve=0
 hotset-7 [000] 1.0: decide: (x+0x4/0x480) flags=0xe100000000 src=1 now=250 free0=310
 hotset-7 [000] 1.0: decided: (y <- x) ret=1
 hotset-7 [000] 1.0: room: (x) flags=0x0 free0=310
 hotset-7 [000] 1.0: roomed: (y) ret=-11
 hotset-7 [000] 3.0: decide: (x+0x4/0x480) flags=0xe100000000 src=1 now=1000 free0=310
 hotset-7 [000] 3.0: decided: (y <- x) ret=1
END
"$BERTH" lab decisions trace --format json >out.json || complain "status $?"
for words in '"decisions": 2' '"equal": 1' '"rooms_equal": 1' '"kernel_yes": 1'; do
	grep -qF -- "$words" out.json || complain "no $words in $(cat out.json)"
done
"$BERTH" lab decisions trace | grep -q 'equal in 1 of 2, 50.00 %' || complain "text: no share"
echo nonsense >other
"$BERTH" lab decisions other 2>err
[ $? = 1 ] && grep -q 'line 1' err || complain "another file: $(cat err)"
"$BERTH" lab decisions missing 2>err
[ $? = 1 ] && grep -q 'missing' err || complain "no file: $(cat err)"
head -4 trace >empty
"$BERTH" lab decisions empty 2>err
[ $? = 1 ] && grep -q 'no decision' err || complain "no decisions: $(cat err)"
"$BERTH" lab decisions 2>err
[ $? = 2 ] || complain "no argument: $?"
exit $failed
