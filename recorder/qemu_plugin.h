/* SPDX-License-Identifier: MIT */
/*
 * What the recorder uses of QEMU's plugin interface, declared here because Debian ships no header
 * (facts: the functions that qemu-x86_64 exports). Interface version 1 is QEMU 7.2's; a QEMU from
 * 9.0 on asks for 2 or more: build with -DQEMU_PLUGIN_VERSION=2.
 */
#ifndef BERTH_RECORDER_QEMU_PLUGIN_H
#define BERTH_RECORDER_QEMU_PLUGIN_H

#include "recorder/qemu_common.h"

#ifndef QEMU_PLUGIN_VERSION
#define QEMU_PLUGIN_VERSION 1
#endif

/* Only its first member is looked at. */
struct qemu_info;

typedef void (*plugin_call_fn)(qemu_plugin_id_t, unsigned vcpu, int64_t number, uint64_t a1,
			       uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
			       uint64_t a7, uint64_t a8);
typedef void (*plugin_return_fn)(qemu_plugin_id_t, unsigned vcpu, int64_t number, int64_t result);

void qemu_plugin_register_vcpu_exit_cb(qemu_plugin_id_t, plugin_vcpu_fn);
void qemu_plugin_register_flush_cb(qemu_plugin_id_t, plugin_simple_fn);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, plugin_call_fn);
void qemu_plugin_register_vcpu_syscall_ret_cb(qemu_plugin_id_t, plugin_return_fn);

void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
#if QEMU_PLUGIN_VERSION == 1
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *at,
					      uint64_t value);
#else
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *to, size_t size);
#endif

#endif
