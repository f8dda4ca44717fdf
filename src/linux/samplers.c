/* SPDX-License-Identifier: MIT */
/* The list of samplers (samplers.h): one line for each, best first. */
#include "linux/samplers.h"

#include <string.h>

#include "base/error.h"

const struct sampler_ops *const live_samplers[] = {
	&live_sampler_accessed,
	&live_sampler_damon,
	&live_sampler_hint_faults,
	NULL,
};

const struct sampler_ops *live_sampler_find(const char *name)
{
	for (size_t i = 0; live_samplers[i]; i++)
		if (strcmp(live_samplers[i]->name, name) == 0)
			return live_samplers[i];
	return NULL;
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
