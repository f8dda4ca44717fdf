/* SPDX-License-Identifier: MIT */
/*
 * The launcher's half of `lab run --record FILE`: takes what the plugin puts into the lanes of
 * shared memory (trace/ring.h) and writes it as FILE.part, then FILE.
 *
 *     QEMU: lab/latency/record*.c --> lane per space --> a thread of ours --> appender per space
 *                                     (memfd, inherited)                            |
 *     guest's first sample --> memory of each node, ballast                         v
 *     policy, machine, kernel ---------------------------------------------> info, FILE
 *
 * A thread, because a full lane stops the guest's vCPU until it is emptied, and the launcher's own
 * loop may wait for whoever reads the program's output. It touches nothing of the launcher's but
 * the recorder. Whatever ends the run, what was in the lanes is written and the file gets its end.
 *
 * Cost: 5 MB per space that is alive, address space for all lanes, and the CPU that packing takes:
 * about 50 ns an event, on another core than the guest's.
 */
#ifndef BERTH_LAB_RECORD_H
#define BERTH_LAB_RECORD_H

#include "lab/launcher/lab.h"
#include "lab/launcher/layout.h"
#include "lab/launcher/sample.h"
#include "trace/trace.h"

#define LAB_RECORD_NS_PER_KTICK 8000	  /* icount shift=3: 8 ns an instruction */
#define LAB_RECORD_INTERVAL_NS	NS_PER_MS /* of touches */

struct lab_recorder;

/* -EINVAL: a recording was asked for of a run that cannot be recorded. */
int lab_recorder_check(const struct lab_options *options, struct printbuf *err);
/* Makes FILE.part and the shared memory. -EISDIR, -EACCES, ... */
int lab_recorder_new(const struct lab_options *options, const struct lab_model *model,
		     struct lab_recorder **ret, struct printbuf *err);
/* To be inherited by QEMU, and named to the plugin as record=FD; stays ours. */
int lab_recorder_fd(const struct lab_recorder *recorder);
/* From here on lanes are emptied. */
int lab_recorder_start(struct lab_recorder *recorder, struct printbuf *err);
/* The sample before the program starts: memory, watermarks, ballast. Only the first one counts. */
void lab_recorder_sample(struct lab_recorder *recorder, const struct lab_reading *reading,
			 const struct lab_layout *layout);
void lab_recorder_started(struct lab_recorder *recorder, uint32_t pid);
/* After QEMU is gone: empties the lanes and completes the file. With the result's end, status,
 * kernel; err says why there is no (whole) recording. */
int lab_recorder_finish(struct lab_recorder *recorder, const struct lab_result *result,
			struct printbuf *err);
/* Without finish: no recording was begun to speak of, FILE.part goes away. NULL allowed. */
struct lab_recorder *lab_recorder_free(struct lab_recorder *recorder);

/* Pages per node from /proc/zoneinfo: of all its zones, free, watermarks, present and managed; by
 * the guest's node numbers. Nodes beyond `nr` are passed over. */
void lab_zoneinfo_parse(const char *text, struct trace_memory *memory, uint32_t nr);

#endif
