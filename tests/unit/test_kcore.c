/* SPDX-License-Identifier: MIT */
/* Finding page tables in a kernel's memory that is made by hand. */
#include "test.h"

#include "kcore_fixture.h"

static void test_a_process_is_found(void **state)
{
	static struct kcore_image image;
	static const struct {
		uint64_t base;
		unsigned levels;
	} cases[] = { { KCORE_BASE, 4 }, { KCORE_BASE_FIVE, 5 } };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t task = 0, table = 0;
		kcore_image_init(&image, cases[i].base, 5);
		struct kcore kcore = kcore_of_bytes(image.bytes, sizeof(image.bytes));
		assert_int_equal(kcore_parse_segments(&kcore, NULL), 0);
		assert_int_equal(kcore_parse_notes(&kcore, NULL), 0);
		assert_int_equal(kcore.levels, cases[i].levels);
		for (uint32_t j = 0; j < 5; j++) {
			pid_t pid = (pid_t)(100 + j);
			assert_int_equal(kcore_find_task(&kcore, pid, &task), 0);
			assert_int_equal(task, kcore_image_task(&image, j));
			assert_int_equal(kcore_page_table(&kcore, task, pid, &table), 0);
			assert_int_equal(table, 0x2000 + j * 0x1000);
			assert_int_equal(kcore_page_table(&kcore, task, pid + 1, &table), -ESRCH);
		}
		assert_int_equal(kcore_find_task(&kcore, 99, &task), -ESRCH);
		kcore_fini(&kcore);
	}
}

static void test_only_memory_is_read(void **state)
{
	static struct kcore_image image;
	uint64_t word = 7;
	(void)state;
	kcore_image_init(&image, KCORE_BASE, 2);
	kcore_image_word(&image, KCORE_BYTES - 8, 42);
	struct kcore kcore = kcore_of_bytes(image.bytes, sizeof(image.bytes));
	assert_int_equal(kcore_parse_segments(&kcore, NULL), 0);
	assert_int_equal(kcore_read_physical(&kcore, KCORE_BYTES - 8, &word, 8), 0);
	assert_int_equal(word, 42);
	assert_int_equal(kcore_read_physical(&kcore, KCORE_BYTES - 7, &word, 8), -EFAULT);
	assert_int_equal(kcore_read_physical(&kcore, UINT64_MAX, &word, 8), -EFAULT);
	assert_int_equal(kcore_read(&kcore, KCORE_BASE + KCORE_BYTES, &word, 8), -EFAULT);
	assert_int_equal(kcore_read(&kcore, 0, &word, 8), -EFAULT);
	assert_int_equal(word, 42);
	kcore_fini(&kcore);
}

/* It changed while it was read: the search ends in each case. */
static void test_rings_that_lead_elsewhere(void **state)
{
	static struct kcore_image image;
	uint64_t task;
	(void)state;
	/* The search begins with task 1, which task 0 says is next. */
	for (uint32_t back = 2; back < 5; back++) {
		kcore_image_init(&image, KCORE_BASE, 5);
		kcore_image_word(&image, 4 * KCORE_TASK_BYTES + KCORE_TASKS,
				 kcore_image_task(&image, back) + KCORE_TASKS);
		struct kcore kcore = kcore_of_bytes(image.bytes, sizeof(image.bytes));
		assert_int_equal(kcore_parse_segments(&kcore, NULL), 0);
		assert_int_equal(kcore_parse_notes(&kcore, NULL), 0);
		assert_int_equal(kcore_find_task(&kcore, 7, &task), -ELOOP);
		assert_int_equal(kcore_find_task(&kcore, 104, &task), 0);
		kcore_fini(&kcore);
	}
	kcore_image_init(&image, KCORE_BASE, 5);
	kcore_image_word(&image, 2 * KCORE_TASK_BYTES + KCORE_TASKS, 0x100); /* as LIST_POISON1 */
	struct kcore kcore = kcore_of_bytes(image.bytes, sizeof(image.bytes));
	assert_int_equal(kcore_parse_segments(&kcore, NULL), 0);
	assert_int_equal(kcore_parse_notes(&kcore, NULL), 0);
	assert_int_equal(kcore_find_task(&kcore, 104, &task), -EFAULT);
	kcore_fini(&kcore);
}

static void test_a_task_without_memory(void **state)
{
	static struct kcore_image image;
	uint64_t table;
	(void)state;
	kcore_image_init(&image, KCORE_BASE, 2);
	kcore_image_word(&image, KCORE_MM, 0); /* a kernel's thread, or one that ends */
	kcore_image_word(&image, 0x1000 + KCORE_TASK_BYTES + KCORE_PGD, 0x5000); /* no address */
	struct kcore kcore = kcore_of_bytes(image.bytes, sizeof(image.bytes));
	assert_int_equal(kcore_parse_segments(&kcore, NULL), 0);
	assert_int_equal(kcore_page_table(&kcore, kcore_image_task(&image, 0), 100, &table),
			 -ESRCH);
	assert_int_equal(kcore_page_table(&kcore, kcore_image_task(&image, 1), 101, &table),
			 -ESRCH);
	kcore_fini(&kcore);
}

static int parse_all(struct kcore *kcore)
{
	int error = kcore_parse_segments(kcore, NULL);
	return error ? error : kcore_parse_notes(kcore, NULL);
}

/* Headers cut at each byte have an error; bent at each word they have one or are harmless. */
static void test_headers_cut_and_bent(void **state)
{
	static const uint64_t words[] = { 0, 1, UINT32_MAX, UINT64_MAX, (uint64_t)1 << 62 };
	static struct kcore_image image, bent;
	(void)state;
	kcore_image_init(&image, KCORE_BASE, 3);
	for (size_t cut = 0; cut < KCORE_NOTES_AT + 20 + KCORE_TASK_BYTES; cut++) {
		struct kcore kcore = kcore_of_bytes(image.bytes, cut);
		assert_true(parse_all(&kcore) < 0);
		kcore_fini(&kcore);
	}
	for (size_t at = 0; at < KCORE_NOTES_AT + 32; at += 4)
		for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
			uint64_t task, table;
			bent = image;
			memcpy(bent.bytes + at, &words[i], 4 + at % 8);
			struct kcore kcore = kcore_of_bytes(bent.bytes, sizeof(bent.bytes));
			if (parse_all(&kcore) == 0 && kcore_find_task(&kcore, 102, &task) == 0)
				kcore_page_table(&kcore, task, 102, &table);
			kcore_fini(&kcore);
		}
}
