/* SPDX-License-Identifier: MIT */
/*
 * Recording programs that run: how /proc/PID/maps is read and compared, what is known of pages, and
 * the file that comes of samples which a sampler of a test made up.
 */
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "linux/known.h"
#include "linux/maps.h"
#include "linux/watch_write.h"

static void add(struct maps *maps, const char *text)
{
	char line[256];
	snprintf(line, sizeof(line), "%s", text);
	assert_int_equal(maps_add_line(maps, line, 4096), 0);
}

static void test_lines_of_maps_are_read(void **state)
{
	struct maps maps = { 0 };
	(void)state;
	add(&maps, "00400000-00402000 r-xp 00000000 08:01 42         /usr/bin/a program\n");
	add(&maps, "01000000-01003000 rw-p 00000000 00:00 0          [heap]\n");
	add(&maps, "7f0000000000-7f0000001000 rw-p 00000000 00:00 0\n");
	add(&maps, "7f0000001000-7f0000002000 ---p 00000000 00:00 0\n");
	add(&maps, "7f0000000000-7f0000003000 rw-p 00000000 00:00 0\n"); /* overlaps */
	add(&maps, "7fff00000000-7fff00001000 r-xp 00000000 00:00 0    [vdso]\n");
	add(&maps, "nonsense\n");
	add(&maps, "1000-\n");
	add(&maps, "9000000000000-8000000000000 rw-p 0 0 0\n");
	add(&maps, "");
	assert_int_equal(maps.nr, 3);
	assert_string_equal(maps.items[0].name, "/usr/bin/a program");
	assert_int_equal(maps.items[0].first, 0x400);
	assert_int_equal(maps.items[0].end, 0x402);
	assert_int_equal(maps.items[0].protection, PROT_READ | PROT_EXEC);
	assert_string_equal(maps.items[1].name, "[heap]");
	assert_string_equal(maps.items[2].name, "[anon]");
	maps_fini(&maps);
}

struct changes {
	struct printbuf text;
};

static int on_change(void *context, const struct map *part, bool is_new)
{
	struct changes *changes = context;
	prt_printf(&changes->text, "%c%llx-%llx %s;", is_new ? '+' : '-',
		   (unsigned long long)part->first, (unsigned long long)part->end, part->name);
	return 0;
}

static void test_maps_are_compared_part_by_part(void **state)
{
	struct maps before = { 0 }, now = { 0 };
	struct changes changes = { PRINTBUF_HEAP };
	(void)state;
	add(&before, "1000-5000 rw-p 00000000 00:00 0 [heap]\n");
	add(&before, "6000-8000 rw-p 00000000 00:00 0 a\n");
	add(&before, "8000-9000 rw-p 00000000 00:00 0 b\n");
	add(&now, "1000-3000 rw-p 00000000 00:00 0 [heap]\n");
	add(&now, "3000-6000 r--p 00000000 00:00 0 [heap]\n");
	add(&now, "7000-a000 rw-p 00000000 00:00 0 b\n");
	add(&now, "c000-d000 rw-p 00000000 00:00 0 c\n");
	assert_int_equal(maps_compare(&before, &now, on_change, &changes), 0);
	assert_string_equal(printbuf_str(&changes.text),
			    "+5-6 [heap];-6-7 a;-7-8 a;+7-8 b;+9-a b;+c-d c;");
	printbuf_reset(&changes.text);
	assert_int_equal(maps_compare(&now, &now, on_change, &changes), 0);
	assert_string_equal(printbuf_str(&changes.text), "");
	printbuf_fini(&changes.text);
	maps_fini(&before);
	maps_fini(&now);
}

static struct {
	uint8_t is_mapped[64];
} replay;

static int replay_change(void *context, const struct map *part, bool is_new)
{
	(void)context;
	for (uint64_t page = part->first; page < part->end; page++) {
		assert_int_equal(replay.is_mapped[page], is_new ? 0 : part->name[0]);
		replay.is_mapped[page] = is_new ? (uint8_t)part->name[0] : 0;
	}
	return 0;
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static void make_maps(struct maps *maps, uint32_t *seed, uint8_t *is_mapped)
{
	memset(is_mapped, 0, 64);
	for (unsigned page = 0; page < 58;) {
		char line[64];
		unsigned nr = 1 + next_random(seed) % 6;
		char name = (char)('a' + next_random(seed) % 3);
		if (next_random(seed) % 3) {
			snprintf(line, sizeof(line), "%x000-%x000 rw-p 0 0 0 %c\n", page, page + nr,
				 name);
			add(maps, line);
			memset(is_mapped + page, name, nr);
		}
		page += nr;
	}
}

/* Against a byte for each page: what comes of any two sets of regions. */
static void test_compared_maps_add_up(void **state)
{
	uint32_t seed = 1;
	(void)state;
	for (unsigned round = 0; round < 500; round++) {
		struct maps before = { 0 }, now = { 0 };
		uint8_t is_mapped[64];
		make_maps(&before, &seed, replay.is_mapped);
		make_maps(&now, &seed, is_mapped);
		assert_int_equal(maps_compare(&before, &now, replay_change, NULL), 0);
		assert_memory_equal(replay.is_mapped, is_mapped, sizeof(is_mapped));
		maps_fini(&before);
		maps_fini(&now);
	}
}

static int on_idle(void *context, uint64_t page, uint64_t nr_pages)
{
	prt_printf(context, "%llu+%llu;", (unsigned long long)page, (unsigned long long)nr_pages);
	return 0;
}

static void test_pages_are_known_once_they_were_told(void **state)
{
	struct known known = { 0 };
	PRINTBUF(idle);
	(void)state;
	assert_int_equal(known_hit(&known, 5000, KNOWN_NODE + 1), 1);
	assert_int_equal(known_hit(&known, 5000, KNOWN_NODE + 1), 0);
	assert_int_equal(known_hit(&known, 5000, KNOWN_SOMEWHERE), 0);
	assert_int_equal(known_hit(&known, 5000, KNOWN_NODE), 1);
	assert_int_equal(known_hit(&known, 10, KNOWN_SOMEWHERE), 0);
	assert_int_equal(known_hit(&known, 11, KNOWN_NODE), 1);
	assert_int_equal(known_end_look(&known, on_idle, &idle), 0);
	assert_string_equal(printbuf_str(&idle), "");
	assert_int_equal(known_hit(&known, 11, KNOWN_NODE), 0);
	assert_int_equal(known_end_look(&known, on_idle, &idle), 0);
	assert_string_equal(printbuf_str(&idle), "10+1;5000+1;");
	printbuf_reset(&idle);
	known_forget(&known, 11, 4000);
	assert_int_equal(known_end_look(&known, on_idle, &idle), 0);
	assert_string_equal(printbuf_str(&idle), "10+1;5000+1;");
	known_forget(&known, 0, UINT64_C(1) << 40);
	printbuf_reset(&idle);
	assert_int_equal(known_end_look(&known, on_idle, &idle), 0);
	assert_string_equal(printbuf_str(&idle), "");
	known_fini(&known);
}

static const struct sampler_ops told = {
	.name = "told",
	.summary = "what the test says",
	.provides = { SAMPLE_BIT(SAMPLE_HITS) | SAMPLE_HAS_NODE, 1, true },
};

static pid_t start_child(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static struct sample hit(uint64_t time_ns, uint64_t page, uint64_t nr_pages)
{
	struct sample sample = sample_of_page(SAMPLE_HITS, time_ns, 0, page);
	sample.nr_pages = nr_pages;
	sample.hits = sample.checks = 1;
	sample.node = 0;
	return sample;
}

/* Two looks, a second apart: pages 100 to 103 used, then 102 and 103. */
static void write_looks(struct watch_writer *writer)
{
	uint64_t begun_ns = writer->begun_ns;
	struct sample first = hit(begun_ns + NS_PER_S, 100, 4);
	struct sample second = hit(begun_ns + 2 * NS_PER_S, 102, 2);
	struct sample other = hit(begun_ns, 1, 1);
	other.space = 7; /* there is none */
	assert_int_equal(watch_write_samples(writer, &(struct sample_batch){ &first, 1, 1 },
					     begun_ns + NS_PER_S),
			 0);
	assert_int_equal(watch_end_look(writer, begun_ns + NS_PER_S), 0);
	assert_int_equal(watch_write_samples(writer, &(struct sample_batch){ &second, 1, 1 },
					     begun_ns + 2 * NS_PER_S),
			 0);
	assert_int_equal(watch_write_samples(writer, &(struct sample_batch){ &other, 1, 1 },
					     begun_ns + 2 * NS_PER_S),
			 0);
	assert_int_equal(watch_end_look(writer, begun_ns + 2 * NS_PER_S), 0);
}

static void read_kinds(const char *path, uint32_t kinds, struct printbuf *out)
{
	struct trace_open_options options = { .kinds = kinds };
	const struct trace_batch *batch;
	struct trace_reader *reader;
	assert_int_equal(trace_open(path, &options, &reader, NULL), 0);
	while (trace_next(reader, &batch, NULL) == 1)
		for (uint32_t i = 0; i < batch->nr; i++) {
			if (batch->kind == TRACE_SAMPLES)
				prt_printf(out, "%llu ms/%llu: %llu+%llu %u/%u;",
					   (unsigned long long)batch->time_ns[i] / NS_PER_MS,
					   (unsigned long long)batch->window_ns[i] / NS_PER_MS,
					   (unsigned long long)batch->page[i],
					   (unsigned long long)batch->nr_pages[i], batch->hits[i],
					   batch->checks[i]);
			else if (batch->kind == TRACE_NODES)
				prt_printf(out, "%llu on %u;", (unsigned long long)batch->page[i],
					   batch->node[i]);
			else if (batch->mappings[i].op != TRACE_MAP)
				prt_printf(out, "op %d;", (int)batch->mappings[i].op);
		}
	trace_close(reader);
}

static void write_recording(const char *path)
{
	struct root root;
	struct live live;
	struct machine *machine = NULL;
	struct watch_writer writer = { .fd = -1, .info.recorder = (char *)(uintptr_t) "test" };
	PRINTBUF(err);
	pid_t pid = start_child();
	assert_int_equal(root_open("/", &root, &err), 0);
	assert_int_equal(machine_open("host", &machine, &err), 0);
	assert_int_equal(live_init(&live, &root, machine, &err), 0);
	assert_int_equal(live_watch(&live, pid, &err), 0);
	assert_int_equal(watch_writer_init(&writer, path, &told, machine, &err), 0);
	writer.begun_ns = writer.look_ns = clock_now_ns();
	assert_int_equal(watch_write_spaces(&writer, &live, writer.begun_ns), 0);
	write_looks(&writer);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(live_refresh(&live), 0);
	assert_int_equal(watch_write_spaces(&writer, &live, writer.begun_ns + 3 * NS_PER_S), 0);
	assert_int_equal(watch_write_note(&writer, "a note"), 0);
	assert_int_equal(trace_finish(path, &writer.info, &err), 0);
	watch_writer_fini(&writer);
	live_fini(&live);
	machine_free(machine);
	root_fini(&root);
}

static void test_looks_become_a_recording(void **state)
{
	char path[] = "/tmp/berth-test-watch-XXXXXX";
	PRINTBUF(text);
	(void)state;
	close(mkstemp(path));
	write_recording(path);
	read_kinds(path, 1u << TRACE_SAMPLES, &text);
	assert_string_equal(printbuf_str(&text), "1000 ms/1000: 100+4 1/1;2000 ms/1000: 102+2 1/1;"
						 "2000 ms/1000: 100+2 0/1;");
	printbuf_reset(&text);
	read_kinds(path, 1u << TRACE_NODES, &text);
	assert_string_equal(printbuf_str(&text), "100 on 0;101 on 0;102 on 0;103 on 0;");
	printbuf_reset(&text);
	read_kinds(path, 1u << TRACE_MAPPINGS, &text);
	PRINTBUF(want);
	prt_printf(&want, "op %d;op %d;", (int)TRACE_PROCESS, (int)TRACE_PROCESS_END);
	assert_string_equal(printbuf_str(&text), printbuf_str(&want));
	unlink(path);
}
