/* SPDX-License-Identifier: MIT */
/*
 * hint-faults: pages of slow memory, the moment they are used, told by the kernel's own hint
 * faults.
 *
 *     kernel.numa_balancing=2: the scanner takes access away from pages of slow nodes (arming)
 *        |  probe: range and time                                        -> armed.h
 *     the program uses one: a page fault; the page is given back at once
 *        `- perf event: address, time, CPU, and that the entry was there but not readable
 *
 * Why: it names pages, not regions, costs nothing where nothing is used, and tells how long a page
 * lay unused. It sees slow memory only; what is in fast memory others must tell (accessed-bits).
 *
 * A fault is a hint fault when the entry in the page table was there before (its size is known) and
 * could not be read (its frame is not): first touches and swap have no entry, copy-on-write has one
 * that can be read. So are faults on what a program itself protects with PROT_NONE to catch them.
 *
 * The kernel would promote what faults. It is held back by its limit of promotion per second, 0.
 * But for one case: where fast memory has more than 1 GiB and a sixteenth of the node free (above
 * its promotion watermark), the kernel promotes without asking its limit.
 *
 * Mode 2 is the whole machine's: other programs' pages are armed as well, and not promoted.
 *
 * Cost: the faults are the program's (the kernel keeps arming under 3 % of a program's time),
 * telling is perf_open.h's, reading is O(1) a fault and a pagemap entry for its node.
 * bench/samplers prints faults a second, what reading takes and how much slower the program
 * becomes. Follows do_numa_page() in mm/memory.c, should_numa_migrate_memory() in
 * kernel/sched/fair.c, perf_get_pgtable_size() and perf_virt_to_phys() in kernel/events/core.c
 * (6.12 and 7.3).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "linux/armed.h"
#include "linux/hold.h"
#include "linux/numa.h"
#include "linux/perf_open.h"
#include "linux/process.h"
#include "linux/samplers.h"

#define MODE	      "proc/sys/kernel/numa_balancing"
#define LIMIT	      "proc/sys/kernel/numa_balancing_promote_rate_limit_MBps"
#define MODE_TIERING  "2"
#define LOOK_MIN_NS   (50 * NS_PER_MS)
#define LOOK_MAX_NS   NS_PER_S
#define PENDING_MAX   ((uint32_t)1 << 16) /* faults of one look; the rest waits in the rings */
#define ASKED_AT_ONCE 512
#define LARGE_ORDER   9

struct hint {
	uint64_t time_ns, page, latency_ns;
	uint32_t space, cpu;
	uint8_t order;
	bool is_hint; /* else another fault, which ends an arming as well */
};

struct known_pid {
	uint32_t pid, space;
};

struct hints {
	struct live *live;
	struct perf_set faults, armings;
	struct armed armed;
	bool is_attached;
	struct known_pid *pids; /* of live processes, ascending */
	uint32_t nr_pids, max_pids;
	struct hint *pending;
	uint32_t nr, at, max;
	uint64_t due_ns, pause_ns;
};

static int probe(void *world, struct printbuf *err)
{
	struct live *live = world;
	if (!root_has(live->root, MODE) || !root_has(live->root, LIMIT))
		return error_set(err, -EOPNOTSUPP,
				 "/%s: not there; hint faults in slow memory need Linux 6.1 with "
				 "CONFIG_NUMA_BALANCING",
				 LIMIT);
	if (live->machine->nr_tiers < 2)
		return error_set(err, -EOPNOTSUPP,
				 "this machine has one tier of memory, and the kernel arms pages "
				 "of slower ones only");
	return perf_probe(err);
}

static void close_hints(void *sampler)
{
	struct hints *hints = sampler;
	if (!hints)
		return;
	hints->live->uses_balancing = false;
	perf_set_fini(&hints->faults);
	perf_set_fini(&hints->armings);
	armed_fini(&hints->armed);
	free(hints->pids);
	free(hints->pending);
	free(hints);
}

/* The limit first: nothing may be promoted once pages are armed. */
static int hold_settings(const struct live *live, struct printbuf *err)
{
	if (!live->journal)
		return error_set(err, -EPERM,
				 "hint-faults changes kernel.numa_balancing, and nothing may be "
				 "changed here; take another sampler");
	int error = hold_file(live->root, live->journal, LIMIT, "0", err);
	return error ? error : hold_file(live->root, live->journal, MODE, MODE_TIERING, err);
}

static int open_hints(void *world, void **ret_sampler, struct printbuf *err)
{
	struct live *live = world;
	struct hints *hints = calloc(1, sizeof(*hints));
	if (!hints)
		return error_set(err, -ENOMEM, "hint-faults: out of memory");
	hints->live = live;
	hints->pause_ns = LOOK_MIN_NS;
	int error = perf_set_init(&hints->faults, live->root, PERF_FAULTS, err);
	if (!error)
		error = perf_set_init(&hints->armings, live->root, PERF_ARMINGS, err);
	if (!error && perf_set_add_armings(&hints->armings, live->root) < 0)
		perf_set_clear(&hints->armings); /* latencies are not known then */
	if (!error)
		error = hold_settings(live, err);
	if (error) {
		close_hints(hints);
		return error;
	}
	live->uses_balancing = true;
	*ret_sampler = hints;
	return 0;
}

static int attach_process(struct hints *hints, pid_t pid)
{
	struct task_list list = { 0 };
	int error = process_threads(hints->live->root, pid, &list);
	for (size_t i = 0; i < list.nr && !error; i++) {
		error = perf_set_add_thread(&hints->faults, list.items[i]);
		error = error == -ESRCH ? 0 : error;
	}
	task_list_fini(&list);
	return error == -ENOENT || error == -ESRCH ? 0 : error;
}

static int attach_cgroup(struct hints *hints)
{
	int fd = rootfile_open(hints->live->root, hints->live->cgroup, O_RDONLY | O_DIRECTORY);
	int error = fd < 0 ? fd : perf_set_add_cgroup(&hints->faults, fd);
	if (fd >= 0)
		close(fd);
	return error;
}

/* What they start from now on is told too; whom others pick one by one is found among all. */
static int attach(struct hints *hints)
{
	struct live *live = hints->live;
	int error = live->is_listed ? -E2BIG : live->cgroup ? attach_cgroup(hints) : 0;
	for (uint32_t i = 0; i < live->nr_spaces && !error && !live->cgroup; i++)
		if (live_space(live, i))
			error = attach_process(hints, live->spaces[i].pid);
	if (error) { /* too many events or descriptors, or a cgroup of another hierarchy */
		perf_set_clear(&hints->faults);
		error = perf_set_add_all(&hints->faults);
	}
	hints->is_attached = !error;
	return error;
}

static int compare_pids(const void *a, const void *b)
{
	const struct known_pid *left = a, *right = b;
	return left->pid < right->pid ? -1 : left->pid > right->pid;
}

static int list_pids(struct hints *hints)
{
	const struct live *live = hints->live;
	if (live->nr_alive > hints->max_pids) {
		uint32_t max = MAX(live->nr_alive * 2, 16);
		struct known_pid *pids = realloc(hints->pids, max * sizeof(*pids));
		if (!pids)
			return -ENOMEM;
		hints->pids = pids;
		hints->max_pids = max;
	}
	hints->nr_pids = 0;
	for (uint32_t i = 0; i < live->nr_spaces && hints->nr_pids < hints->max_pids; i++)
		if (live->spaces[i].pidfd >= 0)
			hints->pids[hints->nr_pids++] =
				(struct known_pid){ (uint32_t)live->spaces[i].pid, i };
	if (hints->nr_pids) /* qsort(3) of nothing at NULL is not defined */
		qsort(hints->pids, hints->nr_pids, sizeof(*hints->pids), compare_pids);
	return 0;
}

static bool find_space(const struct hints *hints, uint32_t pid, uint32_t *ret_space)
{
	struct known_pid wanted = { .pid = pid };
	const struct known_pid *found = hints->nr_pids
						? bsearch(&wanted, hints->pids, hints->nr_pids,
							  sizeof(*hints->pids), compare_pids)
						: NULL;
	if (found)
		*ret_space = found->space;
	return found;
}

static bool room_for_hint(struct hints *hints)
{
	if (hints->nr < hints->max)
		return true;
	uint32_t max = MAX(hints->max * 2, 1024);
	struct hint *pending = max <= PENDING_MAX ? realloc(hints->pending, max * sizeof(*pending))
						  : NULL;
	if (!pending)
		return false;
	hints->pending = pending;
	hints->max = max;
	return true;
}

/* False: no room; it comes again. */
static bool take_fault(void *context, const struct perf_event_header *record)
{
	struct hints *hints = context;
	struct perf_fault fault;
	uint32_t space, page_bytes = hints->live->machine->page_bytes;
	if (!perf_fault_read(record, &fault) || !find_space(hints, fault.pid, &space))
		return true;
	if (!room_for_hint(hints))
		return false;
	hints->pending[hints->nr++] =
		(struct hint){ .time_ns = fault.time_ns,
			       .page = fault.address / page_bytes,
			       .space = space,
			       .cpu = fault.cpu,
			       .order = fault.page_bytes > page_bytes ? LARGE_ORDER : 0,
			       .is_hint = perf_fault_is_hint(&fault) };
	return true;
}

static bool take_arming(void *context, const struct perf_event_header *record)
{
	struct hints *hints = context;
	struct perf_arming arming;
	uint32_t space, page_bytes = hints->live->machine->page_bytes;
	if (perf_arming_read(record, &arming) && find_space(hints, arming.pid, &space))
		armed_note(&hints->armed, space, arming.start / page_bytes,
			   (arming.end - arming.start) / page_bytes, arming.time_ns);
	return true;
}

/* True: there was something. */
static bool drain(struct hints *hints, struct perf_set *set, ring_take_fn *take)
{
	bool found = false;
	for (uint32_t i = 0; i < set->nr_cpus; i++) {
		struct ring *ring = &set->cpus[i].ring;
		uint64_t tail = ring->bytes.tail;
		ring_read(ring, take, hints);
		found |= ring->bytes.tail != tail;
		hints->live->nr_lost += ring->nr_lost;
		ring->nr_lost = 0;
	}
	return found;
}

static int compare_hints(const void *a, const void *b)
{
	const struct hint *left = a, *right = b;
	if (left->time_ns != right->time_ns)
		return left->time_ns < right->time_ns ? -1 : 1;
	return left->cpu < right->cpu ? -1 : left->cpu > right->cpu;
}

/* In the order of time, each fault ends the arming of its page; only hint faults stay. */
static void find_latencies(struct hints *hints)
{
	uint32_t nr = 0;
	for (uint32_t i = 0; i < hints->nr; i++) {
		struct hint hint = hints->pending[i];
		hint.latency_ns = armed_take(&hints->armed, hint.space, hint.page, hint.time_ns);
		if (hint.is_hint)
			hints->pending[nr++] = hint;
	}
	hints->nr = nr;
}

/* Faults first: what they were armed by is there by then. */
static bool collect(struct hints *hints)
{
	hints->nr = hints->at = 0;
	bool found = drain(hints, &hints->faults, take_fault);
	found |= drain(hints, &hints->armings, take_arming);
	if (hints->nr)
		qsort(hints->pending, hints->nr, sizeof(*hints->pending), compare_hints);
	find_latencies(hints);
	return found;
}

/* Asks for the nodes of a run of one process. */
static void find_nodes(const struct hints *hints, const struct hint *run, size_t nr, uint32_t *ret)
{
	const struct machine *machine = hints->live->machine;
	void *pages[ASKED_AT_ONCE];
	int nodes[ASKED_AT_ONCE];
	struct live_space *space = live_space(hints->live, run->space);
	for (size_t i = 0; i < nr; i++) {
		pages[i] = (void *)(uintptr_t)(run[i].page * machine->page_bytes);
		nodes[i] = -1;
		ret[i] = SAMPLE_NONE;
	}
	if (!space || numa_where(space->pid, nr, pages, nodes) < 0)
		return;
	for (size_t i = 0; i < nr; i++) {
		int64_t index = nodes[i] >= 0 ? machine_node_index(machine, (uint32_t)nodes[i])
					      : -1;
		ret[i] = index >= 0 ? (uint32_t)index : SAMPLE_NONE;
	}
}

static struct sample sample_of(const struct hint *hint, uint32_t node)
{
	struct sample sample = sample_of_page(SAMPLE_HINT_FAULT, hint->time_ns, hint->space,
					      hint->page);
	sample.latency_ns = hint->latency_ns;
	sample.cpu = hint->cpu;
	sample.order = hint->order;
	sample.node = node;
	return sample;
}

/* 1: the batch is full and more is waiting. */
static int give(struct hints *hints, struct sample_batch *batch)
{
	uint32_t nodes[ASKED_AT_ONCE];
	while (hints->at < hints->nr && batch->nr < batch->max) {
		const struct hint *run = &hints->pending[hints->at];
		uint32_t nr = 1, most = MIN(hints->nr - hints->at, batch->max - batch->nr);
		most = MIN(most, (uint32_t)ASKED_AT_ONCE);
		while (nr < most && run[nr].space == run->space)
			nr++;
		find_nodes(hints, run, nr, nodes);
		for (uint32_t i = 0; i < nr; i++)
			batch->samples[batch->nr++] = sample_of(&run[i], nodes[i]);
		hints->at += nr;
	}
	return hints->at < hints->nr;
}

static int poll_rings(struct hints *hints, uint64_t now_ns, struct sample_batch *batch)
{
	int error = 0;
	if (hints->at == hints->nr) {
		if (now_ns < hints->due_ns)
			return 0;
		if (!hints->is_attached && hints->live->nr_alive > 0)
			error = attach(hints);
		if (!error)
			error = list_pids(hints);
		if (error)
			return error;
		bool found = collect(hints);
		hints->pause_ns = found ? LOOK_MIN_NS : MIN(hints->pause_ns * 2, LOOK_MAX_NS);
		hints->due_ns = now_ns + hints->pause_ns;
	}
	return give(hints, batch);
}

static int poll_hints(void *sampler, uint64_t now_ns, struct sample_batch *batch)
{
	struct hints *hints = sampler;
	struct live_cost cost = { .nr_faults = batch->nr };
	uint64_t begin_ns = clock_thread_cpu_ns();
	int more = poll_rings(hints, now_ns, batch);
	cost.own_ns = clock_thread_cpu_ns() - begin_ns;
	cost.nr_faults = batch->nr - cost.nr_faults;
	live_charge(hints->live, live_sampler_hint_faults.name, &cost);
	hints->live->wake_ns = MIN(hints->live->wake_ns, hints->due_ns);
	return more;
}

const struct sampler_ops live_sampler_hint_faults = {
	.name = "hint-faults",
	.summary = "pages of slow memory as they are used, by the kernel's hint faults",
	.provides = { SAMPLE_BIT(SAMPLE_HINT_FAULT) | SAMPLE_HAS_NODE | SAMPLE_HAS_CPU, 1, false },
	.probe = probe,
	.open = open_hints,
	.poll = poll_hints,
	.close = close_hints,
};
