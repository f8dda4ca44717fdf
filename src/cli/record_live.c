/* SPDX-License-Identifier: MIT */
/* `berth record -p PID | --cgroup PATH`: programs that run already (linux/watch.h). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/record.h"
#include "cli/run_tier.h"
#include "linux/watch.h"

static bool has_progress;

static void show(const struct watch_progress *progress)
{
	PRINTBUF(line);
	prt_str(&line, "\r\033[Kberth record: ");
	prt_ns(&line, progress->passed_ns);
	prt_printf(&line, ", %u processes, ", progress->nr_processes);
	prt_u64_grouped(&line, progress->nr_samples);
	prt_str(&line, " samples, looking takes ");
	prt_percent(&line, (double)progress->sampling_ns / (double)MAX(progress->passed_ns, 1), 1);
	prt_str(&line, " of a CPU, ");
	prt_bytes(&line, progress->file_bytes);
	fputs(printbuf_str(&line), stderr);
	has_progress = true;
}

/* "PID.berth", or "NAME.berth" of the cgroup's last component. */
static char *default_output(const struct record_live_options *options)
{
	PRINTBUF(text);
	const char *name = options->cgroup ? options->cgroup : "";
	size_t len = strlen(name);
	while (len > 0 && name[len - 1] == '/')
		len--;
	size_t begin = len;
	while (begin > 0 && name[begin - 1] != '/')
		begin--;
	if (!options->cgroup)
		prt_u64(&text, options->pid);
	else if (len > begin)
		prt_mem(&text, name + begin, len - begin);
	else
		prt_str(&text, "cgroup");
	prt_str(&text, ".berth");
	return printbuf_steal(&text, NULL);
}

static int check(const struct record_live_options *options, const char *output,
		 struct printbuf *err)
{
	if (options->pid && options->cgroup)
		return fail_usage("-p and --cgroup: only one of them at a time");
	if (options->pid > INT_MAX)
		return fail_usage("-p: not the number of a process");
	if (run_tier_check_sampler(options->sampler, 1))
		return EXIT_USAGE;
	if (strcmp(output, "-") == 0)
		return fail_usage("-: a recording cannot be written to a pipe; name a file");
	int error = can_put_output(output, err);
	return error ? fail(err, error) : 0;
}

static int record_to(const struct record_live_options *options, const char *output)
{
	PRINTBUF(err);
	struct root root;
	struct watch_result result;
	struct watch_wish wish = { .pid = (pid_t)options->pid,
				   .cgroup = options->cgroup,
				   .sampler = options->sampler,
				   .machine = options->machine,
				   .output = output,
				   .recorder = "berth live " BERTH_VERSION,
				   .state = options->state,
				   .limit_ns = options->limit_ns,
				   .show = stderr_is_terminal() ? show : NULL };
	int status = check(options, output, &err);
	if (status)
		return status;
	int error = root_open("/", &root, &err);
	if (!error)
		error = watch_record(&root, &wish, &result, &err);
	root_fini(&root);
	if (has_progress)
		fputs("\r\033[K", stderr);
	if (error)
		return fail(&err, error);
	if (result.failed)
		complain("the recording stopped early: %s; %s holds what was seen until then",
			 error_text(result.failed), output);
	return result.failed ? EXIT_PARTLY : EXIT_DONE;
}

int record_live(const struct record_live_options *options, const char *output)
{
	char *chosen = output ? strdup(output) : default_output(options);
	int status = chosen ? record_to(options, chosen) : fail(NULL, -ENOMEM);
	free(chosen);
	return status;
}
