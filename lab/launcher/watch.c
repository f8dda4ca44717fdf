/* SPDX-License-Identifier: MIT */
/* Reads the guest's console: see watch.h. Cost: one pass over the bytes, some compares a line. */
#include <string.h>

#include "lab/launcher/watch.h"

struct pattern {
	enum lab_sign sign;
	bool is_anywhere; /* in the line, not only at its start */
	const char *text;
};

/* The first that matches names the line: stalls before oopses, as both begin with "BUG: ". */
static const struct pattern patterns[] = {
	{ LAB_SIGN_PANIC, false, "Kernel panic - not syncing" },
	{ LAB_SIGN_STALL, true, "BUG: soft lockup" },
	{ LAB_SIGN_STALL, true, "BUG: workqueue lockup" },
	{ LAB_SIGN_STALL, true, "detected hard LOCKUP" },
	{ LAB_SIGN_STALL, true, "self-detected stall" },
	{ LAB_SIGN_STALL, true, "detected stalls on CPUs" },
	{ LAB_SIGN_STALL, true, "blocked for more than" },
	{ LAB_SIGN_OOM, true, "ut of memory: Killed process" },
	{ LAB_SIGN_OOPS, false, "BUG: " },
	{ LAB_SIGN_OOPS, false, "Oops: " },
	{ LAB_SIGN_OOPS, false, "kernel BUG at " },
	{ LAB_SIGN_OOPS, false, "general protection fault" },
	{ LAB_SIGN_OOPS, false, "PANIC: double fault" },
};

/* Behind "<3>", "[    1.234567]" and "[    T1]", as far as they are there. */
static const char *behind_stamp(const char *line)
{
	if (*line == '<' && line[strspn(line + 1, "0123456789") + 1] == '>')
		line = strchr(line, '>') + 1;
	for (int nr = 0; nr < 2 && *line == '['; nr++) {
		size_t length = strspn(line + 1, " .0123456789TC");
		if (line[length + 1] != ']')
			break;
		line += length + 2;
		line += strspn(line, " ");
	}
	return line;
}

static void note_line(struct lab_watch *watch)
{
	watch->line[watch->length] = '\0';
	const char *line = behind_stamp(watch->line);
	if (*line == '\0')
		return;
	watch->nr_lines++;
	memcpy(watch->last, line, strlen(line) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		const struct pattern *pattern = &patterns[i];
		if (pattern->is_anywhere ? !strstr(line, pattern->text)
					 : strncmp(line, pattern->text, strlen(pattern->text)) != 0)
			continue;
		watch->nr_stalls += pattern->sign == LAB_SIGN_STALL;
		if (!watch->signs[pattern->sign][0])
			memcpy(watch->signs[pattern->sign], line, strlen(line) + 1);
		return;
	}
}

void lab_watch_feed(struct lab_watch *watch, const void *bytes, size_t nr_bytes)
{
	const char *at = bytes;
	watch->nr_bytes += nr_bytes;
	for (size_t i = 0; i < nr_bytes; i++) {
		if (at[i] == '\n') {
			note_line(watch);
			watch->length = 0;
		} else if (watch->length < LAB_WATCH_LINE - 1 && at[i] != '\r') {
			bool is_plain = at[i] >= ' ' && at[i] <= '~';
			watch->line[watch->length++] = is_plain ? at[i] : '?';
		}
	}
}

void lab_watch_end(struct lab_watch *watch)
{
	if (watch->length)
		note_line(watch);
	watch->length = 0;
}

void lab_watch_clear_stall(struct lab_watch *watch)
{
	watch->signs[LAB_SIGN_STALL][0] = '\0';
}

const char *lab_watch_sign(const struct lab_watch *watch, enum lab_sign sign)
{
	return watch->signs[sign][0] ? watch->signs[sign] : NULL;
}

const char *lab_watch_death(const struct lab_watch *watch)
{
	const char *oops = lab_watch_sign(watch, LAB_SIGN_OOPS);
	return oops ? oops : lab_watch_sign(watch, LAB_SIGN_PANIC);
}

/* exc_int3() in arch/x86/kernel/traps.c: die("int3", ...). Any other oops before it is the cause.
 */
bool lab_watch_is_breakpoint(const struct lab_watch *watch)
{
	const char *oops = lab_watch_sign(watch, LAB_SIGN_OOPS);
	return oops && strncmp(oops, "Oops: int3", strlen("Oops: int3")) == 0;
}
