/* SPDX-License-Identifier: MIT */
/* The doctor's look at moving memory: which calls are allowed, on whose pages, and what else makes
 * room. */
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linux/doctor.h"

#define FILTER_REMEDY "allow it; in systemd's lists it is part of @resources or named alone"

static bool has_failed(int result)
{
	return result != 0 && result != TRIAL_NOT_TRIED;
}

/* Of our own pages: refused by a filter, or by a kernel that cannot. */
static void check_own(struct doctor *doctor, struct doctor_finding *finding)
{
	int moved = doctor->trials[TRY_MOVE], advised = doctor->trials[TRY_MADVISE];
	if (has_failed(moved))
		doctor_note(doctor, finding, DOCTOR_MISSING,
			    moved == -ENOSYS ? "a kernel with CONFIG_NUMA" : FILTER_REMEDY,
			    "move_pages of our own page: %s", doctor_trial_text(moved));
	if (has_failed(advised) && doctor_can(doctor, CAP_SYS_NICE))
		doctor_note(doctor, finding, DOCTOR_LIMITED, FILTER_REMEDY, "process_madvise: %s",
			    doctor_trial_text(advised));
}

/* Of somebody else's: rights, or Landlock, which keeps even root off. */
static void check_other(struct doctor *doctor, struct doctor_finding *finding)
{
	int moved = doctor->trials[TRY_MOVE_OTHER], advised = doctor->trials[TRY_MADVISE_OTHER];
	bool is_tried = moved != TRIAL_NOT_TRIED;
	bool has_rights = doctor_can(doctor, CAP_SYS_PTRACE) && doctor_can(doctor, CAP_SYS_NICE);
	if (!is_tried && has_rights)
		return;
	if (is_tried && !has_failed(moved) && !has_failed(advised))
		return;
	if (!has_rights)
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    "run as root, or grant CAP_SYS_PTRACE and CAP_SYS_NICE",
			    "pages of other users' processes cannot be moved");
	else
		doctor_note(doctor, finding, DOCTOR_LIMITED,
			    "run berth outside of the container or Landlock sandbox",
			    "pages of process %d cannot be asked for in spite of all rights: %s",
			    doctor->other, doctor_trial_text(has_failed(moved) ? moved : advised));
}

static bool has_node_reclaim(const struct doctor *doctor)
{
	char path[64];
	for (uint32_t i = 0; doctor->machine && i < doctor->machine->nr_nodes; i++) {
		snprintf(path, sizeof(path), "sys/devices/system/node/node%u/reclaim",
			 doctor->machine->nodes[i].id);
		if (root_has(doctor->root, path))
			return true;
	}
	return false;
}

/* The first line of /proc/swaps is its heading. */
static bool has_swap(const struct doctor *doctor)
{
	char *text = NULL;
	if (root_read(doctor->root, "proc/swaps", &text))
		return false;
	const char *line = strchr(text, '\n');
	bool has_one = line && line[1] != '\0';
	free(text);
	return has_one;
}

/* What makes room besides moving: asked for, not needed. */
static void check_room(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, "room", false);
	bool has_reclaim = has_node_reclaim(doctor), swaps = has_swap(doctor);
	doctor_summary(finding, "%s",
		       has_reclaim && swaps ? "by moving; the kernel can reclaim a node, and swaps"
		       : has_reclaim	    ? "by moving; the kernel can reclaim a node; no swap"
		       : swaps		    ? "by moving; the kernel swaps"
					    : "by moving; no swap");
	if (!has_reclaim)
		doctor_note(doctor, finding, DOCTOR_OFF, "Linux 6.19 or newer",
			    "one node's memory cannot be reclaimed by request");
}

static void check_rights(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_MEMORY, "rights", true);
	if (!doctor->has_status && doctor->trials[TRY_MOVE] == TRIAL_NOT_TRIED) {
		doctor_summary(finding, "not known");
		finding->word = DOCTOR_UNKNOWN;
		return;
	}
	check_own(doctor, finding);
	check_other(doctor, finding);
	doctor_summary(finding, "%s",
		       finding->word == DOCTOR_OK	 ? "pages of every process"
		       : finding->word == DOCTOR_LIMITED ? "some pages"
							 : "none");
}

void doctor_check_memory(struct doctor *doctor)
{
	check_rights(doctor);
	check_room(doctor);
}
