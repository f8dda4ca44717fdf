/* SPDX-License-Identifier: MIT */
/* Triggers of pressure stall information (pressure.h). */
#include "linux/pressure.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/process.h"

/* Microseconds of waiting in a window. */
#define QUICK_TRIGGER "some 10000 500000"
#define SLOW_TRIGGER  "some 100000 2000000" /* the window that anybody may ask for */

static int open_with(const struct root *root, const char *path, const char *trigger, size_t size)
{
	int fd = rootfile_open(root, path, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		return fd;
	if (write(fd, trigger, size) >= 0)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

static int open_best(const struct root *root, const char *path, bool *ret_is_quick)
{
	int fd = open_with(root, path, QUICK_TRIGGER, sizeof(QUICK_TRIGGER));
	*ret_is_quick = fd >= 0;
	return fd >= 0 ? fd : open_with(root, path, SLOW_TRIGGER, sizeof(SLOW_TRIGGER));
}

int pressure_open(const struct root *root, const char *group, bool *ret_is_quick)
{
	char path[PATH_MAX];
	bool is_quick = false;
	int fd = -ENOENT;
	if (group && snprintf(path, sizeof(path), "%s/cpu.pressure", group) < PATH_MAX)
		fd = open_best(root, path, &is_quick);
	if (fd < 0)
		fd = open_best(root, "proc/pressure/cpu", &is_quick);
	if (fd >= 0)
		*ret_is_quick = is_quick;
	return fd;
}
