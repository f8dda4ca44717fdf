/* SPDX-License-Identifier: MIT */
/* Which parts of a process's memory are a device's (devices.h). */
#include "linux/devices.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* "7ffff7700000-7ffff7800000 rw-s 00000000 00:0b 2                 /dmabuf:" */
static void take_line(struct devices *devices, char *line, uint32_t page_bytes)
{
	unsigned long long start, end;
	int name_at = 0;
	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%llx-%llx %*s %*s %*s %*s %n", &start, &end, &name_at) != 2 ||
	    name_at == 0 || end <= start || devices->nr == DEVICES_MAX)
		return;
	if (devices_is_name(line + name_at))
		devices->areas[devices->nr++] = (struct device_area){ start / page_bytes,
								      end / page_bytes };
}

void devices_find(const struct root *root, pid_t pid, uint32_t page_bytes, struct devices *ret)
{
	char path[64], *line = NULL;
	size_t size = 0;
	ret->nr = 0;
	snprintf(path, sizeof(path), "proc/%d/maps", pid);
	int fd = rootfile_open(root, path, O_RDONLY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	if (!file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (getline(&line, &size, file) > 0)
		take_line(ret, line, page_bytes);
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
