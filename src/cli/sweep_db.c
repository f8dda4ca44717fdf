/* SPDX-License-Identifier: MIT */
/*
 * The results file.
 *
 *     meta        what made the file
 *     recordings  what a recording's own pass has shown: its peak; so that it is not measured again
 *     runs        one row per simulation: what it was, the command that repeats it, its figures
 *     counters    the vmstat counters of a run's kernel
 *
 * application_id and user_version in SQLite's header say that a file is ours; any other is refused
 * and not written to. A rollback journal and synchronous=FULL: what is committed survives a kill
 * and a lost power supply, and one file is all there is. A second sweep is kept off by flock(2) on
 * the file, which SQLite (fcntl locks) does not use, so that looking at results stays possible. The
 * columns of figures come from sim_fields: one that a file of an older berth lacks is added to it.
 *
 * Cost: some 500 bytes a row and 40 a counter; a commit is two or three fsync(2).
 */
#include "cli/sweep_db.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/version.h"

#define BUSY_MS 10000

struct sweep_db {
	char *path;
	int lock; /* fd; -1: opened to look */
	struct sqlite3 *handle;
	sqlite3_stmt *find, *forget_key, *forget_recording, *put, *put_counter;
};

/* In the order of bind_row(). */
static const struct {
	const char *name, *type;
} columns[] = {
	{ "recording", "TEXT NOT NULL" },
	{ "policy", "TEXT NOT NULL" },
	{ "spec", "TEXT NOT NULL" },
	{ "kernel", "TEXT NOT NULL" },
	{ "fast", "TEXT NOT NULL" },
	{ "machine", "TEXT NOT NULL" },
	{ "dilate", "INTEGER NOT NULL" },
	{ "seed", "INTEGER NOT NULL" },
	{ "cost", "TEXT NOT NULL" },
	{ "recording_group", "TEXT NOT NULL" },
	{ "recording_bytes", "INTEGER NOT NULL" },
	{ "recording_checksum", "TEXT NOT NULL" },
	{ "base", "TEXT NOT NULL" },
	{ "kind", "TEXT NOT NULL" },
	{ "tunables", "TEXT NOT NULL" },
	{ "version", "TEXT NOT NULL" },
	{ "command", "TEXT NOT NULL" },
	{ "finished_unix_s", "INTEGER NOT NULL" },
	{ "error", "TEXT" },
	{ "note", "TEXT" },
	{ "fast_bytes", "INTEGER" },
	{ "memory_bytes", "INTEGER" },
	{ "method", "TEXT" },
	{ "exact", "INTEGER" },
};
#define NR_KEY_COLUMNS 9 /* the first: together they are unique */

struct sqlite3 *sweep_db_handle(struct sweep_db *db)
{
	return db->handle;
}

static int not_ours(const char *path, struct printbuf *err)
{
	return error_set(err, -EEXIST,
			 "%s: is not a file of sweep results; it was left as it is, choose "
			 "another name with -o",
			 path);
}

int sweep_db_error(struct sweep_db *db, const char *doing, struct printbuf *err)
{
	int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;
	int system = db->handle ? sqlite3_system_errno(db->handle) : 0;
	if (code == SQLITE_NOTADB)
		return not_ours(db->path, err);
	if (code == SQLITE_FULL || system == ENOSPC || system == EDQUOT)
		return error_set(err, -ENOSPC,
				 "%s: the disk is full; the rows written before are safe: make "
				 "room, and the same command goes on",
				 db->path);
	if (code == SQLITE_IOERR) /* SQLite says full of ENOSPC only */
		return error_set(
			err, -EIO,
			"%s: cannot be written: is a disk or a quota full, or the limit "
			"on the size of files reached (ulimit -f)? The rows written before "
			"are safe, and the same command goes on",
			db->path);
	if (code == SQLITE_READONLY)
		return error_set(err, -EACCES, "%s: may not be written", db->path);
	if (code == SQLITE_CORRUPT)
		return error_set(err, -EBADMSG,
				 "%s: is damaged (%s); move it away, and a new one will be made",
				 db->path, sqlite3_errmsg(db->handle));
	return error_set(err, -EIO, "%s: %s: %s", db->path, doing,
			 db->handle ? sqlite3_errmsg(db->handle) : "out of memory");
}

static int run_sql(struct sweep_db *db, const char *sql, const char *doing, struct printbuf *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sweep_db_error(db, doing, err);
	return 0;
}

static int prepare(struct sweep_db *db, const char *sql, sqlite3_stmt **ret, struct printbuf *err)
{
	if (sqlite3_prepare_v2(db->handle, sql, -1, ret, NULL) != SQLITE_OK)
		return sweep_db_error(db, "preparing a statement", err);
	return 0;
}

static int query_number(struct sweep_db *db, const char *sql, int64_t *ret, struct printbuf *err)
{
	sqlite3_stmt *statement = NULL;
	int error = prepare(db, sql, &statement, err);
	if (!error && sqlite3_step(statement) != SQLITE_ROW)
		error = sweep_db_error(db, "reading", err);
	if (!error)
		*ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return error;
}

struct sweep_db *sweep_db_close(struct sweep_db *db)
{
	if (!db)
		return NULL;
	sqlite3_finalize(db->find);
	sqlite3_finalize(db->forget_key);
	sqlite3_finalize(db->forget_recording);
	sqlite3_finalize(db->put);
	sqlite3_finalize(db->put_counter);
	sqlite3_close(db->handle);
	if (db->lock >= 0)
		close(db->lock);
	free(db->path);
	free(db);
	return NULL;
}

/* "./" keeps SQLite from reading ":memory:" or "file:..." into a name. */
static int new_db(const char *path, struct sweep_db **ret, struct printbuf *err)
{
	PRINTBUF(full);
	struct sweep_db *db = calloc(1, sizeof(*db));
	prt_printf(&full, "%s%s", *path == '/' ? "" : "./", path);
	if (db) {
		db->lock = -1;
		db->path = printbuf_steal(&full, NULL);
	}
	if (db && db->path) {
		*ret = db;
		return 0;
	}
	free(db);
	return error_set(err, -ENOMEM, "out of memory");
}

static int open_handle(struct sweep_db *db, int flags, struct printbuf *err)
{
	if (sqlite3_open_v2(db->path, &db->handle, flags, NULL) != SQLITE_OK)
		return sweep_db_error(db, "opening", err);
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	sqlite3_extended_result_codes(db->handle, 0);
	return run_sql(db, "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF", "opening", err);
}

/* 0: ours; 1: an empty file, which may become ours. */
static int look_whose(struct sweep_db *db, struct printbuf *err)
{
	int64_t id = 0, version = 0, nr_tables = 0;
	int error = query_number(db, "PRAGMA application_id", &id, err);
	if (!error)
		error = query_number(db, "PRAGMA user_version", &version, err);
	if (!error)
		error = query_number(db, "SELECT count(*) FROM sqlite_master", &nr_tables, err);
	if (error)
		return error;
	if (id == 0 && version == 0 && nr_tables == 0)
		return 1;
	if (id != SWEEP_APPLICATION_ID)
		return not_ours(db->path, err);
	if (version > SWEEP_SCHEMA)
		return error_set(err, -EOPNOTSUPP,
				 "%s: was made by a newer berth (schema %lld, this one knows %d)",
				 db->path, (long long)version, SWEEP_SCHEMA);
	return 0;
}

static void schema_to_sql(struct printbuf *out)
{
	prt_printf(out,
		   "BEGIN IMMEDIATE;"
		   "PRAGMA application_id=%d; PRAGMA user_version=%d;"
		   "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
		   "CREATE TABLE recordings (name TEXT NOT NULL, bytes INTEGER NOT NULL, "
		   "checksum TEXT NOT NULL, peak_pages INTEGER NOT NULL, events INTEGER NOT NULL, "
		   "misses INTEGER NOT NULL, set_bytes INTEGER NOT NULL, page_bytes INTEGER NOT "
		   "NULL, duration_ns INTEGER NOT NULL, PRIMARY KEY (name, bytes, checksum));"
		   "CREATE TABLE runs (id INTEGER PRIMARY KEY",
		   SWEEP_APPLICATION_ID, SWEEP_SCHEMA);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		prt_printf(out, ", %s %s", columns[i].name, columns[i].type);
	prt_str(out, ", UNIQUE (");
	for (size_t i = 0; i < NR_KEY_COLUMNS; i++)
		prt_printf(out, "%s%s", i ? ", " : "", columns[i].name);
	prt_str(out, "));"
		     "CREATE TABLE counters (run INTEGER NOT NULL REFERENCES runs (id) ON DELETE "
		     "CASCADE, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (run, name))"
		     " WITHOUT ROWID;");
	prt_printf(out, "INSERT INTO meta VALUES ('created_by', 'berth %s'); COMMIT",
		   berth_version());
}

static int create(struct sweep_db *db, struct printbuf *err)
{
	PRINTBUF(sql);
	schema_to_sql(&sql);
	int error = run_sql(db, printbuf_str(&sql), "making the tables", err);
	if (error)
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	return error;
}

/* Figures that this berth knows and the file does not. */
static int add_figures(struct sweep_db *db, struct printbuf *err)
{
	int error = 0;
	for (size_t i = 0; !error && i < SIM_NR_FIELDS; i++) {
		PRINTBUF(sql);
		int64_t has = 0;
		prt_printf(&sql, "SELECT count(*) FROM pragma_table_info('runs') WHERE name='%s'",
			   sim_fields[i].name);
		error = query_number(db, printbuf_str(&sql), &has, err);
		printbuf_reset(&sql);
		prt_printf(&sql, "ALTER TABLE runs ADD COLUMN %s INTEGER", sim_fields[i].name);
		if (!error && !has)
			error = run_sql(db, printbuf_str(&sql), "adding a column", err);
	}
	return error;
}

static void prt_key(struct printbuf *out)
{
	for (size_t i = 0; i < NR_KEY_COLUMNS; i++)
		prt_printf(out, "%s%s=?", i ? " AND " : " WHERE ", columns[i].name);
}

static void put_to_sql(struct printbuf *out)
{
	prt_str(out, "INSERT INTO runs (");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		prt_printf(out, "%s%s", i ? "," : "", columns[i].name);
	for (size_t i = 0; i < SIM_NR_FIELDS; i++)
		prt_printf(out, ",%s", sim_fields[i].name);
	prt_str(out, ") VALUES (?");
	for (size_t i = 1; i < ARRAY_SIZE(columns) + SIM_NR_FIELDS; i++)
		prt_str(out, ",?");
	prt_str(out, ")");
}

static int prepare_all(struct sweep_db *db, struct printbuf *err)
{
	PRINTBUF(find);
	PRINTBUF(forget);
	PRINTBUF(put);
	prt_str(&find,
		"SELECT version, recording_bytes, recording_checksum, error, note FROM runs");
	prt_key(&find);
	prt_str(&forget, "DELETE FROM runs");
	prt_key(&forget);
	put_to_sql(&put);
	int error = prepare(db, printbuf_str(&find), &db->find, err);
	if (!error)
		error = prepare(db, printbuf_str(&forget), &db->forget_key, err);
	if (!error)
		error = prepare(db,
				"DELETE FROM runs WHERE recording=? AND (recording_bytes<>? OR "
				"recording_checksum<>?)",
				&db->forget_recording, err);
	if (!error)
		error = prepare(db, printbuf_str(&put), &db->put, err);
	if (!error)
		error = prepare(db, "INSERT OR REPLACE INTO counters VALUES (?, ?, ?)",
				&db->put_counter, err);
	return error;
}

/* The lock is held for as long as `lock` is open; SQLite's own locks on the file are of another
 * kind (fcntl) and would be lost by closing it, so it is closed last. */
static int take_lock(struct sweep_db *db, struct printbuf *err)
{
	struct stat status;
	db->lock = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (db->lock < 0)
		return error_file(err, -errno, db->path, "write");
	if (fstat(db->lock, &status) < 0 || !S_ISREG(status.st_mode))
		return not_ours(db->path, err);
	if (flock(db->lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? error_set(err, -EBUSY,
					   "%s: another sweep is writing to it; wait for it, or "
					   "choose another name with -o",
					   db->path)
			       : error_file(err, -errno, db->path, "lock");
	return 0;
}

static int open_to_write(struct sweep_db *db, struct printbuf *err)
{
	int error = take_lock(db, err);
	if (!error)
		error = open_handle(db, SQLITE_OPEN_READWRITE, err);
	int whose = error ? error : look_whose(db, err);
	if (whose == 1)
		whose = create(db, err);
	if (whose < 0)
		return whose;
	error = add_figures(db, err);
	return error ? error : prepare_all(db, err);
}

int sweep_db_open(const char *path, struct sweep_db **ret, struct printbuf *err)
{
	struct sweep_db *db = NULL;
	bool existed = access(path, F_OK) == 0;
	int error = new_db(path, &db, err);
	if (error)
		return error;
	error = open_to_write(db, err);
	if (!error) {
		*ret = db;
		return 0;
	}
	if (!existed && db->lock >= 0 && error != -EBUSY)
		unlink(db->path);
	sweep_db_close(db);
	return error;
}

int sweep_db_look(const char *path, struct sweep_db **ret, struct printbuf *err)
{
	struct sweep_db *db = NULL;
	struct stat status;
	if (stat(path, &status) < 0)
		return error_file(err, -errno, path, "read");
	int error = new_db(path, &db, err);
	if (error)
		return error;
	/* What a killed sweep left half written is undone at the next opening, which needs to
	 * write. */
	bool may_write = access(path, W_OK) == 0;
	error = S_ISREG(status.st_mode)
			? open_handle(db, may_write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY,
				      err)
			: not_ours(path, err);
	int whose = error ? error : look_whose(db, err);
	if (whose == 1)
		whose = not_ours(path, err);
	if (whose == 0)
		*ret = db;
	else
		sweep_db_close(db);
	return whose;
}

struct binder { /* counts the places of a statement */
	sqlite3_stmt *statement;
	int at;
};

static void bind_text(struct binder *binder, const char *text)
{
	sqlite3_bind_text(binder->statement, ++binder->at, text, -1, SQLITE_TRANSIENT);
}

static void bind_text_or_null(struct binder *binder, const char *text)
{
	if (*text)
		bind_text(binder, text);
	else
		sqlite3_bind_null(binder->statement, ++binder->at);
}

static void bind_number(struct binder *binder, uint64_t value)
{
	sqlite3_bind_int64(binder->statement, ++binder->at,
			   (sqlite3_int64)MIN(value, (uint64_t)INT64_MAX));
}

static void bind_known(struct binder *binder, uint64_t value, bool is_known)
{
	if (is_known)
		bind_number(binder, value);
	else
		sqlite3_bind_null(binder->statement, ++binder->at);
}

static int step(struct sweep_db *db, sqlite3_stmt *statement, const char *doing,
		struct printbuf *err)
{
	int code = sqlite3_step(statement);
	int error = code == SQLITE_ROW	  ? 1
		    : code == SQLITE_DONE ? 0
					  : sweep_db_error(db, doing, err);
	return error;
}

int sweep_db_extent(struct sweep_db *db, const struct sweep_recording *recording,
		    struct sim_extent *ret, struct printbuf *err)
{
	struct binder binder = { 0 };
	int error = prepare(db,
			    "SELECT peak_pages, events, misses, set_bytes FROM recordings WHERE "
			    "name=? AND bytes=? AND checksum=?",
			    &binder.statement, err);
	if (error)
		return error;
	bind_text(&binder, recording->name);
	bind_number(&binder, recording->bytes);
	bind_text(&binder, recording->checksum);
	error = step(db, binder.statement, "reading", err);
	if (error == 1) {
		uint64_t *figures[] = { &ret->peak_pages, &ret->nr_events, &ret->nr_misses,
					&ret->set_bytes };
		for (int i = 0; i < (int)ARRAY_SIZE(figures); i++)
			*figures[i] = (uint64_t)sqlite3_column_int64(binder.statement, i);
	}
	sqlite3_finalize(binder.statement);
	return error;
}

int sweep_db_put_extent(struct sweep_db *db, const struct sweep_recording *recording,
			struct printbuf *err)
{
	struct binder binder = { 0 };
	const struct sim_extent *extent = &recording->extent;
	const uint64_t figures[] = { extent->peak_pages,    extent->nr_events,
				     extent->nr_misses,	    extent->set_bytes,
				     recording->page_bytes, recording->duration_ns };
	int error = prepare(db,
			    "INSERT OR REPLACE INTO recordings (name, bytes, checksum, peak_pages, "
			    "events, misses, set_bytes, page_bytes, duration_ns) VALUES "
			    "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
			    &binder.statement, err);
	if (error)
		return error;
	bind_text(&binder, recording->name);
	bind_number(&binder, recording->bytes);
	bind_text(&binder, recording->checksum);
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		bind_number(&binder, figures[i]);
	error = step(db, binder.statement, "writing", err);
	sqlite3_finalize(binder.statement);
	return error;
}

static void bind_key(struct binder *binder, const struct sweep_plan *plan,
		     const struct sweep_row *row)
{
	const struct sweep_recording *recording = &plan->recordings[row->recording];
	const struct sweep_variant *variant = &plan->grid->variants[row->variant];
	bind_text(binder, recording->name);
	bind_text(binder, plan->grid->policies[variant->policy].name.text);
	bind_text(binder, variant->spec);
	bind_text(binder, sweep_row_kernel(plan, row));
	bind_text(binder, plan->grid->sizes[row->size].label);
	bind_text(binder, recording->machine_line);
	bind_number(binder, recording->dilate);
	bind_number(binder, plan->grid->seeds[row->seed]);
	bind_text(binder, recording->cost);
}

static enum sweep_presence presence_of(sqlite3_stmt *found, const struct sweep_recording *recording)
{
	if ((uint64_t)sqlite3_column_int64(found, 1) != recording->bytes ||
	    strcmp((const char *)sqlite3_column_text(found, 2), recording->checksum) != 0)
		return SWEEP_OTHER_RECORDING;
	return strcmp((const char *)sqlite3_column_text(found, 0), berth_version()) == 0
		       ? SWEEP_FRESH
		       : SWEEP_OTHER_VERSION;
}

int sweep_db_find(struct sweep_db *db, const struct sweep_plan *plan, const struct sweep_row *row,
		  struct sweep_found *ret, struct printbuf *err)
{
	struct binder binder = { db->find, 0 };
	bind_key(&binder, plan, row);
	int code = step(db, db->find, "reading", err);
	if (code >= 0)
		*ret = (struct sweep_found){ .presence = SWEEP_ABSENT };
	if (code == 1)
		*ret = (struct sweep_found){
			.presence = presence_of(db->find, &plan->recordings[row->recording]),
			.has_error = sqlite3_column_type(db->find, 3) != SQLITE_NULL,
			.has_note = sqlite3_column_type(db->find, 4) != SQLITE_NULL,
		};
	sqlite3_reset(db->find);
	return MIN(code, 0);
}

int sweep_db_begin(struct sweep_db *db, struct printbuf *err)
{
	return run_sql(db, "BEGIN IMMEDIATE", "writing", err);
}

int sweep_db_commit(struct sweep_db *db, struct printbuf *err)
{
	return run_sql(db, "COMMIT", "writing", err);
}

void sweep_db_roll_back(struct sweep_db *db)
{
	if (!sqlite3_get_autocommit(db->handle)) /* SQLite may have done so itself */
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* What this row replaces, and all that came from other bytes of the same recording. */
static int forget(struct sweep_db *db, const struct sweep_plan *plan, const struct sweep_row *row,
		  struct printbuf *err)
{
	const struct sweep_recording *recording = &plan->recordings[row->recording];
	struct binder key = { db->forget_key, 0 }, other = { db->forget_recording, 0 };
	bind_key(&key, plan, row);
	int error = step(db, db->forget_key, "writing", err);
	sqlite3_reset(db->forget_key);
	if (error)
		return error;
	bind_text(&other, recording->name);
	bind_number(&other, recording->bytes);
	bind_text(&other, recording->checksum);
	error = step(db, db->forget_recording, "writing", err);
	sqlite3_reset(db->forget_recording);
	return error;
}

static void bind_row(struct binder *binder, const struct sweep_plan *plan,
		     const struct sweep_row *row, const struct sweep_result *result)
{
	static const char *const kinds[] = { "kernel", "agent", "bound" };
	const struct sweep_recording *recording = &plan->recordings[row->recording];
	const struct sweep_variant *variant = &plan->grid->variants[row->variant];
	const struct sweep_outcome *outcome = &result->outcome;
	uint64_t fast_bytes = recording->fast_bytes[row->size];
	PRINTBUF(command);
	sweep_row_command(&command, plan, row);
	bind_key(binder, plan, row);
	bind_text(binder, recording->group);
	bind_number(binder, recording->bytes);
	bind_text(binder, recording->checksum);
	bind_text(binder, variant->base);
	bind_text(binder, kinds[variant->kind]);
	bind_text(binder, variant->tunables);
	bind_text(binder, berth_version());
	bind_text(binder, printbuf_str(&command));
	bind_number(binder, (uint64_t)time(NULL));
	bind_text_or_null(binder, result->error_text);
	bind_text_or_null(binder, result->note);
	if (!fast_bytes)
		fast_bytes = outcome->fast_bytes;
	bind_known(binder, fast_bytes, fast_bytes != UINT64_MAX);
	bind_known(binder, outcome->memory_bytes, outcome->memory_bytes != 0);
	bind_text_or_null(binder, result->method);
	bind_known(binder, outcome->is_exact, outcome->has_bound);
	for (size_t i = 0; i < SIM_NR_FIELDS; i++)
		bind_known(binder, outcome->figures[i], outcome->is_known[i]);
}

int sweep_db_put(struct sweep_db *db, const struct sweep_plan *plan,
		 const struct sweep_result *result, struct printbuf *err)
{
	const struct sweep_row *row = &plan->rows[result->outcome.row];
	struct binder binder = { db->put, 0 };
	int error = forget(db, plan, row, err);
	if (error)
		return error;
	bind_row(&binder, plan, row, result);
	error = step(db, db->put, "writing", err);
	sqlite3_reset(db->put);
	sqlite3_int64 id = sqlite3_last_insert_rowid(db->handle);
	for (uint32_t i = 0; !error && i < result->outcome.nr_counters; i++) {
		struct binder counter = { db->put_counter, 0 };
		bind_number(&counter, (uint64_t)id);
		bind_text(&counter, result->counters[i].name);
		bind_number(&counter, result->counters[i].value);
		error = step(db, db->put_counter, "writing", err);
		sqlite3_reset(db->put_counter);
	}
	return error;
}
