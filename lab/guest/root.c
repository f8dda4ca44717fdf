/* SPDX-License-Identifier: MIT */
/*
 * The guest's root: the host's, read-only over 9p, with everything written kept in memory on top.
 *
 *     /new          overlay: lower /host (9p, read-only), upper /layer (tmpfs)   -> becomes /
 *     /new/dev ...  moved from the initramfs
 *     /new/PATH     the shared folder, writable, at the path it has on the host
 *
 * The host's /tmp stays visible below that layer (a program built there can be run, what it writes
 * there stays in the guest); /run and /dev/shm begin empty.
 *
 * cache=loose: the host's files are taken not to change during a run, so what was read once is not
 * asked for again; the shared folder is written through and asked for each time (cache=mmap).
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lab/guest/agent.h"

#ifndef MODULE_INIT_COMPRESSED_FILE
#define MODULE_INIT_COMPRESSED_FILE 4
#endif

#define HOST_OPTIONS  "trans=virtio,version=9p2000.L,msize=262144,cache=loose"
#define SHARE_OPTIONS "trans=virtio,version=9p2000.L,msize=262144,cache=mmap"

struct mount {
	const char *type, *path, *options;
	unsigned long flags;
	bool is_optional; /* not every kernel has it */
};

static bool do_mount(const struct mount *mount_this)
{
	mkdir(mount_this->path, 0755);
	if (mount(mount_this->type, mount_this->path, mount_this->type, mount_this->flags,
		  mount_this->options) == 0 ||
	    mount_this->is_optional)
		return true;
	port_say(LAB_FAILED, "%s: cannot mount %s: %s", mount_this->path, mount_this->type,
		 strerror(errno));
	return false;
}

bool root_mount_kernel(void)
{
	static const struct mount mounts[] = {
		{ "proc", "/proc", NULL, 0, false },
		{ "sysfs", "/sys", NULL, 0, false },
		{ "devtmpfs", "/dev", "mode=0755", 0, false },
	};
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		if (!do_mount(&mounts[i]))
			return false;
	}
	return true;
}

static bool load_module(const char *name)
{
	char path[300];
	snprintf(path, sizeof(path), "/modules/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = strlen(path);
	bool is_packed = length > 3 && !strcmp(path + length - 3, ".xz");
	int error = 0;
	if (fd < 0 ||
	    syscall(SYS_finit_module, fd, "", is_packed ? MODULE_INIT_COMPRESSED_FILE : 0) < 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	unlink(path); /* the initramfs is memory */
	if (!error || error == EEXIST)
		return true;
	port_say(LAB_FAILED, "%s: the kernel does not load this module: %s", name, strerror(error));
	return false;
}

/* 9p mounts name the tag where others name a device. */
static bool mount_9p(const char *tag, const char *path, const char *options, unsigned long flags)
{
	if (mount(tag, path, "9p", flags, options) == 0)
		return true;
	port_say(LAB_FAILED, "%s: cannot mount the host's files (9p tag %s): %s", path, tag,
		 errno == ENODEV ? "this kernel has no 9p" : strerror(errno));
	return false;
}

static bool mount_layers(const char *tag)
{
	static const struct mount layer = { "tmpfs", "/layer", "mode=0755", 0, false };
	static const struct mount both = {
		"overlay", "/new", "lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work", 0,
		false
	};
	mkdir("/host", 0755);
	if (!mount_9p(tag, "/host", HOST_OPTIONS, MS_RDONLY) || !do_mount(&layer))
		return false;
	mkdir("/layer/upper", 0755);
	mkdir("/layer/work", 0755);
	return do_mount(&both);
}

static bool switch_root(void)
{
	static const char *const moved[][2] = { { "/proc", "/new/proc" },
						{ "/sys", "/new/sys" },
						{ "/dev", "/new/dev" } };
	for (size_t i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		mkdir(moved[i][1], 0755);
		if (mount(moved[i][0], moved[i][1], NULL, MS_MOVE, NULL) < 0)
			goto failed;
	}
	if (chdir("/new") == 0 && mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0 &&
	    chdir("/") == 0)
		return true;
failed:
	port_say(LAB_FAILED, "/: cannot switch to the host's root: %s", strerror(errno));
	return false;
}

static bool mount_rest(void)
{
	static const struct mount mounts[] = {
		{ "devpts", "/dev/pts", "mode=0620,ptmxmode=0666", 0, true },
		{ "tmpfs", "/dev/shm", "mode=1777", 0, false },
		{ "tmpfs", "/run", "mode=0755", 0, false },
		{ "debugfs", "/sys/kernel/debug", NULL, 0, true },
		{ "tracefs", "/sys/kernel/tracing", NULL, 0, true },
		{ "cgroup2", "/sys/fs/cgroup", NULL, 0, true },
	};
	static const char *const links[][2] = { { "/proc/self/fd", "/dev/fd" },
						{ "/proc/self/fd/0", "/dev/stdin" },
						{ "/proc/self/fd/1", "/dev/stdout" },
						{ "/proc/self/fd/2", "/dev/stderr" } };
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		if (!do_mount(&mounts[i]))
			return false;
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			port_say(LAB_MESSAGE, "%s: %s", links[i][1], strerror(errno));
	}
	mkdir("/run/lock", 01777);
	mkdir("/tmp", 01777);
	return true;
}

/* mkdir -p: the folder may be below one that only the host's /run or /dev/shm has. */
static void make_folders(const char *path)
{
	char part[4096];
	for (size_t i = 1; path[i - 1] && i < sizeof(part); i++) {
		if (path[i] == '/' || !path[i]) {
			memcpy(part, path, i);
			part[i] = '\0';
			mkdir(part, 0755);
		}
	}
}

/* Servers and their clients talk over 127.0.0.1. */
static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		goto out;
	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		port_say(LAB_MESSAGE, "lo: the loopback network stays down: %s", strerror(errno));
out:
	if (fd >= 0)
		close(fd);
}

/* The host's own name, so that its /etc/hosts still resolves it. */
static void set_host_name(void)
{
	char name[65] = "lab";
	int fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
	ssize_t nr = fd >= 0 ? read(fd, name, sizeof(name) - 1) : 0;
	if (fd >= 0)
		close(fd);
	if (nr > 0)
		name[nr] = '\0';
	size_t length = strcspn(name, " \t\n");
	if (length)
		sethostname(name, length);
}

/* Mounts and modules wait for grace periods, which are long where nothing else happens. */
static void hurry_grace_periods(bool is_hurried)
{
	int fd = open("/sys/kernel/rcu_expedited", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, is_hurried ? "1" : "0", 1) < 0)
		port_say(LAB_MESSAGE, "rcu_expedited: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

bool root_mount(const struct agent_conf *conf)
{
	hurry_grace_periods(true);
	for (size_t i = 0; i < conf->nr_modules; i++) {
		if (!load_module(conf->modules[i]))
			return false;
	}
	if (conf->host && (!mount_layers(conf->host) || !switch_root()))
		return false;
	if (!mount_rest())
		return false;
	if (conf->share_path) {
		make_folders(conf->share_path);
		if (!mount_9p(conf->share_tag, conf->share_path, SHARE_OPTIONS, 0))
			return false;
	}
	loopback_up();
	set_host_name();
	/* As a login on Debian has them; the kernel gives process 1 less. */
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 1024, 1 << 20 });
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, RLIM_INFINITY });
	hurry_grace_periods(false);
	return true;
}

bool root_apply(const struct agent_conf *conf)
{
	for (size_t i = 0; i < conf->nr_settings; i++) {
		const struct agent_setting *setting = &conf->settings[i];
		size_t length = strlen(setting->value);
		int fd = open(setting->path, O_WRONLY | O_CLOEXEC);
		int error = fd < 0 || write(fd, setting->value, length) < 0 ? errno : 0;
		if (fd >= 0)
			close(fd);
		if (!error)
			continue;
		port_say(setting->is_optional ? LAB_MESSAGE : LAB_SETTING_FAILED,
			 "%s: cannot write \"%.200s\": %s", setting->path, setting->value,
			 strerror(error));
		if (!setting->is_optional)
			return false;
	}
	return true;
}
