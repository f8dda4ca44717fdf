/* SPDX-License-Identifier: MIT */
/* The public library (include/berth.h): a thin, stable face over the rooms. */
#include "berth.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "machine/machine.h"
#include "sim/sim.h"
#include "trace/trace.h"

struct berth_machine {
	struct machine *machine;
};

struct berth_recording {
	char *path;
	struct trace_reader *reader; /* for its info; each prediction opens its own */
};

const char *berth_version(void)
{
	return BERTH_VERSION;
}

/* Hands the sentence over, as much of it as the caller's struct holds. Returns `result`. */
static int tell(struct berth_error *error, const struct printbuf *text, int result)
{
	size_t head = offsetof(struct berth_error, text);
	if (!error || error->size <= head || result == 0)
		return result;
	struct printbuf out;
	printbuf_init_fixed(&out, error->text, error->size - head, 0);
	prt_str(&out, printbuf_str(text));
	return result;
}

int berth_machine_open(const char *argument, struct berth_machine **ret, struct berth_error *error)
{
	PRINTBUF(err);
	struct berth_machine *handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	int result = machine_open(argument, &handle->machine, &err);
	if (result < 0) {
		free(handle);
		return tell(error, &err, result);
	}
	*ret = handle;
	return 0;
}

void berth_machine_close(struct berth_machine *machine)
{
	if (!machine)
		return;
	machine_free(machine->machine);
	free(machine);
}

char *berth_machine_line(const struct berth_machine *machine)
{
	PRINTBUF(out);
	machine_to_line(&out, machine->machine);
	return printbuf_steal(&out, NULL);
}

int berth_recording_open(const char *path, struct berth_recording **ret, struct berth_error *error)
{
	PRINTBUF(err);
	struct berth_recording *handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	handle->path = strdup(path);
	int result = handle->path ? trace_open(path, NULL, &handle->reader, &err) : -ENOMEM;
	if (result < 0) {
		berth_recording_close(handle);
		return tell(error, &err, result);
	}
	*ret = handle;
	return 0;
}

void berth_recording_close(struct berth_recording *recording)
{
	if (!recording)
		return;
	trace_close(recording->reader);
	free(recording->path);
	free(recording);
}

/* Copies what fits in the caller's version of a struct that begins with its size. */
static void give(void *to, const void *from, size_t own_size)
{
	size_t size = MIN(*(const size_t *)to, own_size);
	if (size > sizeof(size_t))
		memcpy((char *)to + sizeof(size_t), (const char *)from + sizeof(size_t),
		       size - sizeof(size_t));
}

void berth_recording_info(const struct berth_recording *recording, struct berth_recording_info *ret)
{
	const struct trace_info *info = trace_info(recording->reader);
	struct berth_recording_info own = {
		.page_bytes = info->page_bytes,
		.is_cut = info->is_cut,
		.duration_ns = info->duration_ns,
		.nr_accesses = info->nr_events[TRACE_ACCESSES],
		.nr_misses = info->nr_misses,
		.nr_touches = info->nr_touches,
		.program = info->program,
	};
	give(ret, &own, sizeof(own));
}

static void give_prediction(struct berth_prediction *ret, const struct sim_result *result)
{
	struct berth_prediction own = {
		.time_ns = result->time_ns,
		.all_fast_ns = result->all_fast_ns,
		.misses = result->misses,
		.fast_misses = result->fast_misses,
		.promoted_pages = result->nr_promoted,
		.demoted_pages = result->nr_demoted,
		.moved_bytes = result->moved_bytes,
	};
	give(ret, &own, sizeof(own));
}

/* The element after one of a caller whose struct may be larger or smaller than ours. */
static struct berth_prediction *nth(struct berth_prediction *first, size_t index)
{
	return (struct berth_prediction *)((char *)first + index * first->size);
}

static int predict(struct sim_set *set, struct trace_reader *reader, size_t nr,
		   struct berth_prediction ret[], struct printbuf *err)
{
	int result = sim_set_run(set, reader, err);
	if (result < 0)
		return result;
	for (size_t i = 0; i < nr; i++) {
		const struct sim_result *one = sim_set_result(set, i);
		if (one->error)
			return error_set(err, one->error, "%s: %s", one->policy, one->error_text);
	}
	for (size_t i = 0; i < nr; i++)
		give_prediction(nth(ret, i), sim_set_result(set, i));
	return result;
}

int berth_predict(struct berth_recording *recording, const struct berth_machine *machine,
		  const char *const policies[], size_t nr_policies, struct berth_prediction ret[],
		  struct berth_error *error)
{
	PRINTBUF(err);
	struct trace_reader *reader = NULL;
	struct sim_set *set = NULL;
	const struct sim_config config = {
		.machine = machine->machine,
		.policies = policies,
		.nr_policies = nr_policies,
	};
	int result = trace_open(recording->path, NULL, &reader, &err);
	if (!result)
		result = sim_set_new(&config, trace_info(reader), &set, &err);
	if (!result)
		result = predict(set, reader, nr_policies, ret, &err);
	sim_set_free(set);
	trace_close(reader);
	return tell(error, &err, result);
}
