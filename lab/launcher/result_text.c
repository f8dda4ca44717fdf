/* SPDX-License-Identifier: MIT */
/*
 * A result for people: what ran where, how long, and what memory did. One screen; JSON has all.
 *
 *     program  hotset --seconds 10
 *     kernel   6.12.95+deb12-amd64 under QEMU 10.0.2, delay
 *     time     boot 3.1 s, program 12.3 s wall, 12.2 s guest (user 11.0 s, system 1.1 s)
 *
 *     node  kind  tier  memory   used at end  at most  over time
 *     0     dram     4  512 MiB      490 MiB  498 MiB  .-=+####
 *
 *     phase  node  loads missed  stores missed  in sequence  waited
 *     counters of /proc/vmstat that moved
 */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/lab.h"
#include "lab/launcher/model.h"

#define SPARK_COLUMNS 24

static bool is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);
		if (value && *value)
			return strstr(value, "UTF-8") || strstr(value, "utf8");
	}
	return false;
}

/* Eight heights of `top`; the column's greatest counts. */
static void prt_spark(struct printbuf *out, const uint64_t *values, size_t nr, uint64_t top)
{
	static const char *const blocks[] = { "\u2581", "\u2582", "\u2583", "\u2584",
					      "\u2585", "\u2586", "\u2587", "\u2588" };
	static const char *const plain[] = { "_", ".", ":", "-", "=", "+", "*", "#" };
	const char *const *heights = is_utf8() ? blocks : plain;
	size_t columns = MIN(nr, (size_t)SPARK_COLUMNS);
	for (size_t c = 0; c < columns; c++) {
		uint64_t most = 0;
		for (size_t i = c * nr / columns; i < (c + 1) * nr / columns; i++)
			most = MAX(most, values[i]);
		most = MIN(most, top);
		prt_str(out, heights[top ? (size_t)((double)most / (double)top * 7.999) : 0]);
	}
}

static uint64_t greatest(const uint64_t *values, size_t nr)
{
	uint64_t most = 0;
	for (size_t i = 0; i < nr; i++)
		most = MAX(most, values[i]);
	return most;
}

static void prt_head(struct printbuf *out, const struct lab_result *result)
{
	prt_str(out, "program ");
	for (size_t i = 0; result->argv && result->argv[i]; i++) {
		prt_char(out, ' ');
		prt_safe(out, result->argv[i], MIN(strlen(result->argv[i]), (size_t)200));
	}
	prt_printf(out, "\nkernel   %s under QEMU %s, %s",
		   result->kernel_release ? result->kernel_release : "unknown",
		   result->qemu_version ? result->qemu_version : "unknown",
		   result->time == LAB_TIME_ICOUNT ? "icount" : "delay");
	if (result->policy)
		prt_printf(out, ", policy %s", result->policy);
	prt_newline(out);
	if (result->end != LAB_END_EXITED && result->words.pos)
		prt_printf(out, "end      %s: %s\n", lab_end_names[result->end],
			   printbuf_str(&result->words));
}

static void prt_times(struct printbuf *out, const struct lab_result *result)
{
	if (!result->boot_wall_ns)
		return;
	prt_str(out, "time     boot ");
	prt_ns(out, result->boot_wall_ns);
	prt_str(out, ", program ");
	prt_ns(out, result->wall_ns);
	prt_str(out, " wall");
	if (result->guest_ns) {
		prt_str(out, ", ");
		prt_ns(out, result->guest_ns);
		prt_str(out, " guest (user ");
		prt_ns(out, result->user_ns);
		prt_str(out, ", system ");
		prt_ns(out, result->system_ns);
		prt_str(out, "), at most ");
		prt_bytes(out, result->max_rss_bytes);
		prt_str(out, " resident");
	}
	prt_newline(out);
}

static void prt_tier(struct printbuf *out, const struct machine *machine, uint32_t index)
{
	uint32_t tier = machine->nodes[index].tier;
	if (tier < machine->nr_tiers)
		prt_u64(out, machine->tiers[tier].id);
	else
		prt_char(out, '-');
}

static void prt_nodes(struct printbuf *out, const struct lab_result *result,
		      const struct machine *machine)
{
	PRINTBUF(rows);
	size_t nr = result->nr_samples;
	if (nr == 0)
		return;
	prt_str(&rows, "node\tkind\ttier\rmemory\rused at end\rat most\rover time\n");
	for (uint32_t i = 0; i < result->nr_nodes; i++) {
		const struct machine_node *node = &machine->nodes[i];
		const uint64_t *used = result->nodes[i].used_bytes;
		if (!node->size_bytes)
			continue;
		prt_printf(&rows, "%u\t%s\t", node->id, node_kind_names[node->kind]);
		prt_tier(&rows, machine, i);
		prt_str(&rows, "\r");
		prt_bytes(&rows, node->size_bytes);
		prt_str(&rows, "\r");
		prt_bytes(&rows, used[nr - 1]);
		prt_str(&rows, "\r");
		prt_bytes(&rows, greatest(used, nr));
		prt_str(&rows, "\r");
		prt_spark(&rows, used, nr, node->size_bytes);
		prt_str(&rows, "\n");
	}
	prt_newline(out);
	prt_aligned(out, printbuf_str(&rows));
	prt_ensure_newline(out);
}

static bool has_counts(const struct lab_count *count)
{
	return count->nr_load_misses || count->nr_store_misses || count->nr_sequential;
}

static void prt_misses(struct printbuf *out, const struct lab_result *result,
		       const struct machine *machine)
{
	PRINTBUF(rows);
	if (!result->counters)
		return;
	prt_printf(&rows, "phase\tnode\tload misses\rstore misses\rin sequence\r%s\r\n",
		   result->time == LAB_TIME_ICOUNT ? "modelled wait" : "felt wait");
	for (uint32_t phase = 0; phase < LAB_MAX_PHASES; phase++) {
		for (uint32_t i = 0; i < result->nr_nodes; i++) {
			struct lab_count count = lab_count_of(result->counters, i, phase);
			if (!has_counts(&count))
				continue;
			prt_printf(&rows, "%u\t%u\t", phase, machine->nodes[i].id);
			prt_u64_grouped(&rows, count.nr_load_misses);
			prt_str(&rows, "\r");
			prt_u64_grouped(&rows, count.nr_store_misses);
			prt_str(&rows, "\r");
			prt_u64_grouped(&rows, count.nr_sequential);
			prt_str(&rows, "\r");
			prt_ns(&rows, count.wait_ns);
			prt_str(&rows, "\r\n");
		}
	}
	prt_newline(out);
	prt_aligned(out, printbuf_str(&rows));
	prt_ensure_newline(out);
}

static bool is_interesting(const char *name)
{
	static const char *const beginnings[] = { "numa_pte",	"numa_huge",	     "numa_hint",
						  "numa_pages", "pgpromote",	     "pgdemote",
						  "pgmigrate",	"pgscan_",	     "pgsteal_",
						  "thp_",	"oom_kill",	     "allocstall",
						  "pswp",	"workingset_refault" };
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static void prt_counters(struct printbuf *out, const struct lab_result *result)
{
	PRINTBUF(rows);
	for (size_t i = 0; i < result->nr_vmstat; i++) {
		const struct lab_number *number = &result->vmstat[i];
		if (!is_interesting(number->name) || number->after <= number->before)
			continue;
		prt_str(&rows, number->name);
		prt_str(&rows, "\t");
		prt_u64_grouped(&rows, number->after - number->before);
		prt_str(&rows, "\r\n");
	}
	if (!rows.pos)
		return;
	prt_newline(out);
	prt_aligned(out, printbuf_str(&rows));
	prt_ensure_newline(out);
}

static void prt_notes(struct printbuf *out, const struct lab_result *result)
{
	const char *at = printbuf_str(&result->notes);
	if (*at)
		prt_newline(out);
	while (*at) {
		size_t length = strcspn(at, "\n");
		prt_str(out, "note: ");
		prt_mem(out, at, length);
		prt_newline(out);
		at += length + (at[length] == '\n');
	}
}

void lab_result_to_text(struct printbuf *out, const struct lab_result *result,
			const struct machine *machine)
{
	prt_head(out, result);
	prt_times(out, result);
	lab_berth_report_to_text(out, &result->berth);
	prt_nodes(out, result, machine);
	prt_misses(out, result, machine);
	prt_counters(out, result);
	prt_notes(out, result);
}
