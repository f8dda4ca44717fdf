/* SPDX-License-Identifier: MIT */
/* The bounds. A new one is one record and its line here. */
#include <string.h>

#include "sim/bound.h"

static const struct bound_ops bound_all_fast = {
	.name = "all-fast",
	.summary = "everything on the fastest node, however large it is: nothing is faster",
	.kernel = &kernel_all_fast,
};

static const struct bound_ops bound_all_slow = {
	.name = "all-slow",
	.summary = "everything on the slowest node",
	.kernel = &kernel_all_slow,
};

const struct bound_ops *const bounds[] = {
	&bound_all_fast,
	&bound_all_slow,
	NULL,
};

const struct bound_ops *bound_find(const char *name)
{
	for (size_t i = 0; bounds[i]; i++)
		if (strcmp(bounds[i]->name, name) == 0)
			return bounds[i];
	return NULL;
}
