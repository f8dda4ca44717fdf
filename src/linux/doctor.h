/* SPDX-License-Identifier: MIT */
/*
 * `berth doctor`: is everything here that berth needs, and if not, why, and what helps?
 *
 *     facts (read once)  -->  checks (one function per subject)  -->  findings  -->  text or JSON
 *     kernel, rights,          doctor_kernel.c, doctor_cpus.c,        group, name, word,
 *     machine, trials          doctor_memory.c, doctor_rivals.c       summary, notes
 *
 * A finding is one line: what was looked at, one word, what is there. What is not as it could be is
 * a note below it: the reason, and the remedy where there is one.
 *
 *     ok         works
 *     unknown    the root does not tell (a captured one holds only what was captured)
 *     off        there, but turned off; or there is nothing to do here
 *     limited    works in part
 *     missing    is not there
 *
 * Nothing is changed. What can be tried is tried (doctor_try.c) in a child process, because a
 * seccomp filter may kill who tries, and with arguments that leave everything as it is. Below a
 * captured root nothing is tried: files are all there is.
 *
 * Cost: some hundred small files, among them the comm of every process; ten system calls; 10 ms
 * beside the discovery of the machine.
 *
 * Source of the order of things: `flutter doctor` (groups, one line each, remedy below) and
 * `kubeadm` preflight (an exit status that scripts can use).
 */
#ifndef BERTH_LINUX_DOCTOR_H
#define BERTH_LINUX_DOCTOR_H

#include "base/json.h"
#include "machine/machine.h"
#include "machine/root.h"

enum doctor_group {
	DOCTOR_SEE,
	DOCTOR_PREDICT,
	DOCTOR_CPUS,
	DOCTOR_MEMORY,
	DOCTOR_PROVE,
	DOCTOR_NR_GROUPS,
};
extern const char *const doctor_group_names[]; /* "see", ..., "place-cpus"; NULL-terminated */

enum doctor_word { /* worst last */
		   DOCTOR_OK,
		   DOCTOR_UNKNOWN,
		   DOCTOR_OFF,
		   DOCTOR_LIMITED,
		   DOCTOR_MISSING,
};

struct doctor_note {
	struct printbuf reason, remedy; /* remedy may be empty */
};

struct doctor_finding {
	enum doctor_group group;
	const char *name;
	bool is_needed; /* the group does not work without it */
	enum doctor_word word;
	struct printbuf summary;
	struct doctor_note *notes;
	size_t nr_notes;
};

enum doctor_trial {
	TRY_AFFINITY,	   /* our own affinity, set to what it is */
	TRY_MOVE,	   /* one page of ours to where it is */
	TRY_MOVE_OTHER,	   /* ask where a page of somebody else's is */
	TRY_MADVISE,	   /* say of a page of ours that it is cold */
	TRY_MADVISE_OTHER, /* the same of no page of somebody else's */
	TRY_PAGEMAP_OTHER, /* open its pagemap */
	TRY_FRAMES,	   /* see the frame number of a page of ours */
	TRY_PAGEMAP_SCAN,
	TRY_PERF, /* count our own page faults */
	TRY_NR_TRIALS,
};
#define TRIAL_NOT_TRIED 1
#define TRIAL_KILLED	2 /* who tried was killed: a seccomp filter */

struct doctor {
	const struct root *root;
	struct doctor_finding **findings;
	size_t nr_findings;
	bool is_out_of_memory;
	struct doctor_finding spare; /* takes what has no memory */

	/* Facts. */
	char *release;	  /* "6.12.117+deb12-amd64"; NULL: not known */
	uint32_t version; /* 6012 for 6.12; 0: not known */
	char *config;	  /* the kernel's configuration; NULL: not known */
	char config_path[128];
	bool has_status;       /* the next two are known */
	uint64_t capabilities; /* effective ones of this process */
	int seccomp;	       /* 0 none, 1 strict, 2 filter */
	struct machine *machine;
	int other;		   /* the process that stood for those of others */
	int trials[TRY_NR_TRIALS]; /* 0, negative errno, or TRIAL_* */
};

/* Everything that can be looked at from here; `argument` names the root for machine discovery:
 * "host", a directory or a tar. -ENOMEM when the findings are not whole. */
int doctor_init(struct doctor *doctor, const struct root *root, const char *argument,
		struct printbuf *err);
int doctor_check(struct doctor *doctor);
void doctor_fini(struct doctor *doctor);

/* A finding that is ok so far. Never NULL. */
struct doctor_finding *doctor_add(struct doctor *doctor, enum doctor_group group, const char *name,
				  bool is_needed);
void doctor_summary(struct doctor_finding *finding, const char *format, ...) berth_printf(2, 3);
/* Adds a note and makes the finding at least as bad as the word. `remedy` may be NULL. */
void doctor_note(struct doctor *doctor, struct doctor_finding *finding, enum doctor_word word,
		 const char *remedy, const char *format, ...) berth_printf(5, 6);

/* Groups as bits; 0: all. */
void doctor_to_text(struct printbuf *out, const struct doctor *doctor, unsigned groups,
		    unsigned judged);
void doctor_to_json(struct printbuf *out, const struct doctor *doctor, unsigned groups,
		    unsigned judged);
/* Something that is needed is missing in one of the groups. */
bool doctor_lacks(const struct doctor *doctor, unsigned judged);

/* Facts. */
enum config_value { CONFIG_UNKNOWN, CONFIG_NOT_SET, CONFIG_MODULE, CONFIG_BUILT_IN };
enum config_value doctor_config(const struct doctor *doctor, const char *option); /* "NUMA" */
bool doctor_can(const struct doctor *doctor, unsigned capability); /* true when not known */
/* The word in brackets of a file like "[none] integrity", or the whole text; "" when not there. */
void doctor_read_choice(const struct doctor *doctor, const char *path, struct printbuf *out);
/* Files that hold 0 or N, 1 or Y; -1: not there. */
int doctor_read_switch(const struct doctor *doctor, const char *path);

/* Reads release, configuration and rights. */
void doctor_read_facts(struct doctor *doctor);
void doctor_try(struct doctor *doctor);
const char *doctor_trial_text(int result); /* why it failed */

/* The checks, by file. */
void doctor_check_kernel(struct doctor *doctor); /* doctor_kernel.c */
void doctor_check_security(struct doctor *doctor);
void doctor_check_watching(struct doctor *doctor); /* doctor_see.c */
void doctor_check_machine(struct doctor *doctor);  /* doctor_tiers.c */
void doctor_check_tiers(struct doctor *doctor);
void doctor_check_cpus(struct doctor *doctor);	   /* doctor_cpus.c */
void doctor_check_memory(struct doctor *doctor);   /* doctor_memory.c */
void doctor_check_live(struct doctor *doctor);	   /* doctor_live.c */
void doctor_check_rivals(struct doctor *doctor);   /* doctor_rivals.c */
void doctor_check_journals(struct doctor *doctor); /* doctor_journals.c */

#endif
