/* SPDX-License-Identifier: MIT */
/* Undoing what journals hold (undo.h). */
#include "linux/undo.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/cgroup.h"
#include "linux/hold.h"
#include "linux/kdamond.h"
#include "linux/process.h"

#define ENVIRON_BYTES ((size_t)256 * 1024)

static bool is_alive(void *context, const struct journal_owner *owner)
{
	struct undo *undo = context;
	undo->owner = *owner;
	return process_is_alive(undo->root, owner);
}

int undo_mask_is_known(const struct journal_change *change, const struct set *mask,
		       const struct set *online)
{
	bool is_known = false;
	for (uint32_t i = change->nr_values; i-- > 0 && !is_known;) {
		struct set value = SET_EMPTY;
		int error = set_parse(change->values[i], &value);
		if (error == -ENOMEM)
			return error;
		if (error)
			continue;
		set_and(&value, online);
		is_known = set_is_equal(&value, mask);
		set_fini(&value);
	}
	return is_known;
}

static bool has_mark(const struct root *root, const char *name, const char *mark, char *buffer)
{
	char path[64];
	snprintf(path, sizeof(path), "proc/%s/environ", name);
	int fd = rootfile_open(root, path, O_RDONLY);
	if (fd < 0)
		return false;
	ssize_t nr = read(fd, buffer, ENVIRON_BYTES);
	close(fd);
	return nr > 0 && memmem(buffer, (size_t)nr, mark, strlen(mark) + 1); /* with its NUL */
}

/* Processes of the job, wherever they were born. */
static int find_marked(const struct undo *undo, struct task_list *list)
{
	struct root_names names = { 0 };
	char mark[64], *buffer = malloc(ENVIRON_BYTES);
	snprintf(mark, sizeof(mark), UNDO_MARK "=%llu-%llu", (unsigned long long)undo->owner.pid,
		 (unsigned long long)undo->owner.start_ticks);
	int error = buffer ? root_list(undo->root, "proc", &names) : -ENOMEM;
	for (size_t i = 0; !error && i < names.nr; i++) {
		const char *name = names.items[i];
		if (name[0] >= '1' && name[0] <= '9' && has_mark(undo->root, name, mark, buffer))
			error = task_list_add(list, (pid_t)atoll(name));
	}
	root_names_fini(&names);
	free(buffer);
	return error;
}

struct restoring {
	const struct journal_change *change;
	struct set original, online;
	uint32_t nr_restored, nr_unchanged, nr_left_alone;
	int error;
};

/* What cannot be looked at for lack of memory may have to be restored: an error, so that the
 * journal stays. */
static void restore_thread(struct restoring *restoring, pid_t tid)
{
	struct set mask;
	int error = affinity_get(tid, &mask);
	if (error == -ENOMEM)
		restoring->error = error;
	if (error)
		return; /* it has ended */
	int is_known = undo_mask_is_known(restoring->change, &mask, &restoring->online);
	if (is_known < 0) {
		restoring->error = is_known;
	} else if (is_known) {
		error = affinity_set(tid, &restoring->original);
		if (error && error != -ESRCH)
			restoring->error = error;
		restoring->nr_restored += !error;
	} else if (set_is_equal(&mask, &restoring->original)) {
		restoring->nr_unchanged++;
	} else {
		restoring->nr_left_alone++;
	}
	set_fini(&mask);
}

/* Threads are born while this runs: again until nothing is left to restore. */
static int restore_processes(const struct undo *undo, struct restoring *restoring, pid_t first,
			     bool is_marked)
{
	uint32_t before;
	int rounds = 0, error;
	do {
		struct task_list list = { 0 };
		before = restoring->nr_restored;
		error = first <= 0  ? 0
			: is_marked ? task_list_add(&list, first)
				    : process_tree(undo->root, first, &list);
		if (!error && is_marked)
			error = find_marked(undo, &list);
		for (size_t i = 0; !error && i < list.nr; i++) {
			struct task_list threads = { 0 };
			int missing = process_threads(undo->root, list.items[i], &threads);
			if (missing == -ENOMEM)
				error = missing;
			if (missing)
				continue; /* it has ended */
			for (size_t j = 0; j < threads.nr; j++)
				restore_thread(restoring, threads.items[j]);
			task_list_fini(&threads);
		}
		task_list_fini(&list);
	} while (!error && restoring->nr_restored > before && ++rounds < 16);
	return error ? error : restoring->error;
}

static int undo_affinity(const struct undo *undo, const struct journal_change *change,
			 bool is_marked, enum journal_outcome *ret, struct printbuf *err)
{
	struct restoring restoring = { .change = change };
	struct journal_owner program = { 0 };
	char *end;
	program.pid = strtoull(change->object, &end, 10);
	if (*end == ':')
		program.start_ticks = strtoull(end + 1, NULL, 10);
	int error = set_parse(change->original, &restoring.original);
	if (error)
		return error_set(err, error, "%s: not a list of CPUs", change->original);
	error = root_read_set(undo->root, "sys/devices/system/cpu/online", &restoring.online);
	if (!error) {
		bool is_same = process_is_alive(undo->root, &program);
		error = restore_processes(undo, &restoring, is_same ? (pid_t)program.pid : 0,
					  is_marked);
		set_fini(&restoring.online);
	}
	set_fini(&restoring.original);
	if (error)
		return error_set(
			err, error, "affinity of %s: %s%s", change->object, error_text(error),
			error == -EPERM ? "; programs of other users need CAP_SYS_NICE" : "");
	*ret = restoring.nr_restored	 ? JOURNAL_RESTORED
	       : restoring.nr_left_alone ? JOURNAL_LEFT_ALONE
	       : restoring.nr_unchanged	 ? JOURNAL_UNCHANGED
					 : JOURNAL_GONE;
	return 0;
}

static int undo_cgroup(const struct undo *undo, const struct journal_change *change,
		       enum journal_outcome *ret, struct printbuf *err)
{
	int error = cgroup_remove(undo->root, change->object, change->original);
	if (error && error != -ENOENT)
		return error_set(err, error,
				 "cgroup /%s: cannot be removed: %s; `berth restore` tries again",
				 change->object, error_text(error));
	*ret = error ? JOURNAL_GONE : JOURNAL_RESTORED;
	return 0;
}

static int undo_controller(const struct undo *undo, const struct journal_change *change,
			   enum journal_outcome *ret)
{
	PRINTBUF(path);
	prt_printf(&path, "%s/cgroup.subtree_control", change->object);
	int error = rootfile_write(undo->root, printbuf_str(&path), change->original);
	*ret = error == 0 ? JOURNAL_RESTORED : error == -ENOENT ? JOURNAL_GONE : JOURNAL_LEFT_ALONE;
	return 0;
}

static int undo_change(void *context, const struct journal_change *change,
		       enum journal_outcome *ret, struct printbuf *err)
{
	const struct undo *undo = context;
	if (strcmp(change->kind, "affinity") == 0)
		return undo_affinity(undo, change, true, ret, err);
	if (strcmp(change->kind, UNDO_PROCESS) == 0)
		return undo_affinity(undo, change, false, ret, err);
	if (strcmp(change->kind, "cgroup") == 0)
		return undo_cgroup(undo, change, ret, err);
	if (strcmp(change->kind, "controller") == 0)
		return undo_controller(undo, change, ret);
	if (strcmp(change->kind, KDAMOND_KIND) == 0)
		return kdamond_undo(undo->root, change, ret, err);
	if (strcmp(change->kind, HOLD_KIND) == 0)
		return hold_undo(undo->root, change, ret, err);
	return error_set(err, -EOPNOTSUPP,
			 "a change of kind \"%s\" in the journal: made by a newer berth; restore "
			 "with that one",
			 change->kind);
}

const struct journal_ops undo_ops = { is_alive, undo_change };

static char *directory_path(const struct root *root, const char *chosen)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char *path = NULL;
	int nr = 0;
	if (chosen)
		return strdup(chosen);
	if (!root->is_host)
		nr = asprintf(&path, "%s/run/berth", root->path);
	else if (geteuid() == 0)
		nr = asprintf(&path, "/run/berth");
	else if (runtime && *runtime == '/')
		nr = asprintf(&path, "%s/berth", runtime);
	return nr < 0 ? NULL : path;
}

/* Others must not be able to put journals there: they would have us write their values. */
static int open_owned(const char *path, int *ret_fd, struct printbuf *err)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : error_file(err, -errno, path, "open");
	if (fstat(fd, &status) < 0 || status.st_uid != geteuid() || status.st_mode & 022) {
		close(fd);
		return error_set(err, -EPERM,
				 "%s: belongs to somebody else, or others may write there; "
				 "remove it, or name another with --state",
				 path);
	}
	*ret_fd = fd;
	return 0;
}

int undo_open_directory(const struct root *root, const char *chosen, bool make, int *ret_fd,
			struct printbuf *err)
{
	char *path = directory_path(root, chosen);
	if (!path)
		return error_set(err, -ENXIO,
				 "XDG_RUNTIME_DIR is not set: no place for the restore journal; "
				 "name a directory with --state");
	int error = make && mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
	if (error)
		error_file(err, error, path, "write");
	else
		error = open_owned(path, ret_fd, err);
	free(path);
	return error;
}
