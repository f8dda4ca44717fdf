/* SPDX-License-Identifier: MIT */
/*
 * The recorder as a plugin of qemu-user: binds QEMU's callbacks to the core.
 *
 * Why it is fast: a memory access costs QEMU a call; this callback adds one load and one compare
 * (core.h, the filter), and accesses that others of their block stand for are not looked at
 * (cover.h). Instructions are counted by the first memory callback of a block whose
 * instruction surely accesses memory (decode.h) rather than by a callback of the block's own; a
 * block without one adds to the clock by inlined code. While the process has one thread its state
 * is at a fixed place; when a second thread comes, QEMU translates everything anew, and the
 * callbacks that look the thread up are taken.
 *
 * It is started by `berth record` as
 *     qemu-x86_64 -plugin libberth-recorder.so,memory=FD PROGRAM ...
 * with the shared memory of trace/ring.h at FD, which is closed once mapped: the guest shares our
 * descriptors. It prints nothing, and fails by leaving nr_lanes 0.
 */
#include "qemu_plugin.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cover.h"
#include "decode.h"
#include "guest.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
					   int argc, char **argv);
int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define LAST_BYTE (QEMU_PLUGIN_VERSION == 1 ? 7 : 15) /* of the widest access of this QEMU */

static __thread struct thread *self; /* the last thread that spoke here */
static bool knows_base, knows_stack;

/* Of the block under translation; QEMU translates one at a time in a process. */
#define MAX_INSTRUCTION_BYTES  16
#define MAX_BLOCK_INSTRUCTIONS 1024
static struct decoded decoded[MAX_BLOCK_INSTRUCTIONS];
static struct cover cover;

/* Every access is wanted: no filter in front. */
static bool sees_all(void)
{
	return core.wants_all || core.wants_counts;
}

/* Taken for one that might cross into the next line; most of these the filter answers after all. */
static inline void access_near_end(struct thread *thread, uint64_t address, uint8_t flags)
{
	bool misses = flags & TRACE_WRITE ? filter_misses_store(thread, address, 0)
					  : filter_misses_load(thread, address, 0);
	if (misses || thread->left >= 0 || core.is_parallel || sees_all())
		core_access_line(thread, address >> CACHE_LINE_SHIFT, flags);
}

static inline void slow_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address,
			       uint8_t flags)
{
	if (vcpu >= CORE_THREADS)
		return;
	struct thread *thread = &core_threads[vcpu];
	self = thread;
	if (unlikely(!knows_stack) && (flags & TRACE_WRITE)) {
		knows_stack = true;
		core_lock();
		guest_stack_map(thread, address);
		core_unlock();
	}
	uint64_t line = address >> CACHE_LINE_SHIFT;
	if (likely((address & (CACHE_LINE_BYTES - 1)) + LAST_BYTE < CACHE_LINE_BYTES)) {
		core_access_line(thread, line, flags);
		return;
	}
	uint64_t nr_bytes = (uint64_t)1 << qemu_plugin_mem_size_shift(info);
	if ((address + nr_bytes - 1) >> CACHE_LINE_SHIFT == line)
		access_near_end(thread, address, flags);
	else
		core_access(thread, address, nr_bytes, flags);
}

static __attribute__((noinline)) void slow_load(unsigned vcpu, qemu_plugin_meminfo_t info,
						uint64_t address, void *data)
{
	slow_access(vcpu, info, address, 0);
}

static __attribute__((noinline)) void slow_store(unsigned vcpu, qemu_plugin_meminfo_t info,
						 uint64_t address, void *data)
{
	slow_access(vcpu, info, address, TRACE_WRITE);
}

static inline bool is_due(const struct thread *thread)
{
	return unlikely(thread->generation != core.generation);
}

/*
 * Direction and size of an access whose instruction does not tell. QEMU answers by functions;
 * their answers are kept by the (few) values of `info`:  info << 32 | KNOWN | last byte | store.
 */
#define INFO_SLOTS 256
#define INFO_KNOWN ((uint64_t)1 << 16)

static uint64_t known_infos[INFO_SLOTS];

static inline uint64_t *info_slot(qemu_plugin_meminfo_t info)
{
	return &known_infos[(info * 0x9e3779b1u) >> 24];
}

static inline bool info_is_known(uint64_t known, qemu_plugin_meminfo_t info)
{
	return likely(known >> 32 == info && (known & INFO_KNOWN));
}

static inline bool info_is_store(uint64_t known)
{
	return known & 1;
}

static inline unsigned info_last(uint64_t known)
{
	return (known >> 8) & 0xff;
}

static __attribute__((noinline)) void slow_either(unsigned vcpu, qemu_plugin_meminfo_t info,
						  uint64_t address, void *data)
{
	slow_access(vcpu, info, address, qemu_plugin_mem_is_store(info) ? TRACE_WRITE : 0);
}

/* The first access of its kind; `data` is the block that it counts, or NULL. */
static __attribute__((noinline)) void learn_either(unsigned vcpu, qemu_plugin_meminfo_t info,
						   uint64_t address, void *data)
{
	bool is_store = qemu_plugin_mem_is_store(info);
	uint64_t last = ((uint64_t)1 << qemu_plugin_mem_size_shift(info)) - 1;
	*info_slot(info) = (uint64_t)info << 32 | INFO_KNOWN | last << 8 | is_store;
	if (data && !is_store && vcpu < CORE_THREADS)
		count_block(&core_threads[vcpu], (uintptr_t)data);
	slow_either(vcpu, info, address, data);
}

/*
 * One function per (thread known or looked up) x (counts the block or not) x (load, store, either)
 * x size: all constants, so that the usual way through is a handful of instructions and no frame.
 *
 * QEMU 7.2 calls a callback registered for reads at stores, and one for writes at both, when the
 * access is inlined (tcg/plugin-gen: it compares the direction plus one); so each is registered
 * for both directions, and knows its own from the instruction.
 */
#define CALLBACKS(name, slow, thread, may_run, is_stale, misses, last)                             \
	static void name(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)  \
	{                                                                                          \
		if (may_run && (misses(thread, address, last) || is_stale))                        \
			slow(vcpu, info, address, data);                                           \
	}                                                                                          \
	static void name##_clock(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address,      \
				 void *data)                                                       \
	{                                                                                          \
		if (may_run && ((unsigned)count_block(thread, (uintptr_t)data) |                   \
				(unsigned)(misses(thread, address, last) || is_stale)))            \
			slow(vcpu, info, address, data);                                           \
	}

#define EITHER(name, thread, may_run, is_stale)                                                    \
	static inline void name##_known(unsigned vcpu, qemu_plugin_meminfo_t info,                 \
					uint64_t address, void *data, bool counts)                 \
	{                                                                                          \
		uint64_t known = *info_slot(info);                                                 \
		if (!(may_run))                                                                    \
			return;                                                                    \
		if (!info_is_known(known, info)) {                                                 \
			learn_either(vcpu, info, address, data);                                   \
			return;                                                                    \
		}                                                                                  \
		bool is_store = info_is_store(known);                                              \
		bool ends = counts && !is_store && count_block(thread, (uintptr_t)data);           \
		bool misses = is_store ? filter_misses_store(thread, address, info_last(known))    \
				       : filter_misses_load(thread, address, info_last(known));    \
		if (ends || misses || is_stale)                                                    \
			slow_either(vcpu, info, address, data);                                    \
	}                                                                                          \
	static void name(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)  \
	{                                                                                          \
		name##_known(vcpu, info, address, data, false);                                    \
	}                                                                                          \
	static void name##_clock(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address,      \
				 void *data)                                                       \
	{                                                                                          \
		name##_known(vcpu, info, address, data, true);                                     \
	}

#define ALONE(name, slow, misses, last)                                                            \
	CALLBACKS(name, slow, &core_threads[0], true, false, misses, last)
#define PARALLEL(name, slow, misses, last)                                                         \
	CALLBACKS(name, slow, &core_threads[vcpu], likely(vcpu < CORE_THREADS),                    \
		  is_due(&core_threads[vcpu]), misses, last)

ALONE(load_1, slow_load, filter_misses_load, 0)
ALONE(load_4, slow_load, filter_misses_load, 3)
ALONE(load_any, slow_load, filter_misses_load, LAST_BYTE)
ALONE(store_1, slow_store, filter_misses_store, 0)
ALONE(store_4, slow_store, filter_misses_store, 3)
ALONE(store_any, slow_store, filter_misses_store, LAST_BYTE)
EITHER(either, &core_threads[0], true, false)
PARALLEL(parallel_load_1, slow_load, filter_misses_load, 0)
PARALLEL(parallel_load_4, slow_load, filter_misses_load, 3)
PARALLEL(parallel_load_any, slow_load, filter_misses_load, LAST_BYTE)
PARALLEL(parallel_store_1, slow_store, filter_misses_store, 0)
PARALLEL(parallel_store_4, slow_store, filter_misses_store, 3)
PARALLEL(parallel_store_any, slow_store, filter_misses_store, LAST_BYTE)
EITHER(parallel_either, &core_threads[vcpu], likely(vcpu < CORE_THREADS),
       is_due(&core_threads[vcpu]))

/* The block's own callback, for blocks that may run without a memory access. */
static void run_block(unsigned vcpu, void *data)
{
	if (vcpu >= CORE_THREADS)
		return;
	struct thread *thread = &core_threads[vcpu];
	if (count_block(thread, (uintptr_t)data) || is_due(thread)) {
		self = thread;
		core_tick(thread);
	}
}

enum { KIND_LOAD = 0, KIND_STORE = 3, KIND_EITHER = 6, NR_KINDS };

static const plugin_mem_fn callbacks[2][2][NR_KINDS] = {
	/* [parallel][clock] */
	{ { load_1, load_4, load_any, store_1, store_4, store_any, either },
	  { load_1_clock, load_4_clock, load_any_clock, store_1_clock, store_4_clock,
	    store_any_clock, either_clock } },
	{ { parallel_load_1, parallel_load_4, parallel_load_any, parallel_store_1, parallel_store_4,
	    parallel_store_any, parallel_either },
	  { parallel_load_1_clock, parallel_load_4_clock, parallel_load_any_clock,
	    parallel_store_1_clock, parallel_store_4_clock, parallel_store_any_clock,
	    parallel_either_clock } },
};

static plugin_mem_fn callback_for(const struct decoded *access, bool counts)
{
	unsigned size = access->max_bytes == 1 ? 0 : access->max_bytes == 4 ? 1 : 2;
	if (sees_all())
		return access->may == ACCESS_LOAD    ? slow_load
		       : access->may == ACCESS_STORE ? slow_store
						     : slow_either;
	unsigned kind = access->may == ACCESS_LOAD    ? KIND_LOAD + size
			: access->may == ACCESS_STORE ? KIND_STORE + size
						      : KIND_EITHER;
	return callbacks[core.is_parallel][counts][kind];
}

static void watch_instruction(struct qemu_plugin_insn *insn, const struct decoded *access,
			      block_run clock)
{
	if (access->may != ACCESS_NONE)
		qemu_plugin_register_vcpu_mem_cb(insn, callback_for(access, clock != 0),
						 PLUGIN_NO_REGISTERS, PLUGIN_MEM_READ_WRITE,
						 (void *)(uintptr_t)clock);
}

static void watch_block(struct qemu_plugin_tb *tb, block_run run)
{
#if QEMU_PLUGIN_VERSION == 1
	if (!core.is_parallel && !core.recording->exact_clock && !sees_all()) {
		qemu_plugin_register_vcpu_tb_exec_inline(
			tb, PLUGIN_INLINE_ADD_U64, &core_threads[0].left, run >> BLOCK_COUNT_SHIFT);
		qemu_plugin_register_vcpu_tb_exec_inline(tb, PLUGIN_INLINE_ADD_U64,
							 core_block_counter(run), 1);
		return;
	}
#endif
	qemu_plugin_register_vcpu_tb_exec_cb(tb, run_block, PLUGIN_NO_REGISTERS,
					     (void *)(uintptr_t)run);
}

/* The bytes of an instruction; returns how many. */
static size_t instruction_bytes(struct qemu_plugin_insn *insn, uint8_t bytes[MAX_INSTRUCTION_BYTES])
{
	size_t nr = MIN(qemu_plugin_insn_size(insn), MAX_INSTRUCTION_BYTES);
#if QEMU_PLUGIN_VERSION == 1
	memcpy(bytes, qemu_plugin_insn_data(insn), nr);
#else
	nr = MIN(qemu_plugin_insn_data(insn, bytes, MAX_INSTRUCTION_BYTES), nr);
#endif
	return nr;
}

/* Decodes the block's instructions and finds those whose accesses others stand for. */
static void decode_block(struct qemu_plugin_tb *tb, size_t nr)
{
	cover_init(&cover);
	for (size_t i = 0; i < nr; i++) {
		uint8_t bytes[MAX_INSTRUCTION_BYTES];
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		size_t nr_bytes = instruction_bytes(insn, bytes);
		decoded[i] = decode(bytes, nr_bytes);
		cover_add(&cover, (unsigned)i, bytes, nr_bytes,
			  qemu_plugin_insn_vaddr(insn) + nr_bytes, &decoded[i]);
	}
	if (sees_all() || core.recording->exact_clock)
		return;
	cover_solve(&cover);
	for (uint32_t i = 0; i < cover.nr; i++)
		if (cover.accesses[i].is_covered)
			decoded[cover.accesses[i].instruction] = (struct decoded){ 0 };
}

static void learn_base(struct qemu_plugin_insn *insn)
{
	knows_base = true;
	guest_base = (uint64_t)(uintptr_t)qemu_plugin_insn_haddr(insn) -
		     qemu_plugin_insn_vaddr(insn);
	core_lock();
	guest_initial_maps();
	core_unlock();
}

static void translate_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t nr = qemu_plugin_tb_n_insns(tb);
	if (nr == 0 || nr > MAX_BLOCK_INSTRUCTIONS) /* QEMU's blocks have at most 512 */
		return;
	struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, nr - 1);
	if (unlikely(!knows_base))
		learn_base(qemu_plugin_tb_get_insn(tb, 0));
	uint64_t start = qemu_plugin_tb_vaddr(tb);
	uint64_t end = qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last);
	block_run run = core_block(self, start, end - start, (uint32_t)nr);
	bool is_counted = !run || sees_all() || core.recording->exact_clock;
	if (is_counted && run)
		watch_block(tb, run);
	decode_block(tb, nr);
	for (size_t i = 0; i < nr; i++) {
		bool counts = !is_counted && decoded[i].sure;
		watch_instruction(qemu_plugin_tb_get_insn(tb, i), &decoded[i], counts ? run : 0);
		is_counted |= counts;
	}
	if (!is_counted)
		watch_block(tb, run);
}

static void start_thread(qemu_plugin_id_t id, unsigned vcpu)
{
	if (vcpu >= CORE_THREADS) {
		if (core.ring.lane)
			core.ring.lane->nr_lost_threads++;
		return;
	}
	bool is_locked = core.is_parallel; /* with one thread there is nobody to lock out */
	if (is_locked)
		core_lock();
	core_thread_start(&core_threads[vcpu], self);
	if (is_locked)
		core_unlock();
	if (!self)
		self = &core_threads[vcpu];
}

static void end_thread(qemu_plugin_id_t id, unsigned vcpu)
{
	if (vcpu >= CORE_THREADS)
		return;
	core_lock();
	core_thread_end(&core_threads[vcpu]);
	core_unlock();
}

static void flush_blocks(qemu_plugin_id_t id)
{
	core_flush_blocks();
}

static void enter_call(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2,
		       uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
	if (vcpu >= CORE_THREADS)
		return;
	self = &core_threads[vcpu];
	guest_call(self, number, (const uint64_t[6]){ a1, a2, a3, a4, a5, a6 });
}

static void leave_call(qemu_plugin_id_t id, unsigned vcpu, int64_t number, int64_t result)
{
	if (vcpu >= CORE_THREADS)
		return;
	self = &core_threads[vcpu];
	guest_return(self, result);
}

static void end_process(qemu_plugin_id_t id, void *data)
{
	core_lock();
	core_end(self);
	core_unlock();
}

/* fork() holds the lock, so that the child gets a state in which nobody was in the middle. */
static void before_fork(void)
{
	pthread_mutex_lock(&core.lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&core.lock);
}

static void in_child(void)
{
	core_forked(core.lane);
	for (uint32_t i = 0; i < CORE_THREADS; i++)
		if (&core_threads[i] != self)
			core_threads[i].is_alive = false;
	core.nr_alive = 1;
}

/* "memory=FD" */
static struct recording *map_recording(int argc, char **argv)
{
	if (argc != 1 || strncmp(argv[0], "memory=", 7) != 0)
		return NULL;
	int fd = atoi(argv[0] + 7);
	struct recording *recording = mmap(NULL, RING_FILE_BYTES, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_NORESERVE, fd, 0);
	close(fd);
	if (recording == MAP_FAILED)
		return NULL;
	return recording->version == RING_VERSION ? recording : NULL;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	struct recording *recording = map_recording(argc, argv);
	if (!recording || core_init(recording) < 0 ||
	    pthread_atfork(before_fork, after_fork, in_child) != 0)
		return 1;
	qemu_plugin_register_vcpu_init_cb(id, start_thread);
	qemu_plugin_register_vcpu_exit_cb(id, end_thread);
	qemu_plugin_register_flush_cb(id, flush_blocks);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate_block);
	qemu_plugin_register_vcpu_syscall_cb(id, enter_call);
	qemu_plugin_register_vcpu_syscall_ret_cb(id, leave_call);
	qemu_plugin_register_atexit_cb(id, end_process, NULL);
	return 0;
}
