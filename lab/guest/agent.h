/* SPDX-License-Identifier: MIT */
/*
 * The agent: process 1 of the lab's guest. What its files share.
 *
 *     main.c      the order of things
 *     conf.c      /lab.conf
 *     port.c      frames to and from the launcher
 *     root.c      file systems, modules, the host's root below a writable layer
 *     program.c   starting the program; what is left of it when it ended
 *     loop.c      while it runs: pipes, signals, the clock
 *     sample.c    the kernel's counters
 *     symbols.c   where the kernel's functions are, for the recorder
 *
 * It runs beside what is measured, so it stays small: static, about 0.4 MB of buffers that are
 * locked, no allocation while the program runs, and it sleeps unless there is something to do.
 */
#ifndef BERTH_LAB_AGENT_H
#define BERTH_LAB_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lab/protocol.h"

/* conf.c */

struct agent_setting {
	const char *path, *value;
	bool is_optional;
};

struct agent_conf {
	const char *host, *share_tag, *share_path, *cwd, *report;
	const char **modules; /* each of these ends in NULL */
	char **env, **argv;
	struct agent_setting *settings;
	size_t nr_modules, nr_env, nr_argv, nr_settings;
	uint64_t sample_ns;
	uint32_t user, group;
	bool has_user, adopt, is_icount;
};

/* `text` is changed and kept: strings point into it. NULL, or what is wrong with it. */
const char *conf_parse(char *text, struct agent_conf *ret);
const char *conf_read(const char *path, struct agent_conf *ret);

/* port.c */

#define PORT_OUT_SIZE ((size_t)256 << 10)

struct port {
	int fd; /* -1: not open yet; words go to the console alone */
	bool is_icount;
	size_t in_length;
	size_t out_start, out_end;
	uint8_t in[sizeof(struct lab_frame) + LAB_FRAME_MAX];
	uint8_t out[PORT_OUT_SIZE];
};

extern struct port port;

/* Finds and opens the launcher's port; false when there is none for ten seconds. */
bool port_open(void);
/* Where the payload of a next frame goes; at least `least` bytes of *ret_room, up to LAB_FRAME_MAX.
 * NULL when there is no such room and `wait` is false. port_end() sends it. */
uint8_t *port_begin(size_t least, bool wait, size_t *ret_room);
void port_end(uint32_t type, size_t length);
/* A frame at once; waits for room. */
void port_send(uint32_t type, const void *payload, size_t length);
/* "WHAT: WHY", to the console too. */
void port_say(uint32_t type, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes what the host takes now; true when nothing is left. Powers off when the host is gone. */
bool port_flush(void);
/* Reads what is there and gives each whole frame to `take`. */
void port_receive(void (*take)(uint32_t type, const uint8_t *payload, size_t length));
/* LAB_DONE, then waits until the launcher has it all, and powers off. */
void port_finish(void) __attribute__((noreturn));

/* root.c */

/* Each returns false after saying what went wrong. */
bool root_mount_kernel(void); /* /proc, /sys, /dev: enough to find the port */
bool root_mount(const struct agent_conf *conf);
bool root_apply(const struct agent_conf *conf);

/* program.c */

struct program {
	pid_t pid;		   /* 0: not started */
	int input, output, errors; /* our ends of its pipes; -1: closed */
	bool has_ended;
	uint64_t start_ns;
	struct lab_exited exited;
};

extern struct program program;

uint64_t monotonic_ns(void);
/* False when it could not be started; LAB_NOT_RUN was sent. */
bool program_start(const struct agent_conf *conf);
/* Collects every child that has ended; true when none is left. */
bool program_reap(void);
/* Ends all that is left of it. */
void program_kill_rest(void);
/* LAB_REPORT, when the launcher wants one. */
void program_send_report(const struct agent_conf *conf);

/* loop.c */

/* Serves the program until it has ended. */
void loop_run(const struct agent_conf *conf);
/* What is still in its pipes. */
void loop_drain(void);

/* sample.c */

void sample_open(void);
/* `when` as in struct lab_sample; a sample while the program runs is left out when the host does
 * not keep up. Returns the processor time it took. */
uint64_t sample_take(uint32_t when);
/* The kernel's count of processes that it killed for want of memory, as of the last sample. */
uint64_t sample_oom_kills(void);

/* symbols.c */

/* Says to the recorder where the functions of lab/symbols.h are; takes a second or two. */
void symbols_say(void);

#endif
