/* SPDX-License-Identifier: MIT */
/* Writing a recording of running programs (watch_write.h). */
#include "linux/watch_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

#define NS_PER_KTICK 1000 /* a tick is a nanosecond */

static int describe(struct trace_info *info, const struct machine *machine)
{
	PRINTBUF(line);
	struct utsname system;
	machine_to_line(&line, machine);
	info->machine = printbuf_steal(&line, NULL);
	info->kernel = uname(&system) == 0 ? strdup(system.release) : strdup("");
	return info->machine && info->kernel ? 0 : -ENOMEM;
}

int watch_writer_init(struct watch_writer *writer, const char *output,
		      const struct sampler_ops *sampler, const struct machine *machine,
		      struct printbuf *err)
{
	bool has_nodes = sampler->provides.bits & SAMPLE_HAS_NODE;
	writer->machine = machine;
	writer->is_complete = sampler->provides.is_complete;
	struct trace_info *info = &writer->info;
	info->page_bytes = machine->page_bytes;
	info->ns_per_ktick = NS_PER_KTICK;
	info->clock_measured = true;
	info->streams = TRACE_STREAM_SAMPLES | (has_nodes ? TRACE_STREAM_NODES : 0);
	info->exit_status = -1;
	info->native_ns = info->nr_references = TRACE_UNKNOWN;
	info->started_unix_s = (uint64_t)time(NULL);
	int error = describe(info, machine);
	if (error)
		return error_set(err, error, "out of memory");
	return trace_create(output, info, &writer->fd, err);
}

int watch_write_note(struct watch_writer *writer, const char *format, ...)
{
	PRINTBUF(text);
	va_list args;
	struct trace_info *info = &writer->info;
	va_start(args, format);
	prt_vprintf(&text, format, args);
	va_end(args);
	char **notes = realloc(info->notes, (info->nr_notes + 1) * sizeof(*notes));
	char *note = notes ? printbuf_steal(&text, NULL) : NULL;
	if (notes)
		info->notes = notes;
	if (!note)
		return -ENOMEM;
	info->notes[info->nr_notes++] = note;
	return 0;
}

static int close_appender(struct watch_writer *writer, struct watch_space *space)
{
	if (!space->appender)
		return 0;
	int error = trace_appender_flush(space->appender);
	space->appender = trace_appender_free(space->appender);
	writer->nr_appenders--;
	return error;
}

static int close_appenders(struct watch_writer *writer)
{
	int first = 0;
	for (uint32_t i = 0; i < writer->nr_spaces; i++) {
		int error = close_appender(writer, &writer->spaces[i]);
		first = first ? first : error;
	}
	return first;
}

int watch_write_flush(struct watch_writer *writer)
{
	int first = 0;
	for (uint32_t i = 0; i < writer->nr_spaces; i++) {
		struct trace_appender *appender = writer->spaces[i].appender;
		int error = appender ? trace_appender_flush(appender) : 0;
		first = first ? first : error;
	}
	return first;
}

static int open_appender(struct watch_writer *writer, uint32_t number)
{
	struct watch_space *space = &writer->spaces[number];
	if (space->appender)
		return 0;
	int error = writer->nr_appenders >= WATCH_APPENDERS_MAX ? close_appenders(writer) : 0;
	if (!error)
		error = trace_appender_new(writer->fd, number, writer->info.page_bytes,
					   &space->appender);
	writer->nr_appenders += !error;
	return error;
}

static int write_mapping(struct watch_writer *writer, uint32_t number,
			 const struct trace_mapping *mapping)
{
	int error = open_appender(writer, number);
	return error ? error : trace_append_mapping(writer->spaces[number].appender, mapping);
}

static int on_changed_map(void *context, const struct map *part, bool is_new)
{
	struct watch_writer *writer = context;
	struct trace_mapping mapping = { .time_ns = writer->ticks,
					 .op = is_new ? TRACE_MAP : TRACE_UNMAP,
					 .protection = part->protection,
					 .page = part->first,
					 .nr_pages = part->end - part->first,
					 .name = is_new ? part->name : "" };
	if (!is_new)
		known_forget(&writer->spaces[writer->writing].known, part->first, mapping.nr_pages);
	return write_mapping(writer, writer->writing, &mapping);
}

/* 0 also when it has just ended: the next refresh tells. */
static int write_maps(struct watch_writer *writer, const struct live *live, uint32_t number)
{
	struct watch_space *space = &writer->spaces[number];
	struct maps now = { 0 };
	int error = maps_read(live->root, live->spaces[number].pid, writer->info.page_bytes, &now);
	if (error || now.nr == 0) { /* it lets go of its memory as it ends */
		maps_fini(&now);
		return error == -ESRCH ? 0 : error;
	}
	writer->writing = number;
	error = maps_compare(&space->maps, &now, on_changed_map, writer);
	maps_fini(&space->maps);
	space->maps = now;
	return error;
}

/* The file that it executes, else its own short name; "" when it has ended. malloc'ed. */
static char *name_of(const struct live *live, pid_t pid)
{
	char path[64], target[4096], *name = NULL;
	snprintf(path, sizeof(path), "proc/%d/exe", pid);
	if (root_readlink(live->root, path, target, sizeof(target)) == 0)
		return strdup(target);
	snprintf(path, sizeof(path), "proc/%d/comm", pid);
	return root_read(live->root, path, &name) == 0 ? name : strdup("");
}

/* The space of its parent: "4711 (a name) S 4242 ..." */
static uint32_t parent_of(const struct live *live, uint32_t number)
{
	char path[64], *text = NULL;
	snprintf(path, sizeof(path), "proc/%d/stat", live->spaces[number].pid);
	if (root_read(live->root, path, &text) < 0)
		return TRACE_NONE;
	const char *at = strrchr(text, ')');
	long pid = at && strlen(at) > 4 ? strtol(at + 4, NULL, 10) : 0;
	uint32_t parent = TRACE_NONE;
	for (uint32_t i = 0; i < number && pid > 0; i++)
		if (live->spaces[i].pid == pid)
			parent = i;
	free(text);
	return parent;
}

static int room_for_space(struct watch_writer *writer)
{
	if (writer->nr_spaces < writer->max_spaces)
		return 0;
	uint32_t max = MAX(writer->max_spaces * 2, 16);
	struct watch_space *spaces = realloc(writer->spaces, max * sizeof(*spaces));
	if (spaces)
		writer->spaces = spaces;
	struct trace_space *told = realloc(writer->info.spaces, max * sizeof(*told));
	if (told)
		writer->info.spaces = told;
	if (!spaces || !told)
		return -ENOMEM;
	writer->max_spaces = max;
	return 0;
}

static int add_space(struct watch_writer *writer, const struct live *live)
{
	uint32_t number = writer->nr_spaces;
	int error = room_for_space(writer);
	char *name = error ? NULL : name_of(live, live->spaces[number].pid);
	if (!name)
		return -ENOMEM;
	struct trace_space told = { .id = number,
				    .kind = TRACE_SPACE_MM,
				    .parent = parent_of(live, number),
				    .pid = live->spaces[number].pid,
				    .name = name };
	writer->spaces[number] = (struct watch_space){ 0 };
	writer->info.spaces[number] = told;
	writer->info.nr_spaces = ++writer->nr_spaces;
	struct trace_mapping begin = {
		.time_ns = writer->ticks, .op = TRACE_PROCESS, .detail = told.parent, .name = name
	};
	return write_mapping(writer, number, &begin);
}

static int end_space(struct watch_writer *writer, uint32_t number)
{
	struct watch_space *space = &writer->spaces[number];
	struct trace_mapping end = { .time_ns = writer->ticks,
				     .op = TRACE_PROCESS_END,
				     .name = "" };
	int error = write_mapping(writer, number, &end);
	int closed = close_appender(writer, space);
	maps_fini(&space->maps);
	known_fini(&space->known);
	space->is_over = true;
	return error ? error : closed;
}

int watch_write_spaces(struct watch_writer *writer, struct live *live, uint64_t now_ns)
{
	int error = 0;
	writer->ticks = now_ns - writer->begun_ns;
	for (uint32_t i = 0; i < live->nr_spaces && !error; i++) {
		if (i == writer->nr_spaces)
			error = add_space(writer, live);
		if (error || writer->spaces[i].is_over)
			continue;
		bool is_alive = live_space(live, i) != NULL;
		error = is_alive ? write_maps(writer, live, i) : end_space(writer, i);
	}
	return error;
}

static int write_nodes(struct watch_writer *writer, const struct sample *sample, uint64_t ticks)
{
	struct watch_space *space = &writer->spaces[sample->space];
	bool is_told = sample->node < writer->machine->nr_nodes &&
		       sample->node < KNOWN_PLACES - KNOWN_NODE;
	unsigned place = is_told ? KNOWN_NODE + sample->node : KNOWN_SOMEWHERE;
	int error = 0;
	for (uint64_t i = 0; i < sample->nr_pages && error >= 0; i++) {
		error = known_hit(&space->known, sample->page + i, place);
		if (error == 1)
			error = trace_append_node(space->appender, ticks, sample->page + i,
						  writer->machine->nodes[sample->node].id);
	}
	return MIN(error, 0);
}

static int write_sample(struct watch_writer *writer, const struct sample *sample, uint64_t now_ns)
{
	uint64_t window = now_ns - writer->look_ns;
	uint64_t time_ns = MIN(MAX(sample->time_ns, writer->look_ns), now_ns);
	uint64_t ticks = time_ns - writer->begun_ns;
	bool is_counted = sample->kind == SAMPLE_HITS;
	if (sample->latency_ns != SAMPLE_UNKNOWN && sample->kind == SAMPLE_HINT_FAULT)
		window = sample->latency_ns; /* it lay unused from its arming on */
	int error = open_appender(writer, sample->space);
	bool is_used = !is_counted || sample->hits != 0;
	if (!error && is_used && writer->info.streams & TRACE_STREAM_NODES)
		error = write_nodes(writer, sample, ticks);
	if (!error)
		error = trace_append_sample(writer->spaces[sample->space].appender, ticks, window,
					    sample->page, sample->nr_pages,
					    is_counted ? sample->hits : 1,
					    is_counted ? sample->checks : 1);
	writer->nr_samples++;
	return error;
}

int watch_write_samples(struct watch_writer *writer, const struct sample_batch *batch,
			uint64_t now_ns)
{
	int error = 0;
	for (uint32_t i = 0; i < batch->nr && !error; i++) {
		const struct sample *sample = &batch->samples[i];
		if (sample->space >= writer->nr_spaces || sample->space_kind != SAMPLE_MM ||
		    writer->spaces[sample->space].is_over || sample->nr_pages == 0)
			continue;
		error = write_sample(writer, sample, now_ns);
	}
	return error;
}

static int write_idle(void *context, uint64_t page, uint64_t nr_pages)
{
	struct watch_writer *writer = context;
	int error = open_appender(writer, writer->writing);
	return error ? error
		     : trace_append_sample(writer->spaces[writer->writing].appender, writer->ticks,
					   writer->window, page, nr_pages, 0, 1);
}

int watch_end_look(struct watch_writer *writer, uint64_t now_ns)
{
	int error = 0;
	writer->ticks = now_ns - writer->begun_ns;
	writer->window = now_ns - writer->look_ns;
	for (uint32_t i = 0; i < writer->nr_spaces && !error && writer->is_complete; i++) {
		writer->writing = i;
		error = known_end_look(&writer->spaces[i].known, write_idle, writer);
	}
	writer->look_ns = now_ns;
	return error;
}

static void info_fini(struct trace_info *info)
{
	for (uint32_t i = 0; i < info->nr_notes; i++)
		free(info->notes[i]);
	for (uint32_t i = 0; i < info->nr_settings; i++)
		free(info->settings[i]);
	for (uint32_t i = 0; i < info->nr_spaces; i++)
		free(info->spaces[i].name);
	free(info->notes);
	free(info->settings);
	free(info->spaces);
	free(info->machine);
	free(info->kernel);
	free(info->program);
	*info = (struct trace_info){ 0 };
}

void watch_writer_fini(struct watch_writer *writer)
{
	for (uint32_t i = 0; i < writer->nr_spaces; i++) {
		trace_appender_free(writer->spaces[i].appender);
		maps_fini(&writer->spaces[i].maps);
		known_fini(&writer->spaces[i].known);
	}
	free(writer->spaces);
	info_fini(&writer->info);
	if (writer->fd >= 0)
		close(writer->fd);
	writer->fd = -1;
}
