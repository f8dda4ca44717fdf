/* SPDX-License-Identifier: MIT */
/*
 * Recording a program that runs in the lab, from outside of its kernel: which address spaces are
 * the workload's, what they map, which pages they touch and miss, and on which node each page is.
 * Knows nothing of QEMU (record_plugin.c does), so that tests drive it with scripted guests.
 *
 *     mov to cr3 ---------> which space runs                  -+
 *     syscall, sysret ----> calls: mappings, births, ends      +--> lane of the space
 * (trace/ring.h) iret to user mode --> a child's or a new image's birth   |      one ring per space
 *     access (access.h) --> touch, miss, node of the page     -+
 *
 * Which spaces. ADOPT is said by the agent's child before it calls execve; that child's space is
 * watched from then on, but not recorded. A space of the workload is born where one of the
 * watched calls execve (a blank set of registers goes to user mode under another CR3) or forks (the
 * parent's stack pointer goes to user mode under another CR3, with 0 as the result). So programs
 * that the kernel starts by itself, and the kernel's own page tables for patching text, are never
 * taken for the workload. Threads are told apart by the base of their thread-local storage.
 *
 * An ended space's CR3 is free for another. An exit is seen as a call; a process that a signal ends
 * is not, and its space ends when its CR3 is reused by a birth, or with the recording. A forked
 * child is taken for a new one under a used CR3 only if the old one ever made a call.
 *
 * Time is the guest's instructions since START, of user code and kernel, all processes, without the
 * kernel's work on placement (work.h). Touches are per interval of it. A page's node is noted when
 * an access shows it on another one than before: a page that the kernel moves is seen at its next
 * touch or miss.
 *
 * Not seen: 32-bit system calls, names of mapped files ("[file]"), shmat, instruction fetches.
 *
 * Cost: 12 bytes per page in use and 1 MiB of address space per space; about 20 ns per access that
 * the model's filter does not answer, 1 us per system call and return from an interrupt.
 */
#ifndef BERTH_LAB_LATENCY_RECORD_H
#define BERTH_LAB_LATENCY_RECORD_H

#include "lab/latency/record_image.h"
#include "recorder/pages.h"
#include "recorder/regions.h"
#include "trace/ring.h"

#define RECORD_MAX_BIRTHS  256
#define RECORD_MAX_THREADS 1024 /* at a time, per space; further ones count as the first */
#define RECORD_NO_CALL	   ((int64_t)-1)

struct record_thread {
	uint64_t base; /* of its thread-local storage: who it is */
	uint32_t number;
	int64_t call; /* that it is in, or RECORD_NO_CALL */
	uint64_t arguments[6];
};

struct record_space {
	struct record_space *next; /* of those alive */
	uint64_t table;		   /* physical address in CR3 */
	uint32_t number;	   /* lane; TRACE_NONE: watched, not recorded */
	struct lane *lane;	   /* NULL: not recorded */
	struct ring_producer ring;
	struct pages pages; /* frame: node + 1 */
	struct regions regions;
	struct record_thread *threads;
	uint32_t nr_threads, room_threads, current, next_thread;
	uint32_t nr_unborn_threads; /* cloned, not yet seen */
	uint32_t nr_vforks;	    /* children that borrow this space */
	uint64_t vfork_base;	    /* storage of the thread that the last of them stands in for */
	uint64_t nr_calls;
	uint64_t heap_end;
	struct record_image image; /* what execve mapped, until it could be read */
	uint64_t last_ticks;
};

/* A child or an image that has been asked for and not yet been seen in user mode; a child stays
 * here until its parent knows its number too. */
struct record_birth {
	struct record_space *parent; /* NULL once it has ended: children outlive parents */
	struct lane *child;	     /* NULL: not yet seen; lanes outlive their spaces */
	uint64_t parent_table;
	uint32_t parent_number; /* TRACE_NONE: the parent is not recorded, nor is the child */
	bool is_exec, is_seen, is_borrower; /* borrower: of a vfork */
	uint64_t stack;			    /* the child's stack pointer */
	int32_t pid;			    /* 0: not yet known */
	/* A child's, as its parent had them. */
	struct regions regions;
	uint64_t heap_end;
	struct record_image image;
	char name[RECORD_NAME_BYTES];
};

struct record {
	struct recording *recording;
	uint64_t now; /* ticks; set before each call below */
	uint64_t interval_end;
	uint32_t epoch;
	uint8_t wanted; /* TRACE_MISS, TRACE_TOUCH */
	uint64_t table; /* that runs */
	struct record_space *spaces, *current;
	struct record_birth births[RECORD_MAX_BIRTHS]; /* oldest first */
	uint32_t nr_births, nr_lost_births;
	record_read_fn *read; /* of the guest's memory, in the space that runs */
	void (*forget)(void); /* an interval began: every page is to be seen again */
};

/* What goes to user mode. */
struct record_frame {
	uint64_t stack, base;
	uint64_t result; /* rax */
	bool is_blank;	 /* all general registers are 0: a new image */
};

/* -EINVAL: `recording` is not what the launcher makes. */
int record_init(struct record *record, struct recording *recording);
void record_fini(struct record *record);

/* The space that runs is the agent's child, about to exec. */
void record_adopt(struct record *record);
void record_switch(struct record *record, uint64_t cr3);
/* Before the call, in user mode. */
void record_call(struct record *record, int64_t number, const uint64_t arguments[6],
		 uint64_t stack);
/* The call is over: back to user mode by sysret. */
void record_return(struct record *record, uint64_t base, uint64_t result);
/* Anything else that goes to user mode. */
void record_enter(struct record *record, const struct record_frame *frame);
/* flags: TRACE_WRITE, TRACE_MISS, TRACE_SYSCALL. */
void record_access(struct record *record, uint64_t address, uint32_t node, uint8_t flags);
/* The program has ended, or the guest has: all spaces end. */
void record_stop(struct record *record);

/* Worth reading registers for? */
static inline bool record_watches(const struct record *record)
{
	return record->current != NULL;
}

static inline bool record_wants_frames(const struct record *record)
{
	return record->current != NULL || record->nr_births > 0;
}

/* The parts, each in its own file. */
/* `name` NULL: to be watched only. NULL: no memory, or as many lanes as there can be. */
struct record_space *record_space_new(struct record *record, uint64_t table, uint32_t parent,
				      const char *name, int32_t pid);
/* What is known goes out; the space is gone. */
void record_space_end(struct record *record, struct record_space *space);
void record_put_mapping(struct record *record, struct record_space *space, enum trace_mapping_op op,
			uint64_t address, uint64_t nr_bytes, const char *name, uint64_t detail,
			uint32_t protection);
/* What a child has from its parent. */
void record_bequeath(const struct record_space *parent, struct record_birth *birth);
void record_inherit(struct record *record, struct record_space *child,
		    const struct record_birth *birth);
void record_drop_birth(struct record *record, uint32_t i);
/* The thread that runs, by the base of its storage; makes it current. */
struct record_thread *record_thread_of(struct record *record, struct record_space *space,
				       uint64_t base);
void record_thread_end(struct record *record, struct record_space *space);
void record_map_image(struct record *record, struct record_space *space);

#endif
