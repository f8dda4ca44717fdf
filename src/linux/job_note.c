/* SPDX-License-Identifier: MIT */
/* Notes of running jobs (job_note.h). */
#include "linux/job_note.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define NOTE_BYTES ((size_t)64 * 1024)
#define MAX_NOTES  4096
#define NAME_SIZE  64

const char *const job_note_names[NR_NOTE_KEYS] = {
	"program",	 "pid",	    "since",	   "engine",	 "held_by",
	"prefer",	 "allow",   "spill_at",	   "now",	 "looks",
	"held_back",	 "spilled", "called_home", "evicted",	 "backed_off",
	"policy",	 "sampler", "fast_bytes",  "slow_bytes", "promoted_pages",
	"demoted_pages",
};

bool job_note_is_number(enum job_note_key key)
{
	return key == NOTE_PID || (key >= NOTE_LOOKS && key <= NOTE_EVICTED) ||
	       key >= NOTE_FAST_BYTES;
}

static void name_of(const struct journal_owner *owner, const char *more, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%llu-%llu" JOB_NOTE_SUFFIX "%s", (unsigned long long)owner->pid,
		 (unsigned long long)owner->start_ticks, more);
}

void job_note_add_number(struct printbuf *out, enum job_note_key key, uint64_t value)
{
	prt_printf(out, "%s %llu\n", job_note_names[key], (unsigned long long)value);
}

static void add_set(struct printbuf *out, enum job_note_key key, const struct set *set)
{
	prt_printf(out, "%s ", job_note_names[key]);
	set_to_text(out, set);
	prt_char(out, '\n');
}

void job_note_add_text(struct printbuf *out, enum job_note_key key, const char *text)
{
	prt_printf(out, "%s ", job_note_names[key]);
	prt_safe(out, text, strlen(text));
	prt_char(out, '\n');
}

static void add_since(struct printbuf *out, time_t since)
{
	char text[32] = "";
	struct tm utc;
	if (gmtime_r(&since, &utc))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	job_note_add_text(out, NOTE_SINCE, text);
}

static void add_spill_at(struct printbuf *out, uint32_t spill_at_bp)
{
	if (spill_at_bp == SOFT_HARD)
		job_note_add_text(out, NOTE_SPILL_AT, "hard");
	else
		prt_printf(out, "%s %u.%02u %%\n", job_note_names[NOTE_SPILL_AT], spill_at_bp / 100,
			   spill_at_bp % 100);
}

static void to_text(struct printbuf *out, const struct job *job)
{
	const struct job_counts *counts = &job->rule.counts;
	prt_str(out, "version 1\n");
	job_note_add_text(out, NOTE_PROGRAM, job->program);
	job_note_add_number(out, NOTE_PID, (uint64_t)job->child.pid);
	add_since(out, job->since);
	job_note_add_text(out, NOTE_ENGINE, job->engine->name);
	job_note_add_text(out, NOTE_HELD_BY,
			  job->engine == &job_engine_none ? "none"
			  : !job->uses_cgroup		  ? "affinity"
			  : job->group.version == 1	  ? "cpuset v1"
							  : "cpuset v2");
	add_set(out, NOTE_PREFER, &job->wish->prefer);
	add_set(out, NOTE_ALLOW, &job->allowed);
	add_spill_at(out, job->wish->soft.spill_at_bp);
	add_set(out, NOTE_NOW, &job->mask);
	job_note_add_number(out, NOTE_LOOKS, counts->nr_looks);
	job_note_add_number(out, NOTE_HELD_BACK, counts->nr_held);
	job_note_add_number(out, NOTE_SPILLED, counts->nr_spilled);
	job_note_add_number(out, NOTE_CALLED_HOME, counts->nr_called_home);
	job_note_add_number(out, NOTE_EVICTED, counts->nr_evicted);
	job_note_add_text(out, NOTE_BACKED_OFF, job->is_backed_off ? "yes" : "no");
	if (job->companion)
		job->companion->note(job->companion->context, out);
}

void job_note_write(struct job *job)
{
	if (job->holder)
		return;
	job->noted_ns = clock_now_ns();
	job->noted = job->rule.counts;
	char name[NAME_SIZE], part[NAME_SIZE];
	PRINTBUF(text);
	name_of(&job->self, "", name);
	name_of(&job->self, ".part", part);
	to_text(&text, job);
	int fd = openat(job->state_fd, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0644);
	if (fd < 0)
		return;
	bool is_whole = !printbuf_has_error(&text) &&
			write(fd, printbuf_str(&text), text.pos) == (ssize_t)text.pos;
	close(fd);
	if (!is_whole || renameat(job->state_fd, part, job->state_fd, name) < 0)
		unlinkat(job->state_fd, part, 0);
}

void job_note_remove(const struct job *job)
{
	char name[NAME_SIZE];
	name_of(&job->self, "", name);
	unlinkat(job->state_fd, name, 0);
}

/* "4711-238247.job", or with .part behind it. */
static bool parse_name(const char *name, struct journal_owner *ret)
{
	struct journal_owner owner = { .pid = 0 };
	char again[NAME_SIZE];
	if (sscanf(name, "%20lu-%20lu", &owner.pid, &owner.start_ticks) != 2)
		return false;
	*ret = owner;
	name_of(&owner, "", again);
	if (strcmp(again, name) == 0)
		return true;
	name_of(&owner, ".part", again);
	return strcmp(again, name) == 0;
}

static void take_line(struct job_note *note, const char *line)
{
	const char *blank = strchr(line, ' ');
	for (int key = 0; blank && key < NR_NOTE_KEYS; key++) {
		size_t len = strlen(job_note_names[key]);
		if ((size_t)(blank - line) != len || strncmp(line, job_note_names[key], len) != 0)
			continue;
		free(note->values[key]);
		note->values[key] = strdup(blank + 1);
	}
}

static int read_note(int state_fd, const char *name, struct job_note *note)
{
	char *text = malloc(NOTE_BYTES);
	int fd = openat(state_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t nr = text && fd >= 0 ? read(fd, text, NOTE_BYTES - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (nr > 0) {
		text[nr] = '\0';
		for (char *save, *line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			take_line(note, line);
	}
	free(text);
	return nr > 0 ? 0 : -EBADMSG;
}

static int compare_notes(const void *a, const void *b)
{
	const struct job_note *x = a, *y = b;
	return x->owner.pid < y->owner.pid ? -1 : x->owner.pid > y->owner.pid;
}

static int take_entry(const struct root *root, int state_fd, const char *name,
		      struct job_note *notes, size_t *nr)
{
	struct job_note note = { .values = { NULL } };
	if (!parse_name(name, &note.owner))
		return 0;
	if (!process_is_alive(root, &note.owner)) {
		unlinkat(state_fd, name, 0);
		return 0;
	}
	if (!strstr(name, ".part") && *nr < MAX_NOTES && read_note(state_fd, name, &note) == 0)
		notes[(*nr)++] = note;
	return 0;
}

uint32_t job_note_count(int state_fd)
{
	int fd = openat(state_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	uint32_t nr = 0;
	if (!directory)
		return 0;
	for (struct dirent *entry; nr < MAX_NOTES && (entry = readdir(directory));) {
		const char *dot = strrchr(entry->d_name, '.');
		nr += dot && strcmp(dot, JOB_NOTE_SUFFIX) == 0;
	}
	closedir(directory);
	return nr;
}

int job_note_list(const struct root *root, int state_fd, struct job_note **ret, size_t *ret_nr)
{
	struct job_note *notes = calloc(MAX_NOTES, sizeof(*notes));
	int fd = openat(state_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	size_t nr = 0;
	if (!notes || !directory) {
		int error = notes ? -errno : -ENOMEM;
		free(notes);
		if (directory)
			closedir(directory);
		return error;
	}
	for (struct dirent *entry; (entry = readdir(directory));)
		take_entry(root, state_fd, entry->d_name, notes, &nr);
	closedir(directory);
	qsort(notes, nr, sizeof(*notes), compare_notes);
	*ret = notes;
	*ret_nr = nr;
	return 0;
}

void job_note_list_free(struct job_note *notes, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		for (int key = 0; key < NR_NOTE_KEYS; key++)
			free(notes[i].values[key]);
	free(notes);
}
