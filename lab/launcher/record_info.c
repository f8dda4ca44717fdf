/* SPDX-License-Identifier: MIT */
/*
 * The info of a recording made in the lab.
 *
 * Nodes are numbered as in the machine's line, by position; the guest may number them otherwise
 * (layout.h). Memory is that of the sample just before the program starts: all that is used then
 * is ballast. /proc/zoneinfo, as Linux prints it (mm/vmstat.c, 6.12):
 *
 *     Node 0, zone   Normal
 *       pages free     12345
 *             min      67
 *             present  ...
 *       pagesets
 *         cpu: 0
 *                   count:    123
 *
 * Pages on the lists of CPUs (count) are free, though not in the kernel's figure of the same name:
 * on a small node they are some per cent, and the first to be handed out.
 */
#include "lab/launcher/record_info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab/latency/work.h"

#define PAGE_BYTES ((uint64_t)4096)

static const char *const work_names[WORK_NR_KINDS] = WORK_NAMES;

static char *program_line(char *const *words)
{
	PRINTBUF(text);
	for (size_t i = 0; words[i]; i++)
		prt_printf(&text, i ? " %s" : "%s", words[i]);
	return printbuf_steal(&text, NULL);
}

static char *machine_line(const struct machine *machine)
{
	PRINTBUF(text);
	machine_to_line(&text, machine);
	return printbuf_steal(&text, NULL);
}

/* "numa_balancing=2" from a path and a value. */
static int add_setting(struct trace_info *info, const char *path, const char *value)
{
	const char *slash = strrchr(path, '/');
	PRINTBUF(text);
	prt_printf(&text, "%s=%s", slash ? slash + 1 : path, value);
	return trace_info_add_setting(info, printbuf_str(&text));
}

static int add_policy(struct trace_info *info, const struct lab_policy *policy)
{
	int error = policy && policy->text ? add_setting(info, "policy", policy->text) : 0;
	for (size_t i = 0; policy && !error && i < MIN(policy->nr_settings, 256); i++)
		error = add_setting(info, policy->settings[i].path, policy->settings[i].value);
	return error;
}

int lab_record_info_init(struct trace_info *info, const struct lab_options *options,
			 const struct lab_model *model)
{
	trace_info_init(info);
	info->ns_per_ktick = LAB_RECORD_NS_PER_KTICK;
	info->clock_measured = true; /* it is the guest's own */
	info->streams = TRACE_STREAM_MISSES | TRACE_STREAM_TOUCHES | TRACE_STREAM_NODES;
	info->interval_ns = LAB_RECORD_INTERVAL_NS;
	info->cache = (struct trace_cache){ .size_bytes = model->cache_bytes,
					    .ways = model->cache_ways,
					    .line_bytes = model->line_bytes };
	info->recorder = strdup("berth lab " BERTH_VERSION);
	info->program = program_line(options->argv);
	info->machine = machine_line(options->machine);
	info->started_unix_s = (uint64_t)time(NULL);
	if (!info->recorder || !info->program || !info->machine)
		return -ENOMEM;
	return add_policy(info, options->policy);
}

/* ---- memory ---- */

static void add_up(uint64_t *sum, uint64_t value)
{
	if (*sum == TRACE_UNKNOWN)
		*sum = value;
	else if (__builtin_add_overflow(*sum, value, sum))
		*sum = TRACE_UNKNOWN;
}

static void take_line(struct trace_memory *memory, const char *line)
{
	static const struct {
		const char *format;
		size_t offset;
	} lines[] = {
		{ " pages free %llu", offsetof(struct trace_memory, free_pages) },
		{ " count: %llu", offsetof(struct trace_memory, free_pages) },
		{ " min %llu", offsetof(struct trace_memory, min_pages) },
		{ " low %llu", offsetof(struct trace_memory, low_pages) },
		{ " high %llu", offsetof(struct trace_memory, high_pages) },
		{ " promo %llu", offsetof(struct trace_memory, promo_pages) },
		{ " present %llu", offsetof(struct trace_memory, total_pages) },
		{ " managed %llu", offsetof(struct trace_memory, managed_pages) },
	};
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		unsigned long long value;
		if (sscanf(line, lines[i].format, &value) == 1)
			add_up((uint64_t *)((char *)memory + lines[i].offset), value);
	}
}

void lab_zoneinfo_parse(const char *text, struct trace_memory *memory, uint32_t nr)
{
	struct trace_memory *node = NULL;
	while (text && *text) {
		char line[128];
		unsigned number;
		size_t length = strcspn(text, "\n"), kept = MIN(length, sizeof(line) - 1);
		memcpy(line, text, kept);
		line[kept] = '\0';
		if (sscanf(line, "Node %u,", &number) == 1)
			node = number < nr ? &memory[number] : NULL;
		else if (node)
			take_line(node, line);
		text += length + (text[length] == '\n');
	}
}

static uint64_t minus(uint64_t from, uint64_t less)
{
	return from > less ? from - less : 0;
}

static void add_ballast(struct trace_memory *memory, const struct lab_node_memory *node)
{
	if (memory->free_pages == TRACE_UNKNOWN)
		memory->free_pages = node->free_bytes / PAGE_BYTES;
	uint64_t used = minus(node->total_bytes / PAGE_BYTES, memory->free_pages);
	memory->cache_pages = node->file_bytes / PAGE_BYTES;
	memory->other_pages = node->anon_bytes / PAGE_BYTES;
	memory->kernel_pages = minus(used, memory->cache_pages + memory->other_pages);
	if (memory->managed_pages == TRACE_UNKNOWN)
		memory->managed_pages = node->total_bytes / PAGE_BYTES;
}

static void add_text_setting(struct trace_info *info, const char *name, const char *text)
{
	PRINTBUF(value);
	if (!text)
		return;
	prt_safe(&value, text, strcspn(text, "\n"));
	add_setting(info, name, printbuf_str(&value));
}

void lab_record_info_sample(struct trace_info *info, const struct lab_reading *reading,
			    const struct lab_layout *layout)
{
	struct trace_memory zones[LAB_MAX_NODES];
	memset(zones, 0xff, sizeof(zones)); /* TRACE_UNKNOWN */
	lab_zoneinfo_parse(reading->zoneinfo, zones, LAB_MAX_NODES);
	for (uint32_t i = 0; i < layout->nr_nodes; i++) {
		uint32_t number = layout->guest_node[i];
		if (number >= LAB_MAX_NODES || !reading->nodes[number].is_present)
			continue;
		struct trace_memory *memory = trace_info_add_memory(info, i);
		if (!memory)
			return;
		*memory = zones[number];
		memory->node = i;
		add_ballast(memory, &reading->nodes[number]);
	}
	add_text_setting(info, "numa_balancing", reading->numa_balancing);
	add_text_setting(info, "demotion_enabled", reading->demotion);
	add_text_setting(info, "transparent_hugepage", reading->hugepages);
	add_text_setting(info, "cmdline", reading->cmdline);
}

int lab_record_info_result(struct trace_info *info, const struct lab_result *result)
{
	if (!result->kernel_release)
		return 0;
	info->kernel = strdup(result->kernel_release);
	return info->kernel ? 0 : -ENOMEM;
}

/* "0@1234 0@1302": node and milliseconds of the recording's clock. */
static void add_boosts(struct trace_info *info, const struct recording *recording)
{
	PRINTBUF(text);
	uint32_t nr = MIN(recording->nr_boosts, RING_MAX_BOOSTS);
	for (uint32_t i = 0; i < nr; i++) {
		const struct ring_boost *boost = &recording->boosts[i];
		prt_printf(&text, "%s%u@%llu", i ? " " : "", boost->node,
			   (unsigned long long)(ticks_to_ns(boost->ticks, info->ns_per_ktick) /
						NS_PER_MS));
	}
	if (nr > 0)
		add_setting(info, "watermark_boosts", printbuf_str(&text));
}

void lab_record_info_work(struct trace_info *info, const struct recording *recording)
{
	add_setting(info, "clock", "program");
	for (unsigned i = 0; i < WORK_NR_KINDS; i++) {
		const struct ring_work *work = &recording->works[i];
		PRINTBUF(name);
		PRINTBUF(value);
		if (work->nr == 0)
			continue;
		prt_printf(&name, "left_out_%s", work_names[i]);
		prt_printf(
			&value, "%llu in %llu us", (unsigned long long)work->nr,
			(unsigned long long)(ticks_to_ns(work->ticks, info->ns_per_ktick) / 1000));
		add_setting(info, printbuf_str(&name), printbuf_str(&value));
	}
	add_boosts(info, recording);
}

void lab_record_info_note(struct trace_info *info, struct printbuf *note)
{
	trace_info_add_note(info, printbuf_str(note));
	printbuf_reset(note);
}

void lab_record_info_fini(struct trace_info *info)
{
	trace_info_fini(info);
}
