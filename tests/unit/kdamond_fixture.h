/* SPDX-License-Identifier: MIT */
/* DAMON's files in sysfs, which only keep what was written. */
#ifndef BERTH_TEST_KDAMOND_FIXTURE_H
#define BERTH_TEST_KDAMOND_FIXTURE_H

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "linux/kdamond.h"
#include "root_fixture.h"

#define ADMIN	       "sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT	       ADMIN "0/contexts/0/"
#define UPDATE	       CONTEXT "monitoring_attrs/intervals/update_us"
#define FIXTURE_RANGES 4

static void expect(const char *path, const char *text)
{
	char *now = NULL;
	assert_int_equal(root_read(&root, path, &now), 0);
	assert_string_equal(now, text);
	free(now);
}

/* What the kernel would make when it is told the numbers. */
static void put_slot(unsigned slot)
{
	static const struct {
		const char *path, *text;
	} files[] = {
		{ "state", "off" },
		{ "pid", "77" },
		{ "contexts/nr_contexts", "0" },
		{ "contexts/0/operations", "none" },
		{ "contexts/0/monitoring_attrs/intervals/sample_us", "1" },
		{ "contexts/0/monitoring_attrs/intervals/aggr_us", "1" },
		{ "contexts/0/monitoring_attrs/intervals/update_us", "60000000" },
		{ "contexts/0/monitoring_attrs/nr_regions/min", "1" },
		{ "contexts/0/monitoring_attrs/nr_regions/max", "1" },
		{ "contexts/0/targets/nr_targets", "0" },
		{ "contexts/0/targets/0/pid_target", "0" },
		{ "contexts/0/targets/0/regions/nr_regions", "0" },
		{ "contexts/0/targets/1/pid_target", "0" },
		{ "contexts/0/schemes/nr_schemes", "0" },
		{ "contexts/0/schemes/0/action", "stat" },
		{ "contexts/0/schemes/0/target_nid", "0" },
		{ "contexts/0/schemes/0/access_pattern/sz/max", "0" },
		{ "contexts/0/schemes/0/access_pattern/nr_accesses/max", "0" },
		{ "contexts/0/schemes/0/access_pattern/age/max", "0" },
		{ "contexts/0/schemes/0/stats/nr_tried", "3" },
		{ "contexts/0/schemes/0/stats/sz_tried", "12288" },
		{ "contexts/0/schemes/0/stats/sz_applied", "8192" },
	};
	char path[192];
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), ADMIN "%u/%s", slot, files[i].path);
		put(path, files[i].text);
	}
	for (unsigned i = 0; i < 2 * FIXTURE_RANGES; i++) {
		snprintf(path, sizeof(path), ADMIN "%u/contexts/0/targets/0/regions/%u/%s", slot,
			 i / 2, i % 2 ? "end" : "start");
		put(path, "0");
	}
}

static void setup(void)
{
	root_begin();
	put(ADMIN "nr_kdamonds", "0");
	for (unsigned slot = 0; slot < KDAMOND_SLOTS; slot++)
		put_slot(slot);
	put("proc/77/schedstat", "123456 789 10");
}

static struct journal new_journal(void)
{
	static const struct journal_owner self = { "41220923-f7a4-4d43-be70-86207927daa9", 4711,
						   238247 };
	struct journal journal;
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(journal_create(fd, &self, &journal, NULL), 0);
	return journal;
}

static void drop(struct journal *journal)
{
	int fd = journal->directory_fd;
	journal_fini(journal);
	close(fd);
}

#endif
