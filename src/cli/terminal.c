/* SPDX-License-Identifier: MIT */
/* What the terminal can do, and writing the result so that a full disk is an error. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/options.h"

bool stderr_is_terminal(void)
{
	return isatty(STDERR_FILENO);
}

unsigned terminal_columns(void)
{
	uint64_t columns = 0;
	struct winsize size;
	const char *text = getenv("COLUMNS");
	if (text && parse_u64(text, &columns) == 0 && columns >= 20 && columns <= 1000)
		return (unsigned)columns;
	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
	    size.ws_col >= 20)
		return size.ws_col;
	return 80;
}

bool terminal_has_colour(void)
{
	const char *term = getenv("TERM");
	const char *no_colour = getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && term &&
	       strcmp(term, "dumb") != 0;
}

bool terminal_is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);
		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

static int write_all(int fd, const char *bytes, size_t nr)
{
	while (nr > 0) {
		ssize_t done = write(fd, bytes, nr);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		bytes += done;
		nr -= (size_t)done;
	}
	return 0;
}

/* A device, a pipe or a link such as /dev/stdout keeps its name: it is written as it is. */
static int write_special(const char *path, const struct printbuf *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	int error = write_all(fd, printbuf_str(text), text->pos);
	if (close(fd) < 0 && !error)
		error = -errno;
	return error;
}

/* Written beside and renamed: nothing that is not whole bears the final name. */
static int write_file(const char *path, const struct printbuf *text)
{
	PRINTBUF(part);
	struct stat status;
	bool exists = lstat(path, &status) == 0;
	if (exists && S_ISDIR(status.st_mode)) /* "dir/" would become dir/.part */
		return -EISDIR;
	if (exists && !S_ISREG(status.st_mode))
		return write_special(path, text);
	prt_printf(&part, "%s.part", path);
	int fd = open(printbuf_str(&part), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	int error = write_all(fd, printbuf_str(text), text->pos);
	if (close(fd) < 0 && !error)
		error = -errno;
	if (!error && rename(printbuf_str(&part), path) < 0)
		error = -errno;
	if (error)
		unlink(printbuf_str(&part));
	return error;
}

int can_put_output(const char *path, struct printbuf *err)
{
	PRINTBUF(folder);
	struct stat status;
	int error = 0;
	if (!path)
		return 0;
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
		error = S_ISDIR(status.st_mode) ? -EISDIR : access(path, W_OK) < 0 ? -errno : 0;
	} else {
		const char *slash = strrchr(path, '/');
		prt_mem(&folder, slash ? path : ".", slash ? (size_t)(slash - path) + 1 : 1);
		if (access(printbuf_str(&folder), W_OK | X_OK) < 0)
			error = -errno;
	}
	return error ? error_file(err, error, path, "write") : 0;
}

bool output_is_input(const char *in, const char *out)
{
	struct stat from, to;
	return stat(in, &from) == 0 && stat(out, &to) == 0 && from.st_dev == to.st_dev &&
	       from.st_ino == to.st_ino;
}

bool output_part_is_input(const char *in, const char *out)
{
	PRINTBUF(part);
	prt_printf(&part, "%s.part", out);
	return output_is_input(in, printbuf_str(&part));
}

int put_output(const struct printbuf *out, const char *path)
{
	if (printbuf_has_error(out)) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	int error = path ? write_file(path, out)
			 : write_all(STDOUT_FILENO, printbuf_str(out), out->pos);
	if (!error)
		return EXIT_DONE;
	PRINTBUF(err);
	error_file(&err, error, path ? path : "standard output", "write");
	complain("%s", printbuf_str(&err));
	return error == -EACCES || error == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}
