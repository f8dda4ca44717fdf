/* SPDX-License-Identifier: MIT */
/* What the guest says, frame by frame: how far it is, what the program wrote, samples, its end. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "lab/launcher/pin.h"
#include "lab/launcher/run.h"

#define NOTES_MAX ((size_t)16384) /* a guest may say many things */
#define WORDS_MAX ((size_t)512)

static void note(struct run *run, const void *text, size_t length)
{
	struct printbuf *notes = &run->result->notes;
	if (notes->pos > NOTES_MAX)
		return;
	prt_safe(notes, text, MIN(length, WORDS_MAX));
	prt_char(notes, '\n');
}

/* Text of the guest in a sentence of ours. */
static void end_by_guest(struct run *run, enum lab_end end, const char *before,
			 const struct lab_incoming *frame)
{
	PRINTBUF(words);
	prt_safe(&words, (const char *)frame->payload, MIN(frame->length, WORDS_MAX));
	run_end(run, end, "%s%s", before, printbuf_str(&words));
}

static void pin(struct run *run)
{
	PRINTBUF(err);
	if (run->options->pin &&
	    lab_pin(run->emulator.pid, run->options->pin, run->layout.nr_vcpus, &err) < 0)
		run_end(run, LAB_END_EMULATOR, "--pin: %s", printbuf_str(&err));
}

static void on_ready(struct run *run, const struct lab_incoming *frame)
{
	struct lab_ready ready;
	struct lab_text release;
	if (run->stage != RUN_BOOTING || !lab_incoming_ready(frame, &ready, &release))
		return;
	PRINTBUF(text);
	prt_safe(&text, release.text, MIN(release.length, WORDS_MAX));
	run->result->kernel_release = printbuf_steal(&text, NULL);
	run->stage = RUN_READY;
	pin(run);
}

static void on_started(struct run *run, const struct lab_incoming *frame)
{
	uint32_t pid;
	if (run->stage != RUN_READY || !lab_incoming_started(frame, &run->guest_start_ns, &pid))
		return;
	run->program_ns = clock_now_ns();
	run->result->boot_wall_ns = run->program_ns - run->start_ns;
	run->stage = RUN_PROGRAM;
	if (run->recorder)
		lab_recorder_started(run->recorder, pid);
	if (run->stdin_fd < 0)
		lab_channel_send_input(&run->channel, NULL, 0);
}

static void on_not_run(struct run *run, const struct lab_incoming *frame)
{
	uint32_t error;
	struct lab_text words;
	if (!lab_incoming_not_run(frame, &error, &words))
		return;
	PRINTBUF(text);
	prt_safe(&text, words.text, MIN(words.length, WORDS_MAX));
	run_end(run, LAB_END_NOT_RUN, "%s", printbuf_str(&text));
	run->result->status = error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

static void on_sample(struct run *run, const struct lab_incoming *frame)
{
	struct lab_reading reading;
	PRINTBUF(err);
	if (lab_reading_parse(frame->payload, frame->length, &reading, &err) < 0) {
		note(run, printbuf_str(&err), err.pos);
		return;
	}
	if (run->recorder)
		lab_recorder_sample(run->recorder, &reading, &run->layout);
	if (result_add_sample(run, &reading) < 0)
		note(run, "out of memory for a sample", 26);
	lab_reading_fini(&reading);
}

/* The end that the program itself came to. What follows (a last sample, LAB_DONE) is waited for. */
static void name_exit(struct run *run, const struct lab_exited *exited)
{
	struct lab_result *result = run->result;
	int status = (int)exited->status;
	const char *killed = lab_watch_sign(&run->watch, LAB_SIGN_OOM);
	result->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	result->end = LAB_END_EXITED;
	if (exited->was_oom_killed) {
		result->end = LAB_END_OOM;
		prt_printf(&result->words, "the guest ran out of memory: %s",
			   killed ? killed : "its kernel killed the program");
	} else if (run->is_over_limit) {
		result->end = LAB_END_TIME;
		result->status = EXIT_FAILED;
		prt_str(&result->words, "over its time limit of ");
		prt_ns(&result->words, run->options->time_limit_ns);
	} else if (run->host_signal && WIFSIGNALED(status)) {
		result->end = LAB_END_SIGNAL;
		prt_printf(&result->words, "ended by signal %d, which came to berth",
			   WTERMSIG(status));
	}
}

static void on_exited(struct run *run, const struct lab_incoming *frame)
{
	struct lab_exited exited;
	if (run->stage != RUN_PROGRAM || run->has_end || !lab_incoming_exited(frame, &exited))
		return;
	struct lab_result *result = run->result;
	result->wall_ns = clock_now_ns() - run->program_ns;
	result->guest_ns = exited.guest_ns > run->guest_start_ns
				   ? exited.guest_ns - run->guest_start_ns
				   : 0;
	result->user_ns = exited.user_ns;
	result->system_ns = exited.system_ns;
	result->max_rss_bytes = exited.max_rss_bytes;
	name_exit(run, &exited);
	run->stage = RUN_EXITED;
}

static void on_report(struct run *run, const struct lab_incoming *frame)
{
	PRINTBUF(err);
	struct printbuf *report = &run->report;
	if (frame->length && report->pos < LAB_REPORT_MAX)
		prt_mem(report, (const char *)frame->payload, frame->length);
	if (frame->length)
		return;
	if (lab_berth_report_read(printbuf_str(report), report->pos, &run->result->berth, &err) < 0)
		note(run, printbuf_str(&err), err.pos);
}

static void on_done(struct run *run)
{
	if (run->stage == RUN_EXITED)
		run->has_end = true;
	run->stage = RUN_DONE;
	run->done_ns = clock_now_ns();
}

static void take_frame(struct run *run, const struct lab_incoming *frame)
{
	switch (frame->type) {
	case LAB_READY:
		on_ready(run, frame);
		break;
	case LAB_MESSAGE:
		note(run, frame->payload, frame->length);
		break;
	case LAB_SETTING_FAILED:
		end_by_guest(run, LAB_END_SETTING,
			     "the guest's kernel does not take a setting: ", frame);
		break;
	case LAB_FAILED:
		end_by_guest(run, LAB_END_NO_BOOT, "the guest could not be made ready: ", frame);
		break;
	case LAB_STARTED:
		on_started(run, frame);
		break;
	case LAB_STDOUT:
		run_take_output(run, run->stdout_fd, frame->payload, frame->length);
		break;
	case LAB_STDERR:
		run_take_output(run, run->stderr_fd, frame->payload, frame->length);
		break;
	case LAB_SAMPLE:
		on_sample(run, frame);
		break;
	case LAB_REPORT:
		on_report(run, frame);
		break;
	case LAB_EXITED:
		on_exited(run, frame);
		break;
	case LAB_NOT_RUN:
		on_not_run(run, frame);
		break;
	case LAB_DONE:
		on_done(run);
		break;
	default:
		break;
	}
}

/* A sign of life: a stall that the kernel reported before has passed. */
static void live(struct run *run)
{
	const char *stall = lab_watch_sign(&run->watch, LAB_SIGN_STALL);
	run->life_ns = clock_now_ns();
	if (!stall)
		return;
	PRINTBUF(text);
	prt_printf(&text, "the guest was stalled for a while: %s", stall);
	note(run, printbuf_str(&text), text.pos);
	lab_watch_clear_stall(&run->watch);
}

void run_frames(struct run *run)
{
	struct lab_incoming frame;
	PRINTBUF(err);
	int found = 0;
	while (!run_has_output(run) &&
	       (found = lab_channel_next(&run->channel, &frame, &err)) > 0) {
		live(run);
		take_frame(run, &frame);
	}
	if (found < 0)
		run_end(run, LAB_END_HANG, "%s", printbuf_str(&err));
}
