/* SPDX-License-Identifier: MIT */
/*
 * hardware: loads and stores that missed every cache, as the processor picks them (PEBS, IBS).
 *
 *     a ring per CPU, all processes  -->  those of watched processes that went to memory
 *                                         --> samples of one page, with its node by pagemap
 *
 * The only sampler that counts what placement changes: misses, not uses. It is scarce (4,000 a
 * second and CPU at most, most of them hits), so it goes beside one that sees every page:
 * --sampler accessed-bits,hardware.
 *
 * Rings are per CPU because IBS counts CPUs, not threads, on older kernels, and because processes
 * that are born need not be found first. Samples of others are passed over.
 *
 * Cost: 36 KiB per CPU, at most 256. What a sample takes is not known: no processor that shows its
 * own was at hand (docs/live.md).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/hardware_event.h"
#include "linux/pagemap.h"
#include "linux/ring.h"
#include "linux/samplers.h"

#define CPUS_MAX   256
#define RING_ORDER 3
#define READ_NS	   (100 * NS_PER_MS)
#define PAGE_BITS  12

struct hardware {
	struct live *live;
	struct hardware_event event;
	struct ring rings[CPUS_MAX];
	int leaders[CPUS_MAX];
	uint32_t nr_rings;
	struct pagemap pagemap;
	uint32_t last_pid, last_space; /* LIVE_MAX_SPACES: nobody's that is watched */
	uint64_t due_ns;
	struct sample_batch *batch;
};

static int probe_hardware(void *world, struct printbuf *err)
{
	const struct live *live = world;
	struct hardware_event event;
	return hardware_event_find(live->root, &event, err);
}

static void close_hardware(void *sampler)
{
	struct hardware *hardware = sampler;
	if (!hardware)
		return;
	for (uint32_t i = 0; i < hardware->nr_rings; i++) {
		ring_close(&hardware->rings[i]);
		if (hardware->leaders[i] >= 0)
			close(hardware->leaders[i]);
	}
	pagemap_close(&hardware->pagemap);
	free(hardware);
}

static int open_cpu(struct hardware *hardware, int cpu)
{
	struct hardware_event *event = &hardware->event;
	uint32_t i = hardware->nr_rings;
	hardware->leaders[i] = -1;
	if (event->has_leader) {
		hardware->leaders[i] = ring_open_event(&event->leader, -1, cpu, -1, 0);
		if (hardware->leaders[i] < 0)
			return hardware->leaders[i];
	}
	int error = ring_open(&event->attr, -1, cpu, hardware->leaders[i], RING_ORDER,
			      &hardware->rings[i]);
	if (error && hardware->leaders[i] >= 0)
		close(hardware->leaders[i]);
	hardware->nr_rings += !error;
	return error;
}

static int open_all(struct hardware *hardware, struct printbuf *err)
{
	struct set cpus = SET_EMPTY;
	int error = root_read_set(hardware->live->root, "sys/devices/system/cpu/online", &cpus);
	for (int64_t cpu = set_next(&cpus, 0); !error && cpu >= 0 && hardware->nr_rings < CPUS_MAX;
	     cpu = set_next(&cpus, (uint32_t)cpu + 1))
		error = open_cpu(hardware, (int)cpu);
	set_fini(&cpus);
	if (error)
		return error_set(err, error, "%s: an event cannot be opened: %s%s",
				 hardware->event.name, error_text(error),
				 error == -EACCES ? "; run as root, or grant CAP_PERFMON" : "");
	return 0;
}

static int open_hardware(void *world, void **ret_sampler, struct printbuf *err)
{
	struct live *live = world;
	struct hardware *hardware = calloc(1, sizeof(*hardware));
	if (!hardware)
		return error_set(err, -ENOMEM, "hardware: out of memory");
	hardware->live = live;
	hardware->pagemap.fd = -1;
	hardware->last_space = LIVE_MAX_SPACES;
	int error = hardware_event_find(live->root, &hardware->event, err);
	if (!error)
		error = open_all(hardware, err);
	if (error) {
		close_hardware(hardware);
		return error;
	}
	*ret_sampler = hardware;
	return 0;
}

static uint32_t space_of(struct hardware *hardware, uint32_t pid)
{
	const struct live *live = hardware->live;
	if (pid == hardware->last_pid)
		return hardware->last_space;
	hardware->last_pid = pid;
	hardware->last_space = LIVE_MAX_SPACES;
	for (uint32_t i = live->nr_spaces; i-- > 0;)
		if (live->spaces[i].pidfd >= 0 && (uint32_t)live->spaces[i].pid == pid) {
			hardware->last_space = i;
			break;
		}
	return hardware->last_space;
}

static uint32_t node_of(struct hardware *hardware, uint32_t space, uint64_t page)
{
	if (!pagemap_open(&hardware->pagemap, hardware->live, space) ||
	    pagemap_read(&hardware->pagemap, page, 1) != 1)
		return SAMPLE_NONE;
	uint32_t node = pagemap_node(&hardware->pagemap, &hardware->live->frames, 0);
	return node == FRAMES_NO_NODE ? SAMPLE_NONE : node;
}

/* False: the batch is full; the record comes again. */
static bool take(void *context, const struct perf_event_header *record)
{
	struct hardware *hardware = context;
	struct sample_batch *batch = hardware->batch;
	struct hardware_access access;
	if (!hardware_event_parse(record, &access) || !access.is_memory || access.address == 0)
		return true;
	uint32_t space = space_of(hardware, access.pid);
	if (space == LIVE_MAX_SPACES)
		return true;
	if (batch->nr == batch->max)
		return false;
	struct sample *sample = &batch->samples[batch->nr++];
	*sample = sample_of_page(SAMPLE_HARDWARE, access.time_ns, space,
				 access.address >> PAGE_BITS);
	sample->access = (uint8_t)access.access;
	sample->cpu = access.cpu;
	sample->period = (uint32_t)MIN(access.period, SAMPLE_NONE - 1);
	sample->node = node_of(hardware, space, sample->page);
	return true;
}

static int poll_hardware(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct hardware *hardware = sampler;
	uint64_t begin_ns = clock_thread_cpu_ns();
	hardware->batch = batch;
	hardware->last_pid = 0; /* a pid may be another process by now */
	if (now_ns < hardware->due_ns) {
		hardware->live->wake_ns = MIN(hardware->live->wake_ns, hardware->due_ns);
		return 0;
	}
	for (uint32_t i = 0; i < hardware->nr_rings; i++) {
		ring_read(&hardware->rings[i], take, hardware);
		hardware->live->nr_lost += hardware->rings[i].nr_lost;
		hardware->rings[i].nr_lost = 0;
	}
	pagemap_close(&hardware->pagemap);
	struct live_cost cost = { .own_ns = clock_thread_cpu_ns() - begin_ns };
	live_charge(hardware->live, live_sampler_hardware.name, &cost);
	if (batch->nr == batch->max)
		return 1;
	hardware->due_ns = now_ns + READ_NS;
	hardware->live->wake_ns = MIN(hardware->live->wake_ns, hardware->due_ns);
	return 0;
}

const struct sampler_ops live_sampler_hardware = {
	.name = "hardware",
	.summary = "accesses that missed every cache, as the processor picks them",
	.provides = { SAMPLE_BIT(SAMPLE_HARDWARE) | SAMPLE_HAS_WRITES | SAMPLE_HAS_NODE |
			      SAMPLE_HAS_CPU,
		      1, false },
	.probe = probe_hardware,
	.open = open_hardware,
	.poll = poll_hardware,
	.close = close_hardware,
};
