/* SPDX-License-Identifier: MIT */
/* Triggers of pressure stall information (pressure.h). */
#include "linux/pressure.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/process.h"

/* microseconds of waiting, in a window */
#define CPU_TRIGGER    "some 10000 500000"
#define MEMORY_TRIGGER "some 25000 500000"

static int open_trigger(const struct root *root, const char *path, const char *trigger)
{
	int fd = rootfile_open(root, path, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		return fd;
	if (write(fd, trigger, strlen(trigger) + 1) >= 0)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

static int open_of(const struct root *root, const char *group, const char *resource,
		   const char *trigger)
{
	char path[PATH_MAX];
	int fd = -ENOENT;
	if (group && snprintf(path, sizeof(path), "%s/%s.pressure", group, resource) < PATH_MAX)
		fd = open_trigger(root, path, trigger);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "proc/pressure/%s", resource);
	return open_trigger(root, path, trigger);
}

int pressure_open(const struct root *root, const char *group)
{
	return open_of(root, group, "cpu", CPU_TRIGGER);
}

int pressure_open_memory(const struct root *root, const char *group)
{
	return open_of(root, group, "memory", MEMORY_TRIGGER);
}
