/* SPDX-License-Identifier: MIT */
/*
 * The doctor's look at the kernel: its version, how it was built, what guards it.
 *
 * An option that is not set is told with what does not work without it. Debian's kernels lack
 * IDLE_PAGE_TRACKING, and before 6.13 SCHED_CLASS_EXT: that is no failure, something else does.
 */
#include <string.h>

#include "linux/doctor.h"

#define VERSION_MIN 5010 /* process_madvise, openat2 */

struct wanted_option {
	enum doctor_group group;
	enum doctor_word word; /* when it is not set */
	const char *name, *without;
};

static const struct wanted_option wanted_options[] = {
	{ DOCTOR_SEE, DOCTOR_LIMITED, "NUMA_BALANCING", "no NUMA hint faults" },
	{ DOCTOR_SEE, DOCTOR_LIMITED, "PERF_EVENTS",
	  "no addresses of hint faults, no hardware samples" },
	{ DOCTOR_SEE, DOCTOR_LIMITED, "PROC_PAGE_MONITOR", "no pagemap" },
	{ DOCTOR_SEE, DOCTOR_LIMITED, "DAMON_SYSFS", "no DAMON from user space" },
	{ DOCTOR_SEE, DOCTOR_LIMITED, "DAMON_VADDR", "no DAMON of one process" },
	{ DOCTOR_SEE, DOCTOR_LIMITED, "DAMON_PADDR", "no DAMON of all memory" },
	{ DOCTOR_SEE, DOCTOR_LIMITED, "IDLE_PAGE_TRACKING", "no page_idle bitmap" },
	{ DOCTOR_SEE, DOCTOR_LIMITED, "LRU_GEN", "no generations of pages" },
	{ DOCTOR_CPUS, DOCTOR_LIMITED, "CPUSETS", "jobs are held by the affinity of threads" },
	{ DOCTOR_CPUS, DOCTOR_LIMITED, "PSI", "waiting tasks are found by looking only" },
	{ DOCTOR_CPUS, DOCTOR_LIMITED, "SCHED_CLASS_EXT", "no scheduler of berth's in the kernel" },
	{ DOCTOR_CPUS, DOCTOR_LIMITED, "BPF_SYSCALL", "no scheduler of berth's in the kernel" },
	{ DOCTOR_CPUS, DOCTOR_LIMITED, "DEBUG_INFO_BTF", "BPF programs do not fit this kernel" },
	{ DOCTOR_MEMORY, DOCTOR_MISSING, "NUMA", "the kernel knows one node only" },
	{ DOCTOR_MEMORY, DOCTOR_MISSING, "MIGRATION", "no page can be moved" },
	{ DOCTOR_MEMORY, DOCTOR_LIMITED, "CGROUPS", "jobs cannot be told apart by group" },
	{ DOCTOR_MEMORY, DOCTOR_LIMITED, "MEMCG", "the memory of a group is not counted" },
};

static void check_version(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, "kernel", true);
	if (!doctor->release) {
		doctor_summary(finding, "not known");
		doctor_note(doctor, finding, DOCTOR_UNKNOWN, NULL,
			    "proc/sys/kernel/osrelease is not there");
		return;
	}
	doctor_summary(finding, "Linux %s", doctor->release);
	if (doctor->version && doctor->version < VERSION_MIN)
		doctor_note(doctor, finding, DOCTOR_MISSING, "a newer kernel, best 6.12 or later",
			    "Linux before 5.10 has no process_madvise and no pidfds of threads");
}

static void check_options(struct doctor *doctor, enum doctor_group group)
{
	struct doctor_finding *finding = doctor_add(doctor, group, "kernel options",
						    group == DOCTOR_MEMORY);
	unsigned nr = 0, nr_set = 0;
	if (!doctor->config) {
		doctor_summary(finding, "not known");
		doctor_note(doctor, finding, DOCTOR_UNKNOWN,
			    doctor->root->is_host ? "install the package of the running kernel, "
						    "which has its configuration"
						  : NULL,
			    "neither proc/config.gz nor boot/config-%s is there",
			    doctor->release ? doctor->release : "RELEASE");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(wanted_options); i++) {
		const struct wanted_option *option = &wanted_options[i];
		if (option->group != group)
			continue;
		bool is_set = doctor_config(doctor, option->name) != CONFIG_NOT_SET;
		nr++;
		nr_set += is_set;
		if (!is_set)
			doctor_note(doctor, finding, option->word, NULL, "CONFIG_%s is not set: %s",
				    option->name, option->without);
	}
	doctor_summary(finding, "%u of %u, by %s", nr_set, nr, doctor->config_path);
	if (nr_set < nr)
		prt_str(&finding->notes[finding->nr_notes - 1].remedy,
			"only a kernel built with them has them");
}

void doctor_check_kernel(struct doctor *doctor)
{
	check_version(doctor);
	check_options(doctor, DOCTOR_SEE);
	check_options(doctor, DOCTOR_CPUS);
	check_options(doctor, DOCTOR_MEMORY);
}

static void note_lockdown(struct doctor *doctor, struct doctor_finding *finding, const char *mode)
{
	static const char remedy[] = "boot without lockdown= and without secure boot";
	if (strcmp(mode, "integrity") == 0 || strcmp(mode, "confidentiality") == 0)
		doctor_note(doctor, finding, DOCTOR_LIMITED, remedy,
			    "the kernel is locked down (%s): debugfs is closed, and with it the "
			    "generations of pages",
			    mode);
	if (strcmp(mode, "confidentiality") == 0)
		doctor_note(doctor, finding, DOCTOR_LIMITED, remedy,
			    "perf events and BPF programs may not read the kernel's memory");
}

/* Landlock is not seen here: that it stands in the way shows in what was tried. */
void doctor_check_security(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, "security", false);
	PRINTBUF(modules);
	PRINTBUF(lockdown);
	doctor_read_choice(doctor, "sys/kernel/security/lsm", &modules);
	doctor_read_choice(doctor, "sys/kernel/security/lockdown", &lockdown);
	if (modules.pos)
		doctor_summary(finding, "LSMs %s", printbuf_str(&modules));
	else
		doctor_summary(finding, "LSMs not known");
	if (lockdown.pos)
		doctor_summary(finding, "; lockdown %s", printbuf_str(&lockdown));
	if (doctor->has_status)
		doctor_summary(finding, "; %s",
			       doctor->seccomp ? "a seccomp filter" : "no seccomp filter");
	if (!modules.pos && !doctor->has_status)
		finding->word = DOCTOR_UNKNOWN;
	note_lockdown(doctor, finding, printbuf_str(&lockdown));
	if (doctor->has_status && doctor->seccomp)
		doctor_note(doctor, finding, DOCTOR_OK, NULL,
			    "berth runs under a seccomp filter, as in a container: what it refuses "
			    "is told where it was tried");
}
