/* SPDX-License-Identifier: MIT */
/* Type information made by hand, and cut off or bent at every place. */
#include "test.h"

#include "btf_fixture.h"
#include "linux/btf.h"

static void test_members_are_found_in_unnamed_ones(void **state)
{
	struct btf_image image;
	struct btf btf;
	uint32_t offset = 0;
	size_t nr;
	(void)state;
	btf_image_kernel(&image);
	unsigned char *bytes = btf_image_bytes(&image, &nr);
	assert_int_equal(btf_parse(bytes, nr, &btf), 0);
	assert_int_equal(btf.nr_types, 6);
	assert_int_equal(btf_member(&btf, "task_struct", "tasks", &offset), 0);
	assert_int_equal(offset, 8);
	assert_int_equal(btf_member(&btf, "task_struct", "pid", &offset), 0);
	assert_int_equal(offset, 24);
	assert_int_equal(btf_member(&btf, "task_struct", "mm", &offset), 0);
	assert_int_equal(offset, 32);
	assert_int_equal(btf_member(&btf, "mm_struct", "pgd", &offset), 0);
	assert_int_equal(offset, 24);
	offset = 77;
	assert_int_equal(btf_member(&btf, "mm_struct", "mm", &offset), -ENOENT);
	assert_int_equal(btf_member(&btf, "no_struct", "mm", &offset), -ENOENT);
	assert_int_equal(offset, 77);
	btf_fini(&btf);
}

static void test_bit_fields_have_no_offset(void **state)
{
	struct btf_image image;
	struct btf btf;
	uint32_t offset;
	size_t nr;
	(void)state;
	btf_image_init(&image);
	btf_image_type(&image, "fields", BTF_STRUCT, 3, BTF_FIELDS);
	btf_image_member(&image, "whole", 0, 32);
	btf_image_member(&image, "three_bits", 0, 3u << 24 | 64);
	btf_image_member(&image, "odd", 0, 33);
	unsigned char *bytes = btf_image_bytes(&image, &nr);
	assert_int_equal(btf_parse(bytes, nr, &btf), 0);
	assert_int_equal(btf_member(&btf, "fields", "whole", &offset), 0);
	assert_int_equal(offset, 4);
	assert_int_equal(btf_member(&btf, "fields", "three_bits", &offset), -ENOTSUP);
	assert_int_equal(btf_member(&btf, "fields", "odd", &offset), -ENOTSUP);
	btf_fini(&btf);
}

/* A structure of many unnamed ones that are itself: 40^8 ways, and an answer all the same. */
static void test_structures_made_of_themselves(void **state)
{
	struct btf_image image;
	struct btf btf;
	uint32_t offset;
	size_t nr;
	(void)state;
	btf_image_init(&image);
	btf_image_type(&image, "circle", BTF_STRUCT, 40, 0);
	for (unsigned i = 0; i < 40; i++)
		btf_image_member(&image, "", 1, 0);
	unsigned char *bytes = btf_image_bytes(&image, &nr);
	assert_int_equal(btf_parse(bytes, nr, &btf), 0);
	assert_int_equal(btf_member(&btf, "circle", "none", &offset), -EBADMSG);
	btf_fini(&btf);
}

/* The bytes end with the allocation, so that one read too far is seen by the sanitizer. */
static void test_every_cut(void **state)
{
	struct btf_image image;
	size_t nr;
	(void)state;
	btf_image_kernel(&image);
	unsigned char *bytes = btf_image_bytes(&image, &nr);
	for (size_t cut = 0; cut < nr; cut++) {
		struct btf btf;
		unsigned char *part = malloc(MAX(cut, 1));
		memcpy(part, bytes, cut);
		assert_int_equal(btf_parse(part, cut, &btf), -EBADMSG);
	}
	free(bytes);
}

/* Every word of it replaced by figures that are too large or none: an answer, or an error. */
static void test_every_word_bent(void **state)
{
	static const uint32_t words[] = { 0, 1, 0xffff, 0x7fffffff, 0xffffffff, 4u << 24 | 9 };
	struct btf_image image;
	size_t nr;
	(void)state;
	btf_image_kernel(&image);
	unsigned char *bytes = btf_image_bytes(&image, &nr);
	for (size_t at = 0; at + 4 <= nr; at += 4)
		for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
			struct btf btf;
			uint32_t offset;
			unsigned char *bent = malloc(nr);
			memcpy(bent, bytes, nr);
			memcpy(bent + at, &words[i], sizeof(words[i]));
			if (btf_parse(bent, nr, &btf))
				continue;
			btf_member(&btf, "task_struct", "mm", &offset);
			btf_member(&btf, "mm_struct", "pgd", &offset);
			btf_fini(&btf);
		}
	free(bytes);
}
