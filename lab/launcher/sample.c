/* SPDX-License-Identifier: MIT */
/*
 * A sample of the guest taken apart, in place in one copy of its text.
 *
 *     [vmstat]            lines "name value"                 -> vmstat
 *     [node 1]            lines "Node 1 MemFree: 12 kB"      -> nodes[1], bytes
 *     [nodestat 1]        lines "name value"                 -> nodes[1].nodestat
 *     [zoneinfo] [tiers] [demotion] [cmdline] ...            -> text
 *
 * A line "[...]" begins a section; its bracket becomes the NUL that ends the one before. Names
 * point into the copy, so a reading is the text, an array of 16 bytes per counter, and nothing
 * else. The kernels' texts: mm/vmstat.c, drivers/base/node.c (6.12).
 */
#include "lab/launcher/sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum section {
	SECTION_OTHER,
	SECTION_VMSTAT,
	SECTION_NODE,
	SECTION_NODESTAT,
	SECTION_TEXT,
};

struct parser {
	struct lab_reading *reading;
	enum section section;
	uint32_t node;
	struct lab_vmstats *stats; /* of SECTION_VMSTAT and SECTION_NODESTAT */
	size_t size;		   /* items that stats has room for */
	struct printbuf *err;
};

/* A decimal number and nothing behind it. */
static bool parse_number(const char *text, uint64_t *ret)
{
	uint64_t value = 0;
	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(*text - '0');
		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*ret = value;
	return true;
}

static int bad(const struct parser *parser, const char *what, const char *text)
{
	PRINTBUF(safe);
	prt_safe(&safe, text, strnlen(text, 60));
	return error_set(parser->err, -EBADMSG, "the guest's sample: %s: \"%s\"", what,
			 printbuf_str(&safe));
}

static int add_stat(struct parser *parser, char *line)
{
	struct lab_vmstats *stats = parser->stats;
	char *space = strrchr(line, ' ');
	uint64_t value;
	if (!space || !parse_number(space + 1, &value))
		return bad(parser, "not a counter", line);
	if (stats->nr >= LAB_MAX_VMSTAT)
		return bad(parser, "more counters than any kernel has", line);
	if (stats->nr == parser->size) {
		size_t size = parser->size ? 2 * parser->size : 64;
		struct lab_vmstat *bigger = realloc(stats->items, size * sizeof(*bigger));
		if (!bigger)
			return error_set(parser->err, -ENOMEM, "the guest's sample: %s",
					 error_text(-ENOMEM));
		stats->items = bigger;
		parser->size = size;
	}
	*space = '\0';
	stats->items[stats->nr++] = (struct lab_vmstat){ line, value };
	return 0;
}

/* "Node 1 MemFree:    12345 kB"; lines of another form are of no interest. */
static int add_node_line(struct parser *parser, char *line)
{
	struct lab_node_memory *node = &parser->reading->nodes[parser->node];
	const struct {
		const char *name;
		uint64_t *value;
	} wanted[] = {
		{ " MemTotal:", &node->total_bytes }, { " MemFree:", &node->free_bytes },
		{ " MemUsed:", &node->used_bytes },   { " AnonPages:", &node->anon_bytes },
		{ " FilePages:", &node->file_bytes },
	};
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		char *at = strstr(line, wanted[i].name);
		if (!at)
			continue;
		at += strlen(wanted[i].name);
		at += strspn(at, " \t");
		char *unit = strstr(at, " kB");
		uint64_t kib;
		if (!unit || unit[3])
			return bad(parser, "not a size in kB", line);
		*unit = '\0';
		if (!parse_number(at, &kib) || __builtin_mul_overflow(kib, 1024, wanted[i].value))
			return bad(parser, "not a size in kB", line);
	}
	return 0;
}

/* "node 3" -> 3; false when it is another section or a node that a lab machine cannot have. */
static bool node_of(const char *name, const char *prefix, uint32_t *ret)
{
	size_t length = strlen(prefix);
	uint64_t node;
	if (strncmp(name, prefix, length) || !parse_number(name + length, &node) ||
	    node >= LAB_MAX_NODES)
		return false;
	*ret = (uint32_t)node;
	return true;
}

static void begin_stats(struct parser *parser, enum section section, struct lab_vmstats *stats)
{
	free(stats->items);
	*stats = (struct lab_vmstats){ 0 };
	parser->stats = stats;
	parser->size = 0;
	parser->section = section;
}

static void begin_section(struct parser *parser, const char *name, const char *body)
{
	struct lab_reading *reading = parser->reading;
	const struct {
		const char *name;
		const char **text;
	} texts[] = { { "zoneinfo", &reading->zoneinfo },
		      { "tiers", &reading->tiers },
		      { "demotion", &reading->demotion },
		      { "cmdline", &reading->cmdline },
		      { "numa_balancing", &reading->numa_balancing },
		      { "hugepages", &reading->hugepages } };
	parser->section = SECTION_OTHER;
	if (!strcmp(name, "vmstat"))
		begin_stats(parser, SECTION_VMSTAT, &reading->vmstat);
	else if (node_of(name, "nodestat ", &parser->node))
		begin_stats(parser, SECTION_NODESTAT, &reading->nodes[parser->node].nodestat);
	else if (node_of(name, "node ", &parser->node)) {
		parser->section = SECTION_NODE;
		reading->nodes[parser->node].is_present = true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!strcmp(name, texts[i].name)) {
			*texts[i].text = body;
			parser->section = SECTION_TEXT;
		}
	}
}

/* A text section keeps its lines as they are; the others are cut at each newline. */
static int take_line(struct parser *parser, char *line, char *newline)
{
	size_t length = (size_t)(newline - line);
	if (length > 2 && line[0] == '[' && newline[-1] == ']') {
		line[0] = '\0';
		newline[-1] = '\0';
		begin_section(parser, line + 1, newline + 1);
		return 0;
	}
	switch (parser->section) {
	case SECTION_VMSTAT:
	case SECTION_NODESTAT:
		*newline = '\0';
		return length ? add_stat(parser, line) : 0;
	case SECTION_NODE:
		*newline = '\0';
		return add_node_line(parser, line);
	case SECTION_TEXT:
	case SECTION_OTHER:
		break;
	}
	return 0;
}

static int parse_text(struct parser *parser, char *text, size_t length)
{
	char *end = text + length; /* a NUL is there */
	for (char *line = text; line < end;) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline) /* the kernel's texts end in one; what does not was cut */
			return bad(parser, "the last line has no end", line);
		int error = take_line(parser, line, newline);
		if (error)
			return error;
		line = newline + 1;
	}
	return 0;
}

int lab_reading_parse(const void *payload, size_t length, struct lab_reading *ret,
		      struct printbuf *err)
{
	struct lab_reading reading = { 0 };
	struct parser parser = { .reading = &reading, .err = err };
	if (length < sizeof(reading.head))
		return error_set(err, -EBADMSG, "the guest's sample: %zu bytes are too few",
				 length);
	memcpy(&reading.head, payload, sizeof(reading.head));
	const char *text = (const char *)payload + sizeof(reading.head);
	length -= sizeof(reading.head);
	if (memchr(text, '\0', length))
		return error_set(err, -EBADMSG, "the guest's sample: it is not text");
	reading.text = malloc(length + 1);
	if (!reading.text)
		return error_set(err, -ENOMEM, "the guest's sample: %s", error_text(-ENOMEM));
	memcpy(reading.text, text, length);
	reading.text[length] = '\0';
	int error = parse_text(&parser, reading.text, length);
	if (error)
		lab_reading_fini(&reading);
	else
		*ret = reading;
	return error;
}

void lab_reading_fini(struct lab_reading *reading)
{
	for (size_t i = 0; i < LAB_MAX_NODES; i++)
		free(reading->nodes[i].nodestat.items);
	free(reading->vmstat.items);
	free(reading->text);
	*reading = (struct lab_reading){ 0 };
}

bool lab_vmstats_find(const struct lab_vmstats *stats, const char *name, uint64_t *ret)
{
	for (size_t i = 0; i < stats->nr; i++) {
		if (!strcmp(stats->items[i].name, name)) {
			*ret = stats->items[i].value;
			return true;
		}
	}
	return false;
}
