/* SPDX-License-Identifier: MIT */
/*
 * The launcher's end of the latency model: the memory that it shares with the plugin
 * (lab/counters.h) and what is made of the counters.
 *
 * Felt time (delay). Emulation is slower than hardware, so is the memory that the guest feels:
 *
 *     felt latency  = latency x scale            the fastest node's is LAB_FELT_LATENCY_NS
 *     felt transfer = line / bandwidth x scale   the fastest node's is LAB_FELT_LINE_NS
 *
 * so that every ratio between nodes is the machine's own. The two constants are what a random and a
 * sequential miss cost by themselves under QEMU, and a little: below that nothing could be felt.
 * Measured on a busy 2-core virtual machine: a chase 310 to 590 ns a step, a stream 70 to 100 ns a
 * line; both wait on top of nothing, see lab/latency/waits.h. It follows that one vCPU fills a
 * node's bandwidth, and a machine's bandwidth is that of as many cores as vCPUs.
 */
#ifndef BERTH_LAB_MODEL_H
#define BERTH_LAB_MODEL_H

#include "lab/counters.h"
#include "lab/launcher/layout.h"
#include "machine/machine.h"

#define LAB_FELT_LATENCY_NS 640
#define LAB_FELT_LINE_NS    128
#define LAB_LINE_BYTES	    64
#define LAB_CACHE_BYTES	    (2 * 1024 * 1024)
#define LAB_CACHE_WAYS	    8

struct lab_model_options { /* 0: the defaults above */
	uint32_t cache_bytes, cache_ways;
	uint32_t scale_bp; /* delay: felt per modelled latency; slack_ns goes with it */
};

struct lab_counting {
	int fd; /* for QEMU to inherit; close-on-exec here */
	struct lab_shared *shared;
};

/* -EINVAL: options that cannot be (err); -ENOMEM. `options` NULL: defaults. */
int lab_counting_init(const struct machine *machine, const struct lab_layout *layout,
		      enum lab_time time, const struct lab_model_options *options,
		      struct lab_counting *ret, struct printbuf *err);
void lab_counting_fini(struct lab_counting *counting);
/* The value of -plugin: "PATH,memory=FD", and ",record=WORDS" when those are given. */
void lab_counting_words(struct printbuf *out, const char *plugin_path,
			const struct lab_counting *counting, const char *record_words);
/* Did the plugin come up? False: QEMU could not load it, its words say why. */
bool lab_counting_is_up(const struct lab_counting *counting);
/* A copy as of now, for lab_result.counters; the caller frees. NULL: no memory. */
struct lab_shared *lab_counting_copy(const struct lab_counting *counting);

/* The newest snapshot of that name still in the ring: an index into snapshots; UINT32_MAX: none. */
uint32_t lab_find_snapshot(const struct lab_shared *counters, uint32_t name);
/* Over all vCPUs; a phase of UINT32_MAX is all phases. */
struct lab_count lab_count_of(const struct lab_shared *counters, uint32_t node, uint32_t phase);
uint64_t lab_instructions_of(const struct lab_shared *counters);
/* lab_modelled_ns() is declared in lab/launcher/lab.h. */

#endif
