/* SPDX-License-Identifier: MIT */
/* What is appended is what is read: every kind, several spaces, several processes, any order of
 * appends; the first events at or after a time; kinds left out. */
#include "test.h"

#include <sys/wait.h>

#include "trace/format.h"
#include "trace_fixture.h"

#define NR_SPACES 4

/* One event of any kind, as it was appended: all its numbers. */
struct event {
	uint64_t numbers[9];
	char name[32];
};

struct model {
	struct event *events[TRACE_NR_KINDS][NR_SPACES];
	size_t nr[TRACE_NR_KINDS][NR_SPACES], at[TRACE_NR_KINDS][NR_SPACES];
	size_t max;
};

static void model_init(struct model *model, size_t max)
{
	memset(model, 0, sizeof(*model));
	model->max = max;
	for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
		for (unsigned space = 0; space < NR_SPACES; space++)
			model->events[kind][space] = calloc(max, sizeof(struct event));
}

static void model_fini(struct model *model)
{
	for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
		for (unsigned space = 0; space < NR_SPACES; space++)
			free(model->events[kind][space]);
}

static struct event *model_add(struct model *model, unsigned kind, unsigned space)
{
	assert_true(model->nr[kind][space] < model->max);
	return &model->events[kind][space][model->nr[kind][space]++];
}

/* Numbers of every size, small ones most often. */
static uint64_t any_number(struct random *random)
{
	return random_u64(random) >> random_below(random, 64);
}

static uint64_t any_page(struct random *random)
{
	static const uint64_t bases[] = { 0x400, 0x555555554, 0x7ffff7a00, 0x7ffffffde };
	uint64_t page = bases[random_below(random, 4)] + random_below(random, 300);
	return random_below(random, 50) ? page : any_number(random);
}

static void add_access(struct model *model, struct random *random, unsigned space, uint64_t ticks,
		       struct trace_appender *appender)
{
	struct event *event = model_add(model, TRACE_ACCESSES, space);
	uint64_t thread = random_below(random, 100) ? 0 : random_below(random, 700);
	event->numbers[0] = ticks;
	event->numbers[1] = any_page(random);
	event->numbers[2] = random_below(random, 32);
	event->numbers[3] = space == 2 ? random_below(random, 3) : thread;
	assert_int_equal(trace_append_access(appender, ticks, event->numbers[1],
					     (uint8_t)event->numbers[2],
					     (uint32_t)event->numbers[3]),
			 0);
}

static void add_mapping(struct model *model, struct random *random, unsigned space, uint64_t ticks,
			struct trace_appender *appender)
{
	struct event *event = model_add(model, TRACE_MAPPINGS, space);
	struct trace_mapping mapping = {
		.time_ns = ticks,
		.thread = (uint32_t)random_below(random, 5),
		.op = (enum trace_mapping_op)random_below(random, TRACE_PROTECT + 1),
		.protection = (uint32_t)random_below(random, 8),
		.page = any_page(random),
		.nr_pages = any_number(random),
		.from_page = any_number(random),
		.detail = any_number(random),
		.name = event->name,
	};
	snprintf(event->name, sizeof(event->name), "%.*s", (int)random_below(random, 20),
		 "/usr/lib/libberth.so.1");
	const uint64_t numbers[] = { ticks,
				     mapping.page,
				     mapping.op,
				     mapping.thread,
				     mapping.protection,
				     mapping.nr_pages,
				     mapping.from_page,
				     mapping.detail };
	memcpy(event->numbers, numbers, sizeof(numbers));
	assert_int_equal(trace_append_mapping(appender, &mapping), 0);
}

static void add_row(struct model *model, struct random *random, unsigned kind, unsigned space,
		    uint64_t ticks, struct trace_appender *appender)
{
	struct event *event = model_add(model, kind, space);
	uint64_t *numbers = event->numbers;
	numbers[0] = ticks;
	numbers[1] = kind == TRACE_BLOCKED ? 0 : any_page(random);
	for (unsigned i = 2; i < 6; i++)
		numbers[i] = (uint32_t)any_number(random);
	if (kind == TRACE_SAMPLES)
		trace_append_sample(appender, ticks, numbers[5], numbers[1], numbers[2],
				    (uint32_t)numbers[3], (uint32_t)numbers[4]);
	else if (kind == TRACE_COUNTS)
		trace_append_count(appender, ticks, numbers[1], (uint32_t)numbers[2],
				   (uint32_t)numbers[3]);
	else if (kind == TRACE_NODES)
		trace_append_node(appender, ticks, numbers[1], (uint32_t)numbers[2]);
	else
		trace_append_blocked(appender, ticks, (uint32_t)numbers[2], numbers[3]);
}

static void add_events(struct model *model, struct random *random, unsigned space, size_t nr,
		       uint64_t ticks, struct trace_appender *appender)
{
	for (size_t i = 0; i < nr; i++) {
		uint64_t what = random_below(random, 100);
		ticks += random_below(random, 20) ? random_below(random, 300)
						  : random_below(random, 1 << 20);
		if (what < 90)
			add_access(model, random, space, ticks, appender);
		else if (what < 93)
			add_mapping(model, random, space, ticks, appender);
		else
			add_row(model, random,
				what < 96   ? TRACE_SAMPLES
				: what < 98 ? TRACE_COUNTS
				: what < 99 ? TRACE_NODES
					    : TRACE_BLOCKED,
				space, ticks, appender);
	}
}

static uint64_t ns_of(uint64_t ticks)
{
	return ticks * 300 / 1000;
}

static void check_row(const struct trace_batch *batch, uint32_t i, const uint64_t *numbers)
{
	if (batch->kind == TRACE_SAMPLES) {
		assert_int_equal(batch->nr_pages[i], numbers[2]);
		assert_int_equal(batch->hits[i], numbers[3]);
		assert_int_equal(batch->checks[i], numbers[4]);
		assert_int_equal(batch->window_ns[i], ns_of(numbers[5]));
	} else if (batch->kind == TRACE_COUNTS) {
		assert_int_equal(batch->loads[i], numbers[2]);
		assert_int_equal(batch->stores[i], numbers[3]);
	} else if (batch->kind == TRACE_NODES) {
		assert_int_equal(batch->node[i], numbers[2]);
	} else {
		assert_int_equal(batch->thread[i], numbers[2]);
		assert_int_equal(batch->blocked_ns[i], numbers[3]);
	}
}

static void check_mapping(const struct trace_mapping *mapping, uint32_t space,
			  const struct event *event)
{
	const uint64_t *numbers = event->numbers;
	assert_int_equal(mapping->space, space);
	assert_int_equal(mapping->page, numbers[1]);
	assert_int_equal(mapping->op, numbers[2]);
	assert_int_equal(mapping->thread, numbers[3]);
	assert_int_equal(mapping->protection, numbers[4]);
	assert_int_equal(mapping->nr_pages, numbers[5]);
	assert_int_equal(mapping->from_page, numbers[6]);
	assert_int_equal(mapping->detail, numbers[7]);
	assert_string_equal(mapping->name, event->name);
}

static uint64_t check_event(const struct trace_batch *batch, uint32_t i, const struct event *event)
{
	const uint64_t *numbers = event->numbers;
	bool is_mapping = batch->kind == TRACE_MAPPINGS;
	uint64_t time_ns = is_mapping ? batch->mappings[i].time_ns : batch->time_ns[i];
	assert_int_equal(time_ns, ns_of(numbers[0]));
	if (is_mapping) {
		check_mapping(&batch->mappings[i], batch->space, event);
		return time_ns;
	}
	assert_int_equal(batch->page[i], numbers[1]);
	if (batch->kind == TRACE_ACCESSES) {
		assert_int_equal(batch->flags[i], numbers[2]);
		assert_int_equal(batch->thread ? batch->thread[i] : 0, numbers[3]);
	} else {
		check_row(batch, i, numbers);
	}
	return time_ns;
}

/* Reads on from wherever the reader and model->at are; every event of `kinds` must be there. */
static void check_rest(struct model *model, struct trace_reader *reader, uint32_t kinds)
{
	const struct trace_batch *batch;
	uint64_t last_ns = 0;
	int more;
	while ((more = trace_next(reader, &batch, NULL)) == 1) {
		size_t *at = &model->at[batch->kind][batch->space];
		assert_true(kinds & 1u << batch->kind);
		assert_in_range(batch->nr, 1, TRACE_BATCH_EVENTS);
		for (uint32_t i = 0; i < batch->nr; i++) {
			assert_true(*at < model->nr[batch->kind][batch->space]);
			uint64_t time_ns = check_event(
				batch, i, &model->events[batch->kind][batch->space][(*at)++]);
			assert_true(time_ns >= last_ns);
			last_ns = time_ns;
		}
	}
	assert_int_equal(more, 0);
	for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
		for (unsigned space = 0; space < NR_SPACES; space++)
			if (kinds & 1u << kind)
				assert_int_equal(model->at[kind][space], model->nr[kind][space]);
}

static void check_totals(const struct model *model, const struct trace_info *info)
{
	for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++) {
		size_t nr = 0;
		for (unsigned space = 0; space < NR_SPACES; space++)
			nr += model->nr[kind][space];
		assert_int_equal(info->nr_events[kind], nr);
	}
}

static struct trace_reader *open_kinds(const char *path, uint32_t kinds)
{
	struct trace_reader *reader = NULL;
	PRINTBUF(err);
	const struct trace_open_options options = { .kinds = kinds };
	int error = trace_open(path, &options, &reader, &err);
	if (error)
		fail_msg("%s", printbuf_str(&err));
	return reader;
}

/* Spaces one after the other by one process, flushed at random. */
static void record(struct model *model, struct random *random, size_t nr, const char *path)
{
	struct trace_info info = fixture_info();
	int fd = -1;
	assert_int_equal(trace_create(path, &info, &fd, NULL), 0);
	for (unsigned space = 0; space < NR_SPACES; space++) {
		struct trace_appender *appender = NULL;
		assert_int_equal(trace_appender_new(fd, space, 4096, &appender), 0);
		add_events(model, random, space, nr / 2, space * 1000, appender);
		if (space & 1)
			assert_int_equal(trace_appender_flush(appender), 0);
		add_events(model, random, space, nr / 2, (nr + 100) * 60000, appender);
		assert_int_equal(trace_appender_flush(appender), 0);
		trace_appender_free(appender);
	}
	close(fd);
	assert_int_equal(trace_finish(path, &info, NULL), 0);
	assert_int_not_equal(access(path, F_OK), -1);
}

static void test_every_kind_comes_back(void **state)
{
	static const size_t sizes[] = { 2, 10, 1000, 5000, 160000 };
	scratch_make();
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct model model;
		struct random random;
		random_init(&random, 7 + i);
		model_init(&model, sizes[i] + 2);
		record(&model, &random, sizes[i], scratch_path("a.berth"));
		struct trace_reader *reader = open_kinds(scratch_path("a.berth"), 0);
		assert_false(trace_info(reader)->is_cut);
		check_totals(&model, trace_info(reader));
		check_rest(&model, reader, ~0u);
		trace_close(reader);
		model_fini(&model);
	}
	scratch_remove();
}

static void test_kinds_left_out_do_not_come(void **state)
{
	struct model model;
	struct random random;
	scratch_make();
	random_init(&random, 3);
	model_init(&model, 20000);
	record(&model, &random, 20000, scratch_path("a.berth"));
	uint32_t kinds = 1u << TRACE_MAPPINGS | 1u << TRACE_COUNTS;
	struct trace_reader *reader = open_kinds(scratch_path("a.berth"), kinds);
	check_rest(&model, reader, kinds);
	trace_close(reader);
	model_fini(&model);
	scratch_remove();
}

static void test_seek_finds_the_first_event(void **state)
{
	struct model model;
	struct random random;
	scratch_make();
	random_init(&random, 5);
	model_init(&model, 200000);
	record(&model, &random, 200000, scratch_path("a.berth"));
	struct trace_reader *reader = open_kinds(scratch_path("a.berth"), 0);
	uint64_t end_ns = trace_info(reader)->duration_ns;
	for (unsigned i = 0; i < 12; i++) {
		uint64_t time_ns = i == 0 ? 0 : i == 1 ? end_ns : random_below(&random, end_ns);
		time_ns = i == 2 ? end_ns + 1 : time_ns;
		for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
			for (unsigned space = 0; space < NR_SPACES; space++) {
				size_t *at = &model.at[kind][space];
				*at = 0;
				while (*at < model.nr[kind][space] &&
				       ns_of(model.events[kind][space][*at].numbers[0]) < time_ns)
					(*at)++;
			}
		assert_int_equal(trace_seek(reader, time_ns, NULL), 0);
		check_rest(&model, reader, ~0u);
	}
	trace_close(reader);
	model_fini(&model);
	scratch_remove();
}

/* Each child has its own appender on the same file and the same random numbers as the model. */
static void test_forked_writers_share_a_file(void **state)
{
	struct model model;
	struct trace_info info = fixture_info();
	int fd = -1;
	pid_t pids[NR_SPACES];
	scratch_make();
	model_init(&model, 100000);
	assert_int_equal(trace_create(scratch_path("a.berth"), &info, &fd, NULL), 0);
	for (unsigned space = 0; space < NR_SPACES; space++) {
		struct random random;
		struct trace_appender *appender = NULL;
		random_init(&random, space);
		pids[space] = fork();
		assert_true(pids[space] >= 0);
		assert_int_equal(trace_appender_new(fd, space, 4096, &appender), 0);
		if (pids[space] == 0) {
			for (unsigned i = 0; i < 5; i++) {
				add_events(&model, &random, space, 20000, i * 20000ull * 60000,
					   appender);
				if (trace_appender_flush(appender))
					_exit(1);
			}
			_exit(0);
		}
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		trace_appender_set_fd(appender, null);
		for (unsigned i = 0; i < 5; i++)
			add_events(&model, &random, space, 20000, i * 20000ull * 60000, appender);
		trace_appender_free(appender);
		close(null);
	}
	for (unsigned space = 0; space < NR_SPACES; space++) {
		int status = -1;
		assert_int_equal(waitpid(pids[space], &status, 0), pids[space]);
		assert_int_equal(status, 0);
	}
	close(fd);
	assert_int_equal(trace_finish(scratch_path("a.berth"), &info, NULL), 0);
	struct trace_reader *reader = open_kinds(scratch_path("a.berth"), 0);
	check_rest(&model, reader, ~0u);
	trace_close(reader);
	model_fini(&model);
	scratch_remove();
}

static void test_info_comes_back(void **state)
{
	struct model model;
	struct random random;
	scratch_make();
	random_init(&random, 1);
	model_init(&model, 10);
	record(&model, &random, 10, scratch_path("a.berth"));
	struct trace_reader *reader = open_kinds(scratch_path("a.berth"), 0);
	const struct trace_info *info = trace_info(reader);
	assert_int_equal(info->page_bytes, 4096);
	assert_int_equal(info->ns_per_ktick, 300);
	assert_int_equal(info->version, TRACE_MAJOR_NODES);
	assert_int_equal(info->streams,
			 TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES | TRACE_STREAM_NODES);
	assert_int_equal(info->interval_ns, NS_PER_MS);
	assert_int_equal(info->cache.size_bytes, 2 * MIB);
	assert_int_equal(info->cache.ways, 16);
	assert_string_equal(info->program, "sh -c ls");
	assert_int_equal(info->exit_status, 3);
	assert_true(info->native_ns == TRACE_UNKNOWN);
	assert_int_equal(info->nr_references, 123456);
	assert_int_equal(info->nr_spaces, 4);
	assert_string_equal(info->spaces[1].name, "ls \"x\"");
	assert_int_equal(info->spaces[1].pid, 101);
	assert_int_equal(info->spaces[1].parent, 0);
	assert_int_equal(info->spaces[3].kind, TRACE_SPACE_FILE);
	assert_int_equal(info->spaces[3].pid, -1);
	assert_int_equal(info->nr_notes, 1);
	assert_string_equal(info->notes[0], fixture_notes[0]);
	assert_string_equal(info->machine, fixture_info().machine);
	assert_string_equal(info->kernel, "6.12.95");
	assert_int_equal(info->nr_settings, 2);
	assert_string_equal(info->settings[0], "numa_balancing=2");
	assert_string_equal(info->settings[1], "");
	assert_int_equal(info->nr_memory, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(info->memory[i].node, fixture_memory[i].node);
		for (const struct trace_memory_field *field = trace_memory_fields; field->name;
		     field++)
			assert_true(*trace_memory_value(&info->memory[i], field) ==
				    *trace_memory_value(&fixture_memory[i], field));
	}
	trace_close(reader);
	model_fini(&model);
	scratch_remove();
}

/* A reader of format 1 must be able to read what has nothing of format 2. */
static void test_format_is_the_lowest_that_does(void **state)
{
	static const uint32_t streams[] = { TRACE_STREAM_MISSES,
					    TRACE_STREAM_MISSES | TRACE_STREAM_NODES };
	scratch_make();
	for (unsigned i = 0; i < ARRAY_SIZE(streams); i++) {
		struct trace_info info = fixture_info();
		int fd = -1;
		info.streams = streams[i];
		info.machine = info.kernel = NULL;
		info.nr_memory = info.nr_settings = 0;
		assert_int_equal(trace_create(scratch_path("a.berth"), &info, &fd, NULL), 0);
		close(fd);
		assert_int_equal(trace_finish(scratch_path("a.berth"), &info, NULL), 0);
		struct trace_reader *reader = open_kinds(scratch_path("a.berth"), 0);
		assert_int_equal(trace_info(reader)->version, 1 + i);
		assert_string_equal(trace_info(reader)->machine, "");
		assert_int_equal(trace_info(reader)->nr_memory, 0);
		trace_close(reader);
	}
	scratch_remove();
}

/* Equal times: the reader learns where a page is before it sees the access. */
static void test_nodes_come_before_accesses(void **state)
{
	struct trace_info info = fixture_info();
	struct trace_appender *appender = NULL;
	const struct trace_batch *batch;
	int fd = -1;
	scratch_make();
	assert_int_equal(trace_create(scratch_path("a.berth"), &info, &fd, NULL), 0);
	assert_int_equal(trace_appender_new(fd, 0, 4096, &appender), 0);
	for (uint64_t i = 0; i < 10; i++) {
		trace_append_access(appender, 1000 * i, i, TRACE_MISS, 0);
		trace_append_node(appender, 1000 * i, i, i == 9 ? TRACE_NONE : (uint32_t)i);
	}
	assert_int_equal(trace_appender_flush(appender), 0);
	trace_appender_free(appender);
	close(fd);
	assert_int_equal(trace_finish(scratch_path("a.berth"), &info, NULL), 0);
	struct trace_reader *reader = open_kinds(scratch_path("a.berth"), 0);
	for (uint64_t i = 0; i < 20; i++) {
		assert_int_equal(trace_next(reader, &batch, NULL), 1);
		assert_int_equal(batch->kind, i & 1 ? TRACE_ACCESSES : TRACE_NODES);
		assert_int_equal(batch->page[0], i / 2);
		assert_true(i & 1 || batch->node[0] == (i == 18 ? TRACE_NONE : i / 2));
	}
	trace_close(reader);
	scratch_remove();
}

/* A single space with a mapping now and then must still come in large batches. */
static void test_batches_are_large(void **state)
{
	struct trace_info info = fixture_info();
	struct trace_appender *appender = NULL;
	int fd = -1;
	scratch_make();
	assert_int_equal(trace_create(scratch_path("a.berth"), &info, &fd, NULL), 0);
	assert_int_equal(trace_appender_new(fd, 0, 4096, &appender), 0);
	for (uint64_t i = 0; i < 1000000; i++) {
		const struct trace_mapping mapping = { .time_ns = i * 100, .name = "[anon]" };
		trace_append_access(appender, i * 100, i % 7919, TRACE_MISS, 0);
		if (i % 100000 == 77)
			trace_append_mapping(appender, &mapping);
	}
	assert_int_equal(trace_appender_flush(appender), 0);
	trace_appender_free(appender);
	close(fd);
	assert_int_equal(trace_finish(scratch_path("a.berth"), &info, NULL), 0);
	struct trace_reader *reader = open_kinds(scratch_path("a.berth"), 0);
	const struct trace_batch *batch;
	unsigned nr_batches = 0;
	while (trace_next(reader, &batch, NULL) == 1)
		nr_batches++;
	assert_in_range(nr_batches, 1000000 / TRACE_BATCH_EVENTS, 290);
	assert_int_equal(trace_info(reader)->nr_misses, 1000000);
	trace_close(reader);
	scratch_remove();
}
