/* SPDX-License-Identifier: MIT */
/*
 * The bytes of an importable file: plain, gzip or zlib, told apart by content, read as one stream
 * in bounded memory. Compressed bytes are inflated by a thread of their own, so that inflating and
 * parsing share the time instead of adding up.
 */
#ifndef BERTH_TRACE_IMPORT_INPUT_H
#define BERTH_TRACE_IMPORT_INPUT_H

#include <sys/types.h>

#include "base/printbuf.h"
#include "base/types.h"

struct import_input;

/* Takes fd (seekable) over, also on failure. */
int import_input_new(int fd, const char *path, struct import_input **ret, struct printbuf *err);
struct import_input *import_input_free(struct import_input *input); /* NULL allowed; returns NULL */

/*
 * Fills up to `size` bytes; 0 at the end, negative errno on failure. Compressed data that end too
 * early are an end, not a failure: import_input_is_cut() tells them apart. `input` is a
 * struct import_input (the type of a json_read_fn's context).
 */
ssize_t import_input_read(void *input, void *buffer, size_t size);
int import_input_rewind(struct import_input *input); /* to the first byte; forgets failures */

bool import_input_is_cut(const struct import_input *input);
bool import_input_is_compressed(const struct import_input *input);
const char *import_input_path(const struct import_input *input);
uint64_t import_input_file_bytes(const struct import_input *input);
/* The sentence of the last failure of import_input_read, and its errno; returns `error`. */
int import_input_explain(const struct import_input *input, int error, struct printbuf *err);

/* What recognise() looks at: the first bytes, inflated if need be. Returns how many. */
size_t import_input_peek(const uint8_t *bytes, size_t nr_bytes, uint8_t *out, size_t size);

#endif
