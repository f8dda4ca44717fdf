/* SPDX-License-Identifier: MIT */
/*
 * What the guest is told before it boots: lines of /lab.conf, the modules, the kernel's words.
 *
 * A line must stay a line whatever is in an argument: newline, backslash and control characters
 * are escaped, and a space where a word must not end. lab/guest/conf.c reads it back; a unit test
 * takes both round.
 */
#include "lab/launcher/conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static void add_escaped(struct printbuf *conf, const char *text, bool is_word)
{
	static const char digits[] = "0123456789abcdef";
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at == '\n')
			prt_str(conf, "\\n");
		else if (*at == '\\')
			prt_str(conf, "\\\\");
		else if (*at < ' ' || *at == 0x7f || (is_word && *at == ' '))
			prt_mem(conf, (char[]){ '\\', 'x', digits[*at >> 4], digits[*at & 15] }, 4);
		else
			prt_char(conf, (char)*at);
	}
}

void lab_conf_add(struct printbuf *conf, const char *key, const char *value)
{
	prt_str(conf, key);
	prt_char(conf, ' ');
	add_escaped(conf, value, false);
	prt_char(conf, '\n');
}

void lab_conf_add2(struct printbuf *conf, const char *key, const char *first, const char *second)
{
	prt_str(conf, key);
	prt_char(conf, ' ');
	add_escaped(conf, first, true);
	prt_char(conf, ' ');
	add_escaped(conf, second, false);
	prt_char(conf, '\n');
}

void lab_conf_add_u64(struct printbuf *conf, const char *key, uint64_t value)
{
	prt_str(conf, key);
	prt_char(conf, ' ');
	prt_u64(conf, value);
	prt_char(conf, '\n');
}

/* In the order in which they must be loaded: each needs those before it. A kernel that has one
 * built in has no file for it. */
static const char *const module_names[] = { "netfs", "9pnet", "9pnet_virtio", "9p", "overlay" };

int lab_modules_find(const struct lab_kernel *kernel, struct lab_modules *ret, struct printbuf *err)
{
	struct lab_modules found = { 0 };
	size_t nr = 0;
	for (size_t i = 0; i < ARRAY_SIZE(module_names); i++) {
		char *path = NULL;
		if (lab_kernel_module(kernel, module_names[i], &path) < 0)
			continue;
		found.names[nr] = strdup(path + strlen(kernel->modules_dir) + 1);
		free(path);
		if (!found.names[nr++]) {
			lab_modules_fini(&found);
			return error_set(err, -ENOMEM, "%s: %s", kernel->modules_dir,
					 error_text(-ENOMEM));
		}
	}
	*ret = found;
	return 0;
}

void lab_modules_fini(struct lab_modules *modules)
{
	for (size_t i = 0; i < ARRAY_SIZE(modules->names); i++)
		free(modules->names[i]);
	*modules = (struct lab_modules){ 0 };
}

const char *lab_module_file(const char *name)
{
	const char *slash = strrchr(name, '/');
	return slash ? slash + 1 : name;
}

void lab_conf_modules(struct printbuf *conf, const struct lab_modules *modules)
{
	for (size_t i = 0; modules->names[i]; i++)
		lab_conf_add(conf, "module", lab_module_file(modules->names[i]));
}

/* Initialisation that the lab has no use for and that an emulated processor takes long for. The
 * kernel skips it by name; a name that it does not have is ignored. Debian's 6.12, in millions of
 * instructions: certificates and with them the modules' signatures 1,000, random numbers by timing
 * jitter (others are there) 130, names for values in trace formats 90, a list of functions that
 * cannot be traced 110. */
static const char *const skipped_calls[] = { "load_system_certificate_list", "jent_mod_init",
					     "trace_eval_init", "ftrace_check_for_weak_functions" };

/* What each word is for:
 *   console=ttyS0           the console log; a panic is seen there
 *   panic=-1 oops=panic     a kernel in trouble reboots at once, and QEMU's -no-reboot ends it
 *   quiet                   a line to an emulated serial port costs milliseconds; errors, oopses
 *                           and the out-of-memory killer still speak
 *   rdinit=/init            of the initramfs, whatever else there is
 *   cryptomgr.notests       the self-tests of ciphers: 600 million instructions
 *   rodata=off              no search of all page tables for writable code: 140 million
 *   mitigations=off         nothing to protect, and no code to patch for it
 */
void lab_kernel_command_line(struct printbuf *out, enum lab_time time, const char *extra)
{
	prt_str(out, "console=ttyS0 panic=-1 oops=panic quiet rdinit=/init cryptomgr.notests "
		     "rodata=off mitigations=off initcall_blacklist=");
	for (size_t i = 0; i < ARRAY_SIZE(skipped_calls); i++) {
		prt_str(out, i ? "," : "");
		prt_str(out, skipped_calls[i]);
	}
	if (time == LAB_TIME_ICOUNT)
		prt_str(out, " nokaslr norandmaps");
	if (extra && *extra) {
		prt_char(out, ' ');
		prt_str(out, extra);
	}
}
