/* SPDX-License-Identifier: MIT */
/* What watched processes have mapped, and the state of the nodes (live.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/live.h"
#include "linux/maps.h"
#include "linux/process.h"

#define COUNT_EVERY_NS	(2 * NS_PER_S)
#define COUNT_SPACES_NS NS_PER_S /* a job is to be back under its cap within two */
#define COUNT_REST	1000	 /* times what counting takes */
#define COUNT_REST_NEW	200	 /* when there are more pages or fewer: moves are told of */
#define CHANGED_PARTS	256
#define LINE_MAX_BYTES	65536

static int add_area(struct live_areas *areas, uint64_t first, uint64_t end)
{
	if (areas->nr > 0 && areas->items[areas->nr - 1].end == first) {
		areas->items[areas->nr - 1].end = end;
		return 0;
	}
	if (areas->nr == areas->max) {
		size_t max = areas->max ? areas->max * 2 : 64;
		struct live_area *items = max <= LIVE_MAX_AREAS
						  ? realloc(areas->items, max * sizeof(*items))
						  : NULL;
		if (!items)
			return -ENOMEM;
		areas->items = items;
		areas->max = max;
	}
	areas->items[areas->nr++] = (struct live_area){ first, end };
	return 0;
}

int live_areas(const struct live *live, const struct live_space *space, struct live_areas *ret)
{
	struct live_areas areas = { 0 };
	char *line = NULL;
	size_t size = 0;
	int error = 0;
	struct map map;
	FILE *file = process_open_lines(live->root, space->pid, "maps");
	if (!file)
		return -ESRCH;
	while (!error && getline(&line, &size, file) > 0)
		if (maps_parse_line(line, live->machine->page_bytes, &map) && map_is_memory(&map))
			error = add_area(&areas, map.first, map.end);
	free(line);
	fclose(file);
	if (error) {
		live_areas_fini(&areas);
		return error;
	}
	*ret = areas;
	return 0;
}

void live_areas_fini(struct live_areas *areas)
{
	free(areas->items);
	*areas = (struct live_areas){ 0 };
}

/* "175318 174902 312 ...": size, resident. */
uint64_t live_resident_pages(const struct live *live, uint32_t space)
{
	char path[64], text[128];
	if (live->spaces[space].pidfd < 0)
		return 0;
	snprintf(path, sizeof(path), "proc/%d/statm", live->spaces[space].pid);
	int fd = rootfile_open(live->root, path, O_RDONLY);
	ssize_t nr = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[MAX(nr, 0)] = '\0';
	const char *resident = strchr(text, ' ');
	return resident ? strtoull(resident, NULL, 10) : 0;
}

static void read_of_process(const struct live *live, uint32_t space, const char *name, char *ret,
			    size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "proc/%d/%s", live->spaces[space].pid, name);
	int fd = rootfile_open(live->root, path, O_RDONLY);
	ssize_t nr = fd < 0 ? 0 : read(fd, ret, size - 1);
	if (fd >= 0)
		close(fd);
	ret[MAX(nr, 0)] = '\0';
}

/* "4711 (a name) S 1 4711 ...": user and system time are the 14th and 15th. */
uint64_t live_run_ticks(const struct live *live, uint32_t space)
{
	char text[1024], *end;
	if (live->spaces[space].pidfd < 0)
		return 0;
	read_of_process(live, space, "stat", text, sizeof(text));
	const char *at = strrchr(text, ')');
	for (int field = 2; at && field < 14; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return 0;
	uint64_t user = strtoull(at + 1, &end, 10);
	return user + strtoull(end, NULL, 10);
}

/* "1203345 22871 17" */
uint64_t live_run_ns(const struct live *live, uint32_t space)
{
	char text[128];
	if (live->spaces[space].pidfd < 0)
		return 0;
	read_of_process(live, space, "schedstat", text, sizeof(text));
	return strtoull(text, NULL, 10);
}

static uint64_t all_resident(const struct live *live)
{
	uint64_t nr = 0;
	for (uint32_t i = 0; i < live->nr_spaces; i++)
		nr += live_resident_pages(live, i);
	return nr;
}

void live_note_pages(struct live *live, const uint64_t *pages_of_node, uint64_t now_ns)
{
	if (live->counts_spaces)
		return; /* counted here, each by itself */
	memcpy(live->job_pages, pages_of_node, live->machine->nr_nodes * sizeof(*pages_of_node));
	live->counted_ns = now_ns;
	live->counted_resident = all_resident(live);
}

/* "7f12a8000000 default anon=512 dirty=512 N0=100 N1=412 kernelpagesize_kB=4" */
static void take_counts(const struct machine *machine, const char *line, uint64_t *pages)
{
	const char *size = strstr(line, "kernelpagesize_kB=");
	uint64_t kib = size ? strtoull(size + strlen("kernelpagesize_kB="), NULL, 10) : 0;
	uint64_t each = MAX(kib * 1024 / machine->page_bytes, 1);
	for (const char *at = strstr(line, " N"); at; at = strstr(at + 1, " N")) {
		char *end;
		uint64_t node = strtoull(at + 2, &end, 10);
		if (end == at + 2 || *end != '=')
			continue;
		int64_t index = machine_node_index(machine, (uint32_t)node);
		if (index >= 0)
			pages[index] += strtoull(end + 1, NULL, 10) * each;
	}
}

void live_count_process(const struct root *root, const struct machine *machine, pid_t pid,
			uint64_t *pages)
{
	char *line = NULL;
	size_t size = 0;
	FILE *file = process_open_lines(root, pid, "numa_maps");
	if (!file)
		return;
	while (getline(&line, &size, file) > 0)
		take_counts(machine, line, pages);
	free(line);
	fclose(file);
}

static void note_space(struct live *live, struct live_space *space, const uint64_t *pages)
{
	space->fast_pages = space->slow_pages = 0;
	for (uint32_t i = 0; i < live->machine->nr_nodes; i++) {
		bool is_fast = live->machine->nodes[i].tier == 0;
		*(is_fast ? &space->fast_pages : &space->slow_pages) += pages[i];
		live->job_pages[i] += pages[i];
	}
}

static bool has_changed(const struct live *live)
{
	uint64_t now = all_resident(live), before = live->counted_resident;
	return (now > before ? now - before : before - now) > before / CHANGED_PARTS;
}

/* Counting costs a walk through the page tables: the rest after it makes that a small share. */
static bool is_count_due(const struct live *live, uint64_t now_ns)
{
	uint64_t every_ns = live->counts_spaces ? COUNT_SPACES_NS : COUNT_EVERY_NS;
	uint64_t passed_ns = now_ns - live->counted_ns;
	if (!live->counted_ns)
		return true;
	if (passed_ns < MAX(every_ns, live->count_cost_ns * COUNT_REST_NEW))
		return false;
	return passed_ns >= live->count_cost_ns * COUNT_REST || has_changed(live);
}

static int count_pages(struct live *live, uint64_t now_ns)
{
	uint32_t nr_nodes = MAX(live->machine->nr_nodes, 1);
	uint64_t begun_ns = clock_thread_cpu_ns();
	if (!is_count_due(live, now_ns))
		return 0;
	uint64_t *pages = calloc(nr_nodes, sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	memset(live->job_pages, 0, nr_nodes * sizeof(*pages));
	for (uint32_t i = 0; i < live->nr_spaces; i++) {
		if (!live_space(live, i))
			continue;
		memset(pages, 0, nr_nodes * sizeof(*pages));
		live_count_process(live->root, live->machine, live->spaces[i].pid, pages);
		note_space(live, &live->spaces[i], pages);
	}
	live->counted_ns = now_ns;
	live->counted_resident = all_resident(live);
	live->count_cost_ns = clock_thread_cpu_ns() - begun_ns;
	free(pages);
	return 0;
}

/* "Node 0 MemFree:          123456 kB" */
static uint64_t meminfo_pages(const char *text, const char *name, uint32_t page_bytes)
{
	const char *at = strstr(text, name);
	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 / page_bytes : 0;
}

static bool is_gone(int fd)
{
	struct stat status;
	return fstat(fd, &status) < 0 || status.st_nlink == 0;
}

/* It stays open, since it is asked for at each tick; a node that went offline and came back has
 * another file. Nothing: it is offline. */
static ssize_t read_meminfo(const struct live *live, uint32_t node, char *ret, size_t size)
{
	int once = -1, *fd = live->meminfo_fds ? &live->meminfo_fds[node] : &once;
	char path[64];
	ssize_t nr = *fd < 0 || is_gone(*fd) ? -1 : pread(*fd, ret, size, 0);
	if (nr > 0)
		return nr;
	if (*fd >= 0)
		close(*fd);
	snprintf(path, sizeof(path), "sys/devices/system/node/node%u/meminfo",
		 live->machine->nodes[node].id);
	*fd = rootfile_open(live->root, path, O_RDONLY);
	if (*fd < 0)
		return *fd == -ENOENT ? 0 : *fd;
	nr = pread(*fd, ret, size, 0);
	int error = nr < 0 && errno != ENODEV ? -errno : 0;
	if (once >= 0)
		close(once);
	return error ? error : MAX(nr, 0);
}

int live_node_pages(const struct live *live, uint32_t node, uint64_t *ret_capacity,
		    uint64_t *ret_free)
{
	uint32_t page_bytes = live->machine->page_bytes;
	char text[4096];
	ssize_t nr = read_meminfo(live, node, text, sizeof(text) - 1);
	if (nr < 0)
		return (int)nr;
	text[nr] = '\0';
	*ret_capacity = meminfo_pages(text, " MemTotal:", page_bytes);
	*ret_free = meminfo_pages(text, " MemFree:", page_bytes);
	return 0;
}

static int look_at_node(const struct live *live, uint32_t index, struct policy_node *ret)
{
	*ret = (struct policy_node){ .nr_misses = POLICY_UNKNOWN, .loaded_ps = POLICY_UNKNOWN };
	if (live->machine->nodes[index].tier == UINT32_MAX)
		return 0;
	int error = live_node_pages(live, index, &ret->capacity_pages, &ret->free_pages);
	if (error || ret->capacity_pages == 0)
		return error;
	ret->min_pages = live->frames.min_pages[index];
	ret->low_pages = live->frames.low_pages[index];
	ret->high_pages = 2 * ret->low_pages - MIN(ret->min_pages, ret->low_pages) +
			  live->frames.cached_pages[index];
	ret->job_pages = live->job_pages[index];
	return 0;
}

int live_look(void *world, struct policy_node *nodes, uint32_t nr_nodes)
{
	struct live *live = world;
	int error = count_pages(live, clock_now_ns());
	for (uint32_t i = 0; i < nr_nodes && !error; i++)
		error = look_at_node(live, i, &nodes[i]);
	return error;
}
