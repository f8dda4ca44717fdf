/* SPDX-License-Identifier: MIT */
/*
 * The doctor's look at berth's own parts: engines, samplers and movers, each asked by its probe
 * whether it can work here. A probe changes nothing, and says why not and what helps in one
 * sentence.
 *
 * On this machine only: below a captured root a probe would ask the wrong kernel.
 */
#include "linux/doctor.h"
#include "linux/job_engine.h"
#include "linux/movers.h"
#include "linux/samplers.h"

static bool has_two_nodes(const struct doctor *doctor)
{
	uint32_t nr = 0;
	for (uint32_t i = 0; doctor->machine && i < doctor->machine->nr_nodes; i++)
		nr += doctor->machine->nodes[i].size_bytes > 0;
	return nr > 1;
}

static void take_answer(struct doctor *doctor, struct doctor_finding *finding, int error,
			const char *summary, const struct printbuf *reason, enum doctor_word word)
{
	if (!error) {
		doctor_summary(finding, "%s", summary);
		return;
	}
	doctor_summary(finding, "cannot work here");
	doctor_note(doctor, finding, word, NULL, "%s", printbuf_str(reason));
}

static void check_engine(struct doctor *doctor, const struct job_engine_ops *engine,
			 const char *name, const char *summary, bool is_needed)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_CPUS, name, is_needed);
	PRINTBUF(reason);
	int error = engine->probe(doctor->root, &reason);
	take_answer(doctor, finding, error, summary, &reason, DOCTOR_MISSING);
}

/* One line each, and one in the group of memory: is there one at all? Where there is one node
 * nobody misses it. */
static void check_samplers(struct doctor *doctor, struct live *live)
{
	PRINTBUF(names);
	for (size_t i = 0; live_samplers[i]; i++) {
		const struct sampler_ops *ops = live_samplers[i];
		struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, ops->name, false);
		PRINTBUF(reason);
		int error = ops->probe(live, &reason);
		take_answer(doctor, finding, error, ops->summary, &reason, DOCTOR_MISSING);
		if (!error)
			prt_printf(&names, "%s%s", names.pos ? ", " : "", ops->name);
	}
	bool is_needed = has_two_nodes(doctor);
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, "sampler", is_needed);
	doctor_summary(finding, "%s", names.pos ? printbuf_str(&names) : "none");
	if (!names.pos)
		doctor_note(doctor, finding, is_needed ? DOCTOR_MISSING : DOCTOR_OFF,
			    "berth doctor see names them and says why not",
			    "no sampler works here: which pages are used cannot be told");
}

static void check_movers(struct doctor *doctor, struct live *live)
{
	bool is_needed = has_two_nodes(doctor);
	enum doctor_word word = is_needed ? DOCTOR_MISSING : DOCTOR_OFF;
	const char *first = NULL;
	for (size_t i = 0; live_movers[i]; i++) {
		const struct mover_ops *ops = live_movers[i]->ops;
		struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, ops->name,
							    false);
		PRINTBUF(reason);
		int error = ops->probe(live, &reason);
		take_answer(doctor, finding, error, ops->summary, &reason, word);
		if (!error && !first)
			first = ops->name;
	}
	for (size_t i = 0; live_advisers[i]; i++) {
		const struct mover_ops *ops = live_advisers[i]->ops;
		struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, ops->name,
							    false);
		PRINTBUF(reason);
		take_answer(doctor, finding, ops->probe(live, &reason), ops->summary, &reason,
			    DOCTOR_OFF);
	}
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, "mover", is_needed);
	doctor_summary(finding, "%s", first ? first : "none");
	if (!first)
		doctor_note(doctor, finding, word, NULL, "no mover works here");
}

static void check_watching(struct doctor *doctor)
{
	struct live live;
	PRINTBUF(err);
	int error = live_init(&live, doctor->root, doctor->machine, &err);
	if (error) {
		struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, "sampler",
							    has_two_nodes(doctor));
		take_answer(doctor, finding, error, "", &err, DOCTOR_MISSING);
		return;
	}
	check_samplers(doctor, &live);
	check_movers(doctor, &live);
	live_fini(&live);
}

void doctor_check_live(struct doctor *doctor)
{
	if (!doctor->root->is_host)
		return;
	check_engine(doctor, &job_engine_user, "engine user",
		     "a timer that widens and narrows where a job may run", true);
	check_engine(doctor, &job_engine_scx, "engine scx", "a scheduler in the kernel", false);
	if (doctor->machine)
		check_watching(doctor);
}
