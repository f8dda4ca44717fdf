/* SPDX-License-Identifier: MIT */
/*
 * Journals that a killed berth left: what it changed is still changed.
 *
 * Read as text, not by journal_load(): who loads a journal may remove it, and the doctor changes
 * nothing. A line "change ..." that no "undone ..." answers is a change that stands.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/journal.h"
#include "linux/doctor.h"
#include "linux/process.h"

struct left {
	uint32_t nr_journals, nr_changes, nr_running;
};

static int count_lines(const char *text, const char *word)
{
	int nr = 0;
	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		nr += strncmp(at, word, strlen(word)) == 0;
	return nr;
}

static void look_at(struct doctor *doctor, const char *folder, const char *name, const char *boot,
		    struct left *left)
{
	struct journal_owner owner;
	char path[512], *text = NULL;
	if (!journal_parse_name(name, &owner))
		return;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (root_read(doctor->root, path, &text))
		return;
	const char *its_boot = strncmp(text, "berth 1 ", 8) == 0 ? text + 8 : "";
	bool is_of_boot = *boot && strncmp(its_boot, boot, strlen(boot)) == 0;
	int nr = count_lines(text, "change ") - count_lines(text, "undone ");
	if (is_of_boot && process_is_alive(doctor->root, &owner)) {
		left->nr_running++;
	} else if (is_of_boot && nr > 0) {
		left->nr_journals++;
		left->nr_changes += (uint32_t)nr;
	}
	free(text);
}

/* Where root's journals are, or ours. */
static void find_folder(const struct doctor *doctor, char *path, size_t size)
{
	const char *own = getenv("XDG_RUNTIME_DIR");
	if (doctor->root->is_host && geteuid() != 0 && own && own[0] == '/')
		snprintf(path, size, "%s/berth", own + 1);
	else
		snprintf(path, size, "run/berth");
}

void doctor_check_journals(struct doctor *doctor)
{
	struct doctor_finding *finding = doctor_add(doctor, DOCTOR_CPUS, "journals", false);
	char folder[256], boot[JOURNAL_BOOT_SIZE] = "";
	struct root_names names = { 0 };
	struct left left = { 0 };
	find_folder(doctor, folder, sizeof(folder));
	process_boot_id(doctor->root, boot);
	int error = root_list(doctor->root, folder, &names);
	if (error && error != -ENOENT) {
		doctor_summary(finding, "not known");
		finding->word = DOCTOR_UNKNOWN;
		return;
	}
	for (size_t i = 0; i < names.nr; i++)
		look_at(doctor, folder, names.items[i], boot, &left);
	root_names_fini(&names);
	if (left.nr_journals)
		doctor_note(doctor, finding, DOCTOR_LIMITED, "berth restore",
			    "%u change%s of a berth that was killed still stand%s in /%s",
			    left.nr_changes, left.nr_changes == 1 ? "" : "s",
			    left.nr_changes == 1 ? "s" : "", folder);
	doctor_summary(finding, "%u of running berths, %u left behind", left.nr_running,
		       left.nr_journals);
}
