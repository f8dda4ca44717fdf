/* SPDX-License-Identifier: MIT */
/*
 * QEMU as a child process: started, listened to, ended.
 *
 *     berth                              QEMU
 *     channel_fd  <---- socketpair ----> virtio-serial port   frames (lab/protocol.h)
 *     console_fd  <---- socketpair ----> serial port          the kernel's words
 *     errors_fd   <------- pipe -------- stdout, stderr       QEMU's own words
 *     pidfd       <- readable when it ended
 *
 * QEMU dies with berth, however berth dies (PR_SET_PDEATHSIG), and is in a process group of its
 * own, so that the terminal's Ctrl-C reaches berth alone. Its standard input is /dev/null.
 */
#ifndef BERTH_LAB_EMULATOR_H
#define BERTH_LAB_EMULATOR_H

#include <sys/types.h>

#include "lab/launcher/words.h"

#define LAB_EMULATOR_MAX_FDS 8

struct lab_emulator {
	pid_t pid; /* 0: not running */
	int pidfd;
	int channel_fd, console_fd, errors_fd;	/* ours; -1 when closed */
	int guest_channel_fd, guest_console_fd; /* QEMU's ends, to be named in its words */
	int keep[LAB_EMULATOR_MAX_FDS];		/* others that QEMU inherits (initrd, model) */
	size_t nr_keep;
	bool is_reaped;
	int wait_status; /* when is_reaped, as wait(2) */
};

/* Makes the sockets, so that their numbers can be put into words; then start. */
int lab_emulator_init(struct lab_emulator *emulator, struct printbuf *err);
/* `fd` keeps its number in QEMU; the caller still closes it. */
void lab_emulator_keep(struct lab_emulator *emulator, int fd);
/* words[0] is the binary. `libraries`: for LD_LIBRARY_PATH, NULL none. */
int lab_emulator_start(struct lab_emulator *emulator, const struct lab_words *words,
		       const char *libraries, struct printbuf *err);
/* Looks whether it ended; true when it has (now or before). */
bool lab_emulator_reap(struct lab_emulator *emulator);
void lab_emulator_kill(struct lab_emulator *emulator); /* SIGKILL; reap after it */
void lab_emulator_fini(struct lab_emulator *emulator); /* ends it, waits, closes all */

#endif
