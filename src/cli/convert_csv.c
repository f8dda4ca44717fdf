/* SPDX-License-Identifier: MIT */
/* Writes what is read as CSV, one line per event of any kind; what a kind has not is empty. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/convert.h"
#include "trace/writer.h"

#define FLUSH_BYTES ((size_t)256 * 1024)

static const char heading[] = "time_ns,event,space,thread,address,nr_pages,flags,hits,checks,"
			      "window_ns,loads,stores,blocked_ns,from_address,detail,name\n";

struct csv {
	struct printbuf text;
	int fd;
	uint32_t page_bytes;
};

static int write_out(struct csv *csv)
{
	const char *at = csv->text.buf;
	size_t left = csv->text.pos;
	if (printbuf_has_error(&csv->text))
		return -ENOMEM;
	while (left > 0) {
		ssize_t done = write(csv->fd, at, left);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += done;
		left -= (size_t)done;
	}
	printbuf_reset(&csv->text);
	return 0;
}

static void put_number(struct csv *csv, uint64_t value)
{
	prt_char(&csv->text, ',');
	prt_u64(&csv->text, value);
}

static void put_address(struct csv *csv, uint64_t page)
{
	prt_str(&csv->text, ",0x");
	prt_hex(&csv->text, page * csv->page_bytes);
}

/* "time_ns,event,space" */
static void put_start(struct csv *csv, uint64_t time_ns, const char *event, uint32_t space)
{
	prt_u64(&csv->text, time_ns);
	prt_char(&csv->text, ',');
	prt_str(&csv->text, event);
	put_number(csv, space);
}

/* The flags in words, for every value once. */
static const char *flags_text(uint8_t flags)
{
	static char texts[32][48];
	static const char *const names[] = { "write", "fetch", "miss", "touch", "syscall" };
	char *text = texts[flags & 31];
	if (*text == '\0' && (flags & 31))
		for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
			if (flags & 1u << i) {
				if (*text)
					strcat(text, " ");
				strcat(text, names[i]);
			}
	return text;
}

static void put_access(struct csv *csv, const struct trace_batch *batch, uint32_t i)
{
	put_start(csv, batch->time_ns[i], "access", batch->space);
	put_number(csv, batch->thread ? batch->thread[i] : 0);
	put_address(csv, batch->page[i]);
	prt_str(&csv->text, ",1,");
	prt_str(&csv->text, flags_text(batch->flags[i]));
	prt_str(&csv->text, ",,,,,,,,,\n");
}

static void put_sample(struct csv *csv, const struct trace_batch *batch, uint32_t i)
{
	put_start(csv, batch->time_ns[i], "sample", batch->space);
	prt_char(&csv->text, ',');
	put_address(csv, batch->page[i]);
	put_number(csv, batch->nr_pages[i]);
	prt_char(&csv->text, ',');
	put_number(csv, batch->hits[i]);
	put_number(csv, batch->checks[i]);
	put_number(csv, batch->window_ns[i]);
	prt_str(&csv->text, ",,,,,,\n");
}

static void put_count(struct csv *csv, const struct trace_batch *batch, uint32_t i)
{
	put_start(csv, batch->time_ns[i], "count", batch->space);
	prt_char(&csv->text, ',');
	put_address(csv, batch->page[i]);
	prt_str(&csv->text, ",1,,,,");
	put_number(csv, batch->loads[i]);
	put_number(csv, batch->stores[i]);
	prt_str(&csv->text, ",,,,\n");
}

static void put_blocked(struct csv *csv, const struct trace_batch *batch, uint32_t i)
{
	put_start(csv, batch->time_ns[i], "blocked", batch->space);
	put_number(csv, batch->thread[i]);
	prt_str(&csv->text, ",,,,,,,,");
	put_number(csv, batch->blocked_ns[i]);
	prt_str(&csv->text, ",,,\n");
}

static void put_node(struct csv *csv, const struct trace_batch *batch, uint32_t i)
{
	put_start(csv, batch->time_ns[i], "node", batch->space);
	prt_char(&csv->text, ',');
	put_address(csv, batch->page[i]);
	prt_str(&csv->text, ",1,,,,,,,,,");
	if (batch->node[i] != TRACE_NONE)
		prt_u64(&csv->text, batch->node[i]);
	prt_str(&csv->text, ",\n");
}

static const char *op_name(enum trace_mapping_op op)
{
	static const char *const names[] = { "map",	   "unmap",   "remap",	     "discard",
					     "advice",	   "process", "process_end", "thread",
					     "thread_end", "exec",    "protect" };
	return (unsigned)op < ARRAY_SIZE(names) ? names[op] : "unknown";
}

static void put_mapping(struct csv *csv, const struct trace_mapping *mapping)
{
	static const char *const names[] = { "read", "write", "exec" };
	const char *between = "";
	put_start(csv, mapping->time_ns, op_name(mapping->op), mapping->space);
	put_number(csv, mapping->thread);
	put_address(csv, mapping->page);
	put_number(csv, mapping->nr_pages);
	prt_char(&csv->text, ',');
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (mapping->protection & 1u << i) {
			prt_str(&csv->text, between);
			prt_str(&csv->text, names[i]);
			between = " ";
		}
	prt_str(&csv->text, ",,,,,,");
	put_address(csv, mapping->from_page);
	put_number(csv, mapping->detail);
	prt_char(&csv->text, ',');
	prt_csv_field(&csv->text, mapping->name, strlen(mapping->name));
	prt_char(&csv->text, '\n');
}

static void put_event(struct csv *csv, const struct trace_batch *batch, uint32_t i)
{
	switch (batch->kind) {
	case TRACE_ACCESSES:
		put_access(csv, batch, i);
		break;
	case TRACE_SAMPLES:
		put_sample(csv, batch, i);
		break;
	case TRACE_COUNTS:
		put_count(csv, batch, i);
		break;
	case TRACE_BLOCKED:
		put_blocked(csv, batch, i);
		break;
	case TRACE_NODES:
		put_node(csv, batch, i);
		break;
	default:
		put_mapping(csv, &batch->mappings[i]);
		break;
	}
}

static int write_csv(struct csv *csv, struct trace_reader *reader, const char *out,
		     struct printbuf *err)
{
	const struct trace_batch *batch;
	int error = 0, more;
	prt_str(&csv->text, heading);
	while (!error && (more = trace_next(reader, &batch, err)) != 0) {
		if (more < 0)
			return more;
		for (uint32_t i = 0; i < batch->nr; i++)
			put_event(csv, batch, i);
		if (csv->text.pos >= FLUSH_BYTES)
			error = write_out(csv);
	}
	error = error ? error : write_out(csv);
	return error ? error_file(err, error, out, "write") : 0;
}

/* Beside the final name, then renamed: nothing that is not whole bears it. */
static int write_file(struct csv *csv, struct trace_reader *reader, const char *out,
		      struct printbuf *err)
{
	char *part = trace_part_path(out);
	if (!part)
		return error_set(err, -ENOMEM, "out of memory");
	csv->fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int error = csv->fd < 0 ? error_file(err, -errno, out, "write")
				: write_csv(csv, reader, out, err);
	if (csv->fd >= 0 && close(csv->fd) < 0 && !error)
		error = error_file(err, -errno, out, "write");
	if (!error && rename(part, out) < 0)
		error = error_file(err, -errno, out, "write");
	if (error && csv->fd >= 0)
		unlink(part);
	free(part);
	return error;
}

/* A device or a pipe keeps its name: it is written as it is. */
static int write_special(struct csv *csv, struct trace_reader *reader, const char *out,
			 struct printbuf *err)
{
	csv->fd = open(out, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	if (csv->fd < 0)
		return error_file(err, -errno, out, "write");
	int error = write_csv(csv, reader, out, err);
	if (close(csv->fd) < 0 && !error)
		error = error_file(err, -errno, out, "write");
	return error;
}

static int write_anywhere(struct csv *csv, struct trace_reader *reader, const char *out,
			  struct printbuf *err)
{
	struct stat status;
	if (strcmp(out, "-") == 0)
		return write_csv(csv, reader, "standard output", err);
	if (lstat(out, &status) == 0 && !S_ISREG(status.st_mode))
		return write_special(csv, reader, out, err);
	return write_file(csv, reader, out, err);
}

int convert_to_csv(const char *in, const char *out, bool *ret_is_cut, struct printbuf *err)
{
	struct trace_reader *reader = NULL;
	int error = trace_open(in, NULL, &reader, err);
	if (error)
		return error;
	struct csv csv = { .text = PRINTBUF_HEAP,
			   .fd = STDOUT_FILENO,
			   .page_bytes = trace_info(reader)->page_bytes };
	error = write_anywhere(&csv, reader, out, err);
	*ret_is_cut = trace_info(reader)->is_cut;
	printbuf_fini(&csv.text);
	trace_close(reader);
	return error;
}
