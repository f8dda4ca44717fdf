/* SPDX-License-Identifier: MIT */
/*
 * What the guest is told before it boots: /lab.conf (lab/protocol.h names the keys) and the
 * kernel's command line.
 *
 *     PRINTBUF(conf);
 *     lab_conf_modules(&conf, &kernel);
 *     lab_conf_add(&conf, "host", "host");
 *     lab_conf_add(&conf, "cwd", cwd);
 *     lab_conf_add2(&conf, "set", "/proc/sys/kernel/numa_balancing", "2");
 *     lab_conf_add(&conf, "argv", "ls");
 */
#ifndef BERTH_LAB_CONF_H
#define BERTH_LAB_CONF_H

#include "base/printbuf.h"
#include "lab/counters.h"
#include "lab/launcher/cache.h"

/* 9p tags of the host's root and of --share. */
#define LAB_TAG_HOST  "host"
#define LAB_TAG_SHARE "share"

/* One line "key value"; any bytes but NUL may be in the value. */
void lab_conf_add(struct printbuf *conf, const char *key, const char *value);
/* "key FIRST SECOND": share (tag, path), set and try (path, value). FIRST may hold spaces. */
void lab_conf_add2(struct printbuf *conf, const char *key, const char *first, const char *second);
void lab_conf_add_u64(struct printbuf *conf, const char *key, uint64_t value);

/* The modules that the host's root needs, as far as `kernel` has them as files, in the order in
 * which they must be loaded: NULL-terminated, file names below kernel->modules_dir. */
#define LAB_MAX_MODULES 16
struct lab_modules {
	char *names[LAB_MAX_MODULES + 1];
};
/* Does nothing for a kernel without modules_dir. */
int lab_modules_find(const struct lab_kernel *kernel, struct lab_modules *ret,
		     struct printbuf *err);
void lab_modules_fini(struct lab_modules *modules);
/* What the module at `name` below kernel->modules_dir is called in the guest: its last part. */
const char *lab_module_file(const char *name);
/* A line "module FILE" for each. */
void lab_conf_modules(struct printbuf *conf, const struct lab_modules *modules);

/* The kernel's command line for a quick boot whose death is seen: `extra` (NULL: none) comes last,
 * so it wins. */
void lab_kernel_command_line(struct printbuf *out, enum lab_time time, const char *extra);

#endif
