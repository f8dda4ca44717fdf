/* SPDX-License-Identifier: MIT */
/* The doctor's look at placing threads on CPUs: rights, groups, pressure, the scheduler. */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux/cgroup.h"
#include "linux/doctor.h"
#include "linux/process.h"

#define SINCE_SCHED_EXT 6012

static void check_rights(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_CPUS, "rights", true);
	int result = doctor->trials[TRY_AFFINITY];
	if (result == TRIAL_NOT_TRIED && !doctor->has_status) {
		doctor_summary(finding, "not known");
		finding->word = DOCTOR_UNKNOWN;
		return;
	}
	if (result != TRIAL_NOT_TRIED && result != 0)
		doctor_note(doctor, finding, DOCTOR_MISSING,
			    "allow sched_setaffinity; systemd's @resources has it",
			    "an affinity cannot be set: %s", doctor_trial_text(result));
	if (!doctor_can(doctor, CAP_SYS_NICE))
		doctor_note(doctor, finding, DOCTOR_LIMITED, "run as root, or grant CAP_SYS_NICE",
			    "only threads of our own user can be placed");
	doctor_summary(finding, "%s",
		       finding->word == DOCTOR_OK	 ? "threads of every user"
		       : finding->word == DOCTOR_LIMITED ? "threads of our own user"
							 : "none");
}

static bool holds_word(const struct doctor *doctor, const char *folder, const char *file,
		       const char *word)
{
	PRINTBUF(path);
	char *text = NULL;
	prt_printf(&path, "%s/%s", folder, file);
	bool has = false;
	if (root_read(doctor->root, printbuf_str(&path), &text) == 0)
		for (char *save, *at = strtok_r(text, " \n", &save); at && !has;
		     at = strtok_r(NULL, " \n", &save))
			has = strcmp(at, word) == 0;
	free(text);
	return has;
}

static bool may_make(const struct doctor *doctor, const char *folder)
{
	int fd = rootfile_open(doctor->root, folder, O_PATH | O_DIRECTORY);
	bool may = fd >= 0 && (!doctor->root->is_host || faccessat(fd, ".", W_OK, AT_EACCESS) == 0);
	if (fd >= 0)
		close(fd);
	return may;
}

/* The group that would hold a job's group; NULL: none hands out cpusets. Caller frees. As
 * cgroup_make() chooses: ours when it hands out cpuset, or is the root, which may always be told
 * to; else the one above. */
static char *place_for_groups(const struct doctor *doctor, const struct cgroup *group)
{
	char *place = strdup(group->home);
	PRINTBUF(type);
	if (!place || group->version == 1 ||
	    holds_word(doctor, place, "cgroup.subtree_control", "cpuset"))
		return place;
	prt_printf(&type, "%s/cgroup.type", place); /* the root has none */
	if (!root_has(doctor->root, printbuf_str(&type)))
		return place;
	char *slash = strrchr(place, '/');
	if (slash)
		*slash = '\0';
	if (slash && holds_word(doctor, place, "cgroup.subtree_control", "cpuset"))
		return place;
	free(place);
	return NULL;
}

static void check_groups(struct doctor *doctor)
{
	static const char fall_back[] = "jobs are held by the affinity of their threads, which a "
					"program may rewrite";
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_CPUS, "groups", false);
	struct cgroup group = { 0 };
	if (!root_has(doctor->root, "proc/self/cgroup")) {
		doctor_summary(finding, "not known");
		finding->word = DOCTOR_UNKNOWN;
		return;
	}
	if (cgroup_find(doctor->root, &group)) {
		doctor_summary(finding, "no cpusets");
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    "mount cgroup2 on /sys/fs/cgroup, with the controller cpuset",
			    "no cgroup with the controller cpuset is mounted: %s", fall_back);
		return;
	}
	char *place = place_for_groups(doctor, &group);
	if (!place) {
		doctor_summary(finding, "version %d, no cpusets for /%s", group.version,
			       group.home);
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    "run berth in a group of its own: systemd-run --scope -p Delegate=yes "
			    "berth ...",
			    "/%s holds processes, and the group above it does not hand out "
			    "cpusets: %s",
			    group.home, fall_back);
	} else {
		doctor_summary(finding, "version %d, cpusets below /%s", group.version, place);
		if (!may_make(doctor, place))
			doctor_note(doctor, finding, DOCTOR_LIMITED,
				    "run as root, or let systemd delegate: systemd-run --user "
				    "--scope -p Delegate=yes berth ...",
				    "no group may be made there: %s", fall_back);
	}
	free(place);
	cgroup_fini(&group);
}

static void check_pressure(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_CPUS, "pressure", false);
	static const char without[] = "that tasks wait is found by looking, up to a second later";
	enum config_value value = doctor_config(doctor, "PSI");
	if (root_has(doctor->root, "proc/pressure/cpu")) {
		doctor_summary(finding, "proc/pressure");
	} else if (value == CONFIG_NOT_SET) {
		doctor_summary(finding, "not in this kernel");
		doctor_note(doctor, finding, DOCTOR_MISSING, NULL, "CONFIG_PSI is not set: %s",
			    without);
	} else if (value == CONFIG_UNKNOWN && !doctor->root->is_host) {
		doctor_summary(finding, "not known");
		finding->word = DOCTOR_UNKNOWN;
	} else {
		doctor_summary(finding, "turned off");
		doctor_note(doctor, finding, DOCTOR_OFF, "boot with psi=1",
			    "there is no proc/pressure: %s", without);
	}
}

static void check_btf(struct doctor *doctor, struct doctor_finding *finding)
{
	if (!root_has(doctor->root, "sys/kernel/btf/vmlinux"))
		doctor_note(doctor, finding, DOCTOR_LIMITED, NULL,
			    "sys/kernel/btf/vmlinux is not there: BPF programs do not fit this "
			    "kernel");
}

/* On this machine the probe of engine scx tells more (doctor_live.c): then only what is loaded. */
static void check_scheduler(struct doctor *doctor)
{
	if (doctor->root->is_host && !root_has(doctor->root, "sys/kernel/sched_ext/state"))
		return;
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_CPUS, "sched_ext", false);
	PRINTBUF(state);
	PRINTBUF(name);
	doctor_read_choice(doctor, "sys/kernel/sched_ext/state", &state);
	doctor_read_choice(doctor, "sys/kernel/sched_ext/root/ops", &name);
	if (!state.pos) {
		bool is_known = doctor->config ||
				(doctor->version && doctor->version < SINCE_SCHED_EXT);
		doctor_summary(finding, is_known ? "not in this kernel" : "not known");
		if (is_known)
			doctor_note(doctor, finding, DOCTOR_MISSING, NULL,
				    "needs Linux 6.12 with CONFIG_SCHED_CLASS_EXT; berth run uses "
				    "its engine in user space");
		else
			finding->word = DOCTOR_UNKNOWN;
		return;
	}
	doctor_summary(finding, "%s%s%s", printbuf_str(&state), name.pos ? ": " : "",
		       printbuf_str(&name));
	if (strcmp(printbuf_str(&state), "enabled") == 0 &&
	    strncmp(printbuf_str(&name), "berth", 5) != 0)
		doctor_note(doctor, finding, DOCTOR_LIMITED, "stop it to let berth load its own",
			    "another scheduler is loaded, and there can be one at a time");
	if (!doctor->root->is_host)
		check_btf(doctor, finding);
}

void doctor_check_cpus(struct doctor *doctor)
{
	check_rights(doctor);
	check_groups(doctor);
	check_pressure(doctor);
	check_scheduler(doctor);
}
