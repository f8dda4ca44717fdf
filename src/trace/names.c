/* SPDX-License-Identifier: MIT */
/* Names of mappings, each kept once: a hash table of pointers, open addressing, FNV-1a. Bounded at
 * 64 MiB of text, so that a forged file cannot take all memory. */
#include <stdlib.h>
#include <string.h>

#include "trace/cursor.h"

#define NAMES_MAX_BYTES ((size_t)64 << 20)

struct trace_names {
	char **slots; /* nr_slots, a power of two */
	size_t nr_slots, nr_names, nr_bytes;
};

struct trace_names *trace_names_new(void)
{
	struct trace_names *names = calloc(1, sizeof(*names));
	if (!names)
		return NULL;
	names->nr_slots = 256;
	names->slots = calloc(names->nr_slots, sizeof(*names->slots));
	return names->slots ? names : trace_names_free(names);
}

struct trace_names *trace_names_free(struct trace_names *names)
{
	if (!names)
		return NULL;
	for (size_t i = 0; names->slots && i < names->nr_slots; i++)
		free(names->slots[i]);
	free(names->slots);
	free(names);
	return NULL;
}

/* Seeded by an address, so that nobody can prepare names that all clash. */
static uint64_t hash(const struct trace_names *names, const char *text, size_t nr_bytes)
{
	uint64_t sum = 0xcbf29ce484222325 ^ ((uintptr_t)names * 0x9e3779b97f4a7c15);
	for (size_t i = 0; i < nr_bytes; i++)
		sum = (sum ^ (uint8_t)text[i]) * 0x100000001b3;
	return sum ^ sum >> 32;
}

static bool names_grow(struct trace_names *names)
{
	size_t nr_slots = names->nr_slots * 2;
	char **slots = calloc(nr_slots, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < names->nr_slots; i++) {
		char *name = names->slots[i];
		if (!name)
			continue;
		size_t slot = hash(names, name, strlen(name)) & (nr_slots - 1);
		while (slots[slot])
			slot = (slot + 1) & (nr_slots - 1);
		slots[slot] = name;
	}
	free(names->slots);
	names->slots = slots;
	names->nr_slots = nr_slots;
	return true;
}

static char *names_add(struct trace_names *names, const char *text, size_t nr_bytes)
{
	size_t cost = nr_bytes + 1 + 32; /* the allocator's share counts too */
	if (names->nr_bytes + cost > NAMES_MAX_BYTES)
		return NULL;
	char *name = malloc(nr_bytes + 1);
	if (!name)
		return NULL;
	memcpy(name, text, nr_bytes);
	name[nr_bytes] = '\0';
	names->nr_bytes += cost;
	names->nr_names++;
	return name;
}

const char *trace_names_get(struct trace_names *names, const char *text, size_t nr_bytes)
{
	if (nr_bytes == 0)
		return "";
	nr_bytes = strnlen(text, nr_bytes);
	if (names->nr_names * 2 >= names->nr_slots && !names_grow(names))
		return NULL;
	size_t slot = hash(names, text, nr_bytes) & (names->nr_slots - 1);
	while (names->slots[slot]) {
		const char *name = names->slots[slot];
		if (strncmp(name, text, nr_bytes) == 0 && name[nr_bytes] == '\0')
			return name;
		slot = (slot + 1) & (names->nr_slots - 1);
	}
	names->slots[slot] = names_add(names, text, nr_bytes);
	return names->slots[slot];
}
