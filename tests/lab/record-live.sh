#!/bin/bash
# SPDX-License-Identifier: MIT
# berth record -p and --cgroup in a guest: a program that runs is recorded until it ends, for a
# time, with its children, until Ctrl-C, and what is there when the recorder is killed or the disk
# is full. The recordings are read here.
# Runs beside others.
. "$TOP/tests/lab/common.sh"
lab_required
cd "$TMP" || exit 1

M='node:dram:192MiB@80ns/100GBps:cpus=0 node:cxl:96MiB@250ns/20GBps'
cat >guest <<END
work() { exec $BUILD/lab/workloads/hotset --memory 16MiB --hot 4MiB --seconds "\$1" >/dev/null; }
state=\$(mktemp -d) && cd "\$(mktemp -d)" || exit 2 # /tmp has the files of the host
wait_for() { # the file is larger than this
	for try in \$(seq 300); do
		[ "\$(stat -c %s "\$1" 2>/dev/null || echo 0)" -gt "\$2" ] && return
		sleep 0.1
	done
	echo "\$1 stays small"; exit 9
}
record() { $BERTH record --state \$state "\$@"; }

# With a child, until both have ended.
(work 1s & work 1s) & pid=\$!
record -p \$pid -o end.berth || exit 3
# For a time, of a cgroup; the program goes on.
mkdir -p /sys/fs/cgroup/some/below
work 100s & long=\$!
echo \$long >/sys/fs/cgroup/some/below/cgroup.procs
record --cgroup some --for 1s -o group.berth || exit 4
kill -0 \$long || exit 5
# Ctrl-C (which what bash starts in the background ignores) ends it well; kill -9 leaves what was written.
env --default-signal=INT $BERTH record --state \$state -p \$long -o interrupted.berth & recorder=\$!
wait_for interrupted.berth.part 1500
kill -INT \$recorder; wait \$recorder || exit 6
$BERTH record --state \$state -p \$long -o killed.berth & recorder=\$!
wait_for killed.berth.part 1500
kill -9 \$recorder; wait \$recorder
# A full disk: what was recorded until then, and status 5.
mkdir small && mount -t tmpfs -o size=12k small small
record -p \$long -o small/full.berth; [ \$? = 5 ] || exit 7
kill \$long
[ -z "\$(ls \$state)" ] || $BERTH restore --state \$state
[ -z "\$(ls \$state)" ] || exit 8
cp *.berth killed.berth.part small/full.berth $TMP
END

lab_run -q --time icount -M "$M" -P none:thp=never --share "$TMP" -- bash "$TMP/guest" \
	>out 2>&1 || fail "the guest: status $?"
for name in end group interrupted full; do
	"$BERTH" info "$name.berth" >info || fail "$name: $(cat info)"
	grep -q '^complete *yes' info || fail "$name: $(cat info)"
	grep -q 'seen by the sampler accessed-bits' info || fail "$name: $(cat info)"
	grep -q '^note *looking took .* of a CPU' info || fail "$name: $(cat info)"
done
"$BERTH" info end.berth | grep -q '^space 1 .*hotset' || fail "no child: $("$BERTH" info end.berth)"
status=0
"$BERTH" info killed.berth.part >info 2>&1 || status=$?
[ "$status" = 5 ] || fail "killed: status $status: $(cat info)"
grep -q '^samples *[1-9]' info || fail "killed: $(cat info)"

"$BERTH" report group.berth >report || fail "report: status $?"
found=$(sed -n 's/^\([0-9.]*\) MiB were found accessed.*/\1/p' report)
[ "${found%.*}" -ge 14 ] 2>/dev/null && [ "${found%.*}" -le 30 ] || fail "$found MiB found accessed"
"$BERTH" convert interrupted.berth again.berth || fail "convert"
"$BERTH" report interrupted.berth | tail -n +2 >first
"$BERTH" report again.berth | tail -n +2 >second
cmp first second || fail "a converted recording reports otherwise"
"$BERTH" sim -P linux-none -P berth end.berth >sim || fail "sim: $(cat sim)"
