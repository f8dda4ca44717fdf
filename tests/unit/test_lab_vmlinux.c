/* SPDX-License-Identifier: MIT */
/* The kernel inside a bzImage: made here, unpacked, and damaged in every header byte. */
#include "test.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "lab/launcher/vmlinux.h"

#define KERNEL_BYTES 8192
#define SETUP	     (5 * 512)

struct kernel {
	Elf64_Ehdr head;
	Elf64_Phdr segment;
	Elf64_Nhdr other, note;
	char name[4];
	uint32_t entry;
};

static void make_kernel(uint8_t *bytes)
{
	struct kernel kernel = {
		.head = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64 },
			  .e_machine = EM_X86_64,
			  .e_phoff = offsetof(struct kernel, segment),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 1 },
		.segment = { .p_type = PT_NOTE,
			     .p_offset = offsetof(struct kernel, other),
			     .p_filesz = sizeof(struct kernel) - offsetof(struct kernel, other) },
		.note = { .n_namesz = 4, .n_descsz = 4, .n_type = 18 },
		.name = "Xen",
		.entry = 0x1000b20,
	};
	for (size_t i = 0; i < KERNEL_BYTES; i++)
		bytes[i] = (uint8_t)(i * i >> 3);
	memcpy(bytes, &kernel, sizeof(kernel));
}

static void put_u32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static size_t gzip(uint8_t *to, size_t size, const uint8_t *from, size_t nr)
{
	z_stream stream = { .next_in = (Bytef *)(uintptr_t)from,
			    .avail_in = (uInt)nr,
			    .next_out = to,
			    .avail_out = (uInt)size };
	assert_int_equal(
		deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return size - stream.avail_out;
}

/* A bzImage around it; returns its length. */
static size_t make_image(uint8_t *image, size_t size, bool is_gzip, const uint8_t *kernel)
{
	size_t at = SETUP + 64;
	memset(image, 0, size);
	image[0x1f1] = 4;
	memcpy(image + 0x202, "HdrS", 4);
	size_t nr = is_gzip ? gzip(image + at, size - at, kernel, KERNEL_BYTES)
			    : ZSTD_compress(image + at, size - at, kernel, KERNEL_BYTES, 3);
	put_u32(image + at + nr, KERNEL_BYTES);
	put_u32(image + 0x248, 64);
	put_u32(image + 0x24c, (uint32_t)nr + 4);
	return at + nr + 4;
}

static int unpack(const uint8_t *image, size_t nr, int *ret_fd, struct printbuf *err)
{
	char path[] = "/tmp/berth-test-vmlinuz-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, nr), nr);
	close(fd);
	int error = lab_vmlinux(path, ret_fd, err);
	unlink(path);
	return error;
}

static void test_unpacks(void **state)
{
	static uint8_t image[4 * KERNEL_BYTES], kernel[KERNEL_BYTES], back[KERNEL_BYTES + 1];
	make_kernel(kernel);
	for (int is_gzip = 0; is_gzip < 2; is_gzip++) {
		size_t nr = make_image(image, sizeof(image), is_gzip, kernel);
		int fd;
		assert_int_equal(unpack(image, nr, &fd, NULL), 0);
		assert_int_equal(pread(fd, back, sizeof(back), 0), KERNEL_BYTES);
		assert_memory_equal(back, kernel, KERNEL_BYTES);
		assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE);
		close(fd);
	}
}

static void refuse(const uint8_t *image, size_t nr, const char *words)
{
	int fd;
	PRINTBUF(err);
	assert_int_equal(unpack(image, nr, &fd, &err), -ENOTSUP);
	if (words && !strstr(printbuf_str(&err), words))
		fail_msg("\"%s\" lacks \"%s\"", printbuf_str(&err), words);
}

static void test_refuses(void **state)
{
	static uint8_t image[4 * KERNEL_BYTES], kernel[KERNEL_BYTES];
	make_kernel(kernel);
	size_t nr = make_image(image, sizeof(image), false, kernel);
	refuse(image, 0, "not a bzImage");
	refuse(image, 0x24f, "not a bzImage");
	refuse(image, nr - 5, "not a bzImage");
	image[SETUP + 64] ^= 1;
	refuse(image, nr, "packed by neither");
	image[SETUP + 64] ^= 1;
	put_u32(image + nr - 4, KERNEL_BYTES - 1);
	refuse(image, nr, "packed by neither");
	put_u32(image + nr - 4, UINT32_MAX);
	refuse(image, nr, "not a bzImage");
	kernel[offsetof(struct kernel, note) + offsetof(Elf64_Nhdr, n_type)] = 17;
	nr = make_image(image, sizeof(image), false, kernel);
	refuse(image, nr, "no PVH entry");
}

/* Whatever the headers of the kernel inside say, nothing beyond it is read. */
static void test_damaged_kernels(void **state)
{
	static uint8_t image[4 * KERNEL_BYTES], kernel[KERNEL_BYTES];
	for (size_t at = 0; at < sizeof(struct kernel); at++) {
		int fd = -1;
		make_kernel(kernel);
		kernel[at] ^= 0xff;
		size_t nr = make_image(image, sizeof(image), false, kernel);
		int error = unpack(image, nr, &fd, NULL);
		assert_true(error == 0 || error == -ENOTSUP);
		if (!error)
			close(fd);
	}
}
