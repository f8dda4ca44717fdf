/* SPDX-License-Identifier: MIT */
/* `berth config check`: does the configuration say what berth understands (linux/config.h)? */
#include "cli/commands.h"
#include "cli/config.h"

struct check_options {
	const char *root;
};

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct check_options *options = values;
	struct config *config = NULL;
	PRINTBUF(out);
	int status = config_open(options->root, nr_arguments > 0 ? arguments[0] : NULL, &config);
	if (status)
		return status;
	prt_printf(&out, "%zu job%s in %u file%s: no mistake\n", config->nr_jobs,
		   config->nr_jobs == 1 ? "" : "s", config->nr_files,
		   config->nr_files == 1 ? "" : "s");
	config_free(config);
	return put_output(&out, NULL);
}

static const struct option check_options[] = {
	{ 0, "root", "DIR", OPTION_STRING, offsetof(struct check_options, root),
	  "Look for etc/berth, run/berth and usr/lib/berth below this directory.", NULL },
};

const struct command command_config_check = {
	.name = "config check",
	.usage = "[FILE|DIR] [--root DIR]",
	.summary = "look for mistakes in berth.conf and its drop-ins",
	.about = "Reads a configuration as the daemon would, and says the first mistake as "
		 "FILE:LINE:COLUMN, with the nearest name where one is unknown. Without argument "
		 "it is that of this machine: berth.conf and berth.conf.d/*.conf of /etc/berth, "
		 "/run/berth and /usr/lib/berth. DIR is a directory that holds both, FILE one file "
		 "alone. berth.conf(5) tells what may stand in them.\n\n"
		 "Exit status: 0 no mistake; 1 not there; 2 a mistake.",
	.examples = "  berth config check\n"
		    "  berth config check new.conf && cp new.conf /etc/berth/berth.conf\n",
	.options = check_options,
	.nr_options = ARRAY_SIZE(check_options),
	.options_size = sizeof(struct check_options),
	.max_arguments = 1,
	.run = run,
};
