/* SPDX-License-Identifier: MIT */
/* Making CPUs forget translations (translations.h). */
#include "linux/translations.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "linux/process.h"

#define VISITS_MAX 64 /* CPUs */
#define LINE_BYTES 8192

static bool has_pcid(const struct root *root)
{
	char line[LINE_BYTES];
	int fd = rootfile_open(root, "proc/cpuinfo", O_RDONLY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	bool found = false;
	while (file && !found && fgets(line, sizeof(line), file))
		found = strncmp(line, "flags", 5) == 0 && strstr(line, " pcid");
	if (file)
		fclose(file);
	else if (fd >= 0)
		close(fd);
	return found;
}

int translations_init(struct translations *translations, const struct root *root)
{
	*translations = (struct translations){ .are_kept = has_pcid(root), .stop_fd = -1 };
	return translations->are_kept ? 0 : affinity_get(0, &translations->cpus);
}

void translations_flush(const struct translations *translations)
{
	unsigned nr = 0;
	if (translations->are_kept)
		return;
	for (int64_t cpu = set_next(&translations->cpus, 0); cpu >= 0 && nr < VISITS_MAX;
	     cpu = set_next(&translations->cpus, (uint32_t)cpu + 1), nr++) {
		struct set one = SET_EMPTY;
		if (set_add(&one, (uint32_t)cpu) == 0)
			affinity_set(0, &one);
		set_fini(&one);
	}
	affinity_set(0, &translations->cpus);
}

/* After a flush of that cost; a second at most. */
static uint64_t wait_ns(const struct translations *translations, uint64_t cost_ns)
{
	uint64_t period_ns = __atomic_load_n(&translations->period_ns, __ATOMIC_RELAXED);
	uint64_t share_bp = MAX(__atomic_load_n(&translations->share_bp, __ATOMIC_RELAXED), 1);
	return MIN(MAX(period_ns, cost_ns * 10000 / share_bp), NS_PER_S);
}

static void *flush_on(void *argument)
{
	struct translations *translations = argument;
	uint64_t cost_ns = 0, before_ns = clock_thread_cpu_ns();
	for (;;) {
		uint64_t ns = wait_ns(translations, cost_ns);
		struct timespec wait = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
		struct pollfd stop = { .fd = translations->stop_fd, .events = POLLIN };
		if (ppoll(&stop, 1, &wait, NULL) != 0)
			return NULL;
		translations_flush(translations);
		uint64_t now_ns = clock_thread_cpu_ns();
		cost_ns = now_ns - before_ns;
		before_ns = now_ns;
		__atomic_store_n(&translations->cpu_ns, now_ns, __ATOMIC_RELAXED);
	}
}

static void end_thread(struct translations *translations)
{
	uint64_t one = 1;
	if (!translations->has_thread)
		return;
	if (write(translations->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(translations->thread, NULL);
	close(translations->stop_fd);
	translations->stop_fd = -1;
	translations->has_thread = false;
}

int translations_begin(struct translations *translations, uint64_t period_ns, uint64_t share_bp)
{
	sigset_t all, before;
	if (period_ns == 0)
		end_thread(translations);
	__atomic_store_n(&translations->period_ns, period_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&translations->share_bp, share_bp, __ATOMIC_RELAXED);
	if (period_ns == 0 || translations->are_kept || translations->has_thread)
		return 0;
	translations->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (translations->stop_fd < 0)
		return -errno;
	sigfillset(&all); /* signals are for the loop */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = -pthread_create(&translations->thread, NULL, flush_on, translations);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	translations->has_thread = !error;
	if (error) {
		close(translations->stop_fd);
		translations->stop_fd = -1;
	}
	return error;
}

uint64_t translations_cpu_ns(const struct translations *translations)
{
	return __atomic_load_n(&translations->cpu_ns, __ATOMIC_RELAXED);
}

void translations_fini(struct translations *translations)
{
	end_thread(translations);
	set_fini(&translations->cpus);
}
