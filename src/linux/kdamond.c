/* SPDX-License-Identifier: MIT */
/* Making and removing a kdamond (kdamond.h). */
#include "linux/kdamond.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/process.h"

#define ADMIN	     "sys/kernel/mm/damon/admin/kdamonds"
#define CONTEXT	     "%u/contexts/0/"
#define INTERVALS    CONTEXT "monitoring_attrs/intervals/"
#define REGIONS	     CONTEXT "monitoring_attrs/nr_regions/"
#define TARGETS	     CONTEXT "targets/"
#define SCHEMES	     CONTEXT "schemes/"
#define PATH_BYTES   192
#define OBJECT	     "0-2" /* slots, in the journal */
#define ORIGINAL     "none"
#define UPDATE_US    1000000
#define MARKS	     99991 /* a prime, so that neighbouring pids differ */
#define TRY_AGAIN_NS (2 * NS_PER_MS)
#define TRIES	     1000 /* two seconds: an aggregation of ours is at most that long */
#define ALL	     "18446744073709551615"
#define ALL_32	     "4294967295"

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

static bool has_mark(const struct kdamond_list *list);

int kdamond_probe(const struct root *root, const struct kdamond_list *list, struct printbuf *err)
{
	uint64_t nr = 0;
	if (list && list->used && has_mark(list))
		return 0;
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

/* The kernel's lock is only tried: whoever reads a file of the list at the same time makes a write
 * fail. */
static int write_again(const struct root *root, const char *path, const char *value)
{
	int error = -EBUSY;
	for (unsigned i = 0; i < TRIES && error == -EBUSY; i++) {
		if (i > 0)
			clock_sleep_ns(TRY_AGAIN_NS);
		error = rootfile_write(root, path, value);
	}
	return error;
}

static void path_in(char *ret, const char *format, va_list args)
{
	size_t nr = sizeof(ADMIN);
	memcpy(ret, ADMIN "/", nr);
	vsnprintf(ret + nr, PATH_BYTES - nr, format, args);
}

static int put_text(const struct kdamond_list *list, const char *text, struct printbuf *err,
		    const char *format, ...) berth_printf(4, 5);

static int put_text(const struct kdamond_list *list, const char *text, struct printbuf *err,
		    const char *format, ...)
{
	char path[PATH_BYTES];
	va_list args;
	va_start(args, format);
	path_in(path, format, args);
	va_end(args);
	int error = write_again(list->root, path, text);
	return error ? error_set(err, error, "/%s: cannot be set to %s: %s", path, text,
				 error_text(error))
		     : 0;
}

static int put(const struct kdamond_list *list, uint64_t value, struct printbuf *err,
	       const char *format, ...) berth_printf(4, 5);

static int put(const struct kdamond_list *list, uint64_t value, struct printbuf *err,
	       const char *format, ...)
{
	char path[PATH_BYTES], text[32];
	va_list args;
	va_start(args, format);
	path_in(path, format, args);
	va_end(args);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	int error = write_again(list->root, path, text);
	return error ? error_set(err, error, "/%s: cannot be set to %s: %s", path, text,
				 error_text(error))
		     : 0;
}

/* Reading fails with EBUSY, as writing does. */
static int read_text(const struct root *root, const char *path, char **ret)
{
	int error = -EBUSY;
	for (unsigned i = 0; i < TRIES && error == -EBUSY; i++) {
		if (i > 0)
			clock_sleep_ns(TRY_AGAIN_NS);
		error = root_read(root, path, ret);
	}
	return error;
}

static int read_number(const struct root *root, uint64_t *ret, const char *format, ...)
	berth_printf(3, 4);

static int read_number(const struct root *root, uint64_t *ret, const char *format, ...)
{
	char path[PATH_BYTES], *text = NULL;
	va_list args;
	va_start(args, format);
	path_in(path, format, args);
	va_end(args);
	int error = read_text(root, path, &text);
	if (!error)
		*ret = strtoull(text, NULL, 10);
	free(text);
	return error;
}

static bool is_running(const struct root *root, uint32_t slot)
{
	char path[PATH_BYTES], *text = NULL;
	snprintf(path, sizeof(path), ADMIN "/%u/state", slot);
	bool is_on = read_text(root, path, &text) == 0 && strcmp(text, "on") == 0;
	free(text);
	return is_on;
}

/* There are as many as we make, and the first has this mark. */
static bool is_marked(const struct root *root, uint64_t mark_us)
{
	uint64_t nr = 0, us = 0;
	return read_number(root, &nr, "nr_kdamonds") == 0 && nr == KDAMOND_SLOTS &&
	       read_number(root, &us, INTERVALS "update_us", 0) == 0 && us == mark_us;
}

static bool has_mark(const struct kdamond_list *list)
{
	return is_marked(list->root, list->mark_us);
}

/* Off, without targets. */
static bool is_slot_empty(const struct root *root, uint32_t slot)
{
	uint64_t nr_contexts = 0, nr_targets = 0;
	if (is_running(root, slot) ||
	    read_number(root, &nr_contexts, "%u/contexts/nr_contexts", slot) < 0)
		return false;
	return nr_contexts == 0 ||
	       (nr_contexts == 1 &&
		read_number(root, &nr_targets, TARGETS "nr_targets", slot) == 0 && nr_targets == 0);
}

/* As many as we make, and nothing of anybody's is in them. */
static bool is_empty(const struct root *root)
{
	uint64_t nr = 0;
	if (read_number(root, &nr, "nr_kdamonds") < 0 || nr != KDAMOND_SLOTS)
		return false;
	for (uint32_t slot = 0; slot < KDAMOND_SLOTS; slot++)
		if (!is_slot_empty(root, slot))
			return false;
	return true;
}

static int turn_off(const struct root *root, uint32_t slot)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof(path), ADMIN "/%u/state", slot);
	for (unsigned i = 0; i < TRIES && is_running(root, slot); i++) {
		if (i > 0)
			clock_sleep_ns(TRY_AGAIN_NS);
		rootfile_write(root, path, "off"); /* refused: it has just ended */
	}
	return is_running(root, slot) ? -EBUSY : 0;
}

static int remove_all(const struct root *root)
{
	for (uint32_t slot = 0; slot < KDAMOND_SLOTS; slot++) {
		int error = turn_off(root, slot);
		if (error)
			return error;
	}
	return write_again(root, ADMIN "/nr_kdamonds", "0");
}

static int journal_it(struct journal *journal, uint64_t mark_us, struct printbuf *err)
{
	uint32_t change;
	char mark[32];
	if (!journal)
		return error_set(err, -EROFS, "damon: nothing may be changed here");
	snprintf(mark, sizeof(mark), "%llu", (unsigned long long)mark_us);
	int error = journal_add_change(journal, KDAMOND_KIND, OBJECT, ORIGINAL, &change, err);
	return error ? error : journal_add_value(journal, change, mark, err);
}

static void remove_list(struct kdamond_list *list)
{
	if (has_mark(list) || is_empty(list->root))
		remove_all(list->root);
	*list = (struct kdamond_list){ 0 };
}

static int make_list(struct kdamond_list *list, const struct root *root, struct journal *journal,
		     struct printbuf *err)
{
	int error = kdamond_probe(root, NULL, err);
	if (error)
		return error;
	uint64_t own = journal ? journal->owner.pid * 4099 + journal->owner.start_ticks : 0;
	*list = (struct kdamond_list){ root, UPDATE_US + 1 + own % MARKS, 0 };
	error = journal_it(journal, list->mark_us, err);
	if (!error)
		error = put(list, KDAMOND_SLOTS, err, "nr_kdamonds");
	if (error) {
		*list = (struct kdamond_list){ 0 };
		return error;
	}
	error = put(list, 1, err, "0/contexts/nr_contexts");
	if (!error)
		error = put(list, list->mark_us, err, INTERVALS "update_us", 0);
	if (error)
		remove_list(list);
	return error;
}

int kdamond_make(struct kdamond_list *list, const struct root *root, struct journal *journal,
		 struct kdamond *ret, struct printbuf *err)
{
	struct kdamond kdamond = { .list = list };
	if (list->used && !has_mark(list))
		return error_set(err, -EBUSY, "the kdamonds are gone: somebody rewrote /" ADMIN);
	int error = list->used ? 0 : make_list(list, root, journal, err);
	if (error)
		return error;
	while (kdamond.slot < KDAMOND_SLOTS && list->used >> kdamond.slot & 1)
		kdamond.slot++;
	if (kdamond.slot == KDAMOND_SLOTS)
		return error_set(err, -EBUSY, "damon: all its users at a time are %u",
				 KDAMOND_SLOTS);
	list->used |= 1u << kdamond.slot;
	if (kdamond.slot > 0)
		error = put(list, 1, err, "%u/contexts/nr_contexts", kdamond.slot);
	if (error) {
		kdamond_remove(&kdamond);
		return error;
	}
	*ret = kdamond;
	return 0;
}

static int set_ranges(const struct kdamond *kdamond, const struct kdamond_settings *settings,
		      struct printbuf *err)
{
	const struct kdamond_list *list = kdamond->list;
	uint32_t nr = MIN(settings->nr_ranges, KDAMOND_RANGES_MAX), slot = kdamond->slot;
	int error = nr ? put(list, nr, err, TARGETS "0/regions/nr_regions", slot) : 0;
	for (uint32_t i = 0; i < nr && !error; i++) {
		error = put(list, settings->ranges[i].start, err, TARGETS "0/regions/%u/start",
			    slot, i);
		if (!error)
			error = put(list, settings->ranges[i].end, err, TARGETS "0/regions/%u/end",
				    slot, i);
	}
	return error;
}

static int set_targets(const struct kdamond *kdamond, const struct kdamond_settings *settings,
		       struct printbuf *err)
{
	const struct kdamond_list *list = kdamond->list;
	bool is_physical = settings->is_physical;
	uint32_t nr = is_physical ? 1 : MIN(settings->nr_targets, KDAMOND_TARGETS_MAX);
	int error = put(list, nr, err, TARGETS "nr_targets", kdamond->slot);
	for (uint32_t i = 0; i < nr && !is_physical && !error; i++)
		error = put(list, (uint64_t)settings->targets[i], err, TARGETS "%u/pid_target",
			    kdamond->slot, i);
	return error ? error : set_ranges(kdamond, settings, err);
}

static int refuse_action(const char *action, int error, struct printbuf *err)
{
	return error_set(err, error == -EINVAL || error == -ENOENT ? -EOPNOTSUPP : error,
			 "DAMON cannot %s here: %s; Linux can since 6.11", action,
			 error_text(error));
}

/* On every region, whatever was found of it. */
static int set_scheme(const struct kdamond *kdamond, const struct kdamond_scheme *scheme,
		      struct printbuf *err)
{
	const struct kdamond_list *list = kdamond->list;
	uint32_t slot = kdamond->slot;
	int error = put(list, scheme->action != NULL, err, SCHEMES "nr_schemes", slot);
	if (error || !scheme->action)
		return error;
	error = put_text(list, scheme->action, NULL, SCHEMES "0/action", slot);
	if (!error)
		error = put(list, scheme->target_nid, NULL, SCHEMES "0/target_nid", slot);
	if (error)
		return refuse_action(scheme->action, error, err);
	error = put_text(list, ALL, err, SCHEMES "0/access_pattern/sz/max", slot);
	if (!error)
		error = put_text(list, ALL_32, err, SCHEMES "0/access_pattern/nr_accesses/max",
				 slot);
	if (!error)
		error = put_text(list, ALL_32, err, SCHEMES "0/access_pattern/age/max", slot);
	return error;
}

static int set_operations(const struct kdamond *kdamond, bool is_physical, struct printbuf *err)
{
	int error = put_text(kdamond->list, is_physical ? "paddr" : "vaddr", NULL,
			     CONTEXT "operations", kdamond->slot);
	return error ? error_set(err, error == -EINVAL ? -EOPNOTSUPP : error,
				 "DAMON does not watch %s addresses here: %s; use a kernel with "
				 "CONFIG_DAMON_%s",
				 is_physical ? "physical" : "virtual", error_text(error),
				 is_physical ? "PADDR" : "VADDR")
		     : 0;
}

static int set_up(const struct kdamond *kdamond, const struct kdamond_settings *settings,
		  struct printbuf *err)
{
	const struct kdamond_list *list = kdamond->list;
	uint32_t slot = kdamond->slot;
	int error = set_operations(kdamond, settings->is_physical, err);
	if (!error)
		error = put(list, settings->sample_us, err, INTERVALS "sample_us", slot);
	if (!error)
		error = put(list, settings->aggregation_us, err, INTERVALS "aggr_us", slot);
	if (!error) /* the least first would be more than the most of before */
		error = put(list, 3, err, REGIONS "min", slot);
	if (!error)
		error = put(list, settings->max_regions, err, REGIONS "max", slot);
	if (!error)
		error = put(list, settings->min_regions, err, REGIONS "min", slot);
	if (!error)
		error = set_targets(kdamond, settings, err);
	return error ? error : set_scheme(kdamond, &settings->scheme, err);
}

static int turn_on(struct kdamond *kdamond, struct printbuf *err)
{
	const struct root *root = kdamond->list->root;
	uint64_t pid = 0;
	if (!has_mark(kdamond->list))
		return error_set(err, -EBUSY,
				 "somebody else rewrote /" ADMIN " meanwhile: it is theirs now");
	int error = put_text(kdamond->list, "on", NULL, "%u/state", kdamond->slot);
	if (error == -EBUSY && refuse_exclusive(root, err))
		return -EOPNOTSUPP;
	if (error == -EINVAL || error == -ESRCH)
		return -ESRCH; /* a target ended before it could be looked at */
	if (error)
		return error_set(err, error, "the kdamond cannot be turned on: %s",
				 error_text(error));
	error = read_number(root, &pid, "%u/pid", kdamond->slot);
	kdamond->pid = error || (int64_t)pid < 0 ? 0 : (pid_t)pid;
	return kdamond->pid ? 0 : -ESRCH; /* all its targets have ended already */
}

int kdamond_stop(struct kdamond *kdamond)
{
	kdamond->pid = 0;
	return has_mark(kdamond->list) ? turn_off(kdamond->list->root, kdamond->slot) : -EBUSY;
}

int kdamond_start(struct kdamond *kdamond, const struct kdamond_settings *settings,
		  struct printbuf *err)
{
	if (!has_mark(kdamond->list))
		return error_set(err, -EBUSY, "the kdamond is gone: somebody rewrote /" ADMIN);
	int error = kdamond_stop(kdamond);
	if (error)
		return error_set(err, error, "the kdamond does not turn off");
	error = set_up(kdamond, settings, err);
	return error ? error : turn_on(kdamond, err);
}

bool kdamond_is_on(const struct kdamond *kdamond)
{
	return kdamond->pid && is_running(kdamond->list->root, kdamond->slot);
}

int kdamond_read_stats(const struct kdamond *kdamond, struct kdamond_stats *ret)
{
	const struct root *root = kdamond->list->root;
	struct kdamond_stats stats = { 0 };
	uint32_t slot = kdamond->slot;
	int error = put_text(kdamond->list, "update_schemes_stats", NULL, "%u/state", slot);
	if (error)
		return error == -EINVAL ? -ENODATA : error;
	error = read_number(root, &stats.nr_tried, SCHEMES "0/stats/nr_tried", slot);
	if (!error)
		error = read_number(root, &stats.tried_bytes, SCHEMES "0/stats/sz_tried", slot);
	if (!error)
		error = read_number(root, &stats.applied_bytes, SCHEMES "0/stats/sz_applied", slot);
	if (!error)
		*ret = stats;
	return error;
}

uint64_t kdamond_cpu_ns(const struct kdamond *kdamond)
{
	char path[64];
	uint64_t ns = 0;
	char *text = NULL;
	snprintf(path, sizeof(path), "proc/%d/schedstat", kdamond->pid);
	if (kdamond->pid && root_read(kdamond->list->root, path, &text) == 0)
		ns = strtoull(text, NULL, 10); /* "RUN WAIT SLICES" */
	free(text);
	return ns;
}

void kdamond_remove(struct kdamond *kdamond)
{
	if (!kdamond || !kdamond->list)
		return;
	struct kdamond_list *list = kdamond->list;
	list->used &= ~(1u << kdamond->slot);
	if (!list->used)
		remove_list(list);
	else if (has_mark(list))
		turn_off(list->root, kdamond->slot);
	*kdamond = (struct kdamond){ 0 };
}

int kdamond_undo(const struct root *root, const struct journal_change *change,
		 enum journal_outcome *ret, struct printbuf *err)
{
	uint64_t nr = 0;
	bool is_ours = false;
	int error = read_number(root, &nr, "nr_kdamonds");
	if (error == -ENOENT || (!error && nr == 0)) {
		*ret = JOURNAL_GONE;
		return 0;
	}
	for (uint32_t i = 0; i < change->nr_values && !error; i++)
		is_ours |= is_marked(root, strtoull(change->values[i], NULL, 10));
	if (!error && (is_ours || is_empty(root))) {
		error = remove_all(root);
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
