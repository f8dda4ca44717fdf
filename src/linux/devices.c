/* SPDX-License-Identifier: MIT */
/* Which parts of a process's memory are a device's (devices.h). */
#include "linux/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linux/maps.h"
#include "linux/process.h"

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Of what is in /dev, these are memory like any other. */
bool devices_is_name(const char *name)
{
	static const char *const ordinary[] = { "/dev/zero", "/dev/shm/", "/dev/hugepages" };
	if (begins(name, "/dmabuf:") || begins(name, "anon_inode:"))
		return true;
	if (!begins(name, "/dev/"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ordinary); i++)
		if (begins(name, ordinary[i]))
			return false;
	return true;
}

void devices_find(const struct root *root, pid_t pid, uint32_t page_bytes, struct devices *ret)
{
	char *line = NULL;
	size_t size = 0;
	struct map map;
	ret->nr = 0;
	FILE *file = process_open_lines(root, pid, "maps");
	if (!file)
		return;
	while (ret->nr < DEVICES_MAX && getline(&line, &size, file) > 0)
		if (maps_parse_line(line, page_bytes, &map) && devices_is_name(map.name))
			ret->areas[ret->nr++] = (struct device_area){ map.first, map.end };
	free(line);
	fclose(file);
}

bool devices_hold(const struct devices *devices, uint64_t page)
{
	for (uint32_t i = 0; i < devices->nr; i++)
		if (page >= devices->areas[i].first && page < devices->areas[i].end)
			return true;
	return false;
}
