/* SPDX-License-Identifier: MIT */
/* Events of sampled accesses (hardware_event.h). */
#include "linux/hardware_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

#define DEVICES	   "sys/bus/event_source/devices"
#define TERM_MAX   63
#define IBS_BY_OPS ((uint64_t)1 << 19) /* cnt_ctl: operations rather than cycles */
#define HZ	   4000		       /* perf's own default; of each CPU */

static const struct {
	const char *device, *name;
} intel[] = { { "cpu", "PEBS" }, { "cpu_core", "PEBS" } };

/* "config1:0-15", or "config:0-7,32-35": the value's bits from the lowest on. */
static int put_bits(const char *format, uint64_t value, struct perf_event_attr *attr)
{
	uint64_t *word;
	if (strncmp(format, "config:", 7) == 0)
		word = (uint64_t *)&attr->config;
	else if (strncmp(format, "config1:", 8) == 0)
		word = (uint64_t *)&attr->config1;
	else if (strncmp(format, "config2:", 8) == 0)
		word = (uint64_t *)&attr->config2;
	else
		return -EBADMSG;
	for (const char *at = strchr(format, ':'); at; at = strchr(at, ',')) {
		char *end;
		unsigned long first = strtoul(at + 1, &end, 10), last = first;
		if (end == at + 1)
			return -EBADMSG;
		at = end;
		if (*end == '-') {
			last = strtoul(end + 1, &end, 10);
			if (end == at + 1)
				return -EBADMSG;
			at = end;
		}
		if (last < first || last > 63)
			return -EBADMSG;
		for (unsigned long bit = first; bit <= last; bit++, value >>= 1)
			*word |= (value & 1) << bit;
	}
	return value ? -EBADMSG : 0; /* it does not fit */
}

static int put_term(const struct root *root, const char *device, const char *term, size_t length,
		    struct perf_event_attr *attr)
{
	PRINTBUF(path);
	char *format = NULL;
	size_t nr_name = strcspn(term, "=,");
	if (nr_name == 0 || nr_name > TERM_MAX || memchr(term, '/', nr_name))
		return -EBADMSG;
	uint64_t value = nr_name < length ? strtoull(term + nr_name + 1, NULL, 0) : 1;
	prt_printf(&path, DEVICES "/%s/format/%.*s", device, (int)nr_name, term);
	int error = root_read(root, printbuf_str(&path), &format);
	if (!error)
		error = put_bits(format, value, attr);
	free(format);
	return error ? -EBADMSG : 0;
}

int hardware_event_encode(const struct root *root, const char *device, const char *terms,
			  struct perf_event_attr *attr)
{
	struct perf_event_attr encoded = *attr;
	int error = 0;
	for (const char *at = terms; !error; at++) {
		size_t length = strcspn(at, ",");
		error = put_term(root, device, at, length, &encoded);
		at += length;
		if (!*at)
			break;
	}
	if (!error)
		*attr = encoded;
	return error;
}

static int read_type(const struct root *root, const char *device, uint32_t *ret)
{
	char path[128];
	uint64_t type = 0;
	snprintf(path, sizeof(path), DEVICES "/%s/type", device);
	int error = root_read_u64(root, path, &type);
	if (!error)
		*ret = (uint32_t)type;
	return error;
}

static int read_event(const struct root *root, const char *device, const char *name,
		      struct perf_event_attr *attr)
{
	char path[128], *terms = NULL;
	snprintf(path, sizeof(path), DEVICES "/%s/events/%s", device, name);
	int error = root_read(root, path, &terms);
	if (!error)
		error = hardware_event_encode(root, device, terms, attr);
	free(terms);
	return error ? error : read_type(root, device, &attr->type);
}

static struct perf_event_attr sampled(void)
{
	return (struct perf_event_attr){
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR |
			       PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_DATA_SRC,
		.freq = 1,
		.sample_freq = HZ,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
}

static int find_intel(const struct root *root, struct hardware_event *event)
{
	int error = -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(intel) && error; i++) {
		event->attr = sampled();
		event->attr.precise_ip = 2;
		event->attr.exclude_kernel = 1;
		error = read_event(root, intel[i].device, "mem-loads", &event->attr);
		event->name = intel[i].name;
		event->leader = (struct perf_event_attr){ .exclude_kernel = 1 };
		event->has_leader = !error && read_event(root, intel[i].device, "mem-loads-aux",
							 &event->leader) == 0;
	}
	return error;
}

static int find_amd(const struct root *root, struct hardware_event *event)
{
	event->attr = sampled();
	event->attr.config = IBS_BY_OPS;
	event->name = "IBS";
	event->has_leader = false;
	return read_type(root, "ibs_op", &event->attr.type);
}

int hardware_event_find(const struct root *root, struct hardware_event *ret, struct printbuf *err)
{
	struct hardware_event event;
	if (find_intel(root, &event) == 0 || find_amd(root, &event) == 0) {
		*ret = event;
		return 0;
	}
	if (root_has(root, DEVICES "/arm_spe_0"))
		return error_set(err, -EOPNOTSUPP,
				 "the processor has SPE, whose records berth does not read; use "
				 "another sampler");
	return error_set(err, -EOPNOTSUPP,
			 "no PEBS or IBS: the processor has none, or a virtual machine hides it; "
			 "use another sampler");
}

/* As union perf_mem_data_src in the kernel's header, by shifts. */
static void read_source(uint64_t source, struct hardware_access *ret)
{
	uint64_t operation = source & 0x1f, level = source >> PERF_MEM_LVL_SHIFT & 0x3fff;
	uint64_t number = source >> PERF_MEM_LVLNUM_SHIFT & 0xf;
	ret->access = operation & PERF_MEM_OP_STORE  ? SAMPLE_WRITE
		      : operation & PERF_MEM_OP_LOAD ? SAMPLE_READ
						     : SAMPLE_ACCESS_UNKNOWN;
	ret->is_memory = level & (PERF_MEM_LVL_LOC_RAM | PERF_MEM_LVL_REM_RAM1 |
				  PERF_MEM_LVL_REM_RAM2) ||
			 number == PERF_MEM_LVLNUM_RAM || number == PERF_MEM_LVLNUM_PMEM ||
			 number == PERF_MEM_LVLNUM_CXL;
}

bool hardware_event_parse(const struct perf_event_header *record, struct hardware_access *ret)
{
	struct {
		uint32_t pid, tid;
		uint64_t time_ns, address;
		uint32_t cpu, reserved;
		uint64_t period, source;
	} body;
	if (record->type != PERF_RECORD_SAMPLE || record->size < sizeof(*record) + sizeof(body))
		return false;
	memcpy(&body, record + 1, sizeof(body));
	*ret = (struct hardware_access){
		.time_ns = body.time_ns,
		.address = body.address,
		.period = body.period,
		.pid = body.pid,
		.cpu = body.cpu,
	};
	read_source(body.source, ret);
	return true;
}
