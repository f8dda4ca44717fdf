/* SPDX-License-Identifier: MIT */
/*
 * The kernel's counters as text, straight from its files into a frame.
 *
 *     [vmstat] [node 0] [nodestat 0] [node 1] [nodestat 1] ...      each sample
 *     [zoneinfo] [tiers] [demotion] [cmdline]                       the first one too
 *
 * The files are opened once and read from their beginning with pread(): nothing is allocated, and
 * proc and sysfs have no page cache. A frame that is nearly full is sent as a part and the next one
 * begun. The launcher makes numbers of the text.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lab/guest/agent.h"
#include "lab/marker.h"

#define MAX_NODES  32
#define MAX_TIERS  64	/* memory_tierN: N up to 1024 in theory, a lab machine has a few */
#define NAME_ROOM  64	/* for "[nodestat 31]\n" */
#define READ_LEAST 4096 /* a page: what one read of these files gives */

struct source {
	int vmstat, node[MAX_NODES], nodestat[MAX_NODES];
};

static struct source source;
static uint64_t nr_oom_kills;
static uint32_t nr_samples;

/* The frame that is being written. */
static struct {
	uint8_t *text; /* behind the room for struct lab_sample */
	size_t length, room;
} frame;

static int open_file(const char *format, int number)
{
	char path[128];
	snprintf(path, sizeof(path), format, number);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void sample_open(void)
{
	source.vmstat = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < MAX_NODES; i++) {
		source.node[i] = open_file("/sys/devices/system/node/node%d/meminfo", i);
		source.nodestat[i] = open_file("/sys/devices/system/node/node%d/vmstat", i);
	}
}

static void begin_frame(void)
{
	const size_t head = sizeof(struct lab_sample);
	size_t room;
	frame.text = port_begin(LAB_FRAME_MAX, true, &room) + head;
	frame.room = room - head;
	frame.length = 0;
}

/* A part has no head: its text moves to where the head would be. */
static void need(size_t nr)
{
	if (frame.room - frame.length >= nr)
		return;
	memmove(frame.text - sizeof(struct lab_sample), frame.text, frame.length);
	port_end(LAB_SAMPLE_PART, frame.length);
	begin_frame();
}

static void add_text(const char *text)
{
	size_t nr = strlen(text);
	need(nr);
	memcpy(frame.text + frame.length, text, nr);
	frame.length += nr;
}

static void add_numbered(const char *format, int number)
{
	need(NAME_ROOM);
	/* cppcheck-suppress wrongPrintfScanfArgNum ; a format without a number leaves it */
	frame.length += (size_t)snprintf((char *)frame.text + frame.length, NAME_ROOM, format,
					 number);
}

static void add_file(int fd)
{
	for (off_t at = 0;;) {
		need(READ_LEAST);
		ssize_t nr = pread(fd, frame.text + frame.length, frame.room - frame.length, at);
		if (nr <= 0)
			return;
		at += nr;
		frame.length += (size_t)nr;
	}
}

static void add_path(const char *name, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	add_text(name);
	add_file(fd);
	close(fd);
}

/* memory_tierN lists the nodes of the tier; lower numbers are faster. */
static void add_tiers(void)
{
	add_text("[tiers]\n");
	for (int tier = 0, found = 0; tier < 1024 && found < MAX_TIERS; tier++) {
		int fd = open_file("/sys/devices/virtual/memory_tiering/memory_tier%d/nodelist",
				   tier);
		if (fd < 0)
			continue;
		found++;
		add_numbered("memory_tier%d ", tier);
		add_file(fd);
		close(fd);
	}
}

static void add_first(void)
{
	add_path("[zoneinfo]\n", "/proc/zoneinfo");
	if (access("/sys/devices/virtual/memory_tiering", F_OK) == 0)
		add_tiers();
	add_path("[demotion]\n", "/sys/kernel/mm/numa/demotion_enabled");
	add_path("[cmdline]\n", "/proc/cmdline");
	add_path("[numa_balancing]\n", "/proc/sys/kernel/numa_balancing");
	add_path("[hugepages]\n", "/sys/kernel/mm/transparent_hugepage/enabled");
}

/* In the text just read; 0 when the kernel does not count it. */
static void note_oom_kills(void)
{
	static const char name[] = "\noom_kill ";
	const char *at = memmem(frame.text, frame.length, name, sizeof(name) - 1);
	if (at)
		nr_oom_kills = strtoull(at + sizeof(name) - 1, NULL, 10);
}

static uint64_t cpu_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

uint64_t sample_take(uint32_t when)
{
	uint64_t start_ns = cpu_ns();
	if (when == 1 && !port_flush())
		return 0;
	struct lab_sample head = { .when = when, .snapshot = ++nr_samples & 0xffff };
	lab_snapshot(head.snapshot);
	head.guest_ns = monotonic_ns();
	begin_frame();
	add_text("[vmstat]\n");
	add_file(source.vmstat);
	note_oom_kills();
	for (int i = 0; i < MAX_NODES; i++) {
		if (source.node[i] < 0)
			continue;
		add_numbered("[node %d]\n", i);
		add_file(source.node[i]);
		add_numbered("[nodestat %d]\n", i);
		add_file(source.nodestat[i]);
	}
	if (when == 0)
		add_first();
	memcpy(frame.text - sizeof(head), &head, sizeof(head));
	port_end(LAB_SAMPLE, sizeof(head) + frame.length);
	return cpu_ns() - start_ns;
}

uint64_t sample_oom_kills(void)
{
	return nr_oom_kills;
}
