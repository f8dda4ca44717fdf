/* SPDX-License-Identifier: MIT */
/* What the daemon decided lately (explain_live.h). */
#include "cli/explain_live.h"

#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/reply.h"

static bool is_address(const char *text)
{
	return strncmp(text, "0x", 2) == 0 && text[2] &&
	       strspn(text + 2, "0123456789abcdefABCDEF") == strlen(text + 2) && strlen(text) <= 18;
}

bool explain_live_is_meant(int nr_arguments, char **arguments)
{
	const char *first = arguments[0];
	if (is_address(first))
		return access(first, F_OK) != 0;
	return access(first, F_OK) != 0 && !strchr(first, '/') && !strchr(first, '.');
}

static void add_node(struct printbuf *out, const struct reply_row *row, const char *name)
{
	const char *text = reply_value(row, name);
	if (text && *text != '-')
		reply_prt(out, row, name);
	else
		prt_char(out, '?');
}

/* The words of explain_text.c. */
static void add_event(void *context, const struct reply_row *row)
{
	struct printbuf *out = context;
	const char *why = reply_value(row, "why"), *kind = reply_value(row, "kind");
	prt_ns(out, reply_u64(row, "ago_ns"));
	prt_str(out, " ago\t");
	reply_prt(out, row, "job");
	prt_printf(out, "\t%llu\t", (unsigned long long)reply_u64(row, "pid"));
	reply_prt(out, row, "address");
	prt_char(out, '\t');
	prt_u64_grouped(out, reply_u64(row, "pages"));
	prt_char(out, '\t');
	reply_prt(out, row, "kind");
	prt_str(out, "\tnode ");
	add_node(out, row, "from");
	prt_str(out, " -> ");
	add_node(out, row, "to");
	prt_char(out, '\t');
	if (kind && strcmp(kind, "refused") == 0) {
		reply_prt(out, row, "outcome");
		prt_str(out, why && *why ? ": " : "");
	}
	reply_prt(out, row, "why");
	prt_char(out, '\n');
}

static void add_page(void *context, const struct reply_row *row)
{
	struct printbuf *out = context;
	const char *why = reply_value(row, "wanted_why");
	prt_str(out, "job ");
	reply_prt(out, row, "job");
	prt_printf(out, ", process %llu: %llu moves, %llu round trips%s",
		   (unsigned long long)reply_u64(row, "pid"),
		   (unsigned long long)reply_u64(row, "moves"),
		   (unsigned long long)reply_u64(row, "round_trips"),
		   why ? "; wanted last because it " : "");
	reply_prt(out, row, "wanted_why");
	prt_char(out, '\n');
}

static void to_text(struct printbuf *out, const char *answer)
{
	PRINTBUF(rows);
	reply_rows(answer, "pages", add_page, out);
	reply_rows(answer, "events", add_event, &rows);
	if (rows.pos == 0) {
		prt_str(out, "nothing was decided lately\n");
		return;
	}
	PRINTBUF(table);
	prt_str(&table, "WHEN\tJOB\tPID\tADDRESS\tPAGES\tWHAT\tWHERE\tWHY\n");
	prt_str(&table, printbuf_str(&rows));
	prt_aligned(out, printbuf_str(&table));
}

static void make_question(struct printbuf *line, const struct explain_live_options *options,
			  int nr_arguments, char **arguments)
{
	struct json_writer json;
	bool has_job = !is_address(arguments[0]);
	const char *address = nr_arguments > 1 ? arguments[1] : has_job ? NULL : arguments[0];
	json_writer_init(&json, line, true);
	json_object_begin(&json, NULL);
	json_str(&json, "ask", "explain");
	if (has_job)
		json_str(&json, "job", arguments[0]);
	if (address)
		json_str(&json, "address", address);
	if (options->pid)
		json_str(&json, "pid", options->pid);
	json_object_end(&json);
}

int explain_live(const struct explain_live_options *options, int nr_arguments, char **arguments)
{
	struct json_writer json;
	PRINTBUF(line);
	PRINTBUF(answer);
	PRINTBUF(out);
	if (options->format == FORMAT_CSV)
		return fail_usage("--format csv: only of a recording; write text or json");
	if (nr_arguments > 1 && !is_address(arguments[1]))
		return fail_usage("%s: not an address; write it in hexadecimal, such as "
				  "0x7f12a4c5e000",
				  arguments[1]);
	make_question(&line, options, nr_arguments, arguments);
	int status = reply_ask(options->socket, options->state, printbuf_str(&line), false,
			       &answer);
	if (status)
		return status;
	if (options->format == FORMAT_JSON) {
		json_writer_init(&json, &out, false);
		reply_copy(printbuf_str(&answer), &json, NULL);
		prt_char(&out, '\n');
	} else {
		to_text(&out, printbuf_str(&answer));
	}
	return put_output(&out, NULL);
}
