/* SPDX-License-Identifier: MIT */
/*
 * Options, memory, phases and result lines of the workloads (work.h). Standard output is flushed
 * at every line, so that a run that is cut short has said all it measured.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lab/marker.h"
#include "lab/workloads/common/work.h"

#define HUGE_PAGE_BYTES (2ULL << 20)

struct suffix {
	const char *word;
	double factor;
};

static const struct suffix sizes[] = {
	{ "", 1 },	     { "B", 1 },
	{ "K", 1 << 10 },    { "KiB", 1 << 10 },
	{ "M", 1 << 20 },    { "MiB", 1 << 20 },
	{ "G", 1ULL << 30 }, { "GiB", 1ULL << 30 },
	{ "T", 1ULL << 40 }, { "TiB", 1ULL << 40 },
	{ NULL, 0 },
};
static const struct suffix times[] = {
	{ "", 1e9 }, { "s", 1e9 },    { "ms", 1e6 }, { "us", 1e3 },
	{ "ns", 1 }, { "min", 6e10 }, { NULL, 0 },
};
static const struct suffix counts[] = {
	{ "", 1 }, { "k", 1e3 }, { "K", 1e3 }, { "M", 1e6 }, { "G", 1e9 }, { NULL, 0 },
};
static const struct suffix shares[] = { { "", 1 }, { "%", 0.01 }, { NULL, 0 } };

static const char *program = "workload";

/* A decimal number and one of the suffixes. */
static int parse_number(const char *text, const struct suffix *suffixes, double *ret,
			const char **ret_word)
{
	char *end;
	double number;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	number = strtod(text, &end);
	/* No exponents and no hexadecimal: a suffix follows the digits. */
	if (end != text + strspn(text, "0123456789."))
		return -EINVAL;
	for (; suffixes->word; suffixes++) {
		if (strcmp(end, suffixes->word) == 0) {
			if (number * suffixes->factor > 0x1p62)
				return -EINVAL;
			*ret = number * suffixes->factor;
			*ret_word = suffixes->word;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_period(const char *text, struct work_period *ret)
{
	const char *word;
	double number;

	if (parse_number(text, counts, &number, &word) == 0) {
		*ret = (struct work_period){ .count = (uint64_t)number };
		return 0;
	}
	if (parse_number(text, times, &number, &word) != 0)
		return -EINVAL;
	*ret = (struct work_period){ .time_ns = (uint64_t)number };
	return 0;
}

int work_parse(enum work_kind kind, const char *text, void *ret)
{
	static const struct suffix *const by_kind[] = {
		[WORK_SIZE] = sizes,   [WORK_TIME] = times,    [WORK_COUNT] = counts,
		[WORK_SHARE] = shares, [WORK_NUMBER] = counts,
	};
	const char *word;
	double number;

	if (kind == WORK_TIME_OR_COUNT)
		return parse_period(text, ret);
	if (kind == WORK_TEXT) {
		*(const char **)ret = text;
		return 0;
	}
	if (parse_number(text, by_kind[kind], &number, &word) != 0)
		return -EINVAL;
	if (kind == WORK_SHARE && number > 1)
		return -EINVAL;
	if (kind == WORK_SHARE || kind == WORK_NUMBER)
		*(double *)ret = number;
	else
		*(uint64_t *)ret = (uint64_t)round(number);
	return 0;
}

static const char *const kind_words[] = {
	[WORK_SIZE] = "a size such as 16MiB",
	[WORK_TIME] = "a time such as 300ms or 0.3 (seconds)",
	[WORK_COUNT] = "a count such as 60000 or 60M",
	[WORK_SHARE] = "a share such as 90% or 0.9",
	[WORK_NUMBER] = "a number such as 0.99",
	[WORK_TIME_OR_COUNT] = "a time such as 10s or a count of operations such as 20M",
	[WORK_TEXT] = "a word",
};
static const char *const kind_names[] = {
	[WORK_SIZE] = "SIZE",	[WORK_TIME] = "TIME",	  [WORK_COUNT] = "COUNT",
	[WORK_SHARE] = "SHARE", [WORK_NUMBER] = "NUMBER", [WORK_TIME_OR_COUNT] = "TIME|COUNT",
	[WORK_TEXT] = "WORD",
};

static void print_default(const struct work_option *option)
{
	const struct work_period *period = option->value;
	uint64_t number = 0;

	if (option->kind == WORK_TEXT) {
		printf(" [%s]", *(const char **)option->value);
		return;
	}
	if (option->kind == WORK_SHARE || option->kind == WORK_NUMBER) {
		printf(" [%g]", *(double *)option->value);
		return;
	}
	if (option->kind == WORK_TIME_OR_COUNT)
		number = period->count ? period->count : period->time_ns;
	else
		number = *(uint64_t *)option->value;
	if (number == 0)
		return;
	if (option->kind == WORK_SIZE)
		printf(number >> 20 ? " [%lluMiB]" : " [%lluB]",
		       (unsigned long long)(number >> 20 ? number >> 20 : number));
	else if (option->kind == WORK_TIME ||
		 (option->kind == WORK_TIME_OR_COUNT && !period->count))
		printf(" [%gs]", (double)number / 1e9);
	else
		printf(" [%llu]", (unsigned long long)number);
}

static __attribute__((noreturn)) void print_help(const char *summary,
						 const struct work_option *options)
{
	printf("usage: %s [options]\n%s\n\n", program, summary);
	for (; options->name; options++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s %s", options->name, kind_names[options->kind]);
		printf("  %-26s %s", left, options->help);
		print_default(options);
		putchar('\n');
	}
	exit(0);
}

static double value_of(const struct work_option *option)
{
	if (option->kind == WORK_SHARE || option->kind == WORK_NUMBER)
		return *(double *)option->value;
	return (double)*(uint64_t *)option->value;
}

static void read_option(const struct work_option *option, const char *text)
{
	if (!text)
		work_fail(2, "--%s needs %s", option->name, kind_words[option->kind]);
	if (work_parse(option->kind, text, option->value) != 0)
		work_fail(2, "--%s %s: not %s", option->name, text, kind_words[option->kind]);
	if (option->kind == WORK_TIME_OR_COUNT || option->kind == WORK_TEXT)
		return;
	if (value_of(option) < option->min)
		work_fail(2, "--%s %s: too little; %.15g is the least", option->name, text,
			  option->min);
	if (option->max > 0 && value_of(option) > option->max)
		work_fail(2, "--%s %s: too much; %.15g is the most", option->name, text,
			  option->max);
}

void work_begin(const char *name, const char *summary, const struct work_option *options, int argc,
		char **argv)
{
	program = name;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		const struct work_option *option = options;
		const char *word = argv[i];
		size_t length;

		if (strcmp(word, "--help") == 0)
			print_help(summary, options);
		if (strncmp(word, "--", 2) != 0)
			work_fail(2, "%s: not an option; %s --help lists them", word, program);
		length = strcspn(word += 2, "=");
		while (option->name &&
		       (strlen(option->name) != length || strncmp(option->name, word, length) != 0))
			option++;
		if (!option->name)
			work_fail(2, "--%s: no such option; %s --help lists them", word, program);
		if (word[length] == '=')
			read_option(option, word + length + 1);
		else
			read_option(option, argv[i + 1] ? argv[++i] : NULL);
	}
}

static void say_on_stderr(const char *format, va_list arguments)
{
	fflush(stdout);
	fprintf(stderr, "%s: ", program);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

void work_fail(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_on_stderr(format, arguments);
	va_end(arguments);
	exit(status);
}

void work_check(bool is_right, const char *format, ...)
{
	va_list arguments;

	if (is_right)
		return;
	va_start(arguments, format);
	say_on_stderr(format, arguments);
	va_end(arguments);
	exit(1);
}

/* Said twice: the marker of a thread that is moved to another CPU in the middle is lost. */
void work_phase(enum work_phase phase)
{
	lab_phase((unsigned)phase);
	lab_phase((unsigned)phase);
}

uint64_t work_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void *work_memory(uint64_t bytes)
{
	uint64_t whole = bytes + HUGE_PAGE_BYTES;
	char *start = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		work_fail(1, "no room for %llu MiB: %s; ask for less memory",
			  (unsigned long long)(bytes >> 20), strerror(errno));
	return (char *)(((uintptr_t)start + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1));
}

void *work_memory_touched(uint64_t bytes)
{
	volatile char *memory = work_memory(bytes);
	uint64_t step = (uint64_t)sysconf(_SC_PAGESIZE);

	for (uint64_t at = 0; at < bytes; at += step)
		memory[at] = 0;
	return (void *)(uintptr_t)memory;
}

static void print_result(const char *label, const char *metric, double value, const char *unit,
			 bool is_higher_better)
{
	double size = fabs(value);
	int digits = size >= 1000 ? 1 : size >= 1 ? 4 : 6;

	printf("%s: %s %.*f %s %s\n", label, metric, digits, value, unit,
	       is_higher_better ? "higher" : "lower");
}

void work_result(const char *metric, double value, const char *unit, bool is_higher_better)
{
	print_result("result", metric, value, unit, is_higher_better);
}

void work_also(const char *metric, double value, const char *unit, bool is_higher_better)
{
	print_result("also", metric, value, unit, is_higher_better);
}

void work_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}
