/* SPDX-License-Identifier: MIT */
/*
 * What a program in the lab tells the latency model: a phase, a snapshot, start and stop.
 *
 * A marker is a long no-operation (nopl with a displacement that nothing else uses): free and
 * harmless on real hardware, seen by the plugin when the guest's code is translated. A number is
 * said bit by bit, so that no register has to be read and any plugin API will do:
 *
 *     BEGIN  bit bit ... bit (LAB_MARK_BITS of them, lowest first)  then what the number means
 *
 * The plugin keeps what was said so far per vCPU; BEGIN starts anew, and a wrong count of bits (the
 * thread was moved in the middle) is ignored: say it again when it must arrive. Costs about 20
 * instructions.
 */
#ifndef BERTH_LAB_MARKER_H
#define BERTH_LAB_MARKER_H

#define LAB_MARK_BITS 16

enum lab_mark {
	LAB_MARK_ZERO, /* a bit */
	LAB_MARK_ONE,  /* a bit */
	LAB_MARK_BEGIN,
	LAB_MARK_PHASE, /* the number is the phase that begins: 0 outside, up to LAB_MAX_PHASES */
	LAB_MARK_SNAPSHOT, /* the plugin notes all counters; the number is free, as a name for it */
	LAB_MARK_START,	   /* the agent: boot is over, model from here on */
	LAB_MARK_STOP,	   /* the agent: the program has ended, model no more */
	LAB_MARK_ADOPT,	   /* the agent's child, before exec: address spaces born from now on are
			      the workload's (for --record) */
	LAB_MARK_SYMBOL,   /* the agent, before START: half an address (lab/symbols.h) */
	LAB_NR_MARKS,
};

/* Bytes 0f 1f 84 00 then this plus the mark, little-endian: nopl MAGIC+mark(%rax,%rax,1). */
#define LAB_MARK_MAGIC 0x62657200

#define LAB_MARK_STRING_(x) #x
#define LAB_MARK_STRING(x)  LAB_MARK_STRING_(x)
#define lab_mark(mark)                                                                             \
	__asm__ volatile(".byte 0x0f,0x1f,0x84,0x00\n\t.long " LAB_MARK_STRING(                    \
				 LAB_MARK_MAGIC) "+%c0" ::"i"(mark)                                \
			 : "memory")

static inline void lab_mark_number(unsigned number)
{
	lab_mark(LAB_MARK_BEGIN);
	for (int bit = 0; bit < LAB_MARK_BITS; bit++) {
		if (number >> bit & 1)
			lab_mark(LAB_MARK_ONE);
		else
			lab_mark(LAB_MARK_ZERO);
	}
}

static inline void lab_phase(unsigned phase)
{
	lab_mark_number(phase);
	lab_mark(LAB_MARK_PHASE);
}

static inline void lab_snapshot(unsigned name)
{
	lab_mark_number(name);
	lab_mark(LAB_MARK_SNAPSHOT);
}

#endif
