/* SPDX-License-Identifier: MIT */
/*
 * Tunables: the named numbers of a policy, a kernel or the cost model, from which --help, --list,
 * the man page and the parser of "NAME:key=value,key=value" all come.
 *
 * Every value is a uint64_t in the unit its record names.
 */
#ifndef BERTH_POLICY_TUNABLE_H
#define BERTH_POLICY_TUNABLE_H

#include "base/printbuf.h"
#include "base/types.h"

#define TUNABLES_MAX   40 /* of one owner */
#define SPEC_NAME_MAX  64
#define TUNABLE_NO_MAX UINT64_MAX

enum tunable_unit {
	TUNABLE_COUNT,
	TUNABLE_BYTES,
	TUNABLE_NS,
	TUNABLE_RATE,	/* bytes per second */
	TUNABLE_BP,	/* per ten thousand; written "12.5%" or "0.125" */
	TUNABLE_FLAG,	/* 0 or 1; also written off, on, no, yes */
	TUNABLE_CHOICE, /* index of one of `choices`, written as the word */
};

struct tunable {
	const char *name;
	enum tunable_unit unit;
	uint64_t initial, min, max;
	const char *help;
	const char *const *choices; /* TUNABLE_CHOICE: max + 1 words; else NULL */
};

void tunables_defaults(const struct tunable *tunables, size_t nr, uint64_t *values);
/* Reads "key=value,key=value" ("" and NULL are fine) into `values`, which holds the defaults
 * already. -EINVAL or -ERANGE with a sentence that names `owner` and says which keys do exist;
 * values are untouched on failure. */
int tunables_parse(const char *text, const struct tunable *tunables, size_t nr, const char *owner,
		   uint64_t *values, struct printbuf *err);
void tunable_value_to_text(struct printbuf *out, const struct tunable *tunable, uint64_t value);
/* One line each: name, default, limits, help; indented by `indent`. */
void tunables_to_text(struct printbuf *out, const struct tunable *tunables, size_t nr,
		      unsigned indent);
/* "key=value,key=value" of those that differ from their default; "" when none does. */
void tunables_changed_to_text(struct printbuf *out, const struct tunable *tunables, size_t nr,
			      const uint64_t *values);

/* Splits "NAME:rest" or "NAME"; *ret_rest points into spec ("" when there is none).
 * -EINVAL when the name is empty or longer than SPEC_NAME_MAX. */
int spec_split(const char *spec, char name[SPEC_NAME_MAX + 1], const char **ret_rest);

#endif
