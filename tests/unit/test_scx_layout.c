/* SPDX-License-Identifier: MIT */
/* Machines and jobs as the scheduler in the kernel gets them: masks by distance against a naive
 * oracle, caches from a root's sysfs. */
#include "test.h"

#include <unistd.h>

#include "linux/scx_layout.h"

static struct scx_request request;
static char folder[64];

static bool has(const struct scx_mask *mask, uint32_t cpu)
{
	return mask->words[cpu / 64] >> (cpu % 64) & 1;
}

static uint32_t count(const struct scx_mask *mask)
{
	uint32_t nr = 0;
	for (uint32_t cpu = 0; cpu < SCX_MAX_CPUS; cpu++)
		nr += has(mask, cpu);
	return nr;
}

static void fill(const char *preferred, const char *allowed, const uint32_t *distances,
		 uint32_t nr_distances, uint32_t max_distance)
{
	struct set home, all;
	assert_int_equal(set_parse(preferred, &home), 0);
	assert_int_equal(set_parse(allowed, &all), 0);
	struct scx_job_wish wish = { &home,
				     &all,
				     distances,
				     nr_distances,
				     { SOFT_SPILL_AT_BP, max_distance, SOFT_PATIENCE_NS } };
	request = (struct scx_request){ .slot = 7, .generation = 9 };
	assert_int_equal(scx_request_fill(&wish, &request, NULL), 0);
	assert_int_equal(request.slot, 7);
	assert_int_equal(request.generation, 9);
	set_fini(&home);
	set_fini(&all);
}

static void test_nearest_come_first(void **state)
{
	static const uint32_t distances[] = { 10, 10, 10, 10, 32, 32, 16, 16 };
	fill("0-1", "0-7", distances, 8, SOFT_NO_DISTANCE);
	assert_int_equal(request.nr_cpus, 2);
	assert_int_equal(request.nr_levels, 3);
	assert_int_equal(request.preferred.words[0], 0x03);
	assert_int_equal(request.level[0].words[0], 0x0c);
	assert_int_equal(request.level[1].words[0], 0xc0);
	assert_int_equal(request.level[2].words[0], 0x30);
	assert_int_equal(request.distance[1], 16);
	assert_int_equal(request.distance[2], 32);
}

static void test_too_far_is_in_no_level(void **state)
{
	static const uint32_t distances[] = { 10, 10, 20, 21 };
	fill("0", "0-3", distances, 4, 20);
	assert_int_equal(request.nr_levels, 2);
	assert_int_equal(request.level[0].words[0], 0x2);
	assert_int_equal(request.level[1].words[0], 0x4);
	fill("0-3", "0-3", distances, 4, 20);
	assert_int_equal(request.nr_levels, 0);
}

static void test_the_last_level_takes_what_is_further(void **state)
{
	static const uint32_t distances[] = { 10, 11, 12, 13, 14, 15, 16 };
	fill("0", "0-6", distances, 7, SOFT_NO_DISTANCE);
	assert_int_equal(request.nr_levels, SCX_MAX_LEVELS);
	assert_int_equal(request.level[SCX_MAX_LEVELS - 1].words[0], 0x70);
	assert_int_equal(request.distance[SCX_MAX_LEVELS - 1], 14);
}

static void test_too_many_cpus_are_refused(void **state)
{
	struct set home, all;
	PRINTBUF(err);
	assert_int_equal(set_parse("0", &home), 0);
	assert_int_equal(set_parse("0-1024", &all), 0);
	struct scx_job_wish wish = { .preferred = &home, .allowed = &all };
	request.nr_cpus = 42;
	assert_int_equal(scx_request_fill(&wish, &request, &err), -E2BIG);
	assert_non_null(strstr(printbuf_str(&err), "CPU 1024"));
	assert_int_equal(request.nr_cpus, 42);
	set_fini(&home);
	set_fini(&all);
}

/* Every allowed CPU that is not preferred and not too far stands in exactly one level, no level
 * holds another, and a CPU of a lower level is nearer. */
static void check_levels(const struct set *home, const struct set *all, const uint32_t *distances,
			 uint32_t max_distance)
{
	uint32_t highest_before = 0, nr_in_levels = 0, nr_wanted = 0;
	for (uint32_t level = 0; level < SCX_MAX_LEVELS; level++) {
		uint32_t lowest = UINT32_MAX, highest = 0;
		for (uint32_t cpu = 0; cpu < 200; cpu++) {
			if (!has(&request.level[level], cpu))
				continue;
			assert_true(set_has(all, cpu) && !set_has(home, cpu));
			assert_true(distances[cpu] <= max_distance);
			lowest = MIN(lowest, distances[cpu]);
			highest = MAX(highest, distances[cpu]);
		}
		nr_in_levels += count(&request.level[level]);
		assert_true(level >= request.nr_levels || lowest == request.distance[level]);
		assert_true(level >= request.nr_levels || level == 0 || lowest > highest_before);
		assert_true(level + 1 == SCX_MAX_LEVELS || lowest >= highest);
		highest_before = highest;
	}
	for (uint32_t cpu = 0; cpu < 200; cpu++)
		nr_wanted += set_has(all, cpu) && !set_has(home, cpu) &&
			     distances[cpu] <= max_distance;
	assert_int_equal(nr_in_levels, nr_wanted);
}

static void test_levels_of_random_machines(void **state)
{
	uint32_t distances[200];
	srand(1);
	for (int round = 0; round < 500; round++) {
		struct set home = SET_EMPTY, all = SET_EMPTY;
		uint32_t kinds = 1 + (uint32_t)rand() % 7, max_distance = (uint32_t)rand() % 80;
		for (uint32_t cpu = 0; cpu < 200; cpu++) {
			distances[cpu] = 10 + 11 * ((uint32_t)rand() % kinds);
			if (rand() % 3)
				assert_int_equal(set_add(&all, cpu), 0);
			if (set_has(&all, cpu) && rand() % 4 == 0)
				assert_int_equal(set_add(&home, cpu), 0);
		}
		struct scx_job_wish wish = { &home, &all, distances, 200, { 0, max_distance, 0 } };
		assert_int_equal(scx_request_fill(&wish, &request, NULL), 0);
		assert_int_equal(request.nr_cpus, set_count(&home));
		assert_int_equal(count(&request.preferred), set_count(&home));
		check_levels(&home, &all, distances, max_distance);
		set_fini(&home);
		set_fini(&all);
	}
}

static void put(const char *name, const char *text)
{
	char path[256], command[320];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", path);
	assert_int_equal(system(command), 0);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void put_cache(int cpu, int index, const char *level, const char *shared)
{
	char name[128];
	snprintf(name, sizeof(name), "sys/devices/system/cpu/cpu%d/cache/index%d/level", cpu,
		 index);
	put(name, level);
	snprintf(name, sizeof(name), "sys/devices/system/cpu/cpu%d/cache/index%d/shared_cpu_list",
		 cpu, index);
	put(name, shared);
}

static void test_caches_are_numbered_by_their_first_cpu(void **state)
{
	struct root root;
	static struct scx_machine machine;
	char command[128];
	strcpy(folder, "/tmp/berth-scx-XXXXXX");
	assert_non_null(mkdtemp(folder));
	put("proc/cpuinfo", "processor : 0\n");
	put("sys/devices/system/cpu/possible", "0-5\n");
	put("sys/devices/system/cpu/online", "0-4\n");
	for (int cpu = 0; cpu < 5; cpu++) {
		put_cache(cpu, 0, "1\n", cpu == 4 ? "4\n" : cpu < 2 ? "0-1\n" : "2-3\n");
		put_cache(cpu, 1, "3\n", cpu == 4 ? "4\n" : cpu % 2 ? "1,3\n" : "0,2\n");
	}
	assert_int_equal(root_open(folder, &root, NULL), 0);
	assert_int_equal(scx_machine_read(&root, &machine, NULL), 0);
	assert_int_equal(machine.settings.nr_cpus, 6);
	assert_int_equal(machine.settings.nr_caches, 3);
	static const uint32_t expected[] = { 0, 1, 0, 1, 2, 0 };
	for (uint32_t cpu = 0; cpu < 6; cpu++)
		assert_int_equal(machine.cache_of[cpu], expected[cpu]);
	put("sys/devices/system/cpu/possible", "0-1024\n");
	assert_int_equal(scx_machine_read(&root, &machine, NULL), -E2BIG);
	root_fini(&root);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}
