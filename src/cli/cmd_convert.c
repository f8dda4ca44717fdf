/* SPDX-License-Identifier: MIT */
/* `berth convert`: any file that berth reads to a recording, or to CSV. Streams both ways. */
#include <string.h>

#include "cli/commands.h"
#include "cli/convert.h"

struct convert_options {
	const char *to;
};

enum convert_to { TO_UNKNOWN, TO_BERTH, TO_CSV };

static bool has_suffix(const char *path, const char *suffix)
{
	size_t len = strlen(path), suffix_len = strlen(suffix);
	return len >= suffix_len && strcmp(path + len - suffix_len, suffix) == 0;
}

static enum convert_to find_target(const struct convert_options *options, const char *out)
{
	if (options->to)
		return strcmp(options->to, "csv") == 0 ? TO_CSV : TO_BERTH;
	if (has_suffix(out, ".berth"))
		return TO_BERTH;
	return has_suffix(out, ".csv") || strcmp(out, "-") == 0 ? TO_CSV : TO_UNKNOWN;
}

static int convert_run(const void *opaque, int nr_arguments, char **arguments)
{
	const struct convert_options *options = opaque;
	const char *in = arguments[0], *out = arguments[1];
	enum convert_to to = find_target(options, out);
	bool is_cut = false;
	PRINTBUF(err);
	(void)nr_arguments;
	if (to == TO_UNKNOWN)
		return fail_usage("%s: ends in neither .berth nor .csv; say --to berth or --to csv",
				  out);
	if (to == TO_BERTH && strcmp(out, "-") == 0)
		return fail_usage("-: a recording cannot be written to a pipe; name a file");
	if (output_part_is_input(in, out) || (to == TO_CSV && output_is_input(in, out)))
		return fail_usage("%s: writing %s would destroy it; name another file", in, out);
	int error = to == TO_CSV ? convert_to_csv(in, out, &is_cut, &err)
				 : convert_to_berth(in, out, &is_cut, &err);
	if (error)
		return fail(&err, error);
	if (is_cut)
		complain("%s: was cut; converted up to its last whole block", in);
	return is_cut ? EXIT_PARTLY : EXIT_DONE;
}

static const struct option convert_option_table[] = {
	{ .name = "to",
	  .argument = "KIND",
	  .kind = OPTION_STRING,
	  .offset = offsetof(struct convert_options, to),
	  .help = "What to write. By default what the end of OUT says: .berth or .csv.",
	  .choices = "berth|csv" },
};

const struct command command_convert = {
	.name = "convert",
	.usage = "IN OUT [--to berth|csv]",
	.summary = "another tool's file to a recording, a recording to CSV",
	.about = "Reads IN, a recording or a file of another tool (Valgrind lackey's text, one hex "
		 "address per line, damo's records), and writes OUT: a .berth recording, or CSV "
		 "with one line per event. OUT - is CSV on standard output. Memory does not grow "
		 "with the files.\n"
		 "`report`, `info` and `sim` read such files directly as well; a recording is "
		 "smaller and far faster to read.",
	.examples = "  # a trace of Valgrind's lackey\n"
		    "  berth convert trace.txt trace.berth\n"
		    "  # the first events of a recording\n"
		    "  berth convert sqlite3.berth - | head\n",
	.options = convert_option_table,
	.nr_options = ARRAY_SIZE(convert_option_table),
	.options_size = sizeof(struct convert_options),
	.min_arguments = 2,
	.max_arguments = 2,
	.run = convert_run,
};
