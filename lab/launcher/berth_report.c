/* SPDX-License-Identifier: MIT */
/*
 * What berth said of itself in the guest: members of its report (src/linux/tier_report.c) and of
 * `outcome_pages` in it; other objects and arrays are passed over whole. Numbers that are not there
 * are 0, so that a report may say more or less than is read here.
 */
#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "lab/launcher/lab.h"

#define OUTCOMES "outcome_pages"

static const struct member {
	const char *name;
	size_t offset;
} numbers[] = {
	{ "passed_ns", offsetof(struct lab_berth_report, passed_ns) },
	{ "sampling_ns", offsetof(struct lab_berth_report, sampling_ns) },
	{ "moving_ns", offsetof(struct lab_berth_report, moving_ns) },
	{ "deciding_ns", offsetof(struct lab_berth_report, deciding_ns) },
	{ "all_ns", offsetof(struct lab_berth_report, all_ns) },
	{ "sleeps", offsetof(struct lab_berth_report, sleeps) },
	{ "max_rss_bytes", offsetof(struct lab_berth_report, max_rss_bytes) },
	{ "policy_bytes", offsetof(struct lab_berth_report, policy_bytes) },
	{ "promoted_pages", offsetof(struct lab_berth_report, promoted_pages) },
	{ "demoted_pages", offsetof(struct lab_berth_report, demoted_pages) },
};

static uint64_t *number_at(const struct lab_berth_report *report, const struct member *member)
{
	return (uint64_t *)((char *)report + member->offset);
}

/* The text of a key that is text. */
static char *word_at(struct lab_berth_report *report, const char *key)
{
	return strcmp(key, "policy") == 0    ? report->policy
	       : strcmp(key, "sampler") == 0 ? report->sampler
	       : strcmp(key, "mover") == 0   ? report->mover
					     : NULL;
}

static void take_word(struct lab_berth_report *report, const char *key, const char *text)
{
	struct printbuf word;
	char *place = word_at(report, key);
	if (!place)
		return;
	printbuf_init_fixed(&word, place, sizeof(report->policy), 0);
	prt_safe(&word, text, strlen(text));
}

static bool is_known(const char *key)
{
	static const char *const others[] = { "policy", "sampler", "mover", "has_failed" };
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i], key) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (strcmp(numbers[i].name, key) == 0)
			return true;
	return false;
}

/* Every outcome but the good one: what was planned and did not move. */
static void take_number(struct lab_berth_report *report, const char *key, bool is_outcome,
			const char *text)
{
	uint64_t number;
	if (parse_u64(text, &number) < 0)
		return;
	if (is_outcome && strcmp(key, "done") != 0)
		report->refused_pages += number;
	for (size_t i = 0; !is_outcome && i < ARRAY_SIZE(numbers); i++)
		if (strcmp(numbers[i].name, key) == 0)
			*number_at(report, &numbers[i]) = number;
}

static int read_members(struct json_reader *reader, struct lab_berth_report *report,
			bool is_outcome);

/* One member of an object whose key was just read. */
static int read_member(struct json_reader *reader, struct lab_berth_report *report, bool is_outcome)
{
	char key[64] = "";
	strncpy(key, json_text(reader, NULL), sizeof(key) - 1);
	bool has_object = !is_outcome && strcmp(key, OUTCOMES) == 0;
	if (!has_object && !is_outcome && !is_known(key))
		return json_skip_value(reader);
	enum json_token token = json_next(reader);
	if (token == JSON_STRING)
		take_word(report, key, json_text(reader, NULL));
	else if (token == JSON_NUMBER)
		take_number(report, key, is_outcome, json_text(reader, NULL));
	else if (token == JSON_TRUE)
		report->has_failed |= strcmp(key, "has_failed") == 0;
	else if (token == JSON_OBJECT_BEGIN && has_object)
		return read_members(reader, report, true);
	return token == JSON_ERROR || token == JSON_OBJECT_BEGIN || token == JSON_ARRAY_BEGIN
		       ? -EBADMSG
		       : 0;
}

/* To the end of the object that has begun. */
static int read_members(struct json_reader *reader, struct lab_berth_report *report,
			bool is_outcome)
{
	int error = 0;
	while (!error) {
		enum json_token token = json_next(reader);
		if (token != JSON_KEY)
			return token == JSON_OBJECT_END ? 0 : -EBADMSG;
		error = read_member(reader, report, is_outcome);
	}
	return error;
}

static int read_report(struct json_reader *reader, struct lab_berth_report *report)
{
	if (json_next(reader) != JSON_OBJECT_BEGIN || read_members(reader, report, false) < 0 ||
	    json_next(reader) != JSON_END)
		return -EBADMSG;
	return 0;
}

int lab_berth_report_read(const char *text, size_t length, struct lab_berth_report *ret,
			  struct printbuf *err)
{
	struct json_span span = { text, length };
	struct lab_berth_report report = { .is_there = true };
	struct json_reader *reader = NULL;
	if (length == 0)
		return error_set(err, -EBADMSG, "berth in the guest left no report");
	int error = json_reader_new(json_read_span, &span, &reader);
	if (!error)
		error = read_report(reader, &report);
	if (!error)
		*ret = report;
	else
		error_set(err, error, "berth's report: %s",
			  reader && json_reader_errno(reader) ? json_reader_error(reader)
							      : "not such an object as is known");
	json_reader_free(reader);
	return error;
}

static void share_to_text(struct printbuf *out, const struct lab_berth_report *report,
			  const char *what, uint64_t ns)
{
	prt_printf(out, "%s ", what);
	prt_percent(out, report->passed_ns ? (double)ns / (double)report->passed_ns : 0, 2);
}

/* "berth    berth by accessed-bits: sampling 2.00 %, ... of a CPU; 25,600 promoted, ..." */
void lab_berth_report_to_text(struct printbuf *out, const struct lab_berth_report *report)
{
	if (!report->is_there)
		return;
	prt_printf(out, "berth    %s by %s: ", report->policy, report->sampler);
	share_to_text(out, report, "sampling", report->sampling_ns);
	share_to_text(out, report, ", deciding", report->deciding_ns);
	share_to_text(out, report, ", moving", report->moving_ns);
	share_to_text(out, report, ", in all", report->all_ns);
	prt_str(out, " of a CPU\n         ");
	prt_u64_grouped(out, report->promoted_pages);
	prt_str(out, " pages promoted, ");
	prt_u64_grouped(out, report->demoted_pages);
	prt_str(out, " demoted, ");
	prt_u64_grouped(out, report->refused_pages);
	prt_str(out, " not moved; ");
	prt_bytes(out, report->max_rss_bytes);
	prt_str(out, " at most\n");
}

void lab_berth_report_to_json(struct json_writer *json, const char *key,
			      const struct lab_berth_report *report)
{
	if (!report->is_there) {
		json_null(json, key);
		return;
	}
	json_object_begin(json, key);
	json_bool(json, "has_failed", report->has_failed);
	json_str(json, "policy", report->policy);
	json_str(json, "sampler", report->sampler);
	json_str(json, "mover", report->mover);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_u64(json, numbers[i].name, *number_at(report, &numbers[i]));
	json_u64(json, "refused_pages", report->refused_pages);
	json_object_end(json);
}
