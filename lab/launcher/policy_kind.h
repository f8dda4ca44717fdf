/* SPDX-License-Identifier: MIT */
/*
 * The table behind the policies of the lab, private to policy*.c.
 *
 * A policy is one record: its name, the keys it takes, what it needs of a machine and a kernel, and
 * a function that adds its settings. A new policy is one record and one line in policy.c.
 *
 *     "kernel:scan_period_min_ms=100,thp=never"
 *        |          |                 |
 *      record    its own key     a key that all policies take
 *                   |                 |
 *                policy_build.values[], was_given[]  ->  settings: (path, value) in order
 */
#ifndef BERTH_LAB_POLICY_KIND_H
#define BERTH_LAB_POLICY_KIND_H

#include "base/error.h"
#include "lab/launcher/policy.h"

#define POLICY_MAX_KEYS	 24 /* of one policy, the common ones included */
#define POLICY_MAX_TEXTS 4  /* keys of one policy that are text */
#define POLICY_WORD_MAX	 64 /* bytes of one key or value */

struct policy_key {
	const char *name;
	const char *unit;    /* "ms"; "" for plain numbers */
	const char *initial; /* what holds when it is not given, as text */
	uint64_t min, max;
	const char *words; /* "always|madvise|never": one of these, not a number; else NULL */
	const char *path;  /* the value is written here when given; NULL: the policy uses it */
	const char *help;
	bool is_text; /* any text without a comma: policy_text() */
};

struct policy_value {
	uint64_t number;  /* or the index of the word */
	const char *text; /* of a key that is_text; points into policy_build.texts */
	bool was_given;
};

struct policy_build {
	const struct policy_kind *kind;
	const struct machine *machine;
	enum lab_time time;
	unsigned kernel; /* KERNEL_VERSION(); 0: not known, taken to be new */
	struct policy_value values[POLICY_MAX_KEYS]; /* the policy's own keys, then common ones */
	char texts[POLICY_MAX_TEXTS][POLICY_WORD_MAX + 1];
	size_t nr_texts;
	struct lab_policy *policy;
	bool has_failed; /* sticky: out of memory */
};

struct policy_kind {
	const char *name, *summary;
	const struct policy_key *keys;
	size_t nr_keys;
	bool needs_placement, is_all_fast;
	/* Can it work on this machine and kernel with these values? -EINVAL and a sentence. */
	int (*check)(const struct policy_build *build, struct printbuf *err);
	/* Adds the policy's settings; those of keys with a path are there already. */
	int (*add_settings)(struct policy_build *build, struct printbuf *err);
};

#define KERNEL_VERSION(major, minor) ((major)*1000u + (minor))

extern const struct policy_kind policy_kind_none, policy_kernel, policy_damon, policy_kind_berth;

/* The value of the policy's own key `name`: as given, else its initial value. */
uint64_t policy_value(const struct policy_build *build, const char *name);
/* Of a key that is_text; NULL when it is not given. */
const char *policy_text(const struct policy_build *build, const char *name);
/* A word of what the program is started by. */
void policy_add_word(struct policy_build *build, const char *word);
bool policy_kernel_is_before(const struct policy_build *build, unsigned major, unsigned minor);
/* path: "set" unless optional. Formats the value. */
void policy_set(struct policy_build *build, const char *path, const char *format, ...)
	berth_printf(3, 4);
void policy_try(struct policy_build *build, const char *path, const char *format, ...)
	berth_printf(3, 4);

#endif
