/* SPDX-License-Identifier: MIT */
/* A tiered job from its start to its end (tier.h). */
#include "linux/tier.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/placer.h"
#include "linux/process.h"
#include "linux/spawn.h"
#include "linux/undo.h"

static const int passed_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

struct tier {
	const struct root *root;
	const struct tier_wish *wish;
	struct machine *machine;
	struct placer *placer;
	struct journal_owner self;
	struct journal journal;
	int state_fd, signal_fd;
	sigset_t old_signals;
	struct spawned child;
	bool has_child, is_ended;
	int status;
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

/* Left by a berth that was killed; what it cannot undo is for `berth restore` to tell. */
static void recover(const struct tier *tier)
{
	struct undo undo = { .root = tier->root };
	struct journal_counts counts = { 0 };
	journal_recover(tier->state_fd, tier->self.boot, &undo_ops, &undo, &counts, NULL);
}

static int tier_init(struct tier *tier, struct printbuf *err)
{
	const struct tier_wish *wish = tier->wish;
	struct placer_wish placing = { .policy = wish->policy,
				       .values = wish->values,
				       .sampler = wish->sampler,
				       .budget = wish->budget,
				       .sampling_share_bp = wish->sampling_share_bp };
	int error = machine_open(wish->machine ? wish->machine : "host", &tier->machine, err);
	if (!error)
		error = placer_new(tier->root, tier->machine, &placing, &tier->placer, err);
	if (!error)
		error = process_self(tier->root, &tier->self, err);
	if (!error)
		error = undo_open_directory(tier->root, wish->state, true, &tier->state_fd, err);
	if (error)
		return error;
	recover(tier);
	error = journal_create(tier->state_fd, &tier->self, &tier->journal, err);
	if (!error)
		error = placer_start(tier->placer, &tier->journal, err);
	return error ? error : block_signals(tier);
}

static int start(struct tier *tier, char *const arguments[], int *ret_exec_error,
		 struct printbuf *err)
{
	int error = spawn_held(arguments, -1, &tier->old_signals, &tier->child);
	if (error)
		return error_set(err, error, "%s: cannot be started: %s", arguments[0],
				 error_text(error));
	error = live_watch(&tier->placer->live, tier->child.pid, err);
	if (error) {
		spawn_abandon(&tier->child);
		return error;
	}
	*ret_exec_error = spawn_release(&tier->child);
	tier->is_ended = *ret_exec_error != 0;
	tier->has_child = !tier->is_ended;
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

static int wait_for_end(struct tier *tier, struct printbuf *err)
{
	int error = 0, wait_ms = 0;
	while (!tier->is_ended) {
		struct pollfd fds[] = { { tier->signal_fd, POLLIN, 0 },
					{ tier->child.pidfd, POLLIN, 0 },
					{ error ? -1 : placer_fd(tier->placer), POLLIN, 0 } };
		poll(fds, ARRAY_SIZE(fds), error ? -1 : wait_ms);
		pass_signals(tier);
		reap(tier);
		if (!tier->is_ended && !error)
			error = placer_tick(tier->placer, &wait_ms, err);
	}
	return error;
}

static void make_report(const struct tier *tier, struct tier_report *ret)
{
	struct placer *placer = tier->placer;
	struct rusage usage = { 0 };
	getrusage(RUSAGE_SELF, &usage);
	struct mover_figures moving;
	placer->mover->figures(placer->mover_state, &moving);
	*ret = (struct tier_report){
		.stats = *engine_stats(placer->engine),
		.mover = placer->mover->ops->name,
		.policy = tier->wish->policy->name,
		.sampling_ns = placer->live.sampling_ns,
		.nr_costs = placer->live.nr_costs,
		.moving_ns = placer->live.moving_ns,
		.ticking_ns = placer->ticking_ns,
		.all_ns = clock_process_cpu_ns(),
		.passed_ns = clock_now_ns() - placer->begun_ns,
		.policy_bytes = engine_policy_bytes(placer->engine),
		.series = *placer_series(placer),
		.nr_processes = placer->live.nr_spaces,
		.moving = moving,
		.nr_foreign_pages = placer->live.nr_foreign_pages,
		.max_rss_bytes = (uint64_t)usage.ru_maxrss * KIB,
		.nr_sleeps = (uint64_t)usage.ru_nvcsw,
	};
	memcpy(ret->costs, placer->live.costs, sizeof(ret->costs));
}

static void tier_fini(struct tier *tier)
{
	struct undo undo = { .root = tier->root, .owner = tier->self };
	placer_free(tier->placer);
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

static void cost_to_text(struct printbuf *out, const struct live_cost *cost, uint64_t passed_ns)
{
	prt_printf(out, ", sampler %s: ", cost->sampler);
	share_to_text(out, cost->own_ns, passed_ns);
	if (cost->kernel_ns) {
		prt_str(out, " and in the kernel ");
		share_to_text(out, cost->kernel_ns, passed_ns);
	}
	if (cost->nr_faults)
		prt_printf(out, " and %llu faults", (unsigned long long)cost->nr_faults);
}

void tier_report_to_text(struct printbuf *out, const struct tier_report *report)
{
	const struct engine_stats *stats = &report->stats;
	prt_printf(out, "policy %s", report->policy);
	for (uint32_t i = 0; i < report->nr_costs; i++)
		cost_to_text(out, &report->costs[i], report->passed_ns);
	prt_printf(out, ", mover %s: ", report->mover);
	share_to_text(out, report->moving_ns, report->passed_ns);
	prt_str(out, ", deciding: ");
	share_to_text(out, tier_report_deciding_ns(report), report->passed_ns);
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
	if (report->nr_foreign_pages)
		prt_printf(out, "; %llu pages in use are nobody's that is watched",
			   (unsigned long long)report->nr_foreign_pages);
	prt_char(out, '\n');
	mover_figures_to_text(out, &report->moving);
}
