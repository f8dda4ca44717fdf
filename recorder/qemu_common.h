/* SPDX-License-Identifier: MIT */
/* What both plugins, the recorder and the lab's latency model, use of QEMU's plugin interface,
 * alike in all its versions. Declared here because Debian ships no header. */
#ifndef BERTH_RECORDER_QEMU_COMMON_H
#define BERTH_RECORDER_QEMU_COMMON_H

#include "base/types.h"

#define QEMU_PLUGIN_EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;

struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum { PLUGIN_NO_REGISTERS, PLUGIN_READS_REGISTERS };
enum { PLUGIN_MEM_READ = 1, PLUGIN_MEM_WRITE, PLUGIN_MEM_READ_WRITE };
enum { PLUGIN_INLINE_ADD_U64 };

typedef void (*plugin_vcpu_fn)(qemu_plugin_id_t, unsigned vcpu);
typedef void (*plugin_simple_fn)(qemu_plugin_id_t);
typedef void (*plugin_exit_fn)(qemu_plugin_id_t, void *data);
typedef void (*plugin_block_fn)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*plugin_exec_fn)(unsigned vcpu, void *data);
typedef void (*plugin_mem_fn)(unsigned vcpu, qemu_plugin_meminfo_t, uint64_t address, void *data);

void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t, plugin_vcpu_fn);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, plugin_exit_fn, void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, plugin_block_fn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, plugin_exec_fn, int flags,
					  void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, plugin_mem_fn, int flags, int rw,
				      void *data);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);

#endif
