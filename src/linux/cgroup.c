/* SPDX-License-Identifier: MIT */
/* Groups of jobs in cgroup v2 and v1 (cgroup.h). */
#include "linux/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/process.h"

#define REMOVE_TRIES   50 /* what is ending keeps a group for some milliseconds */
#define REMOVE_WAIT_NS 2000000
#define ROUNDS	       64 /* of moving processes that fork meanwhile */

static char *join(const char *folder, const char *name)
{
	char *path = NULL;
	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static int read_in(const struct root *root, const char *folder, const char *name, char **ret)
{
	char *path = join(folder, name);
	int error = path ? root_read(root, path, ret) : -ENOMEM;
	free(path);
	return error;
}

static int write_in(const struct root *root, const char *folder, const char *name, const char *text)
{
	char *path = join(folder, name);
	int error = path ? rootfile_write(root, path, text) : -ENOMEM;
	free(path);
	return error;
}

/* "cpuset" among words or a list with commas. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);
	for (const char *at = text; (at = strstr(at, word)); at += len) {
		bool begins = at == text || strchr(" ,", at[-1]);
		bool ends = !at[len] || strchr(" ,\n", at[len]);
		if (begins && ends)
			return true;
	}
	return false;
}

/* The path in /proc/self/cgroup of version 1's cpuset or of version 2: "3:cpuset:/a", "0::/a". */
static char *own_path(char *text, int version)
{
	for (char *save, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		bool is_it = version == 1 ? has_word(controllers + 1, "cpuset")
					  : strncmp(line, "0:", 2) == 0 && !controllers[1];
		if (is_it)
			return strdup(path);
	}
	return NULL;
}

/* A line of mountinfo: ID PARENT DEV ROOT POINT OPTIONS [MORE] - TYPE SOURCE SUPER. */
static bool parse_mount(char *line, int version, char **ret_root, char **ret_point)
{
	char *fields[6], *save, *tail = strstr(line, " - ");
	int nr = 0;
	if (!tail)
		return false;
	*tail = '\0';
	tail += 3;
	for (char *word = strtok_r(line, " ", &save); word && nr < 6;
	     word = strtok_r(NULL, " ", &save))
		fields[nr++] = word;
	bool is_it = version == 2 ? strncmp(tail, "cgroup2 ", 8) == 0
				  : strncmp(tail, "cgroup ", 7) == 0 && has_word(tail, "cpuset");
	if (nr < 5 || !is_it)
		return false;
	*ret_root = fields[3];
	*ret_point = fields[4];
	return true;
}

/* Below the root, without the slash at its begin. A group above the mount's root is not reachable.
 */
static char *home_in(char *mounts, const char *own, int version)
{
	for (char *save, *line = strtok_r(mounts, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *mount_root, *point, *home;
		if (!parse_mount(line, version, &mount_root, &point))
			continue;
		size_t len = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
		if (strncmp(own, mount_root, len) != 0 || strstr(own, "/.."))
			continue;
		if (asprintf(&home, "%s%s", point + 1, strcmp(own + len, "/") ? own + len : "") < 0)
			return NULL;
		return home;
	}
	return NULL;
}

static char *find_home(const struct root *root, int version)
{
	char *cgroups = NULL, *mounts = NULL, *own = NULL, *home = NULL;
	if (root_read(root, "proc/self/cgroup", &cgroups) == 0)
		own = own_path(cgroups, version);
	if (own && root_read(root, "proc/self/mountinfo", &mounts) == 0)
		home = home_in(mounts, own, version);
	free(cgroups);
	free(mounts);
	free(own);
	return home;
}

static bool hands_out(const struct root *root, const char *path, const char *file)
{
	char *text = NULL;
	bool has = read_in(root, path, file, &text) == 0 && has_word(text, "cpuset");
	free(text);
	return has;
}

int cgroup_find(const struct root *root, struct cgroup *ret)
{
	char *home = find_home(root, 2);
	int version = 2;
	if (!home || !hands_out(root, home, "cgroup.controllers")) {
		free(home);
		home = find_home(root, 1);
		version = 1;
	}
	if (!home)
		return -ENOENT;
	*ret = (struct cgroup){ .version = version, .home = home };
	return 0;
}

/* The controller for the children of our own group; with processes in it that is refused. */
static int choose_parent(const struct root *root, struct cgroup *group, struct journal *journal,
			 struct printbuf *err)
{
	uint32_t change;
	group->parent = strdup(group->home);
	if (!group->parent)
		return -ENOMEM;
	if (group->version == 1 || hands_out(root, group->home, "cgroup.subtree_control"))
		return 0;
	int error = journal_add_change(journal, "controller", group->home, "-cpuset", &change, err);
	if (error)
		return error;
	error = write_in(root, group->home, "cgroup.subtree_control", "+cpuset");
	if (!error)
		return 0;
	journal->changes[change].is_undone = true;
	char *slash = strrchr(group->parent, '/');
	if (slash)
		*slash = '\0';
	return slash && hands_out(root, group->parent, "cgroup.subtree_control") ? 0 : error;
}

static int copy_mems(const struct root *root, const struct cgroup *group)
{
	char *mems = NULL;
	if (group->version != 1)
		return 0;
	int error = read_in(root, group->parent, "cpuset.effective_mems", &mems);
	if (error)
		error = read_in(root, group->parent, "cpuset.mems", &mems);
	if (!error)
		error = write_in(root, group->path, "cpuset.mems", mems);
	free(mems);
	return error;
}

/* Below the root step by step: the parent is opened below it, the name has no slash. */
static int at_parent(const struct root *root, const char *path, int (*what)(int, const char *))
{
	char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int error = folder ? -EINVAL : -ENOMEM;
	if (slash && slash[1]) {
		*slash = '\0';
		int fd = rootfile_open(root, folder, O_PATH | O_DIRECTORY);
		error = fd < 0 ? fd : what(fd, slash + 1) < 0 ? -errno : 0;
		if (fd >= 0)
			close(fd);
	}
	free(folder);
	return error;
}

static int make_folder(int fd, const char *name)
{
	return mkdirat(fd, name, 0755);
}

static int remove_folder(int fd, const char *name)
{
	return unlinkat(fd, name, AT_REMOVEDIR);
}

int cgroup_make(const struct root *root, struct cgroup *group, const struct journal_owner *owner,
		struct journal *journal, struct printbuf *err)
{
	uint32_t change;
	int error = choose_parent(root, group, journal, err);
	if (error)
		return error;
	if (asprintf(&group->path, "%s/" CGROUP_PREFIX "%llu-%llu", group->parent,
		     (unsigned long long)owner->pid, (unsigned long long)owner->start_ticks) < 0)
		return -ENOMEM;
	error = journal_add_change(journal, "cgroup", group->path, group->home, &change, err);
	if (!error)
		error = at_parent(root, group->path, make_folder);
	if (error) {
		free(group->path);
		group->path = NULL;
		return error;
	}
	return copy_mems(root, group);
}

int cgroup_set_cpus(const struct root *root, const struct cgroup *group, const char *cpus)
{
	return write_in(root, group->path, "cpuset.cpus", cpus);
}

int cgroup_get_cpus(const struct root *root, const struct cgroup *group, struct set *ret)
{
	char *text = NULL;
	const char *name = group->version == 1 ? "cpuset.effective_cpus" : "cpuset.cpus.effective";
	int error = read_in(root, group->path, name, &text);
	if (!error)
		error = set_parse(text, ret);
	free(text);
	return error;
}

int cgroup_attach(const struct root *root, const struct cgroup *group, pid_t pid)
{
	char number[16];
	snprintf(number, sizeof(number), "%d", pid);
	return write_in(root, group->path, "cgroup.procs", number);
}

int cgroup_processes(const struct root *root, const struct cgroup *group, size_t max,
		     struct task_list *ret)
{
	struct task_list list = { 0 };
	char text[16384], path[PATH_MAX], *at = text;
	bool has_more = true;
	int error = snprintf(path, sizeof(path), "%s/cgroup.procs", group->path) < PATH_MAX
			    ? 0
			    : -ENAMETOOLONG;
	int fd = error ? error : rootfile_open(root, path, O_RDONLY);
	if (fd < 0)
		return fd;
	size_t nr_bytes = 0;
	while (!error && list.nr < max) {
		ssize_t nr = read(fd, text + nr_bytes, sizeof(text) - 1 - nr_bytes);
		if (nr <= 0) {
			has_more = false;
			error = nr < 0 ? -errno : 0;
			break;
		}
		nr_bytes += (size_t)nr;
		text[nr_bytes] = '\0';
		at = text;
		for (char *end; !error && list.nr < max && (end = strchr(at, '\n')); at = end + 1)
			error = task_list_add(&list, (pid_t)atol(at));
		nr_bytes = strlen(at); /* a number that is cut goes on in the next part */
		memmove(text, at, nr_bytes + 1);
	}
	close(fd);
	if (error)
		task_list_fini(&list);
	else
		*ret = list;
	return error ? error : has_more;
}

/* 0: it is empty; 1: some were moved, look again. */
static int move_back(const struct root *root, const char *path, const char *back)
{
	char *text = NULL;
	int error = read_in(root, path, "cgroup.procs", &text), nr = 0;
	if (error)
		return error;
	for (char *save, *pid = strtok_r(text, "\n", &save); pid && !error;
	     pid = strtok_r(NULL, "\n", &save), nr++) {
		error = write_in(root, back, "cgroup.procs", pid);
		if (error == -ESRCH)
			error = 0; /* it has just ended */
	}
	free(text);
	return error ? error : nr > 0;
}

int cgroup_remove(const struct root *root, const char *path, const char *back)
{
	const char *name = strrchr(path, '/');
	int left = 1, error = -EBUSY;
	if (!name || strncmp(name + 1, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) != 0)
		return -EINVAL; /* not a group that berth made */
	if (!root_has(root, path))
		return -ENOENT;
	for (int round = 0; left > 0 && round < ROUNDS; round++)
		left = move_back(root, path, back);
	for (int try = 0; error == -EBUSY && try < REMOVE_TRIES; try++) {
		if (try > 0)
			clock_sleep_ns(REMOVE_WAIT_NS);
		error = at_parent(root, path, remove_folder);
	}
	return error == -EBUSY && left < 0 ? left : error;
}

void cgroup_fini(struct cgroup *group)
{
	free(group->home);
	free(group->parent);
	free(group->path);
	*group = (struct cgroup){ 0 };
}
