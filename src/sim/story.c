/* SPDX-License-Identifier: MIT */
/* The story of one page; story.h. */
#include "sim/story.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_BACK 8 /* events that a repetition is looked for in */

const char *const story_kind_names[STORY_NR_KINDS] = { "born",	  "moved",   "freed",
						       "sampled", "decided", "refused" };

static uint64_t now_ns(const struct story *story)
{
	return story->simulation->kernel->now_ns;
}

static bool is_same(const struct story_event *one, const struct story_event *other)
{
	return one->kind == other->kind && one->from == other->from && one->to == other->to &&
	       one->outcome == other->outcome && one->sample_kind == other->sample_kind &&
	       strcmp(one->why, other->why) == 0;
}

static void fold(struct story_event *into, const struct story_event *event)
{
	into->nr += event->nr;
	into->last_ns = event->last_ns;
	into->nr_pages = MAX(into->nr_pages, event->nr_pages);
	into->nr_hits += event->nr_hits;
	into->nr_checks += event->nr_checks;
	into->threshold_ns = event->threshold_ns;
	if (event->min_latency_ns == STORY_UNKNOWN)
		return;
	into->min_latency_ns = MIN(into->min_latency_ns, event->min_latency_ns);
	into->max_latency_ns = into->max_latency_ns == STORY_UNKNOWN
				       ? event->max_latency_ns
				       : MAX(into->max_latency_ns, event->max_latency_ns);
}

static struct story_event *find_same(struct story *story, const struct story_event *event)
{
	uint32_t first = story->nr > LOOK_BACK ? story->nr - LOOK_BACK : 0;
	first = MAX(first, story->stay + 1);
	for (uint32_t i = story->nr; i > first; i--)
		if (is_same(&story->events[i - 1], event))
			return &story->events[i - 1];
	return NULL;
}

static struct story_event *push(struct story *story, const struct story_event *event)
{
	if (story->nr == story->config.max_events) {
		story->nr_left_out += event->nr;
		return NULL;
	}
	story->events[story->nr] = *event;
	return &story->events[story->nr++];
}

static struct story_event event_of(const struct story *story, enum story_kind kind, uint32_t from,
				   uint32_t to, const char *why)
{
	return (struct story_event){
		.kind = kind,
		.from = from,
		.to = to,
		.first_ns = now_ns(story),
		.last_ns = now_ns(story),
		.nr = 1,
		.why = why ? why : "no reason was given",
		.min_latency_ns = STORY_UNKNOWN,
		.max_latency_ns = STORY_UNKNOWN,
		.threshold_ns = STORY_UNKNOWN,
		.end_ns = now_ns(story),
	};
}

static void add(struct story *story, const struct story_event *event, bool may_fold)
{
	struct story_event *same = may_fold ? find_same(story, event) : NULL;
	if (same)
		fold(same, event);
	else
		push(story, event);
}

static bool has_stay(const struct story *story)
{
	return story->nr > 0 && story->events[story->stay].kind <= STORY_MOVED;
}

static void end_stay(struct story *story, uint64_t end_ns)
{
	if (has_stay(story))
		story->events[story->stay].end_ns = end_ns;
}

/* Born, moved or freed. */
static void turn(struct story *story, enum story_kind kind, const struct kernel_event *event)
{
	struct story_event turn = event_of(story, kind, event->from, event->to, event->why);
	end_stay(story, turn.first_ns);
	if (push(story, &turn))
		story->stay = story->nr - 1;
}

static void see_decision(struct story *story, const struct kernel_event *event)
{
	struct story_event decision = event_of(story, STORY_DECIDED, event->from, event->to,
					       event->why);
	if (event->latency_ms != KERNEL_UNKNOWN) {
		decision.min_latency_ns = event->latency_ms * NS_PER_MS;
		decision.max_latency_ns = decision.min_latency_ns;
	}
	if (event->threshold_ms != KERNEL_UNKNOWN)
		decision.threshold_ns = event->threshold_ms * NS_PER_MS;
	add(story, &decision, true);
}

static void see_refusal(struct story *story, const struct kernel_event *event)
{
	struct story_event refusal = event_of(story, STORY_REFUSED, event->from, event->to,
					      event->why);
	if (story->planned && event->why == story->planned)
		return; /* the engine tells it, too */
	refusal.outcome = event->error == -ENOSPC ? MOVE_REFUSED_FULL : MOVE_REFUSED_BUSY;
	add(story, &refusal, true);
}

static void see_kernel(void *context, const struct kernel_event *event)
{
	struct story *story = context;
	switch (event->kind) {
	case KERNEL_BORN:
		story->nr_lives++;
		story->born_on = event->to;
		turn(story, STORY_BORN, event);
		break;
	case KERNEL_MOVED:
		story->nr_moves++;
		turn(story, STORY_MOVED, event);
		break;
	case KERNEL_FREED:
		turn(story, STORY_FREED, event);
		break;
	case KERNEL_DECIDED:
		see_decision(story, event);
		break;
	case KERNEL_REFUSED:
		see_refusal(story, event);
		break;
	}
}

static bool holds(const struct story *story, uint32_t space, uint64_t page, uint64_t nr_pages)
{
	return story->is_found && story->config.space == space && page <= story->config.page &&
	       story->config.page - page < nr_pages;
}

static void see_sample(struct story *story, const struct sample *sample)
{
	struct story_event seen = event_of(story, STORY_SAMPLED, sample->node, sample->node, "");
	bool has_checks = sample->checks != SAMPLE_NONE;
	seen.first_ns = seen.last_ns = sample->time_ns;
	seen.sample_kind = (enum sample_kind)sample->kind;
	seen.nr_pages = sample->nr_pages;
	seen.nr_hits = has_checks ? sample->hits : 0;
	seen.nr_checks = has_checks ? sample->checks : 0;
	seen.min_latency_ns = seen.max_latency_ns = sample->latency_ns;
	story->nr_samples++;
	add(story, &seen, story->nr_samples > STORY_SINGLE);
}

static void see_samples(void *context, const struct sample_batch *batch)
{
	struct story *story = context;
	for (uint32_t i = 0; i < batch->nr; i++) {
		const struct sample *sample = &batch->samples[i];
		if (holds(story, sample->space, sample->page, sample->nr_pages))
			see_sample(story, sample);
	}
}

static void see_plan(void *context, const struct plan *plan)
{
	struct story *story = context;
	story->planned = NULL;
	for (uint32_t i = 0; i < plan->nr && !story->planned; i++) {
		const struct plan_move *move = &plan->moves[i];
		if (holds(story, move->space, move->page, move->nr_pages))
			story->planned = move->why;
	}
}

/* What was done, the kernel has told. */
static void see_results(void *context, const struct move_result *results, uint32_t nr)
{
	struct story *story = context;
	for (uint32_t i = 0; i < nr; i++) {
		const struct move_result *result = &results[i];
		if (result->outcome == MOVE_DONE ||
		    !holds(story, result->space, result->page, result->nr_pages))
			continue;
		struct story_event refusal = event_of(story, STORY_REFUSED, result->from,
						      result->to, story->planned);
		refusal.outcome = (enum move_outcome)result->outcome;
		add(story, &refusal, true);
	}
}

/* The page's number now; UINT32_MAX: it has none. */
static uint32_t find_number(struct story *story)
{
	const struct stage *stage = story->simulation->stage;
	if (story->is_found)
		return stage_find(stage, story->config.space, story->config.page);
	for (uint32_t space = 0; space < story->config.nr_spaces; space++) {
		uint32_t number = stage_find(stage, space, story->config.page);
		if (number == UINT32_MAX)
			continue;
		story->is_found = true;
		story->config.space = space;
		return number;
	}
	return UINT32_MAX;
}

static uint32_t node_of(const struct story *story, uint32_t number)
{
	const struct kernel *kernel = story->simulation->kernel;
	return number < kernel->nr_pages ? kernel->pages[number].node : KERNEL_NOWHERE;
}

/* The address lost its page, or got another, without a birth or a death: mremap. */
static void see_remap(struct story *story, uint32_t node)
{
	struct kernel_event gone = { .kind = KERNEL_FREED,
				     .why = "mremap moved it to another address" };
	struct kernel_event come = { .kind = KERNEL_BORN,
				     .from = node,
				     .to = node,
				     .why = "mremap moved it here from another address" };
	if (has_stay(story)) {
		gone.from = gone.to = story->events[story->stay].to;
		see_kernel(story, &gone);
	}
	if (node != KERNEL_NOWHERE)
		see_kernel(story, &come);
}

/* From now on the kernel tells of this number. */
static void follow(struct story *story, uint32_t number)
{
	struct kernel_watch *watch = &story->watch.kernel;
	if (number == UINT32_MAX)
		number = KERNEL_WATCH_NONE;
	if (watch->page == number)
		return;
	watch->page = number;
	watch->node = node_of(story, number);
	if (has_stay(story) || watch->node != KERNEL_NOWHERE)
		see_remap(story, watch->node);
}

/* Events [at, end) of a chunk, as a chunk of their own. */
static struct stage_events slice(const struct stage_events *events, uint32_t at, uint32_t end)
{
	struct stage_events part = { .nr = end - at, .page = events->page + at };
	part.flags = events->flags ? events->flags + at : NULL;
	part.loads = events->loads ? events->loads + at : NULL;
	part.stores = events->stores ? events->stores + at : NULL;
	for (uint32_t i = 0; i < part.nr && !part.flags; i++) {
		part.nr_loads += part.loads[i];
		part.nr_stores += part.stores[i];
	}
	for (uint32_t i = 0; i < part.nr && part.flags; i++) {
		bool is_miss = part.flags[i] & TRACE_MISS, is_store = part.flags[i] & TRACE_WRITE;
		part.nr_loads += is_miss && !is_store;
		part.nr_stores += is_miss && is_store;
	}
	return part;
}

static int forward(struct story *story, const struct stage_events *events, uint32_t at,
		   uint32_t end, struct printbuf *err)
{
	struct stage_events part = slice(events, at, end);
	return part.nr ? story->inner.events(story->inner.context, &part, err) : 0;
}

/* An access is served where the page was before it, or where it was born by it. */
static int access_page(struct story *story, const struct stage_events *events, uint32_t at,
		       struct printbuf *err)
{
	struct stage_events one = slice(events, at, at + 1);
	uint32_t before = story->stay;
	bool was_there = has_stay(story);
	int error = story->inner.events(story->inner.context, &one, err);
	if (!was_there)
		before = story->stay;
	if (error || !has_stay(story))
		return error;
	struct story_event *stay = &story->events[before];
	stay->nr_loads += one.nr_loads;
	stay->nr_stores += one.nr_stores;
	stay->nr_touches += one.nr_loads + one.nr_stores == 0;
	return 0;
}

static int run_events(void *context, const struct stage_events *events, struct printbuf *err)
{
	struct story *story = context;
	uint32_t number = find_number(story), at = 0;
	int error = 0;
	follow(story, number);
	for (uint32_t i = 0; i < events->nr && number != UINT32_MAX && !error; i++) {
		if (events->page[i] != number)
			continue;
		error = forward(story, events, at, i, err);
		if (!error)
			error = access_page(story, events, i, err);
		at = i + 1;
	}
	return error ? error
	       : at  ? forward(story, events, at, events->nr, err)
		     : story->inner.events(story->inner.context, events, err);
}

static int run_tick(void *context, const struct stage_tick *tick, struct printbuf *err)
{
	struct story *story = context;
	int error = story->inner.tick(story->inner.context, tick, err);
	story->planned = NULL;
	story->end_ns = now_ns(story);
	if (tick->is_last)
		end_stay(story, story->end_ns);
	return error;
}

static int run_grow(void *context, uint32_t nr_pages, struct printbuf *err)
{
	struct story *story = context;
	return story->inner.grow(story->inner.context, nr_pages, err);
}

static int run_freed(void *context, const uint32_t *pages, uint32_t nr, struct printbuf *err)
{
	struct story *story = context;
	return story->inner.freed(story->inner.context, pages, nr, err);
}

static int run_mapping(void *context, const struct trace_mapping *mapping, struct printbuf *err)
{
	struct story *story = context;
	return story->inner.mapping(story->inner.context, mapping, err);
}

static struct stage_consumer wrap(void *context, struct simulation *simulation,
				  const struct stage_consumer *inner)
{
	struct story *story = context;
	story->simulation = simulation;
	story->inner = *inner;
	return (struct stage_consumer){
		.context = story,
		.grow = run_grow,
		.events = run_events,
		.freed = run_freed,
		.mapping = run_mapping,
		.tick = run_tick,
	};
}

int story_new(const struct story_config *config, struct story **ret)
{
	struct story *story = calloc(1, sizeof(*story));
	if (!story)
		return -ENOMEM;
	story->config = *config;
	story->config.max_events = config->max_events ? config->max_events : STORY_MAX;
	story->is_found = config->space != STORY_ANY_SPACE;
	story->born_on = KERNEL_NOWHERE;
	story->events = calloc(story->config.max_events, sizeof(*story->events));
	if (!story->events) {
		free(story);
		return -ENOMEM;
	}
	story->watch = (struct simulation_watch){
		.kernel = { .context = story,
			    .page = KERNEL_WATCH_NONE,
			    .node = KERNEL_NOWHERE,
			    .see = see_kernel },
		.engine = { .context = story,
			    .observed = see_samples,
			    .planned = see_plan,
			    .completed = see_results },
		.wrap = wrap,
		.context = story,
	};
	*ret = story;
	return 0;
}

struct story *story_free(struct story *story)
{
	if (!story)
		return NULL;
	free(story->events);
	free(story);
	return NULL;
}

bool story_is_valid(const struct story *story)
{
	uint32_t node = KERNEL_NOWHERE;
	for (uint32_t i = 0; i < story->nr; i++) {
		const struct story_event *event = &story->events[i];
		bool is_there = node != KERNEL_NOWHERE;
		if (event->last_ns < event->first_ns || event->nr == 0 || !event->why)
			return false;
		if (event->kind == STORY_BORN ? is_there
					      : event->kind == STORY_MOVED && event->from != node)
			return false;
		if (event->kind == STORY_FREED && !is_there)
			return false;
		if (event->kind <= STORY_FREED)
			node = event->kind == STORY_FREED ? KERNEL_NOWHERE : event->to;
	}
	return story->nr <= story->config.max_events;
}
