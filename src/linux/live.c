/* SPDX-License-Identifier: MIT */
/* Which processes are watched (live.h). */
#include "linux/live.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/process.h"

void live_charge(struct live *live, const char *sampler, const struct live_cost *cost)
{
	uint32_t i = 0;
	while (i < live->nr_costs && strcmp(live->costs[i].sampler, sampler) != 0)
		i++;
	live->sampling_ns += cost->own_ns;
	live->kernel_ns += cost->kernel_ns;
	if (i == LIVE_COSTS_MAX)
		return;
	if (i == live->nr_costs)
		live->costs[live->nr_costs++] = (struct live_cost){ .sampler = sampler };
	live->costs[i].own_ns += cost->own_ns;
	live->costs[i].kernel_ns += cost->kernel_ns;
	live->costs[i].nr_faults += cost->nr_faults;
}

void live_costs_names(struct printbuf *out, const struct live_cost *costs, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		prt_printf(out, "%s%s", i ? "," : "", costs[i].sampler);
}

int live_init(struct live *live, const struct root *root, const struct machine *machine,
	      struct printbuf *err)
{
	*live = (struct live){
		.root = root,
		.machine = machine,
		.wake_ns = LIVE_NEVER,
		.sampling_share_bp = 200,
	};
	live->job_pages = calloc(MAX(machine->nr_nodes, 1), sizeof(*live->job_pages));
	live->meminfo_fds = malloc(MAX(machine->nr_nodes, 1) * sizeof(*live->meminfo_fds));
	for (uint32_t i = 0; live->meminfo_fds && i < machine->nr_nodes; i++)
		live->meminfo_fds[i] = -1;
	if (!live->job_pages || !live->meminfo_fds) {
		live_fini(live);
		return error_set(err, -ENOMEM, "out of memory");
	}
	int error = frames_open(root, machine, &live->frames, err);
	if (error)
		live_fini(live);
	return error;
}

static void end_space(struct live *live, struct live_space *space)
{
	if (space->pidfd < 0)
		return;
	close(space->pidfd);
	space->pidfd = -1;
	space->task = 0;
	live->nr_alive--;
	live->job_of[space - live->spaces] = POLICY_ENDED;
}

void live_fini(struct live *live)
{
	for (uint32_t i = 0; i < live->nr_spaces; i++)
		end_space(live, &live->spaces[i]);
	free(live->spaces);
	free(live->job_of);
	for (uint32_t i = 0; live->meminfo_fds && i < live->machine->nr_nodes; i++)
		if (live->meminfo_fds[i] >= 0)
			close(live->meminfo_fds[i]);
	free(live->meminfo_fds);
	free(live->job_pages);
	free(live->cgroup);
	frames_fini(&live->frames);
	*live = (struct live){ 0 };
}

static struct live_space *find_pid(struct live *live, pid_t pid)
{
	for (uint32_t i = live->nr_spaces; i-- > 0;)
		if (live->spaces[i].pid == pid && live->spaces[i].pidfd >= 0)
			return &live->spaces[i];
	return NULL;
}

static bool has_ended(const struct live_space *space)
{
	struct pollfd ask = { .fd = space->pidfd, .events = POLLIN };
	return poll(&ask, 1, 0) != 0;
}

struct live_space *live_space(struct live *live, uint32_t space)
{
	if (space >= live->nr_spaces || live->spaces[space].pidfd < 0)
		return NULL;
	if (has_ended(&live->spaces[space])) {
		end_space(live, &live->spaces[space]);
		return NULL;
	}
	return &live->spaces[space];
}

static int room_for_space(struct live *live)
{
	if (live->nr_spaces == LIVE_MAX_SPACES) {
		live->nr_unwatched++;
		return -EOVERFLOW;
	}
	if (live->nr_spaces < live->max_spaces)
		return 0;
	uint32_t max = MAX(live->max_spaces * 2, 16);
	struct live_space *spaces = realloc(live->spaces, max * sizeof(*spaces));
	if (!spaces)
		return -ENOMEM;
	live->spaces = spaces;
	uint32_t *job_of = realloc(live->job_of, max * sizeof(*job_of));
	if (!job_of)
		return -ENOMEM;
	live->job_of = job_of;
	live->max_spaces = max;
	return 0;
}

/* The pidfd first, then the start time: a process that took the pid in between has a later one, and
 * its pidfd is the older's, which has ended. */
static int add_space(struct live *live, pid_t pid, uint32_t job)
{
	int error = room_for_space(live);
	if (error)
		return error;
	long pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	struct live_space space = { .pid = pid, .pidfd = (int)pidfd, .looked = live->turn };
	error = process_start_ticks(live->root, pid, &space.start_ticks);
	if (error || has_ended(&space)) {
		close(space.pidfd);
		return error ? error : -ESRCH;
	}
	live->job_of[live->nr_spaces] = job;
	live->spaces[live->nr_spaces++] = space;
	live->nr_alive++;
	return 0;
}

static int add_process(struct live *live, pid_t pid, uint32_t job)
{
	struct live_space *known = find_pid(live, pid);
	if (known && !has_ended(known)) {
		known->looked = live->turn;
		return 0;
	}
	if (known)
		end_space(live, known);
	return add_space(live, pid, job);
}

int live_watch(struct live *live, pid_t pid, struct printbuf *err)
{
	int error = add_process(live, pid, 0);
	if (error == -ENOENT || error == -ESRCH)
		return error_set(err, -ESRCH,
				 "process %d: there is none; `ps -e` lists those that run", pid);
	if (error)
		return error_set(err, error, "process %d: %s", pid, error_text(error));
	live->top = pid;
	return live_refresh(live);
}

static int cgroup_members(const struct live *live, const char *path, struct task_list *list,
			  unsigned depth)
{
	PRINTBUF(name);
	struct root_names names = { 0 };
	char *text = NULL, *rest = NULL;
	prt_printf(&name, "%s/cgroup.procs", path);
	int error = root_read(live->root, printbuf_str(&name), &text);
	for (char *line = error ? NULL : strtok_r(text, "\n", &rest); line && !error;
	     line = strtok_r(NULL, "\n", &rest))
		if (atoi(line) > 0)
			error = task_list_add(list, atoi(line));
	free(text);
	if (!error && depth < 32)
		error = root_list(live->root, path, &names);
	for (size_t i = 0; !error && i < names.nr; i++) {
		printbuf_reset(&name);
		prt_printf(&name, "%s/%s/cgroup.procs", path, names.items[i]);
		if (!root_has(live->root, printbuf_str(&name)))
			continue;
		printbuf_reset(&name);
		prt_printf(&name, "%s/%s", path, names.items[i]);
		error = cgroup_members(live, printbuf_str(&name), list, depth + 1);
		error = error == -ENOENT || error == -ENODEV ? 0 : error; /* it was removed */
	}
	root_names_fini(&names);
	return error;
}

int live_watch_cgroup(struct live *live, const char *path, struct printbuf *err)
{
	PRINTBUF(below);
	while (*path == '/')
		path++;
	bool is_whole = strncmp(path, "sys/fs/cgroup", 13) == 0;
	prt_printf(&below, "%s%s", is_whole ? "" : "sys/fs/cgroup/", path);
	prt_str(&below, "/cgroup.procs");
	if (!root_has(live->root, printbuf_str(&below)))
		return error_set(err, -ENOENT, "/%s: no such cgroup", printbuf_str(&below));
	free(live->cgroup);
	live->cgroup = strndup(printbuf_str(&below),
			       strlen(printbuf_str(&below)) - strlen("/cgroup.procs"));
	return live->cgroup ? live_refresh(live) : -ENOMEM;
}

/* Gone, unreadable or one too many: the others are still watched. */
static int add_all(struct live *live, const struct task_list *list, uint32_t job)
{
	for (size_t i = 0; i < list->nr; i++)
		if (add_process(live, list->items[i], job) == -ENOMEM)
			return -ENOMEM;
	return 0;
}

/* Descendants of each watched process: a parent may have ended before its children. */
static int refresh_trees(struct live *live)
{
	uint32_t nr = live->nr_spaces;
	for (uint32_t i = 0; i < nr; i++) {
		struct task_list list = { 0 };
		if (!live_space(live, i) || live->spaces[i].looked == live->turn)
			continue;
		int error = process_tree(live->root, live->spaces[i].pid, &list);
		if (!error)
			error = add_all(live, &list, live->job_of[i]);
		task_list_fini(&list);
		if (error == -ENOMEM)
			return error;
	}
	return 0;
}

struct by_pid {
	pid_t pid;
	uint32_t space;
};

static int compare_pids(const void *a, const void *b)
{
	const struct by_pid *left = a, *right = b;
	return left->pid < right->pid ? -1 : left->pid > right->pid;
}

/* Those that live, by pid. */
static struct by_pid *sort_spaces(struct live *live)
{
	uint32_t nr = 0;
	struct by_pid *sorted = calloc(live->nr_alive + 1, sizeof(*sorted));
	for (uint32_t i = 0; sorted && i < live->nr_spaces; i++)
		if (live->spaces[i].pidfd >= 0)
			sorted[nr++] = (struct by_pid){ live->spaces[i].pid, i };
	if (sorted)
		qsort(sorted, nr, sizeof(*sorted), compare_pids);
	return sorted;
}

int live_watch_these(struct live *live, const struct live_wanted *wanted, size_t nr)
{
	uint32_t nr_before = live->nr_spaces, nr_sorted = live->nr_alive, at = 0;
	struct by_pid *sorted = sort_spaces(live);
	int error = sorted ? 0 : -ENOMEM;
	live->is_listed = true;
	live->turn++;
	for (size_t i = 0; i < nr && error != -ENOMEM; i++) {
		while (at < nr_sorted && sorted[at].pid < wanted[i].pid)
			at++;
		bool has = at < nr_sorted && sorted[at].pid == wanted[i].pid;
		struct live_space *known = has ? &live->spaces[sorted[at].space] : NULL;
		if (known && known->start_ticks == wanted[i].start_ticks) {
			known->looked = live->turn;
			live->job_of[sorted[at].space] = wanted[i].job;
			continue;
		}
		error = add_space(live, wanted[i].pid, wanted[i].job);
	}
	for (uint32_t i = 0; i < nr_before && error != -ENOMEM; i++)
		if (live->spaces[i].looked != live->turn)
			end_space(live, &live->spaces[i]);
	free(sorted);
	return error == -ENOMEM ? error : 0;
}

static int reap_listed(struct live *live)
{
	for (uint32_t i = 0; i < live->nr_spaces; i++)
		live_space(live, i);
	return 0;
}

int live_refresh(struct live *live)
{
	live->turn++;
	if (live->is_listed)
		return reap_listed(live);
	if (!live->cgroup)
		return refresh_trees(live);
	struct task_list list = { 0 };
	int error = cgroup_members(live, live->cgroup, &list, 0);
	if (error == -ENOENT || error == -ENODEV)
		error = 0; /* the cgroup was removed: its processes ended or moved away */
	if (!error)
		error = add_all(live, &list, 0);
	task_list_fini(&list);
	for (uint32_t i = 0; i < live->nr_spaces; i++)
		if (live->spaces[i].looked != live->turn)
			end_space(live, &live->spaces[i]);
	return error;
}
