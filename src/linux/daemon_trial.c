/* SPDX-License-Identifier: MIT */
/*
 * A job of the daemon on trial (`berth trial --job`): let go for a while and taken up again, again
 * and again, by a client that measures meanwhile.
 *
 *     {"ask":"trial","job":"web","value":"off","seconds":"90"}    let go, for 90 s at most
 *     {"ask":"trial","job":"web","value":"on"}                    taken up again
 *
 * Both answer, when it is done, with the processes of the job. Letting go has an end of its own, so
 * that a client that is killed leaves nothing behind: the job is served again when it is over.
 * Pages stay where they are: taking them back is the client's, who knows where they were.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/units.h"
#include "linux/daemon.h"
#include "linux/match.h"

#define SECONDS_MAX (24 * 3600)

bool daemon_job_is_let_go(const struct daemon_job *job)
{
	return job->is_stopped || job->let_go_until_ns > 0;
}

void daemon_end_trials(struct daemon *daemon, uint64_t now_ns)
{
	for (uint32_t i = 0; i < daemon->nr_jobs; i++)
		if (daemon->jobs[i].let_go_until_ns <= now_ns)
			daemon->jobs[i].let_go_until_ns = 0;
}

static int add_processes(struct json_writer *json, struct daemon *daemon,
			 const struct daemon_job *job)
{
	struct match_list list = { 0 };
	int error = match_all(daemon->root, daemon->config, &list);
	json_array_begin(json, "processes");
	for (size_t i = 0; i < list.nr && !error; i++) {
		const struct match_process *process = &list.items[i].process;
		if (strcmp(daemon->config->jobs[list.items[i].job].name, job->name) != 0)
			continue;
		json_object_begin(json, NULL);
		json_u64(json, "pid", (uint64_t)process->pid);
		json_u64(json, "start_ticks", process->start_ticks);
		json_object_end(json);
	}
	json_array_end(json);
	match_list_fini(&list);
	return error;
}

static int parse(const char *value, const char *seconds, uint64_t *ret_seconds,
		 struct printbuf *err)
{
	uint64_t number = 0;
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return error_set(err, -EINVAL, "trial: value is on or off");
	bool is_off = strcmp(value, "off") == 0;
	if (is_off && (parse_u64(seconds, &number) || number == 0 || number > SECONDS_MAX))
		return error_set(err, -EINVAL, "trial: for how many seconds? 1 to %d", SECONDS_MAX);
	*ret_seconds = number;
	return 0;
}

int daemon_trial(struct daemon *daemon, struct daemon_job *job, const char *value,
		 const char *seconds, struct json_writer *json, struct printbuf *err)
{
	uint64_t number = 0;
	int error = parse(value, seconds, &number, err);
	if (!error && daemon->is_dry)
		error = error_set(err, -EOPNOTSUPP,
				  "a dry run places nothing, so there is nothing to try; "
				  "DryRun=no in berth.conf");
	if (!error && job->is_stopped)
		error = error_set(err, -EINVAL,
				  "%s: it is stopped; `berth set` or reading the configuration "
				  "anew takes it up again",
				  job->name);
	if (error)
		return error;
	job->let_go_until_ns = number ? clock_now_ns() + number * NS_PER_S : 0;
	if (number)
		job->cpus = daemon_cpus_free(job->cpus);
	error = daemon_scan(daemon, err);
	if (error)
		return error;
	json_object_begin(json, NULL);
	json_u64(json, "version", 1);
	json_bool(json, "done", true);
	error = add_processes(json, daemon, job);
	json_object_end(json);
	return error;
}
