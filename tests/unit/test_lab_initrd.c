/* SPDX-License-Identifier: MIT */
/* The initramfs: read back as the kernel reads it (init/initramfs.c). */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/launcher/initrd.h"

struct entry {
	char name[64];
	unsigned mode, size, major, minor;
	const uint8_t *bytes;
};

static unsigned field(const uint8_t *header, unsigned index)
{
	char digits[9] = "";
	memcpy(digits, header + 6 + 8 * index, 8);
	char *end;
	unsigned value = (unsigned)strtoul(digits, &end, 16);
	assert_true(*end == '\0');
	return value;
}

/* The entry at *at, and *at behind it; false at the trailer. */
static bool next_entry(const uint8_t *bytes, size_t nr, size_t *at, struct entry *ret)
{
	assert_int_equal(*at % 4, 0);
	assert_true(nr - *at >= 110);
	const uint8_t *header = bytes + *at;
	assert_memory_equal(header, "070701", 6);
	unsigned name_size = field(header, 11);
	ret->mode = field(header, 1);
	ret->size = field(header, 6);
	ret->major = field(header, 9);
	ret->minor = field(header, 10);
	assert_true(name_size <= sizeof(ret->name));
	memcpy(ret->name, header + 110, name_size);
	assert_int_equal(ret->name[name_size - 1], 0);
	*at = (*at + 110 + name_size + 3) & ~(size_t)3;
	ret->bytes = bytes + *at;
	*at = (*at + ret->size + 3) & ~(size_t)3;
	assert_true(*at <= nr);
	return strcmp(ret->name, "TRAILER!!!") != 0;
}

static void test_layout(void **state)
{
	PRINTBUF(out);
	struct entry entry;
	size_t at = 0;
	lab_cpio_directory(&out, "dev");
	lab_cpio_device(&out, "dev/console", 5, 1);
	/* Every padding of name and bytes. */
	for (unsigned i = 0; i < 5; i++)
		lab_cpio_file(&out, &"abcde"[i], 0644, "12345", i);
	lab_cpio_end(&out);
	const uint8_t *bytes = (const uint8_t *)printbuf_str(&out);
	assert_true(next_entry(bytes, out.pos, &at, &entry));
	assert_string_equal(entry.name, "dev");
	assert_int_equal(entry.mode, S_IFDIR | 0755);
	assert_true(next_entry(bytes, out.pos, &at, &entry));
	assert_int_equal(entry.mode, S_IFCHR | 0600);
	assert_int_equal(entry.major, 5);
	assert_int_equal(entry.minor, 1);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(next_entry(bytes, out.pos, &at, &entry));
		assert_string_equal(entry.name, &"abcde"[i]);
		assert_int_equal(entry.mode, S_IFREG | 0644);
		assert_int_equal(entry.size, i);
		assert_memory_equal(entry.bytes, "12345", i);
	}
	assert_false(next_entry(bytes, out.pos, &at, &entry));
	assert_int_equal(at, out.pos);
}

static void write_file(const char *folder, const char *name, const void *bytes, size_t nr)
{
	PRINTBUF(path);
	prt_printf(&path, "%s/%s", folder, name);
	FILE *file = fopen(printbuf_str(&path), "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, nr, file), nr);
	fclose(file);
}

#define MAGIC "~Module signature appended~\n"

static void check_archive(int fd)
{
	struct stat status;
	struct entry entry;
	size_t at = 0;
	assert_int_equal(fstat(fd, &status), 0);
	size_t nr = (size_t)status.st_size;
	uint8_t *bytes = mmap(NULL, nr, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(bytes != MAP_FAILED);
	bool has_init = false, has_conf = false;
	unsigned nr_modules = 0;
	while (next_entry(bytes, nr, &at, &entry)) {
		if (!strcmp(entry.name, "init")) {
			has_init = entry.mode == (S_IFREG | 0755) && entry.size == 5;
		} else if (!strcmp(entry.name, "lab.conf")) {
			has_conf = entry.size == 8 && !memcmp(entry.bytes, "argv ls\n", 8);
		} else if (!strncmp(entry.name, "modules/", 8)) {
			assert_int_equal(entry.size, nr_modules == 0   ? 6
						     : nr_modules == 1 ? 40
								       : 4);
			nr_modules++;
		}
	}
	assert_true(has_init && has_conf);
	assert_int_equal(nr_modules, 3);
	munmap(bytes, nr);
}

/* A signature is cut off; one that claims more than there is, or nothing of the kind, is not. */
static void test_archive(void **state)
{
	char folder[] = "/tmp/berth-test-initrd-XXXXXX";
	struct lab_kernel kernel = { .modules_dir = mkdtemp(folder) };
	struct lab_modules modules = { .names = { (char *)"a.ko", (char *)"b.ko",
						  (char *)"c.ko" } };
	PRINTBUF(conf);
	PRINTBUF(agent);
	PRINTBUF(err);
	int fd;
	static const char signed_module[] = "module"
					    "SIG"
					    "\0\0\0\0\0\0\0\0\0\0\0\3" MAGIC;
	/* 12 bytes of struct, whose last four claim 2^24 bytes before them, and nothing there. */
	static const char lying_module[] = "\0\0\0\0\0\0\0\0\1\0\0\0" MAGIC;
	write_file(folder, "a.ko", signed_module, sizeof(signed_module) - 1);
	write_file(folder, "b.ko", lying_module, 40);
	write_file(folder, "c.ko", "none", 4);
	write_file(folder, "agent", "\177ELF!", 5);
	lab_conf_add(&conf, "argv", "ls");
	prt_printf(&agent, "%s/agent", folder);
	assert_int_equal(lab_initrd(printbuf_str(&agent), &kernel, &modules, &conf, &fd, &err), 0);
	assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	check_archive(fd);
	close(fd);
	modules.names[1] = (char *)"missing.ko";
	assert_int_equal(lab_initrd(printbuf_str(&agent), &kernel, &modules, &conf, &fd, &err),
			 -ENOENT);
	assert_non_null(strstr(printbuf_str(&err), "missing.ko: cannot read"));
	static const char *const files[] = { "a.ko", "b.ko", "c.ko", "agent" };
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		PRINTBUF(path);
		prt_printf(&path, "%s/%s", folder, files[i]);
		unlink(printbuf_str(&path));
	}
	rmdir(folder);
}
