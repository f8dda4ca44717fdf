/* SPDX-License-Identifier: MIT */
/*
 * Who else places threads or moves memory here: read only. Two who decide about the same pages or
 * CPUs undo each other's work.
 *
 * Daemons are known by the name of their process. Of DAMON there are kdamonds made through sysfs
 * (which has no owner: whose they are cannot be told) and modules of the kernel that run one of
 * their own; DAMON_STAT is on by default in Linux 7 and keeps DAMON to itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linux/doctor.h"

#define MAX_KDAMONDS 64
#define MAX_DIGITS   10 /* of a pid */
#define KDAMONDS     "sys/kernel/mm/damon/admin/kdamonds"

enum daemon { NUMAD, IRQBALANCE, TUNED, KUBELET, MEMTIERD, NR_DAEMONS };
static const char *const daemon_names[] = { "numad", "irqbalance", "tuned", "kubelet", "memtierd" };

struct running {
	bool has[NR_DAEMONS];
	bool is_known; /* there are processes in this root */
};

static void find_daemons(const struct doctor *doctor, struct running *ret)
{
	struct root_names names = { 0 };
	if (root_list(doctor->root, "proc", &names))
		return;
	for (size_t i = 0; i < names.nr; i++) {
		char path[64], *comm = NULL;
		size_t nr_digits = strspn(names.items[i], "0123456789");
		if (names.items[i][nr_digits] || nr_digits > MAX_DIGITS)
			continue;
		snprintf(path, sizeof(path), "proc/%.10s/comm", names.items[i]);
		if (root_read(doctor->root, path, &comm))
			continue;
		ret->is_known = true;
		for (int k = 0; k < NR_DAEMONS; k++)
			ret->has[k] |= strcmp(comm, daemon_names[k]) == 0;
		free(comm);
	}
	root_names_fini(&names);
}

/* The value of "policyName" in kubelet's state file, without a reader of JSON: what is not as
 * kubelet writes it is no policy. */
static bool has_static_policy(const struct doctor *doctor, const char *path)
{
	char *text = NULL;
	if (root_read(doctor->root, path, &text))
		return false;
	const char *at = strstr(text, "\"policyName\"");
	at = at ? strchr(at + strlen("\"policyName\""), ':') : NULL;
	at = at ? at + 1 + strspn(at + 1, " \t\n") : NULL;
	bool is_static = at && strncasecmp(at, "\"static\"", 8) == 0;
	free(text);
	return is_static;
}

static void finish(struct doctor_finding *finding, const struct running *running)
{
	if (finding->summary.pos)
		return;
	doctor_summary(finding, running->is_known ? "none" : "not known");
	if (!running->is_known)
		finding->word = MAX(finding->word, DOCTOR_UNKNOWN);
}

static void add_name(struct doctor_finding *finding, const char *name)
{
	doctor_summary(finding, "%s%s", finding->summary.pos ? ", " : "", name);
}

static void check_cpu_rivals(struct doctor *doctor, const struct running *running)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_CPUS, "rivals", false);
	if (running->has[NUMAD]) {
		add_name(finding, "numad");
		doctor_note(doctor, finding, DOCTOR_LIMITED, "systemctl stop numad",
			    "numad binds processes to nodes");
	}
	if (has_static_policy(doctor, "var/lib/kubelet/cpu_manager_state")) {
		add_name(finding, "kubelet (static CPU manager)");
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    "place no containers that have CPUs of their own",
			    "kubelet gives containers CPUs of their own, and writes their cpusets "
			    "anew");
	}
	if (running->has[TUNED]) {
		add_name(finding, "tuned");
		doctor_note(
			doctor, finding, DOCTOR_OK, NULL,
			"tuned may set affinities (plugin scheduler, profile cpu-partitioning)");
	}
	if (running->has[IRQBALANCE]) {
		add_name(finding, "irqbalance");
		doctor_note(doctor, finding, DOCTOR_OK, NULL,
			    "irqbalance moves interrupts, not threads: they may disturb preferred "
			    "CPUs");
	}
	finish(finding, running);
}

static void check_balancing(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, "NUMA balancing", false);
	uint64_t mode = 0;
	if (root_read_u64(doctor->root, "proc/sys/kernel/numa_balancing", &mode)) {
		bool is_out = doctor_config(doctor, "NUMA_BALANCING") == CONFIG_NOT_SET;
		doctor_summary(finding, is_out ? "not in this kernel" : "not known");
		finding->word = is_out ? DOCTOR_OK : DOCTOR_UNKNOWN;
		return;
	}
	doctor_summary(finding, "kernel.numa_balancing is %u", (unsigned)mode);
	if (mode & 1)
		doctor_note(doctor, finding, mode & 2 ? DOCTOR_LIMITED : DOCTOR_OK, NULL,
			    "the kernel moves pages towards the threads that use them");
	if (mode & 2)
		doctor_note(doctor, finding, DOCTOR_LIMITED, "sysctl kernel.numa_balancing=0",
			    "the kernel promotes pages by itself: two that move the same pages "
			    "work against each other");
}

static void check_kdamonds(struct doctor *doctor, struct doctor_finding *finding)
{
	struct root_names names = { 0 };
	uint32_t nr = 0, nr_on = 0;
	bool is_known = true;
	if (root_list(doctor->root, KDAMONDS, &names))
		return;
	for (size_t i = 0; i < names.nr && nr < MAX_KDAMONDS; i++) {
		char path[128];
		PRINTBUF(state);
		if (root_name_number(names.items[i], "") < 0)
			continue;
		snprintf(path, sizeof(path), KDAMONDS "/%.16s/state", names.items[i]);
		doctor_read_choice(doctor, path, &state);
		nr++;
		is_known &= state.pos > 0;
		nr_on += strcmp(printbuf_str(&state), "on") == 0;
	}
	root_names_fini(&names);
	if (!nr)
		return;
	doctor_summary(finding, "%s%u kdamond%s", finding->summary.pos ? ", " : "", nr,
		       nr == 1 ? "" : "s");
	if (is_known)
		doctor_summary(finding, ", %u on", nr_on);
	doctor_note(doctor, finding, nr_on ? DOCTOR_LIMITED : DOCTOR_OK,
		    nr_on ? "stop them where they were started (damo stop), or let berth use "
			    "another sampler"
			  : NULL,
		    "somebody made kdamonds; berth neither stops nor resizes what it did not "
		    "start");
}

static void check_damon_modules(struct doctor *doctor, struct doctor_finding *finding)
{
	static const struct {
		const char *name, *path, *remedy;
	} modules[] = {
		{ "DAMON_STAT", "sys/module/damon_stat/parameters/enabled",
		  "echo N >/sys/module/damon_stat/parameters/enabled" },
		{ "DAMON_RECLAIM", "sys/module/damon_reclaim/parameters/enabled",
		  "echo N >/sys/module/damon_reclaim/parameters/enabled" },
		{ "DAMON_LRU_SORT", "sys/module/damon_lru_sort/parameters/enabled",
		  "echo N >/sys/module/damon_lru_sort/parameters/enabled" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		if (doctor_read_switch(doctor, modules[i].path) != 1)
			continue;
		add_name(finding, modules[i].name);
		doctor_note(doctor, finding, DOCTOR_LIMITED, modules[i].remedy,
			    "%s runs and keeps DAMON to itself: a kdamond of berth's gets EBUSY",
			    modules[i].name);
	}
}

static void check_memory_rivals(struct doctor *doctor, const struct running *running)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, "rivals", false);
	static const struct {
		enum daemon daemon;
		const char *what, *remedy;
	} movers[] = {
		{ NUMAD, "numad moves the memory of processes to the nodes it binds them to",
		  "systemctl stop numad" },
		{ MEMTIERD, "memtierd moves pages between tiers", "stop it" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(movers); i++) {
		if (!running->has[movers[i].daemon])
			continue;
		add_name(finding, daemon_names[movers[i].daemon]);
		doctor_note(doctor, finding, DOCTOR_LIMITED, movers[i].remedy, "%s",
			    movers[i].what);
	}
	check_kdamonds(doctor, finding);
	check_damon_modules(doctor, finding);
	if (doctor_read_switch(doctor, "sys/kernel/mm/ksm/run") == 1) {
		add_name(finding, "KSM");
		doctor_note(doctor, finding, DOCTOR_OK, NULL,
			    "KSM merges equal pages, which then belong to several processes and "
			    "are not moved");
	}
	if (has_static_policy(doctor, "var/lib/kubelet/memory_manager_state")) {
		add_name(finding, "kubelet (static memory manager)");
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    "place no containers that have nodes of their own",
			    "kubelet gives containers memory nodes of their own");
	}
	finish(finding, running);
}

void doctor_check_rivals(struct doctor *doctor)
{
	struct running running = { .is_known = false };
	find_daemons(doctor, &running);
	check_cpu_rivals(doctor, &running);
	check_balancing(doctor);
	check_memory_rivals(doctor, &running);
}
