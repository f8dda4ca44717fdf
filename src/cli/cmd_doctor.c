/* SPDX-License-Identifier: MIT */
/* `berth doctor`: what berth needs here (linux/doctor.h), with what only the command knows: its
 * recorder and the lab. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/record.h"
#include "lab/launcher/cache.h"
#include "linux/doctor.h"

/* The lab is for who develops or proves something: asked for by name only. */
#define JUDGED_BY_DEFAULT (~(1U << DOCTOR_PROVE))

struct doctor_options {
	const char *root;
	enum output_format format;
};

static void check_recorder(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, "recorder", true);
	int error = 0;
	char *qemu = record_search_path("qemu-x86_64", &error);
	char *plugin = record_find_plugin();
	if (!qemu)
		doctor_note(doctor, finding, DOCTOR_MISSING, "apt-get install qemu-user",
			    "qemu-x86_64 is not in PATH: berth record cannot run programs");
	if (!plugin)
		doctor_note(doctor, finding, DOCTOR_MISSING, "make install",
			    "libberth-recorder.so is neither beside berth nor in %s",
			    BERTH_PLUGIN_DIR);
	if (qemu && plugin)
		doctor_summary(finding, "%s with %s", qemu, plugin);
	else
		doctor_summary(finding, "not whole");
	free(qemu);
	free(plugin);
}

static void check_emulator(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_PROVE, "emulator", true);
	struct lab_qemu qemu = { 0 };
	PRINTBUF(err);
	int error = lab_cache_qemu(&qemu, &err);
	if (error)
		doctor_note(doctor, finding, DOCTOR_MISSING, "berth lab setup", "%s",
			    printbuf_str(&err));
	doctor_summary(finding, "%s%s", error ? "none" : "QEMU ", error ? "" : qemu.version);
	lab_qemu_fini(&qemu);
}

static void check_kernels(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_PROVE, "kernels", true);
	for (size_t i = 0; lab_kernel_series[i]; i++) {
		struct lab_kernel kernel = { 0 };
		PRINTBUF(err);
		if (lab_cache_kernel(lab_kernel_series[i], &kernel, &err) == 0)
			doctor_summary(finding, "%s%s", finding->summary.pos ? ", " : "",
				       kernel.version);
		else
			doctor_note(doctor, finding,
				    strcmp(lab_kernel_series[i], LAB_KERNEL_DEFAULT) == 0
					    ? DOCTOR_MISSING
					    : DOCTOR_LIMITED,
				    NULL, "%s", printbuf_str(&err));
		lab_kernel_fini(&kernel);
	}
	if (!finding->summary.pos)
		doctor_summary(finding, "none");
}

static void check_lab_files(struct doctor *doctor)
{
	static const char *const files[] = { "berth-agent", "libberth-latency.so" };
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_PROVE, "latency model", true);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *path = NULL;
		PRINTBUF(err);
		if (lab_file(files[i], &path, &err) == 0)
			doctor_summary(finding, "%s%s", finding->summary.pos ? ", " : "", path);
		else
			doctor_note(doctor, finding, DOCTOR_MISSING, NULL, "%s",
				    printbuf_str(&err));
		free(path);
	}
	if (!finding->summary.pos)
		doctor_summary(finding, "none");
}

/* What is on this machine says nothing about one that was captured. QEMU is run to learn its
 * version: only where somebody wants to know. */
static void check_tools(struct doctor *doctor, unsigned groups)
{
	if (!doctor->root->is_host)
		return;
	check_recorder(doctor);
	if (groups && !(groups >> DOCTOR_PROVE & 1))
		return;
	check_emulator(doctor);
	check_kernels(doctor);
	check_lab_files(doctor);
}

static int parse_groups(int nr_arguments, char **arguments, unsigned *ret_groups)
{
	for (int i = 0; i < nr_arguments; i++) {
		unsigned group = 0;
		while (group < DOCTOR_NR_GROUPS &&
		       strcmp(doctor_group_names[group], arguments[i]) != 0)
			group++;
		if (group == DOCTOR_NR_GROUPS) {
			const char *nearest = nearest_name(arguments[i], doctor_group_names,
							   DOCTOR_NR_GROUPS);
			return fail_usage("%s: none of see, predict, place-cpus, place-memory, "
					  "prove%s%s%s",
					  arguments[i], nearest ? "; did you mean " : "",
					  nearest ? nearest : "", nearest ? "?" : "");
		}
		*ret_groups |= 1U << group;
	}
	return 0;
}

static int examine(const struct doctor_options *options, struct doctor *doctor, unsigned groups)
{
	PRINTBUF(out);
	unsigned judged = groups ? groups : JUDGED_BY_DEFAULT;
	int error = doctor_check(doctor);
	if (!error) {
		check_tools(doctor, groups);
		error = doctor->is_out_of_memory ? -ENOMEM : 0;
	}
	if (error)
		return fail(NULL, error);
	if (options->format == FORMAT_JSON)
		doctor_to_json(&out, doctor, groups, judged);
	else
		doctor_to_text(&out, doctor, groups, judged);
	int status = put_output(&out, NULL);
	return status == EXIT_DONE && doctor_lacks(doctor, judged) ? EXIT_NOT_SUPPORTED : status;
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct doctor_options *options = values;
	const char *argument = options->root ? options->root : "host";
	unsigned groups = 0;
	struct root root;
	struct doctor doctor;
	PRINTBUF(err);
	int status = parse_groups(nr_arguments, arguments, &groups);
	if (status)
		return status;
	int error = root_open_argument(argument, &root, &err);
	if (error)
		return fail(&err, error);
	error = doctor_init(&doctor, &root, argument, &err);
	status = error ? fail(&err, error) : examine(options, &doctor, groups);
	doctor_fini(&doctor);
	root_fini(&root);
	return status;
}

static const struct option doctor_options[] = {
	{ 0, "root", "DIR|TAR", OPTION_STRING, offsetof(struct doctor_options, root),
	  "Look at the files below this directory or tar, captured from some machine; nothing is "
	  "tried then, and what was not captured is unknown.",
	  NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct doctor_options, format),
	  "text for people; json: every finding with its notes.", "text|json" },
};

const struct command command_doctor = {
	.name = "doctor",
	.usage = "[see] [predict] [place-cpus] [place-memory] [prove] [options]",
	.summary = "what berth needs here, what is missing, and what helps",
	.about = "Looks at everything that berth needs on this machine, and tries what can be "
		 "tried without changing anything. One line each, grouped by what it is needed "
		 "for, with one word:\n\n"
		 "ok: works; limited: works in part; off: there, but turned off, or nothing to do "
		 "here; missing: not there; unknown: cannot be told from here. Below a line that "
		 "is not ok stands the reason, and after -> the remedy.\n\n"
		 "Groups named as arguments are shown alone. Exit status 0: all is there that is "
		 "needed; 3: something that is needed is missing (the last line names it). The "
		 "lab (prove) is not needed on most machines: it decides the exit status only "
		 "when it is named.",
	.examples = "  berth doctor\n"
		    "  # in a script: can threads be placed here?\n"
		    "  berth doctor place-cpus && echo yes\n"
		    "  # somebody else's machine\n"
		    "  berth doctor --root server.tar\n",
	.options = doctor_options,
	.nr_options = ARRAY_SIZE(doctor_options),
	.options_size = sizeof(struct doctor_options),
	.max_arguments = DOCTOR_NR_GROUPS,
	.run = run,
};
