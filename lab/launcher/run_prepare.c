/* SPDX-License-Identifier: MIT */
/*
 * Before QEMU starts: everything is found, checked and written down, so that what is wrong is said
 * while nothing runs.
 *
 *     QEMU, kernel --> layout --> enough memory? --> program --> /lab.conf --> initramfs
 *     --> sockets --> QEMU's words
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/launcher/initrd.h"
#include "lab/launcher/pin.h"
#include "lab/launcher/qemu_options.h"
#include "lab/launcher/run.h"
#include "lab/launcher/vmlinux.h"

#define SAMPLE_NS_DEFAULT NS_PER_S
/* What Debian's own x86-64 needs and a little more (x86-64-v2), all quick under TCG; random
 * numbers from the CPU, or the first program that wants some waits for seconds. */
#define CPU_MODEL "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+lahf_lm,+rdrand,+rdseed,+pdpe1gb"
/* Beside the guest's memory: QEMU itself and its translations. */
#define QEMU_OWN_BYTES (192 * MIB)

static uint64_t available_bytes(void)
{
	char text[4096] = "";
	unsigned long long kib = 0;
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t nr = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	const char *at = nr > 0 ? strstr(text, "MemAvailable:") : NULL;
	if (!at || sscanf(at, "MemAvailable: %llu kB", &kib) != 1)
		return UINT64_MAX;
	return kib * KIB;
}

/* The guest may touch all its memory; a host without it would kill us or others. */
static int check_memory(const struct run *run, struct printbuf *err)
{
	uint64_t available = available_bytes();
	uint64_t needed = run->layout.memory_bytes + QEMU_OWN_BYTES;
	if (needed <= available)
		return 0;
	PRINTBUF(text);
	prt_str(&text, "the machine needs ");
	prt_bytes(&text, needed);
	prt_str(&text, " of memory here, QEMU included, and ");
	prt_bytes(&text, available);
	prt_str(&text, " is available; scale the machine down");
	return error_set(err, -ENOMEM, "%s", printbuf_str(&text));
}

static int find_parts(struct run *run, struct printbuf *err)
{
	const char *kernel = run->options->kernel;
	int error = lab_cache_kernel(kernel ? kernel : LAB_KERNEL_DEFAULT, &run->kernel, err);
	if (!error)
		error = lab_cache_qemu(&run->qemu, err);
	if (!error)
		error = lab_modules_find(&run->kernel, &run->modules, err);
	return error;
}

/* What the program runs under: this very berth, found in the guest under the same path. */
static int add_launcher(struct run *run, struct printbuf *conf, struct printbuf *err)
{
	const struct lab_policy *policy = run->options->policy;
	if (!policy || !policy->nr_launcher)
		return 0;
	char *self = realpath("/proc/self/exe", NULL);
	if (!self)
		return error_set(err, -errno, "/proc/self/exe: %s", error_text(-errno));
	lab_conf_add(conf, "report", LAB_REPORT_PATH);
	lab_conf_add(conf, "argv", self);
	for (size_t i = 0; i < policy->nr_launcher; i++)
		lab_conf_add(conf, "argv", policy->launcher[i]);
	free(self);
	return 0;
}

/* The words of the program: a workload of ours by its bare name before PATH. */
static void add_program(struct run *run, struct printbuf *conf)
{
	char *const *argv = run->options->argv;
	char *path = NULL;
	if (!strchr(argv[0], '/')) {
		PRINTBUF(plain);
		PRINTBUF(real);
		prt_printf(&plain, "workloads/%s", argv[0]);
		prt_printf(&real, "workloads/real/%s.sh", argv[0]);
		if (lab_file(printbuf_str(&plain), &path, NULL) < 0 &&
		    lab_file(printbuf_str(&real), &path, NULL) == 0)
			lab_conf_add(conf, "argv", "/bin/sh");
	}
	lab_conf_add(conf, "argv", path ? path : argv[0]);
	for (size_t i = 1; argv[i]; i++)
		lab_conf_add(conf, "argv", argv[i]);
	free(path);
}

static bool is_set(const char *const *environment, const char *name)
{
	size_t length = strcspn(name, "=") + 1;
	for (size_t i = 0; environment && environment[i]; i++)
		if (strncmp(environment[i], name, length) == 0)
			return true;
	return false;
}

/* Our workloads last: a script in the guest finds them, and `phase`, by name. */
static void add_path(struct printbuf *conf)
{
	char *phase = NULL;
	PRINTBUF(path);
	prt_str(&path, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	if (lab_file("workloads/phase", &phase, NULL) == 0) {
		prt_char(&path, ':');
		prt_mem(&path, phase, (size_t)(strrchr(phase, '/') - phase));
	}
	lab_conf_add(conf, "env", printbuf_str(&path));
	free(phase);
}

static void add_environment(const struct run *run, struct printbuf *conf)
{
	static const char *const plain[] = {
		"HOME=/root",	 "USER=root",	 "LOGNAME=root",
		"SHELL=/bin/sh", "LANG=C.UTF-8", "TERM=dumb",
	};
	const char *const *more = run->options->environment;
	if (!is_set(more, "PATH="))
		add_path(conf);
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (!is_set(more, plain[i]))
			lab_conf_add(conf, "env", plain[i]);
	if (run->options->policy && run->options->policy->place && !is_set(more, "LAB_PLACE=")) {
		PRINTBUF(place);
		prt_printf(&place, "LAB_PLACE=%s", run->options->policy->place);
		lab_conf_add(conf, "env", printbuf_str(&place));
	}
	for (size_t i = 0; more && more[i]; i++)
		lab_conf_add(conf, "env", more[i]);
}

static void add_settings(const struct run *run, struct printbuf *conf)
{
	const struct lab_policy *policy = run->options->policy;
	for (size_t i = 0; policy && i < policy->nr_settings; i++)
		lab_conf_add2(conf, policy->settings[i].is_optional ? "try" : "set",
			      policy->settings[i].path, policy->settings[i].value);
}

static int find_share(const struct run *run, char **ret, struct printbuf *err)
{
	const char *given = run->options->share_dir;
	struct stat found;
	if (!given)
		return 0;
	char *path = realpath(given, NULL);
	if (!path)
		return error_set(err, -errno, "%s: cannot be shared: %s", given,
				 error_text(-errno));
	if (stat(path, &found) < 0 || !S_ISDIR(found.st_mode)) {
		free(path);
		return error_set(err, -ENOTDIR, "%s: not a directory; --share takes one", given);
	}
	*ret = path;
	return 0;
}

static int write_conf(struct run *run, const char *share, struct printbuf *conf,
		      struct printbuf *err)
{
	const struct lab_options *options = run->options;
	char *directory = getcwd(NULL, 0);
	lab_conf_modules(conf, &run->modules);
	lab_conf_add(conf, "host", LAB_TAG_HOST);
	if (share)
		lab_conf_add2(conf, "share", LAB_TAG_SHARE, share);
	add_settings(run, conf);
	add_environment(run, conf);
	lab_conf_add(conf, "cwd", directory ? directory : "/");
	int error = add_launcher(run, conf, err);
	add_program(run, conf);
	lab_conf_add_u64(conf, "sample",
			 options->sample_ns ? options->sample_ns : SAMPLE_NS_DEFAULT);
	if (options->time == LAB_TIME_ICOUNT)
		lab_conf_add(conf, "icount", "1");
	if (options->record_path)
		lab_conf_add(conf, "adopt", "1");
	free(directory);
	return error;
}

static int make_initrd(struct run *run, const struct printbuf *conf, struct printbuf *err)
{
	char *agent = NULL;
	int error = printbuf_has_error(conf) ? error_set(err, -ENOMEM, "out of memory")
					     : lab_file("berth-agent", &agent, err);
	if (!error)
		error = lab_initrd(agent, &run->kernel, &run->modules, conf, &run->initrd_fd, err);
	free(agent);
	return error;
}

/* QEMU ends a value at a comma; a comma that belongs to it is written twice. */
static void prt_value(struct printbuf *out, const char *value)
{
	for (; *value; value++) {
		if (*value == ',')
			prt_char(out, ',');
		prt_char(out, *value);
	}
}

static void add_9p(struct lab_words *words, const char *tag, const char *path, bool is_readonly)
{
	PRINTBUF(value);
	prt_value(&value, path);
	lab_words_option(words, "-fsdev",
			 "local,id=%s,path=%s,security_model=none,multidevs=remap%s", tag,
			 printbuf_str(&value), is_readonly ? ",readonly=on" : "");
	lab_words_option(words, "-device", "virtio-9p-pci,fsdev=%s,mount_tag=%s", tag, tag);
}

/* icount: guest time is the instruction count times 8 ns, idle time is skipped, and what would
 * differ from run to run (date, random numbers) is fixed. */
static void add_time(struct lab_words *words, enum lab_time time)
{
	if (time == LAB_TIME_ICOUNT) {
		lab_words_option(words, "-accel", "tcg,thread=single");
		lab_words_option(words, "-icount", "shift=3,sleep=off,align=off");
		lab_words_option(words, "-rtc", "base=2026-01-01T00:00:00,clock=vm");
		lab_words_option(words, "-seed", "1");
	} else {
		lab_words_option(words, "-accel", "tcg,thread=multi");
	}
}

static void add_devices(struct run *run)
{
	struct lab_words *words = &run->words;
	lab_words_option(words, "-chardev", "socket,id=console,fd=%d",
			 run->emulator.guest_console_fd);
	lab_words_option(words, "-serial", "chardev:console");
	lab_words_option(words, "-chardev", "socket,id=frames,fd=%d",
			 run->emulator.guest_channel_fd);
	lab_words_option(words, "-device", "virtio-serial-pci,max_ports=2");
	lab_words_option(words, "-device", "virtserialport,chardev=frames,name=%s", LAB_PORT_NAME);
}

/* Unpacked where that can be done here, for a quicker boot; else the kernel unpacks itself. */
static void add_kernel(struct run *run)
{
	PRINTBUF(line);
	lab_kernel_command_line(&line, run->options->time, NULL);
	if (run->kernel_fd >= 0)
		lab_words_option(&run->words, "-kernel", "/proc/self/fd/%d", run->kernel_fd);
	else
		lab_words_option(&run->words, "-kernel", "%s", run->kernel.vmlinuz);
	lab_words_option(&run->words, "-initrd", "/proc/self/fd/%d", run->initrd_fd);
	lab_words_option(&run->words, "-append", "%s", printbuf_str(&line));
}

static void write_words(struct run *run, const char *share)
{
	struct lab_words *words = &run->words;
	lab_words_add(words, run->qemu.binary);
	if (run->qemu.data_dir)
		lab_words_option(words, "-L", "%s", run->qemu.data_dir);
	if (run->qemu.bios_dir)
		lab_words_option(words, "-L", "%s", run->qemu.bios_dir);
	lab_words_option(words, "-name", "berth-lab,debug-threads=on");
	lab_words_add(words, "-no-user-config");
	lab_words_add(words, "-nodefaults");
	lab_words_add(words, "-no-reboot");
	lab_words_option(words, "-display", "none");
	lab_words_option(words, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny");
	add_time(words, run->options->time);
	lab_words_option(words, "-cpu", CPU_MODEL);
	lab_qemu_machine(words, run->options->machine, &run->layout);
	add_kernel(run);
	add_devices(run);
	add_9p(words, LAB_TAG_HOST, "/", true);
	if (share)
		add_9p(words, LAB_TAG_SHARE, share, false);
}

static int open_console(struct run *run, struct printbuf *err)
{
	const char *directory = getenv("TMPDIR");
	if (run->options->console_path) {
		run->console_path = strdup(run->options->console_path);
		run->console_fd = open(run->options->console_path,
				       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
	} else {
		PRINTBUF(path);
		prt_printf(&path, "%s/berth-lab-console-XXXXXX",
			   directory && *directory ? directory : "/tmp");
		run->console_path = printbuf_steal(&path, NULL);
		run->console_fd = run->console_path ? mkostemp(run->console_path, O_CLOEXEC) : -1;
	}
	if (run->console_fd < 0 || !run->console_path)
		return error_set(err, -errno, "%s: the console cannot be kept there: %s",
				 run->console_path ? run->console_path : "console",
				 error_text(-errno));
	return 0;
}

static void tell_what_is_other(struct run *run)
{
	struct printbuf *notes = &run->result->notes;
	lab_layout_notes(notes, &run->layout, run->options->machine);
	lab_qemu_notes(notes, run->options->machine, &run->layout);
}

static char **copy_words(char *const *words)
{
	struct lab_words copy = { 0 };
	for (size_t i = 0; words[i]; i++)
		lab_words_add(&copy, words[i]);
	if (!copy.has_error)
		return copy.items;
	lab_words_fini(&copy);
	return NULL;
}

static int make_result(struct run *run, struct printbuf *err)
{
	const struct lab_options *options = run->options;
	struct lab_result *result = run->result;
	size_t nr = run->layout.nr_nodes;
	result->nr_nodes = run->layout.nr_nodes;
	result->nodes = calloc(nr, sizeof(*result->nodes));
	result->guest_node = calloc(nr, sizeof(*result->guest_node));
	result->argv = copy_words(options->argv);
	result->policy = options->policy ? strdup(options->policy->text) : NULL;
	result->time = options->time;
	run->errors = calloc(1, LAB_ERRORS_MAX + 1);
	if (!result->nodes || !result->guest_node || !result->argv || !run->errors ||
	    (options->policy && !result->policy))
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(result->guest_node, run->layout.guest_node, nr * sizeof(*result->guest_node));
	return 0;
}

/* `words`: what the plugin is told of it. */
static int make_recorder(struct run *run, struct printbuf *words, struct printbuf *err)
{
	int error = lab_recorder_new(run->options, &run->counting.shared->model, &run->recorder,
				     err);
	if (error)
		return error;
	int fd = lab_recorder_fd(run->recorder);
	lab_emulator_keep(&run->emulator, fd);
	prt_printf(words, "%d", fd);
	return 0;
}

/* The latency model: memory shared with a plugin of QEMU. */
static int make_model(struct run *run, struct printbuf *err)
{
	char *plugin = NULL;
	PRINTBUF(value);
	PRINTBUF(record);
	if (run->options->has_no_model)
		return 0;
	int error = lab_file("libberth-latency.so", &plugin, err);
	if (!error)
		error = lab_counting_init(run->options->machine, &run->layout, run->options->time,
					  NULL, &run->counting, err);
	if (!error && run->options->record_path)
		error = make_recorder(run, &record, err);
	if (!error) {
		lab_emulator_keep(&run->emulator, run->counting.fd);
		lab_counting_words(&value, plugin, &run->counting,
				   run->recorder ? printbuf_str(&record) : NULL);
		lab_words_option(&run->words, "-plugin", "%s", printbuf_str(&value));
	}
	free(plugin);
	return error;
}

static int put_together(struct run *run, const char *share, struct printbuf *err)
{
	PRINTBUF(conf);
	int error = write_conf(run, share, &conf, err);
	if (!error)
		error = make_initrd(run, &conf, err);
	if (!error)
		error = lab_emulator_init(&run->emulator, err);
	if (!error)
		error = lab_channel_init(&run->channel, run->emulator.channel_fd, err);
	if (error)
		return error;
	lab_emulator_keep(&run->emulator, run->initrd_fd);
	if (lab_vmlinux(run->kernel.vmlinuz, &run->kernel_fd, NULL) == 0)
		lab_emulator_keep(&run->emulator, run->kernel_fd);
	write_words(run, share);
	error = make_model(run, err);
	return error ? error : open_console(run, err);
}

int run_prepare(struct run *run, struct printbuf *err)
{
	const struct lab_options *options = run->options;
	char *share = NULL;
	int error = lab_recorder_check(options, err);
	if (!error)
		error = lab_layout_init(options->machine, options->time, &run->layout, err);
	if (!error && options->pin)
		error = lab_pin_check(options->pin, run->layout.nr_vcpus, options->time, err);
	if (!error)
		error = check_memory(run, err);
	if (!error)
		error = find_share(run, &share, err);
	if (!error)
		error = find_parts(run, err);
	if (!error)
		error = make_result(run, err);
	if (!error)
		error = put_together(run, share, err);
	if (!error)
		tell_what_is_other(run);
	free(share);
	return error;
}
