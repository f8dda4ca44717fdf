/* SPDX-License-Identifier: MIT */
/*
 * What /proc tells of a process: maps, read for its areas and for those of devices, and zoneinfo of
 * the machine, from one text. Areas are not empty, and every frame of a zone has a node of the
 * machine.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/devices.h"
#include "linux/live.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static char directory[] = "/tmp/berth-fuzz-maps-XXXXXX";
static struct machine *machine;
static struct root root;
static int maps_fd; /* held: a file that is opened to be cut is flushed when it is closed */

static void clean_up(void)
{
	unlinkat(root.fd, "proc/7/maps", 0);
	unlinkat(root.fd, "proc/7", AT_REMOVEDIR);
	unlinkat(root.fd, "proc", AT_REMOVEDIR);
	rmdir(directory);
	machine_free(machine);
}

static void set_up(void)
{
	demand(mkdtemp(directory));
	root.fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	demand(root.fd >= 0 && mkdirat(root.fd, "proc", 0700) == 0 &&
	       mkdirat(root.fd, "proc/7", 0700) == 0);
	maps_fd = openat(root.fd, "proc/7/maps", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	demand(maps_fd >= 0);
	demand(machine_parse("node:dram:1GiB@80ns:cpus=0 node:cxl:1GiB@250ns", &machine, NULL) ==
	       0);
	atexit(clean_up);
}

static void read_maps(const uint8_t *data, size_t size)
{
	struct live live = { .root = &root, .machine = machine };
	struct live_space space = { .pid = 7, .pidfd = -1 };
	struct live_areas areas;
	demand(ftruncate(maps_fd, 0) == 0 && pwrite(maps_fd, data, size, 0) == (ssize_t)size);
	if (live_areas(&live, &space, &areas))
		return;
	for (size_t i = 0; i < areas.nr; i++)
		demand(areas.items[i].first < areas.items[i].end);
	live_areas_fini(&areas);
}

static void read_zones(const uint8_t *data, size_t size)
{
	struct frames frames;
	char *text = strndup((const char *)data, size);
	demand(text);
	if (frames_parse(text, machine, &frames) == 0) {
		for (uint32_t i = 0; i < frames.nr_ranges; i++) {
			uint64_t first = frames.ranges[i].first;
			uint32_t node = frames_node(&frames, first);
			demand(frames.ranges[i].node < machine->nr_nodes);
			demand(node < machine->nr_nodes);
		}
		frames_fini(&frames);
	}
	free(text);
}

/* Of no more areas than there are lines, each with whole pages. */
static void read_devices(size_t size)
{
	static struct devices devices;
	devices_find(&root, 7, machine->page_bytes, &devices);
	demand(devices.nr <= DEVICES_MAX && devices.nr <= size / 8);
	for (uint32_t i = 0; i < devices.nr; i++)
		demand(devices.areas[i].first == devices.areas[i].end ||
		       devices_hold(&devices, devices.areas[i].first));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!machine)
		set_up();
	read_maps(data, size);
	read_devices(size);
	read_zones(data, size);
	return 0;
}
