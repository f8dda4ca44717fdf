/* SPDX-License-Identifier: MIT */
/* `berth config show`: the merged configuration, and where each value comes from. */
#include "cli/commands.h"
#include "cli/config.h"

struct show_options {
	const char *root;
	enum output_format format;
};

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct show_options *options = values;
	struct config *config = NULL;
	PRINTBUF(out);
	int status = config_open(options->root, nr_arguments > 0 ? arguments[0] : NULL, &config);
	if (status)
		return status;
	if (options->format == FORMAT_JSON)
		config_to_json(&out, config);
	else
		config_to_text(&out, config);
	config_free(config);
	return put_output(&out, NULL);
}

static const struct option show_options[] = {
	{ 0, "root", "DIR", OPTION_STRING, offsetof(struct show_options, root),
	  "Look for etc/berth, run/berth and usr/lib/berth below this directory.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct show_options, format),
	  "text: a configuration that says the same; json: every value with its file and line.",
	  "text|json" },
};

const struct command command_config_show = {
	.name = "config show",
	.usage = "[FILE|DIR] [--root DIR] [--format text|json]",
	.summary = "the merged configuration, and where each value comes from",
	.about = "Reads berth.conf and its drop-ins as `berth config check` does, and prints what "
		 "comes of them: every key that has a value, with the file and line that said it, "
		 "or default. The text is a configuration itself.",
	.examples = "  berth config show\n"
		    "  # all in one file\n"
		    "  berth config show >merged.conf\n",
	.options = show_options,
	.nr_options = ARRAY_SIZE(show_options),
	.options_size = sizeof(struct show_options),
	.max_arguments = 1,
	.run = run,
};
