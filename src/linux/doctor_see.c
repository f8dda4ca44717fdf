/* SPDX-License-Identifier: MIT */
/*
 * The doctor's look at what shows how memory is used: our rights, and the kernel's interfaces.
 *
 * Source: what each operation needs was measured with Linux 6.12 by children with exactly one set
 * of capabilities each (a process of another user as the target); Documentation/admin-guide/mm.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/doctor.h"
#include "linux/process.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif

#define SINCE_DAMON_SYSFS  5018
#define SINCE_PAGEMAP_SCAN 6007
#define PARANOID_OWN_USER  2 /* perf_event_paranoid: from here on not the kernel's side */

/* 0, -ENOENT, -EACCES, ... without opening it. */
static int is_there(const struct doctor *doctor, const char *path)
{
	int fd = rootfile_open(doctor->root, path, O_PATH);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void check_perf(struct doctor *doctor, struct doctor_finding *finding)
{
	uint64_t paranoid = 0;
	int result = doctor->trials[TRY_PERF];
	bool is_known = root_read_u64(doctor->root, "proc/sys/kernel/perf_event_paranoid",
				      &paranoid) == 0;
	if (result != 0 && result != TRIAL_NOT_TRIED)
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    result == -EACCES || result == -EPERM
				    ? "CAP_PERFMON, or sysctl kernel.perf_event_paranoid=2"
				    : NULL,
			    "perf events cannot be used: %s", doctor_trial_text(result));
	else if (is_known && paranoid >= PARANOID_OWN_USER && !doctor_can(doctor, CAP_PERFMON) &&
		 !doctor_can(doctor, CAP_SYS_ADMIN))
		doctor_note(
			doctor, finding, DOCTOR_LIMITED,
			"CAP_PERFMON, or sysctl kernel.perf_event_paranoid=1",
			"kernel.perf_event_paranoid is %u: perf events of our own processes only",
			(unsigned)paranoid);
}

static void check_rights(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, "rights", false);
	int other = doctor->trials[TRY_PAGEMAP_OTHER], frames = doctor->trials[TRY_FRAMES];
	bool is_tried = other != TRIAL_NOT_TRIED;
	if (!doctor->has_status && !is_tried) {
		doctor_summary(finding, "not known");
		finding->word = DOCTOR_UNKNOWN;
		return;
	}
	bool has_rights = doctor_can(doctor, CAP_SYS_PTRACE) &&
			  doctor_can(doctor, CAP_DAC_READ_SEARCH);
	if (!has_rights)
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    "run as root, or grant CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
			    "processes of other users cannot be looked at");
	else if (is_tried && other != 0)
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    "run berth outside of the container or Landlock sandbox",
			    "process %d cannot be looked at in spite of all rights: %s",
			    doctor->other, doctor_trial_text(other));
	if (is_tried ? frames != 0 : !doctor_can(doctor, CAP_SYS_ADMIN))
		doctor_note(doctor, finding, DOCTOR_LIMITED, "run as root, or grant CAP_SYS_ADMIN",
			    "frame numbers are hidden: what is known of physical memory cannot be "
			    "told for a process");
	check_perf(doctor, finding);
	doctor_summary(finding, "%s",
		       finding->word == DOCTOR_OK ? "all processes, frame numbers, perf events"
						  : "some");
}

/* An interface that is a file: there, or why not. `option` may be built into the kernel all the
 * same: then it is the file system that is not mounted, or a switch. */
static void check_file(struct doctor *doctor, struct doctor_finding *finding, const char *path,
		       const char *option, const char *remedy)
{
	int error = is_there(doctor, path);
	if (!error) {
		doctor_summary(finding, "%s", path);
		if (doctor->root->is_host && faccessat(doctor->root->fd, path, W_OK, AT_EACCESS))
			doctor_note(doctor, finding, DOCTOR_LIMITED, "run as root",
				    "/%s may not be written: %s", path, error_text(errno));
	} else if (error == -EACCES || error == -EPERM) {
		doctor_summary(finding, "not known");
		doctor_note(doctor, finding, DOCTOR_UNKNOWN, "run berth doctor as root",
			    "%s may not be looked at", path);
	} else if (doctor_config(doctor, option) == CONFIG_NOT_SET) {
		doctor_summary(finding, "not in this kernel");
		doctor_note(doctor, finding, DOCTOR_MISSING, NULL, "CONFIG_%s is not set", option);
	} else if (doctor->root->is_host || doctor_config(doctor, option) != CONFIG_UNKNOWN) {
		doctor_summary(finding, "not there");
		doctor_note(doctor, finding, DOCTOR_MISSING, remedy, "%s is not there", path);
	} else {
		doctor_summary(finding, "not known");
		finding->word = DOCTOR_UNKNOWN;
	}
}

static void check_damon(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, "DAMON", false);
	if (doctor->version && doctor->version < SINCE_DAMON_SYSFS) {
		doctor_summary(finding, "too old");
		doctor_note(doctor, finding, DOCTOR_MISSING, "a newer kernel",
			    "Linux has DAMON in sysfs since 5.18");
		return;
	}
	check_file(doctor, finding, "sys/kernel/mm/damon/admin/kdamonds", "DAMON_SYSFS", NULL);
}

static void check_generations(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, "generations", false);
	PRINTBUF(enabled);
	check_file(doctor, finding, "sys/kernel/debug/lru_gen", "LRU_GEN",
		   "mount -t debugfs none /sys/kernel/debug");
	doctor_read_choice(doctor, "sys/kernel/mm/lru_gen/enabled", &enabled);
	uint64_t bits = 1;
	if (enabled.pos &&
	    root_read_u64(doctor->root, "sys/kernel/mm/lru_gen/enabled", &bits) == 0 && bits == 0)
		doctor_note(doctor, finding, DOCTOR_OFF, "echo y >/sys/kernel/mm/lru_gen/enabled",
			    "the multi-generational LRU is turned off");
}

static void check_page_idle(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, "page_idle", false);
	check_file(doctor, finding, "sys/kernel/mm/page_idle/bitmap", "IDLE_PAGE_TRACKING", NULL);
}

static void check_hint_faults(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, "hint faults", false);
	check_file(doctor, finding, "proc/sys/kernel/numa_balancing", "NUMA_BALANCING", NULL);
}

static void check_pagemap_scan(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, "pagemap scan", false);
	int result = doctor->trials[TRY_PAGEMAP_SCAN];
	bool is_old = doctor->version && doctor->version < SINCE_PAGEMAP_SCAN;
	if (result == 0) {
		doctor_summary(finding, "works");
	} else if (is_old) {
		doctor_summary(finding, "not in this kernel");
		doctor_note(doctor, finding, DOCTOR_MISSING, "a newer kernel",
			    "Linux has PAGEMAP_SCAN since 6.7: berth reads pagemap and needs it "
			    "for nothing yet");
	} else if (result == TRIAL_NOT_TRIED) {
		doctor_summary(finding, "not tried");
		finding->word = DOCTOR_UNKNOWN;
	} else {
		doctor_summary(finding, "refused");
		doctor_note(doctor, finding, DOCTOR_MISSING, NULL, "PAGEMAP_SCAN: %s",
			    doctor_trial_text(result));
	}
}

/* PEBS shows as an event of loads by latency, IBS and SPE as devices of their own. */
static void check_hardware(struct doctor *doctor)
{
	static const struct {
		const char *path, *name;
	} kinds[] = {
		{ "sys/bus/event_source/devices/cpu/events/mem-loads", "PEBS" },
		{ "sys/bus/event_source/devices/cpu_core/events/mem-loads", "PEBS" },
		{ "sys/bus/event_source/devices/ibs_op", "IBS" },
		{ "sys/bus/event_source/devices/arm_spe_0", "SPE" },
	};
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_SEE, "hardware samples", false);
	if (!root_has(doctor->root, "sys/bus/event_source/devices")) {
		doctor_summary(finding, "not known");
		finding->word = DOCTOR_UNKNOWN;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (root_has(doctor->root, kinds[i].path))
			doctor_summary(finding, "%s%s", finding->summary.pos ? ", " : "",
				       kinds[i].name);
	if (finding->summary.pos)
		return;
	doctor_summary(finding, "none");
	doctor_note(doctor, finding, DOCTOR_MISSING, NULL,
		    "no PEBS, IBS or SPE: the processor has none, or a virtual machine hides it");
}

void doctor_check_watching(struct doctor *doctor)
{
	check_rights(doctor);
	check_damon(doctor);
	check_hint_faults(doctor);
	check_generations(doctor);
	check_page_idle(doctor);
	check_pagemap_scan(doctor);
	check_hardware(doctor);
}
