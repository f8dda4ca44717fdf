/* SPDX-License-Identifier: MIT */
/* Finding tracepoints (tracepoint.h). */
#include "linux/tracepoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define FORMAT_MAX_BYTES 65536

/* "field:unsigned long start;\toffset:24;\tsize:8;\tsigned:0;" */
static bool take_field(const char *line, struct tracepoint_field *field)
{
	const char *end = strchr(line, ';');
	size_t nr = strlen(field->name);
	if (!end || (size_t)(end - line) <= nr || strncmp(end - nr, field->name, nr) != 0 ||
	    end[-(ptrdiff_t)nr - 1] != ' ')
		return false;
	unsigned offset, size;
	if (sscanf(end, "; offset:%u; size:%u;", &offset, &size) != 2 ||
	    offset > TRACEPOINT_MAX_OFFSET || (size != 1 && size != 2 && size != 4 && size != 8))
		return false;
	field->offset = offset;
	field->nr_bytes = size;
	return true;
}

int tracepoint_parse(const char *format, uint64_t *ret_number, struct tracepoint_field *fields,
		     size_t nr_fields)
{
	uint64_t number = 0;
	size_t nr_found = 0;
	for (size_t i = 0; i < nr_fields; i++)
		fields[i].nr_bytes = 0;
	for (const char *line = format; line; line = strchr(line, '\n')) {
		line += strspn(line, "\n\t ");
		if (strncmp(line, "ID: ", 4) == 0)
			number = strtoull(line + 4, NULL, 10);
		if (strncmp(line, "field:", 6) != 0)
			continue;
		for (size_t i = 0; i < nr_fields; i++)
			nr_found += fields[i].nr_bytes == 0 && take_field(line, &fields[i]);
	}
	if (number == 0 || nr_found != nr_fields)
		return -EBADMSG;
	*ret_number = number;
	return 0;
}

/* tracefs, mounted at no place; closing it unmounts it. */
static int mount_apart(void)
{
	int context = fsopen("tracefs", FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	int fd = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0
			 ? -1
			 : fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	int error = fd < 0 ? -errno : 0;
	close(context);
	return error ? error : fd;
}

static int read_apart(const char *path, char **ret)
{
	int folder = mount_apart();
	if (folder < 0)
		return folder;
	int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;
	char *text = error ? NULL : calloc(1, FORMAT_MAX_BYTES);
	if (!error && !text)
		error = -ENOMEM;
	ssize_t nr = error ? 0 : read(fd, text, FORMAT_MAX_BYTES - 1);
	if (nr < 0)
		error = -errno;
	if (fd >= 0)
		close(fd);
	close(folder);
	if (error) {
		free(text);
		return error;
	}
	*ret = text;
	return 0;
}

int tracepoint_find(const struct root *root, const char *group_and_name, uint64_t *ret_number,
		    struct tracepoint_field *fields, size_t nr_fields)
{
	char path[256], *text = NULL;
	snprintf(path, sizeof(path), "sys/kernel/tracing/events/%s/format", group_and_name);
	int error = root_read(root, path, &text);
	if (error == -ENOENT && root->is_host)
		error = read_apart(path + strlen("sys/kernel/tracing/"), &text);
	if (error)
		return error;
	error = tracepoint_parse(text, ret_number, fields, nr_fields);
	free(text);
	return error;
}

uint64_t tracepoint_value(const struct tracepoint_field *field, const void *raw, size_t nr_bytes)
{
	uint64_t value = 0;
	if ((size_t)field->offset + field->nr_bytes <= nr_bytes)
		memcpy(&value, (const char *)raw + field->offset, field->nr_bytes);
	return value; /* little-endian: x86-64 and what else runs Linux with tiers */
}
