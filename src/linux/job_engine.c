/* SPDX-License-Identifier: MIT */
/* Choosing an engine (job_engine.h). */
#include "linux/job_engine.h"

#include <string.h>

#include "base/error.h"

int job_engine_choose(const char *name, const struct root *root, const struct job_engine_ops **ret,
		      struct printbuf *err)
{
	const struct job_engine_ops *const best_first[] = { &job_engine_scx, &job_engine_user };
	bool is_auto = !name || strcmp(name, "auto") == 0;
	for (size_t i = 0; i < ARRAY_SIZE(best_first); i++) {
		const struct job_engine_ops *ops = best_first[i];
		if (!is_auto && strcmp(name, ops->name) != 0)
			continue;
		int error = ops->probe(root, is_auto ? NULL : err);
		if (!error)
			*ret = ops;
		if (!error || !is_auto)
			return error;
	}
	return error_set(err, -EINVAL, "--engine %s: no such engine; write auto, user or scx",
			 name ? name : "auto");
}
