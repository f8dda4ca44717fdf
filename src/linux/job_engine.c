/* SPDX-License-Identifier: MIT */
/* Choosing an engine (job_engine.h). */
#include "linux/job_engine.h"

#include <string.h>

#include "base/error.h"

static int start_none(struct job *job, struct printbuf *err)
{
	return 0;
}

static int look_none(struct job *job, struct job_pace *ret, struct printbuf *err)
{
	return 0;
}

static void end_none(struct job *job)
{
}

const struct job_engine_ops job_engine_none = {
	.name = "none",
	.chooses_within_allowed = true,
	.start = start_none,
	.look = look_none,
	.end = end_none,
};

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
