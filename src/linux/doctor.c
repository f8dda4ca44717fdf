/* SPDX-License-Identifier: MIT */
/* Findings of the doctor: collecting them, and printing them (doctor.h). */
#include "linux/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define TEXT_COLUMNS 98

const char *const doctor_group_names[] = { "see",	   "predict", "place-cpus",
					   "place-memory", "prove",   NULL };
static const char *const group_titles[] = { "see", "predict", "place CPUs", "place memory",
					    "prove" };
static const char *const word_names[] = { "ok", "unknown", "off", "limited", "missing" };

struct doctor_finding *doctor_add(struct doctor *doctor, enum doctor_group group, const char *name,
				  bool is_needed)
{
	struct doctor_finding *finding = calloc(1, sizeof(*finding));
	size_t size = (doctor->nr_findings + 1) * sizeof(*doctor->findings);
	struct doctor_finding **findings = finding ? realloc(doctor->findings, size) : NULL;
	if (!findings) {
		free(finding);
		doctor->is_out_of_memory = true;
		return &doctor->spare;
	}
	doctor->findings = findings;
	findings[doctor->nr_findings++] = finding;
	*finding = (struct doctor_finding){
		.group = group, .name = name, .is_needed = is_needed, .summary = PRINTBUF_HEAP
	};
	return finding;
}

void doctor_summary(struct doctor_finding *finding, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	prt_vprintf(&finding->summary, format, args);
	va_end(args);
}

void doctor_note(struct doctor *doctor, struct doctor_finding *finding, enum doctor_word word,
		 const char *remedy, const char *format, ...)
{
	struct doctor_note *notes = realloc(finding->notes,
					    (finding->nr_notes + 1) * sizeof(*notes));
	finding->word = MAX(finding->word, word);
	if (!notes) {
		doctor->is_out_of_memory = true;
		return;
	}
	finding->notes = notes;
	struct doctor_note *note = &notes[finding->nr_notes++];
	*note = (struct doctor_note){ PRINTBUF_HEAP, PRINTBUF_HEAP };
	va_list args;
	va_start(args, format);
	prt_vprintf(&note->reason, format, args);
	va_end(args);
	if (remedy)
		prt_str(&note->remedy, remedy);
}

static void finding_fini(struct doctor_finding *finding)
{
	for (size_t i = 0; i < finding->nr_notes; i++) {
		printbuf_fini(&finding->notes[i].reason);
		printbuf_fini(&finding->notes[i].remedy);
	}
	free(finding->notes);
	printbuf_fini(&finding->summary);
}

int doctor_init(struct doctor *doctor, const struct root *root, const char *argument,
		struct printbuf *err)
{
	*doctor = (struct doctor){ .root = root, .spare.summary = PRINTBUF_HEAP };
	doctor_read_facts(doctor);
	int error = strcmp(argument, "host") == 0
			    ? machine_open(argument, &doctor->machine, err)
			    : machine_open_root(argument, &doctor->machine, err);
	return error == -ENOMEM ? error : 0; /* without a machine: a finding */
}

int doctor_check(struct doctor *doctor)
{
	static void (*const checks[])(struct doctor *) = {
		doctor_check_kernel,  doctor_check_security, doctor_check_watching,
		doctor_check_machine, doctor_check_cpus,     doctor_check_journals,
		doctor_check_tiers,   doctor_check_memory,   doctor_check_live,
		doctor_check_rivals,
	};
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		checks[i](doctor);
	return doctor->is_out_of_memory ? -ENOMEM : 0;
}

void doctor_fini(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->nr_findings; i++) {
		finding_fini(doctor->findings[i]);
		free(doctor->findings[i]);
	}
	free(doctor->findings);
	finding_fini(&doctor->spare);
	free(doctor->release);
	free(doctor->config);
	machine_free(doctor->machine);
}

static bool is_in(const struct doctor_finding *finding, unsigned groups)
{
	return !groups || (groups >> finding->group & 1);
}

static bool is_lacking(const struct doctor_finding *finding, unsigned judged)
{
	return finding->is_needed && finding->word == DOCTOR_MISSING && is_in(finding, judged);
}

bool doctor_lacks(const struct doctor *doctor, unsigned judged)
{
	for (size_t i = 0; i < doctor->nr_findings; i++)
		if (is_lacking(doctor->findings[i], judged))
			return true;
	return false;
}

/* Words at most up to TEXT_COLUMNS, further lines indented to where the first began. Names of
 * processes and groups come from outside: nothing of them reaches the terminal as it is. */
static void prt_wrapped(struct printbuf *out, const struct printbuf *text, size_t column)
{
	PRINTBUF(safe);
	prt_safe(&safe, printbuf_str(text), text->pos);
	prt_words(out, printbuf_str(&safe), column, TEXT_COLUMNS);
}

static void note_to_text(struct printbuf *out, const struct doctor_note *note, size_t column)
{
	prt_chars(out, ' ', column);
	prt_wrapped(out, &note->reason, column);
	if (!note->remedy.pos)
		return;
	prt_chars(out, ' ', column);
	prt_str(out, "-> ");
	prt_wrapped(out, &note->remedy, column + 3);
}

static void finding_to_text(struct printbuf *out, const struct doctor_finding *finding,
			    size_t name_columns)
{
	size_t column = 2 + 9 + name_columns + 2;
	prt_str(out, "  ");
	prt_field_left(out, word_names[finding->word], 9);
	prt_field_left(out, finding->name, name_columns);
	prt_str(out, "  ");
	prt_wrapped(out, &finding->summary, column);
	for (size_t i = 0; i < finding->nr_notes; i++)
		note_to_text(out, &finding->notes[i], column);
}

static void lacking_to_text(struct printbuf *out, const struct doctor *doctor, unsigned judged)
{
	const char *before = "needed and missing: ";
	for (size_t i = 0; i < doctor->nr_findings; i++) {
		const struct doctor_finding *finding = doctor->findings[i];
		if (!is_lacking(finding, judged))
			continue;
		prt_printf(out, "%s%s (%s)", before, finding->name, group_titles[finding->group]);
		before = ", ";
	}
	prt_str(out, doctor_lacks(doctor, judged) ? "\n" : "all there that is needed\n");
}

void doctor_to_text(struct printbuf *out, const struct doctor *doctor, unsigned groups,
		    unsigned judged)
{
	size_t name_columns = 0;
	unsigned present = 0;
	for (size_t i = 0; i < doctor->nr_findings; i++)
		if (is_in(doctor->findings[i], groups))
			name_columns = MAX(name_columns, strlen(doctor->findings[i]->name));
	for (size_t i = 0; i < doctor->nr_findings; i++)
		present |= 1U << doctor->findings[i]->group;
	for (unsigned group = 0; group < DOCTOR_NR_GROUPS; group++) {
		if (!((groups ? groups : present) >> group & 1))
			continue;
		prt_printf(out, "%s\n", group_titles[group]);
		for (size_t i = 0; i < doctor->nr_findings; i++)
			if (doctor->findings[i]->group == group)
				finding_to_text(out, doctor->findings[i], name_columns);
		prt_char(out, '\n');
	}
	lacking_to_text(out, doctor, judged);
}

static void finding_to_json(struct json_writer *json, const struct doctor_finding *finding)
{
	json_object_begin(json, NULL);
	json_str(json, "group", doctor_group_names[finding->group]);
	json_str(json, "name", finding->name);
	json_str(json, "word", word_names[finding->word]);
	json_bool(json, "needed", finding->is_needed);
	json_str(json, "summary", printbuf_str(&finding->summary));
	json_array_begin(json, "notes");
	for (size_t i = 0; i < finding->nr_notes; i++) {
		const struct doctor_note *note = &finding->notes[i];
		json_object_begin(json, NULL);
		json_str(json, "reason", printbuf_str(&note->reason));
		json_str(json, "remedy", note->remedy.pos ? printbuf_str(&note->remedy) : NULL);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
}

void doctor_to_json(struct printbuf *out, const struct doctor *doctor, unsigned groups,
		    unsigned judged)
{
	struct json_writer json;
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	json_bool(&json, "all_there", !doctor_lacks(doctor, judged));
	json_array_begin(&json, "findings");
	for (int group = 0; group < DOCTOR_NR_GROUPS; group++)
		for (size_t i = 0; i < doctor->nr_findings; i++)
			if (doctor->findings[i]->group == (enum doctor_group)group &&
			    is_in(doctor->findings[i], groups))
				finding_to_json(&json, doctor->findings[i]);
	json_array_end(&json);
	json_object_end(&json);
	prt_char(out, '\n');
}
