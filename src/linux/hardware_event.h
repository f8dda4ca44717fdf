/* SPDX-License-Identifier: MIT */
/*
 * Memory accesses that the processor picks: which event of perf's tells them here, and what its
 * records say.
 *
 *     Intel  cpu or cpu_core, event mem-loads (PEBS)       loads; newer ones want mem-loads-aux to
 *                                                          lead the group
 *     AMD    ibs_op, counting operations                   loads and stores
 *     Arm    arm_spe_0                                     records of a kind that is not read here
 *
 *     events/mem-loads   "event=0xcd,umask=0x1,ldlat=3"
 *     format/ldlat       "config1:0-15"        -> bits 0 to 15 of attr.config1 = 3
 *
 * A record is pid and tid, time, address, CPU, period, and the source of the data: it counts as a
 * miss when that was memory of any kind. Parsing needs no kernel and no such processor.
 *
 * Follows include/uapi/linux/perf_event.h, arch/x86/events/amd/ibs.c and
 * Documentation/ABI/testing/sysfs-bus-event_source-devices-format (6.12).
 */
#ifndef BERTH_LINUX_HARDWARE_EVENT_H
#define BERTH_LINUX_HARDWARE_EVENT_H

#include <linux/perf_event.h>

#include "machine/root.h"
#include "policy/sample.h"

struct hardware_event {
	const char *name; /* "PEBS", "IBS" */
	struct perf_event_attr attr, leader;
	bool has_leader;
};

struct hardware_access {
	uint64_t time_ns, address, period;
	uint32_t pid, cpu;
	enum sample_access access;
	bool is_memory; /* no cache had it */
};

/* -EOPNOTSUPP with a sentence where there is none. */
int hardware_event_find(const struct root *root, struct hardware_event *ret, struct printbuf *err);
/* Puts the terms "event=0xcd,umask=0x1" into the bits that the device's formats name. -EBADMSG:
 * not such a text, or a format that is not there. */
int hardware_event_encode(const struct root *root, const char *device, const char *terms,
			  struct perf_event_attr *attr);
/* False: not a sample, or too short. */
bool hardware_event_parse(const struct perf_event_header *record, struct hardware_access *ret);

#endif
