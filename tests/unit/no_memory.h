/* SPDX-License-Identifier: MIT */
/*
 * An allocator that fails once, or from then on, and counts what is held: for one test program,
 * which has malloc() and the others from here. Sanitizers bring their own: then there is
 * HAS_ALLOCATOR, and none of this.
 */
#ifndef BERTH_TEST_NO_MEMORY_H
#define BERTH_TEST_NO_MEMORY_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_ALLOCATOR 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_ALLOCATOR 1
#endif
#endif

#ifndef HAS_ALLOCATOR
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

static atomic_long allocations_left, nr_allocated;
static atomic_bool is_armed, fails_once, has_failed;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nr, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *memory);

static bool is_refused(void)
{
	if (!atomic_load(&is_armed))
		return false;
	long left = atomic_fetch_sub(&allocations_left, 1);
	bool refuses = atomic_load(&fails_once) ? left == 0 : left <= 0;
	if (refuses)
		atomic_store(&has_failed, true);
	return refuses;
}

static void *counted(void *memory)
{
	atomic_fetch_add(&nr_allocated, memory != NULL);
	return memory;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	return is_refused() ? NULL : counted(__libc_malloc(size));
}

__attribute__((visibility("default"))) void *calloc(size_t nr, size_t size)
{
	return is_refused() ? NULL : counted(__libc_calloc(nr, size));
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
	if (is_refused())
		return NULL;
	void *memory = __libc_realloc(old, size);
	return old ? memory : counted(memory);
}

__attribute__((visibility("default"))) void free(void *memory)
{
	atomic_fetch_sub(&nr_allocated, memory != NULL);
	__libc_free(memory);
}
#endif

#endif
