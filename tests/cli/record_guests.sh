#!/bin/sh
# SPDX-License-Identifier: MIT
# Guests that do what guests do: threads, children, exec, closing every descriptor, mapping and
# unmapping, waiting, dying.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }

cat >guest.c <<'C'
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
static char *map(int pages)
{
	return mmap(0, (size_t)pages << 12, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void *fill(void *at)
{
	memset(at, 1, 1 << 20);
	return at;
}
static void threads(void)
{
	pthread_t thread[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], 0, fill, map(256));
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], 0);
}
static void children(void)
{
	char *area = map(16);
	memset(area, 1, 16 << 12);
	for (int i = 0; i < 3; i++)
		if (fork() == 0) {
			memset(area, 2, 16 << 12);
			_exit(i);
		}
	while (wait(0) > 0)
		;
}
static void areas(void)
{
	char *a = map(32), *b;
	memset(a, 1, 32 << 12);
	munmap(a + (16 << 12), 16 << 12);
	b = mremap(a, 16 << 12, 512 << 12, MREMAP_MAYMOVE);
	b[0] = 1;
	madvise(b, 8 << 12, MADV_DONTNEED);
	memset(b, 3, 8 << 12);
	sbrk(1 << 20);
	sbrk(-(1 << 20));
	mprotect(b, 4096, PROT_READ);
	printf("%lx %lx\n", (unsigned long)a, (unsigned long)b);
}
static void vectors(void)
{
	char *area = map(4);
	struct iovec parts[2] = { { area + 100, 10 }, { area + (2 << 12), 20 } };
	int fds[2];
	if (pipe(fds) || write(fds[1], "0123456789abcdefghijklmnopqrst", 30) != 30)
		exit(1);
	if (readv(fds[0], parts, 2) != 30)
		exit(1);
	printf("%lx\n", (unsigned long)area);
}
int main(int argc, char **argv)
{
	if (!strcmp(argv[1], "threads"))
		threads();
	if (!strcmp(argv[1], "children"))
		children();
	if (!strcmp(argv[1], "areas"))
		areas();
	if (!strcmp(argv[1], "vectors"))
		vectors();
	if (!strcmp(argv[1], "exec"))
		execl("/bin/echo", "echo", "executed", (char *)0);
	if (!strcmp(argv[1], "failed-exec"))
		execl("/nonexistent", "no", (char *)0);
	if (!strcmp(argv[1], "close")) {
		for (int fd = 0; fd < 1024; fd++)
			close(fd);
		fill(map(256));
		if (chdir("/"))
			exit(1);
	}
	if (!strcmp(argv[1], "sleep"))
		usleep(30000);
	if (!strcmp(argv[1], "crash"))
		*(volatile char *)16 = 1;
	if (!strcmp(argv[1], "abort"))
		abort();
	return argc - 2;
}
C
gcc -O1 -pthread -o guest guest.c

# record WANTED-STATUS ARGUMENT...: leaves out, err, r.csv
record() {
	want=$1
	shift
	rm -f r.berth
	status=0
	"$BERTH" record -o r.berth -- ./guest "$@" >out 2>err || status=$?
	[ "$status" = "$want" ] || fail "$*: status $status, not $want: $(cat err)"
	[ ! -e r.berth.part ] || fail "$*: a part was left"
	"$BERTH" convert r.berth r.csv || fail "$*: the recording is not whole"
}
# count PATTERN: lines of r.csv that match
count() { grep -c -E -- "$1" r.csv || true; }

record 0 threads
[ "$(count '^[0-9]+,thread,')" = 5 ] || fail "threads: $(count '^[0-9]+,thread,')"
[ "$(count ',thread-end,|,thread_end,|,thread end,')" -ge 4 ] || fail "thread ends: $(cut -d, -f2 r.csv | sort | uniq -c)"
[ "$(awk -F, '$2 == "access" && $4 > 0 { n++ } END { print n + 0 }' r.csv)" -ge 1000 ] ||
	fail "threads: their accesses are missing"

record 0 children
for space in 1 2 3; do
	[ "$(awk -F, -v s=$space '$2 == "access" && $3 == s && $7 ~ /write/' r.csv | cut -d, -f5 |
		sort -u | wc -l)" -ge 16 ] || fail "child $space: its stores are missing"
	grep -q "^[0-9]*,map,$space,.*stack" r.csv || fail "child $space: has no map"
done

record 0 areas
read -r a b <out
grep -q "unmap,0,0,0x$(printf %x $((0x$a + 65536))),16," r.csv || fail "areas: no unmap"
grep -q "remap,0,0,0x$b,16,.*0x$a" r.csv || fail "areas: no remap of $a to $b"
grep -q "discard,0,0,0x$b,8," r.csv || fail "areas: no discard"
grep -q "map,0,0,0x[0-9a-f]*,2[0-9]*,.*heap" r.csv || fail "areas: no heap"
grep -q "protect,0,0,0x$b,1," r.csv || fail "areas: no protect"
# The moved pages keep their touches, the discarded ones are new although the interval is the same.
touches() { awk -F, -v p="0x$(printf %x $((0x$b + $1 * 4096)))" \
	'$2 == "access" && $5 == p && $7 ~ /touch/' r.csv | wc -l; }
[ "$(touches 1)" = 1 ] || fail "areas: a discarded page is touched $(touches 1) times"
[ "$(touches 9)" = 0 ] || fail "areas: a moved page is touched $(touches 9) times"

record 0 vectors
read -r a <out
for page in 0 2; do
	grep -q "access,0,0,0x$(printf %x $((0x$a + page * 4096))),.*write.*touch.*syscall" r.csv ||
		fail "vectors: page $page of readv is missing"
done
grep -q "access,0,0,0x$(printf %x $((0x$a + 4096)))," r.csv && fail "vectors: page 1 was not touched"

record 0 exec
[ "$(cat out)" = executed ] || fail "exec: $(cat out)"
grep -q 'exec of /bin/echo was not recorded' err || fail "exec: said $(cat err)"
grep -q ',exec,.*/bin/echo' r.csv || fail "exec: no event"
record 0 failed-exec
[ ! -s err ] || fail "failed exec: said $(cat err)"
record 1 close again
[ "$(count 'access.*write')" -ge 256 ] || fail "close: events were lost"
record 0 sleep
awk -F, '$2 == "blocked" && $13 >= 25000000 { good = 1 } END { exit !good }' r.csv ||
	fail "sleep: not blocked for 30 ms"
record 139 crash
[ "$(count access)" -ge 100 ] || fail "crash: events were lost"
record 134 abort
