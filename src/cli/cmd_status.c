/* SPDX-License-Identifier: MIT */
/* `berth status`: the jobs of running berths, from their notes (linux/job_note.h), and those of the
 * daemon, which is asked (status_daemon.c). */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/reply.h"
#include "cli/status_daemon.h"
#include "linux/job_note.h"
#include "linux/undo.h"

struct status_options {
	const char *root, *state, *socket;
	enum output_format format;
	bool watch;
};

static const char *value_of(const struct job_note *note, int key)
{
	return note->values[key] ? note->values[key] : "";
}

/* What a job does not place is a dash. */
static void add_cell(struct printbuf *out, const struct job_note *note, enum job_note_key key)
{
	const char *value = value_of(note, key);
	uint64_t bytes;
	if (!*value)
		prt_char(out, '-');
	else if ((key == NOTE_FAST_BYTES || key == NOTE_SLOW_BYTES) &&
		 parse_u64(value, &bytes) == 0)
		prt_bytes(out, bytes);
	else
		prt_safe(out, value, strlen(value));
}

static void to_text(struct printbuf *out, const struct job_note *notes, size_t nr,
		    const char *daemon)
{
	static const struct {
		const char *title;
		enum job_note_key key;
	} columns[] = {
		{ "PID", NOTE_PID },
		{ "SINCE", NOTE_SINCE },
		{ "ENGINE", NOTE_ENGINE },
		{ "HELD BY", NOTE_HELD_BY },
		{ "PREFER", NOTE_PREFER },
		{ "ALLOW", NOTE_ALLOW },
		{ "NOW", NOTE_NOW },
		{ "SPILLED", NOTE_SPILLED },
		{ "HELD BACK", NOTE_HELD_BACK },
		{ "CALLED HOME", NOTE_CALLED_HOME },
		{ "EVICTED", NOTE_EVICTED },
		{ "FAST", NOTE_FAST_BYTES },
		{ "SLOW", NOTE_SLOW_BYTES },
		{ "PROGRAM", NOTE_PROGRAM },
	};
	PRINTBUF(rows);
	if (nr == 0) {
		prt_str(out, *daemon ? "" : "no jobs\n");
		return;
	}
	for (size_t j = 0; j < ARRAY_SIZE(columns); j++)
		prt_printf(&rows, "%s%c", columns[j].title,
			   j + 1 < ARRAY_SIZE(columns) ? '\t' : '\n');
	for (size_t i = 0; i < nr; i++)
		for (size_t j = 0; j < ARRAY_SIZE(columns); j++) {
			add_cell(&rows, &notes[i], columns[j].key);
			prt_char(&rows, j + 1 < ARRAY_SIZE(columns) ? '\t' : '\n');
		}
	prt_aligned(out, printbuf_str(&rows));
}

/* Of the berth that holds it, as in the names of its journal and its group. */
static void add_id(struct printbuf *out, const struct journal_owner *owner)
{
	prt_printf(out, "%llu-%llu", (unsigned long long)owner->pid,
		   (unsigned long long)owner->start_ticks);
}

static void to_csv(struct printbuf *out, const struct job_note *notes, size_t nr)
{
	prt_str(out, "job");
	for (int key = 0; key < NR_NOTE_KEYS; key++)
		prt_printf(out, ",%s", job_note_names[key]);
	prt_char(out, '\n');
	for (size_t i = 0; i < nr; i++) {
		add_id(out, &notes[i].owner);
		for (int key = 0; key < NR_NOTE_KEYS; key++) {
			const char *value = value_of(&notes[i], key);
			prt_char(out, ',');
			prt_csv_field(out, value, strlen(value));
		}
		prt_char(out, '\n');
	}
}

static void add_json(struct json_writer *json, const struct job_note *note, int key)
{
	uint64_t number;
	if (!note->values[key])
		json_null(json, job_note_names[key]);
	else if (job_note_is_number(key) && parse_u64(note->values[key], &number) == 0)
		json_u64(json, job_note_names[key], number);
	else if (key == NOTE_BACKED_OFF)
		json_bool(json, job_note_names[key], strcmp(note->values[key], "yes") == 0);
	else
		json_str(json, job_note_names[key], note->values[key]);
}

static void to_json(struct printbuf *out, const struct job_note *notes, size_t nr,
		    const char *daemon)
{
	struct json_writer json;
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	json_array_begin(&json, "jobs");
	for (size_t i = 0; i < nr; i++) {
		PRINTBUF(id);
		add_id(&id, &notes[i].owner);
		json_object_begin(&json, NULL);
		json_str(&json, "job", printbuf_str(&id));
		for (int key = 0; key < NR_NOTE_KEYS; key++)
			add_json(&json, &notes[i], key);
		json_object_end(&json);
	}
	json_array_end(&json);
	if (!*daemon || reply_copy(daemon, &json, "daemon"))
		json_null(&json, "daemon");
	json_object_end(&json);
	prt_char(out, '\n');
}

static int show(const struct status_options *options, const struct root *root)
{
	struct job_note *notes = NULL;
	size_t nr = 0;
	int fd;
	PRINTBUF(err);
	PRINTBUF(out);
	PRINTBUF(daemon);
	int status = options->root ? 0
				   : reply_ask(options->socket, options->state,
					       "{\"ask\":\"status\"}", !options->socket, &daemon);
	if (status)
		return status;
	int error = undo_open_directory(root, options->state, false, &fd, &err);
	if (!error) {
		error = job_note_list(root, fd, &notes, &nr);
		close(fd);
	}
	bool is_alone = error == -ENXIO && daemon.pos > 0; /* the daemon's, but no place for own */
	if (error == -ENOENT && options->state && !daemon.pos) {
		complain("%s: no such directory; name the one that --state of `berth run` or "
			 "`berth daemon` named",
			 options->state);
		return EXIT_FAILED;
	}
	if (error && error != -ENOENT && !is_alone) /* without the directory there never was one */
		return fail(&err, error);
	if (options->watch && options->format == FORMAT_TEXT)
		prt_str(&out, "\033[H\033[J");
	if (options->format == FORMAT_JSON)
		to_json(&out, notes, nr, printbuf_str(&daemon));
	else if (options->format == FORMAT_CSV)
		to_csv(&out, notes, nr);
	else
		to_text(&out, notes, nr, printbuf_str(&daemon));
	if (options->format == FORMAT_TEXT)
		status_daemon_to_text(&out, printbuf_str(&daemon));
	job_note_list_free(notes, nr);
	return put_output(&out, NULL);
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct status_options *options = values;
	const struct timespec second = { .tv_sec = 1 };
	struct root root;
	PRINTBUF(err);
	if (options->watch && options->format == FORMAT_TEXT && !isatty(STDOUT_FILENO))
		return fail_usage("--watch needs a terminal; use --format json for a program");
	int error = root_open(options->root ? options->root : "/", &root, &err);
	if (error)
		return fail(&err, error);
	int status = show(options, &root);
	while (options->watch && status == EXIT_DONE && nanosleep(&second, NULL) == 0)
		status = show(options, &root);
	root_fini(&root);
	return status;
}

static const struct option status_options[] = {
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct status_options, format),
	  "Output as text, json or csv.", "text|json|csv" },
	{ 0, "watch", NULL, OPTION_FLAG, offsetof(struct status_options, watch),
	  "Once a second, until Ctrl-C.", NULL },
	{ 0, "root", "DIR", OPTION_STRING, offsetof(struct status_options, root),
	  "A directory that holds a machine's sys, proc and run; otherwise this machine.", NULL },
	{ 0, "socket", "PATH", OPTION_STRING, offsetof(struct status_options, socket),
	  "Where the daemon is asked; otherwise daemon.sock in the state directory.", NULL },
	{ 0, "state", "DIR", OPTION_STRING, offsetof(struct status_options, state),
	  "Directory of the restore journals; otherwise /run/berth for root, "
	  "$XDG_RUNTIME_DIR/berth for users.",
	  NULL },
};

const struct command command_status = {
	.name = "status",
	.usage = "[--watch] [options]",
	.summary = "the jobs that run now, and where",
	.about = "Shows the jobs of `berth daemon`, if one runs: where their memory is, what is "
		 "kept for them (floor) and at most theirs (cap), what moved and moved back, and "
		 "where their threads may run. Others than root and the SocketGroup= of berth.conf "
		 "see those in which they have a process. CSV has only the following.\n\n"
		 "Shows the programs that `berth run` holds: their preferred and allowed CPUs, "
		 "where they may run now, by which means they are held, and how often tasks were "
		 "held back, CPUs were borrowed (spilled), given back because the work fitted at "
		 "home again (called home), or because somebody else needed them (evicted). A "
		 "job's counters are at most a second old, looks ten.",
	.examples = "  berth status --watch\n"
		    "  # for a program: one JSON object a second\n"
		    "  berth status --watch --format json\n",
	.options = status_options,
	.nr_options = ARRAY_SIZE(status_options),
	.options_size = sizeof(struct status_options),
	.max_arguments = 0,
	.run = run,
};
