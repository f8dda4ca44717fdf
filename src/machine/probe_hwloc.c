/* SPDX-License-Identifier: MIT */
/*
 * What runs in the child that asks hwloc: first the limits (CPU seconds, memory, no files written,
 * and for XML no system call but memory and the pipe), then hwloc, then the plain text of probe.h.
 *
 * hwloc 2.9 to 3: only calls that both have. Bandwidths are MiB/s and latencies ns in hwloc, as in
 * the kernel's sysfs. Hardware other than memory and CPUs is not looked at.
 */
#include "machine/probe_hwloc.h"

#include <hwloc.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/set.h"
#include "machine/build.h"
#include "machine/probe.h"

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

#define LIMIT_CPU_S	   20
#define LIMIT_MEMORY_BYTES (2 * GIB)
#define MAX_INITIATORS	   65536

static void limit(int resource, rlim_t value)
{
	struct rlimit old;
	if (getrlimit(resource, &old) == 0 && old.rlim_max < value)
		value = old.rlim_max;
	setrlimit(resource, &(struct rlimit){ .rlim_cur = value, .rlim_max = value });
}

static void set_limits(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	limit(RLIMIT_CPU, LIMIT_CPU_S);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_CORE, 0);
	if (!IS_SANITIZED) /* whose shadow memory is terabytes of address space */
		limit(RLIMIT_AS, LIMIT_MEMORY_BYTES);
}

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

/* Memory, time, and files that are already open; everything else answers EPERM. Best effort: a
 * kernel without seccomp still has the limits. */
static void forbid_system_calls(void)
{
#ifdef THIS_ARCH
#define ALLOW(name)                                                                                \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                     \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(read),
		ALLOW(write),
		ALLOW(close),
		ALLOW(fstat),
		ALLOW(lseek),
		ALLOW(brk),
		ALLOW(mmap),
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(mprotect),
		ALLOW(madvise),
		ALLOW(futex),
		ALLOW(clock_gettime),
		ALLOW(rt_sigreturn),
		ALLOW(exit),
		ALLOW(exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };
	if (!IS_SANITIZED && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
#endif
}

/* hwloc is told everything by environment variables; ours replace the user's. */
static int set_environment(const struct probe_source *source)
{
	if (clearenv() || setenv("HWLOC_HIDE_ERRORS", "2", 1))
		return -ENOMEM;
	if (source->is_host || !source->root)
		return 0;
	if (setenv("HWLOC_FSROOT", source->root, 1) ||
	    setenv("HWLOC_COMPONENTS", "linux,stop", 1) || setenv("HWLOC_THISSYSTEM", "0", 1))
		return -ENOMEM;
	return 0;
}

static int load(const struct probe_source *source, hwloc_topology_t *ret)
{
	hwloc_topology_t topology;
	if (hwloc_topology_init(&topology) < 0)
		return -ENOMEM;
	hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
	if (source->root) { /* whose CPUs are whose is read from the root: no packages needed */
		hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
	} else {
		forbid_system_calls();
		if (hwloc_topology_set_xmlbuffer(topology, source->xml, (int)source->xml_bytes) < 0)
			return -EBADMSG;
	}
	if (hwloc_topology_load(topology) < 0)
		return -EBADMSG;
	*ret = topology;
	return 0;
}

static int copy_bitmap(struct set *to, hwloc_const_bitmap_t from)
{
	int error = 0;
	if (!from || hwloc_bitmap_weight(from) < 0)
		return from ? -EBADMSG : 0;
	for (int i = hwloc_bitmap_first(from); i >= 0 && !error; i = hwloc_bitmap_next(from, i))
		error = set_add(to, (uint32_t)i);
	return error;
}

static bool is_plain(const char *text)
{
	return *text && strlen(text) < PROBE_SUBTYPE &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
		       strlen(text);
}

static int prt_node(struct printbuf *out, hwloc_obj_t node)
{
	struct set cpus = SET_EMPTY;
	int error = copy_bitmap(&cpus, node->cpuset);
	prt_printf(out, "node %u %llu ", node->os_index,
		   (unsigned long long)node->attr->numanode.local_memory);
	if (set_is_empty(&cpus))
		prt_char(out, '-');
	else
		set_to_text(out, &cpus);
	prt_printf(out, " %s\n", node->subtype && is_plain(node->subtype) ? node->subtype : "-");
	set_fini(&cpus);
	return error;
}

/* The node whose locality is the initiator: its own CPUs, since the caller shares them out. */
static bool is_initiator(hwloc_obj_t node, const struct hwloc_location *from)
{
	if (from->type == HWLOC_LOCATION_TYPE_OBJECT)
		return from->location.object == node ||
		       (from->location.object->cpuset &&
			hwloc_bitmap_isincluded(node->cpuset, from->location.object->cpuset));
	return from->location.cpuset && !hwloc_bitmap_iszero(node->cpuset) &&
	       hwloc_bitmap_isincluded(node->cpuset, from->location.cpuset);
}

static hwloc_obj_t next_node(hwloc_topology_t topology, hwloc_obj_t node)
{
	return hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node);
}

static void prt_attribute(struct printbuf *out, hwloc_topology_t topology, hwloc_obj_t to,
			  hwloc_memattr_id_t attribute, const char *word, uint64_t unit)
{
	unsigned nr = 0;
	if (hwloc_memattr_get_initiators(topology, attribute, to, 0, &nr, NULL, NULL) < 0 ||
	    nr == 0 || nr > MAX_INITIATORS)
		return;
	struct hwloc_location *from = calloc(nr, sizeof(*from));
	hwloc_uint64_t *values = calloc(nr, sizeof(*values));
	if (from && values &&
	    hwloc_memattr_get_initiators(topology, attribute, to, 0, &nr, from, values) == 0)
		for (unsigned i = 0; i < nr; i++)
			for (hwloc_obj_t n = NULL; (n = next_node(topology, n));)
				if (is_initiator(n, &from[i]) && values[i] < UINT64_MAX / unit)
					prt_printf(out, "%s %u %u %llu\n", word, n->os_index,
						   to->os_index,
						   (unsigned long long)(values[i] * unit));
	free(from);
	free(values);
}

static void prt_distances(struct printbuf *out, hwloc_topology_t topology)
{
	struct hwloc_distances_s *distances = NULL;
	unsigned nr = 1;
	if (hwloc_distances_get_by_name(topology, "NUMALatency", &nr, &distances, 0) < 0 || nr == 0)
		return;
	for (unsigned i = 0; i < distances->nbobjs; i++)
		for (unsigned j = 0; j < distances->nbobjs; j++)
			if (distances->objs[i] && distances->objs[j])
				prt_printf(out, "distance %u %u %llu\n",
					   distances->objs[i]->os_index,
					   distances->objs[j]->os_index,
					   (unsigned long long)
						   distances->values[i * distances->nbobjs + j]);
	hwloc_distances_release(topology, distances);
}

int probe_hwloc_run(const struct probe_source *source, struct printbuf *out)
{
	hwloc_topology_t topology = NULL;
	set_limits();
	if (set_environment(source) || load(source, &topology))
		return 1;
	int error = 0;
	for (hwloc_obj_t node = NULL; !error && (node = next_node(topology, node));)
		error = prt_node(out, node);
	for (hwloc_obj_t node = NULL; !error && (node = next_node(topology, node));) {
		/* The average of reads and writes first: the reads' own, printed later, wins. */
		prt_attribute(out, topology, node, HWLOC_MEMATTR_ID_LATENCY, "latency", 1);
		prt_attribute(out, topology, node, HWLOC_MEMATTR_ID_READ_LATENCY, "latency", 1);
		prt_attribute(out, topology, node, HWLOC_MEMATTR_ID_BANDWIDTH, "bandwidth", MIB);
		prt_attribute(out, topology, node, HWLOC_MEMATTR_ID_READ_BANDWIDTH, "bandwidth",
			      MIB);
	}
	prt_distances(out, topology);
	prt_str(out, "end\n");
	return error || printbuf_has_error(out) ? 1 : 0;
}
