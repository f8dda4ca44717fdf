/* SPDX-License-Identifier: MIT */
/*
 * What a lab run places memory with: settings written in the guest before the program starts,
 * and for `static-best` a word to the workload.
 *
 *     none | kernel | damon | berth | static-best | all-fast, each with [:key=value,...]
 *
 * Keys bear the kernel's own names (scan_period_min_ms, swappiness). What no key names stays as the
 * guest's kernel has it: every run boots anew.
 */
#ifndef BERTH_LAB_POLICY_H
#define BERTH_LAB_POLICY_H

#include "base/printbuf.h"
#include "lab/counters.h"
#include "machine/machine.h"

struct lab_setting {
	char *path, *value;
	bool is_optional; /* try, not set */
};

struct lab_policy {
	char *text; /* as given: "kernel:scan_period_min_ms=100" */
	char *name; /* "kernel" */
	struct lab_setting *settings;
	size_t nr_settings;
	bool needs_placement; /* static-best: LAB_PLACE=NODES in the workload's environment */
	bool is_all_fast;     /* the fast node grows to hold everything; see lab_all_fast() */
	char **launcher; /* berth: words after this program's path, before PROGRAM; NULL: none */
	size_t nr_launcher;
	char *place; /* the NODES of LAB_PLACE, "0-1"; NULL: the workload is told nothing */
};

/* Names for --help and errors; NULL-terminated. */
extern const char *const lab_policy_names[];
/* -EINVAL: unknown name or key (err says which, the nearest, and what there is), a value out of
 * range, or a policy that has nothing to do on this machine; kernel_series ("6.12", "7.3" or NULL)
 * where settings differ by it. */
int lab_policy_parse(const char *text, const struct machine *machine, const char *kernel_series,
		     struct lab_policy *ret, struct printbuf *err);
/* The same where time may be LAB_TIME_ICOUNT: its one CPU can change how the guest numbers nodes.
 */
int lab_policy_parse_for(const char *text, const struct machine *machine, const char *kernel_series,
			 enum lab_time time, struct lab_policy *ret, struct printbuf *err);
void lab_policy_fini(struct lab_policy *policy);
void lab_policy_help(struct printbuf *out); /* names, keys, units, defaults */
/* One line per setting, in order: "set PATH VALUE" or "try PATH VALUE", as in /lab.conf; then what
 * the program is started by, if anything: "run berth WORD ...". */
void lab_policy_settings_to_text(struct printbuf *out, const struct lab_policy *policy);
/* The same machine with all memory in its fastest tier (the yardstick `all-fast`). */
int lab_all_fast(const struct machine *machine, struct machine **ret, struct printbuf *err);

#endif
