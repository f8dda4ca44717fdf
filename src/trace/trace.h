/* SPDX-License-Identifier: MIT */
/*
 * Recordings, decoded: what is in a file (struct trace_info) and its events, batch by batch.
 *
 * A recording holds, for each space (one mm, one file, or physical memory), ONE sequence of access
 * events in time order, each flagged with the streams it belongs to (a cache miss, a first touch in
 * its interval, or just an access), so that no merging is needed to replay it in order; and beside
 * it sequences of mappings, of blocked time, of samples over ranges, of counts per epoch, and of
 * the node that each page was found on.
 *
 *     header | block block block ... | info (again, complete) | index | trailer
 *
 * The bytes are specified in docs/format.md and written down in trace/format.h.
 *
 * Time is nanoseconds. The file stores ticks; ns = ticks * ns_per_ktick / 1000. A tick is an
 * instruction for the exact recorder (300 ns per thousand unless measured), 1 ns for imports that
 * know real time.
 */
#ifndef BERTH_TRACE_TRACE_H
#define BERTH_TRACE_TRACE_H

#include "base/printbuf.h"
#include "base/types.h"

#define TRACE_NS_PER_KTICK_DEFAULT 300
#define TRACE_BATCH_EVENTS	   4096	      /* most events in one batch */
#define TRACE_NONE		   UINT32_MAX /* an id that is not known */
#define TRACE_UNKNOWN		   UINT64_MAX /* a number that is not known */

/* What an access event is; several may be set. */
enum trace_flag {
	TRACE_WRITE = 1 << 0, /* a store (otherwise a load) */
	TRACE_FETCH = 1 << 1, /* an instruction fetch */
	TRACE_MISS = 1 << 2,  /* it missed the modelled shared cache: memory saw it */
	TRACE_TOUCH = 1 << 3, /* the page's first access in this interval; the page's first store in
				 an interval is a touch too, even when a load touched it before */
	TRACE_SYSCALL = 1 << 4, /* the kernel made it for a system call */
};

enum trace_kind {
	TRACE_ACCESSES, /* access events, in order; info.streams says which are there */
	TRACE_SAMPLES,	/* ranges with hits out of checks (DAMON, accessed bits) */
	TRACE_COUNTS,	/* per epoch and page: loads and stores, no order within the epoch */
	TRACE_MAPPINGS, /* mappings made and undone, processes and threads that come and go */
	TRACE_BLOCKED,	/* time a thread spent blocked */
	TRACE_NODES,	/* the node of a page, whenever another one was seen than before */
	TRACE_NR_KINDS,
};

enum trace_stream { /* bits of info.streams */
		    TRACE_STREAM_MISSES = 1 << 0,
		    TRACE_STREAM_TOUCHES = 1 << 1,
		    TRACE_STREAM_ALL =
			    1 << 2, /* every access is there (misses and touches are flagged too) */
		    TRACE_STREAM_COUNTS = 1 << 3,
		    TRACE_STREAM_SAMPLES = 1 << 4,
		    TRACE_STREAM_NODES = 1 << 5, /* needs format 2 (docs/format.md) */
};

struct trace_cache { /* the modelled shared cache; size 0: none, events are unfiltered */
	uint64_t size_bytes;
	uint32_t ways;
	uint32_t line_bytes;
	uint32_t filter_lines; /* lines of the small per-thread filter in front; hits there are hits
				*/
};

enum trace_space_kind { TRACE_SPACE_MM, TRACE_SPACE_FILE, TRACE_SPACE_PHYSICAL };

struct trace_space {
	uint32_t id; /* 0, 1, 2, ... in order of birth */
	enum trace_space_kind kind;
	uint32_t parent; /* TRACE_NONE when it has none */
	int64_t pid;	 /* -1: not known */
	char *name;	 /* command or path; may be "" */
};

/* Memory of one node as the program started, in pages; TRACE_UNKNOWN where not known. */
struct trace_memory {
	uint32_t node;
	uint64_t total_pages, managed_pages, free_pages;
	uint64_t min_pages, low_pages, high_pages, promo_pages; /* watermarks, sums over zones */
	/* Ballast: what is used, and not by the program. */
	uint64_t kernel_pages, cache_pages, other_pages;
};

/* The numbers of struct trace_memory by their names; ends with a NULL. */
struct trace_memory_field {
	const char *name;
	size_t offset;
};
extern const struct trace_memory_field trace_memory_fields[];

static inline uint64_t *trace_memory_value(const struct trace_memory *memory,
					   const struct trace_memory_field *field)
{
	return (uint64_t *)((char *)(uintptr_t)memory + field->offset);
}

struct trace_info {
	uint32_t version;      /* major version of the format */
	uint32_t page_bytes;   /* a power of two, 4096 usually */
	uint64_t ns_per_ktick; /* > 0 */
	bool clock_measured;   /* ns_per_ktick comes from --baseline */
	uint32_t streams;      /* enum trace_stream bits */
	uint64_t interval_ns;  /* of touches; epoch length of counts; 0: does not apply */
	struct trace_cache cache;
	char *recorder;	     /* "berth qemu-user 0.1", "damo", "valgrind lackey", ... */
	char *program;	     /* the command line, words joined by blanks */
	int32_t exit_status; /* of the program as wait(2) status folded to 0..255; -1 not known */
	uint64_t native_ns;  /* the program's own wall time without the recorder; TRACE_UNKNOWN */
	uint64_t started_unix_s; /* 0: not known */
	struct trace_space *spaces;
	uint32_t nr_spaces;
	char **notes; /* sentences a reader should see ("exec of /bin/ls was not recorded") */
	uint32_t nr_notes;
	/* Where it ran, when that is a machine of its own (the lab); NULL or none otherwise. */
	char *machine;	 /* its line */
	char *kernel;	 /* release */
	char **settings; /* "numa_balancing=2": of the kernel, as the program started */
	uint32_t nr_settings;
	struct trace_memory *memory;
	uint32_t nr_memory;
	/* Totals, from the index (or counted by a scan of the block headers). */
	uint64_t nr_events[TRACE_NR_KINDS];
	uint64_t nr_misses, nr_touches; /* among the accesses; TRACE_UNKNOWN after a cut */
	uint64_t nr_references;		/* accesses the recorder looked at; TRACE_UNKNOWN */
	uint64_t nr_ticks;		/* end of the recording, in ticks */
	uint64_t duration_ns;		/* the same in ns */
	uint64_t nr_blocks;
	uint64_t file_bytes;
	bool is_cut; /* no footer: read up to the last whole block */
};

enum trace_mapping_op {
	TRACE_MAP,     /* [page, +nr) is new; name: path, "[heap]", "[stack]", "[bss]", "[anon]" */
	TRACE_UNMAP,   /* its pages are gone */
	TRACE_REMAP,   /* the pages at from_page moved to page (mremap) */
	TRACE_DISCARD, /* madvise(DONTNEED or FREE): pages gone, mapping stays */
	TRACE_ADVICE,  /* other madvise; detail is its number */
	TRACE_PROCESS, /* a space begins (fork or start); detail is the parent space, name the
			  command */
	TRACE_PROCESS_END,
	TRACE_THREAD, /* a thread begins; detail is its number */
	TRACE_THREAD_END,
	TRACE_EXEC,    /* exec: what follows ran natively, unrecorded; name is the path */
	TRACE_PROTECT, /* mprotect; detail is the protection */
};

struct trace_mapping {
	uint64_t time_ns;
	uint32_t space;
	uint32_t thread;
	enum trace_mapping_op op;
	uint32_t protection; /* PROT_* bits of TRACE_MAP */
	uint64_t page, nr_pages;
	uint64_t from_page; /* TRACE_REMAP */
	uint64_t detail;
	const char *name; /* "" when it has none; lives as long as the reader */
};

/* One batch: all of one kind; accesses also all of one space. Arrays live until the next call. */
struct trace_batch {
	enum trace_kind kind;
	uint32_t space;
	uint32_t nr;
	/* all but MAPPINGS: nr entries each */
	const uint64_t
		*time_ns; /* SAMPLES: end of the sampling window; COUNTS: start of the epoch */
	const uint64_t *page;
	/* ACCESSES */
	const uint8_t *flags;	/* enum trace_flag */
	const uint32_t *thread; /* NULL: thread 0 throughout the batch; BLOCKED: always there */
	/* SAMPLES */
	const uint64_t *nr_pages;      /* the range is [page, page + nr_pages) */
	const uint32_t *hits, *checks; /* hits out of checks */
	const uint64_t *window_ns;     /* length of the window that ends at time_ns */
	/* COUNTS */
	const uint32_t *loads, *stores;
	const uint64_t *blocked_ns; /* BLOCKED: how long, ending at time_ns in real nanoseconds */
	const uint32_t *node;	    /* NODES; TRACE_NONE: not in memory any more, or not known */
	const struct trace_mapping *mappings; /* MAPPINGS */
};

/*
 * Reader. Opens .berth files and every importable file (trace/import.h) alike. Memory does not
 * grow with the file.
 */
struct trace_reader;

struct trace_open_options {
	uint32_t kinds; /* bits 1 << enum trace_kind wanted; 0: all. Others are not even decoded. */
	uint64_t ns_per_ktick;	  /* overrides the file's clock; 0: the file's */
	bool verify_only_headers; /* info only; batches will not be asked for */
};

/* -EBADMSG: not a recording or broken (err says where); -EISDIR, -ENOENT, ... from the system. */
int trace_open(const char *path, const struct trace_open_options *options,
	       struct trace_reader **ret, struct printbuf *err);
struct trace_reader *trace_close(struct trace_reader *reader); /* NULL allowed; returns NULL */
const struct trace_info *trace_info(const struct trace_reader *reader);
/* 1: *ret_batch is filled; 0: the end; negative: a broken block, err says where, and what came
 * before is good. Batches come in time order over all kinds and spaces; times never step back,
 * except that of samples and counts, which may lie up to a window before. */
int trace_next(struct trace_reader *reader, const struct trace_batch **ret_batch,
	       struct printbuf *err);
/* Seek so that the next batch holds the first events at or after time_ns (needs the index, or
 * scans the block headers). */
int trace_seek(struct trace_reader *reader, uint64_t time_ns, struct printbuf *err);

#endif
