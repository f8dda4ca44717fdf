/* SPDX-License-Identifier: MIT */
/* `berth machine`: what is this machine? And capturing it, so that it can be asked elsewhere. */
#include "base/json.h"
#include "cli/commands.h"
#include "machine/machine.h"

struct machine_options {
	const char *root, *capture;
	enum output_format format;
};

static void print_machine(struct printbuf *out, const struct machine *machine,
			  enum output_format format)
{
	struct json_writer json;
	switch (format) {
	case FORMAT_JSON:
		json_writer_init(&json, out, false);
		machine_to_json(&json, NULL, machine);
		break;
	case FORMAT_LINE:
		machine_to_line(out, machine);
		break;
	default:
		machine_to_text(out, machine);
	}
	prt_ensure_newline(out);
}

static int run_capture(const struct machine_options *options, const char *argument)
{
	PRINTBUF(tar);
	PRINTBUF(err);
	int error = machine_capture(options->root ? options->root : argument, &tar, &err);
	return error ? fail(&err, error) : put_output(&tar, options->capture);
}

static int run_print(const struct machine_options *options, const char *argument)
{
	PRINTBUF(out);
	PRINTBUF(err);
	struct machine *machine = NULL;
	int error = options->root ? machine_open_root(options->root, &machine, &err)
				  : machine_open(argument, &machine, &err);
	if (error)
		return fail(&err, error);
	print_machine(&out, machine, options->format);
	int status = put_output(&out, NULL);
	if (status == EXIT_DONE && machine->partly) {
		complain("%s: read in part: %s; capture it again to have the rest", machine->name,
			 machine->partly);
		status = EXIT_PARTLY;
	}
	machine_free(machine);
	return status;
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct machine_options *options = values;
	if (options->root && nr_arguments > 0)
		return fail_usage("%s and --root %s both name a machine; give one", arguments[0],
				  options->root);
	const char *argument = nr_arguments > 0 ? arguments[0] : "host";
	return options->capture ? run_capture(options, argument) : run_print(options, argument);
}

static const struct option machine_options[] = {
	{ 0, "root", "DIR|TAR", OPTION_STRING, offsetof(struct machine_options, root),
	  "Read /sys and /proc below this directory or tar, captured from some machine.", NULL },
	{ 0, "capture", "FILE.tar", OPTION_STRING, offsetof(struct machine_options, capture),
	  "Write what describes this machine (or that of --root) as a tar, instead of printing. "
	  "Only what is read goes in: no names, no serial numbers.",
	  NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct machine_options, format),
	  "text: a picture for people; json: everything; line: the one-line description that "
	  "parses back to the same machine.",
	  "text|json|line" },
};

const struct command command_machine = {
	.name = "machine",
	.usage = "[MACHINE] [--root DIR|TAR] [--format FORMAT] [--capture FILE.tar]",
	.summary = "what a machine is: nodes, tiers, CPUs, latency, bandwidth",
	.about = "Shows the nodes of a machine with their memory and CPUs, the tiers that the "
		 "kernel makes of them, and the latency and bandwidth from each node with CPUs to "
		 "each node with memory. MACHINE is host (the default), a captured root (a "
		 "directory or tar), hwloc XML, or a line of parts separated by spaces:\n\n"
		 "node:KIND[=ID]:SIZE[@LATENCY[/BANDWIDTH]][:cpus=LIST]"
		 "[:from=ID@LATENCY[/BANDWIDTH]]...\n\n"
		 "KIND is dram, hbm, cxl, pmem or none (CPUs without memory; SIZE 0). What is not "
		 "given follows rules; docs/machines.md has them.",
	.examples = "  # this machine\n"
		    "  berth machine\n"
		    "  # take it along, ask it elsewhere\n"
		    "  berth machine --capture server.tar\n"
		    "  berth machine server.tar --format line\n"
		    "  # a machine that does not exist yet\n"
		    "  berth machine 'node:dram:64GiB@80ns/100GBps:cpus=0-15 "
		    "node:cxl:256GiB@250ns/30GBps'\n",
	.options = machine_options,
	.nr_options = ARRAY_SIZE(machine_options),
	.options_size = sizeof(struct machine_options),
	.min_arguments = 0,
	.max_arguments = 1,
	.run = run,
};
