/* SPDX-License-Identifier: MIT */
/*
 * One run while it is under way: what run_*.c share. See run.c for the picture.
 */
#ifndef BERTH_LAB_RUN_H
#define BERTH_LAB_RUN_H

#include "lab/launcher/channel.h"
#include "lab/launcher/conf.h"
#include "lab/launcher/emulator.h"
#include "lab/launcher/lab.h"
#include "lab/launcher/layout.h"
#include "lab/launcher/model.h"
#include "lab/launcher/record.h"
#include "lab/launcher/sample.h"
#include "lab/launcher/watch.h"

#define LAB_CONSOLE_MAX (64 * MIB) /* bytes of the console that are kept */
#define LAB_ERRORS_MAX	((size_t)4096)

enum run_stage {
	RUN_BOOTING, /* until the agent speaks */
	RUN_READY,   /* until the program runs */
	RUN_PROGRAM, /* until it ended */
	RUN_EXITED,  /* until the agent has said all */
	RUN_DONE,    /* QEMU is to end by itself */
};

/* Output of the program that still has to be written: a frame's payload. */
struct run_output {
	int fd; /* -1: nothing waits */
	size_t at, length;
	uint8_t bytes[LAB_FRAME_MAX];
};

struct run {
	const struct lab_options *options;
	struct lab_result *result;
	struct lab_qemu qemu;
	struct lab_kernel kernel;
	struct lab_modules modules;
	struct lab_layout layout;
	struct lab_words words;
	struct lab_counting counting;  /* the latency model; shared NULL: none */
	struct lab_recorder *recorder; /* NULL: none was asked for */
	struct lab_emulator emulator;
	struct lab_channel channel;
	struct lab_watch watch;
	int initrd_fd, console_fd, signal_fd;
	int kernel_fd; /* unpacked; -1: QEMU boots the file as it is */
	char *console_path;
	char *errors; /* what QEMU said, LAB_ERRORS_MAX + 1 bytes, NUL-terminated */
	size_t nr_errors;
	struct run_output output;
	struct printbuf report;		    /* of berth in the guest, as far as it came */
	int stdout_fd, stderr_fd, stdin_fd; /* -1 once they are of no use */

	enum run_stage stage;
	bool may_try_again; /* a boot that stalls need not be waited for */
	bool has_end;	    /* result->end and words are final, QEMU is being ended */
	bool is_over_limit; /* the program was told to end for lack of time */
	bool was_killed;    /* and told again, by SIGKILL */
	int host_signal;    /* that came to us; 0 none */
	uint64_t guest_start_ns;
	uint64_t start_ns, program_ns; /* wall: QEMU's start, the program's */
	uint64_t life_ns;	       /* wall: the last sign of life */
	uint64_t done_ns, told_ns; /* wall: LAB_DONE came; the program was told to end. 0: not */
};

/* run_prepare.c: all that happens before QEMU starts; nothing is running when it fails. */
int run_prepare(struct run *run, struct printbuf *err);
/* run_loop.c: from QEMU's start until it is gone. */
int run_loop(struct run *run, struct printbuf *err);
/* run_loop.c: names the end, once; QEMU is killed. */
void run_end(struct run *run, enum lab_end end, const char *format, ...) berth_printf(3, 4);
/* run_frames.c: what the guest said. */
void run_frames(struct run *run);
/* run_output.c */
void run_take_output(struct run *run, int fd, const void *bytes, size_t nr_bytes);
void run_write_output(struct run *run);
bool run_has_output(const struct run *run);
void run_forward_input(struct run *run);
/* run_finish.c: what the end was, when QEMU ended without being told; the console log. */
void run_finish(struct run *run);

/* result_series.c: adds a sample to the result; -ENOMEM. */
int result_add_sample(struct run *run, struct lab_reading *reading);

#endif
