/* SPDX-License-Identifier: MIT */
/* Triggers of pressure stall information (pressure.h). */
#include "linux/pressure.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/process.h"

#define TRIGGER "some 10000 500000" /* microseconds of waiting, in a window */

static int open_trigger(const struct root *root, const char *path)
{
	int fd = rootfile_open(root, path, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		return fd;
	if (write(fd, TRIGGER, sizeof(TRIGGER)) >= 0)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

int pressure_open(const struct root *root, const char *group)
{
	char path[PATH_MAX];
	int fd = -ENOENT;
	if (group && snprintf(path, sizeof(path), "%s/cpu.pressure", group) < PATH_MAX)
		fd = open_trigger(root, path);
	return fd >= 0 ? fd : open_trigger(root, "proc/pressure/cpu");
}
