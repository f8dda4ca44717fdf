/* SPDX-License-Identifier: MIT */
/* Masks and numbers for the scheduler in the kernel (scx_layout.h). Caches: sysfs's
 * devices/system/cpu/cpuN/cache/indexK/{level,shared_cpu_list}. */
#include "linux/scx_layout.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define MAX_CACHE_INDEX 8 /* of one CPU: L1 twice, L2, L3 today */

static void mask_add(struct scx_mask *mask, uint32_t cpu)
{
	mask->words[cpu / 64] |= (uint64_t)1 << (cpu % 64);
}

static uint32_t distance_of(const struct scx_job_wish *wish, uint32_t cpu)
{
	return wish->distances && cpu < wish->nr_distances ? wish->distances[cpu] : 0;
}

/* The least distance above `above` (or any, at the first time) of a CPU that may be borrowed. */
static bool next_distance(const struct scx_job_wish *wish, bool is_first, uint32_t above,
			  uint32_t *ret)
{
	bool is_found = false;
	for (int64_t i = set_next(wish->allowed, 0); i >= 0;
	     i = set_next(wish->allowed, (uint32_t)i + 1)) {
		uint32_t here = distance_of(wish, (uint32_t)i);
		if (set_has(wish->preferred, (uint32_t)i) || here > wish->soft.max_distance ||
		    (!is_first && here <= above) || (is_found && here >= *ret))
			continue;
		*ret = here;
		is_found = true;
	}
	return is_found;
}

static void fill_level(const struct scx_job_wish *wish, struct scx_request *ret, uint32_t distance)
{
	uint32_t level = ret->nr_levels;
	if (level == SCX_MAX_LEVELS)
		level--;
	else
		ret->distance[ret->nr_levels++] = distance;
	for (int64_t i = set_next(wish->allowed, 0); i >= 0;
	     i = set_next(wish->allowed, (uint32_t)i + 1))
		if (!set_has(wish->preferred, (uint32_t)i) &&
		    distance_of(wish, (uint32_t)i) == distance)
			mask_add(&ret->level[level], (uint32_t)i);
}

int scx_request_fill(const struct scx_job_wish *wish, struct scx_request *ret, struct printbuf *err)
{
	struct scx_request filled = { .slot = ret->slot,
				      .generation = ret->generation,
				      .soft = wish->soft };
	uint32_t distance = 0;
	bool is_first = true;
	int64_t last = MAX(set_last(wish->allowed), set_last(wish->preferred));
	if (last >= SCX_MAX_CPUS)
		return error_set(err, -E2BIG,
				 "CPU %lld: the scx engine knows CPUs up to %u; "
				 "--engine user knows all",
				 (long long)last, SCX_MAX_CPUS - 1);
	for (int64_t i = set_next(wish->preferred, 0); i >= 0;
	     i = set_next(wish->preferred, (uint32_t)i + 1)) {
		mask_add(&filled.preferred, (uint32_t)i);
		filled.nr_cpus++;
	}
	while (next_distance(wish, is_first, distance, &distance)) {
		fill_level(wish, &filled, distance);
		is_first = false;
	}
	*ret = filled;
	return 0;
}

/* The CPUs that share the last-level cache of this one. */
static int read_last_level(const struct root *root, uint32_t cpu, struct set *ret)
{
	uint64_t highest = 0;
	char path[128];
	for (int index = 0; index < MAX_CACHE_INDEX; index++) {
		uint64_t level;
		struct set shared = SET_EMPTY;
		snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/cache/index%d/level",
			 cpu, index);
		if (root_read_u64(root, path, &level) < 0)
			break;
		snprintf(path, sizeof(path),
			 "sys/devices/system/cpu/cpu%u/cache/index%d/shared_cpu_list", cpu, index);
		if (level < highest || root_read_set(root, path, &shared) < 0)
			continue;
		highest = level;
		set_fini(ret);
		*ret = shared;
	}
	return highest ? 0 : -ENOENT;
}

static void number_cache(const struct root *root, uint32_t cpu, struct set *done,
			 struct scx_machine *ret)
{
	struct set shared = SET_EMPTY;
	if (set_has(done, cpu) || read_last_level(root, cpu, &shared) < 0)
		return;
	for (int64_t i = set_next(&shared, 0); i >= 0 && i < SCX_MAX_CPUS;
	     i = set_next(&shared, (uint32_t)i + 1))
		if (set_add(done, (uint32_t)i) == 0)
			ret->cache_of[i] = ret->settings.nr_caches;
	ret->settings.nr_caches++;
	set_fini(&shared);
}

int scx_machine_read(const struct root *root, struct scx_machine *ret, struct printbuf *err)
{
	struct set possible = SET_EMPTY, done = SET_EMPTY;
	int error = root_read_set(root, "sys/devices/system/cpu/possible", &possible);
	if (error)
		return error_set(err, error, "/sys/devices/system/cpu/possible: %s",
				 error_text(error));
	int64_t last = set_last(&possible);
	if (last < 0 || last >= SCX_MAX_CPUS)
		error = error_set(
			err, -E2BIG,
			"%lld CPUs: the scx engine knows up to %u; --engine user knows all",
			(long long)last + 1, SCX_MAX_CPUS);
	if (!error) {
		*ret = (struct scx_machine){ .settings.nr_cpus = (uint32_t)last + 1 };
		for (uint32_t cpu = 0; cpu <= last && ret->settings.nr_caches < SCX_MAX_CACHES;
		     cpu++)
			number_cache(root, cpu, &done, ret);
		ret->settings.nr_caches = MAX(ret->settings.nr_caches, 1u);
	}
	set_fini(&possible);
	set_fini(&done);
	return error;
}
