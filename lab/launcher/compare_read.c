/* SPDX-License-Identifier: MIT */
/*
 * Reads what a program printed: its result, whether it placed its memory, its intervals.
 *
 *     interval 3 ops 1234944 mops 1.2349 ns 1000034112
 *     placed: 25600 of 25600 hot pages on node 0, 98312 of 153600 others; 51200 moved in 0.81 s
 *     also: run 16.4 s lower
 *     result: throughput 3.6500 Mop/s higher
 *
 * Lines are other people's text: too long ones are cut, what is not one of the above is passed
 * over. Time is linear, memory bounded by COMPARE_SERIES_MAX intervals.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "lab/launcher/compare.h"

#define LINE_MAX_BYTES 512
#define WORDS_MAX      8

struct words {
	char *items[WORDS_MAX];
	size_t nr;
};

/* Splits at blanks, in place. */
static struct words split(char *line)
{
	struct words words = { .nr = 0 };
	char *rest = NULL;
	for (char *word = strtok_r(line, " \t\r", &rest); word && words.nr < WORDS_MAX;
	     word = strtok_r(NULL, " \t\r", &rest))
		words.items[words.nr++] = word;
	return words;
}

static bool starts_with(const char *line, const char *beginning)
{
	return strncmp(line, beginning, strlen(beginning)) == 0;
}

static bool is_word(const char *text)
{
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return false;
	return len > 0 && len < COMPARE_WORD_MAX;
}

/* "result: METRIC VALUE UNIT higher|lower" */
static void read_result(struct compare_printed *printed, const struct words *words,
			const char *wish)
{
	double value = 0;
	if (words->nr != 5 || !is_word(words->items[1]) || !is_word(words->items[3]))
		return;
	bool is_higher = strcmp(words->items[4], "higher") == 0;
	if (!is_higher && strcmp(words->items[4], "lower") != 0)
		return;
	if (parse_double(words->items[2], &value) < 0 || value < 0)
		return;
	if (wish ? strcmp(wish, words->items[1]) != 0 : strcmp(words->items[0], "result:") != 0)
		return;
	struct compare_metric metric = { .is_higher_better = is_higher };
	memcpy(metric.name, words->items[1], strlen(words->items[1]));
	memcpy(metric.unit, words->items[3], strlen(words->items[3]));
	printed->metric = metric;
	printed->value = value;
	printed->has_value = true;
}

/* "interval N ops N mops RATE ns NS": the rate, and when it ended. */
static void read_interval(struct compare_printed *printed, const struct words *words)
{
	double rate = 0;
	uint64_t ns = 0;
	if (words->nr != 8 || strcmp(words->items[4], "mops") != 0 ||
	    parse_double(words->items[5], &rate) < 0 || parse_u64(words->items[7], &ns) < 0 ||
	    rate < 0 || printed->nr_series == COMPARE_SERIES_MAX)
		return;
	size_t nr = printed->nr_series;
	if ((nr & (nr - 1)) == 0) {
		size_t room = nr ? nr * 2 : 1;
		struct compare_interval *series = realloc(printed->series, room * sizeof(*series));
		if (!series)
			return;
		printed->series = series;
	}
	uint64_t before = nr ? printed->series[nr - 1].end_ns : 0;
	if (ns > UINT64_MAX - before)
		return;
	printed->series[nr] = (struct compare_interval){ .rate = rate, .end_ns = before + ns };
	printed->nr_series++;
}

void compare_read_line(struct compare_printed *printed, const char *line, const char *wish)
{
	char copy[LINE_MAX_BYTES];
	size_t len = MIN(strlen(line), sizeof(copy) - 1);
	memcpy(copy, line, len);
	copy[len] = '\0';
	if (len > 0) {
		struct printbuf last;
		printbuf_init_fixed(&last, printed->last, sizeof(printed->last), 0);
		prt_safe(&last, copy, len);
	}
	if (starts_with(copy, "placed:"))
		printed->was_placed = true;
	bool is_result = starts_with(copy, "result: ") || starts_with(copy, "also: ");
	bool is_interval = starts_with(copy, "interval ");
	if (!is_result && !is_interval)
		return;
	struct words words = split(copy);
	if (is_result)
		read_result(printed, &words, wish);
	else
		read_interval(printed, &words);
}

/* The rest of a line that is too long is passed over. */
int compare_read_file(struct compare_printed *printed, int fd, const char *wish)
{
	char line[LINE_MAX_BYTES];
	size_t nr_line = 0;
	bool is_cut = false;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	for (;;) {
		char block[16384];
		ssize_t nr = read(fd, block, sizeof(block));
		if (nr < 0 && errno == EINTR)
			continue;
		if (nr < 0)
			return -errno;
		for (ssize_t i = 0; i < nr; i++) {
			if (block[i] != '\n') {
				is_cut |= nr_line == sizeof(line) - 1;
				if (!is_cut && block[i])
					line[nr_line++] = block[i];
				continue;
			}
			line[nr_line] = '\0';
			compare_read_line(printed, line, wish);
			nr_line = 0;
			is_cut = false;
		}
		if (nr > 0)
			continue;
		line[nr_line] = '\0';
		compare_read_line(printed, line, wish);
		return 0;
	}
}

void compare_printed_fini(struct compare_printed *printed)
{
	free(printed->series);
	*printed = (struct compare_printed){ 0 };
}
