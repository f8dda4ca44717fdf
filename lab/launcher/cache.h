/* SPDX-License-Identifier: MIT */
/*
 * What `berth lab setup` keeps below the user's cache directory, and finding it again.
 *
 *     $XDG_CACHE_HOME/berth/lab (or ~/.cache/berth/lab, or $BERTH_LAB_CACHE)
 *       qemu/            a tree as dpkg-deb -x makes it; `version` beside it
 *       kernels/6.12/    vmlinuz, config, version, modules/NAME.ko (unpacked)
 *       kernels/7.3/
 *       apt/             private apt state; packages fetched
 *
 * A folder appears under its name only when it is complete (filled beside it, then renamed).
 */
#ifndef BERTH_LAB_CACHE_H
#define BERTH_LAB_CACHE_H

#include "base/printbuf.h"

struct lab_qemu {
	char *binary;	 /* qemu-system-x86_64 */
	char *data_dir;	 /* for -L; NULL: its own default is right */
	char *bios_dir;	 /* second -L; NULL: none */
	char *libraries; /* for LD_LIBRARY_PATH; NULL: none needed */
	char *version;	 /* "10.0.2" */
};

struct lab_kernel {
	char *vmlinuz;
	char *modules_dir; /* NAME.ko files; NULL: what the lab needs is built in (a user's kernel)
			    */
	char *config;	   /* its configuration file, NULL: not known */
	char *version;	   /* "6.12.95+deb12-amd64" */
	char *series;	   /* "6.12"; NULL for a user's own file */
};

#define LAB_KERNEL_DEFAULT "6.12"

/* -ENOENT: not fetched; err names the remedy (berth lab setup). */
int lab_cache_qemu(struct lab_qemu *ret, struct printbuf *err);
/* `name`: a series ("6.12", "7.3") or a path of a vmlinuz (has a '/'); checked to be a bzImage. */
int lab_cache_kernel(const char *name, struct lab_kernel *ret, struct printbuf *err);
void lab_qemu_fini(struct lab_qemu *qemu);
void lab_kernel_fini(struct lab_kernel *kernel);
/* The cache folder, without a slash at its end; the caller frees. Need not exist. */
int lab_cache_dir(char **ret, struct printbuf *err);
/* A file of ours: "berth-agent", "libberth-latency.so", "workloads/hotset", "workloads/real/redis":
 * beside the running berth in a build tree (lab/...), else in the installed plugin folder. */
int lab_file(const char *name, char **ret, struct printbuf *err);

struct lab_setup_options {
	const char **kernels; /* series */
	size_t nr_kernels;
	void (*progress)(void *data, const char *what, int percent); /* percent -1: not known */
	void *data;
};
/* Fetches what is not there. 0, or negative errno with err: -ENETUNREACH no network and nothing
 * cached, -ENOSPC, -ENOTSUP not a Debian with apt. */
int lab_setup(const struct lab_setup_options *options, struct printbuf *err);

#endif
