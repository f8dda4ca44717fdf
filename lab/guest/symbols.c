/* SPDX-License-Identifier: MIT */
/*
 * Where functions of this kernel are: reads /proc/kallsyms (170,000 lines and more) by pieces, with
 * a line that a piece cuts moved to the front of the next.
 *
 *     ffffffff8111bb60 t task_numa_work
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/guest/agent.h"
#include "lab/marker.h"
#include "lab/symbols.h"

#define NAME_AT 19 /* 16 digits, a space, the type, a space */

static const char *const names[LAB_NR_SYMBOLS][LAB_SYMBOL_NR_NAMES] = LAB_SYMBOL_NAMES;

struct found {
	uint64_t addresses[LAB_NR_SYMBOLS];
	unsigned ranks[LAB_NR_SYMBOLS]; /* of the name found; the first counts most */
};

/* `line` ends in NUL. */
static void take_line(struct found *found, const char *line)
{
	if (strlen(line) <= NAME_AT)
		return;
	for (unsigned i = 0; i < LAB_NR_SYMBOLS; i++)
		for (unsigned rank = 0; rank < LAB_SYMBOL_NR_NAMES; rank++) {
			bool is_better = !found->addresses[i] || rank < found->ranks[i];
			if (!names[i][rank] || !is_better ||
			    strcmp(line + NAME_AT, names[i][rank]) != 0)
				continue;
			found->addresses[i] = strtoull(line, NULL, 16);
			found->ranks[i] = rank;
		}
}

/* Whole lines of it; returns how many bytes those are. */
static size_t take_lines(struct found *found, char *text, size_t length)
{
	size_t at = 0;
	char *end;
	while ((end = memchr(text + at, '\n', length - at))) {
		*end = '\0';
		take_line(found, text + at);
		at = (size_t)(end - text) + 1;
	}
	return at;
}

static void say(uint64_t address)
{
	for (int half = 0; half < 2; half++, address >>= LAB_MARK_BITS) {
		lab_mark_number((unsigned)(address & 0xffff));
		lab_mark(LAB_MARK_SYMBOL);
	}
}

void symbols_say(void)
{
	static char text[1 << 16];
	struct found found = { 0 };
	size_t length = 0;
	ssize_t nr;
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (nr = read(fd, text + length, sizeof(text) - length)) > 0) {
		length += (size_t)nr;
		size_t taken = take_lines(&found, text, length);
		length = taken ? length - taken : 0; /* 0: no line is as long as that */
		memmove(text, text + taken, length);
	}
	if (fd >= 0)
		close(fd);
	for (unsigned i = 0; i < LAB_NR_SYMBOLS; i++)
		say(found.addresses[i]);
}
