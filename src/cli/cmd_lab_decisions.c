/* SPDX-License-Identifier: MIT */
/* `berth lab decisions`: what the kernel decided at each hint fault, beside what the model would.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "sim/decisions.h"

struct decisions_options {
	enum output_format format;
};

static const char *const verdict_names[HOT_NR_VERDICTS] = {
	[HOT_FREE_SPACE] = "free-space",
	[HOT_PROMOTE] = "promote",
	[HOT_COLD] = "cold",
	[HOT_LIMITED] = "limited",
};

static int read_lines(FILE *file, const char *path, struct decisions *decisions,
		      struct printbuf *err)
{
	char *line = NULL;
	size_t room = 0;
	uint64_t number = 0;
	int error = 0;
	while (!error && getline(&line, &room, file) >= 0) {
		PRINTBUF(why);
		number++;
		line[strcspn(line, "\n")] = '\0';
		error = decisions_line(decisions, line, &why);
		if (error)
			error_set(err, error, "%s: line %llu: %s", path, (unsigned long long)number,
				  printbuf_str(&why));
	}
	free(line);
	if (!error && ferror(file))
		return error_set(err, -EIO, "%s: cannot be read", path);
	return error;
}

static int read_file(const char *path, struct decisions *decisions, struct printbuf *err)
{
	PRINTBUF(why);
	FILE *file = fopen(path, "r");
	if (!file)
		return error_set(err, -errno, "%s: %s", path, error_text(-errno));
	decisions_init(decisions);
	int error = read_lines(file, path, decisions, err);
	fclose(file);
	if (!error && (error = decisions_finish(decisions, &why)))
		error_set(err, error, "%s: %s", path, printbuf_str(&why));
	return error;
}

static void prt_share(struct printbuf *out, uint64_t part, uint64_t whole)
{
	uint64_t permyriad = whole ? part * 10000 / whole : 0;
	prt_printf(out, "%llu of %llu, %llu.%02llu %%", (unsigned long long)part,
		   (unsigned long long)whole, (unsigned long long)(permyriad / 100),
		   (unsigned long long)(permyriad % 100));
}

static void to_text(struct printbuf *out, const struct decisions *decisions)
{
	prt_str(out, "promote or not  equal in ");
	prt_share(out, decisions->nr_equal, decisions->nr_decisions);
	prt_str(out, "\n");
	for (unsigned i = 0; i < HOT_NR_VERDICTS; i++) {
		const uint64_t *kernel = decisions->nr_verdicts[i];
		if (kernel[0] + kernel[1] > 0)
			prt_printf(out, "  the model says %-10s  the kernel: %llu yes, %llu no\n",
				   verdict_names[i], (unsigned long long)kernel[1],
				   (unsigned long long)kernel[0]);
	}
	prt_str(out, "room or not     equal in ");
	prt_share(out, decisions->nr_rooms_equal, decisions->nr_rooms);
	prt_printf(out, "; the kernel: %llu yes\n", (unsigned long long)decisions->nr_room_yes);
	if (decisions->nr_halves)
		prt_printf(out, "%llu calls were traced at one end only\n",
			   (unsigned long long)decisions->nr_halves);
}

static void to_json(struct printbuf *out, const struct decisions *decisions)
{
	struct json_writer json;
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	json_u64(&json, "decisions", decisions->nr_decisions);
	json_u64(&json, "equal", decisions->nr_equal);
	json_object_begin(&json, "verdicts");
	for (unsigned i = 0; i < HOT_NR_VERDICTS; i++) {
		json_object_begin(&json, verdict_names[i]);
		json_u64(&json, "kernel_yes", decisions->nr_verdicts[i][1]);
		json_u64(&json, "kernel_no", decisions->nr_verdicts[i][0]);
		json_object_end(&json);
	}
	json_object_end(&json);
	json_u64(&json, "rooms", decisions->nr_rooms);
	json_u64(&json, "rooms_equal", decisions->nr_rooms_equal);
	json_u64(&json, "room_yes", decisions->nr_room_yes);
	json_u64(&json, "halves", decisions->nr_halves);
	json_object_end(&json);
	prt_ensure_newline(out);
}

static int decisions_run(const void *raw, int nr_arguments, char **arguments)
{
	const struct decisions_options *options = raw;
	struct decisions decisions;
	PRINTBUF(err);
	PRINTBUF(out);
	(void)nr_arguments;
	int error = read_file(arguments[0], &decisions, &err);
	if (error)
		return fail(&err, error);
	if (options->format == FORMAT_JSON)
		to_json(&out, &decisions);
	else
		to_text(&out, &decisions);
	return put_output(&out, NULL);
}

static const struct option decisions_options[] = {
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct decisions_options, format),
	  "Of the output.", "text|json" },
};

const struct command command_lab_decisions = {
	.name = "lab decisions",
	.usage = "FILE [--format text|json]",
	.summary = "compare the kernel's decisions at hint faults with the model's",
	.about = "Reads what was traced in a guest at each hint fault (scripts/fidelity has the "
		 "probes): when the page was armed, how much fast memory was free, and whether "
		 "the kernel promoted it. The model decides the same fault from the same figures; "
		 "shown is how often the two agree.",
	.examples = "  # what `make fidelity` keeps of one run\n"
		    "  berth lab decisions ~/.cache/berth/fidelity/hotset-6.12.decisions\n",
	.options = decisions_options,
	.nr_options = ARRAY_SIZE(decisions_options),
	.options_size = sizeof(struct decisions_options),
	.min_arguments = 1,
	.max_arguments = 1,
	.run = decisions_run,
};
