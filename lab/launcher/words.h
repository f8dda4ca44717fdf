/* SPDX-License-Identifier: MIT */
/*
 * A command line being put together: words, ended by NULL as execve(2) wants them. Running out of
 * memory is a sticky flag, as in printbuf: look at it once at the end.
 */
#ifndef BERTH_LAB_WORDS_H
#define BERTH_LAB_WORDS_H

#include "base/printbuf.h"

struct lab_words {
	char **items; /* NULL-terminated once something was added */
	size_t nr;
	bool has_error;
};

void lab_words_add(struct lab_words *words, const char *word);
void lab_words_addf(struct lab_words *words, const char *format, ...) berth_printf(2, 3);
/* "-option", then the word made from the format. */
void lab_words_option(struct lab_words *words, const char *option, const char *format, ...)
	berth_printf(3, 4);
void lab_words_fini(struct lab_words *words);
/* One line that a shell reads back as the same words. */
void lab_words_to_text(struct printbuf *out, const struct lab_words *words);

#endif
