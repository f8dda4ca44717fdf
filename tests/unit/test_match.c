/* SPDX-License-Identifier: MIT */
/* Which process is which job's: patterns against fnmatch(3), and a captured /proc. */
#include "test.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "linux/match.h"

static bool matches(const char *pattern, const char *text)
{
	return match_pattern(pattern, text, strlen(text));
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool takes;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "a/b", false },
		{ "a*c", "abc", true },
		{ "a*c", "ac", true },
		{ "a*c", "acb", false },
		{ "a?c", "abc", true },
		{ "a?c", "a/c", false },
		{ "[a-c]x", "bx", true },
		{ "[!a-c]x", "bx", false },
		{ "[^a-c]x", "dx", true },
		{ "[]a]", "]", true },
		{ "[a", "[a", true },
		{ "[!/]", "/", false },
		{ "[a-]", "-", true },
		{ "a\\*", "a\\b", true },
		{ "**b*", "ab", true },
		{ "/a/*/c", "/a/b/c", true },
		{ "/a/*", "/a/b/c", false },
		{ "*a*b", "aab/ab", false },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(matches(cases[i].pattern, cases[i].text), cases[i].takes);
}

/* Small alphabets, so that much of it matches. */
static void test_patterns_oracle(void **state)
{
	static const char pattern_letters[] = "ab/**?", text_letters[] = "ab/";
	struct random random;
	unsigned nr_taken = 0;
	random_init(&random, 7);
	for (int i = 0; i < 200000; i++) {
		char pattern[12], text[12];
		size_t nr_pattern = random_below(&random, sizeof(pattern));
		size_t nr_text = random_below(&random, sizeof(text));
		for (size_t k = 0; k < nr_pattern; k++)
			pattern[k] = pattern_letters[random_below(&random, 6)];
		for (size_t k = 0; k < nr_text; k++)
			text[k] = text_letters[random_below(&random, 3)];
		pattern[nr_pattern] = text[nr_text] = '\0';
		bool wanted = fnmatch(pattern, text, FNM_PATHNAME | FNM_NOESCAPE) == 0;
		if (matches(pattern, text) != wanted)
			fail_msg("%s against %s: not %d", pattern, text, wanted);
		nr_taken += wanted;
	}
	assert_true(nr_taken > 5000);
}

/* What would take others years ends at once. */
static void test_patterns_are_linear(void **state)
{
	char pattern[121], text[4000];
	for (size_t i = 0; i + 1 < sizeof(pattern); i += 2) {
		pattern[i] = '*';
		pattern[i + 1] = 'a';
	}
	pattern[sizeof(pattern) - 1] = '\0';
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 'b';
	assert_false(match_pattern(pattern, text, sizeof(text)));
}

static char top[64];

static void put(pid_t pid, const char *name, const char *text, size_t nr_bytes)
{
	PRINTBUF(path);
	PRINTBUF(make);
	prt_printf(&make, "mkdir -p %s/proc/%d", top, pid);
	assert_int_equal(system(printbuf_str(&make)), 0);
	prt_printf(&path, "%s/proc/%d/%s", top, pid, name);
	FILE *file = fopen(printbuf_str(&path), "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, nr_bytes, file), nr_bytes);
	fclose(file);
}

static void process(pid_t pid, const char *comm, char state, unsigned flags, const char *cmdline,
		    const char *cgroup)
{
	PRINTBUF(stat);
	prt_printf(&stat, "%d (%s) %c 1 %d %d 0 -1 %u 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n", pid, comm,
		   state, pid, pid, flags, pid * 10);
	put(pid, "stat", printbuf_str(&stat), stat.pos);
	put(pid, "cmdline", cmdline, *cmdline ? strlen(cmdline) + 1 : 0);
	put(pid, "cgroup", cgroup, strlen(cgroup));
}

static void make_processes(struct root *root)
{
	strcpy(top, "/tmp/berth-match-XXXXXX");
	assert_non_null(mkdtemp(top));
	process(1, "systemd", 'S', 0x400100, "/sbin/init", "0::/init.scope\n");
	process(2, "nginx", 'S', 0x208040, "", "0::/web.slice\n"); /* of the kernel */
	process(10, "nginx", 'S', 0x400100, "nginx: master process",
		"0::/web.slice/nginx.service\n");
	process(11, "nginx", 'Z', 0x400100, "", "0::/web.slice/nginx.service\n");
	process(12, "a ) S 1 (b", 'R', 0x400100, "/opt/x/a-very-long-server-name",
		"4:memory:/batch\n1:name=systemd:/user.slice/run-7.scope/deep\n0::/\n");
	process(13, "worker", 'R', 0x400100, "./worker", "0::/batch.slice/night/one\n");
	process(14, "worker", 'R', 0x400100, "./worker", "0::/batch.slices\n");
	put(15, "stat", "15 (cut", 7);
	put(16, "cgroup", "0::/web.slice\n", 14);
	*root = (struct root){ .fd = open(top, O_PATH | O_DIRECTORY) };
	assert_true(root->fd >= 0);
}

static void remove_processes(struct root *root)
{
	PRINTBUF(command);
	close(root->fd);
	prt_printf(&command, "rm -rf %s", top);
	assert_int_equal(system(printbuf_str(&command)), 0);
}

/* The pids that jobs take, as "10:web 13:batch". */
static void check_all(const struct root *root, const char *text, const char *wanted)
{
	struct config *config = NULL;
	struct match_list list;
	PRINTBUF(err);
	PRINTBUF(got);
	assert_int_equal(config_new(&config), 0);
	assert_int_equal(config_add_text(config, "f", text, strlen(text), &err), 0);
	assert_int_equal(match_all(root, config, &list), 0);
	for (size_t i = 0; i < list.nr; i++)
		prt_printf(&got, "%s%d:%s", i ? " " : "", list.items[i].process.pid,
			   config->jobs[list.items[i].job].name);
	assert_string_equal(printbuf_str(&got), wanted);
	match_list_fini(&list);
	config_free(config);
}

static void test_jobs(void **state)
{
	struct root root;
	make_processes(&root);
	check_all(&root, "", "");
	check_all(&root, "[Job web]\nMatch=command:nginx\n", "10:web");
	check_all(&root, "[Job a]\nMatch=unit:nginx.service\n", "10:a");
	check_all(&root, "[Job a]\nMatch=unit:web.slice\n", "10:a");
	check_all(&root, "[Job a]\nMatch=unit:run-*.scope\n", "12:a");
	check_all(&root, "[Job a]\nMatch=cgroup:/web.slice\n", "10:a");
	check_all(&root, "[Job a]\nMatch=cgroup:/batch.slice\n", "13:a");
	check_all(&root, "[Job a]\nMatch=cgroup:/batch.slice/n*\n", "13:a");
	check_all(&root, "[Job a]\nMatch=cgroup:/batch*\n", "12:a 13:a 14:a");
	check_all(&root, "[Job a]\nMatch=cgroup:/night\n", "");
	check_all(&root, "[Job a]\nMatch=command:a-very-long-server-name\n", "12:a");
	check_all(&root, "[Job a]\nMatch=command:init\n", "1:a");
	check_all(&root, "[Job a]\nMatch=pid:14\nMatch=pid:11\nMatch=pid:2\nMatch=pid:99\n",
		  "14:a");
	/* The first job has it. */
	check_all(&root,
		  "[Job a]\nMatch=pid:13\n[Job b]\nMatch=command:work*\n[Job c]\nMatch=pid:14\n",
		  "13:a 14:b");
	remove_processes(&root);
}

static void test_process(void **state)
{
	struct match_needs all = { true, true }, none = { false, false };
	struct match_process process;
	struct root root;
	make_processes(&root);
	assert_int_equal(match_process_read(&root, 12, all, &process), 0);
	assert_string_equal(process.comm, "a ) S 1 (b");
	assert_string_equal(process.command, "a-very-long-server-name");
	assert_int_equal(process.start_ticks, 120);
	assert_false(process.is_kernels || process.has_ended);
	match_process_fini(&process);
	assert_int_equal(match_process_read(&root, 10, all, &process), 0);
	assert_string_equal(process.command, "nginx:");
	match_process_fini(&process);
	assert_int_equal(match_process_read(&root, 12, none, &process), 0);
	assert_null(process.command);
	assert_null(process.cgroups);
	match_process_fini(&process);
	assert_int_equal(match_process_read(&root, 2, all, &process), 0);
	assert_true(process.is_kernels);
	assert_int_equal(match_process_read(&root, 11, all, &process), 0);
	assert_true(process.has_ended);
	assert_int_equal(match_process_read(&root, 15, all, &process), -EBADMSG);
	assert_int_equal(match_process_read(&root, 16, all, &process), -ESRCH);
	assert_int_equal(match_process_read(&root, 99, all, &process), -ESRCH);
	remove_processes(&root);
}

static void test_needs(void **state)
{
	static const char text[] = "[Job a]\nMatch=pid:3\n[Job b]\nMatch=unit:x.service\n";
	struct config *config = NULL;
	assert_int_equal(config_new(&config), 0);
	assert_int_equal(config_add_text(config, "f", text, strlen(text), NULL), 0);
	struct match_needs needs = match_needs(config);
	assert_true(needs.cgroup);
	assert_false(needs.command);
	config_free(config);
}
