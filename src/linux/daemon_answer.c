/* SPDX-License-Identifier: MIT */
/*
 * What the daemon answers: a line of JSON to a line of JSON.
 *
 *     {"ask":"status"}                                  everybody; of jobs with a process of his
 * own
 *     {"ask":"explain","job":"web"}                     the same
 *     {"ask":"explain","address":"7f12a4c5e000"}        the same; "pid" and "job" choose
 *     {"ask":"set","job":"web","key":"FastMin","value":"2GiB"}     root and SocketGroup
 *     {"ask":"set","job":"web","settings":{"FastMin":"2GiB","FastMax":""}}     all, or none
 *     {"ask":"stop","job":"web"}                                   root and SocketGroup
 *     {"ask":"trial","job":"web","value":"on"}                     the same; daemon_trial.c
 *
 *     {"version":1, ...}      or      {"error":"SENTENCE","exit":2}
 *
 * Whose process it is decides what somebody else than these sees: jobs of others are not even
 * named to him. A question is at most SERVER_MAX_LINE bytes; a key that is not known is refused.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "linux/daemon.h"
#include "linux/daemon_status.h"

#define FIELD_SIZE 1024

struct question {
	char ask[16], job[CONFIG_MAX_NAME + 1], key[32], value[FIELD_SIZE];
	char address[32], pid[16], seconds[16];
	bool has_job, has_value, has_address;
	struct {
		char key[32], value[FIELD_SIZE];
	} settings[DAEMON_CHANGES_MAX];
	uint32_t nr_settings;
};

static const struct question_field {
	const char *name;
	size_t offset, size, flag; /* flag: SIZE_MAX, or where a bool says that it was given */
} fields[] = {
#define FIELD(name, flag)                                                                          \
	{                                                                                          \
#name, offsetof(struct question, name), sizeof(((struct question *)0)->name), flag \
	}
	FIELD(ask, SIZE_MAX),
	FIELD(job, offsetof(struct question, has_job)),
	FIELD(key, SIZE_MAX),
	FIELD(value, offsetof(struct question, has_value)),
	FIELD(address, offsetof(struct question, has_address)),
	FIELD(pid, SIZE_MAX),
	FIELD(seconds, SIZE_MAX),
#undef FIELD
};

static int copy_text(struct json_reader *reader, const char *name, char *to, size_t size,
		     struct printbuf *err)
{
	size_t len;
	const char *text = json_text(reader, &len);
	if (len >= size || strlen(text) != len)
		return error_set(err, -EINVAL, "%s: longer than %zu bytes", name, size - 1);
	memcpy(to, text, len + 1);
	return 0;
}

/* {"FastMin":"2GiB","FastMax":""} */
static int take_settings(struct question *question, struct json_reader *reader,
			 struct printbuf *err)
{
	enum json_token token = json_next(reader);
	if (token != JSON_OBJECT_BEGIN)
		return error_set(err, -EINVAL, "settings: not an object");
	while ((token = json_next(reader)) == JSON_KEY) {
		if (question->nr_settings == DAEMON_CHANGES_MAX)
			return error_set(err, -EINVAL, "settings: at most %d", DAEMON_CHANGES_MAX);
		char *key = question->settings[question->nr_settings].key;
		char *value = question->settings[question->nr_settings].value;
		int error = copy_text(reader, "a key", key, sizeof(question->settings[0].key), err);
		if (!error && json_next(reader) != JSON_STRING)
			error = error_set(err, -EINVAL, "%s: not a text", key);
		if (!error)
			error = copy_text(reader, key, value, FIELD_SIZE, err);
		if (error)
			return error;
		question->nr_settings++;
	}
	return token == JSON_OBJECT_END ? 0 : error_set(err, -EINVAL, "settings: not an object");
}

static int take_field(struct question *question, struct json_reader *reader, struct printbuf *err)
{
	char name[32];
	size_t len;
	const char *key = json_text(reader, &len);
	const struct question_field *field = NULL;
	if (strcmp(key, "settings") == 0)
		return take_settings(question, reader, err);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strcmp(fields[i].name, key) == 0)
			field = &fields[i];
	if (!field || len >= sizeof(name))
		return error_set(err, -EINVAL,
				 "a question has ask, job, key, value, settings, "
				 "address, pid and seconds, nothing else");
	if (json_next(reader) != JSON_STRING)
		return error_set(err, -EINVAL, "%s: not a text", field->name);
	int error = copy_text(reader, field->name, (char *)question + field->offset, field->size,
			      err);
	if (error)
		return error;
	if (field->flag != SIZE_MAX)
		*((bool *)question + field->flag) = true;
	return 0;
}

static int parse(struct json_reader *reader, struct question *question, struct printbuf *err)
{
	enum json_token token = json_next(reader);
	int error = token == JSON_OBJECT_BEGIN ? 0 : -EINVAL;
	while (!error && (token = json_next(reader)) == JSON_KEY) {
		error = take_field(question, reader, err);
		if (error)
			return error;
	}
	if (!error && token == JSON_OBJECT_END && json_next(reader) == JSON_END)
		return 0;
	return error_set(err, -EINVAL,
			 "not a question: an object in one line, such as "
			 "{\"ask\":\"status\"}");
}

static int read_question(const char *line, struct question *ret, struct printbuf *err)
{
	struct json_span span = { line, strlen(line) };
	struct json_reader *reader = NULL;
	int error = json_reader_new(json_read_span, &span, &reader);
	if (error)
		return error_set(err, error, "out of memory");
	error = parse(reader, ret, err);
	json_reader_free(reader);
	return error;
}

static bool may_change(const struct daemon *daemon, const struct server_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid() ||
	       (daemon->has_group && server_peer_is_in(peer, daemon->group));
}

static bool may_see(const struct daemon *daemon, const struct server_peer *peer,
		    const struct daemon_job *job)
{
	bool may = may_change(daemon, peer);
	for (uint32_t i = 0; i < job->nr_uids && !may; i++)
		may = job->uids[i] == peer->uid;
	return may;
}

static void answer_status(struct daemon *daemon, const struct server_peer *peer,
			  struct json_writer *json)
{
	json_object_begin(json, NULL);
	json_u64(json, "version", 1);
	daemon_to_json(json, "service", daemon);
	json_array_begin(json, "jobs");
	for (uint32_t i = 0; i < daemon->nr_jobs; i++)
		if (daemon->jobs[i].name[0] && may_see(daemon, peer, &daemon->jobs[i]))
			daemon_job_to_json(json, daemon, i);
	json_array_end(json);
	json_object_end(json);
}

/* To him it is as if jobs of others were not there. */
static int find_seen(struct daemon *daemon, const struct server_peer *peer, const char *name,
		     struct daemon_job **ret, struct printbuf *err)
{
	struct daemon_job *job = daemon_find_job(daemon, name);
	if (!job || !may_see(daemon, peer, job))
		return error_set(err, -ENOENT, "%s: no such job; `berth status` shows them", name);
	*ret = job;
	return 0;
}

static int check_right(const struct daemon *daemon, const struct server_peer *peer,
		       struct printbuf *err)
{
	if (may_change(daemon, peer))
		return 0;
	return error_set(err, -EPERM,
			 "only root may change jobs%s%s; SocketGroup= of berth.conf names who else",
			 daemon->has_group ? " and the group " : "",
			 daemon->has_group ? daemon->config->daemon.socket_group : "");
}

static void answer_done(struct json_writer *json)
{
	json_object_begin(json, NULL);
	json_u64(json, "version", 1);
	json_bool(json, "done", true);
	json_object_end(json);
}

static int answer_set(struct daemon *daemon, const struct server_peer *peer,
		      const struct question *question, struct json_writer *json,
		      struct printbuf *err)
{
	struct daemon_change changes[DAEMON_CHANGES_MAX] = { { question->key, question->value } };
	bool is_one = *question->key && question->has_value && !question->nr_settings;
	int error = check_right(daemon, peer, err);
	if (!error && (!question->has_job || is_one == (question->nr_settings > 0)))
		error = error_set(err, -EINVAL,
				  "to set something takes job and settings, or job, key and value");
	for (uint32_t i = 0; i < question->nr_settings; i++)
		changes[i] = (struct daemon_change){ question->settings[i].key,
						     question->settings[i].value };
	if (!error)
		error = daemon_set(daemon, question->job, changes, MAX(question->nr_settings, 1),
				   err);
	if (!error)
		answer_done(json);
	return error;
}

static int answer_stop(struct daemon *daemon, const struct server_peer *peer,
		       const struct question *question, struct json_writer *json,
		       struct printbuf *err)
{
	struct daemon_job *job = NULL;
	int error = check_right(daemon, peer, err);
	if (!error)
		error = find_seen(daemon, peer, question->job, &job, err);
	if (error)
		return error;
	job->is_stopped = true;
	daemon_let_go(daemon, job);
	error = daemon_scan(daemon, err); /* undone when this is answered */
	if (!error)
		answer_done(json);
	return error;
}

static int answer_trial(struct daemon *daemon, const struct server_peer *peer,
			const struct question *question, struct json_writer *json,
			struct printbuf *err)
{
	struct daemon_job *job = NULL;
	int error = check_right(daemon, peer, err);
	if (!error)
		error = find_seen(daemon, peer, question->job, &job, err);
	return error ? error
		     : daemon_trial(daemon, job, question->value, question->seconds, json, err);
}

static int answer_explain(struct daemon *daemon, const struct server_peer *peer,
			  const struct question *question, struct json_writer *json,
			  struct printbuf *err)
{
	struct daemon_job *job = NULL;
	struct daemon_page page = { 0 };
	bool seen[DAEMON_JOBS_MAX];
	int error = question->has_job ? find_seen(daemon, peer, question->job, &job, err) : 0;
	if (error)
		return error;
	for (uint32_t i = 0; i < DAEMON_JOBS_MAX; i++)
		seen[i] = i < daemon->nr_jobs && daemon->jobs[i].name[0] &&
			  (!job || job == &daemon->jobs[i]) &&
			  may_see(daemon, peer, &daemon->jobs[i]);
	if (!question->has_address && !job)
		return error_set(err, -EINVAL, "explain what? A job or an address");
	page.address = strtoull(question->address, NULL, 16);
	page.pid = (pid_t)strtol(question->pid, NULL, 10);
	page.is_given = question->has_address;
	return daemon_explain_to_json(json, daemon, &page, seen, err);
}

static int answer(struct daemon *daemon, const struct server_peer *peer, char *line,
		  struct json_writer *json, struct printbuf *err)
{
	struct question question = { 0 };
	int error = read_question(line, &question, err);
	if (error)
		return error;
	if (strcmp(question.ask, "status") == 0) {
		answer_status(daemon, peer, json);
		return 0;
	}
	if (strcmp(question.ask, "set") == 0)
		return answer_set(daemon, peer, &question, json, err);
	if (strcmp(question.ask, "stop") == 0)
		return answer_stop(daemon, peer, &question, json, err);
	if (strcmp(question.ask, "trial") == 0)
		return answer_trial(daemon, peer, &question, json, err);
	if (strcmp(question.ask, "explain") == 0)
		return answer_explain(daemon, peer, &question, json, err);
	return error_set(err, -EINVAL, "ask: one of status, explain, set, stop and trial");
}

/* An answer is whole or it is the error. */
static void answer_line(void *context, const struct server_peer *peer, char *line,
			struct printbuf *out)
{
	struct json_writer json;
	PRINTBUF(err);
	json_writer_init(&json, out, true);
	int error = answer(context, peer, line, &json, &err);
	if (!error)
		return;
	printbuf_reset(out);
	json_writer_init(&json, out, true);
	json_object_begin(&json, NULL);
	json_str(&json, "error", *printbuf_str(&err) ? printbuf_str(&err) : error_text(error));
	json_u64(&json, "exit", (uint64_t)error_exit_status(error));
	json_object_end(&json);
}

const struct server_ops daemon_answers = { answer_line };
