/* SPDX-License-Identifier: MIT */
/*
 * The restore journal: what berth changed, so that nothing stays changed.
 *
 * Before the first change of an object its original value is written here, and before every write
 * the value that is about to be written. Whoever finds the journal of a process that is gone (the
 * next start, `berth restore`) puts the originals back, last change first:
 *
 *     value now                        what undoing does
 *     ---------                        -----------------
 *     the original                     nothing: it was never written, or is restored already
 *     one that berth may have written  the original is written
 *     any other                        somebody else's wish: left alone
 *     no such object                   nothing
 *
 * One file per berth process, PID-START.journal, where START is the process's start time in clock
 * ticks: a pid that is used again is another process. Records are lines, only ever appended, each
 * with its checksum (XXH64, lower half); the first names boot, pid and start time:
 *
 *     berth 1 41220923-f7a4-4d43-be70-86207927daa9 4711 238247 9f3c01d2
 *     change 1 cgroup /sys/fs/cgroup/cpuset/berth-4711 - 0d1e77ab
 *     change 2 affinity 4712:238250 0-1 55aa0c3e
 *     may 2 0 77e1a9b0
 *     undone 2 1b88c6f4
 *
 * A number whose change is undone is used again: a later "change 2" takes its place. Who changes
 * things for weeks has the file written anew now and then with what is not undone, as
 * PID-START.journal.new, which is renamed over the other (journal_compact): a kill leaves the one
 * or the other whole. Numbers stay; what lies between them counts as undone.
 *
 * Words are separated by one space; what is not printable, blank or % is %XX, an empty word is %.
 * A record is one write(2): a process killed within it leaves a part of a line, which counts as not
 * written: right, because the change it announces was not made either. A damaged line in between is
 * skipped and counted.
 *
 * No fsync: what a journal undoes (affinities, cgroups, cpusets) dies with the kernel, and the page
 * cache does not die before it. A journal of another boot is only removed.
 *
 * Cost: one write(2) per change and per value that was not written before; memory as the file.
 * The values of one change are told apart by their text and at most JOURNAL_MAX_VALUES.
 *
 * Source: design.md, rules that are never broken; the order of things is that of SQLite's rollback
 * journal (pager.c).
 */
#ifndef BERTH_ENGINE_JOURNAL_H
#define BERTH_ENGINE_JOURNAL_H

#include <sys/types.h>

#include "base/printbuf.h"
#include "base/types.h"

#define JOURNAL_MAX_BYTES   ((size_t)4 << 20) /* of one file */
#define JOURNAL_MAX_CHANGES 4096
#define JOURNAL_MAX_VALUES  4096
#define JOURNAL_BOOT_SIZE   37 /* a UUID and its NUL */
#define JOURNAL_NAME_SIZE   64

struct journal_owner { /* a process, such that a reused pid is another one */
	char boot[JOURNAL_BOOT_SIZE];
	uint64_t pid;
	uint64_t start_ticks;
};

struct journal_change {
	char *kind;	/* a word that journal_ops.undo knows */
	char *object;	/* what was changed; its form is the kind's */
	char *original; /* its value before */
	char **values;	/* every value that berth may have written */
	uint32_t nr_values;
	bool is_undone;
};

struct journal {
	int directory_fd; /* borrowed */
	int fd;
	char name[JOURNAL_NAME_SIZE];
	struct journal_owner owner;
	struct journal_change *changes;
	uint32_t nr_changes;
	uint32_t nr_damaged; /* lines that were skipped */
	uint64_t nr_bytes;
	bool is_cut; /* it ends within a line */
};

enum journal_outcome {
	JOURNAL_RESTORED,   /* the original was written */
	JOURNAL_UNCHANGED,  /* it had its original value */
	JOURNAL_GONE,	    /* the object is no more */
	JOURNAL_LEFT_ALONE, /* somebody else changed it since */
};

struct journal_ops {
	/* WHEN: once per journal, before anything else. True also for a process that may not be
	 * looked at; false for one that ended and was not yet waited for. */
	bool (*is_alive)(void *context, const struct journal_owner *owner);
	/* WHEN: for every change that is not undone, last one first. Must be repeatable: a crash
	 * in it leads to another call. Negative errno: the change stays in the journal. */
	int (*undo)(void *context, const struct journal_change *change,
		    enum journal_outcome *ret_outcome, struct printbuf *err);
};

/* The journal of this process; -EEXIST cannot happen by pid reuse. The directory stays borrowed. */
int journal_create(int directory_fd, const struct journal_owner *owner, struct journal *ret,
		   struct printbuf *err);
/* Before the first change of an object. ret_change is what the two below want. */
int journal_add_change(struct journal *journal, const char *kind, const char *object,
		       const char *original, uint32_t *ret_change, struct printbuf *err);
/* Before each write of `value`; one that is known already costs nothing but a search. -ENOSPC when
 * the journal is full: the value must not be written. */
int journal_add_value(struct journal *journal, uint32_t change, const char *value,
		      struct printbuf *err);
/* Undoes all changes, last one first, goes on after failures, and returns the first of them. */
int journal_undo(struct journal *journal, const struct journal_ops *ops, void *context,
		 struct printbuf *err);
/* Only this one. */
int journal_undo_change(struct journal *journal, uint32_t change, const struct journal_ops *ops,
			void *context, struct printbuf *err);
/* Writes the file anew, without what is undone, when it has at least `min_bytes` and that halves
 * it at least. On failure it is as it was. */
int journal_compact(struct journal *journal, uint64_t min_bytes, struct printbuf *err);
/* Removes the file when all is undone, and leaves it there otherwise. */
void journal_fini(struct journal *journal);

/* Reads a journal as it stands. -EBADMSG: it has no whole first line. */
int journal_load(int directory_fd, const char *name, struct journal *ret);
bool journal_value_is_known(const struct journal_change *change, const char *value);
/* The owner that a file's name tells: "4711-238247.journal". False: not a journal's name. */
bool journal_parse_name(const char *name, struct journal_owner *ret);

struct journal_counts {
	uint32_t nr_journals;	/* that were undone and removed */
	uint32_t nr_alive;	/* of running processes: not touched */
	uint32_t nr_other_boot; /* only removed */
	uint32_t nr_restored, nr_unchanged, nr_gone, nr_left_alone, nr_failed; /* changes */
	uint32_t nr_damaged;						       /* lines */
};
/* Undoes what processes that are gone have left in the directory. Two at the same time do not
 * disturb each other. Returns the first failure, after trying all. */
int journal_recover(int directory_fd, const char *boot, const struct journal_ops *ops,
		    void *context, struct journal_counts *ret_counts, struct printbuf *err);

#endif
