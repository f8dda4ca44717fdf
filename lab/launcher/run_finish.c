/* SPDX-License-Identifier: MIT */
/* After QEMU is gone: what the end was, and what is kept. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/launcher/run.h"

#define WORDS_MAX 300

/* The last line of what QEMU said. */
static void prt_errors(struct printbuf *out, char *errors)
{
	size_t length = strlen(errors);
	while (length > 0 && (errors[length - 1] == '\n' || errors[length - 1] == '\r'))
		errors[--length] = '\0';
	const char *line = strrchr(errors, '\n');
	line = line ? line + 1 : errors;
	prt_safe(out, line, MIN(strlen(line), (size_t)WORDS_MAX));
}

static void prt_wait_status(struct printbuf *out, int status)
{
	if (WIFSIGNALED(status))
		prt_printf(out, "QEMU was killed by signal %d", WTERMSIG(status));
	else
		prt_printf(out, "QEMU ended with status %d", WEXITSTATUS(status));
}

/* QEMU ended and nobody had told it to. */
static void name_end(struct run *run)
{
	int status = run->emulator.wait_status;
	const char *death = lab_watch_death(&run->watch);
	bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (run->stage == RUN_EXITED || run->stage == RUN_DONE)
		return; /* the program's own end was told */
	PRINTBUF(why);
	prt_wait_status(&why, status);
	if (run->nr_errors) {
		prt_str(&why, ": ");
		prt_errors(&why, run->errors);
	}
	if (death)
		run_end(run, LAB_END_PANIC, "the guest's kernel died: %s", death);
	else if (!is_clean)
		run_end(run, LAB_END_EMULATOR, "%s", printbuf_str(&why));
	else if (run->stage == RUN_BOOTING)
		run_end(run, LAB_END_NO_BOOT, "the guest did not boot; its last words: %s",
			run->watch.last[0] ? run->watch.last : "none");
	else
		run_end(run, LAB_END_EMULATOR,
			"the guest was switched off or restarted from inside before the program "
			"ended");
}

static bool is_wrong(enum lab_end end)
{
	return end != LAB_END_EXITED && end != LAB_END_NOT_RUN && end != LAB_END_SIGNAL;
}

static void keep_console(struct run *run)
{
	if (!run->options->console_path && !is_wrong(run->result->end))
		return;
	run->result->console_path = run->console_path;
	run->console_path = NULL;
}

static void note_killed_others(struct run *run)
{
	const char *killed = lab_watch_sign(&run->watch, LAB_SIGN_OOM);
	if (killed && run->result->end != LAB_END_OOM)
		prt_printf(&run->result->notes, "the guest ran out of memory: %s\n", killed);
}

/* The counters, and which of their snapshots belongs to which sample. */
static void keep_counters(struct run *run)
{
	struct lab_result *result = run->result;
	if (!run->counting.shared)
		return;
	if (!lab_counting_is_up(&run->counting))
		prt_str(&result->notes, "QEMU did not load the latency model\n");
	result->counters = lab_counting_copy(&run->counting);
	for (size_t i = 0; i < result->nr_samples && result->counters; i++)
		result->sample_snapshot[i] = lab_find_snapshot(result->counters,
							       result->sample_snapshot[i]);
}

/* A recording that failed does not undo the run: the status tells. */
static void finish_recording(struct run *run)
{
	PRINTBUF(why);
	if (!run->recorder || lab_recorder_finish(run->recorder, run->result, &why) == 0)
		return;
	prt_printf(&run->result->notes, "%s\n", printbuf_str(&why));
	if (run->result->end == LAB_END_EXITED)
		run->result->status = EXIT_PARTLY;
}

/* The guest's tiers are lines "memory_tier4 0-1": is there one with just these nodes? */
static bool has_tier(const char *tiers, const struct set *nodes)
{
	for (const char *at = tiers; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		char list[256] = "";
		struct set found;
		size_t length = strcspn(at, "\n"), blank = strcspn(at, " \n");
		if (blank >= length || length - blank > sizeof(list))
			continue;
		memcpy(list, at + blank + 1, length - blank - 1);
		if (set_parse(list, &found) < 0)
			continue;
		bool is_same = set_is_equal(&found, nodes);
		set_fini(&found);
		if (is_same)
			return true;
	}
	return false;
}

/* Tiers come from the figures that firmware tells; where the line leaves figures to its rules, a
 * kernel may see others than described, and so it may under icount. */
static void compare_tiers(struct run *run)
{
	const struct machine *machine = run->options->machine;
	const char *tiers = run->result->tiers;
	bool is_same = true;
	for (uint32_t t = 0; t < machine->nr_tiers && tiers; t++) {
		struct set nodes = SET_EMPTY;
		for (uint32_t i = 0; i < machine->nr_nodes; i++)
			if (machine->nodes[i].tier == t)
				set_add(&nodes, run->layout.guest_node[i]);
		is_same &= has_tier(tiers, &nodes);
		set_fini(&nodes);
	}
	if (is_same)
		return;
	PRINTBUF(text);
	for (; *tiers; tiers++)
		prt_char(&text, *tiers == '\n' ? ',' : *tiers);
	prt_str(&run->result->notes, "the guest's kernel makes other tiers than described: ");
	prt_safe(&run->result->notes, printbuf_str(&text), MIN(text.pos, (size_t)WORDS_MAX));
	prt_char(&run->result->notes, '\n');
}

void run_finish(struct run *run)
{
	name_end(run);
	finish_recording(run);
	keep_counters(run);
	compare_tiers(run);
	note_killed_others(run);
	run->result->qemu_version = run->qemu.version ? strdup(run->qemu.version) : NULL;
	keep_console(run);
}
