/* SPDX-License-Identifier: MIT */
/* The scheduler in the kernel through libbpf (scx.h). Facts: kernel/bpf/bpf_struct_ops.c (a link
 * held by nobody unregisters), kernel/bpf/bpf_task_storage.c (keys are pidfds, of threads too). */
#ifdef BERTH_HAS_SCX
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/process.h"
#include "linux/scx.h"
#include "linux/scx_layout.h"

#define STATE	      "sys/kernel/sched_ext/state"
#define ROOT_OPS      "sys/kernel/sched_ext/root/ops"
#define OBJECT	      "soft_affinity.bpf.o"
#define ACTS_RESTART  (1LL << 48) /* SCX_ECODE_ACT_RESTART, since 6.12 */
#define FREED_LONG_NS NS_PER_S	  /* a slot's queue is empty by then */
#define OPEN_THREAD   O_EXCL	  /* PIDFD_THREAD, since 6.9 */
#define MAX_TRIES     100
#define TRY_US	      50000

enum { MAP_REQUEST, MAP_TASKS, MAP_COUNTS, MAP_EXIT, MAP_HOLDERS, MAP_SHARE, NR_MAPS };

static const char *const map_names[NR_MAPS] = {
	"berth_request", "berth_tasks",	  "berth_counts",
	"berth_exit",	 "berth_holders", "berth_share",
};

struct scx {
	const struct root *root; /* borrowed */
	struct journal_owner self;
	struct bpf_object *object; /* NULL: joined */
	struct bpf_link *link;
	int link_fd, set_fd, maps[NR_MAPS];
	int lock_fd;
	uint64_t instance;
};

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	return getenv("BERTH_SCX_DEBUG") ? vfprintf(stderr, format, args) : 0;
}

static int lock(struct scx *scx)
{
	return flock(scx->lock_fd, LOCK_EX) < 0 ? -errno : 0;
}

static void unlock(struct scx *scx)
{
	flock(scx->lock_fd, LOCK_UN);
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Beside berth in the build tree, else where it was installed. malloc'ed; NULL: it is not there. */
static char *find_object(void)
{
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[MAX(len, 0)] = '\0';
	PRINTBUF(path);
	prt_printf(&path, "%s/bpf/" OBJECT, dirname(exe));
	if (access(printbuf_str(&path), R_OK) == 0)
		return printbuf_steal(&path, NULL);
	return access(BERTH_PLUGIN_DIR "/" OBJECT, R_OK) == 0 ? strdup(BERTH_PLUGIN_DIR "/" OBJECT)
							      : NULL;
}

/* The instance of berth's scheduler that is loaded; -ENOENT: none is; -EBUSY: another's. */
static int find_loaded(const struct root *root, uint64_t *ret_instance, struct printbuf *err)
{
	char *state = NULL, *name = NULL, *end;
	int error = root_read(root, STATE, &state);
	bool is_on = !error && strcmp(state, "disabled") != 0;
	free(state);
	if (error || !is_on)
		return error ? error : -ENOENT;
	if (root_read(root, ROOT_OPS, &name) < 0)
		return -ENOENT;
	error = 0;
	if (strncmp(name, SCX_NAME "_", strlen(SCX_NAME) + 1) != 0)
		error = error_set(
			err, -EBUSY,
			"--engine scx: the scheduler %s is loaded and Linux takes one at a "
			"time; end it, or use --engine user",
			name);
	else
		*ret_instance = strtoull(name + strlen(SCX_NAME) + 1, &end, 16);
	free(name);
	return error;
}

int scx_probe(const struct root *root, struct printbuf *err)
{
	uint64_t instance;
	uint32_t id;
	if (!root->is_host)
		return error_set(err, -EOPNOTSUPP, "--engine scx: not below a captured root");
	if (!root_has(root, STATE))
		return error_set(err, -EOPNOTSUPP,
				 "--engine scx: this kernel has no sched_ext "
				 "(CONFIG_SCHED_CLASS_EXT, Linux 6.12 or newer); "
				 "--engine user works on any kernel");
	if (!root_has(root, "sys/kernel/btf/vmlinux"))
		return error_set(err, -EOPNOTSUPP,
				 "--engine scx: this kernel does not describe its types "
				 "(CONFIG_DEBUG_INFO_BTF); --engine user works on any kernel");
	if (bpf_map_get_next_id(0, &id) < 0 && errno == EPERM)
		return error_set(
			err, -EPERM,
			"--engine scx: loading a scheduler takes CAP_SYS_ADMIN, CAP_BPF and "
			"CAP_PERFMON; run berth as root, or use --engine user");
	char *object = find_object();
	if (!object)
		return error_set(err, -EOPNOTSUPP,
				 "--engine scx: " OBJECT
				 ": neither beside berth nor in " BERTH_PLUGIN_DIR
				 "; run make install");
	free(object);
	int error = find_loaded(root, &instance, err);
	return error == -ENOENT ? 0 : error;
}

/* The descriptor of that instance's map berth_share, or -ENOENT. Who joins keeps it: no program
 * uses this map, so it is there for the next to come only as long as somebody holds it. */
static int find_share(uint64_t instance, struct scx_share *ret)
{
	uint32_t id = 0, key = 0;
	while (bpf_map_get_next_id(id, &id) == 0) {
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);
		int fd = bpf_map_get_fd_by_id(id);
		if (fd < 0)
			continue;
		bool is_it = bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
			     strcmp(info.name, "berth_share") == 0 &&
			     info.value_size == sizeof(*ret) &&
			     bpf_map_lookup_elem(fd, &key, ret) == 0 && ret->instance == instance;
		if (is_it)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static int join(struct scx *scx, struct printbuf *err)
{
	struct scx_share share;
	int fd = find_share(scx->instance, &share);
	if (fd < 0)
		return fd;
	scx->maps[MAP_SHARE] = fd;
	if (share.version != SCX_ABI_VERSION)
		return error_set(err, -EBUSY,
				 "--engine scx: another version of berth has loaded its scheduler; "
				 "wait for its jobs to end, or use --engine user");
	const uint32_t ids[MAP_SHARE] = { share.request_id, share.tasks_id, share.counts_id,
					  share.exit_id, share.holders_id };
	scx->link_fd = bpf_link_get_fd_by_id(share.link_id);
	scx->set_fd = bpf_prog_get_fd_by_id(share.set_program_id);
	bool is_whole = scx->link_fd >= 0 && scx->set_fd >= 0;
	for (int i = 0; i < MAP_SHARE; i++) {
		scx->maps[i] = bpf_map_get_fd_by_id(ids[i]);
		is_whole = is_whole && scx->maps[i] >= 0;
	}
	return is_whole ? 0 : -ENOENT;
}

/* The constants, the caches and the name. */
static int prepare(struct scx *scx, const struct scx_machine *machine)
{
	size_t size = 0;
	char name[32];
	struct bpf_map *rodata = bpf_object__find_map_by_name(scx->object, ".rodata.settings");
	struct bpf_map *ops = bpf_object__find_map_by_name(scx->object, "berth_ops");
	if (!rodata || !ops ||
	    bpf_map__set_initial_value(rodata, &machine->settings, sizeof(machine->settings)) < 0)
		return -EBADMSG;
	char *value = bpf_map__initial_value(ops, &size);
	char *at = value ? memmem(value, size, SCX_NAME, sizeof(SCX_NAME)) : NULL;
	if (!at)
		return -EBADMSG;
	snprintf(name, sizeof(name), SCX_NAME "_%016llx", (unsigned long long)scx->instance);
	memcpy(at, name, strlen(name) + 1);
	return 0;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
}

static int publish(struct scx *scx)
{
	struct bpf_link_info link = { 0 };
	struct bpf_prog_info program = { 0 };
	uint32_t link_size = sizeof(link), program_size = sizeof(program), key = 0;
	if (bpf_obj_get_info_by_fd(scx->link_fd, &link, &link_size) < 0 ||
	    bpf_obj_get_info_by_fd(scx->set_fd, &program, &program_size) < 0)
		return -errno;
	struct scx_share share = { .version = SCX_ABI_VERSION,
				   .set_program_id = program.id,
				   .instance = scx->instance,
				   .link_id = link.id,
				   .request_id = map_id(scx->maps[MAP_REQUEST]),
				   .tasks_id = map_id(scx->maps[MAP_TASKS]),
				   .counts_id = map_id(scx->maps[MAP_COUNTS]),
				   .exit_id = map_id(scx->maps[MAP_EXIT]),
				   .holders_id = map_id(scx->maps[MAP_HOLDERS]) };
	int fd = bpf_object__find_map_fd_by_name(scx->object, "berth_share");
	return bpf_map_update_elem(fd, &key, &share, BPF_ANY);
}

static int set_caches(struct scx *scx, const struct scx_machine *machine)
{
	int fd = bpf_object__find_map_fd_by_name(scx->object, "berth_cpus"), error = 0;
	for (uint32_t cpu = 0; cpu < machine->settings.nr_cpus && !error; cpu++) {
		struct scx_cpu value = { .cache = machine->cache_of[cpu] };
		error = bpf_map_update_elem(fd, &cpu, &value, BPF_ANY);
	}
	return error;
}

static int attach(struct scx *scx, const struct scx_machine *machine)
{
	struct bpf_map *ops = bpf_object__find_map_by_name(scx->object, "berth_ops");
	struct bpf_program *set = bpf_object__find_program_by_name(scx->object, "berth_set");
	if (!set)
		return -EBADMSG;
	scx->set_fd = fcntl(bpf_program__fd(set), F_DUPFD_CLOEXEC, 0);
	for (int i = 0; i < NR_MAPS; i++) {
		int fd = bpf_object__find_map_fd_by_name(scx->object, map_names[i]);
		scx->maps[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (scx->maps[i] < 0)
			return -EBADMSG;
	}
	int error = set_caches(scx, machine);
	if (error)
		return error;
	scx->link = bpf_map__attach_struct_ops(ops);
	if (!scx->link)
		return -errno;
	scx->link_fd = fcntl(bpf_link__fd(scx->link), F_DUPFD_CLOEXEC, 0);
	return scx->link_fd < 0 ? -errno : publish(scx);
}

static int load(struct scx *scx, struct printbuf *err)
{
	struct scx_machine *machine = calloc(1, sizeof(*machine));
	char *path = find_object();
	int error = machine && path ? scx_machine_read(scx->root, machine, err) : -EOPNOTSUPP;
	if (!error && getrandom(&scx->instance, sizeof(scx->instance), 0) < 0)
		error = -errno;
	if (!error) {
		scx->object = bpf_object__open_file(path, NULL);
		error = scx->object ? prepare(scx, machine) : -errno;
	}
	if (!error)
		error = bpf_object__load(scx->object);
	if (!error)
		error = attach(scx, machine);
	if (error && (!err || !*printbuf_str(err)))
		error_set(err, error,
			  "--engine scx: Linux does not take the scheduler: %s; "
			  "--engine user works on any kernel",
			  error_text(error));
	free(path);
	free(machine);
	bool is_ours = error == 0 || error == -ENOMEM || error == -EPERM || error == -EBUSY;
	return is_ours ? error : -EOPNOTSUPP; /* the kernel's reasons not to take it are many */
}

static void drop(struct scx *scx)
{
	bpf_link__destroy(scx->link);
	scx->link = NULL;
	bpf_object__close(scx->object);
	scx->object = NULL;
	for (int i = 0; i < NR_MAPS; i++)
		if (scx->maps[i] >= 0)
			close(scx->maps[i]);
	if (scx->link_fd >= 0)
		close(scx->link_fd);
	if (scx->set_fd >= 0)
		close(scx->set_fd);
	scx->link_fd = scx->set_fd = -1;
	for (int i = 0; i < NR_MAPS; i++)
		scx->maps[i] = -1;
}

/* -ENOENT: what was loaded is about to go; to be tried again. */
static int join_or_load(struct scx *scx, struct printbuf *err)
{
	int error = find_loaded(scx->root, &scx->instance, err);
	if (error == -ENOENT)
		return load(scx, err);
	if (!error)
		error = join(scx, err);
	if (!error)
		error = scx_check(scx, NULL) == 0 ? 0 : -ENOENT;
	if (error)
		drop(scx);
	return error;
}

/* A scheduler that has ended is there for a while yet, until the kernel has taken every task from
 * it: nobody can join it, and none can be loaded. */
static int open_patiently(struct scx *scx, struct printbuf *err)
{
	int error = 0;
	for (int i = 0; i < MAX_TRIES; i++) {
		error = lock(scx);
		if (error)
			return error_set(err, error, "/" STATE ": %s", error_text(error));
		error = join_or_load(scx, err);
		unlock(scx);
		if (error != -ENOENT)
			return error;
		usleep(TRY_US);
	}
	return error_set(
		err, -EBUSY,
		"--engine scx: a scheduler of berth's is loaded that cannot be joined; see "
		"/" ROOT_OPS ", or use --engine user");
}

int scx_open(const struct root *root, const struct journal_owner *self, struct scx **ret,
	     struct printbuf *err)
{
	struct scx *scx = calloc(1, sizeof(*scx));
	if (!scx)
		return -ENOMEM;
	*scx = (struct scx){ .root = root, .self = *self, .link_fd = -1, .set_fd = -1 };
	for (int i = 0; i < NR_MAPS; i++)
		scx->maps[i] = -1;
	libbpf_set_print(silent);
	scx->lock_fd = rootfile_open(root, STATE, O_RDONLY);
	int error = scx->lock_fd < 0 ? error_set(err, scx->lock_fd, "/" STATE ": %s",
						 error_text(scx->lock_fd))
				     : open_patiently(scx, err);
	if (error)
		scx_close(scx);
	else
		*ret = scx;
	return error;
}

void scx_close(struct scx *scx)
{
	if (!scx)
		return;
	drop(scx);
	if (scx->lock_fd >= 0)
		close(scx->lock_fd);
	free(scx);
}

/* The program berth_set does what the request says. */
static int ask(struct scx *scx, const struct scx_request *request)
{
	uint32_t key = 0;
	LIBBPF_OPTS(bpf_test_run_opts, options);
	int error = bpf_map_update_elem(scx->maps[MAP_REQUEST], &key, request, BPF_ANY);
	if (!error)
		error = bpf_prog_test_run_opts(scx->set_fd, &options);
	return error ? error : (int)options.retval;
}

static bool is_held(struct scx *scx, const struct scx_holder *holder)
{
	struct journal_owner owner = scx->self;
	owner.pid = holder->pid;
	owner.start_ticks = holder->start_ticks;
	return holder->pid != 0 && process_is_alive(scx->root, &owner);
}

static void free_slot(struct scx *scx, uint32_t slot, struct scx_holder *holder)
{
	struct scx_request *request = calloc(1, sizeof(*request));
	if (request) {
		request->slot = slot;
		ask(scx, request);
	}
	free(request);
	holder->pid = 0;
	holder->freed_ns = now_ns();
	bpf_map_update_elem(scx->maps[MAP_HOLDERS], &slot, holder, BPF_ANY);
}

/* A slot nobody holds, free for long if there is one. Frees those of berths that are gone. */
static int find_slot(struct scx *scx, uint32_t *ret_slot, struct scx_holder *ret)
{
	bool is_found = false;
	uint64_t now = now_ns();
	for (uint32_t slot = 0; slot < SCX_MAX_JOBS; slot++) {
		struct scx_holder holder;
		if (bpf_map_lookup_elem(scx->maps[MAP_HOLDERS], &slot, &holder) < 0)
			return -errno;
		if (holder.pid && is_held(scx, &holder))
			continue;
		if (holder.pid)
			free_slot(scx, slot, &holder);
		if (is_found && now - holder.freed_ns < FREED_LONG_NS)
			continue;
		*ret_slot = slot;
		*ret = holder;
		is_found = true;
		if (now - holder.freed_ns >= FREED_LONG_NS)
			break;
	}
	return is_found ? 0 : -ENOSPC;
}

static int add_locked(struct scx *scx, struct scx_request *request)
{
	struct scx_holder holder;
	uint32_t slot;
	int error = find_slot(scx, &slot, &holder), nr_cpus = libbpf_num_possible_cpus();
	if (error)
		return error;
	request->slot = slot;
	request->generation = holder.generation + 1 ? holder.generation + 1 : 1;
	holder.generation = request->generation;
	holder.pid = scx->self.pid;
	holder.start_ticks = scx->self.start_ticks;
	struct scx_counts *zero = calloc(MAX(nr_cpus, 1), sizeof(*zero));
	if (!zero)
		return -ENOMEM;
	error = bpf_map_update_elem(scx->maps[MAP_COUNTS], &slot, zero, BPF_ANY);
	free(zero);
	if (!error)
		error = bpf_map_update_elem(scx->maps[MAP_HOLDERS], &slot, &holder, BPF_ANY);
	return error ? error : ask(scx, request);
}

int scx_job_add(struct scx *scx, struct scx_request *request, struct printbuf *err)
{
	int error = lock(scx);
	if (!error) {
		error = add_locked(scx, request);
		unlock(scx);
	}
	if (error == -ENOSPC)
		return error_set(err, error,
				 "--engine scx: %u jobs run already; use --engine user for more",
				 SCX_MAX_JOBS);
	return error ? error_set(err, error, "--engine scx: the job is not taken: %s",
				 error_text(error))
		     : 0;
}

int scx_job_change(struct scx *scx, const struct scx_request *request, struct printbuf *err)
{
	int error = lock(scx);
	if (!error) {
		error = ask(scx, request);
		unlock(scx);
	}
	return error ? error_set(err, error, "--engine scx: the job cannot be changed: %s",
				 error_text(error))
		     : 0;
}

void scx_job_del(struct scx *scx, uint32_t slot)
{
	struct scx_holder holder;
	if (lock(scx) < 0)
		return;
	if (bpf_map_lookup_elem(scx->maps[MAP_HOLDERS], &slot, &holder) == 0 &&
	    holder.pid == scx->self.pid && holder.start_ticks == scx->self.start_ticks)
		free_slot(scx, slot, &holder);
	unlock(scx);
}

static int open_task(pid_t tid)
{
	int fd = (int)syscall(SYS_pidfd_open, tid, OPEN_THREAD);
	if (fd < 0 && errno == EINVAL) /* before 6.9: leaders of processes only */
		fd = (int)syscall(SYS_pidfd_open, tid, 0);
	return fd >= 0 ? fd : errno == EINVAL ? -ESRCH : -errno;
}

void scx_task_del(struct scx *scx, pid_t tid)
{
	int fd = open_task(tid);
	if (fd < 0)
		return;
	bpf_map_delete_elem(scx->maps[MAP_TASKS], &fd);
	close(fd);
}

int scx_task_add(struct scx *scx, pid_t tid, const struct scx_request *request)
{
	struct scx_task task = { .slot = request->slot, .generation = request->generation };
	int fd = open_task(tid);
	if (fd < 0)
		return fd;
	int error = bpf_map_update_elem(scx->maps[MAP_TASKS], &fd, &task, BPF_ANY);
	close(fd);
	return error;
}

int scx_counts_read(struct scx *scx, uint32_t slot, struct scx_counts *ret)
{
	int nr_cpus = libbpf_num_possible_cpus();
	struct scx_counts *all = calloc(MAX(nr_cpus, 1), sizeof(*all));
	struct scx_counts sum = { 0 };
	if (!all)
		return -ENOMEM;
	int error = bpf_map_lookup_elem(scx->maps[MAP_COUNTS], &slot, all);
	for (int i = 0; i < nr_cpus && !error; i++) {
		sum.nr_preferred += all[i].nr_preferred;
		sum.nr_spilled += all[i].nr_spilled;
		sum.nr_held += all[i].nr_held;
		sum.nr_called_home += all[i].nr_called_home;
		sum.nr_evicted += all[i].nr_evicted;
	}
	free(all);
	if (!error)
		*ret = sum;
	return error;
}

int scx_check(struct scx *scx, struct printbuf *err)
{
	struct scx_exit seen;
	uint32_t key = 0;
	if (bpf_map_lookup_elem(scx->maps[MAP_EXIT], &key, &seen) < 0)
		return error_set(err, -ENOTCONN, "its state cannot be read: %s",
				 error_text(-errno));
	if (seen.kind == 0)
		return 0;
	if (seen.code & ACTS_RESTART)
		return -EAGAIN;
	seen.reason[SCX_TEXT - 1] = seen.message[SCX_TEXT - 1] = '\0';
	return error_set(err, -ENOTCONN, "Linux has ended the scheduler (%s%s%s)", seen.reason,
			 *seen.message ? ": " : "", seen.message);
}
#endif
