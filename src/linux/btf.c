/* SPDX-License-Identifier: MIT */
/* Reading BTF (btf.h). Every length and offset of the file is checked before it is used. */
#include "linux/btf.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/process.h"

#define MAGIC	     0xeb9f
#define HEADER_BYTES 24
#define TYPE_BYTES   12
#define MEMBER_BYTES 12
#define NESTING_MAX  8
#define MEMBERS_MAX  4096 /* looked at for one question: nested ones may lead in circles */

enum kind { KIND_STRUCT = 4, KIND_UNION = 5, NR_KINDS = 20 };

/* What follows a type of each kind: bytes once, and per element. */
static const struct {
	uint8_t once, each;
} tails[NR_KINDS] = {
	[1] = { 4, 0 },	 [3] = { 12, 0 }, [4] = { 0, 12 },  [5] = { 0, 12 }, [6] = { 0, 8 },
	[13] = { 0, 8 }, [14] = { 4, 0 }, [15] = { 0, 12 }, [17] = { 4, 0 }, [19] = { 0, 12 },
};

static uint32_t word_at(const unsigned char *at)
{
	uint32_t word;
	memcpy(&word, at, sizeof(word));
	return word;
}

static unsigned kind_of(const unsigned char *type)
{
	return word_at(type + 4) >> 24 & 31;
}

static uint32_t nr_elements(const unsigned char *type)
{
	return word_at(type + 4) & 0xffff;
}

/* Bytes that the type takes, 0 when it makes no sense. */
static size_t size_of(const struct btf *btf, const unsigned char *type)
{
	size_t left = (size_t)(btf->types_end - type);
	if (left < TYPE_BYTES)
		return 0;
	unsigned kind = kind_of(type);
	if (kind == 0 || kind >= NR_KINDS)
		return 0;
	size_t size = TYPE_BYTES + tails[kind].once + (size_t)tails[kind].each * nr_elements(type);
	return size <= left ? size : 0;
}

static int index_types(struct btf *btf)
{
	uint32_t max = (uint32_t)((size_t)(btf->types_end - btf->types) / TYPE_BYTES) + 1;
	btf->starts = calloc(max, sizeof(*btf->starts));
	if (!btf->starts)
		return -ENOMEM;
	btf->nr_types = 1;
	for (const unsigned char *at = btf->types; at < btf->types_end;) {
		size_t size = size_of(btf, at);
		if (size == 0)
			return -EBADMSG;
		btf->starts[btf->nr_types++] = (uint32_t)(at - btf->types);
		at += size;
	}
	return 0;
}

static int parse_header(struct btf *btf)
{
	const unsigned char *bytes = btf->bytes;
	uint16_t magic;
	if (btf->nr_bytes < HEADER_BYTES)
		return -EBADMSG;
	memcpy(&magic, bytes, sizeof(magic));
	uint64_t header = word_at(bytes + 4);
	uint64_t types = header + word_at(bytes + 8), nr_types = word_at(bytes + 12);
	uint64_t strings = header + word_at(bytes + 16), nr_strings = word_at(bytes + 20);
	if (magic != MAGIC || header < HEADER_BYTES || types + nr_types > btf->nr_bytes ||
	    strings + nr_strings > btf->nr_bytes || nr_strings == 0 ||
	    bytes[strings + nr_strings - 1] != '\0')
		return -EBADMSG;
	btf->types = bytes + types;
	btf->types_end = btf->types + nr_types;
	btf->strings = (const char *)bytes + strings;
	btf->strings_size = (uint32_t)nr_strings;
	return index_types(btf);
}

int btf_parse(unsigned char *bytes, size_t nr_bytes, struct btf *ret)
{
	struct btf btf = { .bytes = bytes, .nr_bytes = nr_bytes };
	int error = parse_header(&btf);
	if (error)
		btf_fini(&btf);
	else
		*ret = btf;
	return error;
}

static int read_all(int fd, unsigned char **ret, size_t *ret_nr)
{
	size_t max = (size_t)8 << 20, nr = 0;
	unsigned char *bytes = malloc(max);
	ssize_t got = bytes ? 1 : -1;
	while (got > 0) {
		if (nr == max) {
			unsigned char *more = max < BTF_MAX_BYTES ? realloc(bytes, max * 2) : NULL;
			if (!more) {
				free(bytes);
				return -ENOMEM;
			}
			bytes = more;
			max *= 2;
		}
		got = read(fd, bytes + nr, max - nr);
		nr += got > 0 ? (size_t)got : 0;
	}
	if (got < 0) {
		int error = bytes ? -errno : -ENOMEM;
		free(bytes);
		return error;
	}
	*ret = bytes;
	*ret_nr = nr;
	return 0;
}

int btf_open(const struct root *root, struct btf *ret, struct printbuf *err)
{
	unsigned char *bytes = NULL;
	size_t nr = 0;
	int fd = rootfile_open(root, "sys/kernel/btf/vmlinux", O_RDONLY);
	if (fd < 0)
		return error_set(err, fd == -ENOENT ? -EOPNOTSUPP : fd,
				 "/sys/kernel/btf/vmlinux: %s; the kernel needs "
				 "CONFIG_DEBUG_INFO_BTF",
				 error_text(fd));
	int error = read_all(fd, &bytes, &nr);
	close(fd);
	if (!error)
		error = btf_parse(bytes, nr, ret);
	if (error)
		return error_set(err, error, "/sys/kernel/btf/vmlinux: %s", error_text(error));
	return 0;
}

static bool is_named(const struct btf *btf, uint32_t offset, const char *name)
{
	return offset < btf->strings_size && strcmp(btf->strings + offset, name) == 0;
}

static bool is_structure(const unsigned char *type)
{
	unsigned kind = kind_of(type);
	return kind == KIND_STRUCT || kind == KIND_UNION;
}

struct search {
	const struct btf *btf;
	const char *name;
	uint32_t nr_left; /* members that may still be looked at */
};

/* Offset in bits within this structure, in `ret_bits`. */
static int find_member(struct search *search, const unsigned char *type, uint64_t base_bits,
		       unsigned depth, uint64_t *ret_bits)
{
	const struct btf *btf = search->btf;
	bool has_fields = word_at(type + 4) >> 31;
	const unsigned char *member = type + TYPE_BYTES;
	for (uint32_t i = 0; i < nr_elements(type); i++, member += MEMBER_BYTES) {
		uint32_t id = word_at(member + 4), where = word_at(member + 8);
		if (search->nr_left-- == 0)
			return -EBADMSG;
		uint64_t bits = base_bits + (has_fields ? where & 0xffffff : where);
		if (is_named(btf, word_at(member), search->name)) {
			if (has_fields && where >> 24)
				return -ENOTSUP;
			*ret_bits = bits;
			return 0;
		}
		if (word_at(member) != 0 || id == 0 || id >= btf->nr_types || depth == NESTING_MAX)
			continue;
		const unsigned char *inner = btf->types + btf->starts[id];
		int error = -ENOENT;
		if (is_structure(inner))
			error = find_member(search, inner, bits, depth + 1, ret_bits);
		if (error != -ENOENT)
			return error;
	}
	return -ENOENT;
}

int btf_member(const struct btf *btf, const char *structure, const char *member, uint32_t *ret)
{
	for (uint32_t id = 1; id < btf->nr_types; id++) {
		const unsigned char *type = btf->types + btf->starts[id];
		uint64_t bits;
		if (kind_of(type) != KIND_STRUCT || !is_named(btf, word_at(type), structure))
			continue;
		struct search search = { btf, member, MEMBERS_MAX };
		int error = find_member(&search, type, 0, 0, &bits);
		if (error)
			return error;
		if (bits % 8 || bits / 8 > UINT32_MAX)
			return -ENOTSUP;
		*ret = (uint32_t)(bits / 8);
		return 0;
	}
	return -ENOENT;
}

void btf_fini(struct btf *btf)
{
	free(btf->bytes);
	free(btf->starts);
	*btf = (struct btf){ 0 };
}
