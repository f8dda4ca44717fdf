/* SPDX-License-Identifier: MIT */
/* Finding kernels and QEMU, and refusing what is neither. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/launcher/cache_files.h"
#include "lab/launcher/process.h"
#include "machine/tar.h"

static char folder[] = "/tmp/test_lab_cache.XXXXXX";

static void write_file(const char *name, const void *bytes, size_t nr, mode_t mode)
{
	char *path = lab_path(folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, nr), nr);
	close(fd);
	free(path);
}

static void make_folder(const char *name)
{
	char *path = lab_path(folder, name);
	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	free(path);
}

static void begin(void)
{
	strcpy(folder, "/tmp/test_lab_cache.XXXXXX");
	assert_non_null(mkdtemp(folder));
	setenv("BERTH_LAB_CACHE", folder, 1);
	unsetenv("BERTH_LAB_QEMU");
}

/* A boot sector with everything that a kernel's has, and nothing more. */
static void make_image(uint8_t image[8192])
{
	static const char version[] = "6.12.95+deb12-amd64 (who@where) #1 SMP";
	memset(image, 0, 8192);
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x20e] = 0x00;
	image[0x20f] = 0x04; /* 0x400 + 0x200 */
	memcpy(image + 0x600, version, sizeof(version));
}

static int version_of(const char *name, char **ret)
{
	PRINTBUF(err);
	char *path = lab_path(folder, name);
	int error = lab_kernel_read_version(path, ret, &err);
	assert_int_equal(error != 0, err.pos != 0); /* a sentence when it fails, and only then */
	free(path);
	return error;
}

static void test_image_header(void **state)
{
	uint8_t image[8192];
	char *version = NULL;
	begin();
	make_image(image);
	write_file("good", image, sizeof(image), 0644);
	assert_int_equal(version_of("good", &version), 0);
	assert_string_equal(version, "6.12.95+deb12-amd64");
	free(version);
	for (size_t nr = 0; nr < 0x600; nr += 97) { /* cut anywhere before the version */
		write_file("cut", image, nr, 0644);
		assert_int_equal(version_of("cut", &version), -ENOEXEC);
	}
	write_file("cut", image, 0x605, 0644); /* and within it */
	assert_int_equal(version_of("cut", &version), -ENOEXEC);
	image[0x202] = 'h';
	write_file("bad", image, sizeof(image), 0644);
	assert_int_equal(version_of("bad", &version), -ENOEXEC);
	make_image(image);
	image[0x1ff] = 0;
	write_file("bad", image, sizeof(image), 0644);
	assert_int_equal(version_of("bad", &version), -ENOEXEC);
	make_image(image);
	image[0x20e] = image[0x20f] = 0xff; /* a version beyond the file */
	write_file("bad", image, sizeof(image), 0644);
	assert_int_equal(version_of("bad", &version), -ENOEXEC);
	write_file("bad", "\177ELF and more", 13, 0644);
	assert_int_equal(version_of("bad", &version), -ENOEXEC);
	assert_int_equal(version_of(".", &version), -ENOEXEC);
	assert_int_equal(version_of("none", &version), -ENOENT);
	char *fifo = lab_path(folder, "fifo");
	assert_int_equal(mkfifo(fifo, 0644), 0);
	assert_int_equal(version_of("fifo", &version), -ENOEXEC);
	free(fifo);
	tar_remove_tree(folder);
}

static void test_fetched_kernel(void **state)
{
	uint8_t image[8192];
	struct lab_kernel kernel = {};
	PRINTBUF(err);
	begin();
	make_image(image);
	assert_int_equal(lab_cache_kernel("6.12", &kernel, &err), -ENOENT);
	assert_non_null(strstr(printbuf_str(&err), "berth lab setup --kernel 6.12"));
	assert_int_equal(lab_cache_kernel("6.13", &kernel, &err), -EINVAL);
	assert_non_null(strstr(printbuf_str(&err), "6.12, 7.3"));
	make_folder("kernels");
	make_folder("kernels/6.12");
	make_folder("kernels/6.12/modules");
	write_file("kernels/6.12/vmlinuz", image, sizeof(image), 0644);
	assert_int_equal(lab_cache_kernel("6.12", &kernel, &err),
			 -ENOENT); /* no config: not whole */
	write_file("kernels/6.12/config", "CONFIG_NUMA=y\n", 14, 0644);
	write_file("kernels/6.12/modules/9p.ko", "x", 1, 0644);
	assert_int_equal(lab_cache_kernel("6.12", &kernel, NULL), 0);
	assert_string_equal(kernel.version, "6.12.95+deb12-amd64");
	assert_string_equal(kernel.series, "6.12");
	char *module = NULL;
	assert_int_equal(lab_kernel_module(&kernel, "9p", &module), 0);
	assert_string_equal(strrchr(module, '/'), "/9p.ko");
	free(module);
	assert_int_equal(lab_kernel_module(&kernel, "p", &module), -ENOENT);
	lab_kernel_fini(&kernel);
	tar_remove_tree(folder);
}

/* A user's own, with modules as depmod leaves them. */
static void test_own_kernel(void **state)
{
	static const char dep[] = "kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz\n"
				  "kernel/net/9p/9pnet.ko.xz:\n";
	uint8_t image[8192];
	struct lab_kernel kernel = {};
	char *module = NULL;
	begin();
	make_image(image);
	write_file("bzImage", image, sizeof(image), 0644);
	write_file("config-6.12.95+deb12-amd64", "x", 1, 0644);
	make_folder("modules");
	make_folder("modules/kernel");
	make_folder("modules/kernel/net");
	make_folder("modules/kernel/net/9p");
	write_file("modules/modules.dep", dep, sizeof(dep) - 1, 0644);
	write_file("modules/kernel/net/9p/9pnet.ko.xz", "x", 1, 0644);
	char *path = lab_path(folder, "bzImage");
	assert_int_equal(lab_cache_kernel(path, &kernel, NULL), 0);
	assert_null(kernel.series);
	assert_non_null(kernel.config);
	assert_int_equal(lab_kernel_module(&kernel, "9pnet", &module), 0);
	assert_non_null(strstr(module, "/modules/kernel/net/9p/9pnet.ko.xz"));
	free(module);
	assert_int_equal(lab_kernel_module(&kernel, "9pnet_virtio", &module), -ENOENT);
	assert_int_equal(lab_kernel_module(&kernel, "net", &module), -ENOENT);
	lab_kernel_fini(&kernel);
	free(path);
	tar_remove_tree(folder);
}

static void test_own_qemu(void **state)
{
	static const char good[] = "#!/bin/sh\necho 'QEMU emulator version 10.0.2 (Debian)'\n";
	static const char bad[] = "#!/bin/sh\necho no library >&2; exit 127\n";
	struct lab_qemu qemu = {};
	PRINTBUF(err);
	begin();
	write_file("good", good, sizeof(good) - 1, 0755);
	write_file("bad", bad, sizeof(bad) - 1, 0755);
	write_file("data", "x", 1, 0644);
	char *path = lab_path(folder, "good");
	setenv("BERTH_LAB_QEMU", path, 1);
	assert_int_equal(lab_cache_qemu(&qemu, &err), 0);
	assert_string_equal(qemu.version, "10.0.2");
	assert_string_equal(qemu.binary, path);
	assert_null(qemu.libraries);
	lab_qemu_fini(&qemu);
	free(path);
	path = lab_path(folder, "bad");
	setenv("BERTH_LAB_QEMU", path, 1);
	assert_int_equal(lab_cache_qemu(&qemu, &err), -ENOEXEC);
	assert_non_null(strstr(printbuf_str(&err), "no library"));
	free(path);
	path = lab_path(folder, "none");
	setenv("BERTH_LAB_QEMU", path, 1);
	assert_int_equal(lab_cache_qemu(&qemu, &err), -ENOENT);
	free(path);
	unsetenv("BERTH_LAB_QEMU");
	tar_remove_tree(folder);
}

static void test_qemu_version(void **state)
{
	char *version = lab_qemu_parse_version(
		"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nC");
	assert_string_equal(version, "7.2.22");
	free(version);
	assert_null(lab_qemu_parse_version("QEMU emulator version x"));
	assert_null(lab_qemu_parse_version("qemu"));
}

static void test_cache_folder(void **state)
{
	char *path = NULL;
	PRINTBUF(err);
	setenv("BERTH_LAB_CACHE", "/a/b//", 1);
	assert_int_equal(lab_cache_dir(&path, &err), 0);
	assert_string_equal(path, "/a/b");
	free(path);
	setenv("BERTH_LAB_CACHE", "a", 1);
	assert_int_equal(lab_cache_dir(&path, &err), -EINVAL);
	unsetenv("BERTH_LAB_CACHE");
	setenv("XDG_CACHE_HOME", "/x", 1);
	assert_int_equal(lab_cache_dir(&path, &err), 0);
	assert_string_equal(path, "/x/berth/lab");
	free(path);
	setenv("XDG_CACHE_HOME", "relative", 1); /* to be ignored */
	setenv("HOME", "/h", 1);
	assert_int_equal(lab_cache_dir(&path, &err), 0);
	assert_string_equal(path, "/h/.cache/berth/lab");
	free(path);
}

static void count_line(void *data, const char *line)
{
	*(unsigned *)data += strcmp(line, "dlstatus:1:5:x") == 0;
}

static void test_process(void **state)
{
	static const char *const talk[] = { "sh", "-c",
					    "echo dlstatus:1:5:x >&3; printf dlstatus: >&3; "
					    "sleep 0.1; echo 1:5:x >&3; echo out; echo said >&2; "
					    "exit 7",
					    NULL };
	static const char *const none[] = { "no-such-program-at-all", NULL };
	static const char *const cat[] = { "cat", NULL };
	static const char *const hello[] = { "sh", "-c", "echo $HELLO", NULL };
	static const char *const set[] = { "HELLO=feed", NULL };
	static const char *const bad[] = { "sh", "-c", "exit 3", NULL };
	static const char *const nap[] = { "sleep", "30", NULL };
	static const char *const flood[] = { "sh", "-c", "yes >&2 & yes", NULL };
	unsigned nr_lines = 0;
	PRINTBUF(out);
	PRINTBUF(said);
	struct process process = { .argv = talk, .status_line = count_line, .data = &nr_lines };
	assert_int_equal(process_run(&process, &out, &said), 7);
	assert_string_equal(printbuf_str(&out), "out\n");
	assert_string_equal(printbuf_str(&said), "said\n");
	assert_int_equal(nr_lines, 2);
	process = (struct process){ .argv = none };
	assert_int_equal(process_run(&process, NULL, NULL), -ENOENT);
	printbuf_reset(&out);
	process = (struct process){ .argv = cat, .feed = hello, .set = set };
	assert_int_equal(process_run(&process, &out, NULL), 0);
	assert_string_equal(printbuf_str(&out), "feed\n");
	process.feed = bad;
	assert_int_equal(process_run(&process, NULL, NULL), 3);
	process = (struct process){ .argv = nap, .limit_ns = 100 * NS_PER_MS };
	assert_int_equal(process_run(&process, NULL, NULL), -ETIMEDOUT);
	printbuf_reset(&out);
	process = (struct process){ .argv = flood }; /* its child goes with it */
	assert_int_equal(process_run(&process, &out, &said), -E2BIG);
	assert_true(out.pos <= PROCESS_OUTPUT_MAX);
}
