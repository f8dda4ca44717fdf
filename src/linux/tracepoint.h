/* SPDX-License-Identifier: MIT */
/*
 * A tracepoint of the kernel: its number for perf_event_open, and where its fields are in a raw
 * sample, as its file `format` tells:
 *
 *     name: damon_aggregated
 *     ID: 734
 *     format:
 *             field:unsigned long start;      offset:24;      size:8; signed:0;
 *
 * The file is in tracefs. Where that is not mounted it is mounted for the length of one look, by a
 * file descriptor, at no place: nobody else sees it.
 */
#ifndef BERTH_LINUX_TRACEPOINT_H
#define BERTH_LINUX_TRACEPOINT_H

#include "machine/root.h"

#define TRACEPOINT_MAX_OFFSET 4096

struct tracepoint_field {
	const char *name;
	uint32_t offset, nr_bytes; /* 1, 2, 4 or 8 */
};

/* Fills number and fields, whose names are given. -ENOENT: no such tracepoint, or no tracefs;
 * -EBADMSG: a field is not there. */
int tracepoint_find(const struct root *root, const char *group_and_name, uint64_t *ret_number,
		    struct tracepoint_field *fields, size_t nr_fields);
int tracepoint_parse(const char *format, uint64_t *ret_number, struct tracepoint_field *fields,
		     size_t nr_fields);
/* The field's value in the bytes of a raw sample; 0 where it lies outside. */
uint64_t tracepoint_value(const struct tracepoint_field *field, const void *raw, size_t nr_bytes);

#endif
