/* SPDX-License-Identifier: MIT */
/* /proc/zoneinfo (frames.h). Follows zoneinfo_show_print() in mm/vmstat.c (6.12). */
#include "linux/frames.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/process.h"

#define MAX_BYTES ((size_t)64 << 20)

struct zone { /* while its lines are read */
	int64_t node;
	uint64_t min, low, protection, cached, spanned, start;
	bool is_populated;
};

static int add_zone(struct frames *frames, const struct machine *machine, const struct zone *zone)
{
	int64_t index = zone->node < 0 ? -1 : machine_node_index(machine, (uint32_t)zone->node);
	if (index < 0 || !zone->is_populated || zone->spanned == 0)
		return 0;
	if (frames->nr_ranges == FRAMES_MAX_ZONES)
		return -E2BIG;
	frames->min_pages[index] += zone->min + zone->protection;
	frames->low_pages[index] += zone->low + zone->protection;
	frames->cached_pages[index] += zone->cached;
	frames->ranges[frames->nr_ranges++] = (struct frame_range){ zone->start, zone->spanned,
								    (uint32_t)index };
	return 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct frame_range *left = a, *right = b;
	if (left->nr_frames != right->nr_frames)
		return left->nr_frames < right->nr_frames ? -1 : 1;
	return left->first < right->first ? -1 : left->first > right->first;
}

static bool take_value(const char *line, const char *name, uint64_t *ret)
{
	size_t length = strlen(name);
	if (strncmp(line, name, length) != 0 || (line[length] != ' ' && line[length] != ':'))
		return false;
	*ret = strtoull(line + length + 1, NULL, 10);
	return true;
}

/* What is kept for those who can use lower zones only (lowmem_reserve): "(0, 449, 449)", by the
 * highest zone that an allocation can use. A program's pages can use all. */
static uint64_t protection_of(const char *list)
{
	uint64_t most = 0;
	for (const char *at = strpbrk(list, "0123456789"); at; at = strpbrk(at, "0123456789")) {
		char *end;
		most = MAX(most, strtoull(at, &end, 10));
		at = end;
	}
	return most;
}

/* start_pfn is the last line of a populated zone; of an empty one only the first few are there. */
static void take_line(struct zone *zone, char *line)
{
	line += strspn(line, " ");
	uint64_t node, cached;
	if (take_value(line, "Node", &node)) {
		*zone = (struct zone){ .node = (int64_t)node };
		return;
	}
	if (take_value(line, "start_pfn", &zone->start))
		zone->is_populated = true;
	else if (strncmp(line, "protection:", 11) == 0)
		zone->protection = protection_of(line + 11);
	else if (strncmp(line, "high:", 5) == 0 && take_value(line, "high", &cached))
		zone->cached = MAX(zone->cached, cached);
	else if (!take_value(line, "min", &zone->min) && !take_value(line, "low", &zone->low))
		take_value(line, "spanned", &zone->spanned);
}

int frames_parse(char *text, const struct machine *machine, struct frames *ret)
{
	struct frames frames = {
		.ranges = calloc(FRAMES_MAX_ZONES, sizeof(*frames.ranges)),
		.min_pages = calloc(MAX(machine->nr_nodes, 1), sizeof(*frames.min_pages)),
		.low_pages = calloc(MAX(machine->nr_nodes, 1), sizeof(*frames.low_pages)),
		.cached_pages = calloc(MAX(machine->nr_nodes, 1), sizeof(*frames.cached_pages)),
	};
	struct zone zone = { .node = -1 };
	char *rest = NULL;
	int error = frames.ranges && frames.min_pages && frames.low_pages && frames.cached_pages
			    ? 0
			    : -ENOMEM;
	for (char *line = strtok_r(text, "\n", &rest); line && !error;
	     line = strtok_r(NULL, "\n", &rest)) {
		take_line(&zone, line);
		if (!zone.is_populated)
			continue;
		error = add_zone(&frames, machine, &zone);
		zone = (struct zone){ .node = -1 };
	}
	if (!error && frames.nr_ranges == 0)
		error = -ENODATA;
	if (error) {
		frames_fini(&frames);
		return error;
	}
	qsort(frames.ranges, frames.nr_ranges, sizeof(*frames.ranges), compare_ranges);
	*ret = frames;
	return 0;
}

/* More than root_read() takes: on large machines it lists thousands of CPUs for each zone. */
static char *read_text(int fd)
{
	size_t max = (size_t)64 << 10, nr = 0;
	char *text = malloc(max + 1);
	ssize_t got = 1;
	while (text && got > 0) {
		if (nr == max) {
			char *more = max < MAX_BYTES ? realloc(text, max * 2 + 1) : NULL;
			if (!more)
				break;
			text = more;
			max *= 2;
		}
		got = read(fd, text + nr, max - nr);
		nr += got > 0 ? (size_t)got : 0;
	}
	if (text)
		text[nr] = '\0';
	return text;
}

int frames_open(const struct root *root, const struct machine *machine, struct frames *ret,
		struct printbuf *err)
{
	int fd = rootfile_open(root, "proc/zoneinfo", O_RDONLY);
	if (fd < 0)
		return error_file(err, fd, "/proc/zoneinfo", "read");
	char *text = read_text(fd);
	close(fd);
	int error = text ? frames_parse(text, machine, ret) : -ENOMEM;
	free(text);
	return error ? error_set(err, error, "/proc/zoneinfo: %s", error_text(error)) : 0;
}

uint32_t frames_search(struct frames *frames, uint64_t frame)
{
	for (uint32_t i = 0; i < frames->nr_ranges; i++) {
		const struct frame_range *range = &frames->ranges[i];
		if (frame < range->first || frame - range->first >= range->nr_frames)
			continue;
		frames->last = i;
		return range->node;
	}
	return FRAMES_NO_NODE;
}

void frames_fini(struct frames *frames)
{
	free(frames->ranges);
	free(frames->min_pages);
	free(frames->low_pages);
	free(frames->cached_pages);
	*frames = (struct frames){ 0 };
}
