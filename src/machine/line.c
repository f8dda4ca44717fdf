/* SPDX-License-Identifier: MIT */
/*
 * The machine in one line: parsing it, and printing the line that parses back.
 *
 *     part = node:KIND[=ID]:SIZE[@LATENCY[/BANDWIDTH]][:cpus=LIST][:from=ID@LATENCY[/BANDWIDTH]]...
 *     KIND = dram | hbm | cxl | pmem | none (CPUs without memory; SIZE 0)
 *
 *     node:dram:64GiB@80ns/100GBps:cpus=0-15 node:cxl:256GiB@250ns/30GBps
 *
 * An id that is not given is one more than that of the part before it, the first is 0. Parts may
 * come in any order of ids. What the rules of figures.c would fill in by themselves is not
 * printed, so the line is short and its defaults stay defaults.
 *
 *   text --split--> struct part (one each) --sort by id--> struct machine --finish--> figures,
 * tiers
 *
 * Cost: the text is copied once; n parts, n log n to sort, n squared links.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "machine/build.h"

#define PART_SHOWN 48 /* bytes of a part that an error message quotes */
#define BLANKS	   " \t\n"

struct figures {
	uint64_t latency_ns, bandwidth; /* 0: not given */
};

struct from {
	uint32_t id;
	struct figures figures;
};

struct part {
	const char *text; /* as written, for messages; not terminated */
	size_t len;
	uint32_t id;
	enum node_kind kind;
	uint64_t size_bytes;
	struct figures own;
	struct set cpus;
	struct from *froms;
	size_t nr_froms;
};

struct line {
	struct part *parts;
	size_t nr_parts;
	struct printbuf *err;
};

static int part_error(const struct line *line, const struct part *part, const char *format, ...)
	berth_printf(3, 4);

/* "node:cxl:0: the reason; the remedy" */
static int part_error(const struct line *line, const struct part *part, const char *format, ...)
{
	if (!line->err)
		return -EINVAL;
	va_list args;
	va_start(args, format);
	prt_safe(line->err, part->text, MIN(part->len, PART_SHOWN));
	prt_str(line->err, part->len > PART_SHOWN ? "...: " : ": ");
	prt_vprintf(line->err, format, args);
	va_end(args);
	return -EINVAL;
}

static int out_of_memory(const struct line *line)
{
	return error_set(line->err, -ENOMEM, "out of memory");
}

static int parse_latency(const struct line *line, const struct part *part, const char *text,
			 uint64_t *ret)
{
	uint64_t latency = 0;
	int error = parse_ns(text, &latency);
	if (error == -EINVAL)
		return part_error(line, part,
				  "latency %s is not understood; write one such as 80ns", text);
	if (error || latency > MACHINE_MAX_LATENCY_NS)
		return part_error(line, part, "latency %s is too long; at most 1s", text);
	if (latency == 0)
		return part_error(line, part,
				  "latency %s is zero; no memory answers at once, "
				  "write one such as 80ns",
				  text);
	*ret = latency;
	return 0;
}

static int parse_bandwidth(const struct line *line, const struct part *part, const char *text,
			   uint64_t *ret)
{
	uint64_t bandwidth = 0;
	int error = parse_rate(text, &bandwidth);
	if (error == -EINVAL)
		return part_error(line, part,
				  "bandwidth %s is not understood; "
				  "write one such as 100GBps",
				  text);
	if (error || bandwidth > MACHINE_MAX_BANDWIDTH)
		return part_error(line, part, "bandwidth %s is too large; at most 1000TBps", text);
	if (bandwidth == 0)
		return part_error(line, part, "bandwidth %s is zero; write one such as 100GBps",
				  text);
	*ret = bandwidth;
	return 0;
}

/* LATENCY[/BANDWIDTH] */
static int parse_figures(const struct line *line, const struct part *part, char *text,
			 struct figures *ret)
{
	struct figures figures = { 0 };
	char *slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	int error = parse_latency(line, part, text, &figures.latency_ns);
	if (!error && slash)
		error = parse_bandwidth(line, part, slash + 1, &figures.bandwidth);
	if (!error)
		*ret = figures;
	return error;
}

static int parse_id(const struct line *line, const struct part *part, const char *text,
		    uint32_t *ret)
{
	uint64_t id = 0;
	if (parse_u64(text, &id))
		return part_error(line, part, "node id %s is not a number", text);
	if (id > SET_MAX)
		return part_error(line, part, "node id %s is too large; at most %u", text, SET_MAX);
	*ret = (uint32_t)id;
	return 0;
}

/* KIND[=ID] */
static int parse_kind(const struct line *line, struct part *part, char *text)
{
	char *equals = strchr(text, '=');
	if (equals)
		*equals = '\0';
	for (int kind = 0; kind < NODE_NR_KINDS; kind++) {
		if (strcmp(text, node_kind_names[kind]) != 0)
			continue;
		part->kind = (enum node_kind)kind;
		return equals ? parse_id(line, part, equals + 1, &part->id) : 0;
	}
	const char *nearest = nearest_name(text, node_kind_names, NODE_NR_KINDS);
	if (nearest)
		return part_error(line, part, "there is no kind %s; did you mean %s?", text,
				  nearest);
	return part_error(line, part,
			  "there is no kind %s; it is one of dram, hbm, cxl, pmem, none", text);
}

static int check_size(const struct line *line, const struct part *part, const char *text, int error)
{
	if (error == -EINVAL)
		return part_error(line, part, "size %s is not understood; write one such as 64GiB",
				  text);
	if (error || part->size_bytes > INT64_MAX)
		return part_error(line, part, "size %s is too large; it must be below 2^63 bytes",
				  text);
	if (part->size_bytes == 0 && part->kind != NODE_NONE)
		return part_error(line, part,
				  "a %s node of size zero; write a size such as 64GiB, "
				  "or kind none for CPUs without memory",
				  node_kind_names[part->kind]);
	if (part->size_bytes > 0 && part->kind == NODE_NONE)
		return part_error(line, part,
				  "kind none has no memory; write size 0 or another kind");
	return 0;
}

/* SIZE[@LATENCY[/BANDWIDTH]] */
static int parse_size(const struct line *line, struct part *part, char *text)
{
	char *at = strchr(text, '@');
	if (at)
		*at = '\0';
	int error = check_size(line, part, text, parse_bytes(text, &part->size_bytes));
	if (error || !at)
		return error;
	if (part->kind == NODE_NONE)
		return part_error(line, part, "kind none has no memory and so no latency; drop @%s",
				  at + 1);
	return parse_figures(line, part, at + 1, &part->own);
}

static int parse_cpus(const struct line *line, struct part *part, const char *text)
{
	if (!set_is_empty(&part->cpus))
		return part_error(line, part, "cpus= twice; join the lists");
	struct set cpus = SET_EMPTY;
	int error = set_parse(text, &cpus);
	if (error == -ENOMEM)
		return out_of_memory(line);
	if (error == -ERANGE)
		return part_error(line, part, "CPU list %s goes beyond %u", text, SET_MAX);
	if (error || set_is_empty(&cpus)) {
		set_fini(&cpus);
		return part_error(line, part,
				  "CPU list \"%s\" is not understood; "
				  "write one such as 0-15,32-47",
				  text);
	}
	part->cpus = cpus;
	return 0;
}

/* ID@LATENCY[/BANDWIDTH] */
static int parse_from(const struct line *line, struct part *part, char *text)
{
	struct from from = { 0 };
	char *at = strchr(text, '@');
	if (part->kind == NODE_NONE)
		return part_error(line, part, "kind none has no memory to be seen; drop from=");
	if (!at)
		return part_error(line, part, "from=%s has no latency; write from=ID@LATENCY",
				  text);
	*at = '\0';
	int error = parse_id(line, part, text, &from.id);
	if (!error)
		error = parse_figures(line, part, at + 1, &from.figures);
	if (error)
		return error;
	for (size_t i = 0; i < part->nr_froms; i++)
		if (part->froms[i].id == from.id)
			return part_error(line, part, "from=%u twice; keep one", from.id);
	struct from *froms = realloc(part->froms, (part->nr_froms + 1) * sizeof(*froms));
	if (!froms)
		return out_of_memory(line);
	part->froms = froms;
	part->froms[part->nr_froms++] = from;
	return 0;
}

static int parse_word(const struct line *line, struct part *part, char *word)
{
	static const char *const names[] = { "cpus", "from" };
	if (strncmp(word, "cpus=", 5) == 0)
		return parse_cpus(line, part, word + 5);
	if (strncmp(word, "from=", 5) == 0)
		return parse_from(line, part, word + 5);
	char *equals = strchr(word, '=');
	if (equals)
		*equals = '\0';
	const char *nearest = nearest_name(word, names, ARRAY_SIZE(names));
	if (nearest)
		return part_error(line, part, "unknown word \"%s\"; did you mean %s=?", word,
				  nearest);
	return part_error(line, part,
			  "unknown word \"%s\"; after the size come cpus=LIST and "
			  "from=ID@LATENCY",
			  word);
}

/* The fields of one part, in the writable copy `text`. */
static int parse_part(const struct line *line, struct part *part, char *text)
{
	char *rest = text;
	const char *node = strsep(&rest, ":");
	char *kind = strsep(&rest, ":");
	char *size = strsep(&rest, ":");
	if (strcmp(node, "node") != 0)
		return part_error(line, part,
				  "a part starts with node:, as in "
				  "node:dram:64GiB@80ns/100GBps:cpus=0-15");
	if (!kind || !size)
		return part_error(line, part,
				  "kind or size is missing; write node:KIND:SIZE, as in "
				  "node:dram:64GiB");
	int error = parse_kind(line, part, kind);
	if (!error)
		error = parse_size(line, part, size);
	while (!error && rest)
		error = parse_word(line, part, strsep(&rest, ":"));
	if (!error && part->kind == NODE_NONE && set_is_empty(&part->cpus))
		return part_error(line, part, "kind none without CPUs is nothing; add cpus=LIST");
	return error;
}

/* The same id in two parts, by the sorted order; a from= that names no CPUs. */
static int check_parts(const struct line *line)
{
	for (size_t i = 1; i < line->nr_parts; i++)
		if (line->parts[i].id == line->parts[i - 1].id)
			return part_error(line, &line->parts[i],
					  "node id %u is given twice; "
					  "give each node its own",
					  line->parts[i].id);
	return 0;
}

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->text < y->text ? -1 : x->text > y->text;
}

static void set_given(struct machine_link *link, const struct figures *figures)
{
	if (figures->latency_ns > 0) {
		link->latency_ns = figures->latency_ns;
		link->latency_source = FIGURE_GIVEN;
	}
	if (figures->bandwidth > 0) {
		link->bandwidth_bytes_per_s = figures->bandwidth;
		link->bandwidth_source = FIGURE_GIVEN;
	}
}

static int set_froms(const struct line *line, struct machine *machine, uint32_t to)
{
	const struct part *part = &line->parts[to];
	for (size_t i = 0; i < part->nr_froms; i++) {
		const struct from *from = &part->froms[i];
		int64_t index = machine_node_index(machine, from->id);
		if (index < 0)
			return part_error(line, part,
					  "from=%u names no node of this line; its ids "
					  "are those given, else counted from 0",
					  from->id);
		if (index == to)
			return part_error(line, part,
					  "from=%u is the node itself; what its own CPUs "
					  "see stands after @",
					  from->id);
		if (set_is_empty(&machine->nodes[index].cpus))
			return part_error(line, part,
					  "from=%u: node %u has no CPUs that could see "
					  "it; drop from= or give it cpus=",
					  from->id, from->id);
		set_given(machine_link_at(machine, (uint32_t)index, to), &from->figures);
	}
	return 0;
}

static int build(const struct line *line, struct machine **ret)
{
	struct machine *machine = NULL;
	uint32_t nr = (uint32_t)MIN(line->nr_parts, UINT32_MAX);
	int error = machine_new(nr, &machine, line->err);
	if (error)
		return error;
	for (uint32_t i = 0; i < nr; i++) {
		struct part *part = &line->parts[i];
		machine->nodes[i].id = part->id;
		machine->nodes[i].kind = part->kind;
		machine->nodes[i].size_bytes = part->size_bytes;
		machine->nodes[i].cpus = part->cpus;
		part->cpus = SET_EMPTY;
		set_given(machine_link_at(machine, i, i), &part->own);
	}
	for (uint32_t i = 0; i < nr && !error; i++)
		error = set_froms(line, machine, i);
	if (!error)
		error = machine_finish(machine, line->err);
	if (error)
		machine_free(machine);
	else
		*ret = machine;
	return error;
}

/* Splits the copy at blanks into parts and parses each; `text` is the same line, for messages. */
static int split(struct line *line, const char *text, char *copy)
{
	int error = 0;
	uint32_t next_id = 0;
	for (char *rest = copy, *word; !error && (word = strsep(&rest, BLANKS));) {
		if (!*word)
			continue;
		struct part *parts = line->parts;
		if ((line->nr_parts & (line->nr_parts - 1)) == 0)
			parts = realloc(parts, MAX(line->nr_parts * 2, 1) * sizeof(*parts));
		if (!parts)
			return out_of_memory(line);
		line->parts = parts;
		struct part *part = &parts[line->nr_parts++];
		*part = (struct part){ .text = text + (word - copy),
				       .len = strlen(word),
				       .id = next_id };
		error = parse_part(line, part, word);
		if (!error && part->id > SET_MAX)
			error = part_error(line, part, "node id %u is too large; at most %u",
					   part->id, SET_MAX);
		next_id = part->id + 1;
	}
	return error;
}

static void line_fini(struct line *line)
{
	for (size_t i = 0; i < line->nr_parts; i++) {
		set_fini(&line->parts[i].cpus);
		free(line->parts[i].froms);
	}
	free(line->parts);
}

int machine_parse(const char *text, struct machine **ret, struct printbuf *err)
{
	struct line line = { .err = err };
	struct machine *machine = NULL;
	char *copy = strdup(text), *name = strdup(text);
	int error = copy && name ? split(&line, text, copy) : out_of_memory(&line);
	if (!error && line.nr_parts > 1)
		qsort(line.parts, line.nr_parts, sizeof(*line.parts), compare_parts);
	if (!error)
		error = check_parts(&line);
	if (!error)
		error = build(&line, &machine);
	line_fini(&line);
	free(copy);
	if (error) {
		free(name);
		return error;
	}
	machine->name = name;
	*ret = machine;
	return 0;
}

static bool is_given(enum figure_source source)
{
	return source > FIGURE_DEFAULT;
}

/* Data sheets count in powers of 1000, firmware in MiB/s: whichever is shorter. */
static void prt_bandwidth(struct printbuf *out, uint64_t bytes_per_s)
{
	if (bytes_per_s % MIB == 0 && bytes_per_s % 1000000 != 0) {
		prt_bytes_exact(out, bytes_per_s);
		prt_str(out, "ps");
	} else {
		prt_rate_exact(out, bytes_per_s);
	}
}

/* "@LATENCY[/BANDWIDTH]" unless both are what `usual` gives. */
static void prt_figures(struct printbuf *out, const struct machine_link *link,
			const struct machine_link *usual)
{
	prt_char(out, '@');
	prt_ns_exact(out, link->latency_ns);
	if (!is_given(link->bandwidth_source) &&
	    link->bandwidth_bytes_per_s == usual->bandwidth_bytes_per_s)
		return;
	prt_char(out, '/');
	prt_bandwidth(out, link->bandwidth_bytes_per_s);
}

static bool is_usual(const struct machine_link *link, const struct machine_link *usual)
{
	return !is_given(link->latency_source) && !is_given(link->bandwidth_source) &&
	       link->latency_ns == usual->latency_ns &&
	       link->bandwidth_bytes_per_s == usual->bandwidth_bytes_per_s;
}

static void prt_part(struct printbuf *out, const struct machine *machine, uint32_t to,
		     uint32_t expected_id)
{
	const struct machine_node *node = &machine->nodes[to];
	const struct machine_link *own = machine_link(machine, to, to);
	struct machine_link usual = figure_of_kind(node->kind);
	prt_printf(out, "node:%s", node_kind_names[node->kind]);
	if (node->id != expected_id)
		prt_printf(out, "=%u", node->id);
	prt_char(out, ':');
	if (node->size_bytes == 0)
		prt_char(out, '0');
	else
		prt_bytes_exact(out, node->size_bytes);
	if (node->size_bytes > 0 && !is_usual(own, &usual))
		prt_figures(out, own, &usual);
	if (!set_is_empty(&node->cpus)) {
		prt_str(out, ":cpus=");
		set_to_text(out, &node->cpus);
	}
	for (uint32_t from = 0; node->size_bytes > 0 && from < machine->nr_nodes; from++) {
		if (from == to || set_is_empty(&machine->nodes[from].cpus))
			continue;
		const struct machine_link *link = machine_link(machine, from, to);
		struct machine_link rule = figure_by_rule(machine, from, to, false);
		if (is_usual(link, &rule))
			continue;
		prt_printf(out, ":from=%u", machine->nodes[from].id);
		prt_figures(out, link, &rule);
	}
}

void machine_to_line(struct printbuf *out, const struct machine *machine)
{
	uint32_t expected_id = 0;
	for (uint32_t i = 0; i < machine->nr_nodes; i++) {
		if (i > 0)
			prt_char(out, ' ');
		prt_part(out, machine, i, expected_id);
		expected_id = machine->nodes[i].id + 1;
	}
}
