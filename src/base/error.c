/* SPDX-License-Identifier: MIT */
/* Sentences for errors, and the exit status that fits them (error.h). */
#include "base/error.h"

#include <string.h>

int error_set(struct printbuf *err, int error, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		prt_vprintf(err, format, args);
		va_end(args);
	}
	return error;
}

const char *error_text(int error)
{
	const char *text = strerrordesc_np(error < 0 ? -error : error);
	return text ? text : "unknown error";
}

static const char *file_remedy(int error, bool is_write)
{
	switch (-error) {
	case ENOENT:
		return is_write ? "; make its directory first, or write elsewhere"
				: "; check the path";
	case ENOTDIR:
		return "; check the path";
	case EACCES:
	case EPERM:
		return is_write ? "; write elsewhere, or as a user who may write there"
				: "; run as its owner or root, or make it readable";
	case EROFS:
	case ENAMETOOLONG:
		return is_write ? "; write elsewhere" : "; check the path";
	case ENOSPC:
	case EDQUOT:
		return "; free some space or write elsewhere";
	case EISDIR:
		return "; name a file";
	default:
		return "";
	}
}

int error_file(struct printbuf *err, int error, const char *path, const char *doing)
{
	if (err)
		prt_safe(err, *path ? path : "\"\"", *path ? strlen(path) : 2);
	return error_set(err, error, ": cannot %s: %s%s", doing, error_text(error),
			 file_remedy(error, strcmp(doing, "write") == 0));
}

int error_exit_status(int error)
{
	switch (-error) {
	case 0:
		return EXIT_DONE;
	case EPERM:
	case EACCES:
		return EXIT_NOT_PERMITTED;
	case EOPNOTSUPP:
	case ENOSYS:
		return EXIT_NOT_SUPPORTED;
	case EINVAL:
	case ERANGE:
		return EXIT_USAGE;
	default:
		return EXIT_FAILED;
	}
}

#define NEAREST_MAX 64 /* longer names are not compared */

/* Levenshtein distance by rows; both at most NEAREST_MAX long. */
static size_t edit_distance(const char *a, size_t len_a, const char *b, size_t len_b)
{
	size_t row[NEAREST_MAX + 1];
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t above = row[j];
			size_t change = diagonal + (a[i - 1] != b[j - 1]);
			row[j] = MIN(MIN(above, row[j - 1]) + 1, change);
			diagonal = above;
		}
	}
	return row[len_b];
}

const char *nearest_name(const char *text, const char *const names[], size_t nr_names)
{
	size_t len = strlen(text);
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;
	if (len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < nr_names; i++) {
		size_t name_len = strlen(names[i]);
		if (name_len > NEAREST_MAX)
			continue;
		size_t distance = edit_distance(text, len, names[i], name_len);
		if (distance < best_distance && distance * 3 <= MAX(name_len, len)) {
			best = names[i];
			best_distance = distance;
		}
	}
	return best;
}
