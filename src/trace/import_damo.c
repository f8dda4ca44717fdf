/* SPDX-License-Identifier: MIT */
/*
 * damo's records say neither whether a target is a process or the machine's memory, nor, in their
 * text form, how often DAMON looked. Both are inferred and, where that is a guess, noted.
 */
#include "trace/import_damo.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"

int import_damo_space(struct trace_info *info, const char *name, uint32_t *ret_space)
{
	for (uint32_t i = 0; i < info->nr_spaces; i++) {
		if (!strcmp(info->spaces[i].name, name)) {
			*ret_space = i;
			return 0;
		}
	}
	*ret_space = info->nr_spaces;
	return import_info_space(info, TRACE_SPACE_PHYSICAL, -1, name);
}

/* Programs map libraries and stacks at the top of their addresses, far above any machine's memory:
 * a target that stays below is physical memory. */
static uint32_t infer_kinds(struct import_samples *samples, struct trace_info *info)
{
	uint32_t nr_unknown = 0;
	for (uint32_t i = 0; i < import_samples_nr_series(samples); i++) {
		const struct import_series *series = import_samples_series(samples, i);
		if (series->max_page > IMPORT_PHYSICAL_PAGES_MAX)
			info->spaces[series->space].kind = TRACE_SPACE_MM;
		nr_unknown += series->lacks_checks && !series->sample_ns && series->nr_snapshots;
	}
	return nr_unknown;
}

int import_damo_finish(struct import_samples *samples, struct trace_info *info)
{
	uint64_t duration_ns = 0;
	uint32_t nr_unknown = infer_kinds(samples, info);
	int error = import_samples_finish(samples, info->ns_per_ktick, &duration_ns);
	if (error)
		return error;
	info->streams = TRACE_STREAM_SAMPLES;
	info->nr_events[TRACE_SAMPLES] = import_samples_nr_ranges(samples);
	import_info_end(info, duration_ns);
	if (!nr_unknown)
		return 0;
	return import_info_note(info, "the file does not say how often DAMON looked at the pages: "
				      "its default of 5 ms is assumed");
}

int import_damo_explain(const char *path, int error, struct printbuf *err)
{
	if (error == -E2BIG)
		return error_set(
			err, error,
			"%s: more than 4096 targets, 8192 steps back in time, or 32 MiB of "
			"one snapshot; damo does not write such records",
			path);
	if (error == -ENOMEM)
		return error_file(err, error, path, "read");
	return error_file(err, error, path, "keep it in a temporary file (TMPDIR, or /var/tmp)");
}
