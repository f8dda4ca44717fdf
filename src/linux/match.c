/* SPDX-License-Identifier: MIT */
/* Processes and the jobs that take them (match.h). */
#include "linux/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE      64
#define FIELD_OF_STATE 3 /* of /proc/PID/stat, behind the name */
#define FIELD_OF_FLAGS 9
#define FIELD_OF_START 22
#define FLAG_OF_KERNEL 0x00200000 /* PF_KTHREAD */
#define PID_DIGITS     10

/* The set that begins at pattern[0] == '['. False: it does not end, and '[' is itself. */
static bool take_set(const char *pattern, char c, size_t *ret_len, bool *ret_is_in)
{
	bool is_negated = pattern[1] == '!' || pattern[1] == '^', is_in = false;
	size_t at = is_negated ? 2 : 1, first = at;
	for (; pattern[at] && (pattern[at] != ']' || at == first); at++) {
		unsigned char low = (unsigned char)pattern[at], high = low;
		if (pattern[at + 1] == '-' && pattern[at + 2] && pattern[at + 2] != ']') {
			high = (unsigned char)pattern[at + 2];
			at += 2;
		}
		is_in |= (unsigned char)c >= low && (unsigned char)c <= high;
	}
	if (!pattern[at])
		return false;
	*ret_len = at + 1;
	*ret_is_in = is_in != is_negated && c != '/';
	return true;
}

/* Does one step of the pattern take this character? */
static bool take_one(const char *pattern, char c, size_t *ret_len)
{
	bool is_in = false;
	*ret_len = 1;
	if (*pattern == '?')
		return c != '/';
	if (*pattern == '[' && take_set(pattern, c, ret_len, &is_in))
		return is_in;
	return *pattern == c;
}

/* One place to go back to is enough: what an earlier star could take more, the last one can, too,
 * as neither goes beyond a slash. */
bool match_pattern(const char *pattern, const char *text, size_t nr_bytes)
{
	const char *end = text + nr_bytes, *star = NULL, *star_text = NULL;
	while (text < end) {
		size_t len = 0;
		if (*pattern == '*') {
			star = ++pattern;
			star_text = text;
		} else if (*pattern && take_one(pattern, *text, &len)) {
			pattern += len;
			text++;
		} else if (star && *star_text != '/') {
			pattern = star;
			text = ++star_text;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* The path of a line "4:memory:/a/b", or "0::/a/b". */
static const char *path_of_line(const char *line, size_t len, size_t *ret_len)
{
	const char *colon = memchr(line, ':', len);
	colon = colon ? memchr(colon + 1, ':', len - (size_t)(colon + 1 - line)) : NULL;
	if (!colon)
		return NULL;
	*ret_len = len - (size_t)(colon + 1 - line);
	return colon + 1;
}

/* The group itself, or one that it is in. */
static bool path_takes(const char *pattern, const char *path, size_t len)
{
	for (size_t at = 1; at <= len; at++)
		if ((at == len || path[at] == '/') && match_pattern(pattern, path, at))
			return true;
	return false;
}

static bool path_has_unit(const char *pattern, const char *path, size_t len)
{
	for (size_t begin = 0, at = 0; at <= len; at++) {
		if (at < len && path[at] != '/')
			continue;
		if (at > begin && match_pattern(pattern, path + begin, at - begin))
			return true;
		begin = at + 1;
	}
	return false;
}

static bool any_cgroup(const char *cgroups, const char *pattern,
		       bool (*takes)(const char *pattern, const char *path, size_t len))
{
	for (const char *line = cgroups; line && *line;) {
		size_t len = strcspn(line, "\n"), path_len = 0;
		const char *path = path_of_line(line, len, &path_len);
		if (path && takes(pattern, path, path_len))
			return true;
		line += len + (line[len] != '\0');
	}
	return false;
}

bool match_takes(const struct config_match *match, const struct match_process *process)
{
	if (process->is_kernels || process->has_ended)
		return false;
	switch (match->kind) {
	case CONFIG_MATCH_CGROUP:
		return any_cgroup(process->cgroups, match->pattern, path_takes);
	case CONFIG_MATCH_UNIT:
		return any_cgroup(process->cgroups, match->pattern, path_has_unit);
	case CONFIG_MATCH_COMMAND:
		return match_pattern(match->pattern, process->comm, strlen(process->comm)) ||
		       (process->command &&
			match_pattern(match->pattern, process->command, strlen(process->command)));
	default:
		return match->pid == (uint64_t)process->pid;
	}
}

int64_t match_job(const struct config *config, const struct match_process *process,
		  size_t *ret_match)
{
	for (size_t i = 0; i < config->nr_jobs; i++)
		for (size_t k = 0; k < config->jobs[i].matches.nr; k++)
			if (match_takes(&config->jobs[i].matches.items[k], process)) {
				if (ret_match)
					*ret_match = k;
				return (int64_t)i;
			}
	return -1;
}

struct match_needs match_needs(const struct config *config)
{
	struct match_needs needs = { false, false };
	for (size_t i = 0; i < config->nr_jobs; i++)
		for (size_t k = 0; k < config->jobs[i].matches.nr; k++) {
			enum config_match_kind kind = config->jobs[i].matches.items[k].kind;
			needs.cgroup |= kind == CONFIG_MATCH_CGROUP || kind == CONFIG_MATCH_UNIT;
			needs.command |= kind == CONFIG_MATCH_COMMAND;
		}
	return needs;
}

static int read_of(const struct root *root, pid_t pid, const char *name, char **ret)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof(path), "proc/%d/%s", pid, name);
	int error = root_read(root, path, ret);
	return error == -ENOENT ? -ESRCH : error;
}

/* The name stands in brackets and may hold anything, brackets too. */
static bool parse_stat(const char *text, struct match_process *process)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return false;
	size_t len = MIN((size_t)(close - open - 1), sizeof(process->comm) - 1);
	memcpy(process->comm, open + 1, len);
	process->comm[len] = '\0';
	process->has_ended = strchr("ZXx", close[2]) != NULL;
	const char *at = close + 1;
	for (int field = FIELD_OF_STATE; field < FIELD_OF_START; field++) {
		at = strchr(at + 1, ' ');
		if (!at)
			return false;
		if (field + 1 == FIELD_OF_FLAGS)
			process->is_kernels = strtoull(at + 1, NULL, 10) & FLAG_OF_KERNEL;
	}
	process->start_ticks = strtoull(at + 1, NULL, 10);
	return true;
}

static int read_stat(const struct root *root, pid_t pid, struct match_process *process)
{
	char *text = NULL;
	int error = read_of(root, pid, "stat", &text);
	if (!error && !parse_stat(text, process))
		error = -EBADMSG;
	free(text);
	return error;
}

/* Words of cmdline end in NUL; some programs write one line with blanks there instead. */
static int read_command(const struct root *root, pid_t pid, char **ret)
{
	char *text = NULL;
	int error = read_of(root, pid, "cmdline", &text);
	if (error)
		return error == -ESRCH ? error : 0; /* not ours to look at: only its name */
	text[strcspn(text, " ")] = '\0';
	const char *slash = strrchr(text, '/');
	const char *name = slash ? slash + 1 : text;
	*ret = *name ? strdup(name) : NULL;
	error = *name && !*ret ? -ENOMEM : 0;
	free(text);
	return error;
}

int match_process_read(const struct root *root, pid_t pid, struct match_needs needs,
		       struct match_process *ret)
{
	struct match_process process = { .pid = pid }, after = { .pid = pid };
	int error = read_stat(root, pid, &process);
	bool is_nobodys = process.is_kernels || process.has_ended;
	if (!error && needs.cgroup && !is_nobodys)
		error = read_of(root, pid, "cgroup", &process.cgroups);
	if (!error && needs.command && !is_nobodys)
		error = read_command(root, pid, &process.command);
	if (!error && (process.cgroups || process.command))
		error = read_stat(root, pid, &after);
	if (!error && (process.cgroups || process.command) &&
	    after.start_ticks != process.start_ticks)
		error = -ESRCH;
	if (error)
		match_process_fini(&process);
	else
		*ret = process;
	return error;
}

void match_process_fini(struct match_process *process)
{
	free(process->command);
	free(process->cgroups);
	process->command = process->cgroups = NULL;
}

static pid_t pid_of_name(const char *name)
{
	size_t nr = strspn(name, "0123456789");
	if (name[nr] || nr == 0 || nr > PID_DIGITS)
		return 0;
	long long pid = atoll(name);
	return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* Takes over the process. */
static int add_found(struct match_list *list, const struct match_found *found)
{
	if (list->nr >= MATCH_MAX_PROCESSES)
		return -EOVERFLOW;
	if ((list->nr & (list->nr - 1)) == 0) {
		size_t size = MAX(list->nr * 2, 1) * sizeof(*list->items);
		struct match_found *items = realloc(list->items, size);
		if (!items)
			return -ENOMEM;
		list->items = items;
	}
	list->items[list->nr++] = *found;
	return 0;
}

static int look_at(const struct root *root, const struct config *config, struct match_needs needs,
		   pid_t pid, struct match_list *list)
{
	struct match_found found = { .match = 0 };
	int error = match_process_read(root, pid, needs, &found.process);
	if (error)
		return error == -ENOMEM ? error : 0; /* it ended, or is not ours to look at */
	int64_t job = match_job(config, &found.process, &found.match);
	found.job = (size_t)job;
	error = job >= 0 ? add_found(list, &found) : 0;
	if (job < 0 || error)
		match_process_fini(&found.process);
	return error;
}

int match_all(const struct root *root, const struct config *config, struct match_list *ret)
{
	struct match_list list = { 0 };
	struct root_names names = { 0 };
	struct match_needs needs = match_needs(config);
	int error = root_list(root, "proc", &names);
	for (size_t i = 0; i < names.nr && !error; i++) {
		pid_t pid = pid_of_name(names.items[i]);
		if (pid > 0)
			error = look_at(root, config, needs, pid, &list);
	}
	root_names_fini(&names);
	if (error)
		match_list_fini(&list);
	else
		*ret = list;
	return error;
}

void match_list_fini(struct match_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		match_process_fini(&list->items[i].process);
	free(list->items);
	*list = (struct match_list){ 0 };
}
