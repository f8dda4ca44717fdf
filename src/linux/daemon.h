/* SPDX-License-Identifier: MIT */
/*
 * `berth daemon`: the jobs of berth.conf, from the processes that run anyway.
 *
 *     berth.conf --> jobs <-- match: which process is whose, every 2 s at most
 *                     |
 *                     +--> memory: one placer for all, floors and caps by shares.h
 *                     +--> CPUs: daemon_cpus of each that prefers some
 *     socket  <--> answers: status, set, stop, explain (server.h, daemon_answer.c)
 *
 * One thread, one loop. It sleeps until the next of: a look for processes (2 s, and at least a
 * hundred times what the last one cost), the placer's next turn (a second at most), a job's next
 * look at its CPUs, a signal, a client. What is due within a second anyway is done together, so
 * that a machine with nothing to do sees one wake-up a second at most.
 *
 *     SIGHUP          reads the configuration anew: whole, or it stays as it was
 *     SIGTERM, SIGINT everything is let go and undone
 *
 * The placer exists while some job has a process, so that a daemon with nothing to place changes
 * nothing. A failure of it ends the placing of memory for a minute, not the daemon. One daemon per
 * state directory (a lock on it); what a killed one left is undone at the next start.
 *
 * A dry run observes and plans as in earnest; its mover moves nothing and counts, masks are not
 * written, the kernel is not held back.
 *
 * Cost: 1.5 MiB and what policy and samplers hold; see docs/daemon.md for its share of a CPU.
 */
#ifndef BERTH_LINUX_DAEMON_H
#define BERTH_LINUX_DAEMON_H

#include <signal.h>

#include "base/json.h"
#include "linux/config.h"
#include "linux/daemon_cpus.h"
#include "linux/placer.h"
#include "linux/server.h"
#include "linux/shares.h"

#define DAEMON_JOBS_MAX	    CONFIG_MAX_JOBS
#define DAEMON_SETTINGS_MAX 1024
#define DAEMON_UIDS_MAX	    16
#define DAEMON_SOCKET	    "daemon.sock"
#define DAEMON_LOCK	    "daemon.lock"

struct daemon_wish {
	const char *config;  /* file or directory; NULL: the system's */
	const char *socket;  /* NULL: in the state directory */
	const char *state;   /* directory; NULL: as `berth run` */
	const char *machine; /* as -M; NULL: what this one tells of itself */
	bool is_dry;	     /* even if the configuration says otherwise */
	void (*tell)(const char *text);
};

/* Threads that stay by their pages (daemon_home.c), of a job that prefers no CPUs. */
struct daemon_by_pages {
	uint32_t node,
		wanted; /* indexes, HOME_NONE: nowhere; as it is, and as it was at the last look */
	uint32_t nr_looks; /* in a row that said `wanted` */
	struct set cpus;   /* of `node`, as far as they are allowed */
};

struct daemon_job {
	char name[CONFIG_MAX_NAME + 1];	 /* "": a free place. Its index is the job's number */
	const struct config_job *config; /* NULL: not configured any more */
	bool is_stopped;		 /* by `berth stop` */
	struct daemon_by_pages by_pages;
	uint64_t let_go_until_ns; /* by a trial; 0: it is not */
	bool has_refused_cpus;	  /* they cannot be used here: told once */
	struct daemon_cpus *cpus; /* NULL: prefers none, or has no process */
	uint32_t nr_processes;
	uid_t uids[DAEMON_UIDS_MAX]; /* whose processes */
	uint32_t nr_uids;
	uint64_t floor_bytes, cap_bytes;
};

struct daemon_setting { /* what `berth set` said */
	char job[CONFIG_MAX_NAME + 1], key[32];
	char *value;
};

struct daemon {
	const struct root *root; /* borrowed */
	const struct daemon_wish *wish;
	struct config *files, *config; /* as read; with what was set since */
	struct daemon_setting *settings;
	size_t nr_settings;
	bool is_dry;
	struct machine *machine;
	uint64_t fast_bytes; /* of the machine */
	int state_fd, lock_fd, signal_fd;
	sigset_t old_signals;
	struct journal_owner self;
	struct journal journal;
	struct server server;
	bool has_group; /* SocketGroup is a group here */
	gid_t group;
	struct placer *placer;
	uint64_t values[TUNABLES_MAX];
	char why_no_memory[256]; /* "": it can be placed */
	struct daemon_job *jobs; /* DAEMON_JOBS_MAX */
	uint32_t nr_jobs;
	uint32_t nr_processes;
	uint64_t home_due_ns; /* of the next look where pages are */
	bool is_confirming;   /* it comes soon, to confirm the last one */
	uint64_t begun_ns, scan_due_ns, placer_due_ns, retry_ns;
	uint64_t nr_turns, nr_scans, nr_unmatched;
	uint64_t scanning_ns; /* CPU time of looks for processes */
	char told[512];	      /* the last sentence: not said twice in a row */
	bool is_ending, is_locked;
};

/* Everything but the placing: configuration, lock, journal, socket. */
int daemon_init(struct daemon *daemon, const struct root *root, const struct daemon_wish *wish,
		struct printbuf *err);
/* Until a signal ends it. */
int daemon_run(struct daemon *daemon, struct printbuf *err);
void daemon_fini(struct daemon *daemon);

/* daemon_jobs.c */
/* Jobs as the configuration has them now. */
int daemon_take_config(struct daemon *daemon);
/* Who is whose, and what follows from it. */
int daemon_scan(struct daemon *daemon, struct printbuf *err);
/* Floors and caps by what each job has now. */
void daemon_set_shares(struct daemon *daemon);
void daemon_let_go(struct daemon *daemon, struct daemon_job *job);
void daemon_stop_memory(struct daemon *daemon);
struct daemon_job *daemon_find_job(struct daemon *daemon, const char *name);

/* daemon_set.c: changes of the configuration: whole, or nothing is changed. */
int daemon_reload(struct daemon *daemon, struct printbuf *err);
#define DAEMON_CHANGES_MAX 8 /* at a time: a job has no more keys that can be set */
struct daemon_change {
	const char *key, *value; /* "" takes back what was set */
};
/* All of them, or none. */
int daemon_set(struct daemon *daemon, const char *job, const struct daemon_change *changes,
	       size_t nr_changes, struct printbuf *err);

/* daemon_home.c */
/* CPUs where the job's threads are at home: preferred, or by their pages. NULL: nowhere. */
const struct set *daemon_home(const struct daemon_job *job);
/* Looks where pages of jobs without preferred CPUs are, if it is time. `wanted` as found last. */
int daemon_look_home(struct daemon *daemon, const struct live_wanted *wanted, size_t nr);

/* daemon_trial.c */
bool daemon_job_is_let_go(const struct daemon_job *job);	/* stopped, or by a trial */
void daemon_end_trials(struct daemon *daemon, uint64_t now_ns); /* those that are over */
/* "off" for so many seconds, or "on"; answers with the job's processes. */
int daemon_trial(struct daemon *daemon, struct daemon_job *job, const char *value,
		 const char *seconds, struct json_writer *json, struct printbuf *err);

/* daemon_answer.c: one line of JSON to one. */
extern const struct server_ops daemon_answers;

void daemon_tell(struct daemon *daemon, const char *text);

#endif
