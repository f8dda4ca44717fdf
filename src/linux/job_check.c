/* SPDX-License-Identifier: MIT */
/* Are the CPUs that the user wishes there, and may berth use them? (job.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "linux/job.h"

#define FAR_AWAY 255 /* as the kernel says of nodes that cannot be reached */

static int say_missing(const struct job *job, const char *what, const struct set *wished,
		       struct printbuf *err)
{
	struct set missing = SET_EMPTY;
	if (set_is_subset(wished, &job->online))
		return 0;
	if (set_copy(&missing, wished) < 0)
		return -ENOMEM;
	set_andnot(&missing, &job->online);
	if (err) {
		prt_printf(err, "%s: CPU ", what);
		set_to_text(err, &missing);
		prt_str(err, " is offline or does not exist; online are ");
		set_to_text(err, &job->online);
	}
	set_fini(&missing);
	return -EINVAL;
}

static int say_outside(const char *what, const struct set *part, const char *of,
		       const struct set *whole, struct printbuf *err)
{
	if (set_is_subset(part, whole))
		return 0;
	if (err) {
		prt_printf(err, "%s ", what);
		set_to_text(err, part);
		prt_printf(err, " is not within %s ", of);
		set_to_text(err, whole);
	}
	return -EINVAL;
}

/* Which limit took CPUs away: the cpuset of our own group, or else the mask that berth was given.
 */
static const char *name_limit(const struct job *job, const struct set *wished,
			      struct printbuf *storage)
{
	struct set granted = SET_EMPTY;
	struct cgroup home = job->group;
	home.path = home.home;
	if (home.version && home.home && cgroup_get_cpus(job->root, &home, &granted) == 0) {
		bool is_cpuset = !set_is_subset(wished, &granted);
		set_fini(&granted);
		if (is_cpuset) {
			prt_printf(storage, "what the cpuset /%s leaves to berth:", home.home);
			return printbuf_str(storage);
		}
	}
	return "the affinity that berth was started with (taskset):";
}

static uint32_t distance_between(const char *row, uint32_t node_index)
{
	char *end;
	unsigned long distance = FAR_AWAY;
	for (uint32_t i = 0; i <= node_index; i++, row = end) {
		distance = strtoul(row, &end, 10);
		if (end == row)
			return FAR_AWAY;
	}
	return (uint32_t)distance;
}

struct nodes {
	struct root_names names; /* "node0", ... */
	struct set *cpus;
};

static void take_row(struct job *job, const struct nodes *nodes, const char *row)
{
	size_t index = 0;
	for (size_t to = 0; to < nodes->names.nr; to++) {
		if (root_name_number(nodes->names.items[to], "node") < 0)
			continue;
		uint32_t distance = distance_between(row, (uint32_t)index++);
		const struct set *cpus = &nodes->cpus[to];
		for (int64_t cpu = set_next(cpus, 0); cpu >= 0 && cpu <= set_last(&job->online);
		     cpu = set_next(cpus, (uint32_t)cpu + 1))
			job->distances[cpu] = MIN(job->distances[cpu], distance);
	}
}

static void read_nodes(struct job *job, struct nodes *nodes)
{
	char path[96];
	for (size_t i = 0; i < nodes->names.nr; i++) {
		snprintf(path, sizeof(path), "sys/devices/system/node/%.32s/cpulist",
			 nodes->names.items[i]);
		if (root_name_number(nodes->names.items[i], "node") >= 0)
			root_read_set(job->root, path, &nodes->cpus[i]);
	}
	for (size_t i = 0; i < nodes->names.nr; i++) {
		char *row = NULL;
		snprintf(path, sizeof(path), "sys/devices/system/node/%.32s/distance",
			 nodes->names.items[i]);
		if (set_intersects(&nodes->cpus[i], &job->wish->prefer) &&
		    root_read(job->root, path, &row) == 0)
			take_row(job, nodes, row);
		free(row);
	}
}

/* Without nodes all CPUs are near. */
static int find_distances(struct job *job)
{
	struct nodes nodes = { .cpus = NULL };
	size_t nr_cpus = (size_t)set_last(&job->online) + 1;
	job->distances = calloc(nr_cpus, sizeof(*job->distances));
	if (!job->distances)
		return -ENOMEM;
	if (root_list(job->root, "sys/devices/system/node", &nodes.names) < 0)
		return 0;
	nodes.cpus = calloc(MAX(nodes.names.nr, 1), sizeof(*nodes.cpus));
	for (size_t cpu = 0; nodes.cpus && cpu < nr_cpus; cpu++)
		job->distances[cpu] = FAR_AWAY;
	if (nodes.cpus)
		read_nodes(job, &nodes);
	for (size_t i = 0; nodes.cpus && i < nodes.names.nr; i++)
		set_fini(&nodes.cpus[i]);
	free(nodes.cpus);
	root_names_fini(&nodes.names);
	return nodes.cpus ? 0 : -ENOMEM;
}

int job_check(struct job *job, struct printbuf *err)
{
	const struct job_wish *wish = job->wish;
	PRINTBUF(limit);
	int error = root_read_set(job->root, "sys/devices/system/cpu/online", &job->online);
	if (error)
		return error_file(err, error, "/sys/devices/system/cpu/online", "read");
	error = affinity_get(0, &job->original);
	if (error)
		return error_set(err, error, "affinity of berth: %s", error_text(error));
	bool has_allow = !set_is_empty(&wish->allow);
	error = set_copy(&job->allowed, has_allow ? &wish->allow : &job->original);
	if (!error)
		error = say_missing(job, "--prefer", &wish->prefer, err);
	if (!error)
		error = say_missing(job, "--allow", &wish->allow, err);
	if (!error && has_allow)
		error = say_outside("--prefer", &wish->prefer, "--allow", &wish->allow, err);
	const struct set *wished = has_allow ? &wish->allow : &wish->prefer;
	if (!error)
		error = say_outside(has_allow ? "--allow" : "--prefer", wished,
				    name_limit(job, wished, &limit), &job->original, err);
	return error ? error : find_distances(job);
}
