/* SPDX-License-Identifier: MIT */
/* Holding a setting of the kernel for a time (hold.h). */
#include "linux/hold.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "linux/process.h"

/* "always [madvise] never" -> "madvise". */
static void cut_to_marked(char *text)
{
	char *begin = strchr(text, '['), *end = begin ? strchr(begin, ']') : NULL;
	if (!end)
		return;
	memmove(text, begin + 1, (size_t)(end - begin - 1));
	text[end - begin - 1] = '\0';
}

static int read_value(const struct root *root, const char *path, char **ret)
{
	int error = root_read(root, path, ret);
	if (!error)
		cut_to_marked(*ret);
	return error;
}

int hold_file(const struct root *root, struct journal *journal, const char *path, const char *value,
	      struct printbuf *err)
{
	uint32_t change;
	char *now = NULL;
	int error = read_value(root, path, &now);
	if (error)
		return error_set(err, error, "/%s: cannot be read: %s", path, error_text(error));
	bool is_set = strcmp(now, value) == 0;
	if (!is_set)
		error = journal_add_change(journal, HOLD_KIND, path, now, &change, err);
	if (!is_set && !error)
		error = journal_add_value(journal, change, value, err);
	free(now);
	if (is_set || error)
		return error;
	error = rootfile_write(root, path, value);
	return error ? error_set(err, error, "/%s: cannot be set to %s: %s", path, value,
				 error_text(error))
		     : 0;
}

int hold_undo(const struct root *root, const struct journal_change *change,
	      enum journal_outcome *ret, struct printbuf *err)
{
	char *now = NULL;
	enum journal_outcome outcome = JOURNAL_LEFT_ALONE;
	int error = read_value(root, change->object, &now);
	if (error == -ENOENT || error == -ENODEV) {
		*ret = JOURNAL_GONE;
		return 0;
	}
	if (!error && strcmp(now, change->original) == 0) {
		outcome = JOURNAL_UNCHANGED;
	} else if (!error && journal_value_is_known(change, now)) {
		error = rootfile_write(root, change->object, change->original);
		outcome = JOURNAL_RESTORED;
	}
	free(now);
	if (error)
		return error_set(err, error, "/%s: cannot be set back to %s: %s", change->object,
				 change->original, error_text(error));
	*ret = outcome;
	return 0;
}
