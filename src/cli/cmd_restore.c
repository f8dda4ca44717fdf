/* SPDX-License-Identifier: MIT */
/* `berth restore`: undoes what a berth that was killed has left. */
#include <unistd.h>

#include "base/json.h"
#include "cli/commands.h"
#include "linux/job_note.h"
#include "linux/undo.h"

struct restore_options {
	const char *root, *state;
	enum output_format format;
};

static void to_text(struct printbuf *out, const struct journal_counts *counts)
{
	if (counts->nr_journals + counts->nr_alive + counts->nr_other_boot + counts->nr_failed == 0)
		prt_str(out, "nothing to restore");
	else
		prt_printf(out,
			   "%u restored, %u as before, %u gone, %u changed by others and left "
			   "alone, %u failed",
			   counts->nr_restored, counts->nr_unchanged, counts->nr_gone,
			   counts->nr_left_alone, counts->nr_failed);
	if (counts->nr_alive)
		prt_printf(out, "; %u still running and not touched", counts->nr_alive);
	if (counts->nr_damaged)
		prt_printf(out, "; %u damaged lines were skipped", counts->nr_damaged);
	prt_char(out, '\n');
}

static void to_fields(struct printbuf *out, const struct journal_counts *counts, bool is_json)
{
	const struct {
		const char *name;
		uint32_t value;
	} fields[] = {
		{ "journals", counts->nr_journals },
		{ "running", counts->nr_alive },
		{ "restored", counts->nr_restored },
		{ "as_before", counts->nr_unchanged },
		{ "gone", counts->nr_gone },
		{ "left_alone", counts->nr_left_alone },
		{ "failed", counts->nr_failed },
		{ "damaged_lines", counts->nr_damaged },
		{ "other_boots", counts->nr_other_boot },
	};
	struct json_writer json;
	json_writer_init(&json, out, false);
	if (is_json)
		json_object_begin(&json, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (is_json)
			json_u64(&json, fields[i].name, fields[i].value);
		else
			prt_printf(out, "%s%s", i ? "," : "", fields[i].name);
	if (is_json)
		json_object_end(&json);
	for (size_t i = 0; i < ARRAY_SIZE(fields) && !is_json; i++)
		prt_printf(out, "%s%u", i ? "," : "\n", fields[i].value);
	prt_char(out, '\n');
}

static int restore(const struct restore_options *options, const struct root *root,
		   struct journal_counts *counts, struct printbuf *err)
{
	struct undo undo = { .root = root };
	char boot[JOURNAL_BOOT_SIZE];
	int fd, error = undo_open_directory(root, options->state, false, &fd, err);
	if (error == -ENOENT)
		return 0; /* there was never a journal */
	if (error)
		return error;
	error = process_boot_id(root, boot);
	if (error)
		error_file(err, error, "proc/sys/kernel/random/boot_id", "read");
	else
		error = journal_recover(fd, boot, &undo_ops, &undo, counts, err);
	struct job_note *notes = NULL;
	size_t nr_notes = 0;
	job_note_list(root, fd, &notes, &nr_notes); /* removes those of ended jobs */
	job_note_list_free(notes, nr_notes);
	close(fd);
	return error;
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct restore_options *options = values;
	struct journal_counts counts = { 0 };
	struct root root;
	PRINTBUF(err);
	PRINTBUF(out);
	int error = root_open(options->root ? options->root : "/", &root, &err);
	if (error)
		return fail(&err, error);
	error = restore(options, &root, &counts, &err);
	root_fini(&root);
	bool has_counts = counts.nr_journals || counts.nr_alive || counts.nr_other_boot ||
			  counts.nr_failed || counts.nr_damaged;
	if (error && !has_counts)
		return fail(&err, error); /* not one journal was read */
	if (options->format == FORMAT_TEXT)
		to_text(&out, &counts);
	else
		to_fields(&out, &counts, options->format == FORMAT_JSON);
	int status = put_output(&out, NULL);
	return error ? fail(&err, error) : status;
}

static const struct option restore_options[] = {
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct restore_options, format),
	  "Output as text, json or csv.", "text|json|csv" },
	{ 0, "root", "DIR", OPTION_STRING, offsetof(struct restore_options, root),
	  "A directory that holds a machine's sys, proc and run; otherwise this machine.", NULL },
	{ 0, "state", "DIR", OPTION_STRING, offsetof(struct restore_options, state),
	  "Directory of the restore journals; otherwise /run/berth for root, "
	  "$XDG_RUNTIME_DIR/berth for users.",
	  NULL },
};

const struct command command_restore = {
	.name = "restore",
	.usage = "[options]",
	.summary = "undo what a berth that was killed has left",
	.about =
		"Before berth changes an affinity, a cpuset, a cgroup, a sysctl or DAMON it writes "
		"the original and every value that it may write into a journal. This command puts "
		"back the "
		"originals that journals of ended processes hold. A value that somebody else "
		"changed since is left alone, and what a running berth holds is not touched.",
	.examples = "  berth restore\n",
	.options = restore_options,
	.nr_options = ARRAY_SIZE(restore_options),
	.options_size = sizeof(struct restore_options),
	.max_arguments = 0,
	.run = run,
};
