/* SPDX-License-Identifier: MIT */
/*
 * What `berth lab setup` keeps below the user's cache directory, and finding it again.
 *
 *     $BERTH_LAB_CACHE, or $XDG_CACHE_HOME/berth/lab, or ~/.cache/berth/lab
 *       qemu/            usr/bin/qemu-system-x86_64 and what it needs, as Debian lays it out;
 *                        version ("10.0.2"), package (Debian's version)
 *       kernels/6.12/    vmlinuz, config, modules/NAME.ko (unpacked); version, package
 *       kernels/7.3/
 *       work/            while a setup runs, or after one was interrupted; removed at its end
 *       lock             held by a setup
 *
 * A folder appears under its name only when it is complete: filled below work/, then renamed.
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
	/* A folder of NAME.ko files; or a user's kernel's own tree (/lib/modules/VERSION, has a
	 * folder `kernel` with NAME.ko.xz below it: see lab_kernel_module()); NULL: all that the
	 * lab needs must be built in. */
	char *modules_dir;
	char *config;  /* its configuration file, NULL: not known */
	char *version; /* "6.12.95+deb12-amd64" */
	char *series;  /* "6.12"; NULL for a user's own file */
};

#define LAB_KERNEL_DEFAULT "6.12"
#define LAB_QEMU_MAJOR_MIN 10 /* 7.2 dies in kernel text patching of 7.3 guests */

/* The series that setup knows; NULL-terminated. */
extern const char *const lab_kernel_series[];

/* $BERTH_LAB_QEMU, else the system's when new enough, else the fetched one. -ENOENT: none; err
 * names the remedy (berth lab setup). */
int lab_cache_qemu(struct lab_qemu *ret, struct printbuf *err);
/* `name`: a series ("6.12", "7.3") or a path of a vmlinuz (has a '/'); checked to be a bzImage.
 * -EINVAL: unknown series; -ENOENT: not there; -ENOEXEC: not a kernel. */
int lab_cache_kernel(const char *name, struct lab_kernel *ret, struct printbuf *err);
/* The file of module `name` ("9pnet_virtio"): NAME.ko, or NAME.ko.xz, .gz, .zst in a tree of the
 * user's own. -ENOENT (no err text): it has none, perhaps because it is built in. */
int lab_kernel_module(const struct lab_kernel *kernel, const char *name, char **ret);
void lab_qemu_fini(struct lab_qemu *qemu);
void lab_kernel_fini(struct lab_kernel *kernel);
/* The cache folder, without a slash at its end; the caller frees. Need not exist. */
int lab_cache_dir(char **ret, struct printbuf *err);
/* A file of ours: "berth-agent", "libberth-latency.so", "workloads/hotset", "workloads/real/redis":
 * beside the running berth in a build tree (lab/...), else in the installed plugin folder. Scripts
 * (workloads/real/NAME.sh) are found in the source tree of a build, too; `.sh` may be left out. */
int lab_file(const char *name, char **ret, struct printbuf *err);

struct lab_setup_options {
	/* Series; none: LAB_KERNEL_DEFAULT. A path (with a '/') is a vmlinuz that is only checked.
	 */
	const char **kernels;
	size_t nr_kernels;
	bool refresh; /* look for newer ones of what is there */
	/* What is done now; percent -1: not known. `bytes`: of all that is fetched, 0: unknown. */
	void (*progress)(void *data, const char *what, int percent, uint64_t bytes);
	void *data;
};
/* Fetches what is not there. 0, or negative errno with err: -EINVAL unknown series, -ENETUNREACH
 * no network and not cached, -ENOSPC, -EOPNOTSUPP not a Debian with apt, or not x86_64. */
int lab_setup(const struct lab_setup_options *options, struct printbuf *err);

#endif
