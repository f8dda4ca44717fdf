/* SPDX-License-Identifier: MIT */
/*
 * Recordings, rows and jobs.
 *
 * How work is shared. A job is rows of one recording; its cost is known roughly before it starts:
 * events x (decoding + the weight of each row). Workers take the longest job that is left
 * (Graham's LPT: at most 4/3 of the best schedule, and near 1 when jobs are many). Cutting a
 * recording costs another decode, so only as many of the longest are cut as make the schedule
 * shorter, by trying; each into one piece a worker, so that none needs to decode it twice; or into
 * more, when its simulations together would not fit into memory.
 *
 * The tick. berth sim shortens the tick of the cost model when one of its policies needs it, so a
 * row would depend on its neighbours. Here the tick is spelled out for all of a recording's rows:
 * what is compared is charged alike, and one row's command gives the same figures.
 */
#include "cli/sweep_plan.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "base/units.h"

#define DEFAULT_FAST_BP 5000		 /* of the default machine, as berth sim has it */
#define KERNEL_TICK_NS	(10 * NS_PER_MS) /* that kernels scan with (sim/sim.c) */
#define GLOB_CHARACTERS "*?["

int sweep_recording_open(const struct sweep_recording *recording, struct trace_reader **ret,
			 struct printbuf *err)
{
	struct trace_open_options options = {
		.kinds = 1 << TRACE_ACCESSES | 1 << TRACE_COUNTS | 1 << TRACE_SAMPLES |
			 1 << TRACE_MAPPINGS | 1 << TRACE_BLOCKED,
	};
	return trace_open(recording->path, &options, ret, err);
}

static int out_of_memory(struct printbuf *err)
{
	return error_set(err, -ENOMEM, "out of memory");
}

static int sum_file(struct sweep_recording *recording, struct printbuf *err)
{
	size_t room = 1 << 20;
	uLong sum = crc32(0, NULL, 0);
	unsigned char *buffer = malloc(room);
	int fd = open(recording->path, O_RDONLY | O_CLOEXEC);
	ssize_t nr = buffer && fd >= 0 ? 1 : -1;
	while (nr > 0 && (nr = read(fd, buffer, room)) > 0) {
		sum = crc32_z(sum, buffer, (size_t)nr);
		recording->bytes += (uint64_t)nr;
	}
	int error = nr < 0 ? error_file(err, -errno, recording->path, "read") : 0;
	if (fd >= 0)
		close(fd);
	free(buffer);
	snprintf(recording->checksum, sizeof(recording->checksum), "crc32:%08lx", sum);
	return error;
}

static int set_dilation(const struct sweep_grid *grid, struct sweep_recording *recording,
			struct printbuf *err)
{
	uint64_t duration_ns = MAX(recording->duration_ns, 1);
	recording->dilate = grid->dilate;
	if (grid->span_ns)
		recording->dilate = (grid->span_ns - 1) / duration_ns + 1;
	if (recording->dilate <= SIM_DILATE_MAX)
		return 0;
	return sweep_grid_error(grid, &grid->span_text, -EINVAL, err,
				"'%s' would have to be dilated %llu times, and %d is the most; it "
				"is too short",
				recording->name, (unsigned long long)recording->dilate,
				SIM_DILATE_MAX);
}

static int look_at(const struct sweep_grid *grid, const struct sweep_source *source,
		   struct sweep_recording *recording, struct printbuf *err)
{
	struct trace_reader *reader = NULL;
	PRINTBUF(why);
	int error = sum_file(recording, &why);
	if (!error)
		error = sweep_recording_open(recording, &reader, &why);
	if (!error)
		error = sim_check_recording(trace_info(reader), &why);
	if (error) {
		trace_close(reader);
		return sweep_grid_error(grid, &source->pattern, error, err, "%s: %s",
					recording->name, printbuf_str(&why));
	}
	const struct trace_info *info = trace_info(reader);
	recording->page_bytes = info->page_bytes;
	recording->duration_ns = info->duration_ns;
	bool has_order = info->streams & (TRACE_STREAM_MISSES | TRACE_STREAM_ALL);
	recording->is_counts_only = !has_order && info->streams & TRACE_STREAM_COUNTS;
	enum trace_kind kind = recording->is_counts_only ? TRACE_COUNTS
			       : has_order		 ? TRACE_ACCESSES
							 : TRACE_SAMPLES;
	recording->is_cut = info->is_cut;
	recording->nr_events = info->nr_events[kind];
	trace_close(reader);
	return set_dilation(grid, recording, err);
}

static int add_recording(struct sweep_plan *plan, const struct sweep_source *source,
			 const char *name, size_t name_len, const char *path, struct printbuf *err)
{
	char full[PATH_MAX];
	if (name_len > 0)
		for (size_t i = 0; i < plan->nr_recordings; i++)
			if (strlen(plan->recordings[i].name) == name_len &&
			    memcmp(plan->recordings[i].name, name, name_len) == 0)
				return sweep_grid_error(
					plan->grid, &source->name, -EINVAL, err,
					"two recordings are named '%s'; name them one by one",
					plan->recordings[i].name);
	if (plan->nr_recordings == SWEEP_SOURCES_MAX)
		return sweep_grid_error(plan->grid, &source->name, -E2BIG, err,
					"more than %d recordings; leave some out",
					SWEEP_SOURCES_MAX);
	if (!realpath(path, full)) {
		PRINTBUF(why);
		int error = error_file(&why, -errno, path, "read");
		return sweep_grid_error(plan->grid, &source->pattern, error, err, "%s",
					printbuf_str(&why));
	}
	void *items = sweep_append(plan->recordings, &plan->nr_recordings,
				   sizeof(*plan->recordings));
	if (!items)
		return out_of_memory(err);
	plan->recordings = items;
	struct sweep_recording *recording = &plan->recordings[plan->nr_recordings - 1];
	recording->name = strndup(name, name_len);
	recording->group = strdup(source->group);
	recording->path = strdup(full);
	if (!recording->name || !recording->group || !recording->path)
		return out_of_memory(err);
	return look_at(plan->grid, source, recording, err);
}

static size_t stem_of(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');
	*ret_name = name;
	return dot && dot > name ? (size_t)(dot - name) : strlen(name);
}

/* The path of the grid's folder before a relative one; for glob(3), its own magic made plain. */
static void full_pattern(struct printbuf *out, const char *grid, const char *pattern, bool escape)
{
	const char *slash = strrchr(grid, '/');
	if (*pattern == '/' || *pattern == '~' || !slash) {
		prt_str(out, pattern);
		return;
	}
	for (const char *at = grid; at <= slash; at++) {
		if (escape && strchr(GLOB_CHARACTERS "\\", *at))
			prt_char(out, '\\');
		prt_char(out, *at);
	}
	prt_str(out, pattern);
}

static int add_matches(struct sweep_plan *plan, const struct sweep_source *source,
		       const char *pattern, bool is_magic, struct printbuf *err)
{
	glob_t found = { 0 };
	int error = 0;
	if (glob(pattern, GLOB_TILDE, NULL, &found) != 0) {
		int cause = !is_magic && access(pattern, R_OK) ? errno : ENOENT;
		error = sweep_grid_error(plan->grid, &source->pattern, -cause, err,
					 "%s: %s; paths are relative to the grid's folder",
					 source->pattern.text,
					 cause == ENOENT ? "no such file" : error_text(-cause));
	}
	for (size_t i = 0; !error && i < found.gl_pathc; i++) {
		const char *name = source->name.text;
		size_t len = is_magic ? stem_of(found.gl_pathv[i], &name) : strlen(name);
		error = add_recording(plan, source, name, len, found.gl_pathv[i], err);
	}
	globfree(&found);
	return error;
}

/* A path that is there is that path, whatever stars it has. */
static int add_source(struct sweep_plan *plan, const struct sweep_source *source,
		      struct printbuf *err)
{
	PRINTBUF(path);
	PRINTBUF(pattern);
	full_pattern(&path, plan->grid->path, source->pattern.text, false);
	full_pattern(&pattern, plan->grid->path, source->pattern.text, true);
	if (access(printbuf_str(&path), F_OK) == 0)
		return add_recording(plan, source, source->name.text, strlen(source->name.text),
				     printbuf_str(&path), err);
	return add_matches(plan, source, printbuf_str(&pattern),
			   strpbrk(source->pattern.text, GLOB_CHARACTERS) != NULL, err);
}

/* Every pair, before anything runs. */
static int check_pairs(const struct sweep_plan *plan, struct printbuf *err)
{
	const struct sweep_grid *grid = plan->grid;
	for (size_t i = 0; i < plan->nr_recordings; i++) {
		for (size_t j = 0; plan->recordings[i].is_counts_only && j < grid->nr_variants;
		     j++) {
			const struct sweep_variant *variant = &grid->variants[j];
			const struct sweep_policy *policy = &grid->policies[variant->policy];
			if (variant->needs_order)
				return sweep_grid_error(
					grid, &policy->name, -EOPNOTSUPP, err,
					"policy '%s' needs the order of accesses, and recording "
					"'%s' only counts; leave one of them out, or record with "
					"--stream misses,touches",
					policy->name.text, plan->recordings[i].name);
		}
	}
	return 0;
}

static int add_kernel(struct sweep_plan *plan, const char *text, uint32_t *ret)
{
	for (size_t i = 0; i < plan->nr_kernels; i++) {
		if (strcmp(plan->kernels[i], text) == 0) {
			*ret = (uint32_t)i;
			return 0;
		}
	}
	void *items = sweep_append(plan->kernels, &plan->nr_kernels, sizeof(*plan->kernels));
	if (!items)
		return -ENOMEM;
	plan->kernels = items;
	plan->kernels[plan->nr_kernels - 1] = text;
	*ret = (uint32_t)plan->nr_kernels - 1;
	return 0;
}

static int add_row(struct sweep_plan *plan, const struct sweep_row *row, struct printbuf *err)
{
	if (plan->nr_rows == SWEEP_ROWS_MAX)
		return error_set(err, -E2BIG, "%s: more than %d simulations; leave some values out",
				 plan->grid->path, SWEEP_ROWS_MAX);
	void *items = sweep_append(plan->rows, &plan->nr_rows, sizeof(*plan->rows));
	if (!items)
		return out_of_memory(err);
	plan->rows = items;
	plan->rows[plan->nr_rows - 1] = *row;
	return 0;
}

/* All sizes and seeds of a variant above one kernel. */
static int add_sizes(struct sweep_plan *plan, struct sweep_row row, struct printbuf *err)
{
	int error = 0;
	for (row.seed = 0; !error && row.seed < plan->grid->nr_seeds; row.seed++)
		for (row.size = 0; !error && row.size < plan->grid->nr_sizes; row.size++)
			error = add_row(plan, &row, err);
	return error;
}

static int add_variant(struct sweep_plan *plan, uint32_t recording, uint32_t index,
		       struct printbuf *err)
{
	const struct sweep_grid *grid = plan->grid;
	const struct sweep_variant *variant = &grid->variants[index];
	const struct sweep_values *kernels = &grid->policies[variant->policy].kernels;
	struct sweep_row row = { recording, index, 0, 0, SWEEP_NO_KERNEL, SWEEP_WANTED };
	if (variant->kind != SIM_AGENT)
		return add_sizes(plan, row, err);
	if (kernels->nr == 0)
		kernels = &grid->kernels;
	for (size_t i = 0; i < MAX(kernels->nr, 1); i++) {
		const char *text = kernels->nr ? kernels->items[i].text : SIM_KERNEL_DEFAULT;
		if (add_kernel(plan, text, &row.kernel))
			return out_of_memory(err);
		int error = add_sizes(plan, row, err);
		if (error)
			return error;
	}
	return 0;
}

static int add_rows(struct sweep_plan *plan, struct printbuf *err)
{
	int error = 0;
	for (uint32_t i = 0; i < plan->nr_recordings; i++)
		for (uint32_t j = 0; !error && j < plan->grid->nr_variants; j++)
			error = add_variant(plan, i, j, err);
	return error;
}

static int open_machine(const struct sweep_grid *grid, struct machine **ret, struct printbuf *err)
{
	PRINTBUF(why);
	int error = machine_open(grid->machine.text, ret, &why);
	return error ? sweep_grid_error(grid, &grid->machine, error, err, "%s", printbuf_str(&why))
		     : 0;
}

/* Before anything runs; each recording opens its own later. */
static int check_machine(const struct sweep_grid *grid, struct printbuf *err)
{
	struct machine *machine = NULL;
	int error = grid->machine.text ? open_machine(grid, &machine, err) : 0;
	machine_free(machine);
	return error;
}

int sweep_plan_new(const struct sweep_grid *grid, struct sweep_plan **ret, struct printbuf *err)
{
	struct sweep_plan *plan = calloc(1, sizeof(*plan));
	int error = 0;
	if (!plan)
		return out_of_memory(err);
	plan->grid = grid;
	for (size_t i = 0; !error && i < grid->nr_sources; i++)
		error = add_source(plan, &grid->sources[i], err);
	if (!error)
		error = check_machine(grid, err);
	if (!error)
		error = check_pairs(plan, err);
	if (!error)
		error = add_rows(plan, err);
	if (error)
		sweep_plan_free(plan);
	else
		*ret = plan;
	return error;
}

void sweep_plan_clear_jobs(struct sweep_plan *plan)
{
	for (size_t i = 0; i < plan->nr_jobs; i++)
		free(plan->jobs[i].rows);
	free(plan->jobs);
	plan->jobs = NULL;
	plan->nr_jobs = 0;
}

struct sweep_plan *sweep_plan_free(struct sweep_plan *plan)
{
	if (!plan)
		return NULL;
	sweep_plan_clear_jobs(plan);
	for (size_t i = 0; i < plan->nr_recordings; i++) {
		struct sweep_recording *recording = &plan->recordings[i];
		free(recording->name);
		free(recording->group);
		free(recording->path);
		free(recording->machine_line);
		free(recording->cost);
		free(recording->fast_bytes);
		machine_free(recording->machine);
	}
	free(plan->recordings);
	free(plan->kernels);
	free(plan->rows);
	free(plan);
	return NULL;
}

static struct sweep_job *add_job(struct sweep_plan *plan, uint32_t recording)
{
	void *items = sweep_append(plan->jobs, &plan->nr_jobs, sizeof(*plan->jobs));
	if (!items)
		return NULL;
	plan->jobs = items;
	plan->jobs[plan->nr_jobs - 1].recording = recording;
	return &plan->jobs[plan->nr_jobs - 1];
}

/* The longest first; of equals in the order of the grid. */
static int compare_jobs(const void *raw_a, const void *raw_b)
{
	const struct sweep_job *a = raw_a, *b = raw_b;
	uint64_t cost_a = cost_add(a->feed_cost, a->solve_cost);
	uint64_t cost_b = cost_add(b->feed_cost, b->solve_cost);
	if (cost_a != cost_b)
		return cost_a < cost_b ? 1 : -1;
	return a->recording < b->recording ? -1 : a->recording > b->recording;
}

static void sort_jobs(struct sweep_plan *plan)
{
	if (plan->nr_jobs > 1)
		qsort(plan->jobs, plan->nr_jobs, sizeof(*plan->jobs), compare_jobs);
}

int sweep_plan_measure(struct sweep_plan *plan)
{
	sweep_plan_clear_jobs(plan);
	for (uint32_t i = 0; i < plan->nr_recordings; i++) {
		struct sweep_job *job = NULL;
		if (plan->recordings[i].is_measured)
			continue;
		job = add_job(plan, i);
		if (!job)
			return -ENOMEM;
		job->is_measure = true;
		job->feed_cost = cost_multiply(plan->recordings[i].nr_events + 1,
					       SWEEP_DECODE_COST);
	}
	sort_jobs(plan);
	return 0;
}

static uint64_t fast_bytes(const struct sweep_size *size, const struct sweep_recording *recording)
{
	uint64_t pages = recording->extent.peak_pages;
	if (size->kind != SWEEP_SIZE_SHARE)
		return size->bytes;
	pages = cost_scale(MAX(pages, 1), size->part, size->whole);
	return cost_multiply(MAX(pages, 1), recording->page_bytes);
}

static int spell_cost(const struct sweep_grid *grid, struct sweep_recording *recording)
{
	PRINTBUF(text);
	uint64_t values[COST_NR_TUNABLES];
	tunables_defaults(cost_tunables, COST_NR_TUNABLES, values);
	uint64_t tick_ns = grid->tick_ns ? MIN(grid->tick_ns, KERNEL_TICK_NS) : KERNEL_TICK_NS;
	for (size_t i = 0; i < grid->nr_variants; i++)
		tick_ns = MIN(tick_ns, grid->variants[i].tick_ns);
	tick_ns = MAX(tick_ns / recording->dilate, cost_tunables[COST_TICK].min);
	if (grid->cost.text)
		prt_str(&text, grid->cost.text);
	if (!grid->cost.text || !strstr(grid->cost.text, "tick=")) {
		prt_str(&text, text.pos ? ",tick=" : "tick=");
		prt_ns_exact(&text, MIN(values[COST_TICK], tick_ns));
	}
	recording->cost = printbuf_steal(&text, NULL);
	return recording->cost ? 0 : -ENOMEM;
}

static int find_machine(const struct sweep_grid *grid, struct sweep_recording *recording,
			struct printbuf *err)
{
	PRINTBUF(line);
	int error = grid->machine.text ? open_machine(grid, &recording->machine, err)
				       : sim_default_machine(recording->extent.peak_pages,
							     recording->page_bytes, DEFAULT_FAST_BP,
							     &recording->machine, err);
	if (error)
		return error;
	machine_to_line(&line, recording->machine);
	recording->machine_line = printbuf_steal(&line, NULL);
	return recording->machine_line ? 0 : out_of_memory(err);
}

static int size_recording(const struct sweep_grid *grid, struct sweep_recording *recording,
			  struct printbuf *err)
{
	recording->fast_bytes = calloc(grid->nr_sizes, sizeof(*recording->fast_bytes));
	if (!recording->fast_bytes || spell_cost(grid, recording))
		return out_of_memory(err);
	for (size_t i = 0; i < grid->nr_sizes; i++)
		recording->fast_bytes[i] = fast_bytes(&grid->sizes[i], recording);
	return find_machine(grid, recording, err);
}

int sweep_plan_size(struct sweep_plan *plan, struct printbuf *err)
{
	int error = 0;
	for (size_t i = 0; !error && i < plan->nr_recordings; i++)
		error = size_recording(plan->grid, &plan->recordings[i], err);
	return error;
}

static void set_cost(const struct sweep_plan *plan, struct sweep_job *job)
{
	uint64_t nr_events = plan->recordings[job->recording].nr_events + 1;
	uint64_t feed = SWEEP_DECODE_COST, solve = 0;
	for (size_t i = 0; i < job->nr_rows; i++) {
		const struct sweep_variant *variant =
			&plan->grid->variants[plan->rows[job->rows[i]].variant];
		*(variant->is_solved ? &solve : &feed) += variant->weight;
	}
	job->feed_cost = cost_multiply(nr_events, feed);
	job->solve_cost = cost_multiply(nr_events, solve);
}

static int job_add_row(struct sweep_job *job, uint32_t row)
{
	void *items = sweep_append(job->rows, &job->nr_rows, sizeof(*job->rows));
	if (!items)
		return -ENOMEM;
	job->rows = items;
	job->rows[job->nr_rows - 1] = row;
	return 0;
}

/*
 * What a piece gets whole: a variant with all its sizes and seeds, so that they share a set; but of
 * a bound, whose sizes are solved one by one, each size for itself.
 */
struct unit {
	uint32_t id;
	uint64_t weight;
};

static uint32_t unit_of(const struct sweep_plan *plan, const struct sweep_row *row)
{
	bool is_solved = plan->grid->variants[row->variant].is_solved;
	return row->variant * (uint32_t)plan->grid->nr_sizes + (is_solved ? row->size : 0);
}

static int compare_units(const void *raw_a, const void *raw_b)
{
	const struct unit *a = raw_a, *b = raw_b;
	if (a->weight != b->weight)
		return a->weight < b->weight ? 1 : -1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* Units by weight, each to the lightest piece; piece_of: [unit]. */
static int deal(const struct sweep_plan *plan, const struct sweep_job *whole, size_t nr_pieces,
		uint32_t *piece_of, size_t nr_units)
{
	struct unit *units = calloc(nr_units, sizeof(*units));
	uint64_t *loads = calloc(nr_pieces, sizeof(*loads));
	for (uint32_t i = 0; units && i < nr_units; i++)
		units[i].id = i;
	for (size_t i = 0; units && i < whole->nr_rows; i++) {
		const struct sweep_row *row = &plan->rows[whole->rows[i]];
		units[unit_of(plan, row)].weight += plan->grid->variants[row->variant].weight;
	}
	if (units && loads)
		qsort(units, nr_units, sizeof(*units), compare_units);
	for (size_t i = 0; units && loads && i < nr_units && units[i].weight; i++) {
		size_t lightest = 0;
		for (size_t j = 1; j < nr_pieces; j++)
			if (loads[j] < loads[lightest])
				lightest = j;
		piece_of[units[i].id] = (uint32_t)lightest;
		loads[lightest] += units[i].weight;
	}
	int error = units && loads ? 0 : -ENOMEM;
	free(units);
	free(loads);
	return error;
}

static int cut_job(struct sweep_plan *plan, const struct sweep_job *whole, size_t nr_pieces)
{
	size_t first = plan->nr_jobs;
	size_t nr_units = plan->grid->nr_variants * plan->grid->nr_sizes;
	uint32_t *piece_of = calloc(nr_units, sizeof(*piece_of));
	int error = piece_of ? deal(plan, whole, nr_pieces, piece_of, nr_units) : -ENOMEM;
	for (size_t i = 0; !error && i < nr_pieces; i++)
		error = add_job(plan, whole->recording) ? 0 : -ENOMEM;
	for (size_t i = 0; !error && i < whole->nr_rows; i++) {
		uint32_t piece = piece_of[unit_of(plan, &plan->rows[whole->rows[i]])];
		error = job_add_row(&plan->jobs[first + piece], whole->rows[i]);
	}
	free(piece_of);
	return error;
}

static uint64_t divide_up(uint64_t value, uint64_t by)
{
	return value / by + (value % by != 0);
}

/* Pieces that memory and the simulator's limit ask for. */
static size_t least_pieces(const struct sweep_plan *plan, const struct sweep_job *whole,
			   uint64_t memory_bytes)
{
	const struct sweep_recording *recording = &plan->recordings[whole->recording];
	uint64_t a_row = cost_multiply(recording->extent.peak_pages + 1, SWEEP_BYTES_A_PAGE);
	uint64_t by_memory = divide_up(cost_multiply(a_row, whole->nr_rows),
				       MAX(memory_bytes, a_row));
	return (size_t)MAX(by_memory, divide_up(whole->nr_rows, SIM_SET_MAX));
}

static int compare_costs(const void *raw_a, const void *raw_b)
{
	uint64_t a = *(const uint64_t *)raw_a, b = *(const uint64_t *)raw_b;
	return a < b ? 1 : a > b ? -1 : 0;
}

/* The longest load of nr_workers when the first nr_split of the wholes are cut into as many pieces,
 * each of which decodes anew. `costs` has room for all pieces. */
static uint64_t guess_makespan(const struct sweep_plan *plan, const struct sweep_job *wholes,
			       size_t nr, size_t nr_split, unsigned nr_workers, uint64_t *costs)
{
	uint64_t loads[SWEEP_WORKERS_MAX] = { 0 }, longest = 0;
	size_t nr_costs = 0;
	for (size_t i = 0; i < nr; i++) {
		uint64_t nr_events = plan->recordings[wholes[i].recording].nr_events + 1;
		uint64_t decode = cost_multiply(nr_events, SWEEP_DECODE_COST);
		uint64_t cost = cost_add(wholes[i].feed_cost, wholes[i].solve_cost) - decode;
		size_t nr_pieces = i < nr_split ? nr_workers : 1;
		for (size_t j = 0; j < nr_pieces; j++)
			costs[nr_costs++] = cost_add(cost / nr_pieces, decode);
	}
	qsort(costs, nr_costs, sizeof(*costs), compare_costs);
	for (size_t i = 0; i < nr_costs; i++) {
		unsigned lightest = 0;
		for (unsigned j = 1; j < nr_workers; j++)
			lightest = loads[j] < loads[lightest] ? j : lightest;
		loads[lightest] = cost_add(loads[lightest], costs[i]);
		longest = MAX(longest, loads[lightest]);
	}
	return longest;
}

/* How many of the wholes, which come by cost, are best cut. */
static int choose_splits(const struct sweep_plan *plan, const struct sweep_job *wholes, size_t nr,
			 unsigned nr_workers, size_t *ret)
{
	size_t most = nr_workers > 1 ? MIN(nr, SWEEP_SPLITS_MAX) : 0, best = 0;
	uint64_t best_ns = UINT64_MAX;
	uint64_t *costs = calloc(nr + most * nr_workers + 1, sizeof(*costs));
	for (size_t i = 0; costs && i <= most; i++) {
		uint64_t makespan = guess_makespan(plan, wholes, nr, i, nr_workers, costs);
		if (makespan < best_ns) {
			best_ns = makespan;
			best = i;
		}
	}
	free(costs);
	*ret = best;
	return costs ? 0 : -ENOMEM;
}

/* The rows of each recording that are wanted, as if they were one job. */
static int gather(const struct sweep_plan *plan, struct sweep_job *wholes, size_t *ret_nr)
{
	for (size_t i = 0; i < plan->nr_rows; i++) {
		const struct sweep_row *row = &plan->rows[i];
		if (row->state != SWEEP_WANTED)
			continue;
		if (job_add_row(&wholes[row->recording], (uint32_t)i))
			return -ENOMEM;
	}
	for (size_t i = 0; i < plan->nr_recordings; i++) {
		wholes[i].recording = (uint32_t)i;
		if (wholes[i].nr_rows == 0)
			continue;
		set_cost(plan, &wholes[i]);
		++*ret_nr;
	}
	/* Those without rows cost nothing and come last. */
	qsort(wholes, plan->nr_recordings, sizeof(*wholes), compare_jobs);
	return 0;
}

static void drop_empty_jobs(struct sweep_plan *plan)
{
	size_t nr = 0;
	for (size_t i = 0; i < plan->nr_jobs; i++)
		if (plan->jobs[i].nr_rows)
			plan->jobs[nr++] = plan->jobs[i];
	plan->nr_jobs = nr;
}

int sweep_plan_cut(struct sweep_plan *plan, unsigned nr_workers, uint64_t memory_bytes)
{
	size_t nr_wholes = 0, nr_split = 0;
	struct sweep_job *wholes = calloc(MAX(plan->nr_recordings, 1), sizeof(*wholes));
	sweep_plan_clear_jobs(plan);
	int error = wholes ? gather(plan, wholes, &nr_wholes) : -ENOMEM;
	if (!error)
		error = choose_splits(plan, wholes, nr_wholes, nr_workers, &nr_split);
	for (size_t i = 0; !error && i < nr_wholes; i++) {
		size_t nr_pieces = MAX(i < nr_split ? nr_workers : 1,
				       least_pieces(plan, &wholes[i], memory_bytes));
		error = cut_job(plan, &wholes[i], MIN(nr_pieces, wholes[i].nr_rows));
	}
	for (size_t i = 0; wholes && i < plan->nr_recordings; i++)
		free(wholes[i].rows);
	free(wholes);
	drop_empty_jobs(plan);
	for (size_t i = 0; i < plan->nr_jobs; i++)
		set_cost(plan, &plan->jobs[i]);
	sort_jobs(plan);
	return error;
}

int sweep_plan_halve(struct sweep_plan *plan, const struct sweep_job *job)
{
	struct sweep_job old = *job; /* the list of jobs may move */
	for (int half = 0; half < 2; half++) {
		size_t first = half ? old.nr_rows / 2 : 0;
		size_t end = half ? old.nr_rows : old.nr_rows / 2;
		struct sweep_job *added = add_job(plan, old.recording);
		int error = added ? 0 : -ENOMEM;
		for (size_t i = first; !error && i < end; i++)
			error = job_add_row(added, old.rows[i]);
		if (error)
			return error;
		set_cost(plan, added);
	}
	return 0;
}

const char *sweep_row_kernel(const struct sweep_plan *plan, const struct sweep_row *row)
{
	return row->kernel == SWEEP_NO_KERNEL ? "" : plan->kernels[row->kernel];
}

/* 'text', safe for a shell. */
static void prt_quoted(struct printbuf *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=.,:/%@";
	if (*text && text[strspn(text, plain)] == '\0') {
		prt_str(out, text);
		return;
	}
	prt_char(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			prt_str(out, "'\\''");
		else
			prt_char(out, *text);
	}
	prt_char(out, '\'');
}

static void prt_option(struct printbuf *out, const char *option, const char *value)
{
	prt_printf(out, " %s ", option);
	prt_quoted(out, value);
}

void sweep_row_command(struct printbuf *out, const struct sweep_plan *plan,
		       const struct sweep_row *row)
{
	const struct sweep_recording *recording = &plan->recordings[row->recording];
	prt_str(out, "berth sim ");
	prt_quoted(out, recording->path);
	prt_option(out, "-M", recording->machine_line);
	prt_option(out, "-P", plan->grid->variants[row->variant].spec);
	if (row->kernel != SWEEP_NO_KERNEL)
		prt_option(out, "-K", plan->kernels[row->kernel]);
	if (recording->fast_bytes[row->size])
		prt_printf(out, " --fast %llu",
			   (unsigned long long)recording->fast_bytes[row->size]);
	prt_printf(out, " --dilate %llu", (unsigned long long)recording->dilate);
	prt_option(out, "--cost", recording->cost);
	prt_printf(out, " --seed %llu", (unsigned long long)plan->grid->seeds[row->seed]);
}

void sweep_row_to_text(struct printbuf *out, const struct sweep_plan *plan,
		       const struct sweep_row *row)
{
	prt_printf(out, "%s under %s at %s", plan->recordings[row->recording].name,
		   plan->grid->variants[row->variant].spec, plan->grid->sizes[row->size].label);
}
