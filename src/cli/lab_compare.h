/* SPDX-License-Identifier: MIT */
/* What `berth lab compare` is made of: the runs, and how they are shown. */
#ifndef BERTH_CLI_LAB_COMPARE_H
#define BERTH_CLI_LAB_COMPARE_H

#include "base/table.h"
#include "lab/launcher/compare.h"

struct compare_show { /* what is shown; nothing is owned */
	const struct compare *compare;
	const struct machine *machine;
	const char *program;	  /* as typed */
	const char *kernels;	  /* releases, "6.12.95, 7.3.4"; "" when no run told */
	const char *qemu_version; /* NULL: no run told */
	enum lab_time time;
	uint64_t repeat;
	const char *notes; /* sentences, one a line */
	unsigned columns;  /* of text */
	bool is_utf8;
};

void compare_to_text(struct printbuf *out, const struct compare_show *show);
void compare_to_json(struct printbuf *out, const struct compare_show *show);
void compare_to_csv(struct printbuf *out, const struct compare_show *show);

struct option_list;

struct compare_plan { /* what to run: filled from the command line, then run */
	const struct machine *machine;
	enum lab_time time;
	uint64_t repeat, time_limit_ns, sample_ns;
	const char *wish;     /* --metric; NULL: by itself */
	const char *keep_dir; /* NULL: nothing is kept */
	const char *share_dir;
	bool is_verbose, is_quiet;
	char **program;
	/* Filled by compare_plan_init(), one for each of compare.cases. */
	struct compare compare;
	struct compare_lab *labs;
	/* Filled while running. */
	struct printbuf notes, kernels;
	char *qemu_version;
	bool is_interrupted;
};

struct compare_lab { /* how one case is run */
	struct lab_policy policy;
	struct machine *grown; /* all-fast: the machine to run on; else NULL */
};

/* Cases in the order of the command line, then the yardsticks, for each kernel. The strings must
 * outlive the plan. -EINVAL with a sentence. */
int compare_plan_init(struct compare_plan *plan, const struct option_list *policies,
		      const struct option_list *kernels, bool has_yardsticks, struct printbuf *err);
void compare_plan_fini(struct compare_plan *plan);
/* All runs, interleaved. 0 also when runs failed or were interrupted: the plan says so. Negative
 * errno when no lab can be had at all, with a sentence. */
int compare_plan_run(struct compare_plan *plan, struct printbuf *err);
/* What --dry-run prints: cases, their machines and settings. */
void compare_plan_to_text(struct printbuf *out, const struct compare_plan *plan);

#endif
