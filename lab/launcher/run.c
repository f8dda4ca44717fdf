/* SPDX-License-Identifier: MIT */
/*
 * One run in the lab, from a machine and a program to a result.
 *
 *     run_prepare.c   find QEMU, kernel, agent; lay out the machine; initramfs, sockets, words
 *     run_loop.c      one poll() over everything until QEMU is gone:
 *
 *         guest's frames ---> run_frames.c: stage, samples (result_series.c), program's end
 *              |  program's output ---> run_output.c ---> our stdout, stderr (at the reader's pace:
 *              |                        while it waits, no more frames are taken, and the guest
 *              |                        waits too)
 *         guest's console --> watch.c, log
 *         our stdin --------> frames to the guest, as far as it has room
 *         SIGINT, SIGTERM --> the program's signal; the second time all is ended
 *         clocks -----------> time limit, silence, boot that never ends
 *
 *     run_finish.c    names the end when QEMU ended by itself; keeps or removes the console log
 *
 * Nothing is shared between runs but the cache folder, which is only read: several may go on at
 * once. What a run leaves behind is the console log, when something went wrong or it was asked for.
 *
 * Cost: about 150 KB, the samples (result_series.c), and the guest's memory as far as it touched
 * it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "lab/launcher/run.h"

#define NR_BOOTS 2

/* How signals were before, so that the caller finds them as it left them. */
struct signals {
	sigset_t mask;
	struct sigaction pipe;
};

/* What was ignored when we came (nohup, a shell's background job) stays ignored. */
static void add_unless_ignored(sigset_t *set, int signal)
{
	struct sigaction now;
	if (sigaction(signal, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
		sigaddset(set, signal);
}

static int take_signals(struct run *run, struct signals *before, struct printbuf *err)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t ours;
	sigemptyset(&ours);
	add_unless_ignored(&ours, SIGINT);
	add_unless_ignored(&ours, SIGTERM);
	add_unless_ignored(&ours, SIGHUP);
	run->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run->signal_fd < 0)
		return error_set(err, -errno, "signalfd: %s", error_text(-errno));
	sigprocmask(SIG_BLOCK, &ours, &before->mask);
	sigaction(SIGPIPE, &ignore, &before->pipe);
	return 0;
}

static void give_signals_back(struct run *run, const struct signals *before)
{
	sigprocmask(SIG_SETMASK, &before->mask, NULL);
	sigaction(SIGPIPE, &before->pipe, NULL);
	close(run->signal_fd);
}

static int start(struct run *run, struct printbuf *err)
{
	PRINTBUF(command);
	lab_words_to_text(&command, &run->words);
	run->result->command = printbuf_steal(&command, NULL);
	int error = run->recorder ? lab_recorder_start(run->recorder, err) : 0;
	run->start_ns = run->life_ns = clock_now_ns();
	if (!error)
		error = lab_emulator_start(&run->emulator, &run->words, run->qemu.libraries, err);
	close(run->initrd_fd);
	if (run->kernel_fd >= 0)
		close(run->kernel_fd);
	run->initrd_fd = run->kernel_fd = -1;
	return error;
}

static int run_through(struct run *run, struct printbuf *err)
{
	struct signals before;
	int error = take_signals(run, &before, err);
	if (error)
		return error;
	error = start(run, err);
	if (!error)
		error = run_loop(run, err);
	if (!error)
		run_finish(run);
	give_signals_back(run, &before);
	return error;
}

static void run_fini(struct run *run)
{
	lab_emulator_fini(&run->emulator);
	lab_channel_fini(&run->channel);
	lab_recorder_free(run->recorder);
	if (run->counting.shared)
		lab_counting_fini(&run->counting);
	lab_words_fini(&run->words);
	lab_modules_fini(&run->modules);
	lab_qemu_fini(&run->qemu);
	lab_kernel_fini(&run->kernel);
	if (run->initrd_fd >= 0)
		close(run->initrd_fd);
	if (run->kernel_fd >= 0)
		close(run->kernel_fd);
	if (run->console_fd >= 0)
		close(run->console_fd);
	if (run->console_path && !run->options->console_path)
		unlink(run->console_path);
	free(run->console_path);
	printbuf_fini(&run->report);
	free(run->errors);
	free(run);
}

/* Nothing of a program was lost, and what went wrong is known to be emulation's. */
static bool is_worth_another_boot(const struct run *run)
{
	if (run->result->end == LAB_END_NO_BOOT)
		return lab_watch_sign(&run->watch, LAB_SIGN_STALL) != NULL;
	if (run->result->end == LAB_END_EMULATOR) /* an assertion of QEMU's */
		return run->stage < RUN_PROGRAM && WIFSIGNALED(run->emulator.wait_status) &&
		       WTERMSIG(run->emulator.wait_status) == SIGABRT;
	return run->result->end == LAB_END_PANIC && run->stage < RUN_PROGRAM &&
	       lab_watch_is_breakpoint(&run->watch);
}

static int run_once(const struct lab_options *options, bool may_try_again,
		    struct lab_result *result, bool *ret_try_again, struct printbuf *err)
{
	struct run *run = calloc(1, sizeof(*run));
	if (!run)
		return error_set(err, -ENOMEM, "out of memory");
	run->options = options;
	run->result = result;
	run->report = PRINTBUF_HEAP;
	run->may_try_again = may_try_again;
	run->initrd_fd = run->kernel_fd = run->console_fd = run->signal_fd = run->output.fd = -1;
	run->emulator = (struct lab_emulator){ .pidfd = -1,
					       .channel_fd = -1,
					       .console_fd = -1,
					       .errors_fd = -1,
					       .guest_channel_fd = -1,
					       .guest_console_fd = -1 };
	run->stdin_fd = options->stdin_fd;
	run->stdout_fd = options->stdout_fd;
	run->stderr_fd = options->stderr_fd;
	int error = run_prepare(run, err);
	if (!error)
		error = run_through(run, err);
	*ret_try_again = !error && may_try_again && is_worth_another_boot(run);
	run_fini(run);
	return error;
}

/* About one boot in a hundred loses a timer of a virtual CPU under multi-threaded emulation and
 * stalls before any program ran, and seldom one dies of a breakpoint (watch.h), or QEMU itself of a
 * race (iotlb_to_section and msix_table_mmio_write of 10.0.2 assert what another thread is
 * changing): nothing is lost by booting anew. */
int lab_run(const struct lab_options *options, struct lab_result *ret, struct printbuf *err)
{
	PRINTBUF(note);
	bool try_again = true;
	for (int attempt = 1;; attempt++) {
		struct lab_result result = { .words = PRINTBUF_HEAP,
					     .again = PRINTBUF_HEAP,
					     .notes = PRINTBUF_HEAP };
		int error = run_once(options, attempt < NR_BOOTS, &result, &try_again, err);
		if (try_again) {
			prt_printf(&note, "booted again: %s%s%s", printbuf_str(&result.words),
				   result.console_path ? "; its console was kept in " : "",
				   result.console_path ? result.console_path : "");
			lab_result_fini(&result);
			continue;
		}
		if (error) {
			lab_result_fini(&result);
			return error;
		}
		if (note.pos) {
			prt_str(&result.again, printbuf_str(&note));
			prt_printf(&result.notes, "%s\n", printbuf_str(&note));
		}
		*ret = result;
		return 0;
	}
}
