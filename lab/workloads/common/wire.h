/* SPDX-License-Identifier: MIT */
/*
 * A client's connection to a server on loopback: whole writes, and reads by line or by length.
 * Everything that goes wrong ends the program with a sentence (a load without a server is no load).
 */
#ifndef BERTH_WORK_WIRE_H
#define BERTH_WORK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_BYTES (1 << 17) /* the longest line or body, and more than any batch written */

struct wire {
	int fd; /* -1: not connected */
	uint16_t port;
	size_t start, end; /* of what was read and not yet taken */
	char in[WIRE_BYTES];
	size_t nr_out;
	char out[WIRE_BYTES];
};

/* To 127.0.0.1:port; retries for wait_ns while nobody listens there. */
void wire_open(struct wire *wire, uint16_t port, uint64_t wait_ns);
void wire_close(struct wire *wire);
/* Into the buffer, which goes out by wire_flush() or when it is full. */
void wire_put(struct wire *wire, const void *bytes, size_t nr);
__attribute__((format(printf, 2, 3))) void wire_print(struct wire *wire, const char *format, ...);
void wire_flush(struct wire *wire);
/* The next line without its end, valid until the next call; NULL: the server has closed. */
char *wire_line(struct wire *wire);
/* The next nr bytes, valid until the next call; fails when the server closes first. */
char *wire_bytes(struct wire *wire, size_t nr);

#endif
