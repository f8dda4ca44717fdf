/* SPDX-License-Identifier: MIT */
/* Patterns against names that others choose: a first line is the pattern, a second the name of a
 * command, the rest lines of /proc/PID/cgroup. No input takes long or reads beyond its end. */
#include <stdlib.h>
#include <string.h>

#include "linux/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static char *cut_line(char **rest)
{
	char *line = *rest, *newline = strchr(line, '\n');
	*rest = newline ? newline + 1 : line + strlen(line);
	if (newline)
		*newline = '\0';
	return line;
}

/* What has no letter that means something matches itself and nothing longer. */
static void check_itself(const char *pattern)
{
	size_t len = strlen(pattern);
	if (strpbrk(pattern, "*?["))
		return;
	demand(match_pattern(pattern, pattern, len));
	demand(len == 0 || !match_pattern(pattern, pattern, len - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text;
	struct match_process process = { .pid = 2 };
	demand(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	char *pattern = cut_line(&rest);
	process.command = cut_line(&rest);
	process.cgroups = rest;
	check_itself(pattern);
	demand(match_pattern("*", process.command, strcspn(process.command, "/")));
	struct config_match match = { .pattern = pattern };
	for (int kind = CONFIG_MATCH_CGROUP; kind <= CONFIG_MATCH_PID; kind++) {
		match.kind = (enum config_match_kind)kind;
		bool takes = match_takes(&match, &process);
		process.is_kernels = true;
		demand(!match_takes(&match, &process));
		process.is_kernels = false;
		demand(kind != CONFIG_MATCH_COMMAND ||
		       takes == (match_pattern(pattern, "", 0) ||
				 match_pattern(pattern, process.command, strlen(process.command))));
	}
	free(text);
	return 0;
}
