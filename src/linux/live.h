/* SPDX-License-Identifier: MIT */
/*
 * The live world: the processes that are watched, the nodes of the machine they run on, and what
 * samplers, movers and the loop tell each other.
 *
 *     live --- machine (this one), frames (which node a frame of memory is on)
 *       |
 *       +----- spaces: one for each process ever watched, numbered as they came
 *                 0  pid 4711, alive   <- children are found at each refresh
 *                 1  pid 4712, ended   <- keeps its number: nothing is ever renumbered
 *
 * A process is its pid and its start time, held by a pidfd: a pid that is used again is another
 * process. Between asking the pidfd and a system call that takes a pid a process may still end, and
 * its pid be given away in that instant only if four million others were born since: Linux hands
 * out pids in turn.
 *
 * The whole world is used by one thread, the engine's.
 *
 * Cost: a refresh is one look at each child of each watched process (10 us each); a look at the
 * nodes is one small file each.
 */
#ifndef BERTH_LINUX_LIVE_H
#define BERTH_LINUX_LIVE_H

#include <sys/types.h>

#include "engine/journal.h"
#include "linux/frames.h"
#include "linux/kdamond.h"
#include "policy/policy.h"

#define LIVE_MAX_SPACES 65536 /* in the life of a job; processes beyond are not watched */
#define LIVE_MAX_AREAS	((size_t)1 << 20)
#define LIVE_COSTS_MAX	8 /* samplers in the life of a world */
#define LIVE_NEVER	UINT64_MAX

struct live_space {
	pid_t pid;
	int pidfd; /* -1 when it ended */
	uint64_t start_ticks;
	uint64_t task;			 /* kcore's: its task_struct, 0 when not looked up */
	uint64_t looked;		 /* turn of the refresh that saw it */
	uint64_t fast_pages, slow_pages; /* as counted last */
};

/* Who is to be watched, and in which job. */
struct live_wanted {
	pid_t pid;
	uint64_t start_ticks;
	uint32_t job;
};

struct live_area { /* of one process: mapped, whole pages */
	uint64_t first, end;
};

struct live_areas {
	struct live_area *items;
	size_t nr, max;
};

struct live_cost { /* of a sampler, so far */
	const char *sampler;
	uint64_t own_ns;    /* CPU time of ours */
	uint64_t kernel_ns; /* of a thread of the kernel that works for it */
	uint64_t nr_faults; /* that it caused */
};

struct live {
	const struct root *root;       /* borrowed */
	const struct machine *machine; /* borrowed */
	struct frames frames;
	struct live_space *spaces;
	uint32_t *job_of; /* [space]; 0, or its parent's, unless live_watch_these() says */
	uint32_t nr_spaces, max_spaces;
	uint32_t nr_alive;
	uint64_t turn;
	pid_t top;		   /* watched with all its descendants; 0: none */
	char *cgroup;		   /* below the root, watched with all below it; NULL: none */
	int *meminfo_fds;	   /* [node]; -1: not open */
	uint64_t *job_pages;	   /* [node]: as counted last */
	uint64_t counted_ns;	   /* when; 0: never */
	uint64_t counted_resident; /* pages of all, when they were counted */
	/* Whoever serves several jobs wants the pages of each: samplers' sums do not tell. */
	bool counts_spaces;
	bool is_listed;		/* live_watch_these() says who is watched; nobody is looked for */
	uint64_t count_cost_ns; /* CPU time of counting them last */
	/* A sampler that has something to do before the next tick lowers it. */
	uint64_t wake_ns;
	/* A sampler that asks says so: none of the processes has run since it asked before. Then
	 * there is nothing to do, and ticks are twice as far apart. */
	bool is_asleep;
	uint64_t sampling_ns, moving_ns; /* CPU time of samplers and movers */
	uint64_t deciding_ns;		 /* of the rest of the loop: samplers bring it about, too */
	uint64_t nr_planned_pages; /* to be moved for what they are worth, so far: the loop's */
	bool has_planner;	   /* or samples are for their own sake */
	uint64_t backlog_ns; /* that the mover needs for what waits; LIVE_NEVER: not known yet */
	uint64_t kernel_ns;  /* CPU time of threads of the kernel that sample for us */
	struct live_cost costs[LIVE_COSTS_MAX];
	uint32_t nr_costs;
	/* Of a CPU: what samplers may take, all together. The loop sets it: more while there is
	 * something to find. */
	uint64_t sampling_share_bp;
	/* What they may take in the long run: who took more is to pay it back. 0: as above. */
	uint64_t lasting_share_bp;
	uint64_t nr_unwatched; /* processes beyond LIVE_MAX_SPACES */
	/* Borrowed: where a sampler or mover that changes the machine journals it first. NULL:
	 * nothing may be changed, and one that must refuses to open. */
	struct journal *journal;
	/* A sampler has the kernel arm pages and holds its moves back by itself: whoever would
	 * switch kernel.numa_balancing off lets it be. */
	bool uses_balancing;
	struct kdamond_list kdamonds; /* of samplers and mover, when one of them has one */
	/* Pages in use, as physical samplers saw them at the last look, of nobody that is watched.
	 */
	uint64_t nr_foreign_pages;
	uint64_t nr_lost; /* what samplers would have told, had there been room for it */
};

/* What watches without processes: enough to probe samplers and movers. */
int live_init(struct live *live, const struct root *root, const struct machine *machine,
	      struct printbuf *err);
void live_fini(struct live *live);

/* Watches a process and its descendants, or those in a cgroup. -ESRCH: it is not there. */
int live_watch(struct live *live, pid_t pid, struct printbuf *err);
int live_watch_cgroup(struct live *live, const char *path, struct printbuf *err);
/* Exactly these from now on, each alone, without its descendants; in the order of their pids. Those
 * watched already keep their space. -ENOMEM. */
int live_watch_these(struct live *live, const struct live_wanted *wanted, size_t nr);
/* Finds new processes and forgets those that ended. nr_alive is 0 when there are none. */
int live_refresh(struct live *live);

/* NULL: it ended, or there was never such a space. Asks the kernel. */
struct live_space *live_space(struct live *live, uint32_t space);

/* What is mapped, ascending; without what can never be moved (vsyscall, vdso, devices are told
 * apart by their frames). -ESRCH: it ended. */
int live_areas(const struct live *live, const struct live_space *space, struct live_areas *ret);
/* Of a space, as the kernel counts them without looking; 0 when it ended. */
uint64_t live_resident_pages(const struct live *live, uint32_t space);
/* They grow when a space runs: ticks of USER_HZ, of all its threads; nanoseconds, of the first, so
 * that one that runs for an instant now and then is not taken to sleep (a kernel that keeps no such
 * account says 0). 0 when it ended. */
uint64_t live_run_ticks(const struct live *live, uint32_t space);
uint64_t live_run_ns(const struct live *live, uint32_t space);
void live_areas_fini(struct live_areas *areas);

/* As engine_config.look; world is the live world. */
int live_look(void *world, struct policy_node *nodes, uint32_t nr_nodes);
/* Of a node's memory, now; 0 and 0 where it went offline. */
int live_node_pages(const struct live *live, uint32_t node, uint64_t *ret_capacity,
		    uint64_t *ret_free);
/* Adds the pages that a process has on each node; nothing where it has ended. Walks its page
 * tables. */
void live_count_process(const struct root *root, const struct machine *machine, pid_t pid,
			uint64_t *pages_of_node);
/* A sampler that has counted them anyway says so; else numa_maps is read once in two seconds. */
void live_note_pages(struct live *live, const uint64_t *pages_of_node, uint64_t now_ns);

/* "accessed-bits,damon": those that took anything, as they came. */
void live_costs_names(struct printbuf *out, const struct live_cost *costs, uint32_t nr);
/* What a sampler took since it last said so: in its own entry of costs[], and in the sums. */
void live_charge(struct live *live, const char *sampler, const struct live_cost *cost);

#endif
