/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the scheduler uses of the kernel, declared by hand instead of generated from one kernel's
 * types: names are found in the running kernel's BTF when it is loaded (CO-RE), so fields stand in
 * no particular order and what is not used is left out.
 *
 * Functions that came or went between kernels are weak, and queue.h chooses among them by whether
 * they exist, never by version:
 *
 *     6.12                           6.13 on
 *     scx_bpf_dispatch               scx_bpf_dsq_insert
 *     scx_bpf_dispatch_vtime         scx_bpf_dsq_insert_vtime
 *     scx_bpf_consume                scx_bpf_dsq_move_to_local
 *     p->scx.slice = 0               scx_bpf_task_set_slice (6.19)
 *     p->scx.dsq_vtime = v           scx_bpf_task_set_dsq_vtime (6.19)
 *
 * Facts from: kernel/sched/ext/ext.c, idle.c, internal.h (7.3), kernel/bpf/cpumask.c.
 */
#ifndef BERTH_BPF_KERNEL_H
#define BERTH_BPF_KERNEL_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0) /* Debian 12's own headers do not have it */
struct bpf_iter_num {
	__u64 __opaque[1];
} __attribute__((aligned(8)));
#endif

typedef __u8 uint8_t;
typedef __u32 uint32_t;
typedef __s32 int32_t;
typedef __u64 uint64_t;
typedef __s64 int64_t;

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define EBUSY  16
#define ENOMEM 12
#define EINVAL 22

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#define ANY_NODE   (-1)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cpumask {
	unsigned long bits[1];
};

struct bpf_cpumask {
	struct cpumask cpumask;
};

struct sched_ext_entity {
	uint32_t flags;
	uint32_t weight; /* 100 is nice 0 */
	uint64_t slice;
	uint64_t dsq_vtime;
};

struct task_struct {
	unsigned int flags;
	int nr_cpus_allowed;
	const struct cpumask *cpus_ptr;
	struct sched_ext_entity scx;
};

struct scx_init_task_args {
	bool fork;
};

enum scx_exit_kind { SCX_EXIT_NONE };

struct scx_exit_info {
	enum scx_exit_kind kind;
	int64_t exit_code;
	const char *reason;
	char *msg;
};

struct kernel_cpustat {
	uint64_t cpustat[8];
};

#pragma clang attribute pop

/* The kernel's own, whole: its size is what a program's stack has to hold. */
struct bpf_iter_scx_dsq {
	uint64_t opaque[6];
} __attribute__((aligned(8)));

/* Their values are the running kernel's, see kernel_value(). */
enum scx_dsq_id_flags {
	SCX_DSQ_LOCAL = 0x8000000000000002ULL,
	SCX_DSQ_LOCAL_ON = 0xC000000000000000ULL
};
enum scx_enq_flags { SCX_ENQ_WAKEUP = 1ULL, SCX_ENQ_LAST = 0x20000000000ULL };
enum scx_ent_flags { SCX_TASK_QUEUED = 1 };
enum scx_kick_flags { SCX_KICK_IDLE = 1, SCX_KICK_PREEMPT = 2 };
enum cpu_usage_stat { CPUTIME_SOFTIRQ = 3, CPUTIME_IRQ = 4, CPUTIME_STEAL = 7 };

#define kernel_value(type, name) bpf_core_enum_value(enum type, name)

/* Flags of struct sched_ext_ops: since the first kernel, 6.12, where they stand now. */
#define OPS_KEEP_BUILTIN_IDLE (1ULL << 0)
#define OPS_ENQ_LAST	      (1ULL << 1)

struct sched_ext_ops {
	int32_t (*select_cpu)(struct task_struct *task, int32_t previous, uint64_t flags);
	void (*enqueue)(struct task_struct *task, uint64_t flags);
	void (*dispatch)(int32_t cpu, struct task_struct *previous);
	void (*tick)(struct task_struct *task);
	void (*running)(struct task_struct *task);
	void (*stopping)(struct task_struct *task, bool is_runnable);
	void (*update_idle)(int32_t cpu, bool is_idle);
	int32_t (*init_task)(struct task_struct *task, struct scx_init_task_args *args);
	void (*enable)(struct task_struct *task);
	int32_t (*init)(void);
	void (*exit)(struct scx_exit_info *info);
	uint64_t flags;
	uint32_t timeout_ms;
	char name[128];
};

extern int32_t scx_bpf_create_dsq(uint64_t queue, int32_t node) __ksym;
extern int32_t scx_bpf_dsq_nr_queued(uint64_t queue) __ksym;
extern int32_t scx_bpf_select_cpu_dfl(struct task_struct *task, int32_t previous, uint64_t flags,
				      bool *ret_is_idle) __ksym;
extern int32_t scx_bpf_pick_idle_cpu(const struct cpumask *among, uint64_t flags) __ksym;
extern bool scx_bpf_test_and_clear_cpu_idle(int32_t cpu) __ksym;
extern const struct cpumask *scx_bpf_get_idle_cpumask(void) __ksym;
extern void scx_bpf_put_idle_cpumask(const struct cpumask *mask) __ksym;
extern void scx_bpf_kick_cpu(int32_t cpu, uint64_t flags) __ksym;
extern int32_t scx_bpf_task_cpu(const struct task_struct *task) __ksym;
extern uint32_t scx_bpf_nr_cpu_ids(void) __ksym;

extern void scx_bpf_dispatch(struct task_struct *task, uint64_t queue, uint64_t slice,
			     uint64_t flags) __ksym __weak;
extern void scx_bpf_dsq_insert(struct task_struct *task, uint64_t queue, uint64_t slice,
			       uint64_t flags) __ksym __weak;
extern void scx_bpf_dispatch_vtime(struct task_struct *task, uint64_t queue, uint64_t slice,
				   uint64_t vtime, uint64_t flags) __ksym __weak;
extern void scx_bpf_dsq_insert_vtime(struct task_struct *task, uint64_t queue, uint64_t slice,
				     uint64_t vtime, uint64_t flags) __ksym __weak;
extern bool scx_bpf_consume(uint64_t queue) __ksym __weak;
extern bool scx_bpf_dsq_move_to_local(uint64_t queue) __ksym __weak;
extern bool scx_bpf_task_set_slice(struct task_struct *task, uint64_t slice) __ksym __weak;
extern bool scx_bpf_task_set_dsq_vtime(struct task_struct *task, uint64_t vtime) __ksym __weak;

extern int bpf_iter_scx_dsq_new(struct bpf_iter_scx_dsq *iterator, uint64_t queue,
				uint64_t flags) __ksym;
extern struct task_struct *bpf_iter_scx_dsq_next(struct bpf_iter_scx_dsq *iterator) __ksym;
extern void bpf_iter_scx_dsq_destroy(struct bpf_iter_scx_dsq *iterator) __ksym;

extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_set_cpu(uint32_t cpu, struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_clear_cpu(uint32_t cpu, struct bpf_cpumask *mask) __ksym;
extern bool bpf_cpumask_and(struct bpf_cpumask *result, const struct cpumask *a,
			    const struct cpumask *b) __ksym;
extern bool bpf_cpumask_test_cpu(uint32_t cpu, const struct cpumask *mask) __ksym;
extern bool bpf_cpumask_intersects(const struct cpumask *a, const struct cpumask *b) __ksym;
extern uint32_t bpf_cpumask_any_and_distribute(const struct cpumask *a,
					       const struct cpumask *b) __ksym;

extern const struct kernel_cpustat kernel_cpustat __ksym;

#endif
