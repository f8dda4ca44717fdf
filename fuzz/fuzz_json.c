/* SPDX-License-Identifier: MIT */
/*
 * The JSON reader on any bytes, delivered in pieces whose size the first byte chooses. What it
 * takes must not depend on the pieces; what it refuses must have a sentence.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

struct source {
	const uint8_t *data;
	size_t size, at, step;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ssize_t read_source(void *context, void *buffer, size_t size)
{
	struct source *source = context;
	size_t nr = MIN(MIN(size, source->step), source->size - source->at);
	if (nr)
		memcpy(buffer, source->data + source->at, nr);
	source->at += nr;
	return (ssize_t)nr;
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* One letter and the text per token. */
static bool list_tokens(const uint8_t *data, size_t size, size_t step, struct printbuf *tokens)
{
	struct source source = { .data = data, .size = size, .step = step };
	struct json_reader *reader = NULL;
	enum json_token token;
	if (json_reader_new(read_source, &source, &reader) < 0)
		return false;
	while ((token = json_next(reader)) > JSON_END) {
		prt_char(tokens, (char)('A' + token));
		if (token < JSON_KEY || token > JSON_NUMBER)
			continue;
		size_t len = 0;
		const char *text = json_text(reader, &len);
		require(text[len] == '\0');
		prt_json_string(tokens, text, len);
	}
	require((token == JSON_END) == (json_reader_errno(reader) == 0));
	require((token == JSON_END) == (json_reader_error(reader)[0] == '\0'));
	require(json_next(reader) == token);
	json_reader_free(reader);
	return token == JSON_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PRINTBUF(pieces);
	PRINTBUF(whole);
	if (size == 0)
		return 0;
	bool is_json = list_tokens(data + 1, size - 1, 1 + data[0] % 16, &pieces);
	require(list_tokens(data + 1, size - 1, SIZE_MAX, &whole) == is_json);
	require(strcmp(printbuf_str(&pieces), printbuf_str(&whole)) == 0);
	return 0;
}
