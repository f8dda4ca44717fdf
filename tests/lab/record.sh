#!/bin/sh
# SPDX-License-Identifier: MIT
# berth lab run --record: a program of which every page is known, its child, a page that is moved to
# the other node, a kernel that dies; and what info, report, convert and sim make of the file.
# Runs beside others.
set -u
. "$TOP/tests/lab/common.sh"
lab_required
cd "$TMP" || exit 1
machine='node:dram:512MiB@80ns/100GBps:cpus=0 node:cxl:512MiB@250ns/20GBps'
failed=0
complain() { echo "$*" >&2; failed=1; }

cat >known.c <<'END'
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#define PAGES 64
int main(void)
{
	char *at = mmap((void *)0x10000000, PAGES * 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	void *pages[4];
	int nodes[4], status[4], ended;
	for (int i = 0; i < PAGES; i++)
		at[i * 4096] = 1;
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 8; i++)
			at[i * 4096] = 2;
		_exit(3);
	}
	waitpid(pid, &ended, 0);
	madvise(at + 32 * 4096, 16 * 4096, MADV_DONTNEED);
	for (int i = 0; i < 4; i++) {
		pages[i] = at + i * 4096;
		nodes[i] = 1;
	}
	if (syscall(SYS_move_pages, 0, 4, pages, nodes, status, 2) || write(1, at, 0))
		return 1;
	for (int i = 0; i < 4; i++)
		at[i * 4096] = 3;
	return WEXITSTATUS(ended) + 4;
}
END
gcc -O1 -static -o known known.c || exit 1

record() { # FILE COMMAND...: its exit status is in $status
	file=$1
	shift
	lab_run -M "$machine" -q --record "$file" -- "$@" >out 2>err </dev/null
	status=$?
	[ -f "$file" ] || { cat out err >&2; complain "$file: was not written"; exit 1; }
}
column() { # AWK-CONDITION COLUMN: of the events, the values of a column, joined
	awk -F, "$1 { printf \"%s \", \$$2 }" events.csv
}

record known.berth "$TMP/known"
[ $status = 7 ] || complain "the program's status is 7, came as $status: $(cat err)"
"$BERTH" info known.berth --format json >info.json || complain "info failed"
for words in '"is_cut": false' '"exit_status": 7' '"ns_per_ktick": 8000' '"recorder": "berth lab' \
	'"demotion_enabled=false"' '"numa_balancing=' '"transparent_hugepage=' '"kernel": "6.12'; do
	grep -qF -- "$words" info.json || complain "info does not say $words"
done
python3 - <<'END' || complain "info's memory or spaces make no sense"
import json
info = json.load(open("info.json"))
assert len(info["spaces"]) == 2, info["spaces"]
first, child = info["spaces"]
assert first["parent"] is None and child["parent"] == 0, info["spaces"]
assert child["pid"] == first["pid"] + 1, info["spaces"]
assert first["name"].endswith("/known"), first
assert len(info["memory"]) == 2, info["memory"]
for node in info["memory"]:
    assert 400 << 8 < node["managed_pages"] <= node["total_pages"] <= 512 << 8, node
    assert 0 < node["min_pages"] < node["low_pages"] < node["high_pages"], node
    assert node["free_pages"] < node["managed_pages"], node
    ballast = sum(node[k] for k in ("kernel_pages", "cache_pages", "other_pages"))
    # Pages in per-CPU lists are free, but not in zoneinfo's count.
    assert abs(node["managed_pages"] - node["free_pages"] - ballast) < 1024, node
END

# Exactly the pages that the program writes, in its order; the child's; the discard; the move.
"$BERTH" convert known.berth events.csv || complain "convert failed"
pages=$(awk 'BEGIN { for (i = 0; i < 64; i++) printf "0x%x ", 268435456 + i * 4096 }')
moved=$(awk 'BEGIN { for (i = 0; i < 4; i++) printf "0x%x ", 268435456 + i * 4096 }')
ours='$5 >= "0x10000000" && $5 <= "0x1003f000" && length($5) == 10'
touched=$(column "\$2 == \"access\" && \$3 == 0 && $ours" 5)
[ "$touched" = "$pages$moved" ] || complain "the program's pages: $touched"
touched=$(column "\$2 == \"access\" && \$3 == 1 && $ours" 5)
[ "$touched" = "$(echo "$pages" | cut -d' ' -f1-8) " ] || complain "the child's pages: $touched"
column "\$2 == \"access\" && $ours" 7 | tr ' ' '\n' | grep -vE '^(write|miss|touch)?$' &&
	complain "accesses that the program does not make"
[ "$(column '$2 == "discard"' 6)" = "16 " ] || complain "no discard of 16 pages"
[ "$(column "\$2 == \"node\" && \$15 == 1 && $ours" 5)" = "$moved" ] ||
	complain "moved to node 1: $(column "\$2 == \"node\" && \$15 == 1" 5)"
[ "$(column "\$2 == \"node\" && \$15 == 0 && \$3 == 0 && $ours" 5)" = "$pages" ] ||
	complain "at first on node 0: $(column '$2 == "node" && $15 == 0' 5)"
for name in '\[stack\]' '\[anon\]' '\[vdso\]' '/known'; do
	grep -q "^[0-9]*,map,0,.*$name" events.csv || complain "no mapping of $name"
done
grep -q '^[0-9]*,access,0,.*syscall' events.csv || complain "no access by the kernel for a call"
grep -q '^[0-9]*,process_end,1,' events.csv || complain "the child does not end"

"$BERTH" report known.berth >report.txt || complain "report failed"
grep -q known report.txt || complain "report: $(head -3 report.txt)"
"$BERTH" sim known.berth -M "$machine" >sim.txt || complain "sim failed"
grep -q linux-none sim.txt || complain "sim: $(head -3 sim.txt)"

# Twice the same: the same number of touches, within a hundredth.
touches() { "$BERTH" info "$1" --format csv | sed -n 's/^nr_touches,//p'; }
for i in 1 2; do
	record hotset$i.berth hotset --memory 24MiB --hot 4MiB --operations 300000
	[ $status = 0 ] || complain "hotset: status $status: $(cat out err)"
done
a=$(touches hotset1.berth) b=$(touches hotset2.berth)
echo "touches: $a and again $b"
[ "$a" -gt 20000 ] && [ $(((a - b) * (a - b) * 10000)) -le $((a * a)) ] ||
	complain "touches differ: $a and $b"

# The kernel dies under it: what was there by then is a whole file, and says so.
record panic.berth sh -c 'echo c >/proc/sysrq-trigger'
[ $status = 1 ] || complain "a dead kernel: status $status"
"$BERTH" info panic.berth >info.txt || complain "the recording of a dead kernel is not whole"
grep -q 'ended before the program did' info.txt || complain "no note: $(cat info.txt)"

"$BERTH" lab run -M "$machine" --time delay --record x.berth -- true 2>err && complain "delay"
grep -q 'say --time icount' err || complain "delay: $(cat err)"
"$BERTH" lab run -M "$machine" --record . -- true 2>err && complain "a directory was written"
[ ! -e x.berth ] && [ ! -e x.berth.part ] || complain "left something behind"
exit $failed
