/* SPDX-License-Identifier: MIT */
/* The lab's recorder, driven by scripted guests: births, ends, calls, threads, touches, nodes. What
 * lands in a lane is compared as text. */
#include "test.h"

#include <elf.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../lab/latency/record.c"
#include "../../lab/latency/record_image.c"
#include "../../lab/latency/record_spaces.c"
#include "../../recorder/changes.c"
#include "../../recorder/pages.c"
#include "../../recorder/regions.c"
#include "base/random.h"
#include "trace/ring_words.h"

#define INTERVAL 1000
#define AGENT	 0x1000u /* CR3 of */
#define PROGRAM	 0x2000u
#define CHILD	 0x3000u
#define STACK	 0x7ffffffde000u

/* The guest's memory: one program's stack and headers, one path. */
static struct {
	uint64_t address;
	uint8_t bytes[4096];
	bool is_there;
} memory[3];

static size_t read_guest(uint64_t address, void *to, size_t nr_bytes)
{
	for (unsigned i = 0; i < ARRAY_SIZE(memory); i++) {
		uint64_t at = address - memory[i].address;
		if (memory[i].is_there && at < 4096 && nr_bytes <= 4096 - at) {
			memcpy(to, memory[i].bytes + at, nr_bytes);
			return nr_bytes;
		}
	}
	return 0;
}

static unsigned nr_forgotten;

static void count_forget(void)
{
	nr_forgotten++;
}

static struct record record;
static struct recording *recording;

static void put_name(const char *name)
{
	memory[0].address = 0x600000;
	memory[0].is_there = true;
	strcpy((char *)memory[0].bytes, name);
}

static void start(uint32_t streams)
{
	recording = mmap(NULL, RING_FILE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(recording != MAP_FAILED);
	recording->version = RING_VERSION;
	recording->streams = streams;
	recording->interval_ticks = INTERVAL;
	recording->writer_pid = getpid();
	assert_int_equal(record_init(&record, recording), 0);
	memset(memory, 0, sizeof(memory));
	record.read = read_guest;
	record.forget = count_forget;
	record.now = 1;
	put_name("/bin/x");
}

static void finish(void)
{
	record_fini(&record);
	munmap(recording, RING_FILE_BYTES);
}

/* ---- what the guest does ---- */

static void call(int64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	const uint64_t arguments[6] = { a0, a1, a2, a3, (uint64_t)-1, 0 };
	record_call(&record, number, arguments, STACK);
}

static void called(int64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
		   int64_t result)
{
	call(number, a0, a1, a2, a3);
	record_return(&record, 0, (uint64_t)result);
}

static void enter(uint64_t cr3, uint64_t stack, uint64_t result, bool is_blank)
{
	const struct record_frame frame = { .stack = stack,
					    .result = result,
					    .is_blank = is_blank };
	record_switch(&record, cr3);
	record_enter(&record, &frame);
}

/* The agent's child becomes the program. */
static void start_program(void)
{
	record_switch(&record, AGENT);
	record_adopt(&record);
	call(SYS_execve, 0x600000, 0, 0, 0);
	enter(PROGRAM, STACK, 0, true);
}

/* ---- what was recorded ---- */

static void prt_mapping(struct printbuf *out, const uint64_t *words, uint64_t at)
{
	static const char *const names[] = { "map",	   "unmap",   "remap",	     "discard",
					     "advice",	   "process", "process_end", "thread",
					     "thread_end", "exec",    "protect" };
	uint64_t first = words[at & INDEX_MASK];
	prt_printf(out, "%s", names[first >> DETAIL_SHIFT & 0xff]);
	for (unsigned i = 2; i < 6; i++)
		prt_printf(out, " %llx",
			   (unsigned long long)words[(at + i) & INDEX_MASK] & 0xffffffffff);
	prt_printf(out, " %x ", (unsigned)(words[(at + 6) & INDEX_MASK] >> 32));
	for (uint64_t i = 0; i < (first & 0xffffff); i++)
		prt_char(out, (char)(words[(at + 7 + i / 8) & INDEX_MASK] >> (i % 8 * 8)));
	prt_str(out, "; ");
}

/* "access PAGE FLAGS; node PAGE NODE; map PAGE NR FROM DETAIL PROTECTION NAME; ..." */
static const char *said(uint32_t number)
{
	static char text[16384];
	struct printbuf out = PRINTBUF_HEAP;
	struct lane *lane = ring_lane(recording, number);
	const uint64_t *words = words_of(lane);
	while (lane->tail != lane->head) {
		uint64_t first = words[lane->tail & INDEX_MASK];
		unsigned kind = (unsigned)(first >> KIND_SHIFT);
		if (kind == KIND_ACCESS) {
			prt_printf(&out, "access %llx %x; ",
				   (unsigned long long)(first & PAGE_MASK),
				   (unsigned)(first >> DETAIL_SHIFT & 0xff));
			lane->tail += 2;
		} else if (kind == KIND_THREAD) {
			prt_printf(&out, "by %u: ", (unsigned)first);
			lane->tail++;
		} else if (kind == KIND_NODE) {
			prt_printf(&out, "node %llx %u; ", (unsigned long long)(first & PAGE_MASK),
				   (unsigned)words[(lane->tail + 2) & INDEX_MASK]);
			lane->tail += 3;
		} else {
			assert_int_equal(kind, KIND_MAPPING);
			prt_mapping(&out, words, lane->tail);
			lane->tail += 7 + ((first & 0xffffff) + 7) / 8;
		}
	}
	snprintf(text, sizeof(text), "%s", printbuf_str(&out));
	printbuf_fini(&out);
	return text;
}

#define PROCESS_0 "process 0 0 0 ffffffff 0 /bin/x; thread 0 0 0 0 0 ; "

static void test_exec_after_adopt_is_the_program(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	enter(PROGRAM, STACK, 0, true); /* anybody else */
	record_access(&record, 0x5000, 0, 0);
	assert_int_equal(recording->nr_lanes, 0);
	record_switch(&record, AGENT);
	record_adopt(&record);
	called(SYS_execve, 0x600000, 0, 0, 0, -ENOENT); /* the first directory of PATH */
	assert_int_equal(record.nr_births, 0);
	record_access(&record, 0x5000, 0, 0); /* the agent's own */
	start_program();
	assert_int_equal(recording->nr_lanes, 1);
	assert_string_equal(said(0), PROCESS_0);
	record_access(&record, 0x5000, 1, 0);
	assert_string_equal(said(0), "node 5 1; access 5 8; ");
	assert_null(find_space(&record, AGENT));
	finish();
}

static void test_exit_ends_a_space(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	said(0);
	call(SYS_exit_group, 3, 0, 0, 0);
	assert_string_equal(said(0), "process_end 0 0 0 0 0 ; ");
	assert_int_equal(ring_lane(recording, 0)->state, LANE_ENDED);
	record_access(&record, 0x5000, 0, 0); /* the kernel clears a word as it tears down */
	enter(PROGRAM, STACK, 0, false);      /* CR3 used by a stranger */
	record_access(&record, 0x5000, 0, 0);
	assert_string_equal(said(0), "");
	assert_int_equal(recording->nr_lanes, 1);
	finish();
}

/* The parent learns the number before the child runs, or after, or after the child has ended. */
static void test_fork_in_any_order(void **state)
{
	for (unsigned order = 0; order < 3; order++) {
		start(TRACE_STREAM_TOUCHES);
		start_program();
		called(SYS_mmap, 0, 8192, 3, MAP_ANONYMOUS | MAP_PRIVATE, 0x10000);
		call(SYS_fork, 0, 0, 0, 0);
		if (order == 0)
			record_return(&record, 0, 77);
		enter(0x9000, STACK, 1, false);	    /* a stranger that is no newborn */
		enter(0x9000, STACK - 8, 0, false); /* nor is this one */
		enter(CHILD, STACK, 0, false);
		assert_int_equal(recording->nr_lanes, 2);
		if (order == 2)
			call(SYS_exit_group, 0, 0, 0, 0);
		if (order > 0) {
			record_switch(&record, PROGRAM);
			record_return(&record, 0, 77);
		}
		assert_int_equal(ring_lane(recording, 1)->pid, 77);
		assert_int_equal(ring_lane(recording, 1)->parent, 0);
		assert_string_equal(ring_lane(recording, 1)->exec_path, "/bin/x");
		assert_string_equal(said(1),
				    order == 2 ? "process 0 0 0 0 0 /bin/x; thread 0 0 0 0 0 ; "
						 "map 10 2 0 0 3 [anon]; process_end 0 0 0 0 0 ; "
					       : "process 0 0 0 0 0 /bin/x; thread 0 0 0 0 0 ; "
						 "map 10 2 0 0 3 [anon]; ");
		assert_int_equal(record.nr_births, 0);
		finish();
	}
}

/* A daemon: the parent is gone before its child first runs, and the child has its mappings. */
static void test_a_child_outlives_its_parent(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	called(SYS_mmap, 0, 4096, 1, MAP_PRIVATE, 0x20000);
	called(SYS_clone, 0x1200011, 0, 0, 0, 78);
	call(SYS_exit_group, 0, 0, 0, 0);
	enter(CHILD, STACK, 0, false);
	assert_int_equal(ring_lane(recording, 1)->pid, 78);
	assert_string_equal(said(1), "process 0 0 0 0 0 /bin/x; thread 0 0 0 0 0 ; "
				     "map 20 1 0 0 1 [file]; ");
	assert_int_equal(record.nr_births, 0);
	finish();
}

static void test_failed_forks_leave_nothing(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	called(SYS_fork, 0, 0, 0, 0, -ENOMEM);
	called(SYS_clone, CLONE_VM | CLONE_VFORK, 0, 0, 0, -EAGAIN);
	called(SYS_clone, CLONE_VM | CLONE_THREAD, 0, 0, 0, -EAGAIN);
	assert_int_equal(record.nr_births, 0);
	assert_int_equal(record.current->nr_vforks, 0);
	assert_int_equal(record.current->nr_unborn_threads, 0);
	enter(CHILD, STACK, 0, false);
	assert_int_equal(recording->nr_lanes, 1);
	finish();
}

/* posix_spawn: the child runs in its parent's space until it calls execve or ends. */
static void test_vfork_borrows_the_space(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	said(0);
	call(SYS_clone, CLONE_VM | CLONE_VFORK, 0, 0, 0);
	called(SYS_mmap, 0, 4096, 3, MAP_ANONYMOUS, 0x30000); /* the child, in the same space */
	put_name("/bin/ls");
	called(SYS_execve, 0x600000, 0, 0, 0, -ENOENT);
	call(SYS_execve, 0x600000, 0, 0, 0);
	enter(CHILD, STACK, 0, true);
	assert_string_equal(said(1), "process 0 0 0 0 0 /bin/ls; thread 0 0 0 0 0 ; ");
	record_switch(&record, PROGRAM);
	record_return(&record, 0, 79);
	assert_int_equal(ring_lane(recording, 1)->pid, 79);
	assert_int_equal(record.current->nr_vforks, 0);
	assert_string_equal(said(0), "map 30 1 0 0 3 [anon]; ");
	call(SYS_vfork, 0, 0, 0, 0);
	call(SYS_exit_group, 1, 0, 0, 0); /* the child's */
	record_return(&record, 0, 80);
	assert_string_equal(said(0), "");
	assert_int_equal(record.current->nr_vforks, 0);
	call(SYS_exit_group, 0, 0, 0, 0);
	assert_string_equal(said(0), "process_end 0 0 0 0 0 ; ");
	assert_int_equal(record.nr_births, 0);
	finish();
}

/* The parent goes on, or is gone, before the new image first runs. */
static void test_vfork_returns_before_the_image_runs(void **state)
{
	for (unsigned ends = 0; ends < 2; ends++) {
		start(TRACE_STREAM_TOUCHES);
		start_program();
		call(SYS_vfork, 0, 0, 0, 0);
		call(SYS_execve, 0x600000, 0, 0, 0);
		record_return(&record, 0, 79);
		if (ends)
			call(SYS_exit_group, 0, 0, 0, 0);
		enter(CHILD, STACK, 0, true);
		assert_int_equal(recording->nr_lanes, 2);
		assert_int_equal(ring_lane(recording, 1)->pid, 79);
		assert_int_equal(ring_lane(recording, 1)->parent, 0);
		assert_int_equal(ring_lane(recording, 0)->state, ends ? LANE_ENDED : LANE_RUNNING);
		assert_int_equal(record.nr_births, 0);
		finish();
	}
}

/* While one thread waits for its vfork, another one ends: that is no borrower's end. */
static void test_threads_end_beside_a_vfork(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	called(SYS_clone, CLONE_VM | CLONE_THREAD, 0, 0, 0, 90);
	call(SYS_vfork, 0, 0, 0, 0);
	said(0);
	record_enter(&record, &(struct record_frame){ .stack = STACK, .base = 0x8000 });
	call(SYS_exit, 0, 0, 0, 0);
	assert_string_equal(said(0), "thread 0 0 0 1 0 ; thread_end 0 0 0 1 0 ; ");
	finish();
}

/* A child that forked and then calls execve: another image is another space. */
static void test_exec_makes_a_new_space(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	called(SYS_fork, 0, 0, 0, 0, 81);
	enter(CHILD, STACK, 0, false);
	said(1);
	call(SYS_execve, 0x600000, 0, 0, 0);
	enter(0x4000, STACK, 0, true);
	assert_string_equal(said(1), "process_end 0 0 0 0 0 ; ");
	assert_string_equal(said(2), "process 0 0 0 1 0 /bin/x; thread 0 0 0 0 0 ; ");
	assert_int_equal(ring_lane(recording, 2)->pid, 81);
	assert_int_equal(ring_lane(recording, 2)->parent, 1);
	finish();
}

/* A process that a signal ended says nothing; its CR3 comes back with another. */
static void test_a_used_cr3_is_born_again(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	called(SYS_fork, 0, 0, 0, 0, 81);
	enter(CHILD, STACK, 0, false);
	called(SYS_getpid, 0, 0, 0, 0, 81);
	said(1);
	record_switch(&record, PROGRAM);
	called(SYS_fork, 0, 0, 0, 0, 82);
	enter(CHILD, STACK + 64, 0, false); /* just a return from an interrupt */
	assert_int_equal(recording->nr_lanes, 2);
	enter(CHILD, STACK, 0, false);
	assert_string_equal(said(1), "process_end 0 0 0 0 0 ; ");
	assert_int_equal(recording->nr_lanes, 3);
	assert_int_equal(ring_lane(recording, 2)->pid, 82);
	finish();
}

static void enter_thread(uint64_t base)
{
	const struct record_frame frame = { .stack = STACK, .base = base, .result = 5 };
	record_enter(&record, &frame);
}

static void test_threads_by_their_storage(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	call(SYS_arch_prctl, 0x1002, 0x7000, 0, 0);
	record_return(&record, 0x7000, 0); /* set up: still the first */
	call(SYS_clone, CLONE_VM | CLONE_THREAD, 0, 0, 0);
	record_return(&record, 0x7000, 90);
	said(0);
	record_access(&record, 0x1000, 0, 0);
	enter_thread(0x8000);
	record_access(&record, 0x2000, 0, 0);
	enter_thread(0x7000);
	record_access(&record, 0x3000, 0, 0);
	assert_string_equal(said(0), "node 1 0; access 1 8; thread 0 0 0 1 0 ; node 2 0; by 1: "
				     "access 2 8; node 3 0; by 0: access 3 8; ");
	enter_thread(0x8000);
	call(SYS_exit, 0, 0, 0, 0);
	assert_string_equal(said(0), "thread_end 0 0 0 1 0 ; ");
	enter_thread(0x7000);
	call(SYS_exit, 0, 0, 0, 0); /* the last one's */
	assert_string_equal(said(0), "process_end 0 0 0 0 0 ; ");
	finish();
}

static void test_calls_change_mappings(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	said(0);
	called(SYS_mmap, 0x40000, 5000, 3, MAP_FIXED | MAP_ANONYMOUS, 0x40000);
	assert_string_equal(said(0), "unmap 40 2 0 0 0 ; map 40 2 0 0 3 [anon]; ");
	called(SYS_mmap, 0, 4096, 1, MAP_PRIVATE, -ENOMEM);
	assert_string_equal(said(0), "");
	called(SYS_mprotect, 0x41000, 4096, 1, 0, 0);
	assert_string_equal(said(0), "protect 41 1 0 1 1 ; ");
	called(SYS_madvise, 0x40000, 8192, MADV_DONTNEED, 0, 0);
	called(SYS_madvise, 0x40000, 8192, MADV_HUGEPAGE, 0, 0);
	assert_string_equal(said(0), "discard 40 2 0 4 0 ; advice 40 2 0 e 0 ; ");
	called(SYS_brk, 0, 0, 0, 0, 0x900000);
	called(SYS_brk, 0x903000, 0, 0, 0, 0x903000);
	called(SYS_brk, 0x901000, 0, 0, 0, 0x901000);
	assert_string_equal(said(0), "map 900 3 0 0 3 [heap]; unmap 901 2 0 0 0 ; ");
	called(SYS_mremap, 0x40000, 8192, 16384, 1, 0x50000);
	assert_string_equal(said(0), "remap 50 2 40 0 0 ; map 52 2 0 0 3 [anon]; ");
	called(SYS_mremap, 0x50000, 16384, 4096, 0, 0x50000);
	called(SYS_munmap, 0x50000, 4096, 0, 0, 0);
	assert_string_equal(said(0), "unmap 51 3 0 0 0 ; unmap 50 1 0 0 0 ; ");
	called(SYS_munmap, UINT64_MAX - 8191, 8192, 0, 0, 0); /* nothing there can be */
	assert_string_equal(said(0), "");
	finish();
}

/* What is discarded is on no node until it is touched again; what moves takes its node along. */
static void test_nodes_are_told_when_they_change(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	said(0);
	record_access(&record, 0x40000, 0, TRACE_WRITE);
	record_access(&record, 0x40000, 0, 0);
	record_access(&record, 0x40040, 1, 0); /* migrated */
	record_access(&record, 0x40040, TRACE_NONE, 0);
	assert_string_equal(said(0), "node 40 0; access 40 9; node 40 1; ");
	nr_forgotten = 0;
	called(SYS_madvise, 0x40000, 4096, MADV_DONTNEED, 0, 0);
	assert_int_equal(nr_forgotten, 1);
	record_access(&record, 0x40000, 1, 0);
	assert_string_equal(said(0), "discard 40 1 0 4 0 ; node 40 1; access 40 8; ");
	called(SYS_mremap, 0x40000, 4096, 4096, 1, 0x60000);
	record_access(&record, 0x60000, 1, 0);
	assert_string_equal(said(0), "remap 60 1 40 0 0 ; ");
	finish();
}

/* Beside the plainest of oracles: per page and interval, was there an access, was there a store? */
static void test_touches_are_exact(void **state)
{
	enum { NR_PAGES = 50 };
	struct random random;
	uint64_t loaded[NR_PAGES] = { 0 }, stored[NR_PAGES] = { 0 };
	random_init(&random, 11);
	start(TRACE_STREAM_TOUCHES | TRACE_STREAM_MISSES);
	start_program();
	said(0);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t page = (uint32_t)random_below(&random, NR_PAGES);
		bool is_store = random_below(&random, 3) == 0, is_miss = !random_below(&random, 5);
		record.now += random_below(&random, 30);
		uint64_t interval = record.now / INTERVAL + 1;
		uint64_t *last = is_store ? &stored[page] : &loaded[page];
		bool is_touch = *last != interval;
		*last = loaded[page] = interval;
		record_access(&record, (uint64_t)page << 12 | random_below(&random, 4096),
			      TRACE_NONE,
			      (is_store ? TRACE_WRITE : 0) | (is_miss ? TRACE_MISS : 0));
		char wanted[64] = "";
		if (is_touch || is_miss)
			snprintf(wanted, sizeof(wanted), "access %x %x; ", page,
				 (is_store ? TRACE_WRITE : 0u) | (is_miss ? TRACE_MISS : 0u) |
					 (is_touch ? TRACE_TOUCH : 0u));
		assert_string_equal(said(0), wanted);
	}
	assert_int_equal(recording->clock / INTERVAL, record.now / INTERVAL);
	finish();
}

/* argc, argv, envp and the vector on the stack; headers that appear only later. */
static void put_image(void)
{
	const uint64_t words[] = { 1,
				   STACK + 800,
				   0,
				   STACK + 810,
				   0,
				   AT_PHDR,
				   0x400040,
				   AT_PHNUM,
				   3,
				   AT_SYSINFO_EHDR,
				   0x7fff0000,
				   AT_EXECFN,
				   STACK + 1000,
				   AT_NULL,
				   0 };
	const Elf64_Phdr headers[] = {
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R,
		  .p_vaddr = 0x400000,
		  .p_filesz = 0x1000,
		  .p_memsz = 0x1000 },
		{ .p_type = PT_GNU_STACK },
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_W,
		  .p_offset = 0x1000,
		  .p_vaddr = 0x401ff8,
		  .p_filesz = 8,
		  .p_memsz = 0x1010 },
	};
	memory[1].address = STACK;
	memory[1].is_there = true;
	memcpy(memory[1].bytes, words, sizeof(words));
	strcpy((char *)memory[1].bytes + 1000, "/usr/bin/x");
	memory[2].address = 0x400000;
	memcpy(memory[2].bytes + 64, headers, sizeof(headers));
}

static void test_the_image_is_read_when_it_is_there(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	put_image();
	start_program();
	assert_string_equal(said(0), PROCESS_0 "map 7ffffffbe 21 0 0 3 [stack]; ");
	called(SYS_getpid, 0, 0, 0, 0, 1);
	assert_string_equal(said(0), "");
	memory[2].is_there = true;
	called(SYS_getpid, 0, 0, 0, 0, 1);
	assert_string_equal(said(0), "map 400 1 0 0 1 /usr/bin/x; map 401 1 0 0 3 /usr/bin/x; "
				     "map 402 2 0 0 3 [bss]; map 7fff0 2 0 0 5 [vdso]; ");
	called(SYS_getpid, 0, 0, 0, 0, 1);
	record_access(&record, STACK - 0x23000, TRACE_NONE, TRACE_WRITE);
	assert_string_equal(said(0), "map 7ffffffbb 3 0 0 3 [stack]; access 7ffffffbb 9; ");
	finish();
}

/* Whatever stands in the guest's memory, reading an image ends, and within bounds. */
static void test_images_without_sense(void **state)
{
	struct random random;
	random_init(&random, 3);
	for (unsigned i = 0; i < 3000; i++) {
		struct record_image image = { .stack = STACK };
		struct record_image_parts parts;
		start(TRACE_STREAM_TOUCHES);
		put_image();
		memory[2].is_there = true;
		for (unsigned k = 0; k < 4; k++) {
			uint8_t *bytes = memory[1 + random_below(&random, 2)].bytes;
			bytes[random_below(&random, 232)] = (uint8_t)random_u64(&random);
		}
		int error = record_image_read(&image, read_guest, &parts);
		assert_true(error == 0 || error == -EAGAIN || error == -EBADMSG);
		assert_true(parts.nr <= RECORD_IMAGE_MAX);
		start_program();
		called(SYS_getpid, 0, 0, 0, 0, 1);
		finish();
	}
}

/* More spaces than lanes: those are not recorded, and nothing breaks. */
static void test_more_spaces_than_lanes(void **state)
{
	start(TRACE_STREAM_TOUCHES);
	start_program();
	for (uint64_t i = 0; i < RING_MAX_LANES + 5; i++) {
		record_switch(&record, PROGRAM);
		called(SYS_fork, 0, 0, 0, 0, 100 + (int64_t)i);
		enter(CHILD, STACK, 0, false);
		record_access(&record, 0x1000, 0, 0);
		call(SYS_exit_group, 0, 0, 0, 0);
	}
	assert_int_equal(recording->nr_lanes, RING_MAX_LANES + 6);
	for (unsigned i = 0; i < RECORD_MAX_BIRTHS + 10; i++) { /* children that never come */
		record_switch(&record, PROGRAM);
		called(SYS_fork, 0, 0, 0, 0, 5);
	}
	assert_int_equal(record.nr_births, RECORD_MAX_BIRTHS);
	assert_true(record.nr_lost_births >= 10);
	finish();
}
