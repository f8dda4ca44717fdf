/* SPDX-License-Identifier: MIT */
/*
 * What was measured, beside what was claimed.
 *
 *     from  to   idle  claimed  difference  loaded  ...
 *        0   1  251.3      250      +0.5 %   310.2
 */
#include <stdio.h>
#include <string.h>

#include "linux/measure.h"

static const char *source_word(enum figure_source source)
{
	static const char *const words[] = { "unknown", "rule", "hmat", "given", "measured" };
	return words[source];
}

static double difference_of(double measured, double claimed)
{
	return claimed > 0 ? measured / claimed - 1 : 0;
}

/* One more field of an aligned row, right-justified. */
static void prt_number(struct printbuf *row, double value)
{
	char text[32] = "-";
	if (value > 0)
		snprintf(text, sizeof(text), value < 1000 ? "%.3g" : "%.0f", value);
	prt_str(row, text);
	prt_char(row, '\r');
}

static void prt_claim(struct printbuf *row, double claimed, enum figure_source source,
		      double measured)
{
	char text[32];
	snprintf(text, sizeof(text), "%.4g%s", claimed, source == FIGURE_DEFAULT ? "*" : " ");
	prt_str(row, text);
	prt_char(row, '\r');
	snprintf(text, sizeof(text), "%+.0f %%", difference_of(measured, claimed) * 100);
	prt_str(row, text);
	prt_char(row, '\r');
}

static void prt_pair(struct printbuf *rows, const struct measure_pair *pair,
		     const struct machine *machine)
{
	const struct machine_link *claimed = &pair->claimed;
	prt_char(rows, '\r'); /* an indent: the gutter of an empty first column, twice */
	prt_u64(rows, machine->nodes[pair->from].id);
	prt_char(rows, '\r');
	prt_u64(rows, machine->nodes[pair->to].id);
	prt_char(rows, '\r');
	if (!pair->is_measured) {
		prt_str(rows, "not measured\n");
		return;
	}
	prt_number(rows, pair->idle_ns);
	prt_claim(rows, (double)claimed->latency_ns, claimed->latency_source, pair->idle_ns);
	prt_number(rows, pair->loaded_ns);
	prt_number(rows, pair->one_cpu_bytes_per_s / 1e9);
	prt_number(rows, pair->all_cpus_bytes_per_s / 1e9);
	prt_claim(rows, (double)claimed->bandwidth_bytes_per_s / 1e9, claimed->bandwidth_source,
		  MAX(pair->all_cpus_bytes_per_s, pair->one_cpu_bytes_per_s) / 1e9);
	prt_char(rows, '\n');
}

void measurement_to_text(struct printbuf *out, const struct measurement *measurement,
			 const struct machine *machine)
{
	PRINTBUF(rows);
	prt_str(&rows, "\rfrom\rto\ridle\rclaimed \rdiffers\rloaded\rone CPU\rall CPUs\rclaimed "
		       "\rdiffers\r\n");
	for (size_t i = 0; i < measurement->nr_pairs; i++)
		prt_pair(&rows, &measurement->pairs[i], machine);
	prt_str(out, "  Measured: latency in ns, then bandwidth in GB/s\n");
	prt_aligned(out, printbuf_str(&rows));
	if (measurement->notes.pos == 0)
		return;
	prt_char(out, '\n');
	for (const char *line = printbuf_str(&measurement->notes); *line;) {
		size_t len = strcspn(line, "\n");
		prt_str(out, "  note: ");
		prt_mem(out, line, len);
		prt_char(out, '\n');
		line += len + (line[len] == '\n');
	}
}

static void json_figure(struct json_writer *json, const char *key, double value, unsigned decimals)
{
	if (value > 0)
		json_fixed(json, key, value, decimals);
	else
		json_null(json, key);
}

static void pair_to_json(struct json_writer *json, const struct measure_pair *pair,
			 const struct measurement *measurement, const struct machine *machine)
{
	const struct machine_link *claimed = &pair->claimed;
	const struct measure_node *node = &measurement->nodes[pair->to];
	json_object_begin(json, NULL);
	json_u64(json, "from", machine->nodes[pair->from].id);
	json_u64(json, "to", machine->nodes[pair->to].id);
	json_bool(json, "measured", pair->is_measured);
	json_str(json, "reason", pair->reason);
	json_figure(json, "idle_latency_ns", pair->idle_ns, 2);
	json_figure(json, "median_latency_ns", pair->median_ns, 2);
	json_figure(json, "loaded_latency_ns", pair->loaded_ns, 2);
	json_figure(json, "one_cpu_bytes_per_s", pair->one_cpu_bytes_per_s, 0);
	json_figure(json, "all_cpus_bytes_per_s", pair->all_cpus_bytes_per_s, 0);
	json_u64(json, "nr_cpus", pair->nr_cpus);
	json_u64(json, "claimed_latency_ns", claimed->latency_ns);
	json_str(json, "claimed_latency_source", source_word(claimed->latency_source));
	json_u64(json, "claimed_bandwidth_bytes_per_s", claimed->bandwidth_bytes_per_s);
	json_str(json, "claimed_bandwidth_source", source_word(claimed->bandwidth_source));
	json_u64(json, "buffer_bytes", node->buffer_bytes);
	json_u64(json, "huge_bytes", node->huge_bytes);
	json_object_end(json);
}

void measurement_to_json(struct json_writer *json, const char *key,
			 const struct measurement *measurement, const struct machine *machine)
{
	json_object_begin(json, key);
	json_u64(json, "cache_bytes", measurement->cache_bytes);
	json_str(json, "notes", measurement->notes.pos ? printbuf_str(&measurement->notes) : NULL);
	json_array_begin(json, "pairs");
	for (size_t i = 0; i < measurement->nr_pairs; i++)
		pair_to_json(json, &measurement->pairs[i], measurement, machine);
	json_array_end(json);
	json_object_end(json);
}
