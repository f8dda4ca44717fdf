/* SPDX-License-Identifier: MIT */
/*
 * The file that a recording of running programs goes to: spaces, their mappings, looks.
 *
 *     space --- name, pid, parent; mapped (maps.h); known pages (known.h)
 *           `-- appender, while it is among the last that had something to write
 *
 * An appender holds a megabyte once it is used, and a job may be thousands of processes: when more
 * than APPENDERS_MAX are open all are flushed and freed.
 */
#ifndef BERTH_LINUX_WATCH_WRITE_H
#define BERTH_LINUX_WATCH_WRITE_H

#include "linux/known.h"
#include "linux/live.h"
#include "linux/maps.h"
#include "policy/sampler.h"
#include "trace/writer.h"

#define WATCH_APPENDERS_MAX 64

struct watch_space {
	struct maps maps;
	struct known known;
	struct trace_appender *appender;
	bool is_over; /* its end is written */
};

struct watch_writer {
	const struct machine *machine; /* borrowed */
	struct trace_info info;
	int fd; /* of FILE.part, -1: none */
	uint64_t begun_ns;
	uint64_t look_ns; /* end of the look before */
	struct watch_space *spaces;
	uint32_t nr_spaces, max_spaces;
	uint32_t nr_appenders;
	uint64_t nr_samples;
	bool is_complete;	/* the sampler tells all that was used */
	uint32_t writing;	/* the space of the callbacks that are under way */
	uint64_t ticks, window; /* of the same */
};

/* Creates FILE.part. `sampler` is who tells; strings of info are the writer's to free. */
int watch_writer_init(struct watch_writer *writer, const char *output,
		      const struct sampler_ops *sampler, const struct machine *machine,
		      struct printbuf *err);
/* New processes and those that ended, and what they have mapped now. */
int watch_write_spaces(struct watch_writer *writer, struct live *live, uint64_t now_ns);
/* All that a sampler told in one tick comes in batches, then the look ends. */
int watch_write_samples(struct watch_writer *writer, const struct sample_batch *batch,
			uint64_t now_ns);
int watch_end_look(struct watch_writer *writer, uint64_t now_ns);
int watch_write_flush(struct watch_writer *writer); /* what is pending, as blocks */
int watch_write_note(struct watch_writer *writer, const char *format, ...) berth_printf(2, 3);
void watch_writer_fini(struct watch_writer *writer);

#endif
