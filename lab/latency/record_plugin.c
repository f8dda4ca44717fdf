/* SPDX-License-Identifier: MIT */
/*
 * Recording in QEMU: finds the instructions that say which space runs and what it asks of its
 * kernel, reads registers and memory there, and hands all to the core (record.h).
 *
 *     0f 22 /3   mov %r64,%cr3   kernel     0f 05      syscall   user
 *     48 0f 07   sysretq         kernel     48 cf      iretq     kernel
 *
 * Started by `record=FD` beside `memory=`, with the shared memory of trace/ring.h at FD. It needs
 * interface 4 (QEMU 10): the value of a register cannot be had before. One vCPU only, because the
 * core has no locks and its clock is that vCPU's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/latency/access.h"
#include "lab/latency/record.h"
#include "lab/latency/record_work.h"

#define KERNEL_START ((uint64_t)1 << 63)
#define USER_MODE    3 /* in the two lowest bits of CS */

/* GLib's arrays as far as QEMU's interface shows them; GLib comes with QEMU. */
struct byte_array {
	uint8_t *data;
	unsigned len;
};
struct descriptor {
	struct qemu_plugin_register *handle;
	const char *name, *feature;
};
struct descriptor_array {
	struct descriptor *data;
	unsigned len;
};
QEMU_MAYBE struct byte_array *g_byte_array_new(void);
QEMU_MAYBE struct byte_array *g_byte_array_set_size(struct byte_array *, unsigned nr_bytes);
QEMU_MAYBE struct descriptor_array *qemu_plugin_get_registers(void);

static const char *const register_names[RECORD_NR_REGISTERS] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",	    "r8",
	"r9",  "r10", "r11", "r12", "r13", "r14", "r15", "fs_base", "cr3"
};

/* What iretq takes from the stack. */
enum { FRAME_RIP, FRAME_CS, FRAME_FLAGS, FRAME_RSP, FRAME_SS, FRAME_NR_WORDS };

static struct record record;
static struct qemu_plugin_register *registers[RECORD_NR_REGISTERS];
static struct byte_array *bytes;
static bool is_recording, has_registers;

static int fail(const char *why)
{
	fprintf(stderr, "libberth-latency: %s\n", why);
	return -1;
}

/* Only a vCPU's own thread may ask for them. */
static void find_registers(void)
{
	struct descriptor_array *all = qemu_plugin_get_registers();
	has_registers = true;
	for (unsigned i = 0; i < all->len; i++)
		for (unsigned k = 0; k < RECORD_NR_REGISTERS; k++)
			if (strcmp(all->data[i].name, register_names[k]) == 0)
				registers[k] = all->data[i].handle;
}

uint64_t record_register(unsigned number)
{
	uint64_t value = 0;
	if (unlikely(!has_registers))
		find_registers();
	if (!registers[number])
		return 0;
	g_byte_array_set_size(bytes, 0);
	qemu_plugin_read_register(registers[number], bytes);
	memcpy(&value, bytes->data, MIN(bytes->len, sizeof(value)));
	return value;
}

size_t record_memory(uint64_t address, void *to, size_t nr_bytes)
{
	g_byte_array_set_size(bytes, 0);
	if (!qemu_plugin_read_memory_vaddr(address, bytes, nr_bytes) || bytes->len < nr_bytes)
		return 0;
	memcpy(to, bytes->data, nr_bytes);
	return nr_bytes;
}

/* ---- what the guest does ---- */

static bool is_ready(void)
{
	record.now = record_work_clock();
	return is_recording;
}

static void table_changes(unsigned vcpu, void *data)
{
	if (is_ready())
		record_switch(&record, record_register((unsigned)(uintptr_t)data));
}

static void call_begins(unsigned vcpu, void *data)
{
	static const unsigned places[6] = { RDI, RSI, RDX, R10, R8, R9 };
	uint64_t arguments[6];
	if (!record_watches(&record) || !is_ready())
		return;
	for (unsigned i = 0; i < 6; i++)
		arguments[i] = record_register(places[i]);
	record_call(&record, (int64_t)record_register(RAX), arguments, record_register(RSP));
}

static void call_ends(unsigned vcpu, void *data)
{
	record_work_return(true);
	if (record_watches(&record) && is_ready())
		record_return(&record, record_register(FS_BASE), record_register(RAX));
}

static bool is_blank(void)
{
	for (unsigned i = RAX; i <= R15; i++)
		if (i != RSP && record_register(i) != 0)
			return false;
	return true;
}

static void mode_changes(unsigned vcpu, void *data)
{
	uint64_t words[FRAME_NR_WORDS];
	if (record_memory(record_register(RSP), words, sizeof(words)) != sizeof(words))
		return;
	bool to_user = (words[FRAME_CS] & USER_MODE) == USER_MODE;
	record_work_return(to_user);
	if (!to_user || !record_wants_frames(&record) || !is_ready())
		return;
	struct record_frame frame = { .stack = words[FRAME_RSP],
				      .base = record_register(FS_BASE),
				      .result = record_register(RAX) };
	frame.is_blank = record.nr_births > 0 && is_blank();
	record_enter(&record, &frame);
}

/* ---- hooks of the model ---- */

static void plant(struct qemu_plugin_insn *insn, plugin_exec_fn call, uintptr_t data)
{
	qemu_plugin_register_vcpu_insn_exec_cb(insn, call, PLUGIN_READS_REGISTERS, (void *)data);
}

static void plant_in_kernel(struct qemu_plugin_insn *insn, const uint8_t *code, size_t nr)
{
	bool has_prefix = nr > 0 && (code[0] & 0xf0) == 0x40;
	const uint8_t *at = code + has_prefix;
	if (nr == 2u && code[0] == 0x48 && code[1] == 0xcf)
		plant(insn, mode_changes, 0);
	else if (nr == 3u && code[0] == 0x48 && code[1] == 0x0f && code[2] == 0x07)
		plant(insn, call_ends, 0);
	else if (nr == 3u + has_prefix && at[0] == 0x0f && at[1] == 0x22 && (at[2] >> 3 & 7) == 3 &&
		 !(has_prefix && code[0] & 4))
		plant(insn, table_changes,
		      (uintptr_t)((at[2] & 7) | (has_prefix && code[0] & 1 ? 8 : 0)));
}

static void translate(struct qemu_plugin_tb *tb)
{
	size_t nr_insns = qemu_plugin_tb_n_insns(tb);
	record_work_translate(tb);
	for (size_t i = 0; i < nr_insns; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		size_t nr = qemu_plugin_insn_size(insn);
		uint8_t code[4];
		if (nr < 2 || nr > sizeof(code))
			continue;
		nr = MIN(qemu_plugin_insn_data(insn, code, nr), nr);
		if (qemu_plugin_insn_vaddr(insn) >= KERNEL_START)
			plant_in_kernel(insn, code, nr);
		else if (nr == 2 && code[0] == 0x0f && code[1] == 0x05)
			plant(insn, call_begins, 0);
	}
}

static void on_access(const struct access *access)
{
	if (!record_watches(&record) || !is_recording)
		return;
	record.now = record_work_clock();
	record_access(&record, access->address, access->node,
		      (access->is_store ? TRACE_WRITE : 0) | (access->is_miss ? TRACE_MISS : 0) |
			      (access->is_kernel ? TRACE_SYSCALL : 0));
}

/* The agent's child says ADOPT, then START, then calls execve: CR3 is what it was at ADOPT, and no
 * clock runs yet. */
static void on_mark(uint32_t vcpu, enum lab_mark mark, uint32_t number)
{
	if (mark == LAB_MARK_SYMBOL)
		record_work_symbol(number);
	if (mark != LAB_MARK_ADOPT)
		return;
	is_ready();
	record_switch(&record, record_register(CR3));
	record_adopt(&record);
}

static void forget(void)
{
	access_forget(0);
}

static void on_start(void)
{
	record_work_start();
	is_recording = true;
}

static void on_stop(void)
{
	record.now = MAX(record.now, record_work_clock());
	is_recording = false;
	record_work_stop();
	record_stop(&record);
}

static struct recording *map_recording(const char *words)
{
	char *end;
	long fd = strtol(words, &end, 10);
	struct stat status;
	if (end == words || *end || fd < 0 || fstat((int)fd, &status) != 0 ||
	    status.st_size < (off_t)RING_FILE_BYTES)
		return NULL;
	void *memory = mmap(NULL, RING_FILE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_NORESERVE, (int)fd, 0);
	close((int)fd);
	return memory == MAP_FAILED ? NULL : memory;
}

static int install(qemu_plugin_id_t id, const char *words, const struct lab_model *model)
{
	if (!qemu_plugin_get_registers || !qemu_plugin_read_register ||
	    !qemu_plugin_read_memory_vaddr || !g_byte_array_new || !g_byte_array_set_size)
		return fail("record= needs QEMU 10");
	if (model->nr_vcpus != 1)
		return fail("record= works with one vCPU");
	struct recording *recording = map_recording(words);
	bytes = g_byte_array_new();
	if (!recording || !bytes || record_init(&record, recording) != 0)
		return fail("record= wants the number of a recording's shared memory");
	record_work_init(recording);
	record.read = record_memory;
	record.forget = forget;
	return 0;
}

const struct access_recorder access_recorder = {
	.install = install,
	.start = on_start,
	.stop = on_stop,
	.translate = translate,
	.access = on_access,
	.mark = on_mark,
};
