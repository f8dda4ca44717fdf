/* SPDX-License-Identifier: MIT */
/*
 * What the launcher (on the host) and the agent (process 1 of the guest) say to each other.
 *
 * Down, before boot: one text file /lab.conf in the initramfs, lines "key value" with \n, \\ and
 * \xHH escaped in the value; keys repeat where the list below says so and their order is kept. A
 * value of two words is parted at its first space; a space in the first word is \x20.
 *
 *     module FILE        (repeats) insmod this file of the initramfs
 *     host TAG           9p tag of the host's root; it becomes the root below a writable layer
 *     share TAG PATH     9p tag mounted read-write at PATH (--share), after the root
 *     set PATH VALUE     (repeats, in order) write VALUE to the file PATH before the program;
 *                        a failure is reported (LAB_SETTING_FAILED) and ends the run
 *     try PATH VALUE     (repeats) the same, but a failure is only reported
 *     env NAME=VALUE     (repeats) the program's whole environment
 *     cwd PATH           working directory ("/" when it is not there)
 *     argv WORD          (repeats) the program and its arguments
 *     sample NS          series interval in guest nanoseconds; 0: no series
 *     user UID GID       run the program as this user (not given: root)
 *     adopt 1            say LAB_MARK_ADOPT in the child before exec
 *     report PATH        send this file, which the program leaves, when it has ended
 *     icount 1           guest time races ahead when the guest is idle: do not sleep for the host
 *
 * Up and down, while it runs: frames on one virtio-serial port (LAB_PORT_NAME in the guest).
 * Little-endian. A frame is a header and `length` bytes. Unknown types are skipped. LAB_FRAME_MAX
 * bounds a payload; longer output is several frames. Input is sent only as far as LAB_INPUT_ROOM
 * allows, so that a signal always gets through behind it. The guest stays up after LAB_DONE until
 * it is told LAB_BYE (nothing that it sent is lost then) or the host closes the port.
 */
#ifndef BERTH_LAB_PROTOCOL_H
#define BERTH_LAB_PROTOCOL_H

#include <stdint.h>

#define LAB_PORT_NAME "berth.lab" /* /sys/class/virtio-ports/vportNpM/name */
#define LAB_FRAME_MAX 65536
/* Where berth, when it places the program's memory, leaves its report in the guest. */
#define LAB_REPORT_PATH "/run/berth-lab-report.json"
#define LAB_REPORT_MAX	(1 << 20)

enum lab_frame_type {
	/* from the guest */
	LAB_READY = 1,	    /* agent is up: struct lab_ready, then uname's release as text */
	LAB_MESSAGE,	    /* a sentence for people; also a `try` that failed */
	LAB_SETTING_FAILED, /* "PATH: reason"; LAB_DONE follows */
	LAB_STARTED,	    /* the program runs: u64 guest CLOCK_MONOTONIC ns, u32 pid */
	LAB_STDOUT,	    /* bytes */
	LAB_STDERR,	    /* bytes */
	LAB_SAMPLE,	    /* struct lab_sample, then text (see there) */
	LAB_EXITED,	    /* struct lab_exited */
	LAB_NOT_RUN,	    /* u32 errno of setuid or exec, then a sentence; LAB_DONE follows */
	LAB_DONE,	    /* last frame; the guest powers off after LAB_BYE */
	LAB_SAMPLE_PART,    /* text: a beginning of the sample that follows, too long for a frame */
	LAB_INPUT_ROOM,	    /* u32: so many more bytes of LAB_STDIN may be sent */
	LAB_FAILED,	    /* a sentence: the guest could not be made ready; LAB_DONE follows */
	LAB_REPORT,	    /* bytes of the file of `report`, up to LAB_REPORT_MAX in all; then,
			     * or when there is no such file, a frame without any */
	/* to the guest */
	LAB_STDIN = 64, /* bytes; none: end of input */
	LAB_SIGNAL,	/* u32 signal for the program's process group */
	LAB_BYE,	/* LAB_DONE was seen: power off */
};

struct lab_frame {
	uint32_t type; /* enum lab_frame_type */
	uint32_t length;
};

struct lab_ready {
	uint64_t guest_ns; /* CLOCK_MONOTONIC, which counts from boot */
};

/* The first sample (`when` 0) is taken just before the program starts, the last (2) just after it
 * ended. Text: "[vmstat]\n" and /proc/vmstat, then per node "[node N]\n" with the node's meminfo
 * and "[nodestat N]\n" with its vmstat; the first sample adds "[zoneinfo]\n" and /proc/zoneinfo,
 * "[tiers]\n" with lines "memory_tierN nodelist", "[demotion]\n" with demotion_enabled,
 * "[cmdline]\n", "[numa_balancing]\n" and "[hugepages]\n" with their files. Sections that the
 * kernel lacks are left out. */
struct lab_sample {
	uint64_t guest_ns;
	uint32_t when;	   /* 0 before, 1 while it runs, 2 after */
	uint32_t snapshot; /* the name under which the plugin was told to note its counters */
};

struct lab_exited {
	uint64_t guest_ns;
	uint32_t status;	 /* as wait(2) */
	uint32_t was_oom_killed; /* the kernel's oom_kill counter rose and SIGKILL ended it */
	uint64_t user_ns, system_ns, max_rss_bytes;
};

#endif
