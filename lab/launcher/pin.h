/* SPDX-License-Identifier: MIT */
/*
 * CPUs of the guest on CPUs of this machine, one each: in delay mode QEMU runs each of them in a
 * thread of its own. What is measured is then the guest's scheduler and not this machine's too.
 *
 *     thread "CPU 0/TCG"   first CPU of the list          QEMU's other threads (timers, devices,
 *     thread "CPU 1/TCG"   second CPU ...                 files) run where they may
 *
 * The guest's timers are fired by one of those others, which must take a CPU from a busy vCPU for
 * it: at equal priority that takes up to a slice of this machine's scheduler, some milliseconds.
 * Where root may, they run under SCHED_FIFO: they work little.
 */
#ifndef BERTH_LAB_PIN_H
#define BERTH_LAB_PIN_H

#include <sys/types.h>

#include "base/printbuf.h"
#include "base/set.h"
#include "lab/counters.h"

/* One CPU for each of the guest's, all of them ours to use. 0 or -EINVAL, with a sentence. */
int lab_pin_check(const struct set *cpus, uint32_t nr_vcpus, enum lab_time time,
		  struct printbuf *err);
/* WHEN: the guest has booted, so that all of its CPUs run. QEMU must name its threads. 0; -ENOENT:
 * a thread was not found; another -errno: the kernel refused. */
int lab_pin(pid_t emulator, const struct set *cpus, uint32_t nr_vcpus, struct printbuf *err);
/* "CPU 12/TCG": 12; -1: not such a thread. */
int64_t lab_pin_vcpu(const char *thread_name);

#endif
