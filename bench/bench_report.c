/* SPDX-License-Identifier: MIT */
/*
 * `berth report`, the whole command from start to end, on a damo record of 1,000,000 regions as
 * `damo record` writes it by default (json_compressed, four blanks a level; damo_record.c).
 *
 * Limit: 0.5 s on the wall of a quiet machine with two cores, and 64 MB. Yardstick: damo 3.3, whose
 * heatmap of such a file takes 11.1 s and 1.33 GB. One thread inflates while another parses, then
 * one thread draws, so the wall's time is less than the processor's; what else the machine does
 * only adds to it, hence the best of the rounds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/printbuf.h"
#include "bench.h"
#include "damo_record.h"
#include "trace/trace.h"

#define NR_ROUNDS 15
#define LIMIT_S	  0.5
#define LIMIT_MB  64.0

struct figures {
	double wall_s, cpu_s, peak_mb;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static struct figures run_once(const char *berth, const char *path)
{
	struct rusage usage;
	int status = 0;
	double start = bench_wall_s();
	pid_t child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, STDOUT_FILENO);
		execl(berth, "berth", "report", path, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0) {
		fprintf(stderr, "bench_report: %s report failed\n", berth);
		exit(1);
	}
	return (struct figures){ bench_wall_s() - start,
				 seconds(usage.ru_utime) + seconds(usage.ru_stime),
				 (double)usage.ru_maxrss * 1024 / 1e6 };
}

/* The part of it that reads the file, as the command does: to where regions come out in order. */
static void read_once(const char *path, struct figures *best)
{
	struct trace_open_options options = { 0 };
	struct trace_reader *reader;
	PRINTBUF(err);
	double wall_s = bench_wall_s(), cpu_s = bench_cpu_s();
	if (trace_open(path, &options, &reader, &err)) {
		fprintf(stderr, "%s\n", printbuf_str(&err));
		exit(1);
	}
	cpu_s = bench_cpu_s() - cpu_s;
	wall_s = bench_wall_s() - wall_s;
	best->wall_s = MIN(best->wall_s, wall_s);
	best->cpu_s = MIN(best->cpu_s, cpu_s);
	trace_close(reader);
}

static void measure(const char *path, struct figures *report, struct figures *reading)
{
	const char *berth = getenv("BERTH");
	for (unsigned i = 0; i < NR_ROUNDS; i++) {
		struct figures figures = run_once(berth ? berth : "build/berth", path);
		report->wall_s = MIN(report->wall_s, figures.wall_s);
		report->cpu_s = MIN(report->cpu_s, figures.cpu_s);
		report->peak_mb = MAX(report->peak_mb, figures.peak_mb);
		read_once(path, reading);
	}
}

int main(void)
{
	char path[] = "/tmp/berth-bench-report-XXXXXX";
	struct figures report = { 1e9, 1e9, 0 }, reading = { 1e9, 1e9, 0 };
	struct stat status;
	int fd = mkstemp(path);
	if (fd < 0)
		die(path);
	uint64_t nr_bytes = damo_record_write(path, true);
	if (fstat(fd, &status))
		die(path);
	close(fd);
	measure(path, &report, &reading);
	unlink(path);
	bool good = bench_judge("report, damo record of 1,000,000 regions: wall time",
				report.wall_s, " s", BENCH_AT_MOST, LIMIT_S);
	good &= bench_judge("report, damo record of 1,000,000 regions: peak memory", report.peak_mb,
			    " MB", BENCH_AT_MOST, LIMIT_MB);
	bench_remark("damo 3.3: 11.1 s, 1,330 MB; the file: %.1f MB, %.0f MB of JSON, as damo "
		     "writes it",
		     (double)status.st_size / 1e6, (double)nr_bytes / 1e6);
	bench_remark("CPU time %.3f s; reading: wall %.3f s, CPU %.3f s (two threads)",
		     report.cpu_s, reading.wall_s, reading.cpu_s);
	bench_remark_if_busy();
	return !good;
}
