/* SPDX-License-Identifier: MIT */
/* Perf events of page faults and armings (perf_open.h). */
#include "linux/perf_open.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"

#define ALL_RINGS_BYTES (8 * MIB)
#define RING_MAX_BYTES	MIB
#define RING_MIN_BYTES	(64 * KIB)
#define KPROBE_TYPE	"sys/bus/event_source/devices/kprobe/type"
#define REGISTER_DX	3 /* arch/x86/include/uapi/asm/perf_regs.h */
#define REGISTER_SI	4

static struct perf_event_attr fault_event(void)
{
	return (struct perf_event_attr){
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR |
			       PERF_SAMPLE_CPU | PERF_SAMPLE_PHYS_ADDR | PERF_SAMPLE_DATA_PAGE_SIZE,
		.watermark = 1,
		.wakeup_watermark = UINT32_MAX, /* nobody sleeps on it */
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
}

static struct perf_event_attr arming_event(uint32_t type, const char *function)
{
	return (struct perf_event_attr){
		.type = type,
		.kprobe_func = (uint64_t)(uintptr_t)function,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_REGS_INTR,
		.sample_regs_intr = 1u << REGISTER_DX | 1u << REGISTER_SI,
		.watermark = 1,
		.wakeup_watermark = UINT32_MAX,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
}

int perf_probe(struct printbuf *err)
{
	struct perf_event_attr event = fault_event();
	int fd = ring_open_event(&event, 0, -1, -1, 0);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (fd == -EACCES || fd == -EPERM)
		return error_set(err, -EPERM,
				 "page faults of others may not be watched; be root, or have "
				 "CAP_PERFMON");
	return error_set(err, -EOPNOTSUPP,
			 "the kernel does not tell page faults (%s); it needs CONFIG_PERF_EVENTS",
			 error_text(fd));
}

/* Pages of a ring, as a power of two. */
static unsigned ring_order(uint64_t most_bytes, uint32_t nr_cpus)
{
	uint64_t bytes = most_bytes, page = (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned order = 0;
	while (bytes > RING_MIN_BYTES && bytes * nr_cpus > ALL_RINGS_BYTES)
		bytes /= 2;
	while (page << order < bytes)
		order++;
	return order;
}

int perf_set_init(struct perf_set *set, const struct root *root, enum perf_kind kind,
		  struct printbuf *err)
{
	struct set online = SET_EMPTY;
	*set = (struct perf_set){ .order = 0 };
	int error = root_read_set(root, "sys/devices/system/cpu/online", &online);
	uint32_t nr = error ? 0 : (uint32_t)MIN(set_count(&online), (uint64_t)PERF_CPUS_MAX);
	set->cpus = nr ? calloc(nr, sizeof(*set->cpus)) : NULL;
	for (int64_t cpu = set_next(&online, 0); set->cpus && cpu >= 0 && set->nr_cpus < nr;
	     cpu = set_next(&online, (uint32_t)cpu + 1))
		set->cpus[set->nr_cpus++] = (struct perf_cpu){ (uint32_t)cpu, { .fd = -1 } };
	set_fini(&online);
	if (!set->cpus)
		return error_set(err, error ? error : -ENOMEM, "the list of CPUs: %s",
				 error_text(error ? error : -ENOMEM));
	set->order = ring_order(kind == PERF_ARMINGS ? RING_MIN_BYTES : RING_MAX_BYTES, nr);
	return 0;
}

static int keep_fd(struct perf_set *set, int fd)
{
	if (set->nr_fds == set->max_fds) {
		uint32_t max = MAX(set->max_fds * 2, 64);
		int *fds = max <= PERF_EVENTS_MAX ? realloc(set->fds, max * sizeof(*fds)) : NULL;
		if (!fds)
			return -E2BIG;
		set->fds = fds;
		set->max_fds = max;
	}
	set->fds[set->nr_fds++] = fd;
	return 0;
}

/* The first event of a CPU has the ring. */
static int add_to_cpu(struct perf_set *set, struct perf_cpu *cpu, int fd)
{
	if (cpu->ring.fd < 0)
		return ring_map(fd, set->order, &cpu->ring);
	int error = ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, cpu->ring.fd) < 0 ? -errno
									   : keep_fd(set, fd);
	if (error)
		close(fd);
	return error;
}

static int add_everywhere(struct perf_set *set, struct perf_event_attr *event, pid_t pid,
			  unsigned flags)
{
	int error = 0;
	for (uint32_t i = 0; i < set->nr_cpus && !error; i++) {
		int fd = ring_open_event(event, pid, (int)set->cpus[i].cpu, -1, flags);
		if (fd == -ENODEV) /* it went offline */
			continue;
		error = fd < 0 ? fd : add_to_cpu(set, &set->cpus[i], fd);
	}
	return error;
}

int perf_set_add_thread(struct perf_set *set, pid_t tid)
{
	struct perf_event_attr event = fault_event();
	event.inherit = 1;
	return add_everywhere(set, &event, tid, 0);
}

int perf_set_add_cgroup(struct perf_set *set, int cgroup_fd)
{
	struct perf_event_attr event = fault_event();
	return add_everywhere(set, &event, cgroup_fd, PERF_FLAG_PID_CGROUP);
}

int perf_set_add_all(struct perf_set *set)
{
	struct perf_event_attr event = fault_event();
	return add_everywhere(set, &event, -1, 0);
}

int perf_set_add_armings(struct perf_set *set, const struct root *root)
{
	uint64_t type;
	if (sizeof(void *) != 8 || root_read_u64(root, KPROBE_TYPE, &type) < 0)
		return -EOPNOTSUPP;
#ifdef __x86_64__
	struct perf_event_attr event = arming_event((uint32_t)type, "change_prot_numa");
	return add_everywhere(set, &event, -1, 0);
#else
	return -EOPNOTSUPP;
#endif
}

void perf_set_clear(struct perf_set *set)
{
	for (uint32_t i = 0; i < set->nr_fds; i++)
		close(set->fds[i]);
	set->nr_fds = 0;
	for (uint32_t i = 0; i < set->nr_cpus; i++)
		ring_close(&set->cpus[i].ring);
}

void perf_set_fini(struct perf_set *set)
{
	perf_set_clear(set);
	free(set->cpus);
	free(set->fds);
	*set = (struct perf_set){ 0 };
}
