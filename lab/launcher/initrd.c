/* SPDX-License-Identifier: MIT */
/*
 * The guest's first root as a cpio archive ("newc"), kept in memory and never on disk.
 *
 *     header  110 bytes: "070701", then 13 numbers of 8 hex digits
 *     name    with its NUL, header and name padded to 4 bytes
 *     bytes   padded to 4 bytes
 *     ...     the last entry is named TRAILER!!!
 *
 * Uncompressed: 2 MB is copied faster than unpacked, by an emulated processor above all. /dev and
 * /dev/console are there because the kernel gives process 1 its console before anything is mounted.
 * Modules lose their signature for the same reason: the guest would spend its time on it, and the
 * host's package manager has checked the package they are from.
 *
 * Follows Documentation/driver-api/early-userspace/buffer-format.rst (6.12).
 */
#include "lab/launcher/initrd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define FILE_MAX ((size_t)64 << 20) /* a module or the agent; far above what there is */

static void pad(struct printbuf *out)
{
	prt_chars(out, '\0', (4 - out->pos % 4) % 4);
}

static void entry(struct printbuf *out, const char *name, unsigned mode, unsigned major,
		  unsigned minor, const void *bytes, size_t nr_bytes)
{
	/* The same for a file that has its own number or none: nothing here is linked twice. */
	const unsigned inode = 0, owner = 0, group = 0, links = 1, time = 0, check = 0;
	prt_printf(out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", inode, mode,
		   owner, group, links, time, (unsigned)nr_bytes, 0, 0, major, minor,
		   (unsigned)strlen(name) + 1, check);
	prt_mem(out, name, strlen(name) + 1);
	pad(out);
	prt_mem(out, bytes, nr_bytes);
	pad(out);
}

void lab_cpio_directory(struct printbuf *out, const char *name)
{
	entry(out, name, S_IFDIR | 0755, 0, 0, "", 0);
}

void lab_cpio_device(struct printbuf *out, const char *name, unsigned major, unsigned minor)
{
	entry(out, name, S_IFCHR | 0600, major, minor, "", 0);
}

void lab_cpio_file(struct printbuf *out, const char *name, unsigned mode, const void *bytes,
		   size_t nr_bytes)
{
	entry(out, name, S_IFREG | mode, 0, 0, bytes, nr_bytes);
}

void lab_cpio_end(struct printbuf *out)
{
	entry(out, "TRAILER!!!", 0, 0, 0, "", 0);
}

static int read_all(int fd, struct printbuf *out)
{
	char piece[16384];
	for (;;) {
		ssize_t nr = read(fd, piece, sizeof(piece));
		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			return nr ? -errno : 0;
		if (out->pos + (size_t)nr > FILE_MAX)
			return -EFBIG;
		prt_mem(out, piece, (size_t)nr);
	}
}

/* Cuts the signature at the end of a module: bytes, a struct of 12 whose last four are their number
 * (big-endian), and a magic text. Follows include/linux/module_signature.h (6.12). */
static size_t length_without_signature(const char *bytes, size_t nr)
{
	static const char magic[] = "~Module signature appended~\n";
	const size_t nr_magic = sizeof(magic) - 1, nr_struct = 12;
	if (nr < nr_magic + nr_struct || memcmp(bytes + nr - nr_magic, magic, nr_magic) != 0)
		return nr;
	const uint8_t *end = (const uint8_t *)bytes + nr - nr_magic;
	size_t signature = (size_t)end[-4] << 24 | (size_t)end[-3] << 16 | (size_t)end[-2] << 8 |
			   end[-1];
	size_t rest = nr - nr_magic - nr_struct;
	return signature <= rest ? rest - signature : nr;
}

static int add_host_file(struct printbuf *out, const char *name, unsigned mode, const char *path,
			 struct printbuf *err)
{
	PRINTBUF(bytes);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : read_all(fd, &bytes);
	if (fd >= 0)
		close(fd);
	if (!error && printbuf_has_error(&bytes))
		error = -ENOMEM;
	if (error)
		return error_file(err, error, path, "read");
	lab_cpio_file(out, name, mode, printbuf_str(&bytes),
		      length_without_signature(printbuf_str(&bytes), bytes.pos));
	return 0;
}

static int add_modules(struct printbuf *out, const struct lab_kernel *kernel,
		       const struct lab_modules *modules, struct printbuf *err)
{
	lab_cpio_directory(out, "modules");
	for (size_t i = 0; modules->names[i]; i++) {
		PRINTBUF(path);
		PRINTBUF(name);
		prt_printf(&path, "%s/%s", kernel->modules_dir, modules->names[i]);
		prt_printf(&name, "modules/%s", lab_module_file(modules->names[i]));
		int error = add_host_file(out, printbuf_str(&name), 0644, printbuf_str(&path), err);
		if (error)
			return error;
	}
	return 0;
}

static int write_all(int fd, const char *bytes, size_t nr_bytes)
{
	for (size_t at = 0; at < nr_bytes;) {
		ssize_t nr = write(fd, bytes + at, nr_bytes - at);
		if (nr < 0 && errno != EINTR)
			return -errno;
		at += nr > 0 ? (size_t)nr : 0;
	}
	return 0;
}

static int into_memory(const struct printbuf *archive, int *ret_fd, struct printbuf *err)
{
	int fd = memfd_create("berth-initrd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error = fd < 0 ? -errno : write_all(fd, printbuf_str(archive), archive->pos);
	if (!error && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		error = -errno;
	if (error) {
		if (fd >= 0)
			close(fd);
		return error_set(err, error, "the guest's initramfs: %s", error_text(error));
	}
	*ret_fd = fd;
	return 0;
}

int lab_initrd(const char *agent, const struct lab_kernel *kernel,
	       const struct lab_modules *modules, const struct printbuf *conf, int *ret_fd,
	       struct printbuf *err)
{
	PRINTBUF(archive);
	lab_cpio_directory(&archive, "dev");
	lab_cpio_device(&archive, "dev/console", 5, 1);
	int error = add_host_file(&archive, "init", 0755, agent, err);
	if (!error)
		error = add_modules(&archive, kernel, modules, err);
	if (error)
		return error;
	lab_cpio_file(&archive, "lab.conf", 0600, printbuf_str(conf), conf->pos);
	lab_cpio_end(&archive);
	if (printbuf_has_error(&archive) || printbuf_has_error(conf))
		return error_set(err, -ENOMEM, "the guest's initramfs: %s", error_text(-ENOMEM));
	return into_memory(&archive, ret_fd, err);
}
