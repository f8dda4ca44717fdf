/* SPDX-License-Identifier: MIT */
/*
 * What the recorder uses of QEMU's plugin interface, declared here because Debian ships no header
 * (facts: the functions that qemu-x86_64 exports). Interface version 1 is QEMU 7.2's; a QEMU from
 * 9.0 on asks for 2 or more: build with -DQEMU_PLUGIN_VERSION=2.
 */
#ifndef BERTH_RECORDER_QEMU_PLUGIN_H
#define BERTH_RECORDER_QEMU_PLUGIN_H

#include "base/types.h"

#ifndef QEMU_PLUGIN_VERSION
#define QEMU_PLUGIN_VERSION 1
#endif

#define QEMU_PLUGIN_EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;

struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum { PLUGIN_NO_REGISTERS = 0 };
enum { PLUGIN_MEM_READ_WRITE = 3 };
enum { PLUGIN_INLINE_ADD_U64 = 0 };

/* Only its first member is looked at. */
struct qemu_info;

typedef void (*plugin_vcpu_fn)(qemu_plugin_id_t, unsigned vcpu);
typedef void (*plugin_simple_fn)(qemu_plugin_id_t);
typedef void (*plugin_exit_fn)(qemu_plugin_id_t, void *data);
typedef void (*plugin_block_fn)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*plugin_exec_fn)(unsigned vcpu, void *data);
typedef void (*plugin_mem_fn)(unsigned vcpu, qemu_plugin_meminfo_t, uint64_t address, void *data);
typedef void (*plugin_call_fn)(qemu_plugin_id_t, unsigned vcpu, int64_t number, uint64_t a1,
			       uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
			       uint64_t a7, uint64_t a8);
typedef void (*plugin_return_fn)(qemu_plugin_id_t, unsigned vcpu, int64_t number, int64_t result);

void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t, plugin_vcpu_fn);
void qemu_plugin_register_vcpu_exit_cb(qemu_plugin_id_t, plugin_vcpu_fn);
void qemu_plugin_register_flush_cb(qemu_plugin_id_t, plugin_simple_fn);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, plugin_exit_fn, void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, plugin_block_fn);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, plugin_call_fn);
void qemu_plugin_register_vcpu_syscall_ret_cb(qemu_plugin_id_t, plugin_return_fn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, plugin_exec_fn, int flags,
					  void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, plugin_mem_fn, int flags, int rw,
				      void *data);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);
#if QEMU_PLUGIN_VERSION == 1
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *at,
					      uint64_t value);
#else
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *to, size_t size);
#endif

#endif
