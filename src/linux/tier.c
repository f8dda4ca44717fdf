/* SPDX-License-Identifier: MIT */
/* A tiered job from its start to its end (tier.h). */
#include "linux/tier.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/hold.h"
#include "linux/movers.h"
#include "linux/process.h"
#include "linux/samplers.h"
#include "linux/spawn.h"
#include "linux/undo.h"

#define TICK_MAX_NS   NS_PER_S
#define REFRESH_NS    NS_PER_S
#define SHARE_BP      200  /* of a CPU for sampling */
#define SHARE_BUSY_BP 1000 /* while pages move, and at the beginning */
#define BUSY_NS	      (10 * NS_PER_S)
#define BALANCING     "proc/sys/kernel/numa_balancing"

static const int passed_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

struct tier {
	const struct root *root;
	const struct tier_wish *wish;
	struct machine *machine;
	struct live live;
	const struct sampler_ops *sampler;
	const struct live_mover *mover;
	void *mover_state;
	struct engine *engine;
	struct journal_owner self;
	struct journal journal;
	int state_fd, signal_fd;
	sigset_t old_signals;
	struct spawned child;
	bool has_child, is_ended;
	int status;
	uint64_t begun_ns, refreshed_ns;
	uint64_t moved_ns, nr_moved; /* when pages moved last, and how many by then */
	uint64_t ticking_ns;	     /* CPU time of ticks */
};

static int block_signals(struct tier *tier)
{
	sigset_t signals;
	sigemptyset(&signals);
	for (size_t i = 0; i < ARRAY_SIZE(passed_signals); i++)
		sigaddset(&signals, passed_signals[i]);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &signals, &tier->old_signals) < 0)
		return -errno;
	sigdelset(&signals, SIGPIPE);
	tier->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return tier->signal_fd < 0 ? -errno : 0;
}

static int choose(struct tier *tier, struct printbuf *err)
{
	const char *name = tier->wish->sampler;
	if (tier->machine->nr_tiers < 2)
		return error_set(err, -EOPNOTSUPP,
				 "this machine has one tier of memory: there is nowhere to move "
				 "pages to; `berth machine` shows it");
	tier->mover = live_movers[0];
	int error = tier->mover->ops->probe(&tier->live, err);
	if (error)
		return error;
	tier->sampler = name ? live_sampler_find(name) : live_sampler_choose(&tier->live, err);
	if (tier->sampler)
		return 0;
	if (!name)
		return -EOPNOTSUPP;
	error_set(err, -EINVAL, "%s: no such sampler; there are", name);
	for (size_t i = 0; err && live_samplers[i]; i++)
		prt_printf(err, "%s %s", i ? "," : "", live_samplers[i]->name);
	return -EINVAL;
}

static int make_engine(struct tier *tier, struct printbuf *err)
{
	struct engine_config config = {
		.machine = tier->machine,
		.page_bytes = tier->machine->page_bytes,
		.policy = tier->wish->policy,
		.values = tier->wish->values,
		.seed = 1,
		.samplers = { { tier->sampler, &tier->live } },
		.nr_samplers = 1,
		.mover = tier->mover->ops,
		.mover_state = tier->mover_state,
		.look = live_look,
		.look_world = &tier->live,
		.budget = tier->wish->budget,
	};
	return engine_new(&config, &tier->engine, err);
}

/* Left by a berth that was killed; what it cannot undo is for `berth restore` to tell. */
static void recover(const struct tier *tier)
{
	struct undo undo = { .root = tier->root };
	struct journal_counts counts = { 0 };
	journal_recover(tier->state_fd, tier->self.boot, &undo_ops, &undo, &counts, NULL);
}

/* The kernel would move pages too, and arm them, which costs the program faults. Where it may not
 * be told so, it moves them: the mover finds them elsewhere, nothing breaks. */
static int hold_back_kernel(struct tier *tier, struct printbuf *err)
{
	if (!root_has(tier->root, BALANCING))
		return 0;
	int error = hold_file(tier->root, &tier->journal, BALANCING, "0", err);
	return error == -EACCES || error == -EPERM || error == -EROFS ? 0 : error;
}

static int tier_init(struct tier *tier, struct printbuf *err)
{
	const char *machine = tier->wish->machine;
	int error = machine_open(machine ? machine : "host", &tier->machine, err);
	if (!error)
		error = live_init(&tier->live, tier->root, tier->machine, err);
	if (error)
		return error;
	error = choose(tier, err);
	if (!error)
		error = tier->mover->new (&tier->live, &tier->mover_state, err);
	if (!error)
		error = process_self(tier->root, &tier->self, err);
	if (!error)
		error = undo_open_directory(tier->root, tier->wish->state, true, &tier->state_fd,
					    err);
	if (error)
		return error;
	recover(tier);
	error = journal_create(tier->state_fd, &tier->self, &tier->journal, err);
	tier->live.journal = &tier->journal;
	if (!error)
		error = make_engine(tier, err);
	if (!error)
		error = hold_back_kernel(tier, err);
	return error ? error : block_signals(tier);
}

static int start(struct tier *tier, char *const arguments[], int *ret_exec_error,
		 struct printbuf *err)
{
	int error = spawn_held(arguments, -1, &tier->old_signals, &tier->child);
	if (error)
		return error_set(err, error, "%s: cannot be started: %s", arguments[0],
				 error_text(error));
	error = live_watch(&tier->live, tier->child.pid, err);
	if (error) {
		spawn_abandon(&tier->child);
		return error;
	}
	*ret_exec_error = spawn_release(&tier->child);
	tier->is_ended = *ret_exec_error != 0;
	tier->has_child = !tier->is_ended;
	tier->begun_ns = tier->refreshed_ns = tier->moved_ns = live_now_ns();
	return 0;
}

static void reap(struct tier *tier)
{
	int status;
	if (waitpid(tier->child.pid, &status, WNOHANG) != tier->child.pid)
		return;
	tier->is_ended = true;
	tier->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* What the terminal sent went to the whole group: the program has it already. */
static void pass_signals(struct tier *tier)
{
	struct signalfd_siginfo info;
	while (read(tier->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL && !tier->is_ended)
			kill(tier->child.pid, (int)info.ssi_signo); /* not reaped: still its pid */
}

/* Looking is dear: there is more to find while pages move. */
static void choose_share(struct tier *tier, uint64_t now_ns)
{
	const struct engine_stats *stats = engine_stats(tier->engine);
	uint64_t nr_moved = stats->nr_promoted_pages + stats->nr_demoted_pages;
	if (nr_moved != tier->nr_moved)
		tier->moved_ns = now_ns;
	tier->nr_moved = nr_moved;
	uint64_t quiet_bp = tier->wish->sampling_share_bp ? tier->wish->sampling_share_bp
							  : SHARE_BP;
	bool is_busy = now_ns - tier->moved_ns < BUSY_NS;
	tier->live.sampling_share_bp = is_busy ? MAX(SHARE_BUSY_BP, quiet_bp) : quiet_bp;
}

/* Returns how long to sleep. */
static int tick(struct tier *tier, int *ret_error, struct printbuf *err)
{
	uint64_t now_ns = live_now_ns(), cpu_ns = live_cpu_ns();
	int error = 0;
	choose_share(tier, now_ns);
	tier->live.wake_ns = now_ns + TICK_MAX_NS;
	if (now_ns - tier->refreshed_ns >= REFRESH_NS) {
		tier->refreshed_ns = now_ns;
		error = live_refresh(&tier->live);
	}
	if (!error)
		error = engine_tick(tier->engine, now_ns, err);
	*ret_error = error;
	tier->ticking_ns += live_cpu_ns() - cpu_ns;
	now_ns = live_now_ns();
	uint64_t left_ns = tier->live.wake_ns > now_ns ? tier->live.wake_ns - now_ns : 0;
	return (int)(left_ns / NS_PER_MS) + 1;
}

static int wait_for_end(struct tier *tier, struct printbuf *err)
{
	int error = 0, wait_ms = 0;
	while (!tier->is_ended) {
		struct pollfd fds[] = { { tier->signal_fd, POLLIN, 0 },
					{ tier->child.pidfd, POLLIN, 0 } };
		poll(fds, ARRAY_SIZE(fds), error ? -1 : wait_ms);
		pass_signals(tier);
		reap(tier);
		if (!tier->is_ended && !error)
			wait_ms = tick(tier, &error, err);
	}
	return error;
}

static void make_report(const struct tier *tier, struct tier_report *ret)
{
	struct timespec used;
	struct rusage usage = { 0 };
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	getrusage(RUSAGE_SELF, &usage);
	*ret = (struct tier_report){
		.stats = *engine_stats(tier->engine),
		.sampler = tier->sampler->name,
		.mover = tier->mover->ops->name,
		.policy = tier->wish->policy->name,
		.sampling_ns = tier->live.sampling_ns,
		.moving_ns = tier->live.moving_ns,
		.ticking_ns = tier->ticking_ns,
		.all_ns = (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec,
		.passed_ns = live_now_ns() - tier->begun_ns,
		.policy_bytes = engine_policy_bytes(tier->engine),
		.nr_processes = tier->live.nr_spaces,
		.max_rss_bytes = (uint64_t)usage.ru_maxrss * KIB,
		.nr_sleeps = (uint64_t)usage.ru_nvcsw,
	};
}

static void tier_fini(struct tier *tier)
{
	struct undo undo = { .root = tier->root, .owner = tier->self };
	engine_free(tier->engine);
	if (tier->mover_state)
		tier->mover->free(tier->mover_state);
	if (tier->journal.fd >= 0) {
		journal_undo(&tier->journal, &undo_ops, &undo, NULL);
		journal_fini(&tier->journal);
	}
	if (tier->state_fd >= 0)
		close(tier->state_fd);
	if (tier->has_child && tier->child.pidfd >= 0)
		close(tier->child.pidfd);
	if (tier->signal_fd >= 0) {
		close(tier->signal_fd);
		sigprocmask(SIG_SETMASK, &tier->old_signals, NULL);
	}
	if (tier->live.root)
		live_fini(&tier->live);
	machine_free(tier->machine);
}

int tier_run(const struct root *root, const struct tier_wish *wish, char *const arguments[],
	     int *ret_status, int *ret_exec_error, struct tier_report *ret_report,
	     struct printbuf *err)
{
	struct tier tier = {
		.root = root, .wish = wish, .state_fd = -1, .signal_fd = -1, .journal = { .fd = -1 }
	};
	int error = tier_init(&tier, err);
	if (!error)
		error = start(&tier, arguments, ret_exec_error, err);
	if (!error && !tier.is_ended) {
		int failed = wait_for_end(&tier, err);
		make_report(&tier, ret_report);
		ret_report->has_failed = failed != 0;
		*ret_status = tier.status;
	}
	tier_fini(&tier);
	return error;
}

static void share_to_text(struct printbuf *out, uint64_t part_ns, uint64_t whole_ns)
{
	prt_percent(out, whole_ns ? (double)part_ns / (double)whole_ns : 0, 2);
	prt_str(out, " of a CPU");
}

void tier_report_to_text(struct printbuf *out, const struct tier_report *report)
{
	const struct engine_stats *stats = &report->stats;
	prt_printf(out, "policy %s, sampler %s: ", report->policy, report->sampler);
	share_to_text(out, report->sampling_ns, report->passed_ns);
	prt_printf(out, ", mover %s: ", report->mover);
	share_to_text(out, report->moving_ns, report->passed_ns);
	prt_str(out, ", deciding: ");
	share_to_text(out, report->ticking_ns - report->sampling_ns - report->moving_ns,
		      report->passed_ns);
	prt_str(out, ", berth in all: ");
	share_to_text(out, report->all_ns, report->passed_ns);
	prt_printf(out, "\n%llu samples, %llu promoted, %llu demoted pages",
		   (unsigned long long)stats->nr_samples,
		   (unsigned long long)stats->nr_promoted_pages,
		   (unsigned long long)stats->nr_demoted_pages);
	for (unsigned i = MOVE_DONE + 1; i < MOVE_NR_OUTCOMES; i++)
		if (stats->nr_outcome_pages[i])
			prt_printf(out, ", %llu %s", (unsigned long long)stats->nr_outcome_pages[i],
				   move_outcome_names[i]);
	prt_printf(out, "; %u processes, the policy holds ", report->nr_processes);
	prt_bytes(out, report->policy_bytes);
	prt_char(out, '\n');
}
