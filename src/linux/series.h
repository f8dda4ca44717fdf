/* SPDX-License-Identifier: MIT */
/*
 * What placing came to over time: one row a second, of everything since the row before.
 *
 *     totals --series_note()--> | 1 s | 2 s | 3 s | ...          SERIES_MAX rows
 *                               |   2 s     |   4 s     | ...    full: pairs merge, rows are twice
 *                                                                as long from then on
 *
 * A row ends with the first tick at or after its time, so what a long tick did is in one row.
 * Cost: 18 KiB, a comparison per tick.
 */
#ifndef BERTH_LINUX_SERIES_H
#define BERTH_LINUX_SERIES_H

#include "base/json.h"

#define SERIES_MAX 256

enum series_field {
	SERIES_SEEN, /* pages seen in use */
	SERIES_PLANNED,
	SERIES_CUT,
	SERIES_PROMOTED,
	SERIES_DEMOTED,
	SERIES_SAMPLING, /* CPU time */
	SERIES_MOVING,
	SERIES_DECIDING,
	SERIES_FIELDS
};

struct series_row {
	uint64_t end_ns; /* since the beginning */
	uint64_t values[SERIES_FIELDS];
};

struct series {
	struct series_row rows[SERIES_MAX];
	uint32_t nr;
	uint64_t step_ns; /* 0: one second */
	uint64_t next_ns; /* when the row that is being filled ends */
	uint64_t totals[SERIES_FIELDS];
};

/* `totals` since the beginning, at `now_ns` since then: never less than the last time. */
void series_note(struct series *series, uint64_t now_ns, const uint64_t totals[SERIES_FIELDS]);
/* Closes the last row: nothing is left out. */
void series_finish(struct series *series, uint64_t now_ns, const uint64_t totals[SERIES_FIELDS]);
/* An array of objects. */
void series_to_json(struct json_writer *json, const char *key, const struct series *series);

#endif
