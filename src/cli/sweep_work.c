/* SPDX-License-Identifier: MIT */
/*
 * One job: the recording is decoded once, and every batch goes to all of the job's sets.
 *
 *     reader --> batch --> sim_set (seed 1, kernel a)  policies x sizes
 *                     \--> sim_set (seed 2, kernel a)  ...
 *
 * Rows of one seed, one kernel below and one list of sizes make a set, so that they also share its
 * map of pages. Kernels and bounds have no kernel below: they join any set.
 */
#include "cli/sweep_work.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"

#define PROGRESS_STEPS 200

struct work_set {
	uint32_t seed, kernel;
	uint32_t *sizes; /* indexes into grid->sizes, ascending */
	size_t nr_sizes;
	uint32_t *variants;
	size_t nr_variants;
	uint32_t *rows; /* [variant * nr_sizes + size] */
	struct sim_set *set;
};

struct work {
	const struct sweep_plan *plan;
	const struct sweep_job *job;
	const struct sweep_recording *recording;
	int fd;
	struct work_set *sets;
	size_t nr_sets;
	const char *note; /* of every row; "" */
};

static int write_all(int fd, const void *raw, size_t nr)
{
	const char *bytes = raw;
	while (nr > 0) {
		ssize_t done = write(fd, bytes, nr);
		if (done < 0 && errno != EINTR)
			return -errno;
		bytes += done > 0 ? done : 0;
		nr -= done > 0 ? (size_t)done : 0;
	}
	return 0;
}

static int tell(const struct work *work, enum sweep_message_kind kind, const void *payload,
		size_t nr_bytes)
{
	struct sweep_message head = { kind, (uint32_t)nr_bytes };
	if (nr_bytes > SWEEP_MESSAGE_MAX)
		return -E2BIG;
	int error = write_all(work->fd, &head, sizeof(head));
	return error ? error : write_all(work->fd, payload, nr_bytes);
}

static void tell_text(const struct work *work, enum sweep_message_kind kind,
		      const struct printbuf *text)
{
	const char *words = text->pos ? printbuf_str(text) : "out of memory";
	tell(work, kind, words, strlen(words) + 1);
}

static void tell_end(const struct work *work)
{
	struct rusage usage;
	uint64_t ns = 0;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
		     (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * NS_PER_US;
	tell(work, SWEEP_MESSAGE_END, &ns, sizeof(ns));
}

static int add_index(uint32_t **list, size_t *nr, uint32_t index)
{
	void *items = sweep_append(*list, nr, sizeof(**list));
	if (!items)
		return -ENOMEM;
	*list = items;
	(*list)[*nr - 1] = index;
	return 0;
}

static bool can_join(const struct work_set *set, const struct sweep_row *row, const uint32_t *sizes,
		     size_t nr_sizes)
{
	return set->seed == row->seed && set->nr_sizes == nr_sizes &&
	       (set->nr_variants + 1) * nr_sizes <= SIM_SET_MAX &&
	       (set->kernel == row->kernel || set->kernel == SWEEP_NO_KERNEL ||
		row->kernel == SWEEP_NO_KERNEL) &&
	       memcmp(set->sizes, sizes, nr_sizes * sizeof(*sizes)) == 0;
}

static struct work_set *find_set(struct work *work, const struct sweep_row *row,
				 const uint32_t *sizes, size_t nr_sizes)
{
	for (size_t i = 0; i < work->nr_sets; i++)
		if (can_join(&work->sets[i], row, sizes, nr_sizes))
			return &work->sets[i];
	void *items = sweep_append(work->sets, &work->nr_sets, sizeof(*work->sets));
	if (!items)
		return NULL;
	work->sets = items;
	struct work_set *set = &work->sets[work->nr_sets - 1];
	*set = (struct work_set){ .seed = row->seed, .kernel = row->kernel };
	for (size_t i = 0; i < nr_sizes; i++)
		if (add_index(&set->sizes, &set->nr_sizes, sizes[i]))
			return NULL;
	return set;
}

/* Rows that follow each other and differ in their size only. */
static size_t run_of_sizes(const struct work *work, size_t first, uint32_t *sizes)
{
	const struct sweep_row *rows = work->plan->rows;
	const uint32_t *indexes = work->job->rows;
	const struct sweep_row *head = &rows[indexes[first]];
	size_t nr = 0;
	while (first + nr < work->job->nr_rows && nr < SWEEP_LIST_MAX) {
		const struct sweep_row *row = &rows[indexes[first + nr]];
		if (row->variant != head->variant || row->seed != head->seed ||
		    row->kernel != head->kernel)
			break;
		sizes[nr++] = row->size;
	}
	return nr;
}

static int group_rows(struct work *work)
{
	uint32_t sizes[SWEEP_LIST_MAX];
	size_t nr = 0;
	for (size_t at = 0; at < work->job->nr_rows; at += nr) {
		const struct sweep_row *row = &work->plan->rows[work->job->rows[at]];
		nr = run_of_sizes(work, at, sizes);
		struct work_set *set = find_set(work, row, sizes, nr);
		int error = set ? add_index(&set->variants, &set->nr_variants, row->variant)
				: -ENOMEM;
		for (size_t i = 0; !error && i < nr; i++) {
			size_t nr_rows = (set->nr_variants - 1) * nr + i;
			error = add_index(&set->rows, &nr_rows, work->job->rows[at + i]);
		}
		if (error)
			return error;
		if (set->kernel == SWEEP_NO_KERNEL)
			set->kernel = row->kernel;
	}
	return 0;
}

static int start_set(const struct work *work, struct work_set *set, const struct trace_info *info,
		     struct printbuf *err)
{
	const struct sweep_plan *plan = work->plan;
	const struct sweep_recording *recording = work->recording;
	const char **policies = calloc(set->nr_variants, sizeof(*policies));
	uint64_t *fast = calloc(set->nr_sizes, sizeof(*fast));
	int error = policies && fast ? 0 : error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; !error && i < set->nr_variants; i++)
		policies[i] = plan->grid->variants[set->variants[i]].spec;
	for (size_t i = 0; !error && i < set->nr_sizes; i++)
		fast[i] = recording->fast_bytes[set->sizes[i]];
	struct sim_config config = {
		.machine = recording->machine,
		.policies = policies,
		.nr_policies = set->nr_variants,
		.kernel = set->kernel == SWEEP_NO_KERNEL ? NULL : plan->kernels[set->kernel],
		.fast_bytes = fast,
		.nr_fast = fast && fast[0] ? set->nr_sizes : 0,
		.cost = recording->cost,
		.dilate = recording->dilate,
		.seed = plan->grid->seeds[set->seed],
		.effort = 1, /* as berth sim */
	};
	if (!error)
		error = sim_set_new(&config, info, &set->set, err);
	free(policies);
	free(fast);
	return error;
}

/* 0; 1: the reader failed on the way and err says where; negative: no results. */
static int feed(const struct work *work, struct trace_reader *reader, struct printbuf *err)
{
	const struct trace_batch *batch = NULL;
	uint64_t fed = 0, step = work->recording->nr_events / PROGRESS_STEPS + 1, next = step;
	int more = 0, error = 0;
	while (!error && (more = trace_next(reader, &batch, err)) > 0) {
		for (size_t i = 0; !error && i < work->nr_sets; i++)
			error = sim_set_feed(work->sets[i].set, batch, err);
		fed += batch->nr;
		if (fed < next)
			continue;
		next = fed + step;
		if (tell(work, SWEEP_MESSAGE_PROGRESS, &fed, sizeof(fed)))
			error = -EPIPE;
	}
	return error ? error : more < 0;
}

static void add_counter(void *context, const char *name, uint64_t value)
{
	struct sweep_counter counter = { .value = value };
	strncpy(counter.name, name, sizeof(counter.name) - 1);
	prt_mem(context, &counter, sizeof(counter));
}

static void add_text(struct printbuf *out, const char *text)
{
	prt_mem(out, text ? text : "", (text ? strlen(text) : 0) + 1);
}

static int tell_row(const struct work *work, const struct work_set *set, size_t index)
{
	const struct sim_result *result = sim_set_result(set->set, index);
	PRINTBUF(counters);
	PRINTBUF(message);
	struct sweep_outcome outcome = {
		.row = set->rows[index],
		.error = result->error,
		.memory_bytes = result->memory_bytes,
		.fast_bytes = result->fast_bytes,
		.has_bound = result->has_bound,
		.is_exact = result->is_exact,
	};
	for (size_t i = 0; i < SIM_NR_FIELDS; i++) {
		outcome.figures[i] = sim_field_value(result, &sim_fields[i]);
		outcome.is_known[i] = sim_field_is_known(result, &sim_fields[i]);
	}
	if (!result->error)
		sim_set_counters(set->set, index, add_counter, &counters);
	outcome.nr_counters = (uint32_t)(counters.pos / sizeof(struct sweep_counter));
	prt_mem(&message, &outcome, sizeof(outcome));
	prt_mem(&message, counters.buf, counters.pos);
	add_text(&message, result->error ? result->error_text : NULL);
	add_text(&message, result->error ? NULL : result->method);
	add_text(&message, work->note);
	if (printbuf_has_error(&counters) || printbuf_has_error(&message))
		return -ENOMEM;
	return tell(work, SWEEP_MESSAGE_ROW, message.buf, message.pos);
}

static int tell_rows(const struct work *work)
{
	int error = 0;
	for (size_t i = 0; i < work->nr_sets; i++)
		for (size_t j = 0; !error && j < sim_set_nr_results(work->sets[i].set); j++)
			error = tell_row(work, &work->sets[i], j);
	return error;
}

static void free_sets(struct work *work)
{
	for (size_t i = 0; i < work->nr_sets; i++) {
		sim_set_free(work->sets[i].set);
		free(work->sets[i].sizes);
		free(work->sets[i].variants);
		free(work->sets[i].rows);
	}
	free(work->sets);
}

/* A recording that ends early has results for what came before, and says so. */
static void remark_cut(struct work *work, struct printbuf *note, const struct printbuf *err,
		       int status)
{
	if (status > 0)
		prt_str(note, printbuf_str(err));
	else if (work->recording->is_cut)
		prt_str(note, "the recording was cut off: figures cover what is there");
	if (!note->pos)
		return;
	work->note = printbuf_str(note);
	PRINTBUF(text);
	prt_printf(&text, "%s: %s", work->recording->name, work->note);
	tell_text(work, SWEEP_MESSAGE_REMARK, &text);
}

static int simulate(struct work *work, struct trace_reader *reader, struct printbuf *err)
{
	static const uint64_t all_fed = UINT64_MAX;
	PRINTBUF(note);
	int error = group_rows(work);
	if (error)
		return error_set(err, error, "out of memory");
	for (size_t i = 0; !error && i < work->nr_sets; i++)
		error = start_set(work, &work->sets[i], trace_info(reader), err);
	int status = error ? error : feed(work, reader, err);
	if (status < 0)
		return status;
	remark_cut(work, &note, err, status);
	tell(work, SWEEP_MESSAGE_PROGRESS, &all_fed, sizeof(all_fed));
	for (size_t i = 0; !error && i < work->nr_sets; i++)
		error = sim_set_finish(work->sets[i].set, trace_info(reader)->duration_ns, err);
	if (!error)
		error = tell_rows(work);
	work->note = "";
	return error;
}

static int measure(const struct work *work, struct trace_reader *reader, struct printbuf *err)
{
	struct sim_extent extent = { 0 };
	int error = sim_measure(reader, &extent, err);
	/* A recording that breaks off is measured as far as it goes. */
	return error < 0 ? error : tell(work, SWEEP_MESSAGE_EXTENT, &extent, sizeof(extent));
}

int sweep_work(const struct sweep_plan *plan, const struct sweep_job *job, int fd)
{
	struct work work = {
		.plan = plan,
		.job = job,
		.recording = &plan->recordings[job->recording],
		.fd = fd,
		.note = "",
	};
	struct trace_reader *reader = NULL;
	PRINTBUF(err);
	PRINTBUF(text);
	int error = sweep_recording_open(work.recording, &reader, &err);
	if (!error)
		error = job->is_measure ? measure(&work, reader, &err)
					: simulate(&work, reader, &err);
	free_sets(&work);
	trace_close(reader);
	if (error) {
		prt_printf(&text, "%s: %s", work.recording->name,
			   err.pos ? printbuf_str(&err) : error_text(error));
		tell_text(&work, SWEEP_MESSAGE_FAILED, &text);
	}
	tell_end(&work);
	return error ? EXIT_FAILED : EXIT_DONE;
}

/* The text that begins at *at, which moves behind it; NULL when it has no end. */
static const char *next_text(const char *payload, size_t nr_bytes, size_t *at)
{
	const char *text = payload + *at;
	const char *end = memchr(text, '\0', nr_bytes - *at);
	if (!end)
		return NULL;
	*at = (size_t)(end - payload) + 1;
	return text;
}

int sweep_result_read(const void *payload, size_t nr_bytes, struct sweep_result *ret)
{
	struct sweep_result result = { 0 };
	size_t at = sizeof(result.outcome);
	if (nr_bytes < at)
		return -EBADMSG;
	memcpy(&result.outcome, payload, at);
	if (result.outcome.nr_counters > (nr_bytes - at) / sizeof(*result.counters))
		return -EBADMSG;
	result.counters = (const void *)((const char *)payload + at);
	at += result.outcome.nr_counters * sizeof(*result.counters);
	for (uint32_t i = 0; i < result.outcome.nr_counters; i++)
		if (!memchr(result.counters[i].name, '\0', sizeof(result.counters[i].name)))
			return -EBADMSG;
	const char **texts[] = { &result.error_text, &result.method, &result.note };
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*texts[i] = at < nr_bytes ? next_text(payload, nr_bytes, &at) : NULL;
		if (!*texts[i])
			return -EBADMSG;
	}
	*ret = result;
	return 0;
}
