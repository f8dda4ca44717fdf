/* SPDX-License-Identifier: MIT */
/* `berth stop`: the daemon lets go of a job. */
#include "cli/commands.h"
#include "cli/reply.h"

struct stop_options {
	const char *socket, *state;
};

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct stop_options *options = values;
	struct json_writer json;
	PRINTBUF(line);
	PRINTBUF(answer);
	json_writer_init(&json, &line, true);
	json_object_begin(&json, NULL);
	json_str(&json, "ask", "stop");
	json_str(&json, "job", arguments[0]);
	json_object_end(&json);
	return reply_ask(options->socket, options->state, printbuf_str(&line), false, &answer);
}

static const struct option stop_options[] = {
	{ 0, "socket", "PATH", OPTION_STRING, offsetof(struct stop_options, socket),
	  "Where the daemon is asked; otherwise daemon.sock in the state directory.", NULL },
	{ 0, "state", "DIR", OPTION_STRING, offsetof(struct stop_options, state),
	  "The daemon's state directory; otherwise /run/berth for root, $XDG_RUNTIME_DIR/berth "
	  "for users.",
	  NULL },
};

const struct command command_stop = {
	.name = "stop",
	.usage = "JOB [options]",
	.summary = "let go of a job of the daemon; its programs go on",
	.about =
		"`berth daemon` lets go of the job and undoes what it set for it: the masks of its "
		"threads are as before when this command ends. Its programs go on, and pages stay "
		"where they are. The job is taken up again by `berth set`, when the configuration "
		"is read anew, and by the next daemon. Only root and the SocketGroup= of "
		"berth.conf may.",
	.examples = "  berth stop web\n",
	.options = stop_options,
	.nr_options = ARRAY_SIZE(stop_options),
	.options_size = sizeof(struct stop_options),
	.min_arguments = 1,
	.max_arguments = 1,
	.run = run,
};
