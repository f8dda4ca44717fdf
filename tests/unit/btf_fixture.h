/* SPDX-License-Identifier: MIT */
/* Type information made by hand: header, types, strings, as btf.h pictures them. */
#ifndef BERTH_BTF_FIXTURE_H
#define BERTH_BTF_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "base/types.h"

#define BTF_HEADER_BYTES 24
#define BTF_STRUCT	 4
#define BTF_UNION	 5
#define BTF_POINTER	 2
#define BTF_FIELDS	 0x80000000u /* of info: members may be bit fields */

struct btf_image {
	uint32_t types[4096];
	uint32_t nr_words;
	char strings[4096];
	uint32_t strings_size;
};

static inline void btf_image_init(struct btf_image *image)
{
	memset(image, 0, sizeof(*image));
	image->strings_size = 1; /* "" is at 0 */
}

static inline uint32_t btf_image_name(struct btf_image *image, const char *name)
{
	uint32_t at = image->strings_size;
	if (!*name)
		return 0;
	memcpy(image->strings + at, name, strlen(name) + 1);
	image->strings_size += (uint32_t)strlen(name) + 1;
	return at;
}

static inline void btf_image_word(struct btf_image *image, uint32_t word)
{
	image->types[image->nr_words++] = word;
}

static inline void btf_image_type(struct btf_image *image, const char *name, unsigned kind,
				  uint32_t nr_members, uint32_t flags)
{
	btf_image_word(image, btf_image_name(image, name));
	btf_image_word(image, kind << 24 | nr_members | flags);
	btf_image_word(image, 0); /* size, or what is pointed to */
}

static inline void btf_image_member(struct btf_image *image, const char *name, uint32_t type,
				    uint32_t bits)
{
	btf_image_word(image, btf_image_name(image, name));
	btf_image_word(image, type);
	btf_image_word(image, bits);
}

/* The caller's to free, unless btf_parse() takes it. */
static inline unsigned char *btf_image_bytes(const struct btf_image *image, size_t *ret_nr)
{
	uint32_t types = image->nr_words * 4;
	uint32_t header[] = { 0xeb9f | 1 << 16,	  BTF_HEADER_BYTES, 0, types, types,
			      image->strings_size };
	*ret_nr = sizeof(header) + types + image->strings_size;
	unsigned char *bytes = malloc(*ret_nr);
	memcpy(bytes, header, sizeof(header));
	memcpy(bytes + sizeof(header), image->types, types);
	memcpy(bytes + sizeof(header) + types, image->strings, image->strings_size);
	return bytes;
}

/* As the kernel's: what kcore looks for, `mm` within an unnamed union, `pgd` in a structure. */
static inline void btf_image_kernel(struct btf_image *image)
{
	btf_image_init(image);
	btf_image_type(image, "", BTF_POINTER, 0, 0); /* 1 */
	btf_image_type(image, "", BTF_UNION, 2, 0);   /* 2 */
	btf_image_member(image, "mm", 1, 0);
	btf_image_member(image, "other", 1, 0);
	btf_image_type(image, "task_struct", BTF_STRUCT, 3, 0); /* 3 */
	btf_image_member(image, "tasks", 1, 64);
	btf_image_member(image, "pid", 1, 192);
	btf_image_member(image, "", 2, 256);
	btf_image_type(image, "", BTF_STRUCT, 2, 0); /* 4 */
	btf_image_member(image, "count", 1, 0);
	btf_image_member(image, "pgd", 1, 64);
	btf_image_type(image, "mm_struct", BTF_STRUCT, 1, 0); /* 5 */
	btf_image_member(image, "", 4, 128);
}

#endif
