/* SPDX-License-Identifier: MIT */
/* Reading /proc/stat again and again (cpustat.h). */
#include "linux/cpustat.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/set.h"
#include "linux/process.h"

#define FIRST_BYTES ((size_t)16384)
#define MAX_BYTES   ((size_t)64 << 20)

enum field { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, NR_FIELDS };

int cpustat_init(struct cpustat *stat, const struct root *root, struct printbuf *err)
{
	struct cpustat new = { .fd = rootfile_open(root, "proc/stat", O_RDONLY) };
	long per_second = sysconf(_SC_CLK_TCK);
	new.ns_per_tick = NS_PER_S / (uint64_t)(per_second > 0 ? per_second : 100);
	int error = new.fd < 0 ? new.fd : cpustat_look(&new);
	if (error) {
		cpustat_fini(&new);
		return error_file(err, error, "/proc/stat", "read");
	}
	*stat = new;
	return 0;
}

void cpustat_fini(struct cpustat *stat)
{
	if (stat->fd >= 0)
		close(stat->fd);
	free(stat->cpus);
	free(stat->text);
	*stat = (struct cpustat){ .fd = -1 };
}

static int make_room(struct cpustat *stat, uint32_t nr_cpus)
{
	if (nr_cpus <= stat->nr_cpus)
		return 0;
	struct cpustat_cpu *cpus = realloc(stat->cpus, nr_cpus * sizeof(*cpus));
	if (!cpus)
		return -ENOMEM;
	memset(cpus + stat->nr_cpus, 0, (nr_cpus - stat->nr_cpus) * sizeof(*cpus));
	stat->cpus = cpus;
	stat->nr_cpus = nr_cpus;
	return 0;
}

/* Idle and iowait may go back by a tick on some kernels: that is no time. */
static uint64_t since(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static void take(struct cpustat *stat, uint32_t number, const uint64_t fields[NR_FIELDS])
{
	struct cpustat_cpu *cpu = &stat->cpus[number];
	struct cpustat_ticks now = {
		.busy = fields[USER] + fields[NICE] + fields[SYSTEM],
		.stolen = fields[IRQ] + fields[SOFTIRQ] + fields[STEAL],
	};
	now.all = now.busy + now.stolen + fields[IDLE] + fields[IOWAIT];
	if (cpu->last.all == 0)
		cpu->last = cpu->newer = cpu->older = now;
	cpu->busy_ns = since(now.busy, cpu->last.busy) * stat->ns_per_tick;
	cpu->stolen_ns = since(now.stolen, cpu->last.stolen) * stat->ns_per_tick;
	cpu->elapsed_ns = since(now.all, cpu->last.all) * stat->ns_per_tick;
	cpu->recent_busy_ns = since(now.busy, cpu->older.busy) * stat->ns_per_tick;
	cpu->recent_stolen_ns = since(now.stolen, cpu->older.stolen) * stat->ns_per_tick;
	cpu->recent_ns = since(now.all, cpu->older.all) * stat->ns_per_tick;
	cpu->last = now;
	if (since(now.all, cpu->newer.all) * stat->ns_per_tick >= CPUSTAT_RECENT_NS) {
		cpu->older = cpu->newer;
		cpu->newer = now;
	}
	cpu->is_online = true;
}

/* "cpu7 USER NICE ..."; old kernels have fewer fields, newer ones more. */
static int parse_line(struct cpustat *stat, const char *line)
{
	uint64_t fields[NR_FIELDS] = { 0 };
	char *end;
	unsigned long number = strtoul(line + 3, &end, 10);
	if (*end != ' ' || number >= SET_MAX)
		return -EBADMSG;
	for (int i = 0; i < NR_FIELDS && *end == ' '; i++)
		fields[i] = strtoull(end + 1, &end, 10);
	int error = make_room(stat, (uint32_t)number + 1);
	if (!error)
		take(stat, (uint32_t)number, fields);
	return error;
}

static void forget_offline(struct cpustat *stat)
{
	for (uint32_t i = 0; i < stat->nr_cpus; i++)
		if (!stat->cpus[i].is_online)
			stat->cpus[i] = (struct cpustat_cpu){ 0 };
}

int cpustat_parse(struct cpustat *stat, const char *text)
{
	uint32_t nr = 0;
	for (uint32_t i = 0; i < stat->nr_cpus; i++)
		stat->cpus[i].is_online = false;
	for (const char *line = text; strncmp(line, "cpu", 3) == 0; nr++) {
		int error = line[3] == ' ' ? 0 : parse_line(stat, line);
		if (error)
			return error;
		line = strchr(line, '\n');
		if (!line)
			break;
		line++;
	}
	forget_offline(stat);
	return nr > 0 ? 0 : -EBADMSG;
}

int cpustat_look(struct cpustat *stat)
{
	for (;;) {
		ssize_t nr = stat->text ? pread(stat->fd, stat->text, stat->text_size - 1, 0) : 0;
		if (nr < 0 && errno != EINTR)
			return -errno;
		if (stat->text && nr >= 0 && (size_t)nr < stat->text_size - 1) {
			stat->text[nr] = '\0';
			return cpustat_parse(stat, stat->text);
		}
		if (stat->text && nr < 0)
			continue;
		size_t size = MAX(stat->text_size * 2, FIRST_BYTES);
		char *text = size <= MAX_BYTES ? realloc(stat->text, size) : NULL;
		if (!text)
			return -ENOMEM;
		stat->text = text;
		stat->text_size = size;
	}
}
