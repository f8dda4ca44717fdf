/* SPDX-License-Identifier: MIT */
/* Placing over time (series.h). */
#include "linux/series.h"

#include <string.h>

static const char *const names[SERIES_FIELDS] = {
	[SERIES_SEEN] = "seen_pages",	    [SERIES_PLANNED] = "planned_pages",
	[SERIES_CUT] = "cut_pages",	    [SERIES_PROMOTED] = "promoted_pages",
	[SERIES_DEMOTED] = "demoted_pages", [SERIES_SAMPLING] = "sampling_ns",
	[SERIES_MOVING] = "moving_ns",	    [SERIES_DECIDING] = "deciding_ns",
};

static void merge_pairs(struct series *series)
{
	for (uint32_t i = 0; i < SERIES_MAX / 2; i++) {
		struct series_row row = series->rows[2 * i + 1];
		for (unsigned j = 0; j < SERIES_FIELDS; j++)
			row.values[j] += series->rows[2 * i].values[j];
		series->rows[i] = row;
	}
	series->nr = SERIES_MAX / 2;
	series->step_ns *= 2;
}

static void end_row(struct series *series, uint64_t now_ns, const uint64_t totals[SERIES_FIELDS])
{
	if (series->step_ns == 0)
		series->step_ns = NS_PER_S;
	if (series->nr == SERIES_MAX)
		merge_pairs(series);
	struct series_row *row = &series->rows[series->nr++];
	row->end_ns = now_ns;
	for (unsigned i = 0; i < SERIES_FIELDS; i++)
		row->values[i] = totals[i] - series->totals[i];
	memcpy(series->totals, totals, sizeof(series->totals));
	series->next_ns = now_ns - now_ns % series->step_ns + series->step_ns;
}

void series_note(struct series *series, uint64_t now_ns, const uint64_t totals[SERIES_FIELDS])
{
	if (series->next_ns == 0)
		series->next_ns = NS_PER_S;
	if (now_ns >= series->next_ns)
		end_row(series, now_ns, totals);
}

void series_finish(struct series *series, uint64_t now_ns, const uint64_t totals[SERIES_FIELDS])
{
	if (memcmp(series->totals, totals, sizeof(series->totals)) != 0)
		end_row(series, now_ns, totals);
}

void series_to_json(struct json_writer *json, const char *key, const struct series *series)
{
	json_array_begin(json, key);
	for (uint32_t i = 0; i < series->nr; i++) {
		json_object_begin(json, NULL);
		json_u64(json, "end_ns", series->rows[i].end_ns);
		for (unsigned j = 0; j < SERIES_FIELDS; j++)
			json_u64(json, names[j], series->rows[i].values[j]);
		json_object_end(json);
	}
	json_array_end(json);
}
