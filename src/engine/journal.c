/* SPDX-License-Identifier: MIT */
/* Writing and reading the restore journal; journal.h has the picture. */
#include "engine/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "trace/format.h"

#define SUFFIX	      ".journal"
#define NEW_SUFFIX    ".new"
#define VERSION	      1
#define MAX_WORDS     6
#define RECOVER_TRIES 8
#define CHECKSUM_LEN  8 /* hexadecimal digits */

static void add_word(struct printbuf *line, const char *word)
{
	if (line->pos > line->last_newline)
		prt_char(line, ' ');
	if (!*word)
		prt_char(line, '%');
	for (const char *at = word; *at; at++) {
		if (*at > ' ' && *at < 0x7f && *at != '%')
			prt_char(line, *at);
		else
			prt_printf(line, "%%%02x", (unsigned char)*at);
	}
}

static void add_number(struct printbuf *line, uint64_t number)
{
	prt_char(line, ' ');
	prt_u64(line, number);
}

static int write_once(int fd, const char *text, size_t len)
{
	ssize_t nr;
	do
		nr = write(fd, text, len);
	while (nr < 0 && errno == EINTR);
	return nr < 0 ? -errno : nr != (ssize_t)len ? -ENOSPC : 0;
}

static void end_line(struct printbuf *line, size_t start)
{
	prt_printf(line, " %08x\n", checksum_of(printbuf_str(line) + start, line->pos - start));
}

/* One write: a line is there whole or, after a kill, cut; never mixed with another. */
static int append(struct journal *journal, struct printbuf *line, struct printbuf *err)
{
	end_line(line, 0);
	if (printbuf_has_error(line))
		return error_set(err, -ENOMEM, "out of memory");
	if (journal->nr_bytes + line->pos > JOURNAL_MAX_BYTES)
		return error_set(err, -ENOSPC, "journal %s is full (%zu bytes)", journal->name,
				 JOURNAL_MAX_BYTES);
	int error = write_once(journal->fd, printbuf_str(line), line->pos);
	if (error)
		return error_file(err, error, journal->name, "write");
	journal->nr_bytes += line->pos;
	return 0;
}

static char *decode(char *word)
{
	char *to = word, *at = word;
	if (strcmp(word, "%") == 0) {
		*word = '\0';
		return word;
	}
	while (*at) {
		unsigned byte;
		if (*at != '%') {
			*to++ = *at++;
		} else if (sscanf(at + 1, "%2x", &byte) == 1 && byte && at[1] && at[2]) {
			*to++ = (char)byte;
			at += 3;
		} else {
			return NULL;
		}
	}
	*to = '\0';
	return word;
}

/* Cuts a line into words, its checksum taken off and compared. 0: damaged. */
static uint32_t split(char *line, size_t len, char *words[MAX_WORDS])
{
	uint32_t nr = 0;
	char *end;
	if (len < CHECKSUM_LEN + 2 || strlen(line) != len || line[len - CHECKSUM_LEN - 1] != ' ')
		return 0;
	size_t text_len = len - CHECKSUM_LEN - 1;
	if (strtoul(line + text_len + 1, &end, 16) != checksum_of(line, text_len) || *end)
		return 0;
	line[text_len] = '\0';
	for (char *save, *word = strtok_r(line, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		if (nr == MAX_WORDS || !decode(word))
			return 0;
		words[nr++] = word;
	}
	return nr;
}

static void change_fini(struct journal_change *change)
{
	free(change->kind);
	free(change->object);
	free(change->original);
	for (uint32_t i = 0; i < change->nr_values; i++)
		free(change->values[i]);
	free(change->values);
}

bool journal_value_is_known(const struct journal_change *change, const char *value)
{
	for (uint32_t i = change->nr_values; i-- > 0;) /* the latest is the likeliest */
		if (strcmp(change->values[i], value) == 0)
			return true;
	return false;
}

/* In the place of one that is undone, or behind the others. */
static int remember_change(struct journal *journal, uint32_t at, const char *kind,
			   const char *object, const char *original)
{
	struct journal_change change = { strdup(kind), strdup(object), strdup(original) };
	struct journal_change *changes = NULL;
	if (at == JOURNAL_MAX_CHANGES) {
		change_fini(&change);
		return -ENOSPC;
	}
	bool is_new = at == journal->nr_changes;
	if (change.kind && change.object && change.original)
		changes = realloc(journal->changes,
				  (journal->nr_changes + is_new) * sizeof(*changes));
	if (!changes) {
		change_fini(&change);
		return -ENOMEM;
	}
	if (!is_new)
		change_fini(&changes[at]);
	changes[at] = change;
	journal->changes = changes;
	journal->nr_changes += is_new;
	return 0;
}

/* The first that is undone; else the next. */
static uint32_t free_place(const struct journal *journal)
{
	uint32_t at = 0;
	while (at < journal->nr_changes && !journal->changes[at].is_undone)
		at++;
	return at;
}

static int remember_value(struct journal_change *change, const char *value)
{
	if (change->nr_values == JOURNAL_MAX_VALUES)
		return -ENOSPC;
	char **values = realloc(change->values, (change->nr_values + 1) * sizeof(*values));
	if (!values)
		return -ENOMEM;
	change->values = values;
	values[change->nr_values] = strdup(value);
	if (!values[change->nr_values])
		return -ENOMEM;
	change->nr_values++;
	return 0;
}

bool journal_parse_name(const char *name, struct journal_owner *ret)
{
	struct journal_owner owner = { .pid = 0 };
	char again[JOURNAL_NAME_SIZE];
	char *end;
	owner.pid = strtoull(name, &end, 10);
	if (*end != '-')
		return false;
	owner.start_ticks = strtoull(end + 1, &end, 10);
	snprintf(again, sizeof(again), "%llu-%llu" SUFFIX, (unsigned long long)owner.pid,
		 (unsigned long long)owner.start_ticks);
	if (strcmp(again, name) != 0)
		return false;
	*ret = owner;
	return true;
}

static void add_header(struct printbuf *line, const struct journal_owner *owner)
{
	add_word(line, "berth");
	add_number(line, VERSION);
	add_word(line, owner->boot);
	add_number(line, owner->pid);
	add_number(line, owner->start_ticks);
}

static void add_change(struct printbuf *line, uint32_t at, const char *kind, const char *object,
		       const char *original)
{
	add_word(line, "change");
	add_number(line, at + 1);
	add_word(line, kind);
	add_word(line, object);
	add_word(line, original);
}

static void add_value(struct printbuf *line, uint32_t at, const char *value)
{
	add_word(line, "may");
	add_number(line, at + 1);
	add_word(line, value);
}

static int create_file(int directory_fd, const char *name, int *ret_fd, struct printbuf *err)
{
	*ret_fd = openat(directory_fd, name,
			 O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	return *ret_fd < 0 ? error_file(err, -errno, name, "write") : 0;
}

int journal_create(int directory_fd, const struct journal_owner *owner, struct journal *ret,
		   struct printbuf *err)
{
	struct journal journal = { .directory_fd = directory_fd, .owner = *owner };
	PRINTBUF(line);
	snprintf(journal.name, sizeof(journal.name), "%llu-%llu" SUFFIX,
		 (unsigned long long)owner->pid, (unsigned long long)owner->start_ticks);
	int error = create_file(directory_fd, journal.name, &journal.fd, err);
	if (error)
		return error;
	add_header(&line, owner);
	error = append(&journal, &line, err);
	if (error)
		journal_fini(&journal);
	else
		*ret = journal;
	return error;
}

int journal_add_change(struct journal *journal, const char *kind, const char *object,
		       const char *original, uint32_t *ret_change, struct printbuf *err)
{
	PRINTBUF(line);
	uint32_t at = free_place(journal);
	int error = remember_change(journal, at, kind, object, original);
	if (error)
		return error_set(err, error, "journal %s: %s", journal->name, error_text(error));
	add_change(&line, at, kind, object, original);
	error = append(journal, &line, err);
	if (error)
		journal->changes[at].is_undone = true; /* nothing is to be done for it */
	else
		*ret_change = at;
	return error;
}

int journal_add_value(struct journal *journal, uint32_t change, const char *value,
		      struct printbuf *err)
{
	struct journal_change *of = &journal->changes[change];
	PRINTBUF(line);
	if (journal_value_is_known(of, value))
		return 0;
	int error = remember_value(of, value);
	if (error)
		return error_set(err, error, "journal %s: %s: %s", journal->name, of->object,
				 error_text(error));
	add_value(&line, change, value);
	error = append(journal, &line, err);
	if (error)
		free(of->values[--of->nr_values]);
	return error;
}

static void count_outcome(struct journal_counts *counts, enum journal_outcome outcome)
{
	uint32_t *const of[] = {
		[JOURNAL_RESTORED] = &counts->nr_restored,
		[JOURNAL_UNCHANGED] = &counts->nr_unchanged,
		[JOURNAL_GONE] = &counts->nr_gone,
		[JOURNAL_LEFT_ALONE] = &counts->nr_left_alone,
	};
	++*of[outcome];
}

/* What is undone is noted, so that a second undoing does not take a value for berth's own that
 * somebody has written after the first. */
static int undo_change(struct journal *journal, uint32_t number, const struct journal_ops *ops,
		       void *context, struct journal_counts *counts, struct printbuf *err)
{
	struct journal_change *change = &journal->changes[number];
	enum journal_outcome outcome = JOURNAL_UNCHANGED;
	PRINTBUF(line);
	if (change->is_undone)
		return 0;
	int error = ops->undo(context, change, &outcome, err);
	if (error) {
		counts->nr_failed++;
		return error;
	}
	change->is_undone = true;
	count_outcome(counts, outcome);
	add_word(&line, "undone");
	add_number(&line, number + 1);
	return append(journal, &line, err);
}

static int undo_all(struct journal *journal, const struct journal_ops *ops, void *context,
		    struct journal_counts *counts, struct printbuf *err)
{
	int first = 0;
	for (uint32_t i = journal->nr_changes; i-- > 0;) {
		int error = undo_change(journal, i, ops, context, counts, first ? NULL : err);
		if (error && !first)
			first = error;
	}
	return first;
}

int journal_undo(struct journal *journal, const struct journal_ops *ops, void *context,
		 struct printbuf *err)
{
	struct journal_counts counts = { 0 };
	return undo_all(journal, ops, context, &counts, err);
}

int journal_undo_change(struct journal *journal, uint32_t change, const struct journal_ops *ops,
			void *context, struct printbuf *err)
{
	struct journal_counts counts = { 0 };
	if (change >= journal->nr_changes)
		return -EINVAL;
	return undo_change(journal, change, ops, context, &counts, err);
}

static bool is_undone(const struct journal *journal)
{
	for (uint32_t i = 0; i < journal->nr_changes; i++)
		if (!journal->changes[i].is_undone)
			return false;
	return true;
}

static void free_changes(struct journal *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	for (uint32_t i = 0; i < journal->nr_changes; i++)
		change_fini(&journal->changes[i]);
	free(journal->changes);
	*journal = (struct journal){ .fd = -1 };
}

/* What is not undone, as it would be read. */
static void to_text(struct printbuf *out, const struct journal *journal)
{
	add_header(out, &journal->owner);
	end_line(out, 0);
	for (uint32_t i = 0; i < journal->nr_changes; i++) {
		const struct journal_change *change = &journal->changes[i];
		size_t start = out->pos;
		if (change->is_undone)
			continue;
		add_change(out, i, change->kind, change->object, change->original);
		end_line(out, start);
		for (uint32_t j = 0; j < change->nr_values; j++) {
			start = out->pos;
			add_value(out, i, change->values[j]);
			end_line(out, start);
		}
	}
}

static int replace_file(struct journal *journal, const struct printbuf *text, struct printbuf *err)
{
	char name[JOURNAL_NAME_SIZE + sizeof(NEW_SUFFIX)];
	int fd;
	snprintf(name, sizeof(name), "%s" NEW_SUFFIX, journal->name);
	unlinkat(journal->directory_fd, name, 0);
	int error = create_file(journal->directory_fd, name, &fd, err);
	if (error)
		return error;
	error = write_once(fd, printbuf_str(text), text->pos);
	if (!error && renameat(journal->directory_fd, name, journal->directory_fd, journal->name))
		error = -errno;
	if (error) {
		close(fd);
		unlinkat(journal->directory_fd, name, 0);
		return error_file(err, error, name, "write");
	}
	close(journal->fd);
	journal->fd = fd;
	journal->nr_bytes = text->pos;
	return 0;
}

int journal_compact(struct journal *journal, uint64_t min_bytes, struct printbuf *err)
{
	PRINTBUF(text);
	bool is_any_undone = free_place(journal) < journal->nr_changes;
	if (journal->nr_bytes < min_bytes || !is_any_undone)
		return 0;
	to_text(&text, journal);
	if (printbuf_has_error(&text))
		return error_set(err, -ENOMEM, "out of memory");
	return text.pos > journal->nr_bytes / 2 ? 0 : replace_file(journal, &text, err);
}

void journal_fini(struct journal *journal)
{
	if (journal->fd >= 0 && is_undone(journal))
		unlinkat(journal->directory_fd, journal->name, 0);
	free_changes(journal);
}

/* False: the line says nothing that fits what came before. */
static int take_record(struct journal *journal, char **words, uint32_t nr_words)
{
	uint64_t number;
	if (nr_words < 2 || parse_u64(words[1], &number) || number == 0)
		return -EBADMSG;
	if (nr_words == 5 && strcmp(words[0], "change") == 0) {
		/* Behind a damaged change, or one that was left out, numbers must not slip. */
		while (journal->nr_changes + 1 < number && number <= JOURNAL_MAX_CHANGES) {
			int error = remember_change(journal, journal->nr_changes, "", "", "");
			if (error)
				return error;
			journal->changes[journal->nr_changes - 1].is_undone = true;
		}
		return number <= journal->nr_changes + 1
			       ? remember_change(journal, (uint32_t)number - 1, words[2], words[3],
						 words[4])
			       : -EBADMSG;
	}
	if (number > journal->nr_changes)
		return -EBADMSG;
	struct journal_change *change = &journal->changes[number - 1];
	if (nr_words == 3 && strcmp(words[0], "may") == 0)
		return remember_value(change, words[2]);
	if (nr_words == 2 && strcmp(words[0], "undone") == 0) {
		change->is_undone = true;
		return 0;
	}
	return -EBADMSG;
}

static int take_header(struct journal_owner *owner, char **words, uint32_t nr_words)
{
	uint64_t version;
	if (nr_words != 5 || strcmp(words[0], "berth") != 0 || parse_u64(words[1], &version) ||
	    version != VERSION || strlen(words[2]) >= sizeof(owner->boot) ||
	    parse_u64(words[3], &owner->pid) || parse_u64(words[4], &owner->start_ticks))
		return -EBADMSG;
	snprintf(owner->boot, sizeof(owner->boot), "%s", words[2]);
	return 0;
}

static int parse_text(struct journal *journal, char *text, size_t len)
{
	bool is_first = true;
	char *end;
	for (char *line = text; (end = memchr(line, '\n', len - (size_t)(line - text)));
	     line = end + 1) {
		char *words[MAX_WORDS];
		*end = '\0';
		uint32_t nr_words = split(line, (size_t)(end - line), words);
		int error = is_first ? take_header(&journal->owner, words, nr_words)
				     : take_record(journal, words, nr_words);
		if (error == -ENOMEM || (error && is_first))
			return error;
		if (error)
			journal->nr_damaged++;
		is_first = false;
	}
	return is_first ? -EBADMSG : 0;
}

static int read_file(int fd, char **ret_text, size_t *ret_len)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EBADMSG;
	if ((uint64_t)status.st_size > JOURNAL_MAX_BYTES)
		return -EFBIG;
	size_t size = (size_t)status.st_size, len = 0;
	char *text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	while (len < size) {
		ssize_t nr = pread(fd, text + len, size - len, (off_t)len);
		if (nr == 0 || (nr < 0 && errno != EINTR))
			break;
		len += nr > 0 ? (size_t)nr : 0;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return 0;
}

int journal_load(int directory_fd, const char *name, struct journal *ret)
{
	struct journal journal = { .directory_fd = directory_fd };
	char *text = NULL;
	size_t len = 0;
	snprintf(journal.name, sizeof(journal.name), "%s", name);
	journal.fd = openat(directory_fd, name,
			    O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (journal.fd < 0 && (errno == EACCES || errno == EROFS))
		journal.fd = openat(directory_fd, name,
				    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (journal.fd < 0)
		return -errno;
	int error = read_file(journal.fd, &text, &len);
	journal.nr_bytes = len;
	if (!error) {
		journal.is_cut = len > 0 && text[len - 1] != '\n';
		error = parse_text(&journal, text, len);
	}
	free(text);
	if (error)
		free_changes(&journal);
	else
		*ret = journal;
	return error;
}

/* A line appended behind a part of one would be spoilt too. */
static int end_cut_line(struct journal *journal)
{
	if (!journal->is_cut)
		return 0;
	journal->is_cut = false;
	return write(journal->fd, "\n", 1) == 1 ? 0 : -errno;
}

static int recover_loaded(struct journal *journal, const char *boot, const struct journal_ops *ops,
			  void *context, struct journal_counts *counts, struct printbuf *err)
{
	counts->nr_damaged += journal->nr_damaged;
	if (strcmp(journal->owner.boot, boot) != 0) {
		counts->nr_other_boot++;
		unlinkat(journal->directory_fd, journal->name, 0);
		return 0;
	}
	int error = end_cut_line(journal);
	if (error)
		return error_file(err, error, journal->name, "write");
	error = undo_all(journal, ops, context, counts, err);
	counts->nr_journals += !error;
	return error;
}

/* What was read is what is there: its owner may have written more, or the file anew, in between. */
static bool is_current(const struct journal *journal)
{
	struct stat open, named;
	return fstat(journal->fd, &open) == 0 && (uint64_t)open.st_size == journal->nr_bytes &&
	       fstatat(journal->directory_fd, journal->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

/* Of one that was killed while it wrote its journal anew. */
static void remove_new(int directory_fd, const char *journal)
{
	char name[JOURNAL_NAME_SIZE + sizeof(NEW_SUFFIX)];
	snprintf(name, sizeof(name), "%.*s" NEW_SUFFIX, JOURNAL_NAME_SIZE, journal);
	unlinkat(directory_fd, name, 0);
}

/* A file without a whole first line belongs to a process that died before its first change. */
static int recover_once(int directory_fd, const char *name, const char *boot,
			const struct journal_ops *ops, void *context, struct journal_counts *counts,
			struct printbuf *err)
{
	struct journal journal;
	struct journal_owner owner;
	if (!journal_parse_name(name, &owner))
		return 0;
	snprintf(owner.boot, sizeof(owner.boot), "%s", boot);
	int error = journal_load(directory_fd, name, &journal);
	bool is_of_boot = error || strcmp(journal.owner.boot, boot) == 0;
	if (is_of_boot && ops->is_alive(context, &owner)) {
		counts->nr_alive++;
		if (!error)
			free_changes(&journal);
		return 0;
	}
	if (error == -ENOENT)
		return 0; /* its owner has just ended */
	if (error == -EBADMSG) {
		counts->nr_journals++;
		return unlinkat(directory_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
	}
	if (error)
		return error_file(err, error, name, "read");
	if (flock(journal.fd, LOCK_EX | LOCK_NB) < 0) {
		free_changes(&journal); /* somebody else is at it */
		return 0;
	}
	if (!is_current(&journal)) {
		free_changes(&journal);
		return -EAGAIN;
	}
	remove_new(directory_fd, name);
	error = recover_loaded(&journal, boot, ops, context, counts, err);
	journal_fini(&journal);
	return error;
}

static int recover_one(int directory_fd, const char *name, const char *boot,
		       const struct journal_ops *ops, void *context, struct journal_counts *counts,
		       struct printbuf *err)
{
	int error = -EAGAIN;
	for (int i = 0; i < RECOVER_TRIES && error == -EAGAIN; i++)
		error = recover_once(directory_fd, name, boot, ops, context, counts, err);
	return error;
}

int journal_recover(int directory_fd, const char *boot, const struct journal_ops *ops,
		    void *context, struct journal_counts *ret_counts, struct printbuf *err)
{
	struct journal_counts counts = { 0 };
	struct dirent *entry;
	int first = 0, fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		first = -errno;
		if (fd >= 0)
			close(fd);
		return error_set(err, first, "the directory of journals: %s", error_text(first));
	}
	while ((entry = readdir(directory))) {
		int error = recover_one(directory_fd, entry->d_name, boot, ops, context, &counts,
					first ? NULL : err);
		if (error && !first)
			first = error;
	}
	closedir(directory);
	*ret_counts = counts;
	return first;
}
