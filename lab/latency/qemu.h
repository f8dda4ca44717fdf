/* SPDX-License-Identifier: MIT */
/*
 * What the latency model uses of QEMU's plugin interface, declared here because Debian ships no
 * header (facts: the functions that the binaries export, and QEMU's documentation of them).
 *
 * One file serves two interfaces: version 1 (QEMU 7.2) and versions 2 and up (QEMU 9 and 10).
 * Functions that only one of them has are weak: NULL where they are missing.
 */
#ifndef BERTH_LAB_LATENCY_QEMU_H
#define BERTH_LAB_LATENCY_QEMU_H

#include "recorder/qemu_common.h"

#define QEMU_MAYBE __attribute__((weak))

struct qemu_plugin_hwaddr;
struct qemu_plugin_scoreboard;
struct qemu_plugin_register;

struct qemu_info {
	const char *target_name;
	struct {
		int min, cur;
	} version;
	bool system_emulation;
	struct {
		int smp_vcpus, max_vcpus;
	} system;
};

typedef struct {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
} qemu_plugin_u64;

/* Later, when all vCPUs are at rest: all callbacks gone, all code to be translated anew, then fn.
 */
void qemu_plugin_reset(qemu_plugin_id_t, plugin_simple_fn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, plugin_exec_fn, int flags,
					    void *data);

/* One function with two forms: from version 3 on it copies, before it returned the bytes. */
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *to, size_t size);
const void *
qemu_plugin_insn_bytes(const struct qemu_plugin_insn *) __asm__("qemu_plugin_insn_data");

struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t, uint64_t address);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *);

/* From version 2 on. */
QEMU_MAYBE struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t element_bytes);
QEMU_MAYBE uint64_t qemu_plugin_u64_get(qemu_plugin_u64, unsigned vcpu);
QEMU_MAYBE void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *, int,
								  qemu_plugin_u64, uint64_t value);
/* From version 4 on; `array` is GLib's GByteArray. */
QEMU_MAYBE bool qemu_plugin_read_memory_vaddr(uint64_t address, void *array, size_t nr_bytes);
QEMU_MAYBE int qemu_plugin_read_register(struct qemu_plugin_register *, void *array);

#endif
