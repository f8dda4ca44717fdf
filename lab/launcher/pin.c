/* SPDX-License-Identifier: MIT */
/* CPUs of the guest on CPUs of this machine: see pin.h. Thread names: QEMU's tcg-accel-ops-mttcg.
 */
#include "lab/launcher/pin.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#define MAX_CPUS 8192 /* of this machine; the kernel's own limit */

int64_t lab_pin_vcpu(const char *thread_name)
{
	char *end;
	if (strncmp(thread_name, "CPU ", 4) != 0 || thread_name[4] < '0' || thread_name[4] > '9')
		return -1;
	unsigned long vcpu = strtoul(thread_name + 4, &end, 10);
	return strcmp(end, "/TCG") == 0 && vcpu <= SET_MAX ? (int64_t)vcpu : -1;
}

static int64_t thread_vcpu(int tasks_fd, const char *tid)
{
	char path[300], name[32] = "";
	snprintf(path, sizeof(path), "%.255s/comm", tid);
	int fd = openat(tasks_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t nr = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);
	if (fd >= 0)
		close(fd);
	if (nr > 0)
		name[strcspn(name, "\n")] = '\0';
	return nr > 0 ? lab_pin_vcpu(name) : -1;
}

/* The CPU of the list at this position; -1: the list is shorter. */
static int64_t cpu_at(const struct set *cpus, int64_t position)
{
	int64_t cpu = set_next(cpus, 0);
	for (; cpu >= 0 && position > 0; position--)
		cpu = set_next(cpus, (uint32_t)cpu + 1);
	return cpu;
}

static int pin_thread(pid_t tid, uint32_t cpu)
{
	cpu_set_t *mask = CPU_ALLOC(MAX_CPUS);
	size_t size = CPU_ALLOC_SIZE(MAX_CPUS);
	if (!mask)
		return -ENOMEM;
	CPU_ZERO_S(size, mask);
	CPU_SET_S(cpu, size, mask);
	int error = sched_setaffinity(tid, size, mask) < 0 ? -errno : 0;
	CPU_FREE(mask);
	return error;
}

/* Refused without privileges: the guest's timers are less punctual then, and that is all. */
static void put_first(pid_t tid)
{
	const struct sched_param lowest = { .sched_priority = 1 };
	(void)sched_setscheduler(tid, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest);
}

static int pin_all(DIR *tasks, const struct set *cpus, uint32_t *ret_nr, struct printbuf *err)
{
	struct dirent *entry;
	while ((entry = readdir(tasks))) {
		int64_t vcpu = thread_vcpu(dirfd(tasks), entry->d_name);
		int64_t cpu = vcpu < 0 ? -1 : cpu_at(cpus, vcpu);
		if (vcpu < 0 && entry->d_name[0] != '.')
			put_first(atoi(entry->d_name));
		if (cpu < 0)
			continue;
		int error = pin_thread(atoi(entry->d_name), (uint32_t)cpu);
		if (error)
			return error_set(err, error,
					 "the guest's CPU %d cannot be put on CPU %d: %s",
					 (int)vcpu, (int)cpu, error_text(error));
		++*ret_nr;
	}
	return 0;
}

int lab_pin(pid_t emulator, const struct set *cpus, uint32_t nr_vcpus, struct printbuf *err)
{
	char path[64];
	uint32_t nr = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", emulator);
	DIR *tasks = opendir(path);
	if (!tasks)
		return error_set(err, -errno, "%s: %s", path, error_text(-errno));
	int error = pin_all(tasks, cpus, &nr, err);
	closedir(tasks);
	if (error || nr == nr_vcpus)
		return error;
	return error_set(err, -ENOENT, "QEMU shows threads of %u of the guest's %u CPUs", nr,
			 nr_vcpus);
}

/* What this process may use is what its children may. */
static int read_own(struct set *ret, struct printbuf *err)
{
	cpu_set_t *mask = CPU_ALLOC(MAX_CPUS);
	size_t size = CPU_ALLOC_SIZE(MAX_CPUS);
	if (!mask)
		return error_set(err, -ENOMEM, "out of memory");
	int error = sched_getaffinity(0, size, mask) < 0 ? -errno : 0;
	for (uint32_t cpu = 0; cpu < MAX_CPUS && !error; cpu++)
		if (CPU_ISSET_S(cpu, size, mask))
			error = set_add(ret, cpu);
	CPU_FREE(mask);
	return error ? error_set(err, error, "CPUs of this machine: %s", error_text(error)) : 0;
}

int lab_pin_check(const struct set *cpus, uint32_t nr_vcpus, enum lab_time time,
		  struct printbuf *err)
{
	struct set own = SET_EMPTY;
	if (time == LAB_TIME_ICOUNT)
		return error_set(err, -EINVAL,
				 "--pin: under --time icount no time is measured; "
				 "leave one of the two out");
	if (set_count(cpus) != nr_vcpus)
		return error_set(err, -EINVAL,
				 "--pin: %u CPUs for a guest of %u; name one for each",
				 set_count(cpus), nr_vcpus);
	int error = read_own(&own, err);
	if (!error && !set_is_subset(cpus, &own)) {
		PRINTBUF(text);
		set_to_text(&text, &own);
		error = error_set(err, -EINVAL,
				  "--pin: berth may use CPUs %s here; name some of these",
				  printbuf_str(&text));
	}
	set_fini(&own);
	return error;
}
