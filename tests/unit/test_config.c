/* SPDX-License-Identifier: MIT */
/* berth.conf: every kind of mistake by its place and sentence, precedence of files, reload. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/config.h"
#include "policy/cpu/soft.h"

static int parse(const char *text, struct config **ret, struct printbuf *err)
{
	struct config *config = NULL;
	assert_int_equal(config_new(&config), 0);
	int error = config_add_text(config, "f", text, strlen(text), err);
	if (!error)
		error = config_check(config, err);
	if (error)
		config_free(config);
	else
		*ret = config;
	return error;
}

#define JOB "[Job x]\nMatch=command:x\n"

static const struct {
	const char *text, *sentence;
} mistakes[] = {
	{ "DryRun=no\n", "f:1:1: DryRun: a key before the first heading; begin with "
			 "[Daemon] or [Job NAME]" },
	{ "[Deamon]\n", "f:1:1: [Deamon]: no such section; did you mean [Daemon]?" },
	{ "\n[Jop web]\n", "f:2:1: [Jop web]: no such section; did you mean [Job NAME]?" },
	{ "[Service]\n", "f:1:1: [Service]: no such section; there are [Daemon] and [Job NAME]" },
	{ "[Job]\n", "f:1:1: [Job]: a job has a name; write [Job NAME]" },
	{ "[Job a b]\n", "f:1:6: a b: not a job's name: letters, digits, '_', '.' and '-', "
			 "at most 40" },
	{ "[Job -a]\n", "f:1:6: -a: not a job's name: letters, digits, '_', '.' and '-', at "
			"most 40" },
	{ "[Daemon\n", "f:1:1: a heading ends in ']'" },
	{ "[Daemon]\nDryrun=no\n", "f:2:1: Dryrun: no such key; did you mean DryRun?" },
	{ "[Daemon]\nExecStart=/bin/sh\n",
	  "f:2:1: ExecStart: no such key; berth.conf(5) lists them" },
	{ "[Daemon]\nMatch=pid:3\n", "f:2:1: Match belongs into [Job NAME]" },
	{ JOB "Policy=berth\n", "f:3:1: Policy belongs into [Daemon]" },
	{ "[Daemon]\nDryRun=maybe\n", "f:2:8: DryRun=maybe: neither yes nor no" },
	{ "[Daemon]\nDryRun = no\n  yes\n", "f:3:3: DryRun: takes one value, on one line" },
	{ "[Daemon]\nEngine=usr\n",
	  "f:2:8: Engine=usr: not one of auto, user, scx; did you mean user?" },
	{ "[Daemon]\nPolicy=bert\n", "f:2:8: Policy=bert: no such policy; did you mean berth?" },
	{ "[Daemon]\nSampler=acessed-bits\n",
	  "f:2:9: Sampler=acessed-bits: no such sampler; did you mean accessed-bits?" },
	{ "[Daemon]\nSampler=accessed-bits,dammon\n",
	  "f:2:9: Sampler=dammon: no such sampler; did you mean damon?" },
	{ "[Daemon]\nSampler=damon,auto\n",
	  "f:2:9: Sampler=auto: chooses by itself; name it alone, or others without it" },
	{ "[Daemon]\nSampler=damon,damon\n", "f:2:9: Sampler=damon: named twice" },
	{ "[Daemon]\nSocketGroup=a b\n",
	  "f:2:13: SocketGroup=a b: not a name: letters, digits, '_', '.' and '-', at most 32" },
	{ "[Daemon]\nMoveRate=fast\n",
	  "f:2:10: MoveRate=fast: not a rate; write one such as 200MiBps" },
	{ "[Daemon]\nMoveRate=0Bps\n",
	  "f:2:10: MoveRate=0Bps: not a rate; write one such as 200MiBps" },
	{ "[Daemon]\nCPULimit=2\n",
	  "f:2:10: CPULimit=2: not a share of a CPU; write 0.1% to 100%" },
	{ "[Daemon]\nCPULimit=101%\n",
	  "f:2:10: CPULimit=101%: not a share of a CPU; write 0.1% to 100%" },
	{ "[Job x]\nMatch=nginx\n", "f:2:7: Match=nginx: begins with none of cgroup:, unit:, "
				    "command:, pid:" },
	{ "[Job x]\nMatch=exec:x\n", "f:2:7: Match=exec:x: begins with none of cgroup:, "
				     "unit:, command:, pid:" },
	{ "[Job x]\nMatch=unit:\n", "f:2:7: Match=unit:: nothing behind the colon" },
	{ "[Job x]\nMatch=unit:web\n",
	  "f:2:7: Match=unit:web: a unit ends in .service, .scope or .slice" },
	{ "[Job x]\nMatch=unit:a/b.service\n",
	  "f:2:7: Match=unit:a/b.service: a unit ends in .service, .scope or .slice" },
	{ "[Job x]\nMatch=cgroup:web\n",
	  "f:2:7: Match=cgroup:web: a group begins with a slash: /app.slice/web*" },
	{ "[Job x]\nMatch=cgroup:/\n", "f:2:7: Match=cgroup:/: the root group is every "
				       "process; name a group below it" },
	{ "[Job x]\nMatch=cgroup:/a/../b\n",
	  "f:2:7: Match=cgroup:/a/../b: a group's path has no .." },
	{ "[Job x]\nMatch=command:/bin/sh\n",
	  "f:2:7: Match=command:/bin/sh: a command is a name without a path" },
	{ "[Job x]\nMatch=command:**\n",
	  "f:2:7: Match=command:**: that is every command; name some of it" },
	{ "[Job x]\nMatch=command:a\033b\n",
	  "f:2:7: Match=command:a\033b: control characters, or not UTF-8" },
	{ "[Job x]\nMatch=pid:1\n", "f:2:7: Match=pid:1: not the number of a process" },
	{ "[Job x]\nMatch=pid:-4\n", "f:2:7: Match=pid:-4: not the number of a process" },
	{ "[Job x]\nMatch=pid:4194305\n", "f:2:7: Match=pid:4194305: not the number of a process" },
	{ JOB "PreferCPUs=3-1\n", "f:3:12: PreferCPUs=3-1: not a list of CPUs; write 0-3,8" },
	{ JOB "AllowCPUs=all\n", "f:3:11: AllowCPUs=all: not a list of CPUs; write 0-3,8" },
	{ JOB "PreferCPUs=99999999\n",
	  "f:3:12: PreferCPUs=99999999: not a list of CPUs; write 0-3,8" },
	{ JOB "PreferCPUs=0\nSpillAt=101\n",
	  "f:4:9: SpillAt=101: not a utilisation; write 0% to 100%, or hard" },
	{ JOB "PreferCPUs=0\nMaxDistance=9\n", "f:4:13: MaxDistance=9: not a distance of "
					       "nodes; write 10 (the same node) to 254, "
					       "or any" },
	{ JOB "FastMin=8 apples\n",
	  "f:3:9: FastMin=8 apples: not an amount of memory; write 8GiB, or 25%" },
	{ JOB "FastMax=120%\n",
	  "f:3:9: FastMax=120%: not an amount of memory; write 8GiB, or 25%" },
	{ JOB "Goal=speed\n", "f:3:6: Goal=speed: not one of balanced, performance, background" },
	{ "[Job x]\nGoal=background\n", "f:1:6: [Job x]: no process is its; add Match=" },
	{ "[Job x]\nMatch=pid:3\nMatch=\nGoal=background\n",
	  "f:1:6: [Job x]: no process is its; add Match=" },
	{ JOB, "f:1:6: [Job x]: asks for nothing; add PreferCPUs=, FastMin=, FastMax= or "
	       "Goal=" },
	{ JOB "PreferCPUs=0-3\nAllowCPUs=0-2\n",
	  "f:3:12: [Job x]: PreferCPUs= has CPUs that AllowCPUs= has not" },
	{ JOB "SpillAt=hard\n", "f:3:9: [Job x]: SpillAt= needs PreferCPUs=" },
	{ JOB "MaxDistance=10\n", "f:3:13: [Job x]: MaxDistance= needs PreferCPUs=" },
	{ JOB "FastMin=2GiB\nFastMax=1GiB\n", "f:3:9: [Job x]: FastMin= is above FastMax=" },
	{ JOB "FastMin=60%\n[Job y]\nMatch=pid:3\nFastMin=41%\n",
	  "f:6:9: [Job y]: the floors of all jobs together are above 100%" },
	{ "[Daemon]\nnothing\n",
	  "f:2:1: neither a [heading], nor key = value, nor a comment after ';'" },
};

static void test_mistakes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct config *config = NULL;
		PRINTBUF(err);
		assert_int_equal(parse(mistakes[i].text, &config, &err), -EINVAL);
		assert_null(config);
		assert_string_equal(printbuf_str(&err), mistakes[i].sentence);
	}
}

static void test_limits(void **state)
{
	struct config *config = NULL;
	PRINTBUF(text);
	PRINTBUF(err);
	for (int i = 0; i <= CONFIG_MAX_JOBS; i++)
		prt_printf(&text, "[Job j%d]\nMatch=pid:2\nGoal=background\n", i);
	assert_int_equal(parse(printbuf_str(&text), &config, &err), -EINVAL);
	assert_string_equal(printbuf_str(&err), "f:769:6: more than 256 jobs");
	printbuf_reset(&text);
	printbuf_reset(&err);
	prt_str(&text, "[Job x]\n");
	for (int i = 0; i <= CONFIG_MAX_MATCHES; i++)
		prt_str(&text, "Match=pid:2\n");
	assert_int_equal(parse(printbuf_str(&text), &config, &err), -EINVAL);
	assert_string_equal(printbuf_str(&err),
			    "f:66:7: Match=more than 64 matches of one job; use patterns");
	printbuf_reset(&text);
	printbuf_reset(&err);
	prt_chars(&text, 'x', 300);
	assert_int_equal(parse(printbuf_str(&text), &config, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "f:1:191: the line is longer than 190 bytes"));
}

static void test_defaults_and_values(void **state)
{
	struct config *config = NULL;
	PRINTBUF(err);
	assert_int_equal(parse("", &config, &err), 0);
	assert_int_equal(config->daemon.dry_run, 1); /* nothing is done unless it is asked for */
	assert_int_equal(config->daemon.cpu_limit_bp, 200);
	assert_string_equal(config->daemon.policy, "berth");
	assert_null(config->daemon.socket_group);
	config_free(config);
	assert_int_equal(parse("[Daemon]\nDryRun=no\nCPULimit=0.5%\nSocketGroup=ops\n"
			       "Sampler=damon,accessed-bits\n"
			       "[Job x]\nMatch=pid:42\n  command:a*\nPreferCPUs=0-3,\n  8\n"
			       "AllowCPUs=0-15\nSpillAt=12.5%\nMaxDistance=20\nFastMin=25%\n"
			       "FastMax=3GiB\nGoal=performance\n",
			       &config, &err),
			 0);
	struct config_job *job = &config->jobs[0];
	assert_int_equal(config->daemon.dry_run, 0);
	assert_int_equal(config->daemon.cpu_limit_bp, 50);
	assert_string_equal(config->daemon.socket_group, "ops");
	assert_string_equal(config->daemon.sampler, "damon,accessed-bits");
	assert_int_equal(job->matches.nr, 2);
	assert_int_equal(job->matches.items[0].pid, 42);
	assert_string_equal(job->matches.items[1].pattern, "a*");
	assert_int_equal(job->matches.items[1].origin.line, 8);
	assert_int_equal(set_count(&job->prefer), 5);
	assert_true(set_has(&job->prefer, 8));
	assert_int_equal(job->spill_at_bp, 1250);
	assert_int_equal(job->max_distance, 20);
	assert_true(job->fast_min.is_share);
	assert_int_equal(job->fast_min.bp, 2500);
	assert_int_equal(job->fast_max.bytes, 3 * GIB);
	assert_int_equal(job->goal, CONFIG_GOAL_PERFORMANCE);
	config_free(config);
}

/* Files in the order in which the daemon reads them: later values win, empty ones take back. */
static void test_merging(void **state)
{
	static const char *const files[] = {
		"[Daemon]\nDryRun=no\n[Job a]\nMatch=pid:2\nGoal=background\nFastMin=1GiB\n",
		"[Job a]\nFastMin=\nFastMax=2GiB\nMatch=pid:3\n[Job b]\nMatch=pid:4\nSpillAt=0\n",
		"[Job b]\nPreferCPUs=1\n[Daemon]\nDryRun=\n",
	};
	struct config *config = NULL;
	PRINTBUF(err);
	assert_int_equal(config_new(&config), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(config_add_text(config, "f", files[i], strlen(files[i]), &err), 0);
	assert_int_equal(config_check(config, &err), 0);
	assert_int_equal(config->nr_jobs, 2);
	assert_int_equal(config->daemon.dry_run, 1);
	assert_int_equal(config->daemon.origins[0].file, CONFIG_NO_FILE);
	assert_false(config->jobs[0].fast_min.is_set);
	assert_int_equal(config->jobs[0].fast_max.bytes, 2 * GIB);
	assert_int_equal(config->jobs[0].matches.nr, 2);
	assert_int_equal(config->jobs[0].matches.items[1].origin.file, 1);
	assert_int_equal(config->jobs[1].spill_at_bp, 0);
	config_free(config);
}

static void test_round_trip(void **state)
{
	struct config *config = NULL, *again = NULL;
	PRINTBUF(text);
	PRINTBUF(err);
	PRINTBUF(cpus);
	for (int i = 0; i < 300; i += 2)
		prt_printf(&cpus, i % 40 == 38 ? "%d,\n\t" : "%d,", i);
	prt_str(&text, "[Daemon]\nMoveRate=1.5GBps\nSampler=accessed-bits,hardware\n" JOB
		       "Match=cgroup:/a b/[0-9]*\nPreferCPUs=");
	prt_printf(&text, "%s300\nSpillAt=12.34%%\nFastMax=33.3%%\nFastMin=100B\n",
		   printbuf_str(&cpus));
	assert_int_equal(parse(printbuf_str(&text), &config, &err), 0);
	assert_int_equal(set_count(&config->jobs[0].prefer), 151);
	printbuf_reset(&text);
	config_to_text(&text, config);
	assert_int_equal(parse(printbuf_str(&text), &again, &err), 0);
	assert_true(config_is_equal(config, again));
	again->jobs[0].goal = CONFIG_GOAL_BACKGROUND;
	assert_false(config_is_equal(config, again));
	config_free(config);
	config_free(again);
}

static char top[64];

static void put(const char *path, const char *text)
{
	PRINTBUF(full);
	PRINTBUF(make);
	prt_printf(&full, "%s/%s", top, path);
	prt_printf(&make, "mkdir -p $(dirname %s)", printbuf_str(&full));
	assert_int_equal(system(printbuf_str(&make)), 0);
	FILE *file = fopen(printbuf_str(&full), "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_files(void **state)
{
	struct config *config = NULL;
	PRINTBUF(err);
	strcpy(top, "/tmp/berth-config-XXXXXX");
	assert_non_null(mkdtemp(top));
	struct root root = { .fd = open(top, O_PATH | O_DIRECTORY) };
	assert_int_equal(config_load(&root, &config, &err), -ENOENT);
	put("usr/lib/berth/berth.conf", "[Job vendor]\n" /* no Match: hidden, never read */);
	put("etc/berth/berth.conf", "[Job a]\nMatch=pid:2\nGoal=background\n");
	put("usr/lib/berth/berth.conf.d/50-x.conf", "[Job a]\nFastMin=1GiB\nFastMax=5GiB\n");
	put("run/berth/berth.conf.d/60-y.conf", "[Job a]\nFastMin=2GiB\n");
	put("etc/berth/berth.conf.d/40-z.conf", "[Job a]\nFastMin=3GiB\n");
	put("etc/berth/berth.conf.d/README", "not read\n");
	put("run/berth/berth.conf.d/70-masked.conf", "[Jobs]\n");
	put("etc/berth/berth.conf.d/70-masked.conf", "");
	put("usr/lib/berth/berth.conf.d/80-null.conf", "[Jobs]\n");
	PRINTBUF(link);
	prt_printf(&link, "%s/etc/berth/berth.conf.d/80-null.conf", top);
	assert_int_equal(symlink("/dev/null", printbuf_str(&link)), 0);
	printbuf_reset(&err);
	assert_int_equal(config_load(&root, &config, &err), 0);
	assert_int_equal(config->nr_files, 4);
	assert_string_equal(config->files[0], "/etc/berth/berth.conf");
	assert_string_equal(config->files[1], "/etc/berth/berth.conf.d/40-z.conf");
	assert_string_equal(config->files[3], "/run/berth/berth.conf.d/60-y.conf");
	assert_int_equal(config->jobs[0].fast_min.bytes, 2 * GIB);
	assert_int_equal(config->jobs[0].fast_max.bytes, 5 * GIB);

	/* The same name in /etc hides the vendor's. A mistake leaves what was loaded. */
	put("etc/berth/berth.conf.d/50-x.conf", "[Job a]\nFastMx=1GiB\n");
	struct config *before = config;
	assert_int_equal(config_reload(&root, &config, &err), -EINVAL);
	assert_string_equal(printbuf_str(&err), "/etc/berth/berth.conf.d/50-x.conf:2:1: FastMx: no "
						"such key; did you mean FastMax?");
	assert_ptr_equal(config, before);
	assert_int_equal(config->jobs[0].fast_max.bytes, 5 * GIB);
	put("etc/berth/berth.conf.d/50-x.conf", "[Job a]\nFastMax=9GiB\n");
	assert_int_equal(config_reload(&root, &config, &err), 0);
	assert_int_equal(config->jobs[0].fast_max.bytes, 9 * GIB);

	/* Whoever may write it decides about others' programs. */
	PRINTBUF(path);
	prt_printf(&path, "%s/etc/berth/berth.conf", top);
	assert_int_equal(chmod(printbuf_str(&path), 0666), 0);
	printbuf_reset(&err);
	assert_int_equal(config_reload(&root, &config, &err), -EINVAL);
	assert_string_equal(printbuf_str(&err), "/etc/berth/berth.conf: everybody may write to it; "
						"chmod o-w /etc/berth/berth.conf");
	config_free(config);
	close(root.fd);
	printbuf_reset(&path);
	prt_printf(&path, "rm -rf %s", top);
	assert_int_equal(system(printbuf_str(&path)), 0);
}

/* The table is whole: every key has a kind, a sentence, and a default that its parser takes. */
static void test_table(void **state)
{
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		assert_non_null(key->name);
		assert_non_null(key->help);
		assert_true(key->choices || key->kind->form);
		assert_int_equal(config_key_of(key->is_of_job, key->offset), i);
	}
}
