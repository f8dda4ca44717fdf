/* SPDX-License-Identifier: MIT */
/* A command line being put together: see words.h. */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/words.h"

static void take(struct lab_words *words, char *word)
{
	char **items = word ? realloc(words->items, (words->nr + 2) * sizeof(*items)) : NULL;
	if (!items) {
		words->has_error = true;
		free(word);
		return;
	}
	words->items = items;
	items[words->nr++] = word;
	items[words->nr] = NULL;
}

void lab_words_add(struct lab_words *words, const char *word)
{
	take(words, strdup(word));
}

static void take_formatted(struct lab_words *words, const char *format, va_list args)
{
	PRINTBUF(text);
	prt_vprintf(&text, format, args);
	take(words, printbuf_steal(&text, NULL));
}

void lab_words_addf(struct lab_words *words, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	take_formatted(words, format, args);
	va_end(args);
}

void lab_words_option(struct lab_words *words, const char *option, const char *format, ...)
{
	va_list args;
	lab_words_add(words, option);
	va_start(args, format);
	take_formatted(words, format, args);
	va_end(args);
}

void lab_words_fini(struct lab_words *words)
{
	for (size_t i = 0; i < words->nr; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct lab_words){ 0 };
}

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_./=,:+@%";
	return *word && word[strspn(word, plain)] == '\0';
}

static void quote(struct printbuf *out, const char *word)
{
	prt_char(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			prt_str(out, "'\\''");
		else
			prt_char(out, *word);
	}
	prt_char(out, '\'');
}

void lab_words_to_text(struct printbuf *out, const struct lab_words *words)
{
	for (size_t i = 0; i < words->nr; i++) {
		prt_str(out, i ? " " : "");
		if (is_plain(words->items[i]))
			prt_str(out, words->items[i]);
		else
			quote(out, words->items[i]);
	}
}
