/* SPDX-License-Identifier: MIT */
/*
 * A batch of pages of large and small folios: each folio is named once, neighbours in memory are
 * asked for once, and what is told of each page is where it is, even when a folio was split on its
 * way. Over a kernel of two nodes that is an array, with /proc/kpageflags and pagemap as files.
 */
#include "test.h"

#include <linux/kernel-page-flags.h>
#include <sys/syscall.h>

#include "base/random.h"
#include "linux/move_batch.h"
#include "root_fixture.h"

#define PAGES	    4096 /* of the process; nothing is asked of page 0, whose address is NULL */
#define NODE_FRAMES 8192 /* of each node */
#define PAGE_BYTES  4096

static struct {
	uint32_t frame[PAGES]; /* of each page; node: frame / NODE_FRAMES */
	uint32_t head[PAGES];  /* page of its folio */
	uint32_t next_frame[2];
	bool splits; /* a large folio loses its second half on the way */
	uint32_t nr_named, nr_asked, nr_twice;
	bool is_named[PAGES]; /* by its folio's head */
	int pagemap_fd, flags_fd;
} fake;

static uint32_t size_of(uint32_t page)
{
	uint32_t head = fake.head[page], end = page;
	while (end < PAGES && fake.head[end] == head)
		end++;
	return end - head;
}

static void write_word(int fd, uint64_t at, uint64_t word)
{
	assert_int_equal(pwrite(fd, &word, sizeof(word), (off_t)(at * sizeof(word))), 8);
}

static void show_page(uint32_t page)
{
	bool is_large = size_of(page) > 1, is_head = fake.head[page] == page;
	uint64_t flags = UINT64_C(1) << KPF_ANON;
	if (is_large)
		flags |= UINT64_C(1) << (is_head ? KPF_COMPOUND_HEAD : KPF_COMPOUND_TAIL);
	write_word(fake.pagemap_fd, page, UINT64_C(1) << 63 | fake.frame[page]);
	write_word(fake.flags_fd, fake.frame[page], flags);
}

/* Folios of so many pages get frames in a row, aligned to their size. */
static void put_folio(uint32_t page, uint32_t nr, uint32_t node)
{
	uint32_t first = (fake.next_frame[node] + nr - 1) / nr * nr;
	assert_true(first + nr <= (node + 1) * NODE_FRAMES);
	fake.next_frame[node] = first + nr;
	for (uint32_t i = 0; i < nr; i++) {
		fake.frame[page + i] = first + i;
		fake.head[page + i] = page;
	}
}

static void show_all(void)
{
	for (uint32_t page = 0; page < PAGES; page++)
		show_page(page);
}

static int fake_where(pid_t pid, size_t nr, void *const *pages, int *ret_nodes)
{
	(void)pid;
	fake.nr_asked += (uint32_t)nr;
	for (size_t i = 0; i < nr; i++)
		ret_nodes[i] = (int)(fake.frame[(uintptr_t)pages[i] / PAGE_BYTES] / NODE_FRAMES);
	return 0;
}

static void move_folio(uint32_t head, uint32_t to)
{
	uint32_t nr = size_of(head);
	bool is_split = fake.splits && nr > 1;
	for (uint32_t i = is_split ? nr / 2 : 0; is_split && i < nr; i++)
		fake.head[head + i] = head + i;
	for (uint32_t i = 0; is_split && i < nr / 2; i++)
		put_folio(head + i, 1, to);
	if (!is_split)
		put_folio(head, nr, to);
	for (uint32_t i = 0; i < nr; i++)
		show_page(head + i);
}

static int64_t fake_move(pid_t pid, size_t nr, void *const *pages, const int *nodes, int *ret_nodes)
{
	(void)pid;
	for (size_t i = 0; i < nr; i++) {
		if (!pages[i]) {
			ret_nodes[i] = -EFAULT;
			continue;
		}
		uint32_t head = fake.head[(uintptr_t)pages[i] / PAGE_BYTES];
		fake.nr_named++;
		fake.nr_twice += fake.is_named[head];
		fake.is_named[head] = true;
		move_folio(head, (uint32_t)nodes[i]);
		ret_nodes[i] = nodes[i];
	}
	return 0;
}

struct fixture {
	struct machine *machine;
	struct move_batch *batch;
	struct move_target target;
};

static void begin(struct fixture *fixture, bool has_flags)
{
	PRINTBUF(path);
	memset(&fake, 0, sizeof(fake));
	fake.next_frame[0] = 512; /* frame 0 is none */
	fake.next_frame[1] = NODE_FRAMES;
	move_calls = (struct move_calls){ fake_where, fake_move };
	root_begin();
	prt_printf(&path, "proc/%d/pagemap", getpid());
	put(printbuf_str(&path), "");
	put(has_flags ? "proc/kpageflags" : "proc/else", "");
	put("proc/kpagecount", "");
	fake.pagemap_fd = openat(root.fd, printbuf_str(&path), O_RDWR);
	fake.flags_fd = openat(root.fd, has_flags ? "proc/kpageflags" : "proc/else", O_RDWR);
	assert_int_equal(ftruncate(fake.flags_fd, 2 * NODE_FRAMES * sizeof(uint64_t)), 0);
	assert_int_equal(machine_parse("node:dram:1GiB@80ns:cpus=0 node:cxl:1GiB@250ns",
				       &fixture->machine, NULL),
			 0);
	fixture->batch = calloc(1, sizeof(*fixture->batch));
	assert_non_null(fixture->batch);
	assert_int_equal(move_batch_init(fixture->batch, &root, fixture->machine), 0);
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	fixture->target = (struct move_target){ 0, getpid(), pidfd };
	move_batch_begin(fixture->batch, &fixture->target);
}

static void end(struct fixture *fixture)
{
	assert_int_equal(fake.nr_twice, 0);
	move_target_close(&fixture->target);
	move_batch_fini(fixture->batch);
	free(fixture->batch);
	machine_free(fixture->machine);
	close(fake.pagemap_fd);
	close(fake.flags_fd);
	root_end();
}

/* Every page of the batch is told of once, with the node where it is. */
static uint32_t check_results(const struct fixture *fixture, uint32_t nr_pages)
{
	static bool is_told[PAGES];
	const struct move_batch *batch = fixture->batch;
	uint32_t nr_done = 0, nr_told = 0;
	memset(is_told, 0, sizeof(is_told));
	for (uint32_t i = 0; i < batch->nr_results; i++)
		for (uint64_t j = 0; j < batch->results[i].nr_pages; j++) {
			const struct move_result *result = &batch->results[i];
			uint64_t page = result->page + j;
			assert_false(is_told[page]);
			is_told[page] = true;
			nr_told++;
			assert_int_equal(result->node, fake.frame[page] / NODE_FRAMES);
			assert_int_equal(result->outcome == MOVE_DONE,
					 result->node == result->to && result->from != result->to);
			nr_done += result->outcome == MOVE_DONE;
		}
	assert_int_equal(nr_told, nr_pages);
	return nr_done;
}

static void test_a_huge_folio_is_one(void **state)
{
	struct fixture fixture;
	(void)state;
	begin(&fixture, true);
	for (uint32_t page = 0; page < 512; page++)
		put_folio(page, 1, 1);
	put_folio(512, 512, 1);
	for (uint32_t page = 1024; page < PAGES; page++) /* in memory each two are crossed */
		put_folio(page ^ 1, 1, 1);
	show_all();
	move_batch_add(fixture.batch, 512, 512, 0, 0);
	move_batch_add(fixture.batch, 1024, 4, 0, 0);
	move_batch_run(fixture.batch, 0);
	assert_int_equal(check_results(&fixture, 516), 516);
	assert_int_equal(fake.nr_named, 5);
	assert_int_equal(fake.nr_asked, 5 + 1); /* the rest of the folio may have been left */
	end(&fixture);
}

static void test_neighbours_are_not_a_folio(void **state)
{
	struct fixture fixture;
	(void)state;
	begin(&fixture, true);
	for (uint32_t page = 0; page < PAGES; page++)
		put_folio(page, 1, 1);
	show_all();
	move_batch_add(fixture.batch, 10, 1200, 0, 0);
	move_batch_run(fixture.batch, 0);
	assert_int_equal(check_results(&fixture, 1200), 1200);
	assert_int_equal(fake.nr_named, 1200);
	assert_in_range(fake.nr_asked, 3, 4); /* once for each 2 MiB of frames */
	end(&fixture);
}

/* The head is on its new node, and half of the folio is not: it is not to be told of as moved. */
static void test_a_folio_is_split_on_its_way(void **state)
{
	struct fixture fixture;
	(void)state;
	begin(&fixture, true);
	for (uint32_t page = 0; page < PAGES; page += 512)
		put_folio(page, 512, 1);
	show_all();
	fake.splits = true;
	move_batch_add(fixture.batch, 512, 1024, 0, 0);
	move_batch_run(fixture.batch, 0);
	assert_int_equal(check_results(&fixture, 1024), 512);
	assert_int_equal(fake.nr_named, 2);
	end(&fixture);
}

static void test_without_flags(void **state)
{
	struct fixture fixture;
	(void)state;
	begin(&fixture, false);
	for (uint32_t page = 0; page < PAGES; page++)
		put_folio(page, 1, 1);
	show_all();
	move_batch_add(fixture.batch, 10, 100, 0, 0);
	move_batch_run(fixture.batch, 0);
	assert_int_equal(check_results(&fixture, 100), 100);
	assert_int_equal(fake.nr_asked, 100); /* all were named, and have come */
	end(&fixture);
}

static uint64_t count_folios(const struct move_batch *batch)
{
	static bool is_wanted[PAGES];
	uint64_t nr = 0;
	memset(is_wanted, 0, sizeof(is_wanted));
	for (uint32_t i = 0; i < batch->nr_items; i++) {
		const struct move_item *item = &batch->items[i];
		uint32_t head = fake.head[item->page];
		if (fake.frame[item->page] / NODE_FRAMES == item->to)
			continue;
		nr += !is_wanted[head];
		is_wanted[head] = true;
	}
	return nr;
}

/* Against the naive rule: a folio is named once if any page of it was asked for and is elsewhere.
 */
static void test_random_folios(void **state)
{
	struct random random;
	(void)state;
	random_init(&random, 7);
	for (unsigned round = 0; round < 60; round++) {
		struct fixture fixture;
		uint32_t nr_pages = 0;
		begin(&fixture, true);
		for (uint32_t page = 0; page < PAGES;) {
			uint32_t nr = 1u << random_below(&random, 10);
			while (page % nr || page + nr > PAGES)
				nr /= 2;
			put_folio(page, nr, (uint32_t)random_below(&random, 2));
			page += nr;
		}
		show_all();
		for (uint32_t page = 512; page < PAGES && nr_pages < 1500;) {
			uint32_t nr = 1 + (uint32_t)random_below(&random, 300);
			nr = MIN(nr, PAGES - page);
			if (random_below(&random, 3)) {
				move_batch_add(fixture.batch, page, nr, 0, 0);
				nr_pages += nr;
			}
			page += nr;
		}
		uint64_t nr_folios = count_folios(fixture.batch);
		move_batch_run(fixture.batch, 0);
		check_results(&fixture, nr_pages);
		assert_int_equal(fake.nr_named, nr_folios);
		end(&fixture);
	}
}
