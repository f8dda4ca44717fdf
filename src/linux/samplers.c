/* SPDX-License-Identifier: MIT */
/* The list of samplers (samplers.h): one line for each, best first. */
#include "linux/samplers.h"

#include <string.h>

#include "base/error.h"

#define SAMPLER_NAME_MAX ((size_t)64)

const struct sampler_ops *const live_samplers[] = {
	&live_sampler_accessed,	   &live_sampler_damon,		 &live_sampler_hardware,
	&live_sampler_hint_faults, &live_sampler_damon_physical, NULL,
};

const struct sampler_ops *live_sampler_find(const char *name)
{
	for (size_t i = 0; live_samplers[i]; i++)
		if (strcmp(live_samplers[i]->name, name) == 0)
			return live_samplers[i];
	return NULL;
}

/* What is meant, or else all that there are. */
static int refuse_name(const char *text, struct printbuf *err)
{
	const char *names[ARRAY_SIZE(live_samplers)] = { live_sampler_auto.name };
	size_t nr = 1;
	for (size_t i = 0; live_samplers[i]; i++)
		names[nr++] = live_samplers[i]->name;
	if (strcmp(text, names[0]) == 0)
		return error_set(err, -EINVAL,
				 "auto: chooses by itself; name it alone, or others without it");
	const char *nearest = nearest_name(text, names, nr);
	if (nearest)
		return error_set(err, -EINVAL, "%s: no such sampler; did you mean %s?", text,
				 nearest);
	error_set(err, -EINVAL, "%s: no such sampler; there are ", text);
	for (size_t i = 0; err && i < nr; i++)
		prt_printf(err, "%s%s", i ? ", " : "", names[i]);
	return -EINVAL;
}

static int add_named(const char *name, size_t length, const struct sampler_ops **ret, uint32_t max,
		     uint32_t *nr, struct printbuf *err)
{
	char text[SAMPLER_NAME_MAX + 1];
	memcpy(text, name, MIN(length, SAMPLER_NAME_MAX));
	text[MIN(length, SAMPLER_NAME_MAX)] = '\0';
	const struct sampler_ops *ops = live_sampler_find(text);
	if (!ops)
		return refuse_name(text, err);
	for (uint32_t i = 0; i < *nr; i++)
		if (ret[i] == ops)
			return error_set(err, -EINVAL, "%s: named twice", ops->name);
	if (*nr == max)
		return error_set(err, -EINVAL, "%s: %u at a time at most", ops->name, max);
	ret[(*nr)++] = ops;
	return 0;
}

int live_samplers_parse(const char *names, const struct sampler_ops **ret, uint32_t max,
			uint32_t *ret_nr, struct printbuf *err)
{
	uint32_t nr = 0;
	if (strcmp(names, live_sampler_auto.name) == 0) {
		ret[0] = &live_sampler_auto;
		*ret_nr = 1;
		return 0;
	}
	for (const char *at = names;; at++) {
		size_t length = strcspn(at, ",");
		int error = add_named(at, length, ret, max, &nr, err);
		if (error)
			return error;
		at += length;
		if (!*at)
			break;
	}
	*ret_nr = nr;
	return 0;
}

const struct sampler_ops *live_sampler_choose(struct live *live, struct printbuf *err)
{
	PRINTBUF(reasons);
	for (size_t i = 0; live_samplers[i]; i++) {
		PRINTBUF(reason);
		if (live_samplers[i]->probe(live, &reason) == 0)
			return live_samplers[i];
		prt_printf(&reasons, "; %s: %s", live_samplers[i]->name, printbuf_str(&reason));
	}
	error_set(err, -EOPNOTSUPP, "no sampler works here%s", printbuf_str(&reasons));
	return NULL;
}
