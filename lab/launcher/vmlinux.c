/* SPDX-License-Identifier: MIT */
/*
 * The kernel inside a bzImage, unpacked by the host.
 *
 * A bzImage unpacks itself, and an emulated processor takes 746 million instructions for Debian's
 * 6.12: as many as all the rest of a boot. The host does it in a tenth of a second, into memory.
 *
 *     0x1f1  setup_sects        the real-mode part is (this + 1) * 512 bytes
 *     0x248  payload_offset     from the end of that part
 *     0x24c  payload_length     a zstd frame or a gzip member, then the unpacked size (4 bytes)
 *
 * What comes out is an ELF file. QEMU starts it at the address in its Xen note 18 (CONFIG_PVH),
 * which is therefore looked for here. There is no KASLR then: that is done while unpacking.
 *
 * Follows Documentation/arch/x86/boot.rst and include/xen/interface/elfnote.h (6.12).
 */
#include "lab/launcher/vmlinux.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/error.h"

#define IMAGE_MAX   ((off_t)256 << 20)
#define KERNEL_MAX  (512u << 20)
#define SETUP_SECTS 0x1f1
#define MAGIC_AT    0x202
#define PAYLOAD_AT  0x248
#define PAYLOAD_LEN 0x24c
#define HEADER_END  0x250
#define PVH_NOTE    18 /* XEN_ELFNOTE_PHYS32_ENTRY */

struct bytes {
	uint8_t *at;
	size_t nr;
};

static uint32_t read_u32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static int read_whole(const char *path, struct bytes *ret)
{
	struct stat status;
	struct bytes image = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int error = fd < 0 || fstat(fd, &status) < 0 ? -errno : 0;
	if (!error && (!S_ISREG(status.st_mode) || status.st_size > IMAGE_MAX))
		error = -EFBIG;
	if (!error && !(image.at = malloc((size_t)status.st_size + 1)))
		error = -ENOMEM;
	while (!error && image.nr < (size_t)status.st_size) {
		ssize_t nr = read(fd, image.at + image.nr, (size_t)status.st_size - image.nr);
		if (nr <= 0)
			error = nr < 0 ? -errno : -EIO;
		image.nr += nr > 0 ? (size_t)nr : 0;
	}
	if (fd >= 0)
		close(fd);
	if (error)
		free(image.at);
	else
		*ret = image;
	return error;
}

/* The packed kernel within the image, without the size that follows it. */
static bool find_payload(const struct bytes *image, struct bytes *ret, uint32_t *ret_size)
{
	if (image->nr < HEADER_END || memcmp(image->at + MAGIC_AT, "HdrS", 4) != 0)
		return false;
	uint64_t sectors = image->at[SETUP_SECTS] ? image->at[SETUP_SECTS] : 4;
	uint64_t start = (sectors + 1) * 512 + read_u32(image->at + PAYLOAD_AT);
	uint64_t length = read_u32(image->at + PAYLOAD_LEN);
	if (length <= sizeof(uint32_t) || start + length > image->nr)
		return false;
	*ret = (struct bytes){ image->at + start, (size_t)length - sizeof(uint32_t) };
	*ret_size = read_u32(ret->at + ret->nr);
	return *ret_size > 0 && *ret_size <= KERNEL_MAX;
}

static bool gunzip(const struct bytes *from, const struct bytes *to)
{
	z_stream stream = { .next_in = from->at,
			    .avail_in = (uInt)from->nr,
			    .next_out = to->at,
			    .avail_out = (uInt)to->nr };
	if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
		return false;
	bool is_whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;
	inflateEnd(&stream);
	return is_whole;
}

static bool unpack(const struct bytes *from, const struct bytes *to)
{
	static const uint8_t gzip[] = { 0x1f, 0x8b }, zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };
	if (from->nr > sizeof(zstd) && !memcmp(from->at, zstd, sizeof(zstd)))
		return ZSTD_decompress(to->at, to->nr, from->at, from->nr) == to->nr;
	return from->nr > sizeof(gzip) && !memcmp(from->at, gzip, sizeof(gzip)) && gunzip(from, to);
}

/* Is there the note among those of one segment? Sizes are padded to 4. */
static bool notes_have_pvh(const uint8_t *at, size_t nr)
{
	Elf64_Nhdr note;
	while (nr >= sizeof(note)) {
		memcpy(&note, at, sizeof(note));
		uint64_t length = sizeof(note) + (((uint64_t)note.n_namesz + 3) & ~UINT64_C(3)) +
				  (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
		if (length > nr)
			return false;
		if (note.n_type == PVH_NOTE && note.n_namesz == 4 && note.n_descsz >= 4 &&
		    !memcmp(at + sizeof(note), "Xen", 4))
			return true;
		at += length;
		nr -= (size_t)length;
	}
	return false;
}

static bool has_pvh_entry(const struct bytes *kernel)
{
	Elf64_Ehdr head;
	if (kernel->nr < sizeof(head))
		return false;
	memcpy(&head, kernel->at, sizeof(head));
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_machine != EM_X86_64 || head.e_phentsize != sizeof(Elf64_Phdr) ||
	    head.e_phoff > kernel->nr ||
	    (kernel->nr - head.e_phoff) / sizeof(Elf64_Phdr) < head.e_phnum)
		return false;
	for (unsigned i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr segment;
		memcpy(&segment, kernel->at + head.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type == PT_NOTE && segment.p_offset <= kernel->nr &&
		    segment.p_filesz <= kernel->nr - segment.p_offset &&
		    notes_have_pvh(kernel->at + segment.p_offset, segment.p_filesz))
			return true;
	}
	return false;
}

static int unpack_into(const struct bytes *image, int fd, const char **ret_why)
{
	struct bytes payload, kernel;
	uint32_t size;
	*ret_why = "it is not a bzImage";
	if (!find_payload(image, &payload, &size))
		return -ENOTSUP;
	if (ftruncate(fd, size) < 0)
		return -errno;
	kernel.nr = size;
	kernel.at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (kernel.at == MAP_FAILED)
		return -errno;
	bool is_unpacked = unpack(&payload, &kernel);
	bool is_bootable = is_unpacked && has_pvh_entry(&kernel);
	*ret_why = is_unpacked ? "it has no PVH entry" : "it is packed by neither zstd nor gzip";
	munmap(kernel.at, size);
	return is_bootable ? 0 : -ENOTSUP;
}

int lab_vmlinux(const char *vmlinuz, int *ret_fd, struct printbuf *err)
{
	struct bytes image;
	const char *why = NULL;
	int error = read_whole(vmlinuz, &image);
	if (error)
		return error_file(err, error, vmlinuz, "read");
	int fd = memfd_create("berth-vmlinux", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	error = fd < 0 ? -errno : unpack_into(&image, fd, &why);
	free(image.at);
	if (!error && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		error = -errno;
	if (!error) {
		*ret_fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return error_set(err, error, "%s: it cannot be unpacked here: %s", vmlinuz,
			 error == -ENOTSUP ? why : error_text(error));
}
