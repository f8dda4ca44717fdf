/* SPDX-License-Identifier: MIT */
/* `berth set`: changes what a job of the daemon may have. */
#include <string.h>

#include "cli/commands.h"
#include "cli/reply.h"

struct set_options {
	const char *socket, *state;
};

/* As on the command line, and as in berth.conf. */
static const struct {
	const char *name, *key;
} keys[] = {
	{ "fast-min", "FastMin" },	   { "fast-max", "FastMax" }, { "goal", "Goal" },
	{ "prefer", "PreferCPUs" },	   { "allow", "AllowCPUs" },  { "spill-at", "SpillAt" },
	{ "max-distance", "MaxDistance" },
};

static const char *find_key(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == len && strncmp(keys[i].name, text, len) == 0)
			return keys[i].key;
	return NULL;
}

static int check(const char *text)
{
	const char *equals = strchr(text, '=');
	const char *names[ARRAY_SIZE(keys)];
	PRINTBUF(name);
	if (!equals)
		return fail_usage("%s: not a setting; write KEY=VALUE, such as fast-max=2GiB",
				  text);
	if (find_key(text, (size_t)(equals - text)))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		names[i] = keys[i].name;
	prt_mem(&name, text, (size_t)(equals - text));
	const char *nearest = nearest_name(printbuf_str(&name), names, ARRAY_SIZE(keys));
	if (nearest)
		return fail_usage("%s: no such key; did you mean %s?", printbuf_str(&name),
				  nearest);
	return fail_usage("%s: no such key; there are fast-min, fast-max, goal, prefer, allow, "
			  "spill-at and max-distance",
			  printbuf_str(&name));
}

static int check_twice(int nr, char *const *texts)
{
	for (int i = 1; i < nr; i++)
		for (int j = 0; j < i; j++) {
			size_t len = strcspn(texts[i], "=") + 1;
			if (strncmp(texts[i], texts[j], len) == 0)
				return fail_usage("%.*s: twice; say it once", (int)len - 1,
						  texts[i]);
		}
	return 0;
}

/* One question: all of it is taken, or nothing. */
static int set_all(const struct set_options *options, const char *job, int nr, char *const *texts)
{
	struct json_writer json;
	PRINTBUF(line);
	PRINTBUF(answer);
	json_writer_init(&json, &line, true);
	json_object_begin(&json, NULL);
	json_str(&json, "ask", "set");
	json_str(&json, "job", job);
	json_object_begin(&json, "settings");
	for (int i = 0; i < nr; i++) {
		const char *equals = strchr(texts[i], '=');
		json_str(&json, find_key(texts[i], (size_t)(equals - texts[i])), equals + 1);
	}
	json_object_end(&json);
	json_object_end(&json);
	return reply_ask(options->socket, options->state, printbuf_str(&line), false, &answer);
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	int status = 0;
	for (int i = 1; i < nr_arguments && !status; i++)
		status = check(arguments[i]);
	if (!status)
		status = check_twice(nr_arguments - 1, arguments + 1);
	return status ? status : set_all(values, arguments[0], nr_arguments - 1, arguments + 1);
}

static const struct option set_options[] = {
	{ 0, "socket", "PATH", OPTION_STRING, offsetof(struct set_options, socket),
	  "Where the daemon is asked; otherwise daemon.sock in the state directory.", NULL },
	{ 0, "state", "DIR", OPTION_STRING, offsetof(struct set_options, state),
	  "The daemon's state directory; otherwise /run/berth for root, $XDG_RUNTIME_DIR/berth "
	  "for users.",
	  NULL },
};

const struct command command_set = {
	.name = "set",
	.usage = "JOB KEY=VALUE... [options]",
	.summary = "change what a job of the daemon may have",
	.about = "Changes a job of `berth daemon` while it runs: fast-min, fast-max, goal, prefer, "
		 "allow, spill-at and max-distance are the keys of berth.conf(5). A value is "
		 "checked as one in berth.conf is; several are set together, and nothing changes "
		 "when one of them is wrong. They stay until the daemon ends, also when the "
		 "configuration is read anew; KEY= takes it "
		 "back. Only root and the SocketGroup= of berth.conf may.",
	.examples = "  berth set web fast-min=2GiB fast-max=25%\n"
		    "  # as berth.conf says again\n"
		    "  berth set web fast-min= fast-max=\n",
	.options = set_options,
	.nr_options = ARRAY_SIZE(set_options),
	.options_size = sizeof(struct set_options),
	.min_arguments = 2,
	.max_arguments = -1,
	.run = run,
};
