/* SPDX-License-Identifier: MIT */
/* `berth machine`: what is this machine? Capturing it, so that it can be asked elsewhere, and
 * measuring it, because firmware's figures are often absent or wrong. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "linux/measure.h"
#include "machine/machine.h"

struct machine_options {
	const char *root, *capture;
	bool measure;
	uint64_t measure_ns;
	enum output_format format;
};

/* `measurement` is NULL when nothing was measured. */
static void print_machine(struct printbuf *out, const struct machine *machine,
			  const struct measurement *measurement, enum output_format format)
{
	struct json_writer json;
	switch (format) {
	case FORMAT_JSON:
		json_writer_init(&json, out, false);
		json_object_begin(&json, NULL);
		machine_members_to_json(&json, machine);
		if (measurement)
			measurement_to_json(&json, "measurement", measurement, machine);
		json_object_end(&json);
		break;
	case FORMAT_LINE:
		machine_to_line(out, machine);
		break;
	default:
		machine_to_text(out, machine);
		if (measurement) {
			prt_char(out, '\n');
			measurement_to_text(out, measurement, machine);
		}
	}
	prt_ensure_newline(out);
}

static void show_progress(void *data, uint32_t from_id, uint32_t to_id, size_t done, size_t nr,
			  uint64_t left_ns)
{
	PRINTBUF(line);
	if (!stderr_is_terminal())
		return;
	prt_printf(&line, "\r\033[Kberth machine: measuring node %u to node %u, %zu of %zu, about ",
		   from_id, to_id, done + 1, nr);
	prt_u64(&line, (left_ns + NS_PER_S - 1) / NS_PER_S);
	prt_str(&line, " s left");
	fputs(printbuf_str(&line), stderr);
}

static int complain_of_unmeasured(const struct measurement *measurement,
				  const struct machine *machine)
{
	for (size_t i = 0; i < measurement->nr_pairs; i++) {
		const struct measure_pair *pair = &measurement->pairs[i];
		if (!pair->is_measured)
			complain("node %u to node %u keeps its figures, it was not measured: %s",
				 machine->nodes[pair->from].id, machine->nodes[pair->to].id,
				 pair->reason ? pair->reason : "out of memory");
	}
	return measurement->nr_measured < measurement->nr_pairs ? EXIT_PARTLY : EXIT_DONE;
}

static int run_measure(const struct machine_options *options)
{
	PRINTBUF(out);
	PRINTBUF(err);
	struct machine *machine = NULL;
	struct measurement measurement = { 0 };
	struct measure_options how = { .pair_ns = options->measure_ns, .progress = show_progress };
	int error = machine_open("host", &machine, &err);
	if (!error)
		error = measure_machine(machine, &how, &measurement, &err);
	if (stderr_is_terminal())
		fputs("\r\033[K", stderr);
	if (error) {
		machine_free(machine);
		return fail(&err, error);
	}
	print_machine(&out, machine, &measurement, options->format);
	int status = put_output(&out, NULL);
	if (status == EXIT_DONE)
		status = complain_of_unmeasured(&measurement, machine);
	measurement_fini(&measurement);
	machine_free(machine);
	return status;
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
	print_machine(&out, machine, NULL, options->format);
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
	if (options->measure_ns > 0 && (options->measure_ns < MEASURE_TIME_MIN_NS ||
					options->measure_ns > MEASURE_TIME_MAX_NS))
		return fail_usage("--measure-time must be from 20ms to 10min");
	if (options->measure_ns > 0 && !options->measure)
		return fail_usage("--measure-time needs --measure");
	if (options->measure && (options->root || strcmp(argument, "host") != 0))
		return fail_usage("--measure measures the machine that berth runs on; drop %s",
				  options->root ? "--root" : argument);
	if (options->measure && options->capture)
		return fail_usage("--measure and --capture: a capture holds what the kernel tells, "
				  "not what was measured; keep the line of --format line instead");
	if (options->measure)
		return run_measure(options);
	return options->capture ? run_capture(options, argument) : run_print(options, argument);
}

static const struct option machine_options[] = {
	{ 0, "root", "DIR|TAR", OPTION_STRING, offsetof(struct machine_options, root),
	  "Read /sys and /proc below this directory or tar, captured from some machine.", NULL },
	{ 0, "capture", "FILE.tar", OPTION_STRING, offsetof(struct machine_options, capture),
	  "Write what describes this machine (or that of --root) as a tar, instead of printing. "
	  "Only what is read goes in: no names, no serial numbers.",
	  NULL },
	{ 0, "measure", NULL, OPTION_FLAG, offsetof(struct machine_options, measure),
	  "Measure latency and bandwidth, idle and loaded, from each node with CPUs to each node "
	  "with memory of this machine, and show them beside what the machine claims. What "
	  "could not be measured keeps its figure and is named (exit status 5).",
	  NULL },
	{ 0, "measure-time", "TIME", OPTION_NS, offsetof(struct machine_options, measure_ns),
	  "How long to measure each pair of nodes; 1s if not given.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct machine_options, format),
	  "text: a picture for people; json: everything; line: the one-line description that "
	  "parses back to the same machine.",
	  "text|json|line" },
};

const struct command command_machine = {
	.name = "machine",
	.usage = "[MACHINE] [--root DIR|TAR] [--format FORMAT] [--capture FILE.tar] [--measure]",
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
		    "  # measure it, and predict with what was measured\n"
		    "  berth machine --measure\n"
		    "  berth sim -M \"$(berth machine --measure --format line)\" app.berth\n"
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
