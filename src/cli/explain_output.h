/* SPDX-License-Identifier: MIT */
/* How `berth explain` tells the story of a page, or which pages to ask about: text, JSON, CSV. */
#ifndef BERTH_CLI_EXPLAIN_OUTPUT_H
#define BERTH_CLI_EXPLAIN_OUTPUT_H

#include "base/table.h"
#include "mem/regions.h"
#include "sim/story.h"
#include "sim/survey.h"

struct explain_output {
	const struct trace_info *info;
	const struct machine *machine;
	const struct sim_result *result;
	const char *path, *policy, *kernel; /* kernel: below an agent, else NULL */
	uint64_t dilate, seed;
	struct regions *regions;
	const struct story *story;   /* one of the two */
	const struct survey *survey; /* is not NULL */
	unsigned columns;	     /* of text */
};

void explain_to_text(struct printbuf *out, const struct explain_output *output);
void explain_to_json(struct printbuf *out, const struct explain_output *output);
void explain_to_csv(struct printbuf *out, const struct explain_output *output);

/* What the page belongs to: "[heap]", a path; "" when not known. */
const char *explain_region(const struct explain_output *output, uint32_t space, uint64_t page);

/* explain_text.c */
void explain_story_to_text(struct printbuf *out, const struct explain_output *output);
void explain_survey_to_text(struct printbuf *out, const struct explain_output *output);

#endif
