/* SPDX-License-Identifier: MIT */
/*
 * A kdamond that is listened to: what the samplers of virtual and of physical addresses share.
 *
 *     kdamond (kernel) --- a record per region, damon_event.h ---> ring --read--> newest snapshot
 *         ^    ^
 *         |    +-- accessed bits that CPUs hide are told (translations.h)
 *         +------- turned on anew, at most every two seconds, as the pace fits (damon_pace.h)
 *
 * The kdamond's thread may take half of the samplers' share of a CPU (live.h), whoever reads the
 * other half.
 *
 * Cost: a ring of 512 KiB, seven aggregations of a thousand regions; else that of its parts.
 */
#ifndef BERTH_LINUX_DAMON_MONITOR_H
#define BERTH_LINUX_DAMON_MONITOR_H

#include "linux/damon_event.h"
#include "linux/damon_pace.h"
#include "linux/kdamond.h"
#include "linux/live.h"
#include "linux/translations.h"

#define DAMON_READ_MIN_NS (200 * NS_PER_MS) /* between two readings */

struct damon_monitor {
	struct live *live;   /* borrowed */
	const char *sampler; /* whose cost it is */
	struct kdamond kdamond;
	struct damon_events events; /* .ready: the newest snapshot */
	struct ring ring;
	struct translations translations;
	struct damon_pace pace;
	uint64_t started_ns;		/* 0: never */
	uint64_t flushed_ns, kernel_ns; /* CPU time, counted so far */
	uint64_t nr_read;		/* snapshots, all in all */
};

/* As sampler_ops.probe. */
int damon_monitor_probe(const struct live *live, struct printbuf *err);
/* Makes a kdamond, which is off. Whatever it returns, damon_monitor_fini() is due. */
int damon_monitor_init(struct damon_monitor *monitor, struct live *live, const char *sampler,
		       struct printbuf *err);
void damon_monitor_fini(struct damon_monitor *monitor);
/* Turns it on, or on anew, at its pace: the settings' intervals are set here. -ESRCH: all targets
 * have ended; it hears nothing then. */
int damon_monitor_start(struct damon_monitor *monitor, struct kdamond_settings *settings,
			uint64_t now_ns);
/* There is nobody to watch: it hears nothing until the next start. */
void damon_monitor_pause(struct damon_monitor *monitor, uint64_t now_ns);
/* Counts what it took, and heeds the share of now. WHEN: at each poll that does not go on handing
 * out. True: it may be started anew. */
bool damon_monitor_keep(struct damon_monitor *monitor, uint64_t now_ns);
/* True: another pace fits, and is set. WHEN: it may be started anew. */
bool damon_monitor_adapt(struct damon_monitor *monitor, uint64_t now_ns);
/* The newest snapshot; false: none since the last. */
bool damon_monitor_read(struct damon_monitor *monitor, uint64_t now_ns);
/* How long to do nothing after what took so much of our half of the share. */
uint64_t damon_monitor_rest_ns(const struct damon_monitor *monitor, uint64_t cost_ns);

#endif
