/* SPDX-License-Identifier: MIT */
/*
 * What a running job tells others: one small file beside its journal, PID-START.job, written anew
 * (and renamed into place) at its start, when its CPUs change, and at most once a second.
 *
 *     version 1
 *     program make -j8
 *     prefer 0-3
 *
 * A key, a blank, the value to the end of the line; unknown keys are passed over, so that an older
 * berth reads a newer one's. Cost: four system calls per writing.
 */
#ifndef BERTH_LINUX_JOB_NOTE_H
#define BERTH_LINUX_JOB_NOTE_H

#include "linux/job.h"

#define JOB_NOTE_SUFFIX ".job"

enum job_note_key {
	NOTE_PROGRAM,
	NOTE_PID,   /* of the program */
	NOTE_SINCE, /* 2026-11-22T10:15:00Z */
	NOTE_ENGINE,
	NOTE_HELD_BY, /* by which means it is kept there */
	NOTE_PREFER,
	NOTE_ALLOW,
	NOTE_SPILL_AT,
	NOTE_NOW, /* where it may run now */
	NOTE_LOOKS,
	NOTE_HELD_BACK,
	NOTE_SPILLED,
	NOTE_CALLED_HOME,
	NOTE_EVICTED,
	NOTE_BACKED_OFF,
	NOTE_POLICY, /* from here on: of its memory, if that is placed */
	NOTE_SAMPLER,
	NOTE_FAST_BYTES,
	NOTE_SLOW_BYTES,
	NOTE_PROMOTED,
	NOTE_DEMOTED,
	NR_NOTE_KEYS,
};

extern const char *const job_note_names[NR_NOTE_KEYS];
bool job_note_is_number(enum job_note_key key);

struct job_note {
	struct journal_owner owner; /* without boot: of this one */
	char *values[NR_NOTE_KEYS]; /* NULL: not told */
};

/* Lines of a note, for job_companion.note. */
void job_note_add_text(struct printbuf *out, enum job_note_key key, const char *text);
void job_note_add_number(struct printbuf *out, enum job_note_key key, uint64_t value);

/* Failing costs nothing but that `berth status` does not see the job. */
void job_note_write(struct job *job);
void job_note_remove(const struct job *job);

/* How many there are, running or not: one listing of the directory. */
uint32_t job_note_count(int state_fd);
/* Notes of running jobs, by pid; notes of ended ones are removed. */
int job_note_list(const struct root *root, int state_fd, struct job_note **ret, size_t *ret_nr);
void job_note_list_free(struct job_note *notes, size_t nr);

#endif
