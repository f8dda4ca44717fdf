/* SPDX-License-Identifier: MIT */
/* CPUs that a job may not have, on machines that are directories: which, why, and what there is.
 * And a cpuset that somebody else rewrote or removed, where the kernel is a file. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/job.h"

#define CGROUP "sys/fs/cgroup/slice"

struct fixture {
	char path[32];
	struct root root;
	struct job_wish wish;
	struct job job;
	struct printbuf err;
};

static char first[16]; /* a CPU that this test may really use; captured machines have it too */

static void find_first(void)
{
	struct set own;
	assert_int_equal(affinity_get(0, &own), 0);
	snprintf(first, sizeof(first), "%d", (int)set_next(&own, 0));
	set_fini(&own);
}

static void put(const struct fixture *fixture, const char *path, const char *text)
{
	char whole[256];
	snprintf(whole, sizeof(whole), "%s/%s", fixture->path, path);
	for (char *slash = strchr(whole + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(whole, 0755);
		*slash = '/';
	}
	FILE *file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void init(struct fixture *fixture, const char *online, const char *prefer, const char *allow)
{
	*fixture = (struct fixture){ .path = "/tmp/berth-check-XXXXXX" };
	find_first();
	assert_non_null(mkdtemp(fixture->path));
	put(fixture, "sys/devices/system/cpu/online", online);
	assert_int_equal(root_open(fixture->path, &fixture->root, NULL), 0);
	assert_int_equal(set_parse(prefer, &fixture->wish.prefer), 0);
	if (allow)
		assert_int_equal(set_parse(allow, &fixture->wish.allow), 0);
	fixture->err = PRINTBUF_HEAP;
	fixture->job = (struct job){ .root = &fixture->root, .wish = &fixture->wish };
}

static void fini(struct fixture *fixture)
{
	char command[64];
	struct job *job = &fixture->job;
	cgroup_fini(&job->group);
	set_fini(&job->original);
	set_fini(&job->online);
	set_fini(&job->allowed);
	set_fini(&job->mask);
	free(job->distances);
	set_fini(&fixture->wish.prefer);
	set_fini(&fixture->wish.allow);
	printbuf_fini(&fixture->err);
	root_fini(&fixture->root);
	snprintf(command, sizeof(command), "rm -r %s", fixture->path);
	assert_int_equal(system(command), 0);
}

static void expect(const char *online, const char *prefer, const char *allow, const char *sentence)
{
	struct fixture fixture;
	init(&fixture, online, prefer, allow);
	int error = job_check(&fixture.job, &fixture.err);
	assert_string_equal(printbuf_str(&fixture.err), sentence);
	assert_int_equal(error, *sentence ? -EINVAL : 0);
	fini(&fixture);
}

static void test_offline_cpus_are_named(void **state)
{
	char list[64], sentence[256];
	find_first();
	snprintf(list, sizeof(list), "%s,4000-4007,4012", first);
	snprintf(sentence, sizeof(sentence),
		 "--prefer: CPU 4008-4011 is offline or does not exist; online are %s", list);
	expect(list, "4008-4012", NULL, sentence);
	snprintf(sentence, sizeof(sentence),
		 "--allow: CPU 4013 is offline or does not exist; online are %s", list);
	expect(list, first, "4000-4007,4013", sentence);
	expect(first, first, NULL, "");
}

static void test_preferred_is_not_within_allowed(void **state)
{
	char list[64], sentence[256];
	find_first();
	snprintf(list, sizeof(list), "%s,4000-4007", first);
	snprintf(sentence, sizeof(sentence), "--prefer 4000 is not within --allow %s", first);
	expect(list, "4000", first, sentence);
}

/* Online, but berth itself may not use it: its own mask does not have it. */
static void test_the_mask_of_berth_is_the_limit(void **state)
{
	char list[64], sentence[256];
	PRINTBUF(own);
	struct set mask;
	find_first();
	assert_int_equal(affinity_get(0, &mask), 0);
	set_to_text(&own, &mask);
	set_fini(&mask);
	snprintf(list, sizeof(list), "%s,4000", first);
	snprintf(sentence, sizeof(sentence),
		 "--prefer 4000 is not within the affinity that berth was started with (taskset): "
		 "%s",
		 printbuf_str(&own));
	expect(list, "4000", NULL, sentence);
}

static void make_group(struct fixture *fixture, const char *granted)
{
	put(fixture, CGROUP "/cpuset.cpus.effective", granted);
	fixture->job.group = (struct cgroup){ .version = 2, .home = strdup(CGROUP) };
}

static void test_the_cpuset_of_berth_is_the_limit(void **state)
{
	struct fixture fixture;
	char list[64];
	find_first();
	snprintf(list, sizeof(list), "%s,4000", first);
	init(&fixture, list, "4000", NULL);
	make_group(&fixture, first);
	assert_int_equal(job_check(&fixture.job, &fixture.err), -EINVAL);
	const char *said = printbuf_str(&fixture.err);
	assert_non_null(strstr(said, "--prefer 4000 is not within what the cpuset /" CGROUP
				     " leaves to berth: "));
	fini(&fixture);
}

/* A job in a group whose files are ordinary ones: what is written is what is read. */
static void begin_job(struct fixture *fixture, int *state_fd)
{
	struct job *job = &fixture->job;
	struct journal_owner self = { .boot = "boot", .pid = 1, .start_ticks = 1 };
	*state_fd = open(fixture->path, O_RDONLY | O_DIRECTORY);
	make_group(fixture, first);
	job->group.path = strdup(CGROUP);
	job->uses_cgroup = true;
	assert_int_equal(set_parse(first, &job->mask), 0);
	assert_int_equal(set_parse(first, &job->allowed), 0);
	assert_int_equal(set_add(&job->allowed, 4000), 0);
	assert_int_equal(set_copy(&job->online, &job->allowed), 0);
	assert_int_equal(set_add(&job->online, 4001), 0);
	assert_int_equal(journal_create(*state_fd, &self, &job->journal, NULL), 0);
	assert_int_equal(journal_add_change(&job->journal, "cgroup", CGROUP, "sys/fs/cgroup",
					    &job->change, NULL),
			 0);
	put(fixture, CGROUP "/cpuset.cpus", "");
	assert_int_equal(job_place(job, &fixture->err), 0);
	assert_false(job->is_backed_off);
}

static void end_job(struct fixture *fixture, int state_fd)
{
	assert_string_equal(printbuf_str(&fixture->err), "");
	journal_fini(&fixture->job.journal);
	close(state_fd);
	fini(fixture);
}

static void test_rewritten_cpuset_is_left_alone(void **state)
{
	struct fixture fixture;
	int fd;
	init(&fixture, first, first, NULL);
	begin_job(&fixture, &fd);
	assert_int_equal(job_place(&fixture.job, &fixture.err), 0);
	assert_false(fixture.job.is_backed_off); /* still what berth wrote */
	put(&fixture, CGROUP "/cpuset.cpus.effective", "4001");
	put(&fixture, CGROUP "/cpuset.cpus", "4001");
	assert_int_equal(job_place(&fixture.job, &fixture.err), 0);
	assert_true(fixture.job.is_backed_off);
	char *text;
	assert_int_equal(root_read(&fixture.root, CGROUP "/cpuset.cpus", &text), 0);
	assert_string_equal(text, "4001");
	free(text);
	end_job(&fixture, fd);
}

/* What a group above lost, or what went offline, is not somebody else's wish. */
static void test_shrunken_cpuset_is_still_ours(void **state)
{
	struct fixture fixture;
	int fd;
	init(&fixture, first, first, NULL);
	begin_job(&fixture, &fd);
	assert_int_equal(set_add(&fixture.job.mask, 4000), 0);
	assert_int_equal(job_place(&fixture.job, &fixture.err), 0);
	set_fini(&fixture.job.online);
	assert_int_equal(set_parse(first, &fixture.job.online), 0);
	put(&fixture, CGROUP "/cpuset.cpus.effective", first); /* 4000 is offline by now */
	assert_int_equal(job_place(&fixture.job, &fixture.err), 0);
	assert_false(fixture.job.is_backed_off);
	end_job(&fixture, fd);
}

static void test_vanished_group_is_left_alone(void **state)
{
	struct fixture fixture;
	char path[96];
	int fd;
	init(&fixture, first, first, NULL);
	begin_job(&fixture, &fd);
	snprintf(path, sizeof(path), "rm -r %s/" CGROUP, fixture.path);
	assert_int_equal(system(path), 0);
	assert_int_equal(job_place(&fixture.job, &fixture.err), 0);
	assert_true(fixture.job.is_backed_off);
	end_job(&fixture, fd);
}
