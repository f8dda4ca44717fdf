/* SPDX-License-Identifier: MIT */
/* Where berth is built without libbpf (scx.h): said once, and nothing else. */
#ifndef BERTH_HAS_SCX
#include "linux/scx.h"

#include "base/error.h"

int scx_probe(const struct root *root, struct printbuf *err)
{
	return error_set(err, -EOPNOTSUPP,
			 "--engine scx: this berth is built without it; install what it needs "
			 "(scripts/setup --scx) and build again, or use --engine user");
}

int scx_open(const struct root *root, const struct journal_owner *self, struct scx **ret,
	     struct printbuf *err)
{
	return scx_probe(root, err);
}

void scx_close(struct scx *scx)
{
}

int scx_job_add(struct scx *scx, struct scx_request *request, struct printbuf *err)
{
	return -EOPNOTSUPP;
}

int scx_job_change(struct scx *scx, const struct scx_request *request, struct printbuf *err)
{
	return -EOPNOTSUPP;
}

void scx_job_del(struct scx *scx, uint32_t slot)
{
}

int scx_task_add(struct scx *scx, pid_t tid, const struct scx_request *request)
{
	return -EOPNOTSUPP;
}

void scx_task_del(struct scx *scx, pid_t tid)
{
}

int scx_counts_read(struct scx *scx, uint32_t slot, struct scx_counts *ret)
{
	return -EOPNOTSUPP;
}

int scx_check(struct scx *scx, struct printbuf *err)
{
	return -ENOTCONN;
}
#else
typedef int scx_is_in_scx_libbpf; /* ISO C wants a declaration */
#endif
