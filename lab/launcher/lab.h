/* SPDX-License-Identifier: MIT */
/*
 * One run in the lab: a machine, a kernel, a policy, a program; and what came of it.
 */
#ifndef BERTH_LAB_LAB_H
#define BERTH_LAB_LAB_H

#include "base/set.h"
#include "lab/counters.h"
#include "lab/launcher/cache.h"
#include "lab/launcher/policy.h"
#include "machine/machine.h"

struct lab_options {
	const struct machine *machine;
	const char *kernel; /* series or path; NULL: LAB_KERNEL_DEFAULT */
	enum lab_time time;
	bool has_no_model;		 /* QEMU alone, no latency plugin */
	const struct lab_policy *policy; /* NULL: none */
	const char *record_path;	 /* NULL: no recording; icount only */
	uint64_t time_limit_ns;		 /* wall; 0: 10 minutes */
	uint64_t silence_ns;	  /* wall: a guest that says nothing for so long hangs; 0: 90 s */
	uint64_t sample_ns;	  /* guest time between samples; 0: 1 s */
	const char *share_dir;	  /* NULL: none */
	const struct set *pin;	  /* a CPU of this machine for each of the guest; NULL: any */
	const char *console_path; /* keeps the console log here; NULL: a file in $TMPDIR that is
				     removed unless something went wrong */
	char *const *argv;	  /* the program and its arguments, NULL-terminated */
	const char *const *environment;	    /* NAME=VALUE added to a plain one; NULL: none */
	int stdin_fd, stdout_fd, stderr_fd; /* -1: no input; output thrown away */
	bool is_verbose;		    /* the guest's console to stderr */
};

enum lab_end {
	LAB_END_EXITED,	  /* the program ended; status says how */
	LAB_END_NOT_RUN,  /* it could not be started: status 126 or 127 */
	LAB_END_OOM,	  /* the kernel's out-of-memory killer ended it */
	LAB_END_TIME,	  /* over the time limit */
	LAB_END_PANIC,	  /* the kernel panicked or oopsed: words has its line */
	LAB_END_HANG,	  /* the kernel said so, or nothing came from the guest for long */
	LAB_END_NO_BOOT,  /* the agent never spoke */
	LAB_END_EMULATOR, /* QEMU ended by itself */
	LAB_END_SETTING,  /* a setting of the policy could not be written */
	LAB_END_SIGNAL,	  /* SIGINT or SIGTERM came to us; everything was ended */
	LAB_NR_ENDS,
};
extern const char *const lab_end_names[];

struct lab_number { /* one of the guest's counters */
	char *name;
	uint64_t before, after;
};

struct lab_node_series { /* per sample; bytes */
	uint64_t *free_bytes, *anon_bytes, *file_bytes, *used_bytes;
};

/* What berth said of itself when it placed the program's memory (policy `berth`). */
struct lab_berth_report {
	bool is_there, has_failed; /* has_failed: placing ended before the program */
	char policy[64], sampler[64], mover[64];
	uint64_t passed_ns, sampling_ns, moving_ns, deciding_ns, all_ns; /* but for passed: CPU */
	uint64_t sleeps, max_rss_bytes, policy_bytes;
	uint64_t promoted_pages, demoted_pages, refused_pages;
};
/* Its JSON (src/linux/tier_report.c); members that are not known are passed over. -EBADMSG. */
int lab_berth_report_read(const char *text, size_t length, struct lab_berth_report *ret,
			  struct printbuf *err);
void lab_berth_report_to_text(struct printbuf *out, const struct lab_berth_report *report);
void lab_berth_report_to_json(struct json_writer *json, const char *key,
			      const struct lab_berth_report *report);

struct lab_result {
	enum lab_end end;
	int status;	  /* exit status for the caller: the program's, or 1 */
	int output_error; /* why output of the program could not be written (-ENOSPC); 0 */
	enum lab_time time;
	char *policy;				       /* its text; NULL: none was asked for */
	char **argv;				       /* NULL-terminated, as given */
	struct printbuf words;			       /* a sentence when end is not EXITED */
	char *kernel_release, *qemu_version, *command; /* command: QEMU's, quoted for a shell */
	char *console_path;			       /* kept log; NULL when it was removed */
	uint64_t boot_wall_ns;			       /* QEMU's start to the program's start */
	uint64_t wall_ns, guest_ns;		       /* of the program */
	uint64_t user_ns, system_ns, max_rss_bytes;
	struct lab_number *vmstat; /* all of /proc/vmstat */
	size_t nr_vmstat;
	/* The series: nr_samples times; vmstat_series[i * nr_vmstat + k]. */
	size_t nr_samples;
	uint64_t *sample_ns; /* guest time since the program's start */
	uint64_t *vmstat_series;
	struct lab_node_series *nodes; /* per machine node index */
	uint32_t nr_nodes;
	uint32_t *guest_node;	     /* [machine's node index]: its number in the guest */
	struct lab_shared *counters; /* a copy; NULL: no model */
	uint32_t *sample_snapshot;   /* [sample] index into counters->snapshots, UINT32_MAX: none */
	char *tiers, *demotion, *zoneinfo, *cmdline; /* sections of the first sample */
	struct lab_berth_report berth;
	struct printbuf again; /* why an earlier boot was given up; among the notes, too */
	struct printbuf notes; /* sentences, one per line: "2 CPUs became 1 for icount", ... */
};

/* 0 when the lab did what it could, however the program ended; negative errno and err when it
 * could not even start (no QEMU, machine cannot be built, no memory): -EINVAL a machine QEMU
 * cannot build, -ENOMEM too little memory here, -ENOENT not set up. */
int lab_run(const struct lab_options *options, struct lab_result *ret, struct printbuf *err);
void lab_result_fini(struct lab_result *result);
/* One writer for all: text for people (summary), JSON whole, CSV the series. */
void lab_result_to_text(struct printbuf *out, const struct lab_result *result,
			const struct machine *machine);
void lab_result_to_json(struct json_writer *json, const char *key, const struct lab_result *result,
			const struct machine *machine);
void lab_result_to_csv(struct printbuf *out, const struct lab_result *result,
		       const struct machine *machine);
/* after - before of a vmstat counter; 0 when the kernel lacks it. */
uint64_t lab_result_delta(const struct lab_result *result, const char *name);
/* Modelled time (icount): instructions at ns_per_kinstr plus misses at their latency. */
uint64_t lab_modelled_ns(const struct lab_shared *counters, uint64_t ns_per_kinstr);

#endif
