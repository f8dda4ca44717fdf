/* SPDX-License-Identifier: MIT */
/*
 * Large folios: random scripts of map, touch, unmap, discard, move, protect, migrate and split
 * against an oracle that adds up frames, lists and blocks anew; and what the kernel's rules make of
 * short scripts, counter by counter.
 */
#include "test.h"

#include "base/random.h"
#include "sim/kernel/linux.h"
#include "sim/simulation.h"
#include "sim_fixture.h"

#define BLOCK	  ((uint64_t)LARGE_PAGES)
#define BASE	  (BLOCK * 100) /* of the scripts' memory */
#define BLOCKS	  24
#define HUGE_LINE "node:dram:24MiB@80ns/100GBps:cpus=0 node:cxl:96MiB@250ns/30GBps"

/* A simulation on a stage, and a second consumer that looks at it after every step. */
struct rig {
	struct machine *machine;
	struct cost_model *cost;
	struct stage *stage;
	struct simulation *simulation;
	struct kernel *kernel;
	struct linux_kernel *linux_state;
	struct random random;
	bool meddles; /* an agent that moves and splits at random */
	uint64_t nr_checks;
};

static uint64_t list_pages(const struct rig *rig, uint32_t node)
{
	uint64_t nr = 0;
	for (uint32_t page = 0; page < rig->kernel->nr_pages; page++)
		nr += rig->kernel->pages[page].node == node && rig->kernel->pages[page].order == 0;
	for (uint32_t id = 0; id < rig->linux_state->large.nr; id++)
		nr += rig->linux_state->large.folios[id]->is_used &&
				      rig->linux_state->large.folios[id]->node == node
			      ? BLOCK
			      : 0;
	return nr;
}

static void check_page(const struct rig *rig, uint32_t page)
{
	const struct linux_kernel *kernel = rig->linux_state;
	const struct kernel_page *entry = &rig->kernel->pages[page];
	struct stage_page address = stage_page(rig->stage, page);
	if (entry->node == KERNEL_NOWHERE) {
		assert_int_equal(entry->order, 0);
		assert_false(lru_is_listed(&kernel->lru, page));
		return;
	}
	assert_true(lru_is_listed(&kernel->lru, linux_entry(kernel, page)));
	uint32_t id = large_at(&kernel->large, address.space, address.page);
	if (entry->order == 0) {
		/* Mapped by itself: no folio maps it, and its block has a page table. */
		assert_int_not_equal(id, LARGE_NONE);
		if (id < LARGE_SMALL)
			assert_false(
				large_is_mapped(large_folio(&kernel->large, id), address.page));
		return;
	}
	const struct large_folio *folio = large_folio(&kernel->large,
						      large_of(&kernel->large, page));
	assert_false(lru_is_listed(&kernel->lru, page));
	assert_int_equal(entry->order, LARGE_ORDER);
	assert_int_equal(folio->node, entry->node);
	assert_int_equal(id, large_of(&kernel->large, page));
	assert_int_equal(folio->pages[address.page % BLOCK], page);
	assert_true(large_is_mapped(folio, address.page));
}

static void check_nodes(const struct rig *rig)
{
	const struct linux_kernel *kernel = rig->linux_state;
	for (uint32_t node = 0; node < 2; node++) {
		uint64_t held = 0, queued = 0;
		for (uint32_t id = 0; id < kernel->large.nr; id++) {
			const struct large_folio *folio = kernel->large.folios[id];
			if (!folio->is_used || folio->node != node)
				continue;
			held += BLOCK - folio->nr_touched;
			queued += folio->is_queued;
			assert_int_equal(folio->is_queued, folio->nr_mapped < BLOCK);
		}
		assert_int_equal(rig->kernel->nodes[node].held_pages, held);
		assert_int_equal(kernel->nodes[node].deferred.nr, queued);
		assert_int_equal(lru_nr_total(&kernel->nodes[node].lru), list_pages(rig, node));
		assert_true(lru_is_valid(&kernel->nodes[node].lru, &kernel->lru));
	}
}

/* Resident: pages by themselves, and of folios what is mapped. */
static void check_spaces(const struct rig *rig)
{
	const struct linux_kernel *kernel = rig->linux_state;
	uint64_t resident[2] = { 0 };
	for (uint32_t page = 0; page < rig->kernel->nr_pages; page++)
		if (rig->kernel->pages[page].node != KERNEL_NOWHERE &&
		    rig->kernel->pages[page].order == 0)
			resident[stage_page(rig->stage, page).space]++;
	for (uint32_t id = 0; id < kernel->large.nr; id++)
		if (kernel->large.folios[id]->is_used)
			resident[kernel->large.folios[id]->space] +=
				kernel->large.folios[id]->nr_mapped;
	for (uint32_t i = 0; i < MIN(kernel->nr_spaces, 2u); i++)
		assert_int_equal(kernel->spaces[i].nr_resident, resident[i]);
}

static void check(struct rig *rig)
{
	if (rig->simulation->has_failed)
		return;
	assert_true(kernel_is_valid(rig->kernel));
	assert_true(large_is_valid(&rig->linux_state->large));
	for (uint32_t page = 0; page < rig->kernel->nr_pages; page++)
		if (rig->kernel->pages[page].node != KERNEL_NOWHERE)
			check_page(rig, page);
	check_nodes(rig);
	check_spaces(rig);
	rig->nr_checks++;
}

static void meddle(struct rig *rig)
{
	for (int i = 0; i < 4 && rig->kernel->nr_pages; i++) {
		uint32_t page = (uint32_t)random_below(&rig->random, rig->kernel->nr_pages);
		if (random_below(&rig->random, 6) == 0)
			kernel_split(rig->kernel, page);
		else
			kernel_migrate(rig->kernel, page, (uint32_t)random_below(&rig->random, 2));
	}
}

static int rig_tick(void *context, const struct stage_tick *tick, struct printbuf *err)
{
	struct rig *rig = context;
	check(rig);
	if (rig->meddles && !rig->simulation->has_failed)
		meddle(rig);
	check(rig);
	return 0;
}

static void rig_open(struct rig *rig, const char *line, const char *keys)
{
	struct stage_config stage = { .tick_ns = NS_PER_MS };
	const struct kernel_ops *ops = kernel_find("linux-tiering");
	uint64_t values[TUNABLES_MAX], capacity[2];
	PRINTBUF(err);
	*rig = (struct rig){ .machine = machine_of(line) };
	tunables_defaults(ops->tunables, ops->nr_tunables, values);
	assert_int_equal(
		tunables_parse(keys, ops->tunables, ops->nr_tunables, "test", values, &err), 0);
	assert_int_equal(cost_model_new(rig->machine, 4096, 64, NULL, &rig->cost, &err), 0);
	assert_int_equal(stage_new(&stage, &rig->stage), 0);
	for (uint32_t i = 0; i < 2; i++)
		capacity[i] = cost_capacity_pages(rig->cost, i);
	struct simulation_config config = { .kernel = ops,
					    .kernel_values = values,
					    .cost = rig->cost,
					    .capacity_pages = capacity,
					    .stage = rig->stage,
					    .dilate = 100 };
	assert_int_equal(simulation_new(&config, &rig->simulation, &err), 0);
	struct stage_consumer simulation = simulation_consumer(rig->simulation);
	struct stage_consumer checker = { .context = rig, .tick = rig_tick };
	assert_int_equal(stage_add_consumer(rig->stage, &simulation), 0);
	assert_int_equal(stage_add_consumer(rig->stage, &checker), 0);
	rig->kernel = rig->simulation->kernel;
	rig->linux_state = linux_of(rig->kernel);
}

static void rig_close(struct rig *rig)
{
	check(rig);
	assert_true(rig->nr_checks > 0);
	stage_free(rig->stage);
	simulation_free(rig->simulation);
	cost_model_free(rig->cost);
	machine_free(rig->machine);
}

static int feed_rig(void *context, const struct trace_batch *batch, struct printbuf *err)
{
	return stage_feed(((struct rig *)context)->stage, batch, err);
}

static void play(struct rig *rig, struct tape *tape)
{
	PRINTBUF(err);
	if (tape_play(tape, feed_rig, rig, &err))
		fail_msg("%s", printbuf_str(&err));
	tape->nr = 0;
}

static uint64_t counter(const struct rig *rig, enum linux_counter which)
{
	return rig->linux_state->counters[which];
}

/* Touches [page, +nr) in order, a nanosecond each. */
static uint64_t touch(struct tape *tape, uint64_t time_ns, uint64_t page, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		tape_access(tape, ++time_ns, 0, page + i, TRACE_MISS | TRACE_WRITE);
	return time_ns;
}

static void map_anew(struct tape *tape, uint64_t time_ns, uint32_t space, uint64_t page,
		     uint64_t nr)
{
	tape_mapping(tape, time_ns, space, TRACE_UNMAP, page, nr, 0);
	tape_map(tape, time_ns, space, page, nr);
}

static void write_change(struct tape *tape, struct random *random, uint64_t time_ns, uint32_t space)
{
	uint64_t page = BASE + random_below(random, BLOCKS * BLOCK);
	uint64_t nr = 1 + random_below(random, 3 * BLOCK);
	if (random_below(random, 2)) { /* whole blocks */
		page -= page % BLOCK;
		nr = BLOCK * (1 + random_below(random, 3));
	}
	switch (random_below(random, 8)) {
	case 0:
	case 1:
		tape_mapping(tape, time_ns, space, TRACE_UNMAP, page, nr, 0);
		break;
	case 2:
		tape_mapping(tape, time_ns, space, TRACE_DISCARD, page, nr, 0);
		break;
	case 3:
		tape_mapping(tape, time_ns, space, TRACE_PROTECT, page, nr, 0);
		tape_last(tape)->detail = 3;
		break;
	case 4:
		tape_mapping(tape, time_ns, space, TRACE_REMAP,
			     BASE + 2 * BLOCKS * BLOCK + (page - BASE) +
				     (random_below(random, 2) ? 0 : 7),
			     nr, page);
		break;
	case 5:
		tape_mapping(tape, time_ns, space, TRACE_ADVICE, page, nr, 0);
		tape_last(tape)->detail = 14 + random_below(random, 2);
		break;
	case 6:
		if (random_below(random, 8) == 0) {
			tape_mapping(tape, time_ns, space, TRACE_PROCESS_END, 0, 0, 0);
			break;
		}
		map_anew(tape, time_ns, space, page, nr);
		break;
	default:
		map_anew(tape, time_ns, space, page, nr);
	}
}

static void write_script(struct tape *tape, uint64_t seed)
{
	struct random random;
	uint64_t time_ns = 0;
	random_init(&random, seed);
	for (uint32_t space = 0; space < 2; space++)
		tape_map(tape, 0, space, BASE, BLOCKS * BLOCK);
	for (int round = 0; round < 120; round++) {
		uint32_t space = (uint32_t)random_below(&random, 2);
		for (int i = 0; i < 60; i++) {
			uint64_t at = random_below(&random, BLOCKS * BLOCK);
			if (random_below(&random, 3) == 0)
				at += 2 * BLOCKS * BLOCK; /* where things are moved to */
			tape_access(tape, time_ns += 20000, space, BASE + at,
				    (uint8_t)(TRACE_MISS | (i % 3 ? 0 : TRACE_WRITE)));
		}
		write_change(tape, &random, time_ns, space);
	}
}

static void test_large_folios_add_up_under_random_scripts(void **state)
{
	static const char *const keys[] = { "thp=always", "thp=always,lru_gen=0", "thp=madvise",
					    "thp=always,numa_balancing=3,free_space_bypass=0" };
	uint64_t allocs = 0, splits = 0, moves = 0, fallbacks = 0, queued = 0, demoted = 0;
	for (uint64_t seed = 1; seed <= 24; seed++) {
		struct tape tape = tape_new();
		struct rig rig;
		rig_open(&rig, HUGE_LINE, keys[seed % ARRAY_SIZE(keys)]);
		random_init(&rig.random, seed);
		rig.meddles = seed % 2;
		write_script(&tape, seed);
		play(&rig, &tape);
		assert_false(rig.simulation->has_failed);
		allocs += counter(&rig, LINUX_THP_FAULT_ALLOC);
		splits += counter(&rig, LINUX_THP_SPLIT_PAGE);
		moves += counter(&rig, LINUX_THP_MIGRATION_SUCCESS);
		fallbacks += counter(&rig, LINUX_THP_FAULT_FALLBACK);
		queued += counter(&rig, LINUX_THP_DEFERRED_SPLIT_PAGE);
		demoted += counter(&rig, LINUX_PGDEMOTE_KSWAPD);
		rig_close(&rig);
		tape_free(&tape);
	}
	/* The scripts reach what they are for. */
	assert_true(allocs > 500 && splits > 50 && moves > 50 && fallbacks > 50 && queued > 100);
	assert_true(demoted > 500);
}

/* One fault, 512 frames; the pages that follow take none. Beside the block nothing is huge. */
static void test_large_fault_takes_the_whole_block(void **state)
{
	struct tape tape = tape_new();
	struct rig rig;
	rig_open(&rig, "node:dram:64MiB:cpus=0 node:cxl:64MiB", "thp=always");
	uint64_t free_pages = rig.kernel->nodes[0].free_pages;
	tape_map(&tape, 0, 0, BASE - 10, BLOCK + 20);
	touch(&tape, 0, BASE + 5, 3);
	touch(&tape, 10, BASE - 1, 1);
	touch(&tape, 20, BASE + BLOCK, 1);
	play(&rig, &tape);
	tape_mapping(&tape, 30, 0, TRACE_ADVICE, 0, 0, 0);
	play(&rig, &tape);
	/* The pages beside it bring their page tables. */
	assert_int_equal(free_pages - rig.kernel->nodes[0].free_pages, BLOCK + 2 + 2);
	assert_int_equal(rig.kernel->nodes[0].held_pages, BLOCK - 3);
	assert_int_equal(counter(&rig, LINUX_THP_FAULT_ALLOC), 1);
	assert_int_equal(counter(&rig, LINUX_THP_FAULT_FALLBACK), 0);
	assert_int_equal(rig.linux_state->spaces[0].nr_resident, BLOCK + 2);
	struct kernel_folio folio;
	uint32_t number = stage_find(rig.stage, 0, BASE + 6);
	assert_true(kernel_folio_of(rig.kernel, number, &folio));
	assert_int_equal(folio.page, BASE);
	assert_int_equal(folio.numbers[6], number);
	assert_int_equal(folio.numbers[100], UINT32_MAX);
	assert_true(kernel_folio_at(rig.kernel, 0, BASE + 100, &folio));
	assert_false(kernel_folio_at(rig.kernel, 0, BASE + BLOCK, &folio));
	check(&rig);
	rig_close(&rig);
	tape_free(&tape);
}

/* madvise takes an advised area only, always all but those advised against; never none. */
static void test_large_folios_heed_advice(void **state)
{
	static const struct {
		const char *keys;
		uint64_t advice; /* 0: none */
		uint64_t allocs;
	} rows[] = {
		{ "thp=always", 0, 1 },	 { "thp=always", 14, 1 },  { "thp=always", 15, 0 },
		{ "thp=madvise", 0, 0 }, { "thp=madvise", 14, 1 }, { "thp=madvise", 15, 0 },
		{ "thp=never", 14, 0 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tape tape = tape_new();
		struct rig rig;
		rig_open(&rig, HUGE_LINE, rows[i].keys);
		tape_map(&tape, 0, 0, BASE, BLOCK);
		if (rows[i].advice) {
			tape_mapping(&tape, 0, 0, TRACE_ADVICE, BASE, BLOCK, 0);
			tape_last(&tape)->detail = rows[i].advice;
		}
		touch(&tape, 0, BASE, 1);
		tape_mapping(&tape, 5, 0, TRACE_ADVICE, 0, 0, 0);
		play(&rig, &tape);
		assert_int_equal(counter(&rig, LINUX_THP_FAULT_ALLOC), rows[i].allocs);
		if (rig.linux_state->thp)
			check(&rig);
		rig.nr_checks = 1;
		rig.simulation->has_failed = true; /* the oracle is for kernels with huge pages */
		rig_close(&rig);
		tape_free(&tape);
	}
}

/* A block with a page table gets no huge page: after a fallback, and after a discard of a cut
 * folio; but it does after its mapping was made anew, or the whole folio was discarded. */
static void test_large_folios_want_an_empty_block(void **state)
{
	struct tape tape = tape_new();
	struct rig rig;
	rig_open(&rig, "node:dram:64MiB:cpus=0 node:cxl:64MiB", "thp=always");
	tape_map(&tape, 0, 0, BASE, 4 * BLOCK);
	uint64_t at = touch(&tape, 0, BASE, 1);
	tape_mapping(&tape, at, 0, TRACE_DISCARD, BASE, BLOCK, 0);
	at = touch(&tape, at, BASE, 1);
	play(&rig, &tape);
	tape_mapping(&tape, at, 0, TRACE_DISCARD, BASE, 10, 0);
	play(&rig, &tape);
	assert_int_equal(counter(&rig, LINUX_THP_FAULT_ALLOC), 2);
	assert_int_equal(counter(&rig, LINUX_THP_SPLIT_PMD), 1);
	assert_int_equal(counter(&rig, LINUX_THP_DEFERRED_SPLIT_PAGE), 1);
	/* A hole in it is filled with a page. */
	at = touch(&tape, at, BASE, 1);
	play(&rig, &tape);
	tape_mapping(&tape, at, 0, TRACE_DISCARD, BASE, BLOCK, 0);
	play(&rig, &tape);
	check(&rig);
	assert_int_equal(rig.linux_state->large.nr_used, 0);
	at = touch(&tape, at, BASE, 1);
	play(&rig, &tape);
	tape_mapping(&tape, at, 0, TRACE_UNMAP, BASE, BLOCK, 0);
	tape_map(&tape, at, 0, BASE, BLOCK);
	play(&rig, &tape);
	assert_int_equal(counter(&rig, LINUX_THP_FAULT_ALLOC), 2);
	touch(&tape, at, BASE, 1);
	tape_mapping(&tape, at + 5, 0, TRACE_ADVICE, 0, 0, 0);
	play(&rig, &tape);
	assert_int_equal(counter(&rig, LINUX_THP_FAULT_ALLOC), 3);
	check(&rig);
	rig_close(&rig);
	tape_free(&tape);
}

/* Only the local node is asked for a folio; pages then fall to the next one as ever. */
static void test_large_fault_falls_back_to_pages(void **state)
{
	struct tape tape = tape_new();
	struct rig rig;
	uint64_t at = 0;
	rig_open(&rig, "node:dram:16MiB:cpus=0 node:cxl:64MiB", "thp=always");
	tape_map(&tape, 0, 0, BASE, 16 * BLOCK);
	for (uint64_t i = 0; i < 16; i++)
		at = touch(&tape, at, BASE + i * BLOCK, 1);
	tape_mapping(&tape, at, 0, TRACE_ADVICE, 0, 0, 0);
	play(&rig, &tape);
	/* 16 MiB less MIN hold 7 folios; the other 9 faults take pages, above LOW here or there. */
	const struct watermarks *marks = &rig.linux_state->nodes[0].marks;
	uint64_t fit = (16 * MIB / 4096 - marks->min) / BLOCK;
	assert_int_equal(counter(&rig, LINUX_THP_FAULT_ALLOC), fit);
	assert_int_equal(counter(&rig, LINUX_THP_FAULT_FALLBACK), 16 - fit);
	check(&rig);
	rig_close(&rig);
	tape_free(&tape);
}

/* A split gives back what was never touched and keeps the place in the list. */
static void test_large_split_frees_what_was_never_touched(void **state)
{
	struct tape tape = tape_new();
	struct rig rig;
	rig_open(&rig, "node:dram:64MiB:cpus=0 node:cxl:64MiB", "thp=always,lru_gen=0");
	tape_map(&tape, 0, 0, BASE, 3 * BLOCK);
	for (uint64_t i = 0; i < 3; i++)
		touch(&tape, i * 10, BASE + i * BLOCK, 4);
	tape_mapping(&tape, 50, 0, TRACE_ADVICE, 0, 0, 0);
	play(&rig, &tape);
	uint64_t free_pages = rig.kernel->nodes[0].free_pages;
	uint32_t page = stage_find(rig.stage, 0, BASE + BLOCK + 2);
	assert_int_equal(kernel_split(rig.kernel, page), 0);
	assert_int_equal(kernel_split(rig.kernel, page), -EALREADY);
	assert_int_equal(kernel_split(rig.kernel, UINT32_MAX), -ENOENT);
	assert_int_equal(rig.kernel->nodes[0].free_pages - free_pages, BLOCK - 4);
	assert_int_equal(counter(&rig, LINUX_THP_SPLIT_PAGE), 1);
	assert_int_equal(counter(&rig, LINUX_THP_SPLIT_PMD), 1);
	/* From old to young: the first folio, pages 0 to 3 of the second, the third folio. */
	const struct linux_kernel *kernel = rig.linux_state;
	uint32_t entry = kernel->nodes[0].lru.two.inactive.oldest;
	assert_int_equal(entry, linux_entry(kernel, stage_find(rig.stage, 0, BASE)));
	for (uint64_t i = 0; i < 4; i++) {
		entry = lru_link_of(&kernel->lru, entry)->newer;
		assert_int_equal(entry, stage_find(rig.stage, 0, BASE + BLOCK + i));
	}
	entry = lru_link_of(&kernel->lru, entry)->newer;
	assert_int_equal(entry, linux_entry(kernel, stage_find(rig.stage, 0, BASE + 2 * BLOCK)));
	assert_int_equal(kernel->lru.nr_entries, 6);
	assert_int_equal(kernel->lru.peak_entries, 7); /* while it was taken apart */
	check(&rig);
	rig_close(&rig);
	tape_free(&tape);
}

/* An agent's move takes all 512 pages along and pays the fixed cost once; without room for all the
 * folio is split and what was touched goes. */
static void test_large_folio_moves_whole_or_in_pieces(void **state)
{
	struct tape tape = tape_new();
	struct rig rig;
	rig_open(&rig, "node:dram:64MiB:cpus=0 node:cxl:64MiB", "thp=always");
	tape_map(&tape, 0, 0, BASE, BLOCK);
	touch(&tape, 0, BASE, 5);
	tape_mapping(&tape, 50, 0, TRACE_ADVICE, 0, 0, 0);
	play(&rig, &tape);
	uint32_t page = stage_find(rig.stage, 0, BASE + 1);
	struct cost_account *account = &rig.simulation->account;
	assert_int_equal(kernel_migrate(rig.kernel, page, 1), 0);
	uint64_t page_ps = rig.cost->move_ps[1], fixed_ps = 1000 * COST_PS_PER_NS;
	assert_int_equal(account->epoch_move_ps, fixed_ps + BLOCK * (page_ps - fixed_ps));
	assert_int_equal(rig.kernel->stats.nr_demoted, BLOCK);
	assert_int_equal(counter(&rig, LINUX_PGMIGRATE_SUCCESS), BLOCK);
	assert_int_equal(rig.kernel->pages[stage_find(rig.stage, 0, BASE)].node, 1);
	assert_int_equal(kernel_migrate(rig.kernel, page, 1), -EALREADY);
	check(&rig);
	/* Room for 100 pages only. */
	uint64_t spare = linux_mark(&rig.linux_state->nodes[0].marks, LINUX_MARK_MIN) + 100;
	uint64_t taken = rig.kernel->nodes[0].free_pages - spare;
	rig.kernel->nodes[0].free_pages -= taken;
	assert_int_equal(kernel_migrate(rig.kernel, page, 0), 0);
	rig.kernel->nodes[0].free_pages += taken;
	assert_int_equal(counter(&rig, LINUX_THP_MIGRATION_SPLIT), 1);
	assert_int_equal(rig.kernel->stats.nr_promoted, 5);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(rig.kernel->pages[stage_find(rig.stage, 0, BASE + i)].node, 0);
	assert_int_equal(rig.linux_state->large.nr_used, 0);
	check(&rig);
	rig_close(&rig);
	tape_free(&tape);
}

/* mremap by whole blocks takes the folio along; otherwise it is split. */
static void test_large_folio_follows_an_aligned_mremap(void **state)
{
	for (uint64_t skew = 0; skew <= 3; skew += 3) {
		struct tape tape = tape_new();
		struct rig rig;
		rig_open(&rig, "node:dram:64MiB:cpus=0 node:cxl:64MiB", "thp=always");
		tape_map(&tape, 0, 0, BASE, 2 * BLOCK);
		touch(&tape, 0, BASE + BLOCK, 5);
		tape_mapping(&tape, 50, 0, TRACE_REMAP, BASE + 9 * BLOCK + skew, 2 * BLOCK, BASE);
		touch(&tape, 60, BASE + 10 * BLOCK + skew, 6);
		tape_mapping(&tape, 70, 0, TRACE_ADVICE, 0, 0, 0);
		play(&rig, &tape);
		check(&rig);
		assert_int_equal(counter(&rig, LINUX_THP_FAULT_ALLOC), 1);
		assert_int_equal(counter(&rig, LINUX_THP_SPLIT_PAGE), skew != 0);
		assert_int_equal(rig.linux_state->large.nr_touched, skew ? 0 : 6);
		rig_close(&rig);
		tape_free(&tape);
	}
}

/* Reclaim splits what is partly unmapped, so that the rest's frames come free. */
static void test_large_reclaim_splits_what_is_queued(void **state)
{
	struct tape tape = tape_new();
	struct rig rig;
	rig_open(&rig, "node:dram:64MiB:cpus=0 node:cxl:64MiB", "thp=always");
	tape_map(&tape, 0, 0, BASE, 4 * BLOCK);
	for (uint64_t i = 0; i < 4; i++)
		touch(&tape, i * 300, BASE + i * BLOCK, 200);
	tape_mapping(&tape, 2000, 0, TRACE_DISCARD, BASE + 100, 4 * BLOCK - 200, 0);
	play(&rig, &tape);
	assert_int_equal(counter(&rig, LINUX_THP_DEFERRED_SPLIT_PAGE), 2);
	assert_int_equal(rig.linux_state->large.nr_used, 2);
	assert_int_equal(rig.linux_state->nodes[0].deferred.nr, 2);
	check(&rig);
	linux_large_shrink(rig.linux_state, 0, 12); /* 2 >> 12: nothing is due */
	assert_int_equal(rig.linux_state->large.nr_used, 2);
	linux_large_shrink(rig.linux_state, 0, 1); /* (2 >> 1) x 2: all */
	assert_int_equal(rig.linux_state->large.nr_used, 0);
	assert_int_equal(counter(&rig, LINUX_THP_SPLIT_PAGE), 2);
	assert_int_equal(rig.kernel->nodes[0].held_pages, 0);
	check(&rig);
	rig_close(&rig);
	tape_free(&tape);
}

static struct move_result submit_one(struct rig *rig, struct plan_move move, uint32_t nr_results)
{
	struct move_result results[8];
	move.why = "test";
	assert_int_equal(simulation_mover.submit(rig->simulation, &move, 1, 0), 1);
	assert_int_equal(simulation_mover.complete(rig->simulation, results, 8, 0), nr_results);
	check(rig);
	return results[0];
}

/* The mover moves folios whole, touched or not, and tells of the pages named; is_split takes the
 * named pages out of their folio. */
static void test_large_mover_moves_folios_whole(void **state)
{
	struct tape tape = tape_new();
	struct rig rig;
	rig_open(&rig, "node:dram:64MiB:cpus=0 node:cxl:64MiB", "thp=always");
	tape_map(&tape, 0, 0, BASE, 2 * BLOCK);
	touch(&tape, 0, BASE, 5);
	touch(&tape, 10, BASE + BLOCK, 5);
	tape_mapping(&tape, 50, 0, TRACE_ADVICE, 0, 0, 0);
	play(&rig, &tape);
	struct plan_move move = { .page = BASE + 300, .nr_pages = 2, .to = 1 };
	struct move_result result = submit_one(&rig, move, 1);
	assert_int_equal(result.outcome, MOVE_DONE);
	assert_int_equal(result.nr_pages, 2);
	assert_int_equal(result.node, 1);
	assert_int_equal(rig.kernel->stats.nr_demoted, BLOCK);
	/* Over both blocks: one is there, one goes. */
	result = submit_one(&rig,
			    (struct plan_move){ .page = BASE, .nr_pages = 2 * BLOCK, .to = 1 }, 2);
	assert_int_equal(result.outcome, MOVE_REFUSED_THERE);
	assert_int_equal(result.nr_pages, BLOCK);
	assert_int_equal(rig.kernel->stats.nr_demoted, 2 * BLOCK);
	result = submit_one(
		&rig,
		(struct plan_move){ .page = BASE + 2, .nr_pages = 2, .to = 0, .is_split = true },
		1);
	assert_int_equal(result.outcome, MOVE_DONE);
	assert_int_equal(result.nr_pages, 2);
	assert_int_equal(rig.kernel->stats.nr_promoted, 2);
	assert_int_equal(counter(&rig, LINUX_THP_SPLIT_PAGE), 1);
	assert_int_equal(rig.kernel->pages[stage_find(rig.stage, 0, BASE)].node, 1);
	assert_int_equal(rig.kernel->pages[stage_find(rig.stage, 0, BASE + 3)].node, 0);
	/* Without room for all of it the folio is split and what fits goes: two, as the first takes
	 * the node below MIN by what the CPU's list is filled with. */
	uint64_t spare = linux_mark(&rig.linux_state->nodes[0].marks, LINUX_MARK_MIN) + 3;
	uint64_t taken = rig.kernel->nodes[0].free_pages - spare;
	rig.kernel->nodes[0].free_pages -= taken;
	move = (struct plan_move){ .page = BASE + BLOCK, .nr_pages = 6, .to = 0 };
	struct move_result results[8];
	move.why = "test";
	assert_int_equal(simulation_mover.submit(rig.simulation, &move, 1, 0), 1);
	assert_int_equal(simulation_mover.complete(rig.simulation, results, 8, 0), 3);
	rig.kernel->nodes[0].free_pages += taken;
	static const uint8_t outcomes[] = { MOVE_DONE, MOVE_REFUSED_FULL, MOVE_REFUSED_GONE };
	static const uint64_t lengths[] = { 2, 3, 1 };
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(results[i].outcome, outcomes[i]);
		assert_int_equal(results[i].nr_pages, lengths[i]);
	}
	check(&rig);
	rig_close(&rig);
	tape_free(&tape);
}
