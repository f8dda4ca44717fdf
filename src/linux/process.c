/* SPDX-License-Identifier: MIT */
/* Who a process is and where it may run (process.h). Source: proc(5), sched_setaffinity(2). */
#include "linux/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

#define PATH_SIZE      96
#define AFFINITY_BYTES (SET_MAX / 8)
#define FIELD_OF_STATE 3 /* of /proc/PID/stat; the name before it may hold anything */
#define FIELD_OF_START 22

int rootfile_open(const struct root *root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root->fd, path, &how, sizeof(how));
	if (fd < 0 && root->is_host && (errno == ENOSYS || errno == EPERM))
		fd = openat(root->fd, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

uint32_t kernel_version_of(const char *release)
{
	unsigned major = 0, minor = 0;
	if (sscanf(release, "%3u.%3u", &major, &minor) != 2)
		return 0;
	return major * 1000 + minor;
}

uint32_t kernel_version(const struct root *root)
{
	char *release = NULL;
	int error = root_read(root, "proc/sys/kernel/osrelease", &release);
	uint32_t version = error ? 0 : kernel_version_of(release);
	free(release);
	return version;
}

int rootfile_write(const struct root *root, const char *path, const char *text)
{
	/* Cut only where it is an ordinary file, of a captured root: the kernel's take no notice.
	 */
	int fd = rootfile_open(root, path, O_WRONLY | O_TRUNC);
	if (fd < 0)
		return fd;
	ssize_t nr;
	do
		nr = write(fd, text, strlen(text));
	while (nr < 0 && errno == EINTR);
	int error = nr < 0 ? -errno : 0;
	close(fd);
	return error;
}

int process_start_ticks(const struct root *root, pid_t pid, uint64_t *ret)
{
	char path[PATH_SIZE], *text = NULL;
	snprintf(path, sizeof(path), "proc/%d/stat", pid);
	int error = root_read(root, path, &text);
	if (error)
		return error;
	char *at = strrchr(text, ')');
	error = at ? 0 : -EBADMSG;
	if (!error && at[1] == ' ' && (at[2] == 'Z' || at[2] == 'X'))
		error = -ESRCH;
	for (int field = FIELD_OF_STATE - 1; !error && field < FIELD_OF_START; field++) {
		at = strchr(at + 1, ' ');
		if (!at) {
			error = -EBADMSG;
			break;
		}
	}
	if (!error)
		*ret = strtoull(at + 1, NULL, 10);
	free(text);
	return error;
}

int process_boot_id(const struct root *root, char ret_boot[JOURNAL_BOOT_SIZE])
{
	char *text = NULL;
	int error = root_read(root, "proc/sys/kernel/random/boot_id", &text);
	if (!error && strlen(text) >= JOURNAL_BOOT_SIZE)
		error = -EBADMSG;
	if (!error)
		strcpy(ret_boot, text);
	free(text);
	return error;
}

int process_self(const struct root *root, struct journal_owner *ret, struct printbuf *err)
{
	struct journal_owner owner = { .pid = (uint64_t)getpid() };
	int error = process_boot_id(root, owner.boot);
	if (error)
		return error_file(err, error, "/proc/sys/kernel/random/boot_id", "read");
	error = process_start_ticks(root, getpid(), &owner.start_ticks);
	if (error)
		return error_file(err, error, "/proc/self/stat", "read");
	*ret = owner;
	return 0;
}

bool process_is_alive(const struct root *root, const struct journal_owner *owner)
{
	uint64_t start_ticks;
	int error = process_start_ticks(root, (pid_t)owner->pid, &start_ticks);
	if (error)
		return error != -ENOENT && error != -ESRCH;
	return start_ticks == owner->start_ticks;
}

int task_list_add(struct task_list *list, pid_t pid)
{
	if (list->nr == PROCESS_MAX_TASKS)
		return -EOVERFLOW;
	if ((list->nr & (list->nr - 1)) == 0) {
		pid_t *items = realloc(list->items, MAX(list->nr * 2, 1) * sizeof(*items));
		if (!items)
			return -ENOMEM;
		list->items = items;
	}
	list->items[list->nr++] = pid;
	return 0;
}

void task_list_fini(struct task_list *list)
{
	free(list->items);
	*list = (struct task_list){ 0 };
}

struct folder { /* numbers that are the names of entries, read part by part */
	int fd;
	ssize_t at, nr;
	char bytes[16384];
};

/* As <dirent.h> does, but without reading ahead of what is wanted. 0: no more. */
static pid_t next_number(struct folder *folder)
{
	for (;;) {
		if (folder->at >= folder->nr) {
			folder->at = 0;
			folder->nr = syscall(SYS_getdents64, folder->fd, folder->bytes,
					     sizeof(folder->bytes));
		}
		if (folder->nr <= 0)
			return 0;
		const struct dirent64 *entry = (void *)(folder->bytes + folder->at);
		folder->at += entry->d_reclen;
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			return (pid_t)atol(entry->d_name);
	}
}

static int open_threads(const struct root *root, pid_t pid)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof(path), "proc/%d/task", pid);
	return rootfile_open(root, path, O_RDONLY | O_DIRECTORY);
}

int process_threads(const struct root *root, pid_t pid, struct task_list *ret)
{
	struct task_list list = { 0 };
	struct folder folder = { .fd = open_threads(root, pid) };
	int error = folder.fd < 0 ? folder.fd : 0;
	for (pid_t tid; !error && (tid = next_number(&folder)) > 0;)
		error = task_list_add(&list, tid);
	if (folder.fd >= 0)
		close(folder.fd);
	if (error)
		task_list_fini(&list);
	else
		*ret = list;
	return error;
}

size_t process_some_threads(const struct root *root, pid_t pid, pid_t *ret, size_t max)
{
	struct folder folder = { .fd = max > 0 ? open_threads(root, pid) : -1 };
	size_t nr = 0;
	for (pid_t tid; folder.fd >= 0 && nr < max && (tid = next_number(&folder)) > 0;)
		ret[nr++] = tid;
	if (folder.fd >= 0)
		close(folder.fd);
	return nr;
}

static int add_children(const struct root *root, pid_t pid, pid_t tid, struct task_list *list)
{
	char path[PATH_SIZE], *text = NULL, *end;
	int error = 0;
	snprintf(path, sizeof(path), "proc/%d/task/%d/children", pid, tid);
	error = root_read(root, path, &text);
	if (error)
		return error == -ENOMEM ? error : 0; /* it ended, or the kernel has no such file */
	for (char *at = text; !error; at = end) {
		long child = strtol(at, &end, 10);
		if (end == at)
			break;
		if (child > 0)
			error = task_list_add(list, (pid_t)child);
	}
	free(text);
	return error;
}

static int add_grandchildren(const struct root *root, pid_t pid, size_t max_threads,
			     struct task_list *list)
{
	struct folder folder = { .fd = open_threads(root, pid) };
	int error = 0;
	for (pid_t tid;
	     folder.fd >= 0 && !error && max_threads-- > 0 && (tid = next_number(&folder)) > 0;)
		error = add_children(root, pid, tid, list);
	if (folder.fd >= 0)
		close(folder.fd);
	return error;
}

int process_some_tree(const struct root *root, pid_t pid, size_t max_processes, size_t max_threads,
		      struct task_list *ret)
{
	struct task_list list = { 0 };
	int error = task_list_add(&list, pid);
	for (size_t i = 0; !error && i < list.nr && list.nr <= max_processes; i++)
		error = add_grandchildren(root, list.items[i], max_threads, &list);
	bool has_more = list.nr > max_processes || error == -EOVERFLOW;
	if (error && error != -EOVERFLOW) {
		task_list_fini(&list);
		return error;
	}
	list.nr = MIN(list.nr, max_processes);
	*ret = list;
	return has_more;
}

int process_tree(const struct root *root, pid_t pid, struct task_list *ret)
{
	return MIN(process_some_tree(root, pid, PROCESS_MAX_TASKS, PROCESS_MAX_TASKS, ret), 0);
}

/* The kernel wants room for all CPUs it could have: asked with ever more until it is content. */
int affinity_get(pid_t tid, struct set *ret)
{
	struct set cpus = SET_EMPTY;
	unsigned long *words = NULL;
	long nr = -1;
	for (size_t size = 128; nr < 0 && size <= AFFINITY_BYTES; size *= 4) {
		free(words);
		words = calloc(1, size);
		if (!words)
			return -ENOMEM;
		nr = syscall(SYS_sched_getaffinity, tid, size, words);
		if (nr < 0 && errno != EINVAL)
			break;
	}
	int error = nr < 0 ? -errno : 0;
	for (long bit = 0; !error && bit < nr * 8; bit++)
		if (words[bit / 64] >> bit % 64 & 1)
			error = set_add(&cpus, (uint32_t)bit);
	free(words);
	if (error)
		set_fini(&cpus);
	else
		*ret = cpus;
	return error;
}

int affinity_set(pid_t tid, const struct set *cpus)
{
	return syscall(SYS_sched_setaffinity, tid, cpus->nr_words * sizeof(*cpus->words),
		       cpus->words) < 0
		       ? -errno
		       : 0;
}

FILE *process_open_lines(const struct root *root, pid_t pid, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "proc/%d/%s", pid, name);
	int fd = rootfile_open(root, path, O_RDONLY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	if (!file && fd >= 0)
		close(fd);
	return file;
}
