/* SPDX-License-Identifier: MIT */
/* Making and removing a kdamond (kdamond.h). */
#include "linux/kdamond.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/process.h"

#define ADMIN	     "sys/kernel/mm/damon/admin/kdamonds"
#define CONTEXT	     "0/contexts/0/"
#define INTERVALS    CONTEXT "monitoring_attrs/intervals/"
#define REGIONS	     CONTEXT "monitoring_attrs/nr_regions/"
#define TARGETS	     CONTEXT "targets/"
#define ORIGINAL     "none"
#define UPDATE_US    1000000
#define MARKS	     99991 /* a prime, so that neighbouring pids differ */
#define TRY_AGAIN_NS (2 * NS_PER_MS)
#define TRIES	     1000 /* two seconds: an aggregation of ours is at most that long */

static const struct {
	const char *name, *module;
} exclusive[] = { { "DAMON_STAT", "damon_stat" },
		  { "DAMON_RECLAIM", "damon_reclaim" },
		  { "DAMON_LRU_SORT", "damon_lru_sort" } };

static bool is_enabled(const struct root *root, const char *module)
{
	char path[128], *text = NULL;
	snprintf(path, sizeof(path), "sys/module/%s/parameters/enabled", module);
	bool is_on = root_read(root, path, &text) == 0 && (*text == 'Y' || *text == '1');
	free(text);
	return is_on;
}

static int refuse_exclusive(const struct root *root, struct printbuf *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(exclusive); i++)
		if (is_enabled(root, exclusive[i].module))
			return error_set(err, -EOPNOTSUPP,
					 "%s runs and keeps DAMON to itself; echo N "
					 ">/sys/module/%s/parameters/enabled",
					 exclusive[i].name, exclusive[i].module);
	return 0;
}

int kdamond_probe(const struct root *root, struct printbuf *err)
{
	uint64_t nr = 0;
	int error = root_read_u64(root, ADMIN "/nr_kdamonds", &nr);
	if (error == -ENOENT)
		return error_set(err, -EOPNOTSUPP,
				 "this kernel has no DAMON in sysfs; use one with "
				 "CONFIG_DAMON_VADDR and CONFIG_DAMON_SYSFS");
	if (error)
		return error_set(err, error == -EACCES ? -EPERM : error,
				 "/" ADMIN "/nr_kdamonds cannot be read: %s; run as root",
				 error_text(error));
	if (root->is_host && faccessat(root->fd, ADMIN "/nr_kdamonds", W_OK, AT_EACCESS) < 0)
		return error_set(err, -EPERM, "/" ADMIN " may not be written; run as root");
	if (nr > 0)
		return error_set(err, -EOPNOTSUPP,
				 "somebody made %llu kdamond%s, and making another would remove "
				 "what is there; stop them where they were started (damo stop), "
				 "then echo 0 >/" ADMIN "/nr_kdamonds",
				 (unsigned long long)nr, nr == 1 ? "" : "s");
	return refuse_exclusive(root, err);
}

static void pause_ns(uint64_t ns)
{
	struct timespec time = { .tv_nsec = (long)ns };
	nanosleep(&time, NULL);
}

/* The kernel's lock is only tried: whoever reads a file of the list at the same time makes a write
 * fail. */
static int write_again(const struct root *root, const char *path, const char *value)
{
	int error = -EBUSY;
	for (unsigned i = 0; i < TRIES && error == -EBUSY; i++) {
		if (i > 0)
			pause_ns(TRY_AGAIN_NS);
		error = rootfile_write(root, path, value);
	}
	return error;
}

static int put(const struct kdamond *kdamond, uint64_t value, struct printbuf *err,
	       const char *format, ...) berth_printf(4, 5);

static int put(const struct kdamond *kdamond, uint64_t value, struct printbuf *err,
	       const char *format, ...)
{
	PRINTBUF(path);
	char text[32];
	va_list args;
	prt_str(&path, ADMIN "/");
	va_start(args, format);
	prt_vprintf(&path, format, args);
	va_end(args);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	int error = write_again(kdamond->root, printbuf_str(&path), text);
	return error ? error_set(err, error, "/%s: cannot be set to %s: %s", printbuf_str(&path),
				 text, error_text(error))
		     : 0;
}

/* Reading fails with EBUSY, as writing does. */
static int read_text(const struct root *root, const char *path, char **ret)
{
	int error = -EBUSY;
	for (unsigned i = 0; i < TRIES && error == -EBUSY; i++) {
		if (i > 0)
			pause_ns(TRY_AGAIN_NS);
		error = root_read(root, path, ret);
	}
	return error;
}

static int read_number(const struct root *root, const char *path, uint64_t *ret)
{
	char *text = NULL;
	int error = read_text(root, path, &text);
	if (!error)
		*ret = strtoull(text, NULL, 10);
	free(text);
	return error;
}

static bool is_running(const struct root *root)
{
	char *text = NULL;
	bool is_on = read_text(root, ADMIN "/0/state", &text) == 0 && strcmp(text, "on") == 0;
	free(text);
	return is_on;
}

/* There is one kdamond, and it has this mark. */
static bool has_mark(const struct root *root, uint64_t mark_us)
{
	uint64_t nr = 0, us = 0;
	return read_number(root, ADMIN "/nr_kdamonds", &nr) == 0 && nr == 1 &&
	       read_number(root, ADMIN "/" INTERVALS "update_us", &us) == 0 && us == mark_us;
}

/* One, off, without targets: nothing of anybody's is in it. */
static bool is_empty(const struct root *root)
{
	uint64_t nr = 0, nr_contexts = 0, nr_targets = 0;
	if (read_number(root, ADMIN "/nr_kdamonds", &nr) < 0 || nr != 1 || is_running(root) ||
	    read_number(root, ADMIN "/0/contexts/nr_contexts", &nr_contexts) < 0)
		return false;
	return nr_contexts == 0 ||
	       (nr_contexts == 1 &&
		read_number(root, ADMIN "/" TARGETS "nr_targets", &nr_targets) == 0 &&
		nr_targets == 0);
}

static int turn_off(const struct root *root)
{
	for (unsigned i = 0; i < TRIES && is_running(root); i++) {
		if (i > 0)
			pause_ns(TRY_AGAIN_NS);
		rootfile_write(root, ADMIN "/0/state", "off"); /* refused: it has just ended */
	}
	return is_running(root) ? -EBUSY : 0;
}

static int remove_one(const struct root *root)
{
	int error = turn_off(root);
	return error ? error : write_again(root, ADMIN "/nr_kdamonds", "0");
}

static int journal_it(struct journal *journal, uint64_t mark_us, struct printbuf *err)
{
	uint32_t change;
	char mark[32];
	if (!journal)
		return error_set(err, -EROFS, "damon: nothing may be changed here");
	snprintf(mark, sizeof(mark), "%llu", (unsigned long long)mark_us);
	int error = journal_add_change(journal, KDAMOND_KIND, "0", ORIGINAL, &change, err);
	return error ? error : journal_add_value(journal, change, mark, err);
}

int kdamond_make(const struct root *root, struct journal *journal, struct kdamond *ret,
		 struct printbuf *err)
{
	struct kdamond kdamond = { .root = root };
	int error = kdamond_probe(root, err);
	if (error)
		return error;
	uint64_t own = journal ? journal->owner.pid * 4099 + journal->owner.start_ticks : 0;
	kdamond.mark_us = UPDATE_US + 1 + own % MARKS;
	error = journal_it(journal, kdamond.mark_us, err);
	if (!error)
		error = put(&kdamond, 1, err, "nr_kdamonds");
	if (error)
		return error;
	error = put(&kdamond, 1, err, "0/contexts/nr_contexts");
	if (!error)
		error = put(&kdamond, kdamond.mark_us, err, INTERVALS "update_us");
	if (error) {
		kdamond_remove(&kdamond);
		return error;
	}
	*ret = kdamond;
	return 0;
}

static int set_targets(const struct kdamond *kdamond, const struct kdamond_settings *settings,
		       struct printbuf *err)
{
	uint32_t nr = MIN(settings->nr_targets, KDAMOND_TARGETS_MAX);
	int error = put(kdamond, nr, err, TARGETS "nr_targets");
	for (uint32_t i = 0; i < nr && !error; i++)
		error = put(kdamond, (uint64_t)settings->targets[i], err, TARGETS "%u/pid_target",
			    i);
	return error;
}

static int set_up(const struct kdamond *kdamond, const struct kdamond_settings *settings,
		  struct printbuf *err)
{
	int error = write_again(kdamond->root, ADMIN "/" CONTEXT "operations", "vaddr");
	if (error)
		return error_set(err, error == -EINVAL ? -EOPNOTSUPP : error,
				 "DAMON does not watch virtual addresses here: %s; use a kernel "
				 "with CONFIG_DAMON_VADDR",
				 error_text(error));
	error = put(kdamond, settings->sample_us, err, INTERVALS "sample_us");
	if (!error)
		error = put(kdamond, settings->aggregation_us, err, INTERVALS "aggr_us");
	if (!error) /* the least first would be more than the most of before */
		error = put(kdamond, 3, err, REGIONS "min");
	if (!error)
		error = put(kdamond, settings->max_regions, err, REGIONS "max");
	if (!error)
		error = put(kdamond, settings->min_regions, err, REGIONS "min");
	return error ? error : set_targets(kdamond, settings, err);
}

static int turn_on(struct kdamond *kdamond, struct printbuf *err)
{
	uint64_t pid = 0;
	if (!has_mark(kdamond->root, kdamond->mark_us))
		return error_set(err, -EBUSY,
				 "somebody else rewrote /" ADMIN " meanwhile: it is theirs now");
	int error = write_again(kdamond->root, ADMIN "/0/state", "on");
	if (error == -EBUSY && refuse_exclusive(kdamond->root, err))
		return -EOPNOTSUPP;
	if (error == -EINVAL || error == -ESRCH)
		return -ESRCH; /* a target ended before it could be looked at */
	if (error)
		return error_set(err, error, "the kdamond cannot be turned on: %s",
				 error_text(error));
	error = read_number(kdamond->root, ADMIN "/0/pid", &pid);
	kdamond->pid = error || (int64_t)pid < 0 ? 0 : (pid_t)pid;
	return kdamond->pid ? 0 : -ESRCH; /* all its targets have ended already */
}

int kdamond_start(struct kdamond *kdamond, const struct kdamond_settings *settings,
		  struct printbuf *err)
{
	if (!has_mark(kdamond->root, kdamond->mark_us))
		return error_set(err, -EBUSY, "the kdamond is gone: somebody rewrote /" ADMIN);
	int error = turn_off(kdamond->root);
	kdamond->pid = 0;
	if (error)
		return error_set(err, error, "the kdamond does not turn off");
	error = set_up(kdamond, settings, err);
	return error ? error : turn_on(kdamond, err);
}

bool kdamond_is_on(const struct kdamond *kdamond)
{
	return kdamond->pid && is_running(kdamond->root);
}

uint64_t kdamond_cpu_ns(const struct kdamond *kdamond)
{
	char path[64];
	uint64_t ns = 0;
	snprintf(path, sizeof(path), "proc/%d/schedstat", kdamond->pid);
	if (kdamond->pid)
		read_number(kdamond->root, path, &ns); /* "RUN WAIT SLICES" */
	return ns;
}

void kdamond_remove(struct kdamond *kdamond)
{
	if (!kdamond || !kdamond->root)
		return;
	if (has_mark(kdamond->root, kdamond->mark_us) || is_empty(kdamond->root))
		remove_one(kdamond->root);
	*kdamond = (struct kdamond){ 0 };
}

int kdamond_undo(const struct root *root, const struct journal_change *change,
		 enum journal_outcome *ret, struct printbuf *err)
{
	uint64_t nr = 0;
	bool is_ours = false;
	int error = read_number(root, ADMIN "/nr_kdamonds", &nr);
	if (error == -ENOENT || (!error && nr == 0)) {
		*ret = JOURNAL_GONE;
		return 0;
	}
	for (uint32_t i = 0; i < change->nr_values && !error; i++)
		is_ours |= has_mark(root, strtoull(change->values[i], NULL, 10));
	if (!error && (is_ours || is_empty(root))) {
		error = remove_one(root);
		is_ours = true;
	}
	if (error)
		return error_set(err, error,
				 "berth's kdamond cannot be taken away: %s; `berth restore` "
				 "tries again",
				 error_text(error));
	*ret = is_ours ? JOURNAL_RESTORED : JOURNAL_LEFT_ALONE;
	return 0;
}
