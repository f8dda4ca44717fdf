/* SPDX-License-Identifier: MIT */
/*
 * Instructions of the guest that mean something to the model: markers (lab/marker.h) and those
 * that change what virtual addresses mean.
 */
#ifndef BERTH_LAB_LATENCY_MARKS_H
#define BERTH_LAB_LATENCY_MARKS_H

#include "base/types.h"
#include "lab/marker.h"

#define MARK_BYTES	       8  /* length of a marker */
#define MARK_INSTRUCTION_BYTES 15 /* of the longest instruction */

/* The mark that an instruction is, or -1. */
int mark_decode(const uint8_t *bytes, size_t nr_bytes);
/* May this instruction change a mapping: mov to cr3 or cr4, invlpg, invpcid? */
bool mark_changes_mappings(const uint8_t *bytes, size_t nr_bytes);

/* What a vCPU has said so far. */
struct speech {
	uint32_t number, nr_bits;
	bool has_begun;
};

/* Hears one mark. True when it means something now: PHASE, SNAPSHOT and SYMBOL after a whole
 * number, which goes to ret_number; START, STOP and ADOPT at once. */
bool speech_hear(struct speech *speech, enum lab_mark mark, uint32_t *ret_number);

#endif
