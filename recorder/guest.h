/* SPDX-License-Identifier: MIT */
/* What the recorder reads of its guest: memory, system calls, what is mapped at the start. */
#ifndef BERTH_RECORDER_GUEST_H
#define BERTH_RECORDER_GUEST_H

#include "core.h"

/* Where guest address 0 lies in this process; known from the first translated instruction. */
extern uint64_t guest_base;

/* Bytes read, 0 when the guest has nothing there: never faults. */
size_t guest_read(uint64_t address, void *to, size_t nr_bytes);
/* Up to size - 1 characters and a NUL; returns the length. */
size_t guest_read_string(uint64_t address, char *to, size_t size);

/* Maps the program and its loader, as /proc/self/maps shows them before the first instruction. */
void guest_initial_maps(void);
/* The mapping that holds the first address the program stores to. */
void guest_stack_map(struct thread *thread, uint64_t address);

void guest_call(struct thread *thread, int64_t number, const uint64_t arguments[6]);
void guest_return(struct thread *thread, int64_t result);

#endif
