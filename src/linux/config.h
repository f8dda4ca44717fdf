/* SPDX-License-Identifier: MIT */
/*
 * The configuration of the daemon: /etc/berth/berth.conf and its drop-ins, in systemd's manner.
 *
 *     /usr/lib/berth  <  /run/berth  <  /etc/berth        who wins, file by file
 *
 *     berth.conf                   the first of /etc, /run, /usr/lib that has it
 *     berth.conf.d/NAME.conf       of every NAME the one of the first of them; in the order of
 * names over all three, after berth.conf; later assignments win
 *
 * A drop-in that is empty, or a link to /dev/null, hides those of the same name below it.
 *
 *     [Daemon]                     [Job NAME], one per job
 *     DryRun=yes                   Match=unit:web.service       which processes; may repeat
 *                                  PreferCPUs=0-3
 *                                  FastMin=8GiB
 *
 * An empty assignment takes back what files before it said. Every key is a row of config_keys, from
 * which parsing, `berth config show` and berth.conf(5) come. Nothing in it is ever executed: values
 * are numbers, lists, names of berth's own, and patterns of names.
 *
 * Loading is whole or not at all: config_reload() parses all into a new one and then swaps, so that
 * a mistake leaves the daemon with the configuration it had.
 *
 * Cost: some KiB per job; a load reads each file once.
 */
#ifndef BERTH_LINUX_CONFIG_H
#define BERTH_LINUX_CONFIG_H

#include "base/ini.h"
#include "base/json.h"
#include "base/set.h"
#include "machine/root.h"

#define CONFIG_MAX_FILES   256
#define CONFIG_MAX_BYTES   ((size_t)1 << 20) /* of one file */
#define CONFIG_MAX_JOBS	   256
#define CONFIG_MAX_MATCHES 64 /* of one job */
#define CONFIG_MAX_NAME	   40 /* of a job */
#define CONFIG_NR_KEYS	   15
#define CONFIG_NO_FILE	   UINT32_MAX

struct config_origin {
	uint32_t file; /* index into config.files; CONFIG_NO_FILE: the default */
	unsigned line, column;
};

enum config_match_kind {
	CONFIG_MATCH_CGROUP,
	CONFIG_MATCH_UNIT,
	CONFIG_MATCH_COMMAND,
	CONFIG_MATCH_PID,
};
extern const char *const config_match_names[]; /* "cgroup", ...; NULL-terminated */

struct config_match {
	enum config_match_kind kind;
	char *pattern; /* a path, unit or command, with *, ? and [...]; NULL for a pid */
	uint64_t pid;
	struct config_origin origin;
};

struct config_matches {
	struct config_match *items;
	size_t nr;
};

struct config_amount { /* of fast memory */
	bool is_set, is_share;
	uint64_t bytes; /* unless a share */
	uint32_t bp;	/* of all fast memory */
};

enum config_engine { CONFIG_ENGINE_AUTO, CONFIG_ENGINE_USER, CONFIG_ENGINE_SCX };
enum config_goal { CONFIG_GOAL_BALANCED, CONFIG_GOAL_PERFORMANCE, CONFIG_GOAL_BACKGROUND };

struct config_daemon {
	uint32_t dry_run; /* 0 or 1 */
	uint32_t engine;  /* enum config_engine */
	char *policy;	  /* of memory; one that policy_find() knows */
	char *sampler;	  /* "auto", or names: live_samplers_parse */
	uint64_t move_rate_bytes_per_s;
	uint32_t cpu_limit_bp; /* of one CPU, that berth itself may use */
	char *socket_group;    /* who may ask; NULL: root */
	struct config_origin origins[CONFIG_NR_KEYS];
};

struct config_job {
	char *name;
	struct config_origin heading;
	struct config_matches matches;
	struct set prefer, allow; /* empty: not said */
	uint32_t spill_at_bp;	  /* SOFT_HARD: never */
	uint32_t max_distance;	  /* SOFT_NO_DISTANCE: any */
	struct config_amount fast_min, fast_max;
	uint32_t goal; /* enum config_goal */
	struct config_origin origins[CONFIG_NR_KEYS];
};

struct config {
	char **files; /* that were read, in that order */
	uint32_t nr_files;
	struct config_daemon daemon;
	struct config_job *jobs; /* in the order in which they were first named */
	size_t nr_jobs;
};

/* Of this machine, or below a root. -ENOENT: there is none. Errors of content are -EINVAL, with
 * FILE:LINE:COLUMN before the sentence. */
int config_load(const struct root *root, struct config **ret, struct printbuf *err);
/* One file, or a directory that holds berth.conf and berth.conf.d. */
int config_load_path(const char *path, struct config **ret, struct printbuf *err);
/* Puts a new one in *current's place, or leaves *current as it is. */
int config_reload(const struct root *root, struct config **current, struct printbuf *err);

/* What loading is made of: any number of files, then whether all fits together. */
int config_new(struct config **ret);
int config_add_text(struct config *config, const char *path, const char *text, size_t nr_bytes,
		    struct printbuf *err);
int config_check(const struct config *config, struct printbuf *err);
struct config *config_free(struct config *config); /* NULL allowed; returns NULL */

/* Merged, with where each value comes from as a comment; it parses back to the same. */
void config_to_text(struct printbuf *out, const struct config *config);
void config_to_json(struct printbuf *out, const struct config *config);
void config_match_to_text(struct printbuf *out, const struct config_match *match);
bool config_is_equal(const struct config *a, const struct config *b); /* but for origins */

/* The table. */
struct config_key;
struct config_kind {	  /* how a value is read and printed */
	const char *form; /* what a value looks like, for berth.conf(5) */
	/* Of a list, `goes_on` adds to what is there. */
	int (*parse)(const struct config_key *key, void *slot, const char *text, bool goes_on,
		     struct printbuf *err);
	void (*print)(const struct config_key *key, const void *slot, struct printbuf *out);
	void (*fini)(void *slot);
	bool is_list; /* may go on in an indented line */
};

struct config_key {
	bool is_of_job;
	const char *name;
	const char *otherwise; /* the default as it would be written; "": not said */
	const struct config_kind *kind;
	size_t offset;
	const char *help;
	const char *const *choices; /* of a choice; NULL-terminated */
};
extern const struct config_key config_keys[CONFIG_NR_KEYS];
/* Index of a key, by its place in the struct. */
size_t config_key_of(bool is_of_job, size_t offset);

#endif
