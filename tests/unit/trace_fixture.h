/* SPDX-License-Identifier: MIT */
/* What the tests of recordings share: a scratch directory, a small recording, and reading one to
 * the end. */
#ifndef BERTH_TEST_TRACE_FIXTURE_H
#define BERTH_TEST_TRACE_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "trace/trace.h"
#include "trace/writer.h"

static char scratch[64];

static void scratch_make(void)
{
	strcpy(scratch, "/tmp/berth-trace-XXXXXX");
	assert_non_null(mkdtemp(scratch));
}

static void scratch_remove(void)
{
	DIR *dir = opendir(scratch);
	struct dirent *entry;
	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(scratch);
}

static const char *scratch_path(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", scratch, name);
	return path;
}

static struct trace_space fixture_spaces[4] = {
	{ .id = 0, .parent = TRACE_NONE, .pid = 100, .name = (char *)"sh" },
	{ .id = 1, .parent = 0, .pid = 101, .name = (char *)"ls \"x\"" },
	{ .id = 2, .parent = 0, .pid = -1, .name = (char *)"" },
	{ .id = 3,
	  .kind = TRACE_SPACE_FILE,
	  .parent = TRACE_NONE,
	  .pid = -1,
	  .name = (char *)"/f" },
};

static char *fixture_notes[] = { (char *)"exec of /bin/ls was not recorded" };

static char *fixture_settings[] = { (char *)"numa_balancing=2", (char *)"" };

static struct trace_memory fixture_memory[] = {
	{ 0, 131072, 120000, 110000, 1000, 1250, 1500, TRACE_UNKNOWN, 6000, 4000, 0 },
	{ 3, 65536, 65536, 65535, 0, 0, 0, 0, 1, 0, 0 },
};

static struct trace_info fixture_info(void)
{
	return (struct trace_info){
		.page_bytes = 4096,
		.ns_per_ktick = 300,
		.streams = TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES | TRACE_STREAM_NODES,
		.interval_ns = NS_PER_MS,
		.cache = { 2 * MIB, 16, 64, 32 },
		.recorder = (char *)"test",
		.program = (char *)"sh -c ls",
		.exit_status = 3,
		.native_ns = TRACE_UNKNOWN,
		.nr_references = 123456,
		.spaces = fixture_spaces,
		.nr_spaces = 4,
		.notes = fixture_notes,
		.nr_notes = 1,
		.machine = (char *)"node:dram:512MiB@80ns:cpus=0 node:cxl:256MiB@250ns",
		.kernel = (char *)"6.12.95",
		.settings = fixture_settings,
		.nr_settings = 2,
		.memory = fixture_memory,
		.nr_memory = 2,
	};
}

__attribute__((unused)) static void write_bytes(const char *path, const void *bytes,
						size_t nr_bytes)
{
	unlink(path); /* truncating would wait for the disk */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, nr_bytes), (ssize_t)nr_bytes);
	close(fd);
}

__attribute__((unused)) static uint8_t *read_bytes(const char *path, size_t *ret_nr)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	uint8_t *bytes = malloc((size_t)status.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
	close(fd);
	*ret_nr = (size_t)status.st_size;
	return bytes;
}

#endif
