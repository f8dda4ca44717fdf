/* SPDX-License-Identifier: MIT */
/* The engine in the kernel (job_engine.h), where this berth is built without it. */
#include "base/error.h"
#include "linux/job_engine.h"

static int probe(const struct root *root, struct printbuf *err)
{
	return error_set(err, -EOPNOTSUPP,
			 "--engine scx: this berth is built without the sched_ext engine; "
			 "--engine user works on any kernel");
}

static int start(struct job *job, struct printbuf *err)
{
	return -EOPNOTSUPP;
}

static int look(struct job *job, struct job_pace *ret, struct printbuf *err)
{
	return -ENOTCONN;
}

static void end(struct job *job)
{
}

const struct job_engine_ops job_engine_scx = {
	.name = "scx",
	.chooses_within_allowed = true,
	.probe = probe,
	.start = start,
	.look = look,
	.end = end,
};
