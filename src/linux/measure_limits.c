/* SPDX-License-Identifier: MIT */
/*
 * What bounds a measurement, from
 *
 *   /sys/devices/system/cpu/cpuN/cache/indexM/{size,shared_cpu_list}
 *   /proc/self/cgroup and memory.max, memory.current of it and of those above it (version 2)
 *   sched_setaffinity(2) of a thread of ours: asked for all CPUs, the kernel leaves those that the
 *   cpuset allows
 *
 * A cache that an emulator or a hypervisor claims may not be there, nor one that is there be told:
 * they make buffers larger, they are not what sizes rest on.
 */
#include "linux/measure_limits.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"

#define MAX_CACHES  8	 /* indexes looked at, per CPU */
#define MAX_CPUS    8192 /* as many as Linux can have */
#define CGROUP_ROOT "/sys/fs/cgroup"
#define MAX_PATH    4096
#define MAX_TEXT    256

/* The first line of a small file, without its newline. */
static bool read_line(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t nr = fd < 0 ? -1 : read(fd, line, size - 1);
	if (fd >= 0)
		close(fd);
	if (nr <= 0)
		return false;
	line[nr] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static bool read_cache(uint32_t cpu, unsigned index, uint64_t *ret_bytes, uint32_t *ret_nr_sharing)
{
	char path[128], text[MAX_TEXT];
	struct set sharing = SET_EMPTY;
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/cache/index%u/size", cpu,
		 index);
	if (!read_line(path, text, sizeof(text)) || parse_bytes(text, ret_bytes))
		return false;
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/cache/index%u/shared_cpu_list",
		 cpu, index);
	*ret_nr_sharing = 1;
	if (read_line(path, text, sizeof(text)) && set_parse(text, &sharing) == 0) {
		*ret_nr_sharing = MAX(set_count(&sharing), 1);
		set_fini(&sharing);
	}
	return true;
}

void measure_caches(const struct set *cpus, uint64_t *ret_largest_bytes, uint64_t *ret_total_bytes)
{
	uint64_t largest = 0, total = 0;
	for (int64_t cpu = set_next(cpus, 0); cpu >= 0; cpu = set_next(cpus, (uint32_t)cpu + 1)) {
		uint64_t bytes = 0;
		uint32_t nr_sharing = 1;
		for (unsigned index = 0; index < MAX_CACHES; index++) {
			if (!read_cache((uint32_t)cpu, index, &bytes, &nr_sharing))
				break;
			largest = MAX(largest, bytes);
			total += bytes / nr_sharing;
		}
	}
	*ret_largest_bytes = largest;
	*ret_total_bytes = total;
}

static uint64_t room_of(const char *group)
{
	char path[MAX_PATH + 64], text[MAX_TEXT];
	uint64_t limit = 0, used = 0;
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/memory.max", group);
	if (!read_line(path, text, sizeof(text)) || parse_u64(text, &limit))
		return UINT64_MAX; /* "max", or no such file */
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/memory.current", group);
	if (!read_line(path, text, sizeof(text)) || parse_u64(text, &used))
		return UINT64_MAX;
	return limit > used ? limit - used : 0;
}

uint64_t measure_cgroup_room(void)
{
	char text[MAX_PATH];
	uint64_t room = UINT64_MAX;
	if (!read_line("/proc/self/cgroup", text, sizeof(text)) || strncmp(text, "0::/", 4) != 0)
		return room;
	for (char *group = text + 3, *slash; (slash = strrchr(group, '/')); *slash = '\0')
		room = MIN(room, room_of(group));
	return room;
}

static void *ask_allowed(void *data)
{
	struct set *allowed = data;
	cpu_set_t *mask = CPU_ALLOC(MAX_CPUS);
	size_t size = CPU_ALLOC_SIZE(MAX_CPUS);
	if (!mask)
		return NULL;
	memset(mask, 0xff, size);
	sched_setaffinity(0, size, mask); /* refused: what we have is what there is */
	CPU_ZERO_S(size, mask);
	if (sched_getaffinity(0, size, mask) == 0)
		for (uint32_t cpu = 0; cpu < MAX_CPUS; cpu++)
			if (CPU_ISSET_S(cpu, size, mask) && set_add(allowed, cpu))
				break;
	CPU_FREE(mask);
	return NULL;
}

int measure_allowed_cpus(struct set *ret)
{
	struct set allowed = SET_EMPTY;
	pthread_t thread;
	int error = -pthread_create(&thread, NULL, ask_allowed, &allowed);
	if (error)
		return error;
	pthread_join(thread, NULL);
	*ret = allowed;
	return set_is_empty(&allowed) ? -ENOMEM : 0;
}
