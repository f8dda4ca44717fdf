/* SPDX-License-Identifier: MIT */
/* What the launcher writes into /lab.conf is what the agent reads there. */
#include "test.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/random.h"
#include "lab/guest/conf.c"
#include "lab/launcher/conf.h"

/* Parses a copy, so that what is behind its end is not readable under a sanitizer. */
static const char *parse(const struct printbuf *text, char **ret_copy, struct agent_conf *ret)
{
	*ret_copy = strdup(printbuf_str(text));
	return conf_parse(*ret_copy, ret);
}

static void test_every_key(void **state)
{
	PRINTBUF(text);
	struct agent_conf conf;
	char *copy;
	struct lab_modules modules = { .names = { (char *)"9p.ko", (char *)"overlay.ko" } };
	lab_conf_modules(&text, &modules);
	lab_conf_add(&text, "host", "host");
	lab_conf_add2(&text, "share", "share", "/home/a user/b");
	lab_conf_add2(&text, "set", "/proc/sys/a b", "1 2\n3");
	lab_conf_add2(&text, "try", "/sys/x", "");
	lab_conf_add(&text, "env", "A=b c");
	lab_conf_add(&text, "env", "EMPTY=");
	lab_conf_add(&text, "cwd", "/tmp/\n");
	lab_conf_add(&text, "argv", "ls");
	lab_conf_add(&text, "argv", "");
	lab_conf_add_u64(&text, "sample", 1000000000);
	lab_conf_add2(&text, "user", "1000", "100");
	lab_conf_add(&text, "adopt", "1");
	lab_conf_add(&text, "icount", "0");
	lab_conf_add(&text, "report", "/run/a b");
	assert_null(parse(&text, &copy, &conf));
	assert_int_equal(conf.nr_modules, 2);
	assert_string_equal(conf.modules[1], "overlay.ko");
	assert_null(conf.modules[2]);
	assert_string_equal(conf.host, "host");
	assert_string_equal(conf.share_tag, "share");
	assert_string_equal(conf.share_path, "/home/a user/b");
	assert_int_equal(conf.nr_settings, 2);
	assert_string_equal(conf.settings[0].path, "/proc/sys/a b");
	assert_string_equal(conf.settings[0].value, "1 2\n3");
	assert_false(conf.settings[0].is_optional);
	assert_string_equal(conf.settings[1].value, "");
	assert_true(conf.settings[1].is_optional);
	assert_string_equal(conf.env[0], "A=b c");
	assert_string_equal(conf.env[1], "EMPTY=");
	assert_null(conf.env[2]);
	assert_string_equal(conf.cwd, "/tmp/\n");
	assert_int_equal(conf.nr_argv, 2);
	assert_string_equal(conf.argv[1], "");
	assert_null(conf.argv[2]);
	assert_int_equal(conf.sample_ns, 1000000000);
	assert_true(conf.has_user && conf.user == 1000 && conf.group == 100);
	assert_true(conf.adopt);
	assert_false(conf.is_icount);
	assert_string_equal(conf.report, "/run/a b");
	free_lists(&conf);
	free(copy);
}

/* Any bytes but NUL, above all those that mean something in the file. */
static void random_text(struct random *random, char *text, size_t max)
{
	static const char special[] = "\n\\ \t\x7f\r\x1b\"'xn0";
	size_t nr = random_below(random, max);
	for (size_t i = 0; i < nr; i++)
		text[i] = random_below(random, 2)
				  ? special[random_below(random, sizeof(special) - 1)]
				  : (char)(1 + random_below(random, 255));
	text[nr] = '\0';
}

static void test_any_text_comes_back(void **state)
{
	struct random random;
	random_init(&random, 3);
	for (int round = 0; round < 2000; round++) {
		char word[40], path[40], value[40];
		PRINTBUF(text);
		struct agent_conf conf;
		char *copy;
		random_text(&random, word, sizeof(word));
		random_text(&random, path, sizeof(path));
		random_text(&random, value, sizeof(value));
		lab_conf_add(&text, "argv", word);
		lab_conf_add2(&text, "set", path, value);
		assert_null(parse(&text, &copy, &conf));
		assert_string_equal(conf.argv[0], word);
		assert_string_equal(conf.settings[0].path, path);
		assert_string_equal(conf.settings[0].value, value);
		free_lists(&conf);
		free(copy);
	}
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {
		"",				/* no program */
		"argv ls",			/* no end of line */
		"argv\n",			/* no value */
		"\n",				/* nothing */
		"argv ls\ncolour red\n",	/* not known */
		"argv a\\\n",			/* half an escape */
		"argv a\\q\n",			/* not an escape */
		"argv a\\x0\n",			/* half a number */
		"argv a\\x00b\n",		/* NUL */
		"argv ls\nset /path\n",		/* no second word */
		"argv ls\nshare tag a\n",	/* not absolute */
		"argv ls\nsample 1s\n",		/* not a number */
		"argv ls\nsample -1\n",		/* negative */
		"argv ls\nadopt yes\n",		/* not a flag */
		"argv ls\nuser 1\n",		/* no group */
		"argv ls\nuser 4294967295 1\n", /* -1 means "unchanged" to the kernel */
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct agent_conf conf;
		char *copy = strdup(bad[i]);
		if (!conf_parse(copy, &conf))
			fail_msg("taken: \"%s\"", bad[i]);
		free(copy);
	}
}

static void touch(const char *folder, const char *name)
{
	PRINTBUF(path);
	prt_printf(&path, "%s/%s", folder, name);
	FILE *file = fopen(printbuf_str(&path), "w");
	assert_non_null(file);
	fclose(file);
}

static void test_modules_in_order(void **state)
{
	char folder[] = "/tmp/berth-test-modules-XXXXXX";
	struct lab_kernel kernel = { .modules_dir = mkdtemp(folder) };
	struct lab_modules modules;
	static const char *const files[] = { "overlay.ko", "9p.ko.xz", "9pnet.ko", "9pnet.ko.xz",
					     "ext4.ko" };
	assert_non_null(kernel.modules_dir);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		touch(folder, files[i]);
	assert_int_equal(lab_modules_find(&kernel, &modules, NULL), 0);
	assert_string_equal(modules.names[0], "9pnet.ko");
	assert_string_equal(modules.names[1], "9p.ko.xz");
	assert_string_equal(modules.names[2], "overlay.ko");
	assert_null(modules.names[3]);
	lab_modules_fini(&modules);
	kernel.modules_dir = NULL;
	assert_int_equal(lab_modules_find(&kernel, &modules, NULL), 0);
	assert_null(modules.names[0]);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		PRINTBUF(path);
		prt_printf(&path, "%s/%s", folder, files[i]);
		unlink(printbuf_str(&path));
	}
	rmdir(folder);
}

static void test_command_line(void **state)
{
	PRINTBUF(delay);
	PRINTBUF(icount);
	lab_kernel_command_line(&delay, LAB_TIME_DELAY, NULL);
	lab_kernel_command_line(&icount, LAB_TIME_ICOUNT, "loglevel=7");
	assert_non_null(strstr(printbuf_str(&delay), "console=ttyS0 panic=-1 oops=panic"));
	assert_null(strstr(printbuf_str(&delay), "nokaslr"));
	assert_non_null(strstr(printbuf_str(&icount), " nokaslr norandmaps loglevel=7"));
	/* The kernel takes 2,048 bytes (COMMAND_LINE_SIZE). */
	assert_true(icount.pos < 1024);
}
