/* SPDX-License-Identifier: MIT */
/* Errors: sentences, exit statuses, nearest names. */
#include "test.h"

#include "base/error.h"

static void test_set(void **state)
{
	PRINTBUF(err);
	assert_int_equal(error_set(&err, -EINVAL, "%s: node %d has no size", "line", 3), -EINVAL);
	assert_string_equal(printbuf_str(&err), "line: node 3 has no size");
	assert_int_equal(error_set(NULL, -EIO, "nobody reads"), -EIO);
}

static void test_file(void **state)
{
	PRINTBUF(err);
	assert_int_equal(error_file(&err, -ENOENT, "a.berth", "open"), -ENOENT);
	prt_char(&err, '\n');
	assert_int_equal(error_file(&err, -EIO, "a.berth", "read"), -EIO);
	assert_string_equal(printbuf_str(&err),
			    "a.berth: cannot open: No such file or directory; check the path\n"
			    "a.berth: cannot read: Input/output error");
	assert_int_equal(error_file(NULL, -EACCES, "a", "open"), -EACCES);
}

/* A hostile file name cannot move the cursor or forge a second line. */
static void test_file_name_is_made_safe(void **state)
{
	PRINTBUF(err);
	error_file(&err, -EIO, "a\n\x1b[2Jb\xff", "read");
	assert_string_equal(printbuf_str(&err),
			    "a\\x0a\\x1b[2Jb\\xff: cannot read: Input/output error");
}

static void test_text(void **state)
{
	assert_string_equal(error_text(-ENOENT), "No such file or directory");
	assert_string_equal(error_text(ENOENT), "No such file or directory");
	assert_string_equal(error_text(-99999), "unknown error");
}

static void test_exit_status(void **state)
{
	assert_int_equal(error_exit_status(0), EXIT_DONE);
	assert_int_equal(error_exit_status(-ENOENT), EXIT_FAILED);
	assert_int_equal(error_exit_status(-ENOMEM), EXIT_FAILED);
	assert_int_equal(error_exit_status(-EINVAL), EXIT_USAGE);
	assert_int_equal(error_exit_status(-ERANGE), EXIT_USAGE);
	assert_int_equal(error_exit_status(-ENOSYS), EXIT_NOT_SUPPORTED);
	assert_int_equal(error_exit_status(-EOPNOTSUPP), EXIT_NOT_SUPPORTED);
	assert_int_equal(error_exit_status(-EPERM), EXIT_NOT_PERMITTED);
	assert_int_equal(error_exit_status(-EACCES), EXIT_NOT_PERMITTED);
}

static void test_nearest_name(void **state)
{
	static const char *const names[] = { "record", "report", "sim", "machine" };
	size_t nr = sizeof(names) / sizeof(names[0]);
	assert_string_equal(nearest_name("recrod", names, nr), "record");
	assert_string_equal(nearest_name("reprt", names, nr), "report");
	assert_string_equal(nearest_name("machin", names, nr), "machine");
	assert_string_equal(nearest_name("sim", names, nr), "sim");
	assert_null(nearest_name("elephant", names, nr));
	assert_null(nearest_name("x", names, nr));
	assert_null(nearest_name("", names, nr));
	assert_null(nearest_name("record", names, 0));
	char long_name[500];
	memset(long_name, 'r', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_null(nearest_name(long_name, names, nr));
}
