/* SPDX-License-Identifier: MIT */
/* Files that were cut, damaged or forged, and disks that are full: a clear error or a part of the
 * truth, never a crash, never other events. */
#include "test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "trace/format.h"
#include "trace_fixture.h"

#define MAX_EVENTS 512

struct seen {
	unsigned kind;
	uint32_t space;
	uint64_t time_ns, page;
};

struct content {
	struct seen events[MAX_EVENTS];
	unsigned nr;
};

static void append_some(struct trace_appender *appender, uint64_t ticks, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		const struct trace_mapping mapping = { .time_ns = ticks + i,
						       .page = i * 5,
						       .nr_pages = 3,
						       .name = i ? "/lib/x" : "" };
		trace_append_access(appender, ticks + 10 * i, 0x7fff00 + i * i, i & 31, i / 3);
		if (i % 4 == 0) {
			trace_append_mapping(appender, &mapping);
			trace_append_sample(appender, ticks + i, 7, i, 9, 1, 2);
			trace_append_count(appender, ticks + i, i, 1, 2);
			trace_append_blocked(appender, ticks + i, 1, 5000);
		}
	}
	assert_int_equal(trace_appender_flush(appender), 0);
}

static void make_small(const char *path)
{
	struct trace_info info = fixture_info();
	int fd = -1;
	assert_int_equal(trace_create(path, &info, &fd, NULL), 0);
	for (uint32_t space = 0; space < 2; space++) {
		struct trace_appender *appender = NULL;
		assert_int_equal(trace_appender_new(fd, space, 4096, &appender), 0);
		append_some(appender, space * 17, 8);
		append_some(appender, 1000, 8);
		trace_appender_free(appender);
	}
	close(fd);
	assert_int_equal(trace_finish(path, &info, NULL), 0);
}

/* 0, or the error of opening or reading; what was read before is in content. */
static int read_content(const char *path, struct content *content, bool *ret_is_cut)
{
	struct trace_reader *reader = NULL;
	const struct trace_batch *batch;
	PRINTBUF(err);
	content->nr = 0;
	*ret_is_cut = false;
	int more = trace_open(path, NULL, &reader, &err);
	if (more == 0)
		*ret_is_cut = trace_info(reader)->is_cut;
	while (more == 0 && (more = trace_next(reader, &batch, &err)) == 1) {
		more = 0;
		for (uint32_t i = 0; i < batch->nr && content->nr < MAX_EVENTS; i++) {
			bool is_mapping = batch->kind == TRACE_MAPPINGS;
			assert_true(batch->space < trace_info(reader)->nr_spaces);
			content->events[content->nr++] = (struct seen){
				batch->kind, batch->space,
				is_mapping ? batch->mappings[i].time_ns : batch->time_ns[i],
				is_mapping ? batch->mappings[i].page : batch->page[i]
			};
		}
		if (batch->nr == 0)
			break;
	}
	if (more < 0)
		assert_true(err.pos > 0);
	trace_close(reader);
	return more;
}

/* Every event of part is in whole, in the same order. */
static bool is_part(const struct content *part, const struct content *whole)
{
	unsigned at = 0;
	for (unsigned i = 0; i < part->nr; i++) {
		while (at < whole->nr &&
		       memcmp(&part->events[i], &whole->events[at], sizeof(struct seen)) != 0)
			at++;
		if (at++ == whole->nr)
			return false;
	}
	return true;
}

static struct content whole, part;

static uint8_t *start(size_t *ret_nr)
{
	bool is_cut;
	scratch_make();
	memset(&whole, 0, sizeof(whole));
	memset(&part, 0, sizeof(part));
	make_small(scratch_path("a.berth"));
	assert_int_equal(read_content(scratch_path("a.berth"), &whole, &is_cut), 0);
	assert_false(is_cut);
	assert_int_equal(whole.nr, 2 * (16 + 4 * 4));
	return read_bytes(scratch_path("a.berth"), ret_nr);
}

/* A file in memory, by a path: thousands of changes would keep a disk busy. */
static int memory_file(const uint8_t *bytes, size_t nr_bytes, char path[32])
{
	int fd = memfd_create("damage", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, nr_bytes), (ssize_t)nr_bytes);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static void test_cut_at_every_byte(void **state)
{
	size_t nr_bytes;
	unsigned most = 0;
	uint8_t *bytes = start(&nr_bytes);
	char path[32];
	int fd = memory_file(bytes, 0, path);
	for (size_t cut = 0; cut < nr_bytes; cut++) {
		bool is_cut;
		int error = read_content(path, &part, &is_cut);
		assert_int_equal(pwrite(fd, bytes + cut, 1, (off_t)cut), 1);
		if (error == 0)
			assert_true(is_cut);
		assert_true(part.nr >= most); /* more bytes, not fewer events */
		assert_true(is_part(&part, &whole));
		most = part.nr;
	}
	assert_int_equal(most, whole.nr);
	close(fd);
	free(bytes);
	scratch_remove();
}

static void test_flip_of_every_bit(void **state)
{
	size_t nr_bytes;
	uint8_t *bytes = start(&nr_bytes);
	unsigned nr_errors = 0, nr_cut = 0, nr_unseen = 0;
	char path[32];
	int fd = memory_file(bytes, nr_bytes, path);
	for (size_t bit = 0; bit < nr_bytes * 8; bit++) {
		bool is_cut;
		uint8_t changed = (uint8_t)(bytes[bit / 8] ^ 1 << bit % 8);
		assert_int_equal(pwrite(fd, &changed, 1, (off_t)(bit / 8)), 1);
		int error = read_content(path, &part, &is_cut);
		assert_int_equal(pwrite(fd, &bytes[bit / 8], 1, (off_t)(bit / 8)), 1);
		assert_true(is_part(&part, &whole));
		if (error == 0 && !is_cut)
			assert_int_equal(part.nr, whole.nr);
		nr_errors += error != 0;
		nr_cut += is_cut;
		nr_unseen += error == 0 && !is_cut;
	}
	/* Only the first copy of the info, which the last one supersedes, may change unseen. */
	assert_true(nr_errors > 0 && nr_cut > 0);
	assert_true(nr_unseen < nr_bytes * 8 / 3);
	close(fd);
	free(bytes);
	scratch_remove();
}

/* A block torn by a killed writer in the middle of what others wrote. */
static void test_torn_block_is_passed_over(void **state)
{
	struct trace_info info = fixture_info();
	struct trace_appender *appender = NULL;
	uint8_t torn[300];
	bool is_cut;
	int fd = -1;
	scratch_make();
	assert_int_equal(trace_create(scratch_path("a.berth"), &info, &fd, NULL), 0);
	assert_int_equal(trace_appender_new(fd, 0, 4096, &appender), 0);
	append_some(appender, 0, 8);
	int part_fd = open(scratch_path("a.berth.part"), O_RDONLY | O_CLOEXEC);
	off_t end = lseek(part_fd, 0, SEEK_END);
	assert_int_equal(pread(part_fd, torn, sizeof(torn), end - 500), sizeof(torn));
	close(part_fd);
	frame_pack(torn, &(struct frame){ .type = FRAME_EVENTS,
					  .nr_events = 9,
					  .raw_bytes = 1000,
					  .stored_bytes = 1000 });
	assert_int_equal(write(fd, torn, sizeof(torn)), sizeof(torn));
	append_some(appender, 1000, 8);
	assert_int_equal(write(fd, torn, sizeof(torn)), sizeof(torn));
	trace_appender_free(appender);
	close(fd);
	assert_int_equal(read_content(scratch_path("a.berth.part"), &part, &is_cut), 0);
	assert_true(is_cut);
	assert_int_equal(part.nr, 2 * (8 + 4 * 2));
	assert_int_equal(trace_finish(scratch_path("a.berth"), &info, NULL), 0);
	assert_int_equal(read_content(scratch_path("a.berth"), &part, &is_cut), 0);
	assert_false(is_cut);
	assert_int_equal(part.nr, 2 * (8 + 4 * 2));
	scratch_remove();
}

/* Sizes and counts beyond any sense, with checksums that are right. */
static void test_forged_frames_are_refused(void **state)
{
	size_t nr_bytes;
	uint8_t *bytes = start(&nr_bytes);
	const struct frame good = {
		.type = FRAME_EVENTS, .nr_events = 1, .raw_bytes = 100, .stored_bytes = 100
	};
	struct frame forged[7], read;
	uint8_t packed[FRAME_HEADER_BYTES];
	for (unsigned i = 0; i < ARRAY_SIZE(forged); i++)
		forged[i] = good;
	forged[1].nr_events = UINT32_MAX;
	forged[2].raw_bytes = UINT64_MAX;
	forged[3].stored_bytes = (uint64_t)1 << 60;
	forged[4].space = TRACE_MAX_SPACES;
	forged[5].kind = TRACE_NR_KINDS;
	forged[6].first_ticks = 1;
	for (unsigned i = 0; i < ARRAY_SIZE(forged); i++) {
		frame_pack(packed, &forged[i]);
		assert_int_equal(frame_unpack(packed, &read), i == 0 ? 0 : -EBADMSG);
	}
	free(bytes);
	scratch_remove();
}

static void check_refused(const char *path, int wanted, const char *words)
{
	struct trace_reader *reader = NULL;
	PRINTBUF(err);
	assert_int_equal(trace_open(path, NULL, &reader, &err), wanted);
	assert_null(reader);
	if (!strstr(printbuf_str(&err), words))
		fail_msg("\"%s\" does not say \"%s\"", printbuf_str(&err), words);
}

static void test_what_is_no_recording_is_refused(void **state)
{
	uint8_t head[HEAD_BYTES];
	scratch_make();
	write_bytes(scratch_path("empty"), "", 0);
	write_bytes(scratch_path("text"), "Dear diary,\n", 12);
	check_refused(scratch_path("empty"), -EBADMSG, "is empty");
	check_refused(scratch_path("text"), -EBADMSG, "not a recording");
	check_refused(scratch, -EISDIR, "is a directory");
	check_refused("/dev/null", -ESPIPE, "not an ordinary file");
	check_refused(scratch_path("none"), -ENOENT, "No such file");
	head_pack(head, TRACE_MAJOR);
	write_bytes(scratch_path("head"), head, sizeof(head));
	check_refused(scratch_path("head"), -EBADMSG, "before its first block");
	head[8] = TRACE_MAJOR_MAX + 1;
	uint32_t sum = checksum_of(head, 12);
	memcpy(head + 12, &sum, sizeof(sum));
	write_bytes(scratch_path("later"), head, sizeof(head));
	check_refused(scratch_path("later"), -EOPNOTSUPP, "use a later berth");
	scratch_remove();
}

static void test_targets_that_cannot_be_written(void **state)
{
	struct trace_info info = fixture_info();
	int fd = -1;
	PRINTBUF(err);
	scratch_make();
	assert_int_equal(trace_create(scratch, &info, &fd, &err), -EISDIR);
	assert_int_equal(trace_create("/dev/null", &info, &fd, &err), -ESPIPE);
	assert_int_equal(trace_create(scratch_path("no/a.berth"), &info, &fd, &err), -ENOENT);
	assert_int_equal(fd, -1);
	scratch_remove();
}

/* In a child whose files may not grow beyond a limit. */
static void full_disk_child(const char *path)
{
	struct rlimit limit = { 100000, 100000 };
	struct trace_info info = fixture_info();
	struct trace_appender *appender = NULL;
	struct random random;
	int fd = -1, error = 0;
	signal(SIGXFSZ, SIG_IGN);
	random_init(&random, 1);
	if (setrlimit(RLIMIT_FSIZE, &limit) || trace_create(path, &info, &fd, NULL) ||
	    trace_appender_new(fd, 0, 4096, &appender))
		_exit(1);
	for (unsigned i = 0; i < 300000 && !error; i++) {
		error = trace_append_access(appender, i * 64, random_below(&random, 1000), 0, 0);
		if (i % 10000 == 0 && !error)
			error = trace_appender_flush(appender);
	}
	_exit(error && trace_append_access(appender, 1, 1, 1, 1) == error &&
			      trace_appender_flush(appender) == error
		      ? 0
		      : 2);
}

static void full_disk_finish_child(const char *path, off_t size)
{
	struct rlimit limit = { (rlim_t)size, (rlim_t)size };
	struct trace_info info = fixture_info();
	PRINTBUF(err);
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit))
		_exit(1);
	_exit(trace_finish(path, &info, &err) < 0 && strstr(printbuf_str(&err), "cannot write")
		      ? 0
		      : 2);
}

static void expect_success(pid_t pid)
{
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static uint64_t count_accesses(const char *path, bool wanted_cut)
{
	struct trace_reader *reader = NULL;
	assert_int_equal(trace_open(path, NULL, &reader, NULL), 0);
	assert_int_equal(trace_info(reader)->is_cut, wanted_cut);
	uint64_t nr = trace_info(reader)->nr_events[TRACE_ACCESSES];
	trace_close(reader);
	return nr;
}

/* The error is sticky; what was whole stays readable; the end waits until there is room. */
static void test_full_disk_leaves_what_was_whole(void **state)
{
	struct trace_info info = fixture_info();
	scratch_make();
	const char *path = scratch_path("a.berth"), *part_path = scratch_path("a.berth.part");
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		full_disk_child(path);
	expect_success(pid);
	uint64_t nr = count_accesses(part_path, true);
	assert_in_range(nr, 10000, 300000);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		full_disk_finish_child(path, 4000);
	expect_success(pid);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(count_accesses(part_path, true), nr);
	assert_int_equal(trace_finish(path, &info, NULL), 0);
	assert_int_equal(count_accesses(path, false), nr);
	assert_int_equal(access(part_path, F_OK), -1);
	scratch_remove();
}
