/* SPDX-License-Identifier: MIT */
#include "guest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "recorder/read_string.h"

uint64_t guest_base;

size_t guest_read(uint64_t address, void *to, size_t nr_bytes)
{
	struct iovec local = { .iov_base = to, .iov_len = nr_bytes };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)(guest_base + address),
				.iov_len = nr_bytes };
	int saved = errno;
	ssize_t nr = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	errno = saved;
	return nr < 0 ? 0 : (size_t)nr;
}

size_t guest_read_string(uint64_t address, char *to, size_t size)
{
	return read_guest_string(guest_read, address, to, size);
}

struct host_mapping {
	uint64_t start, end;
	uint32_t protection;
	char path[RING_PATH_BYTES];
};

static bool parse_mapping(const char *line, struct host_mapping *ret)
{
	char rights[5] = "";
	int path_at = 0;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %n", &ret->start, &ret->end,
		   rights, &path_at) < 3)
		return false;
	ret->protection = (rights[0] == 'r') | (rights[1] == 'w') << 1 | (rights[2] == 'x') << 2;
	snprintf(ret->path, sizeof(ret->path), "%s", path_at ? line + path_at : "");
	ret->path[strcspn(ret->path, "\n")] = '\0';
	return true;
}

/* Calls `visit` for each mapping of this process until it returns false. */
static void each_mapping(bool (*visit)(const struct host_mapping *, void *), void *data)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char *line = NULL;
	size_t size = 0;
	struct host_mapping mapping;
	while (file && getline(&line, &size, file) > 0)
		if (parse_mapping(line, &mapping) && !visit(&mapping, data))
			break;
	free(line);
	if (file)
		fclose(file);
}

struct initial {
	uint64_t last_end;
	const char *last_name; /* of the file mapping that ends there, NULL when of none */
};

static bool visit_initial(const struct host_mapping *mapping, void *data)
{
	struct initial *initial = data;
	const struct recording *recording = core.recording;
	const char *name = NULL;
	if (strcmp(mapping->path, recording->program) == 0)
		name = recording->program;
	else if (*mapping->path && strcmp(mapping->path, recording->interpreter) == 0)
		name = recording->interpreter;
	else if (!*mapping->path && mapping->start == initial->last_end)
		name = initial->last_name; /* its zeroed data */
	if (name)
		core_mapping(NULL, TRACE_MAP, mapping->start - guest_base,
			     mapping->end - mapping->start, name, 0, mapping->protection);
	initial->last_end = mapping->end;
	initial->last_name = *mapping->path ? name : NULL;
	return true;
}

void guest_initial_maps(void)
{
	struct initial initial = { 0 };
	int saved = errno;
	each_mapping(visit_initial, &initial);
	errno = saved;
}

struct stack {
	uint64_t address;
	struct host_mapping found;
};

static bool visit_stack(const struct host_mapping *mapping, void *data)
{
	struct stack *stack = data;
	if (stack->address < mapping->start || stack->address >= mapping->end)
		return true;
	stack->found = *mapping;
	return false;
}

void guest_stack_map(struct thread *thread, uint64_t address)
{
	struct stack stack = { .address = address + guest_base };
	int saved = errno;
	each_mapping(visit_stack, &stack);
	if (stack.found.end && !*stack.found.path)
		core_mapping(thread, TRACE_MAP, stack.found.start - guest_base,
			     stack.found.end - stack.found.start, "[stack]", 0,
			     stack.found.protection);
	errno = saved;
}
