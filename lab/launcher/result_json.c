/* SPDX-License-Identifier: MIT */
/*
 * A result whole: one JSON object (docs/lab.md has its keys), and its series as CSV.
 *
 * Series hold only the counters that changed during the run: some 60 of 200.
 */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/lab.h"

static void json_lines(struct json_writer *json, const char *key, const char *at)
{
	json_array_begin(json, key);
	while (*at) {
		char line[1024];
		size_t length = strcspn(at, "\n");
		size_t kept = MIN(length, sizeof(line) - 1);
		memcpy(line, at, kept);
		line[kept] = '\0';
		json_str(json, NULL, line);
		at += length + (at[length] == '\n');
	}
	json_array_end(json);
}

static void json_machine_line(struct json_writer *json, const struct machine *machine)
{
	PRINTBUF(line);
	machine_to_line(&line, machine);
	prt_trim_newlines(&line);
	json_str(json, "machine", printbuf_str(&line));
}

/* Lines "memory_tier4 0-1" of the guest. */
static void json_tiers(struct json_writer *json, const char *at)
{
	json_array_begin(json, "tiers");
	while (at && *at) {
		char name[64] = "", nodes[256] = "";
		size_t length = strcspn(at, "\n");
		size_t blank = strcspn(at, " \n");
		if (blank < length && blank < sizeof(name) && length - blank <= sizeof(nodes)) {
			memcpy(name, at, blank);
			memcpy(nodes, at + blank + 1, length - blank - 1);
			json_object_begin(json, NULL);
			json_str(json, "tier", name);
			json_str(json, "guest_nodes", nodes);
			json_object_end(json);
		}
		at += length + (at[length] == '\n');
	}
	json_array_end(json);
}

static void json_what(struct json_writer *json, const struct lab_result *result,
		      const struct machine *machine)
{
	json_str(json, "end", lab_end_names[result->end]);
	json_s64(json, "status", result->status);
	json_str(json, "words", result->words.pos ? printbuf_str(&result->words) : NULL);
	json_lines(json, "notes", printbuf_str(&result->notes));
	json_array_begin(json, "program");
	for (size_t i = 0; result->argv && result->argv[i]; i++)
		json_str(json, NULL, result->argv[i]);
	json_array_end(json);
	json_machine_line(json, machine);
	json_str(json, "time", result->time == LAB_TIME_ICOUNT ? "icount" : "delay");
	json_str(json, "policy", result->policy);
	json_str(json, "kernel", result->kernel_release);
	json_str(json, "kernel_command_line", result->cmdline);
	json_str(json, "qemu", result->qemu_version);
	json_str(json, "qemu_command", result->command);
	json_str(json, "console", result->console_path);
	json_u64(json, "boot_wall_ns", result->boot_wall_ns);
	json_u64(json, "wall_ns", result->wall_ns);
	json_u64(json, "guest_ns", result->guest_ns);
	json_u64(json, "user_ns", result->user_ns);
	json_u64(json, "system_ns", result->system_ns);
	json_u64(json, "max_rss_bytes", result->max_rss_bytes);
	json_str(json, "demotion_enabled", result->demotion);
	json_tiers(json, result->tiers);
}

static void json_numbers(struct json_writer *json, const char *key, const uint64_t *values,
			 size_t nr, size_t stride)
{
	bool was_compact = json->compact;
	json_array_begin(json, key);
	json->compact = true;
	for (size_t i = 0; values && i < nr; i++)
		json_u64(json, NULL, values[i * stride]);
	json_array_end(json);
	json->compact = was_compact;
}

static void json_nodes(struct json_writer *json, const struct lab_result *result,
		       const struct machine *machine)
{
	json_array_begin(json, "nodes");
	for (uint32_t i = 0; i < result->nr_nodes; i++) {
		const struct lab_node_series *series = &result->nodes[i];
		json_object_begin(json, NULL);
		json_u64(json, "id", machine->nodes[i].id);
		json_u64(json, "guest_node", result->guest_node[i]);
		json_str(json, "kind", node_kind_names[machine->nodes[i].kind]);
		json_u64(json, "size_bytes", machine->nodes[i].size_bytes);
		json_numbers(json, "free_bytes", series->free_bytes, result->nr_samples, 1);
		json_numbers(json, "used_bytes", series->used_bytes, result->nr_samples, 1);
		json_numbers(json, "anon_bytes", series->anon_bytes, result->nr_samples, 1);
		json_numbers(json, "file_bytes", series->file_bytes, result->nr_samples, 1);
		json_object_end(json);
	}
	json_array_end(json);
}

static bool has_changed(const struct lab_result *result, size_t counter)
{
	for (size_t i = 0; i < result->nr_samples; i++)
		if (result->vmstat_series[i * result->nr_vmstat + counter] !=
		    result->vmstat[counter].before)
			return true;
	return false;
}

static void json_vmstat(struct json_writer *json, const struct lab_result *result)
{
	bool was_compact = json->compact;
	json_object_begin(json, "vmstat");
	for (size_t i = 0; i < result->nr_vmstat; i++) {
		json_object_begin(json, result->vmstat[i].name);
		json->compact = true;
		json_u64(json, "before", result->vmstat[i].before);
		json_u64(json, "after", result->vmstat[i].after);
		json_object_end(json);
		json->compact = was_compact;
	}
	json_object_end(json);
	json_numbers(json, "sample_ns", result->sample_ns, result->nr_samples, 1);
	json_object_begin(json, "vmstat_series");
	for (size_t i = 0; i < result->nr_vmstat; i++)
		if (has_changed(result, i))
			json_numbers(json, result->vmstat[i].name, result->vmstat_series + i,
				     result->nr_samples, result->nr_vmstat);
	json_object_end(json);
}

static void json_count(struct json_writer *json, const struct machine *machine, uint32_t node,
		       const struct lab_count *count)
{
	bool was_compact = json->compact;
	json_object_begin(json, NULL);
	json->compact = true;
	json_u64(json, "node", machine->nodes[node].id);
	json_u64(json, "load_misses", count->nr_load_misses);
	json_u64(json, "store_misses", count->nr_store_misses);
	json_u64(json, "sequential_misses", count->nr_sequential);
	json_u64(json, "wait_ns", count->wait_ns);
	json_object_end(json);
	json->compact = was_compact;
}

static bool is_zero(const struct lab_count *count)
{
	return !count->nr_load_misses && !count->nr_store_misses && !count->nr_sequential &&
	       !count->wait_ns;
}

static void json_phases(struct json_writer *json, const struct lab_vcpu *vcpu,
			const struct machine *machine, uint32_t nr_nodes)
{
	json_array_begin(json, "phases");
	for (uint32_t phase = 0; phase < LAB_MAX_PHASES; phase++) {
		bool is_empty = true;
		for (uint32_t i = 0; i < nr_nodes; i++)
			is_empty &= is_zero(&vcpu->counts[phase][i]);
		if (is_empty)
			continue;
		json_object_begin(json, NULL);
		json_u64(json, "phase", phase);
		json_array_begin(json, "nodes");
		for (uint32_t i = 0; i < nr_nodes; i++)
			json_count(json, machine, i, &vcpu->counts[phase][i]);
		json_array_end(json);
		json_object_end(json);
	}
	json_array_end(json);
}

static void json_vcpus(struct json_writer *json, const struct lab_result *result,
		       const struct machine *machine)
{
	const struct lab_shared *shared = result->counters;
	json_array_begin(json, "vcpus");
	for (uint32_t v = 0; v < MIN(shared->model.nr_vcpus, LAB_MAX_VCPUS); v++) {
		json_object_begin(json, NULL);
		json_u64(json, "cpu", v);
		json_u64(json, "instructions", shared->vcpus[v].nr_instructions);
		json_u64(json, "accesses", shared->vcpus[v].nr_accesses);
		json_phases(json, &shared->vcpus[v], machine, result->nr_nodes);
		json_object_end(json);
	}
	json_array_end(json);
}

/* What the model had counted when each sample was taken; null where it was overwritten. */
static void json_snapshots(struct json_writer *json, const struct lab_result *result,
			   const struct machine *machine)
{
	json_array_begin(json, "series");
	for (size_t i = 0; i < result->nr_samples; i++) {
		uint32_t slot = result->sample_snapshot[i];
		if (slot >= LAB_MAX_SNAPSHOTS) {
			json_null(json, NULL);
			continue;
		}
		const struct lab_snapshot *snapshot = &result->counters->snapshots[slot];
		json_object_begin(json, NULL);
		json_u64(json, "phase", snapshot->phase);
		json_u64(json, "instructions", snapshot->nr_instructions);
		json_array_begin(json, "nodes");
		for (uint32_t n = 0; n < result->nr_nodes; n++)
			json_count(json, machine, n, &snapshot->counts[n]);
		json_array_end(json);
		json_object_end(json);
	}
	json_array_end(json);
}

static void json_model(struct json_writer *json, const struct lab_result *result,
		       const struct machine *machine)
{
	if (!result->counters) {
		json_null(json, "model");
		return;
	}
	const struct lab_model *model = &result->counters->model;
	json_object_begin(json, "model");
	json_u64(json, "cache_bytes", model->cache_bytes);
	json_u64(json, "cache_ways", model->cache_ways);
	json_u64(json, "line_bytes", model->line_bytes);
	json_u64(json, "scale_bp", model->scale_bp);
	json_u64(json, "unknown_misses", model->nr_unknown);
	json_vcpus(json, result, machine);
	json_snapshots(json, result, machine);
	json_object_end(json);
}

void lab_result_to_json(struct json_writer *json, const char *key, const struct lab_result *result,
			const struct machine *machine)
{
	json_object_begin(json, key);
	json_what(json, result, machine);
	json_nodes(json, result, machine);
	json_model(json, result, machine);
	lab_berth_report_to_json(json, "berth", &result->berth);
	json_vmstat(json, result);
	json_object_end(json);
}

static void csv_heading(struct printbuf *out, const struct lab_result *result,
			const struct machine *machine)
{
	static const char *const columns[] = { "free_bytes", "used_bytes", "anon_bytes",
					       "file_bytes" };
	prt_str(out, "sample_ns");
	for (uint32_t i = 0; i < result->nr_nodes; i++)
		for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
			prt_printf(out, ",node%u_%s", machine->nodes[i].id, columns[c]);
	for (uint32_t i = 0; i < result->nr_nodes && result->counters; i++)
		prt_printf(out, ",node%u_misses,node%u_wait_ns", machine->nodes[i].id,
			   machine->nodes[i].id);
	for (size_t i = 0; i < result->nr_vmstat; i++) {
		if (!has_changed(result, i))
			continue;
		prt_char(out, ',');
		prt_csv_field(out, result->vmstat[i].name, strlen(result->vmstat[i].name));
	}
	prt_newline(out);
}

static void csv_misses(struct printbuf *out, const struct lab_result *result, size_t row)
{
	uint32_t slot = result->sample_snapshot[row];
	for (uint32_t i = 0; i < result->nr_nodes; i++) {
		if (slot >= LAB_MAX_SNAPSHOTS) {
			prt_str(out, ",,");
			continue;
		}
		const struct lab_count *count = &result->counters->snapshots[slot].counts[i];
		prt_printf(out, ",%llu,%llu",
			   (unsigned long long)(count->nr_load_misses + count->nr_store_misses +
						count->nr_sequential),
			   (unsigned long long)count->wait_ns);
	}
}

void lab_result_to_csv(struct printbuf *out, const struct lab_result *result,
		       const struct machine *machine)
{
	csv_heading(out, result, machine);
	for (size_t row = 0; row < result->nr_samples; row++) {
		prt_u64(out, result->sample_ns[row]);
		for (uint32_t i = 0; i < result->nr_nodes; i++) {
			const struct lab_node_series *node = &result->nodes[i];
			prt_printf(out, ",%llu,%llu,%llu,%llu",
				   (unsigned long long)node->free_bytes[row],
				   (unsigned long long)node->used_bytes[row],
				   (unsigned long long)node->anon_bytes[row],
				   (unsigned long long)node->file_bytes[row]);
		}
		if (result->counters)
			csv_misses(out, result, row);
		for (size_t i = 0; i < result->nr_vmstat; i++) {
			if (!has_changed(result, i))
				continue;
			prt_char(out, ',');
			prt_u64(out, result->vmstat_series[row * result->nr_vmstat + i]);
		}
		prt_newline(out);
	}
}
