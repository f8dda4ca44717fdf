/* SPDX-License-Identifier: MIT */
/* The option table: every kind of option, every way to write it, every refusal and its sentence. */
#include "test.h"

#include <fcntl.h>
#include <unistd.h>

#undef fail /* cmocka has one, and so has the command line */
#include "cli/options.h"

struct values {
	bool verbose, very;
	const char *output, *stream;
	struct option_list policies;
	uint64_t number, bytes, ns;
	enum output_format format;
};

static const struct option options[] = {
	{ 'v', "verbose", NULL, OPTION_FLAG, offsetof(struct values, verbose), "Says more.", NULL },
	{ 0, "very-verbose", NULL, OPTION_FLAG, offsetof(struct values, very), "Says all.", NULL },
	{ 'o', "output", "FILE", OPTION_STRING, offsetof(struct values, output), "Where to.",
	  NULL },
	{ 0, "stream", "NAME", OPTION_STRING, offsetof(struct values, stream), "Which.",
	  "misses|all|counts" },
	{ 'P', "policy", "NAME", OPTION_LIST, offsetof(struct values, policies), "May repeat.",
	  NULL },
	{ 'n', "number", "N", OPTION_U64, offsetof(struct values, number), "A number.", NULL },
	{ 0, "fast", "SIZE", OPTION_BYTES, offsetof(struct values, bytes), "A size.", NULL },
	{ 0, "interval", "TIME", OPTION_NS, offsetof(struct values, ns), "A time.", NULL },
	{ 0, "format", "FORMAT", OPTION_FORMAT, offsetof(struct values, format), "How.",
	  "text|json|csv" },
};

/* What run() saw, in words: the options struct lives only as long as the call. */
static struct printbuf seen;

static int run(const void *opaque, int nr_arguments, char **arguments)
{
	const struct values *values = opaque;
	printbuf_reset(&seen);
	prt_printf(&seen, "%d%d o=%s s=%s n=%llu b=%llu t=%llu f=%d P", values->verbose,
		   values->very, values->output ? values->output : "-",
		   values->stream ? values->stream : "-", (unsigned long long)values->number,
		   (unsigned long long)values->bytes, (unsigned long long)values->ns,
		   values->format);
	for (size_t i = 0; i < values->policies.nr; i++)
		prt_printf(&seen, ",%s", values->policies.items[i]);
	for (int i = 0; i < nr_arguments; i++)
		prt_printf(&seen, " [%s]", arguments[i]);
	return 42;
}

static const struct command command = {
	.name = "try",
	.usage = "FILE [options]",
	.summary = "Tries.",
	.about = "Tries the option table.",
	.examples = "  # try\n  berth try a\n",
	.options = options,
	.nr_options = ARRAY_SIZE(options),
	.options_size = sizeof(struct values),
	.min_arguments = 1,
	.max_arguments = 2,
	.run = run,
};

/* Runs with this line, split at blanks; what goes to the descriptor is kept. */
static int run_line(const struct command *tried, const char *line, int fd, struct printbuf *ret)
{
	char words[512], *argv[32] = { (char *)tried->name }, *save = NULL, text[8192];
	int argc = 1, kept = dup(fd), pipe_fds[2];
	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	fflush(NULL);
	assert_int_equal(pipe(pipe_fds), 0);
	dup2(pipe_fds[1], fd);
	close(pipe_fds[1]);
	printbuf_init(&seen, 0);
	int status = command_run(tried, argc, argv);
	fflush(NULL);
	dup2(kept, fd);
	close(kept);
	ssize_t nr = read(pipe_fds[0], text, sizeof(text)); /* 64 KiB fit in a pipe */
	close(pipe_fds[0]);
	prt_mem(ret, text, nr > 0 ? (size_t)nr : 0);
	return status;
}

static void check_good(const char *line, const char *expected)
{
	PRINTBUF(message);
	assert_int_equal(run_line(&command, line, STDERR_FILENO, &message), 42);
	assert_string_equal(printbuf_str(&message), "");
	assert_string_equal(printbuf_str(&seen), expected);
	printbuf_fini(&seen);
}

static void check_bad(const char *line, const char *expected)
{
	PRINTBUF(message);
	assert_int_equal(run_line(&command, line, STDERR_FILENO, &message), EXIT_USAGE);
	prt_trim_newlines(&message);
	assert_string_equal(printbuf_str(&message), expected);
	printbuf_fini(&seen);
}

static void test_ways_to_write(void **state)
{
	check_good("a", "00 o=- s=- n=0 b=0 t=0 f=0 P [a]");
	check_good("-v a b", "10 o=- s=- n=0 b=0 t=0 f=0 P [a] [b]");
	check_good("a -vo x", "10 o=x s=- n=0 b=0 t=0 f=0 P [a]");
	check_good("a -ox", "00 o=x s=- n=0 b=0 t=0 f=0 P [a]");
	check_good("a --output x", "00 o=x s=- n=0 b=0 t=0 f=0 P [a]");
	check_good("a --output=x=y", "00 o=x=y s=- n=0 b=0 t=0 f=0 P [a]");
	check_good("a --out=x", "00 o=x s=- n=0 b=0 t=0 f=0 P [a]");
	check_good("-P a -Pb --policy c:k=v d", "00 o=- s=- n=0 b=0 t=0 f=0 P,a,b,c:k=v [d]");
	check_good("--number 0x10 --fast 1.5GiB --interval 10ms a",
		   "00 o=- s=- n=16 b=1610612736 t=10000000 f=0 P [a]");
	check_good("--format csv --stream all a", "00 o=- s=all n=0 b=0 t=0 f=2 P [a]");
	check_good("-- -v --output", "00 o=- s=- n=0 b=0 t=0 f=0 P [-v] [--output]");
	check_good("-o -- a", "00 o=-- s=- n=0 b=0 t=0 f=0 P [a]");
	check_good("-", "00 o=- s=- n=0 b=0 t=0 f=0 P [-]");
	check_good("--verbose a", "10 o=- s=- n=0 b=0 t=0 f=0 P [a]"); /* exact, not ambiguous */
}

static void test_refusals(void **state)
{
	check_bad("", "berth try: no argument; usage: berth try FILE [options]");
	check_bad("a --output=", "berth try: --output: its value is empty; write FILE");
	check_bad("--fast 0 a",
		  "berth try: --fast 0: must not be zero; write a size such as 64MiB");
	check_bad("a --interval 0ms",
		  "berth try: --interval 0ms: must not be zero; write a time such as 10ms");
	check_bad("a b c", "berth try: c: one argument too many; usage: berth try FILE [options]");
	check_bad("-x", "berth try: -x: there is no such option; `berth try --help` lists them");
	check_bad("--outptu=x",
		  "berth try: --outptu=x: there is no such option; did you mean --output?");
	check_bad("--elephant",
		  "berth try: --elephant: there is no such option; `berth try --help` lists them");
	check_bad("--ver a", "berth try: --ver: several options begin so; write it out");
	check_bad("--=x a",
		  "berth try: --=x: there is no such option; `berth try --help` lists them");
	check_bad("--verbose=yes a", "berth try: --verbose takes no value");
	check_bad("a -o", "berth try: -o needs a value: FILE");
	check_bad("a --fast", "berth try: --fast needs a value: SIZE");
	check_bad("--fast many a",
		  "berth try: --fast many: not understood; write a size such as 64MiB");
	check_bad("--fast 99EiB a",
		  "berth try: --fast 99EiB: too large; write a size such as 64MiB");
	check_bad("--interval 10 a",
		  "berth try: --interval 10: not understood; write a time such as 10ms");
	check_bad("-n -1 a", "berth try: --number -1: not understood; write a whole number");
	check_bad("--format xml a", "berth try: --format xml: not one of text|json|csv");
	check_bad("--format tex a", "berth try: --format tex: not one of text|json|csv");
	check_bad("--format text|json a",
		  "berth try: --format text|json: not one of text|json|csv");
	check_bad("--stream= a",
		  "berth try: --stream: its value is empty; write misses|all|counts");
}

static void test_a_message_cannot_move_the_cursor(void **state)
{
	check_bad("--\x1b[2J",
		  "berth try: --\\x1b[2J: there is no such option; `berth try --help` lists them");
}

static void test_options_end_at_the_program(void **state)
{
	struct command runs = command;
	PRINTBUF(message);
	runs.takes_program = true;
	runs.max_arguments = -1;
	assert_int_equal(run_line(&runs, "-v ls -l -- --help", STDERR_FILENO, &message), 42);
	assert_string_equal(printbuf_str(&seen),
			    "10 o=- s=- n=0 b=0 t=0 f=0 P [ls] [-l] [--] [--help]");
	printbuf_fini(&seen);
}

static void test_help(void **state)
{
	static const char *const ways[] = { "--help", "-h", "--he", "-vh", "a b c --help" };
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		PRINTBUF(text);
		assert_int_equal(run_line(&command, ways[i], STDOUT_FILENO, &text), 0);
		const char *help = printbuf_str(&text);
		assert_non_null(strstr(help, "usage: berth try FILE [options]\n"));
		assert_non_null(strstr(help, "  -o, --output FILE       Where to.\n"));
		assert_non_null(strstr(help, "      --format text|json|csv\n"));
		assert_non_null(strstr(help, "  -h, --help "));
		assert_non_null(strstr(help, "Examples:\n  # try\n"));
		printbuf_fini(&seen);
	}
}

static void test_output_file_is_whole_or_absent(void **state)
{
	char folder[] = "/tmp/berth-options-XXXXXX", path[64], text[16] = "";
	PRINTBUF(out);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/out", folder);
	prt_str(&out, "whole\n");
	assert_int_equal(put_output(&out, path), EXIT_DONE);
	int fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 6);
	close(fd);
	assert_string_equal(text, "whole\n");
	unlink(path);
	assert_int_equal(rmdir(folder), 0); /* no .part is left */
}
