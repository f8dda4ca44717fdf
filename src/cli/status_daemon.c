/* SPDX-License-Identifier: MIT */
/* The daemon's jobs as text (status_daemon.h). */
#include "cli/status_daemon.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "cli/reply.h"

static void add_text(struct printbuf *out, const char *text)
{
	if (text)
		prt_safe(out, text, strlen(text));
	else
		prt_char(out, '-');
	prt_char(out, '\t');
}

static void add_bytes(struct printbuf *out, const struct reply_row *row, const char *name)
{
	if (reply_value(row, name))
		prt_bytes(out, reply_u64(row, name));
	else
		prt_char(out, '-');
	prt_char(out, '\t');
}

static void add_number(struct printbuf *out, const struct reply_row *row, const char *name)
{
	if (reply_value(row, name))
		prt_u64_grouped(out, reply_u64(row, name));
	else
		prt_char(out, '-');
	prt_char(out, '\t');
}

static void add_job(void *context, const struct reply_row *row)
{
	struct printbuf *out = context;
	const char *state = reply_value(row, "state");
	bool is_dry = state && strcmp(state, "dry run") == 0;
	add_text(out, reply_value(row, "job"));
	add_text(out, state);
	add_number(out, row, "processes");
	add_bytes(out, row, "fast_bytes");
	add_bytes(out, row, "slow_bytes");
	add_bytes(out, row, "floor_bytes");
	add_bytes(out, row, "cap_bytes");
	add_number(out, row, is_dry ? "wanted_up_pages" : "promoted_pages");
	add_number(out, row, is_dry ? "wanted_down_pages" : "demoted_pages");
	add_number(out, row, "round_trip_pages");
	add_text(out, reply_value(row, "cpus.prefer"));
	add_text(out, reply_value(row, "cpus.now"));
	add_number(out, row, "cpus.spilled");
	if (reply_value(row, "left_alone_for_ns"))
		prt_ns(out, reply_u64(row, "left_alone_for_ns"));
	else
		prt_char(out, '-');
	prt_char(out, '\n');
}

static void add_share(struct printbuf *out, const struct reply_row *row, const char *name)
{
	const char *text = reply_value(row, name);
	prt_percent(out, text ? strtod(text, NULL) : 0, 2);
}

static void add_memory(struct printbuf *out, const struct reply_row *row)
{
	const char *why = reply_value(row, "why_no_memory");
	if (reply_value(row, "sampler")) {
		prt_str(out, "; policy ");
		reply_prt(out, row, "policy");
		prt_str(out, ", sampler ");
		reply_prt(out, row, "sampler");
		prt_str(out, " (");
		add_share(out, row, "sampling_share");
		prt_str(out, " of a CPU), mover ");
		reply_prt(out, row, "mover");
		prt_str(out, " (");
		add_share(out, row, "moving_share");
		prt_char(out, ')');
	} else if (why) {
		prt_str(out, "; memory is not placed: ");
		prt_safe(out, why, strlen(why));
	} else {
		prt_str(out, "; no memory to place");
	}
}

static void add_daemon(void *context, const struct reply_row *row)
{
	struct printbuf *out = context;
	const char *dry = reply_value(row, "dry_run");
	bool is_dry = dry && strcmp(dry, "true") == 0;
	prt_printf(out, "daemon %llu%s: ", (unsigned long long)reply_u64(row, "pid"),
		   is_dry ? ", a dry run (UP and DOWN: what it would move)" : "");
	prt_bytes(out, reply_u64(row, "fast_bytes"));
	prt_str(out, " of fast memory, ");
	add_share(out, row, "cpu_share");
	prt_str(out, " of a CPU");
	add_memory(out, row);
	prt_char(out, '\n');
}

void status_daemon_to_text(struct printbuf *out, const char *answer)
{
	PRINTBUF(rows);
	if (!*answer)
		return;
	if (out->pos > 0)
		prt_char(out, '\n');
	reply_rows(answer, "service", add_daemon, out);
	prt_str(&rows, "JOB\tSTATE\tPROCESSES\tFAST\tSLOW\tFLOOR\tCAP\tUP\tDOWN\tROUND "
		       "TRIPS\tPREFER\tNOW\tSPILLED\tLEFT ALONE\n");
	reply_rows(answer, "jobs", add_job, &rows);
	prt_aligned(out, printbuf_str(&rows));
}
