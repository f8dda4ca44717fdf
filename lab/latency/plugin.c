/* SPDX-License-Identifier: MIT */
/*
 * The latency model as a plugin of qemu-system: binds QEMU's callbacks to the model.
 *
 *     WATCHING   code is only searched for markers when it is translated   (boot, and after STOP)
 *        | START      ^ STOP          QEMU brings all vCPUs to rest, drops all translated code
 *        v            |               and all callbacks, then calls us (qemu_plugin_reset)
 *     MODELLING  every access calls the model, every block adds its instructions
 *
 * Started as    -plugin libberth-latency.so,memory=FD    with a struct lab_shared at FD, which is
 * closed once mapped. Without `memory`, or in qemu-user, it is loaded and does nothing. It prints
 * only when it cannot start.
 *
 * Waiting is a loop that reads the time-stamp counter: sleeping costs 50 us and more, a wait is one
 * or two. The counter is calibrated against CLOCK_MONOTONIC over the guest's boot.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lab/latency/access.h"
#include "lab/latency/model.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
					   int argc, char **argv);
int qemu_plugin_version = 1;

#define CALIBRATION_NS 1000000 /* the least time over which the counter is calibrated */

enum state { WATCHING, CHANGING, MODELLING };

static struct {
	qemu_plugin_id_t id;
	uint32_t state;	   /* enum state */
	bool copies_bytes; /* qemu_plugin_insn_data's form */
	bool is_recording;
	qemu_plugin_u64 nr_instructions;
	uint64_t nr_before[LAB_MAX_VCPUS]; /* instructions counted when START was said */
	uint64_t start_ticks, start_ns;	   /* of the counter, of CLOCK_MONOTONIC */
} plugin;

/* QEMU reads the version before it calls install, and its range differs by release. */
__attribute__((constructor)) static void choose_version(void)
{
	if (qemu_plugin_read_memory_vaddr)
		qemu_plugin_version = 4;
	else if (qemu_plugin_scoreboard_new)
		qemu_plugin_version = 2;
}

/* ---- time ---- */

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)
static inline uint64_t now_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static inline void relax(void)
{
	__builtin_ia32_pause();
}
#else
static inline uint64_t now_ticks(void)
{
	return now_ns();
}

static inline void relax(void)
{
}
#endif

static uint64_t ticks_per_1024_ns(void)
{
	uint64_t ns = now_ns() - plugin.start_ns;
	while (ns < CALIBRATION_NS)
		ns = now_ns() - plugin.start_ns;
	return (uint64_t)((double)(now_ticks() - plugin.start_ticks) * 1024 / (double)ns + 0.5);
}

/* ---- accesses ---- */

static __attribute__((noinline)) void wait_for_miss(struct cpu *cpu, uint32_t node,
						    bool is_sequential)
{
	uint64_t start = now_ticks(), now = start;
	uint64_t until = model_answered_at(cpu, node, is_sequential, now);
	while (now < until) {
		relax();
		now = now_ticks();
	}
	cpu->counts[node].wait_ns += (now - start) * 1024 / model.ticks_per_1024_ns;
}

/* What the filter did not answer. The reader's time goes here: kept out of line. */
static inline enum model_answer look_up(struct cpu *cpu, qemu_plugin_meminfo_t info,
					uint64_t address, struct access *access, bool waits)
{
	struct qemu_plugin_hwaddr *place = qemu_plugin_get_hwaddr(info, address);
	if (unlikely(!place || qemu_plugin_hwaddr_is_io(place)))
		return MODEL_HIT;
	access->physical = qemu_plugin_hwaddr_phys_addr(place);
	access->is_store = qemu_plugin_mem_is_store(info);
	enum model_answer answer = model_access(cpu, address, access->physical, access->is_store,
						&access->node);
	if (waits && (answer == MODEL_MISS || answer == MODEL_MISS_SEQUENTIAL))
		wait_for_miss(cpu, access->node, answer == MODEL_MISS_SEQUENTIAL);
	return answer;
}

static __attribute__((noinline)) void count_line(struct cpu *cpu, qemu_plugin_meminfo_t info,
						 uint64_t address)
{
	struct access access;
	look_up(cpu, info, address, &access, false);
}

static __attribute__((noinline)) void delay_line(struct cpu *cpu, qemu_plugin_meminfo_t info,
						 uint64_t address)
{
	struct access access;
	look_up(cpu, info, address, &access, true);
}

static inline bool filter_answers(struct cpu *cpu, uint64_t *filter, uint64_t address)
{
	uint64_t key = filter_key(cpu, address), *slot = &filter[filter_slot(address)];
	cpu->nr_accesses++;
	if (likely(*slot == key))
		return true;
	*slot = key;
	return false;
}

/* icount has one vCPU, whose state is at a fixed place. */
static void access_counted(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
	struct cpu *cpu = data;
	if (!filter_answers(cpu, cpu->filter, address))
		count_line(cpu, info, address);
}

static void access_delayed(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
	struct cpu *cpu = &model.cpus[vcpu];
	if (!filter_answers(cpu, cpu->filter, address))
		delay_line(cpu, info, address);
}

static __attribute__((noinline)) void record_line(struct cpu *cpu, qemu_plugin_meminfo_t info,
						  uint64_t address, bool is_kernel)
{
	struct access access = { .address = address,
				 .physical = ACCESS_UNKNOWN,
				 .vcpu = cpu->vcpu,
				 .node = ACCESS_NO_NODE,
				 .is_kernel = is_kernel };
	bool waits = model.shared->model.time == LAB_TIME_DELAY;
	enum model_answer answer = look_up(cpu, info, address, &access, waits);
	if (address >= ACCESS_USER_END || access.physical == ACCESS_UNKNOWN)
		return;
	access.is_miss = answer != MODEL_HIT;
	if (answer == MODEL_HIT)
		access.node = model_node(cpu, access.physical);
	access_recorder.access(&access);
}

static void access_recorded(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
	struct cpu *cpu = &model.cpus[vcpu];
	bool is_store = qemu_plugin_mem_is_store(info);
	if (!filter_answers(cpu, is_store ? cpu->store_filter : cpu->filter, address))
		record_line(cpu, info, address, data != NULL);
}

static void mappings_change(unsigned vcpu, void *data)
{
	if (vcpu < model.nr_vcpus)
		model_forget(&model.cpus[vcpu]);
}

/* ---- instructions ---- */

static uint64_t counted(uint32_t vcpu)
{
	if (plugin.nr_instructions.score)
		return qemu_plugin_u64_get(plugin.nr_instructions, vcpu);
	return __atomic_load_n(&model.shared->vcpus[vcpu].nr_instructions, __ATOMIC_RELAXED);
}

/* Interface 1 has nothing that adds per vCPU by itself. */
static void block_runs(unsigned vcpu, void *data)
{
	if (vcpu < model.nr_vcpus)
		model.cpus[vcpu].shared->nr_instructions += (uintptr_t)data;
}

uint64_t access_clock_of(uint32_t vcpu)
{
	return vcpu < model.nr_vcpus ? counted(vcpu) - plugin.nr_before[vcpu] : 0;
}

uint64_t access_clock(void)
{
	uint64_t sum = 0;
	for (uint32_t vcpu = 0; vcpu < model.nr_vcpus; vcpu++)
		sum += access_clock_of(vcpu);
	return sum;
}

void access_forget(uint32_t vcpu)
{
	mappings_change(vcpu, NULL);
}

static void settle(void)
{
	if (plugin.nr_instructions.score)
		for (uint32_t vcpu = 0; vcpu < model.nr_vcpus; vcpu++)
			model.cpus[vcpu].shared->nr_instructions = access_clock_of(vcpu);
	model_settle();
}

/* ---- markers ---- */

static void become_modelling(qemu_plugin_id_t id);
static void become_watching(qemu_plugin_id_t id);

static void change(enum state from, plugin_simple_fn become)
{
	uint32_t expected = from;
	if (__atomic_compare_exchange_n(&plugin.state, &expected, CHANGING, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		qemu_plugin_reset(plugin.id, become);
}

static void obey(uint32_t vcpu, enum lab_mark mark, uint32_t number)
{
	switch (mark) {
	case LAB_MARK_START:
		change(WATCHING, become_modelling);
		return;
	case LAB_MARK_STOP:
		change(MODELLING, become_watching);
		return;
	case LAB_MARK_PHASE:
		settle();
		model_phase(number);
		break;
	case LAB_MARK_SNAPSHOT:
		settle();
		model_snapshot(number);
		break;
	default:
		break;
	}
	if (plugin.is_recording)
		access_recorder.mark(vcpu, mark, number);
}

static void mark_said(unsigned vcpu, void *data)
{
	enum lab_mark mark = (enum lab_mark)(uintptr_t)data;
	uint32_t number = 0;
	if (vcpu < model.nr_vcpus && speech_hear(&model.cpus[vcpu].speech, mark, &number))
		obey(vcpu, mark, number);
}

/* ---- translation ---- */

static size_t read_bytes(const struct qemu_plugin_insn *insn, uint8_t *bytes)
{
	size_t nr_bytes = MIN(qemu_plugin_insn_size(insn), MARK_INSTRUCTION_BYTES);
	if (plugin.copies_bytes)
		return qemu_plugin_insn_data(insn, bytes, nr_bytes);
	memcpy(bytes, qemu_plugin_insn_bytes(insn), nr_bytes);
	return nr_bytes;
}

static void plant_mark(struct qemu_plugin_insn *insn, const uint8_t *bytes, size_t nr_bytes)
{
	int mark = mark_decode(bytes, nr_bytes);
	if (mark >= 0)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_said, PLUGIN_NO_REGISTERS,
						       (void *)(uintptr_t)mark);
}

static void translate_watching(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t nr_insns = qemu_plugin_tb_n_insns(tb);
	for (size_t i = 0; i < nr_insns; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint8_t bytes[MARK_INSTRUCTION_BYTES];
		if (qemu_plugin_insn_size(insn) == MARK_BYTES)
			plant_mark(insn, bytes, read_bytes(insn, bytes));
	}
}

static plugin_mem_fn access_function(void)
{
	if (plugin.is_recording)
		return access_recorded;
	return model.shared->model.time == LAB_TIME_DELAY ? access_delayed : access_counted;
}

/* What the functions above are called with. */
static void *access_data(const struct qemu_plugin_insn *insn)
{
	if (!plugin.is_recording)
		return &model.cpus[0];
	return qemu_plugin_insn_vaddr(insn) >= ACCESS_USER_END ? &plugin : NULL;
}

static void plant_clock(struct qemu_plugin_tb *tb, size_t nr_insns)
{
	if (plugin.nr_instructions.score)
		qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, PLUGIN_INLINE_ADD_U64,
								  plugin.nr_instructions, nr_insns);
	else
		qemu_plugin_register_vcpu_tb_exec_cb(tb, block_runs, PLUGIN_NO_REGISTERS,
						     (void *)(uintptr_t)nr_insns);
}

static void translate_modelling(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t nr_insns = qemu_plugin_tb_n_insns(tb);
	plugin_mem_fn access = access_function();
	plant_clock(tb, nr_insns);
	for (size_t i = 0; i < nr_insns; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint8_t bytes[MARK_INSTRUCTION_BYTES];
		size_t nr_bytes = read_bytes(insn, bytes);
		plant_mark(insn, bytes, nr_bytes);
		if (mark_changes_mappings(bytes, nr_bytes))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mappings_change,
							       PLUGIN_NO_REGISTERS, NULL);
		qemu_plugin_register_vcpu_mem_cb(insn, access, PLUGIN_NO_REGISTERS,
						 PLUGIN_MEM_READ_WRITE, access_data(insn));
	}
	if (plugin.is_recording)
		access_recorder.translate(tb);
}

/* ---- states ---- */

static void stop_modelling(void)
{
	if (__atomic_exchange_n(&model.shared->model.is_running, 0, __ATOMIC_SEQ_CST) == 0)
		return;
	settle();
	if (plugin.is_recording)
		access_recorder.stop();
}

static void at_exit(qemu_plugin_id_t id, void *data)
{
	stop_modelling();
}

static void register_callbacks(qemu_plugin_id_t id, plugin_block_fn translate, enum state state)
{
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	__atomic_store_n(&plugin.state, state, __ATOMIC_SEQ_CST);
}

static void become_modelling(qemu_plugin_id_t id)
{
	bool waits = model.shared->model.time == LAB_TIME_DELAY;
	model_start(waits ? ticks_per_1024_ns() : 0);
	for (uint32_t vcpu = 0; plugin.nr_instructions.score && vcpu < model.nr_vcpus; vcpu++)
		plugin.nr_before[vcpu] = counted(vcpu) - model.shared->vcpus[vcpu].nr_instructions;
	if (plugin.is_recording)
		access_recorder.start();
	__atomic_store_n(&model.shared->model.is_running, 1, __ATOMIC_SEQ_CST);
	register_callbacks(id, translate_modelling, MODELLING);
}

static void become_watching(qemu_plugin_id_t id)
{
	stop_modelling();
	register_callbacks(id, translate_watching, WATCHING);
}

/* ---- install ---- */

static int fail(const char *why)
{
	fprintf(stderr, "libberth-latency: %s\n", why);
	return -1;
}

static int map_memory(const char *number)
{
	char *end;
	long fd = strtol(number, &end, 10);
	struct stat status;
	if (end == number || *end || fd < 0 || fstat((int)fd, &status) != 0)
		return fail("memory= wants the number of an open file");
	if (status.st_size < (off_t)sizeof(struct lab_shared))
		return fail("memory= wants a file that holds a struct lab_shared");
	void *shared = mmap(NULL, sizeof(struct lab_shared), PROT_READ | PROT_WRITE, MAP_SHARED,
			    (int)fd, 0);
	if (shared == MAP_FAILED)
		return fail("memory= could not be mapped");
	close((int)fd);
	int error = model_init(shared);
	if (error == -ENOMEM)
		return fail("no memory for the caches of the model");
	return error ? fail("the model in memory= makes no sense, or is of another version") : 0;
}

static int start_recorder(qemu_plugin_id_t id, const char *words)
{
	if (!&access_recorder)
		return fail("record= was given, but this build has no recorder");
	plugin.is_recording = true;
	return access_recorder.install(id, words, &model.shared->model);
}

static const char *option(int argc, char **argv, const char *name)
{
	size_t length = strlen(name);
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
			return argv[i] + length + 1;
	return NULL;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	const char *memory = option(argc, argv, "memory"), *record = option(argc, argv, "record");
	if (!memory || !info->system_emulation)
		return 0;
	plugin.id = id;
	plugin.copies_bytes = info->version.cur >= 3;
	plugin.start_ns = now_ns();
	plugin.start_ticks = now_ticks();
	if (map_memory(memory) != 0 || (record && start_recorder(id, record) != 0))
		return -1;
	if (info->system.smp_vcpus > (int)model.nr_vcpus)
		return fail("the guest has more CPUs than the model");
	if (qemu_plugin_scoreboard_new)
		plugin.nr_instructions.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
	model.shared->model.plugin_version = (uint32_t)qemu_plugin_version;
	register_callbacks(id, translate_watching, WATCHING);
	return 0;
}
