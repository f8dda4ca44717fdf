/* SPDX-License-Identifier: MIT */
/*
 * What the latency model shows to a recorder of the same run (lab/latency/record*.c).
 *
 * Recording is on when QEMU was given `record=WORDS` beside `memory=FD`. Then, and only then, other
 * callbacks are planted: with one filter of recent lines for loads and one for stores (so that a
 * first store after loads is seen), and with the recorder's own at translation. A run that is not
 * recorded pays nothing.
 *
 * The recorder defines `access_recorder` (weak here: NULL when there is none in this plugin).
 */
#ifndef BERTH_LAB_LATENCY_ACCESS_H
#define BERTH_LAB_LATENCY_ACCESS_H

#include "lab/counters.h"
#include "lab/latency/qemu.h"
#include "lab/marker.h"

#define ACCESS_UNKNOWN	UINT64_MAX
#define ACCESS_NO_NODE	UINT32_MAX
#define ACCESS_USER_END ((uint64_t)1 << 47) /* user space lies below */

struct access {		   /* a line that was not in the vCPU's filter; below ACCESS_USER_END */
	uint64_t address;  /* virtual */
	uint64_t physical; /* ACCESS_UNKNOWN: not looked up */
	uint32_t vcpu;
	uint32_t node; /* of the physical address; ACCESS_NO_NODE: outside all nodes */
	bool is_store;
	bool is_miss;	/* missed the model's cache too */
	bool is_kernel; /* made by the kernel's code, for a system call or for itself */
	bool is_fetch;	/* of an instruction (never so far: fetches are not modelled) */
};

struct access_recorder {
	/* At install, before any other; not 0: QEMU does not start. Said on stderr by it. */
	int (*install)(qemu_plugin_id_t id, const char *words, const struct lab_model *model);
	void (*start)(void); /* all vCPUs at rest: START was said */
	void (*stop)(void);  /* the same at STOP, or QEMU ends without one */
	/* For each block, after the model planted its own. */
	void (*translate)(struct qemu_plugin_tb *tb);
	void (*access)(const struct access *access);
	/* ADOPT, PHASE, SNAPSHOT or SYMBOL was said; number as lab/marker.h. */
	void (*mark)(uint32_t vcpu, enum lab_mark mark, uint32_t number);
};

extern const struct access_recorder access_recorder __attribute__((weak));

/* Instructions since START on one vCPU, and on all of them. Counted by blocks, at their start. */
uint64_t access_clock_of(uint32_t vcpu);
uint64_t access_clock(void);
/* Empties the filters, so that every line is seen again (a new interval began); the cache stays.
 * Call on that vCPU's own thread. */
void access_forget(uint32_t vcpu);

#endif
