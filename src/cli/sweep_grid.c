/* SPDX-License-Identifier: MIT */
/*
 * What a grid asks for. Only the text is judged here: names, keys, values and their places;
 * recordings are looked for later (sweep_plan.c).
 *
 *     [sweep]        fast = 50%, 1:8      --> sizes      \
 *     [recordings]   sqlite = a.berth     --> sources     > the product of all is the rows
 *     [policy NAME]  KEY = a, b           --> variants   /
 *
 * Every value of every tunable is tried on the policy's own parser, so what a grid may hold is what
 * `berth sim -P` takes, and its error sentences are the same.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "cli/sweep_grid.h"
#include "machine/machine.h"

enum section { SECTION_NONE, SECTION_SWEEP, SECTION_RECORDINGS, SECTION_POLICY };

struct grid_parser {
	struct sweep_grid *grid;
	enum section section;
	char group[SWEEP_NAME_MAX + 1]; /* of [recordings GROUP] */
	bool has_sweep;
};

enum key_kind { KEY_ONE, KEY_JOINED, KEY_LIST, KEY_LINES };

static const struct grid_key {
	const char *name;
	enum key_kind kind;
	size_t offset; /* in struct sweep_grid: of a sweep_value, or of sweep_values */
} sweep_keys[] = {
	{ "machine", KEY_JOINED, offsetof(struct sweep_grid, machine) },
	{ "fast", KEY_LIST, offsetof(struct sweep_grid, fast_texts) },
	{ "dilate", KEY_ONE, offsetof(struct sweep_grid, dilate_text) },
	{ "span", KEY_ONE, offsetof(struct sweep_grid, span_text) },
	{ "tick", KEY_ONE, offsetof(struct sweep_grid, tick_text) },
	{ "seed", KEY_LIST, offsetof(struct sweep_grid, seed_texts) },
	{ "kernel", KEY_LINES, offsetof(struct sweep_grid, kernels) },
	{ "cost", KEY_ONE, offsetof(struct sweep_grid, cost) },
};

void *sweep_append(void *items, size_t *nr, size_t size)
{
	void *more = items;
	if ((*nr & (*nr - 1)) == 0)
		more = realloc(items, MAX(*nr * 2, 1) * size);
	if (!more)
		return NULL;
	memset((char *)more + *nr * size, 0, size);
	++*nr;
	return more;
}

int sweep_grid_error(const struct sweep_grid *grid, const struct ini_value *at, int error,
		     struct printbuf *err, const char *format, ...)
{
	va_list args;
	ini_place(err, grid->path, at);
	va_start(args, format);
	if (err)
		prt_vprintf(err, format, args);
	va_end(args);
	return error;
}

/* "there is no KIND 'name'; did you mean X? there are A, B" */
static int unknown(const struct sweep_grid *grid, const struct ini_value *name, const char *kind,
		   const char *const names[], size_t nr, struct printbuf *err)
{
	const char *nearest = nearest_name(name->text, names, nr);
	if (!err)
		return -EINVAL;
	ini_place(err, grid->path, name);
	prt_printf(err, "there is no %s '", kind);
	prt_safe(err, name->text, strlen(name->text));
	prt_str(err, "'; ");
	if (nearest)
		prt_printf(err, "did you mean %s? ", nearest);
	prt_str(err, "there are ");
	for (size_t i = 0; i < nr; i++)
		prt_printf(err, "%s%s", i ? ", " : "", names[i]);
	return -EINVAL;
}

static int copy_text(const struct ini_value *at, const char *text, size_t len,
		     struct ini_value *ret, struct printbuf *err)
{
	char *copy = strndup(text, len);
	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	*ret = (struct ini_value){ copy, at->line, at->column };
	return 0;
}

static int add_value(const struct sweep_grid *grid, struct sweep_values *values,
		     const struct ini_value *at, const char *text, size_t len, struct printbuf *err)
{
	for (size_t i = 0; i < values->nr; i++)
		if (strlen(values->items[i].text) == len &&
		    memcmp(values->items[i].text, text, len) == 0)
			return sweep_grid_error(grid, at, -EINVAL, err,
						"'%.*s' stands there twice; leave one out",
						(int)len, text);
	if (len == 0)
		return sweep_grid_error(grid, at, -EINVAL, err, "a value is missing here");
	if (values->nr == SWEEP_LIST_MAX)
		return sweep_grid_error(grid, at, -E2BIG, err,
					"more than %d values; leave some out", SWEEP_LIST_MAX);
	void *items = sweep_append(values->items, &values->nr, sizeof(*values->items));
	if (!items)
		return error_set(err, -ENOMEM, "out of memory");
	values->items = items;
	return copy_text(at, text, len, &values->items[values->nr - 1], err);
}

/* "a, b, c": one value each. */
static int add_list(const struct sweep_grid *grid, struct sweep_values *values,
		    const struct ini_value *list, struct printbuf *err)
{
	const char *text = list->text;
	bool more = true;
	while (more) {
		size_t blanks = strspn(text, " \t"), len = strcspn(text + blanks, ",");
		const char *end = text + blanks + len;
		more = *end == ',';
		text += blanks;
		while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
			len--;
		struct ini_value at = *list;
		at.column += (unsigned)(text - list->text);
		int error = add_value(grid, values, &at, text, len, err);
		if (error)
			return error;
		text = end + (more ? 1 : 0);
	}
	return 0;
}

static int set_value(const struct sweep_grid *grid, struct ini_value *to,
		     const struct ini_value *name, const struct ini_value *value, bool joins,
		     struct printbuf *err)
{
	PRINTBUF(joined);
	if (to->text && !joins)
		return sweep_grid_error(grid, name, -EINVAL, err, "'%s' is given twice",
					name->text);
	if (!*value->text)
		return sweep_grid_error(grid, value, -EINVAL, err, "a value is missing here");
	if (!to->text)
		return copy_text(value, value->text, strlen(value->text), to, err);
	prt_printf(&joined, "%s %s", to->text, value->text);
	char *text = printbuf_steal(&joined, NULL);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	free(to->text);
	to->text = text;
	return 0;
}

static int sweep_key(struct sweep_grid *grid, const struct ini_value *name,
		     const struct ini_value *value, bool goes_on, struct printbuf *err)
{
	const char *names[ARRAY_SIZE(sweep_keys)];
	for (size_t i = 0; i < ARRAY_SIZE(sweep_keys); i++) {
		const struct grid_key *key = &sweep_keys[i];
		void *to = (char *)grid + key->offset;
		names[i] = key->name;
		if (strcmp(key->name, name->text) != 0)
			continue;
		if (key->kind == KEY_LIST)
			return add_list(grid, to, value, err);
		if (key->kind == KEY_LINES)
			return add_value(grid, to, value, value->text, strlen(value->text), err);
		return set_value(grid, to, goes_on ? value : name, value,
				 goes_on && key->kind == KEY_JOINED, err);
	}
	return unknown(grid, name, "key", names, ARRAY_SIZE(sweep_keys), err);
}

static int recording_key(struct grid_parser *parser, const struct ini_value *name,
			 const struct ini_value *value, struct printbuf *err)
{
	struct sweep_grid *grid = parser->grid;
	if (!*value->text)
		return sweep_grid_error(grid, value, -EINVAL, err, "a path is missing here");
	if (grid->nr_sources == SWEEP_SOURCES_MAX)
		return sweep_grid_error(grid, name, -E2BIG, err,
					"more than %d recordings; leave some out",
					SWEEP_SOURCES_MAX);
	void *items = sweep_append(grid->sources, &grid->nr_sources, sizeof(*grid->sources));
	if (!items)
		return error_set(err, -ENOMEM, "out of memory");
	grid->sources = items;
	struct sweep_source *source = &grid->sources[grid->nr_sources - 1];
	source->group = strdup(parser->group);
	if (!source->group)
		return error_set(err, -ENOMEM, "out of memory");
	int error = copy_text(name, name->text, strlen(name->text), &source->name, err);
	return error ? error
		     : copy_text(value, value->text, strlen(value->text), &source->pattern, err);
}

/* Whether the base already says so: "recency:idle=20" and a list for idle contradict. */
static bool spec_has_key(const char *spec, const char *key)
{
	const char *at = strchr(spec, ':');
	size_t len = strlen(key);
	for (; at; at = strchr(at + 1, ','))
		if (strncmp(at + 1, key, len) == 0 && at[1 + len] == '=')
			return true;
	return false;
}

static struct sweep_tunable *find_tunable(struct sweep_policy *policy, const char *key)
{
	for (size_t i = 0; i < policy->nr_tunables; i++)
		if (strcmp(policy->tunables[i].key.text, key) == 0)
			return &policy->tunables[i];
	return NULL;
}

static int policy_key(struct sweep_grid *grid, const struct ini_value *name,
		      const struct ini_value *value, bool goes_on, struct printbuf *err)
{
	struct sweep_policy *policy = &grid->policies[grid->nr_policies - 1];
	struct sweep_tunable *tunable = find_tunable(policy, name->text);
	if (strcmp(name->text, "spec") == 0)
		return set_value(grid, &policy->spec, name, value, false, err);
	if (strcmp(name->text, "kernel") == 0)
		return add_value(grid, &policy->kernels, value, value->text, strlen(value->text),
				 err);
	if (tunable && !goes_on)
		return sweep_grid_error(grid, name, -EINVAL, err, "'%s' is given twice",
					name->text);
	if (!tunable) {
		void *items = sweep_append(policy->tunables, &policy->nr_tunables,
					   sizeof(*policy->tunables));
		if (!items)
			return error_set(err, -ENOMEM, "out of memory");
		policy->tunables = items;
		tunable = &policy->tunables[policy->nr_tunables - 1];
		int error = copy_text(name, name->text, strlen(name->text), &tunable->key, err);
		if (error)
			return error;
	}
	return add_list(grid, &tunable->values, value, err);
}

static int on_key(void *context, const struct ini_value *name, const struct ini_value *value,
		  bool goes_on, struct printbuf *err)
{
	struct grid_parser *parser = context;
	switch (parser->section) {
	case SECTION_SWEEP:
		return sweep_key(parser->grid, name, value, goes_on, err);
	case SECTION_RECORDINGS:
		return recording_key(parser, name, value, err);
	case SECTION_POLICY:
		return policy_key(parser->grid, name, value, goes_on, err);
	case SECTION_NONE:
		break;
	}
	return sweep_grid_error(parser->grid, name, -EINVAL, err,
				"'%s' stands before any heading; begin with [sweep]", name->text);
}

static int begin_policy(struct sweep_grid *grid, const struct ini_value *heading, const char *name,
			struct printbuf *err)
{
	size_t len = strlen(name);
	if (len == 0 || len > SWEEP_NAME_MAX)
		return sweep_grid_error(grid, heading, -EINVAL, err,
					"write [policy NAME], with a name of 1 to %d bytes",
					SWEEP_NAME_MAX);
	for (size_t i = 0; i < grid->nr_policies; i++)
		if (strcmp(grid->policies[i].name.text, name) == 0)
			return sweep_grid_error(grid, heading, -EINVAL, err,
						"there is a policy '%s' in line %u already", name,
						grid->policies[i].name.line);
	if (grid->nr_policies == SWEEP_POLICIES_MAX)
		return sweep_grid_error(grid, heading, -E2BIG, err,
					"more than %d policies; leave some out",
					SWEEP_POLICIES_MAX);
	void *items = sweep_append(grid->policies, &grid->nr_policies, sizeof(*grid->policies));
	if (!items)
		return error_set(err, -ENOMEM, "out of memory");
	grid->policies = items;
	return copy_text(heading, name, len, &grid->policies[grid->nr_policies - 1].name, err);
}

/* What follows the first word of a heading. */
static const char *heading_name(const char *text, const char *word)
{
	size_t len = strlen(word);
	if (strncmp(text, word, len) != 0 || (text[len] && text[len] != ' '))
		return NULL;
	return text + len + strspn(text + len, " ");
}

static int on_section(void *context, const struct ini_value *heading, struct printbuf *err)
{
	static const char *const names[] = { "sweep", "recordings", "policy NAME" };
	struct grid_parser *parser = context;
	const char *name = heading_name(heading->text, "policy");
	if (strcmp(heading->text, "sweep") == 0) {
		if (parser->has_sweep)
			return sweep_grid_error(parser->grid, heading, -EINVAL, err,
						"[sweep] is there twice");
		parser->has_sweep = true;
		parser->section = SECTION_SWEEP;
		return 0;
	}
	if (name) {
		parser->section = SECTION_POLICY;
		return begin_policy(parser->grid, heading, name, err);
	}
	name = heading_name(heading->text, "recordings");
	if (!name)
		return unknown(parser->grid, heading, "section", names, ARRAY_SIZE(names), err);
	if (strlen(name) > SWEEP_NAME_MAX)
		return sweep_grid_error(parser->grid, heading, -E2BIG, err,
					"the name of the group is longer than %d bytes",
					SWEEP_NAME_MAX);
	parser->section = SECTION_RECORDINGS;
	strcpy(parser->group, name);
	return 0;
}

/* "64MiB", "33%", "1:2" (fast to slow, together the peak). */
static bool parse_size(const char *text, struct sweep_size *ret)
{
	char fast[24];
	uint64_t a = 0, b = 0;
	uint32_t bp = 0;
	size_t len = strcspn(text, ":");
	if (text[len] == ':' && len > 0 && len < sizeof(fast)) {
		memcpy(fast, text, len);
		fast[len] = '\0';
		if (parse_u64(fast, &a) || parse_u64(text + len + 1, &b) || a == 0 || a > 1000000 ||
		    b > 1000000)
			return false;
		*ret = (struct sweep_size){ NULL, SWEEP_SIZE_SHARE, 0, a, a + b };
		return true;
	}
	if (strchr(text, '%')) {
		if (parse_ratio_bp(text, &bp) || bp == 0 || bp > 10000)
			return false;
		*ret = (struct sweep_size){ NULL, SWEEP_SIZE_SHARE, 0, bp, 10000 };
		return true;
	}
	if (parse_bytes(text, &a) || a == 0)
		return false;
	*ret = (struct sweep_size){ NULL, SWEEP_SIZE_BYTES, a, 0, 0 };
	return true;
}

static int finish_sizes(struct sweep_grid *grid, struct printbuf *err)
{
	const struct sweep_values *texts = &grid->fast_texts;
	grid->nr_sizes = MAX(texts->nr, 1);
	grid->sizes = calloc(grid->nr_sizes, sizeof(*grid->sizes));
	if (!grid->sizes)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < texts->nr; i++) {
		if (!parse_size(texts->items[i].text, &grid->sizes[i]))
			return sweep_grid_error(grid, &texts->items[i], -EINVAL, err,
						"'%s' is no size of fast memory; write 64MiB, 33%% "
						"or 1:2",
						texts->items[i].text);
	}
	for (size_t i = 0; i < grid->nr_sizes; i++) {
		grid->sizes[i].label = strdup(i < texts->nr ? texts->items[i].text : "machine");
		if (!grid->sizes[i].label)
			return error_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

static int finish_seeds(struct sweep_grid *grid, struct printbuf *err)
{
	const struct sweep_values *texts = &grid->seed_texts;
	grid->nr_seeds = MAX(texts->nr, 1);
	grid->seeds = calloc(grid->nr_seeds, sizeof(*grid->seeds));
	if (!grid->seeds)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < texts->nr; i++)
		if (parse_u64(texts->items[i].text, &grid->seeds[i]) || grid->seeds[i] > INT64_MAX)
			return sweep_grid_error(grid, &texts->items[i], -EINVAL, err,
						"'%s' is no seed; write a whole number",
						texts->items[i].text);
	return 0;
}

static int finish_times(struct sweep_grid *grid, struct printbuf *err)
{
	const struct ini_value *dilate = &grid->dilate_text, *span = &grid->span_text;
	const struct ini_value *tick = &grid->tick_text;
	grid->dilate = 1;
	if (dilate->text && span->text)
		return sweep_grid_error(grid, dilate, -EINVAL, err,
					"dilate and span are two ways to say the same; keep one");
	if (dilate->text && (parse_u64(dilate->text, &grid->dilate) || grid->dilate == 0 ||
			     grid->dilate > SIM_DILATE_MAX))
		return sweep_grid_error(grid, dilate, -EINVAL, err,
					"dilate = %s is not understood; write 1 to %d",
					dilate->text, SIM_DILATE_MAX);
	if (span->text && (parse_ns(span->text, &grid->span_ns) || grid->span_ns == 0))
		return sweep_grid_error(grid, span, -EINVAL, err,
					"span = %s is not understood; write a time such as 120s",
					span->text);
	if (tick->text && (parse_ns(tick->text, &grid->tick_ns) || grid->tick_ns == 0))
		return sweep_grid_error(grid, tick, -EINVAL, err,
					"tick = %s is not understood; write a time such as 10ms",
					tick->text);
	return 0;
}

/* The machine, the cost and the kernels are tried on their own parsers. */
static int check_machine(struct sweep_grid *grid, struct printbuf *err)
{
	PRINTBUF(why);
	struct machine *machine = NULL;
	if (grid->machine.text && strcmp(grid->machine.text, "default") == 0) {
		free(grid->machine.text);
		grid->machine.text = NULL;
	}
	/* Other kinds (host, a folder) are opened when the sweep starts. */
	if (!grid->machine.text || strncmp(grid->machine.text, "node:", 5) != 0)
		return 0;
	int error = machine_parse(grid->machine.text, &machine, &why);
	machine_free(machine);
	return error ? sweep_grid_error(grid, &grid->machine, error, err, "%s", printbuf_str(&why))
		     : 0;
}

static int check_cost(struct sweep_grid *grid, struct printbuf *err)
{
	PRINTBUF(why);
	uint64_t values[COST_NR_TUNABLES];
	tunables_defaults(cost_tunables, COST_NR_TUNABLES, values);
	int error = tunables_parse(grid->cost.text, cost_tunables, COST_NR_TUNABLES, "cost", values,
				   &why);
	return error ? sweep_grid_error(grid, &grid->cost, error, err, "%s", printbuf_str(&why))
		     : 0;
}

static int check_kernels(struct sweep_grid *grid, const struct sweep_values *below,
			 struct printbuf *err)
{
	for (size_t i = 0; i < below->nr; i++) {
		PRINTBUF(why);
		struct sim_spec spec = { 0 };
		int error = sim_spec_parse_kernel(below->items[i].text, &spec, &why);
		if (error)
			return sweep_grid_error(grid, &below->items[i], error, err, "%s",
						printbuf_str(&why));
		sim_spec_fini(&spec);
	}
	return 0;
}

/* One value of one tunable, alone with the base. */
static int check_tunable(struct sweep_grid *grid, const char *base,
			 const struct sweep_tunable *tunable, struct printbuf *err)
{
	for (size_t i = 0; i < tunable->values.nr; i++) {
		const struct ini_value *value = &tunable->values.items[i];
		PRINTBUF(text);
		PRINTBUF(why);
		struct sim_spec spec = { 0 };
		prt_printf(&text, "%s:%s=%s", base, tunable->key.text, value->text);
		int error = sim_spec_parse(printbuf_str(&text), &spec, &why);
		sim_spec_fini(&spec);
		/* The key is at fault when there is none of that name. */
		if (error)
			return sweep_grid_error(
				grid, strstr(printbuf_str(&why), " key") ? &tunable->key : value,
				error, err, "%s", printbuf_str(&why));
	}
	return 0;
}

static int check_policy(struct sweep_grid *grid, struct sweep_policy *policy, struct printbuf *err)
{
	char base[SPEC_NAME_MAX + 1];
	const char *rest = NULL;
	PRINTBUF(why);
	struct sim_spec spec = { 0 };
	if (!policy->spec.text) {
		policy->spec = policy->name;
		policy->spec.text = strdup(policy->name.text);
		if (!policy->spec.text)
			return error_set(err, -ENOMEM, "out of memory");
	}
	int error = sim_spec_parse(policy->spec.text, &spec, &why);
	if (!error && policy->kernels.nr && spec.kind != SIM_AGENT)
		error = error_set(&why, -EINVAL, "%s: only an agent runs above a kernel",
				  policy->spec.text);
	sim_spec_fini(&spec);
	if (error)
		return sweep_grid_error(grid, &policy->spec, error, err, "%s", printbuf_str(&why));
	if (spec_split(policy->spec.text, base, &rest))
		return -EINVAL;
	for (size_t i = 0; !error && i < policy->nr_tunables; i++) {
		if (spec_has_key(policy->spec.text, policy->tunables[i].key.text))
			return sweep_grid_error(grid, &policy->tunables[i].key, -EINVAL, err,
						"spec says '%s' already; keep one of the two",
						policy->tunables[i].key.text);
		error = check_tunable(grid, base, &policy->tunables[i], err);
	}
	return error ? error : check_kernels(grid, &policy->kernels, err);
}

static int finish_grid(struct sweep_grid *grid, struct printbuf *err)
{
	if (grid->nr_sources == 0 || grid->nr_policies == 0)
		return error_set(err, -EINVAL, "%s: names no %s; add a section %s", grid->path,
				 grid->nr_sources ? "policy" : "recording",
				 grid->nr_sources ? "[policy NAME]"
						  : "[recordings] with lines NAME = PATH");
	int error = finish_sizes(grid, err);
	if (!error)
		error = finish_seeds(grid, err);
	if (!error)
		error = finish_times(grid, err);
	if (!error)
		error = check_machine(grid, err);
	if (!error)
		error = check_cost(grid, err);
	if (!error)
		error = check_kernels(grid, &grid->kernels, err);
	for (size_t i = 0; !error && i < grid->nr_policies; i++)
		error = check_policy(grid, &grid->policies[i], err);
	return error ? error : sweep_grid_vary(grid, err);
}

int sweep_grid_parse(const char *text, size_t nr_bytes, const char *path, struct sweep_grid **ret,
		     struct printbuf *err)
{
	struct grid_parser parser = { .grid = calloc(1, sizeof(*parser.grid)) };
	struct ini ini = { path, &parser, on_section, on_key };
	if (!parser.grid)
		return error_set(err, -ENOMEM, "out of memory");
	parser.grid->path = strdup(path);
	int error = parser.grid->path ? 0 : error_set(err, -ENOMEM, "out of memory");
	if (!error)
		error = ini_parse_text(text, nr_bytes, &ini, err);
	if (!error)
		error = finish_grid(parser.grid, err);
	if (error)
		sweep_grid_free(parser.grid);
	else
		*ret = parser.grid;
	return error;
}

static int read_grid(int fd, char *text, size_t *ret_nr)
{
	size_t nr = 0;
	while (nr <= SWEEP_GRID_BYTES) {
		ssize_t more = read(fd, text + nr, SWEEP_GRID_BYTES + 1 - nr);
		if (more < 0)
			return -errno;
		if (more == 0)
			break;
		nr += (size_t)more;
	}
	*ret_nr = nr;
	return nr > SWEEP_GRID_BYTES ? -EFBIG : 0;
}

int sweep_grid_open(const char *path, struct sweep_grid **ret, struct printbuf *err)
{
	size_t nr = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_file(err, -errno, path, "read");
	char *text = malloc(SWEEP_GRID_BYTES + 1);
	int error = text ? read_grid(fd, text, &nr) : -ENOMEM;
	close(fd);
	if (error == -EFBIG)
		error_set(err, error, "%s: a grid is at most 1 MiB; is this one?", path);
	else if (error)
		error_file(err, error, path, "read");
	else
		error = sweep_grid_parse(text, nr, path, ret, err);
	free(text);
	return error;
}
