/* SPDX-License-Identifier: MIT */
/* A kdamond that is listened to (damon_monitor.h). */
#include "linux/damon_monitor.h"

#include "base/error.h"

#define RING_ORDER   7
#define RESTART_NS   (2 * NS_PER_S)
#define SHARE_MAX_BP 10000

static int find_events(const struct live *live, struct damon_events *ret, struct printbuf *err)
{
	int error = damon_events_find(live->root, live->machine->page_bytes, ret);
	return error ? error_set(err, error == -EACCES ? -EPERM : -EOPNOTSUPP,
				 "the tracepoint " DAMON_EVENT " cannot be found: %s; mount "
				 "tracefs, or use a kernel with CONFIG_FTRACE",
				 error_text(error))
		     : 0;
}

int damon_monitor_probe(const struct live *live, struct printbuf *err)
{
	struct damon_events events;
	int error = kdamond_probe(live->root, &live->kdamonds, err);
	return error ? error : find_events(live, &events, err);
}

int damon_monitor_init(struct damon_monitor *monitor, struct live *live, const char *sampler,
		       struct printbuf *err)
{
	*monitor = (struct damon_monitor){ .live = live, .sampler = sampler, .ring.fd = -1 };
	damon_pace_init(&monitor->pace);
	int error = find_events(live, &monitor->events, err);
	if (!error)
		error = translations_init(&monitor->translations, live->root);
	if (!error)
		error = kdamond_make(&live->kdamonds, live->root, live->journal, &monitor->kdamond,
				     err);
	return error;
}

void damon_monitor_fini(struct damon_monitor *monitor)
{
	translations_fini(&monitor->translations);
	ring_close(&monitor->ring);
	kdamond_remove(&monitor->kdamond);
	damon_events_fini(&monitor->events);
}

static uint64_t half_share_bp(const struct damon_monitor *monitor)
{
	return MAX(MIN(monitor->live->sampling_share_bp, SHARE_MAX_BP) / 2, 1);
}

uint64_t damon_monitor_rest_ns(const struct damon_monitor *monitor, uint64_t cost_ns)
{
	return cost_ns * SHARE_MAX_BP / half_share_bp(monitor);
}

/* What its threads took since last asked. */
static void account(struct damon_monitor *monitor)
{
	uint64_t all_ns = kdamond_cpu_ns(&monitor->kdamond);
	uint64_t flushed_ns = translations_cpu_ns(&monitor->translations);
	struct live_cost cost = { .own_ns = flushed_ns - monitor->flushed_ns };
	if (all_ns > monitor->kernel_ns) {
		cost.kernel_ns = all_ns - monitor->kernel_ns;
		monitor->kernel_ns = all_ns;
	}
	monitor->flushed_ns = flushed_ns;
	live_charge(monitor->live, monitor->sampler, &cost);
}

static int flush(struct damon_monitor *monitor)
{
	return translations_begin(&monitor->translations, monitor->pace.sample_us * NS_PER_US,
				  half_share_bp(monitor));
}

static int listen_to_it(struct damon_monitor *monitor)
{
	struct perf_event_attr attr;
	damon_events_attr(&monitor->events, &attr);
	return ring_open(&attr, monitor->kdamond.pid, -1, -1, RING_ORDER, &monitor->ring);
}

void damon_monitor_pause(struct damon_monitor *monitor, uint64_t now_ns)
{
	account(monitor);
	ring_close(&monitor->ring);
	damon_events_clear(&monitor->events);
	monitor->started_ns = now_ns;
	monitor->kernel_ns = 0;
}

int damon_monitor_start(struct damon_monitor *monitor, struct kdamond_settings *settings,
			uint64_t now_ns)
{
	damon_monitor_pause(monitor, now_ns);
	settings->sample_us = monitor->pace.sample_us;
	settings->aggregation_us = monitor->pace.sample_us * DAMON_CHECKS;
	int error = kdamond_start(&monitor->kdamond, settings, NULL);
	if (!error)
		error = listen_to_it(monitor);
	if (!error)
		error = flush(monitor);
	monitor->kernel_ns = kdamond_cpu_ns(&monitor->kdamond);
	damon_pace_begin(&monitor->pace, now_ns, monitor->kernel_ns);
	return error;
}

bool damon_monitor_keep(struct damon_monitor *monitor, uint64_t now_ns)
{
	account(monitor);
	if (monitor->ring.fd >= 0)
		flush(monitor);
	return monitor->started_ns == 0 || now_ns - monitor->started_ns >= RESTART_NS;
}

bool damon_monitor_adapt(struct damon_monitor *monitor, uint64_t now_ns)
{
	return monitor->nr_read > 0 &&
	       damon_pace_adapt(&monitor->pace, &monitor->events.ready, now_ns, monitor->kernel_ns,
				half_share_bp(monitor));
}

bool damon_monitor_read(struct damon_monitor *monitor, uint64_t now_ns)
{
	ring_read(&monitor->ring, damon_events_take, &monitor->events);
	monitor->live->nr_lost += monitor->ring.nr_lost;
	monitor->ring.nr_lost = 0;
	damon_events_settle(&monitor->events, now_ns, DAMON_SAMPLE_MIN_US * NS_PER_US);
	if (monitor->nr_read == monitor->events.nr_snapshots)
		return false;
	monitor->nr_read = monitor->events.nr_snapshots;
	return true;
}
