/* SPDX-License-Identifier: MIT */
/* The results of sweeps in one SQLite file; docs/sweep.md has the schema. */
#ifndef BERTH_CLI_SWEEP_DB_H
#define BERTH_CLI_SWEEP_DB_H

#include "cli/sweep_plan.h"
#include "cli/sweep_work.h"

#define SWEEP_APPLICATION_ID 0x42725468 /* "BrTh" */
#define SWEEP_SCHEMA	     1

struct sqlite3;
struct sweep_db;

enum sweep_presence { SWEEP_ABSENT, SWEEP_FRESH, SWEEP_OTHER_VERSION, SWEEP_OTHER_RECORDING };

/* Creates the file, or goes on with one of ours, and locks it against other sweeps.
 * -EEXIST: the file is something else, and stays as it is; -EBUSY: another sweep writes. */
int sweep_db_open(const char *path, struct sweep_db **ret, struct printbuf *err);
/* For looking only; a sweep may go on meanwhile. */
int sweep_db_look(const char *path, struct sweep_db **ret, struct printbuf *err);
struct sweep_db *sweep_db_close(struct sweep_db *db);
struct sqlite3 *sweep_db_handle(struct sweep_db *db);
/* A sentence from SQLite's last error on this file; returns `-EIO` or what fits better. */
int sweep_db_error(struct sweep_db *db, const char *doing, struct printbuf *err);

/* 1: *ret is what was measured of just these bytes; 0: not known; negative errno. */
int sweep_db_extent(struct sweep_db *db, const struct sweep_recording *recording,
		    struct sim_extent *ret, struct printbuf *err);
int sweep_db_put_extent(struct sweep_db *db, const struct sweep_recording *recording,
			struct printbuf *err);

struct sweep_found {
	enum sweep_presence presence;
	bool has_error, has_note; /* of the row */
};
/* Is this row there, made by this version from this recording? */
int sweep_db_find(struct sweep_db *db, const struct sweep_plan *plan, const struct sweep_row *row,
		  struct sweep_found *ret, struct printbuf *err);
/* One transaction around any number of rows. On failure nothing of it is in the file. */
int sweep_db_begin(struct sweep_db *db, struct printbuf *err);
int sweep_db_put(struct sweep_db *db, const struct sweep_plan *plan,
		 const struct sweep_result *result, struct printbuf *err);
int sweep_db_commit(struct sweep_db *db, struct printbuf *err);
void sweep_db_roll_back(struct sweep_db *db);

#endif
