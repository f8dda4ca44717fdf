/* SPDX-License-Identifier: MIT */
/*
 * A plugin to measure the recorder by: an empty callback per memory access, the least that any
 * recorder in QEMU costs. With `count=FILE` it counts instead, by inlined code, the instructions
 * and memory references of a program with one thread, and writes both to FILE when it ends.
 */
#include <stdio.h>
#include <string.h>

#include "qemu_plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
					   int argc, char **argv);
int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static void watch(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
}

static void translate_empty(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
		qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), watch,
						 PLUGIN_NO_REGISTERS, PLUGIN_MEM_READ_WRITE, NULL);
}

#if QEMU_PLUGIN_VERSION == 1
void qemu_plugin_register_vcpu_mem_inline(struct qemu_plugin_insn *, int rw, int operation,
					  void *at, uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int operation, void *at,
						uint64_t value);

static uint64_t nr_instructions, nr_references;
static const char *count_path;

static void translate_count(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		qemu_plugin_register_vcpu_insn_exec_inline(insn, PLUGIN_INLINE_ADD_U64,
							   &nr_instructions, 1);
		qemu_plugin_register_vcpu_mem_inline(insn, PLUGIN_MEM_READ_WRITE,
						     PLUGIN_INLINE_ADD_U64, &nr_references, 1);
	}
}

static void write_count(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(count_path, "w");
	if (!file)
		return;
	fprintf(file, "%llu %llu\n", (unsigned long long)nr_instructions,
		(unsigned long long)nr_references);
	fclose(file);
}
#endif

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
#if QEMU_PLUGIN_VERSION == 1
	if (argc == 1 && strncmp(argv[0], "count=", 6) == 0) {
		count_path = strdup(argv[0] + 6);
		qemu_plugin_register_vcpu_tb_trans_cb(id, translate_count);
		qemu_plugin_register_atexit_cb(id, write_count, NULL);
		return 0;
	}
#endif
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate_empty);
	return 0;
}
