/* SPDX-License-Identifier: MIT */
/* The parts of `berth record`. */
#ifndef BERTH_CLI_RECORD_H
#define BERTH_CLI_RECORD_H

#include <sys/types.h>

#include "cli/options.h"
#include "trace/ring.h"

struct record_live_options { /* a part of `berth record`'s: what runs already */
	uint64_t pid, limit_ns;
	const char *cgroup, *sampler, *machine, *state;
};
/* Returns the exit status. output: NULL when none was named. */
int record_live(const struct record_live_options *options, const char *output);

/* What is to be run: the ELF file that the kernel would load, scripts resolved. */
struct record_program {
	char *path;	   /* of the ELF file, as it was found */
	char *real;	   /* the same without links */
	char *interpreter; /* its dynamic loader, "" when it is static */
	char **arguments;  /* argv, NULL-terminated */
	bool is_set_id;	   /* runs without the rights of its owner under the recorder */
};

/* 0, or the exit status: 127 not found, 126 not executable, 3 not an x86-64 program. */
int record_find_program(char **arguments, int nr_arguments, struct record_program *ret,
			struct printbuf *err);
void record_program_fini(struct record_program *program);
/* The first executable of that name in PATH; malloc'ed; NULL and *ret_error otherwise. */
char *record_search_path(const char *name, int *ret_error);
/* libberth-recorder.so beside berth in the build tree, else where it was installed; malloc'ed. */
char *record_find_plugin(void);

/* One native run: its time, with standard output and error thrown away. 0 or negative errno. */
int record_baseline(const struct record_program *program, uint64_t *ret_wall_ns,
		    uint64_t *ret_cpu_ns, struct printbuf *err);

struct record_run {
	const struct record_program *program;
	const char *qemu, *plugin;
	int fd;			/* of FILE.part */
	uint64_t time_limit_ns; /* 0: none */
	struct recording *recording;
	int memory_fd;
	/* Results. */
	int status; /* as the shell would see it */
	int error;  /* what ended the recording, 0 */
	bool hit_limit, left_some;
	uint32_t nr_lanes;
	char **notes;
	uint32_t nr_notes;
};

/* Makes the shared memory; 0 or negative errno. */
int record_run_init(struct record_run *run, struct printbuf *err);
/* Starts the program and writes what comes until it and all its children ended. */
int record_run(struct record_run *run, struct printbuf *err);
void record_run_fini(struct record_run *run);
void record_add_note(struct record_run *run, const char *format, ...) berth_printf(2, 3);

#endif
