/* SPDX-License-Identifier: MIT */
/* `berth daemon`: the jobs of berth.conf, placed while they run (linux/daemon.h). */
#include "cli/commands.h"
#include "linux/daemon.h"

struct daemon_options {
	const char *config, *socket, *state, *machine;
	bool dry_run;
};

static void tell(const char *text)
{
	complain("%s", text);
}

static int serve(const struct root *root, const struct daemon_wish *wish)
{
	static struct daemon daemon; /* large, and one of them */
	PRINTBUF(err);
	int error = daemon_init(&daemon, root, wish, &err);
	if (!error)
		error = daemon_run(&daemon, &err);
	int status = error ? fail(&err, error) : EXIT_DONE;
	daemon_fini(&daemon);
	return status;
}

static int run(const void *values, int nr_arguments, char **arguments)
{
	const struct daemon_options *options = values;
	struct daemon_wish wish = { .config = options->config,
				    .socket = options->socket,
				    .state = options->state,
				    .machine = options->machine,
				    .is_dry = options->dry_run,
				    .tell = tell };
	struct root root;
	PRINTBUF(err);
	int error = root_open("/", &root, &err);
	if (error)
		return fail(&err, error);
	int status = serve(&root, &wish);
	root_fini(&root);
	return status;
}

static const struct option daemon_options[] = {
	{ 'c', "config", "PATH", OPTION_STRING, offsetof(struct daemon_options, config),
	  "A file, or a directory with berth.conf and berth.conf.d; otherwise /etc/berth, "
	  "/run/berth and /usr/lib/berth.",
	  NULL },
	{ 0, "dry-run", NULL, OPTION_FLAG, offsetof(struct daemon_options, dry_run),
	  "Only tell what would be done, whatever DryRun= says; nothing is changed.", NULL },
	{ 0, "socket", "PATH", OPTION_STRING, offsetof(struct daemon_options, socket),
	  "Where it is asked; otherwise daemon.sock in the state directory.", NULL },
	{ 'M', "machine", "MACHINE", OPTION_STRING, offsetof(struct daemon_options, machine),
	  "This machine as you know it, where its firmware does not tell latencies; otherwise "
	  "host. Nodes are the kernel's.",
	  NULL },
	{ 0, "state", "DIR", OPTION_STRING, offsetof(struct daemon_options, state),
	  "Directory of the restore journal, the lock and the socket; otherwise /run/berth for "
	  "root, $XDG_RUNTIME_DIR/berth for users.",
	  NULL },
};

const struct command command_daemon = {
	.name = "daemon",
	.usage = "[--config PATH] [--dry-run] [options]",
	.summary = "place the jobs of berth.conf while they run",
	.about = "Finds the processes that the jobs of berth.conf(5) name, places their memory "
		 "between the tiers and their threads on preferred CPUs, and goes on for as long "
		 "as it runs. It stays in the foreground; under systemd it is a service of "
		 "Type=notify.\n\n"
		 "Several jobs share fast memory by their floors, caps and goals: a floor is kept "
		 "against all others, a job above its cap is brought back under it, and what a job "
		 "leaves of its share others borrow until it wants it.\n\n"
		 "SIGHUP reads the configuration anew, whole or not at all. At SIGTERM or SIGINT "
		 "all is undone; after kill -9 the next start or `berth restore` does it.\n\n"
		 "Nothing is placed before the configuration says DryRun=no. `berth status` "
		 "shows the jobs, `berth explain` tells why, `berth set` and `berth stop` change "
		 "them while they run.",
	.examples = "  # what would it do?\n"
		    "  berth config check && berth daemon --dry-run\n"
		    "  # what it does, once a second\n"
		    "  berth status --watch\n",
	.options = daemon_options,
	.nr_options = ARRAY_SIZE(daemon_options),
	.options_size = sizeof(struct daemon_options),
	.max_arguments = 0,
	.run = run,
};
