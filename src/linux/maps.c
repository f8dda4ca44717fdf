/* SPDX-License-Identifier: MIT */
/* What a process has mapped (maps.h). */
#include "linux/maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "linux/process.h"

static int add_map(struct maps *maps, const struct map *map)
{
	if (maps->nr == maps->max) {
		size_t max = maps->max ? maps->max * 2 : 64;
		struct map *items = max <= MAPS_MAX ? realloc(maps->items, max * sizeof(*items))
						    : NULL;
		if (!items)
			return -ENOMEM;
		maps->items = items;
		maps->max = max;
	}
	maps->items[maps->nr] = *map;
	maps->items[maps->nr].name = strndup(map->name, MAPS_NAME_MAX);
	return maps->items[maps->nr++].name ? 0 : -ENOMEM;
}

/* "rw-p" */
static uint32_t protection_of(const char *text)
{
	return (text[0] == 'r' ? PROT_READ : 0) | (text[0] && text[1] == 'w' ? PROT_WRITE : 0) |
	       (text[0] && text[1] && text[2] == 'x' ? PROT_EXEC : 0);
}

/* What stands behind "55d0c8a00000-55d0c8a21000 rw-p 00000000 00:00 0    ". */
static char *name_of(char *at)
{
	for (unsigned word = 0; word < 4; word++) {
		at += strspn(at, " ");
		at += strcspn(at, " \n");
	}
	at += strspn(at, " ");
	at[strcspn(at, "\n")] = '\0';
	return *at ? at : (char *)"[anon]";
}

bool maps_parse_line(char *line, uint32_t page_bytes, struct map *ret)
{
	char *at;
	uint64_t start = strtoull(line, &at, 16);
	if (*at != '-')
		return false;
	uint64_t end = strtoull(at + 1, &at, 16);
	if (*at != ' ' || end / page_bytes <= start / page_bytes)
		return false;
	*ret = (struct map){ .first = start / page_bytes,
			     .end = end / page_bytes,
			     .protection = protection_of(at + 1),
			     .name = name_of(at) };
	return true;
}

bool map_is_memory(const struct map *map)
{
	return strncmp(map->name, "[v", 2) != 0 && map->protection & (PROT_READ | PROT_WRITE);
}

int maps_add_line(struct maps *maps, char *line, uint32_t page_bytes)
{
	struct map map;
	uint64_t least = maps->nr ? maps->items[maps->nr - 1].end : 0;
	if (!maps_parse_line(line, page_bytes, &map) || map.first < least || !map_is_memory(&map))
		return 0;
	return add_map(maps, &map);
}

int maps_read(const struct root *root, pid_t pid, uint32_t page_bytes, struct maps *ret)
{
	struct maps maps = { 0 };
	char *line = NULL;
	size_t size = 0;
	int error = 0;
	FILE *file = process_open_lines(root, pid, "maps");
	if (!file)
		return -ESRCH;
	while (!error && getline(&line, &size, file) > 0)
		error = maps_add_line(&maps, line, page_bytes);
	free(line);
	fclose(file);
	if (error) {
		maps_fini(&maps);
		return error;
	}
	*ret = maps;
	return 0;
}

static bool covers(const struct map *map, uint64_t page)
{
	return map && map->first <= page;
}

/* Until where nothing changes for this one. */
static uint64_t edge(const struct map *map, uint64_t page)
{
	return !map ? UINT64_MAX : map->first <= page ? map->end : map->first;
}

static int tell(int (*changed)(void *context, const struct map *part, bool is_new), void *context,
		const struct map *map, uint64_t first, uint64_t end, bool is_new)
{
	struct map part = *map;
	part.first = first;
	part.end = end;
	return changed(context, &part, is_new);
}

int maps_compare(const struct maps *before, const struct maps *now,
		 int (*changed)(void *context, const struct map *part, bool is_new), void *context)
{
	uint64_t at = 0;
	int error = 0;
	for (size_t i = 0, j = 0; !error && (i < before->nr || j < now->nr);) {
		const struct map *old = i < before->nr ? &before->items[i] : NULL;
		const struct map *new = j < now->nr ? &now->items[j] : NULL;
		uint64_t first = MIN(old ? old->first : UINT64_MAX, new ? new->first : UINT64_MAX);
		at = MAX(at, first);
		bool was = covers(old, at), is = covers(new, at);
		uint64_t end = MIN(edge(old, at), edge(new, at));
		bool is_same = was && is && strcmp(old->name, new->name) == 0;
		if (was && !is_same)
			error = tell(changed, context, old, at, end, false);
		if (!error && is && !is_same)
			error = tell(changed, context, new, at, end, true);
		at = end;
		i += old && old->end <= at;
		j += new &&new->end <= at;
	}
	return error;
}

void maps_fini(struct maps *maps)
{
	for (size_t i = 0; i < maps->nr; i++)
		free(maps->items[i].name);
	free(maps->items);
	*maps = (struct maps){ 0 };
}
