/* SPDX-License-Identifier: MIT */
/*
 * A kernel's memory made by hand, as a file like /proc/kcore: headers, a note that holds the
 * reader's task, and 64 KiB of memory with a ring of tasks.
 *
 *     physical 0x0000   tasks of 64 bytes: list at 8, pid at 24, mm at 32
 *              0x1000   mm of each task: pgd at 24
 *              0x2000   page tables
 */
#ifndef BERTH_KCORE_FIXTURE_H
#define BERTH_KCORE_FIXTURE_H

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux/kcore.h"

#define KCORE_BASE	 0xffff888000000000u
#define KCORE_BASE_FIVE	 0xff11000000000000u
#define KCORE_BYTES	 ((size_t)65536)
#define KCORE_NOTES_AT	 512
#define KCORE_MEMORY_AT	 4096
#define KCORE_TASK_BYTES 64
#define KCORE_TASKS	 8
#define KCORE_PID	 24
#define KCORE_MM	 32
#define KCORE_PGD	 24

struct kcore_image {
	unsigned char bytes[KCORE_MEMORY_AT + KCORE_BYTES];
	uint64_t base;
};

static inline void kcore_image_put(struct kcore_image *image, uint64_t physical, const void *value,
				   size_t nr_bytes)
{
	memcpy(image->bytes + KCORE_MEMORY_AT + physical, value, nr_bytes);
}

static inline void kcore_image_word(struct kcore_image *image, uint64_t physical, uint64_t word)
{
	kcore_image_put(image, physical, &word, sizeof(word));
}

static inline uint64_t kcore_image_task(const struct kcore_image *image, uint32_t task)
{
	return image->base + (uint64_t)task * KCORE_TASK_BYTES;
}

/* Task i has pid 100 + i and its page table at 0x2000 + i * 0x1000; the ring begins at task 0. */
static inline void kcore_image_init(struct kcore_image *image, uint64_t base, uint32_t nr_tasks)
{
	Elf64_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64 },
			      .e_phoff = sizeof(header),
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = 3 };
	Elf64_Phdr segments[3] = {
		{ .p_type = PT_NOTE,
		  .p_offset = KCORE_NOTES_AT,
		  .p_filesz = 20 + KCORE_TASK_BYTES },
		{ .p_type = PT_LOAD,
		  .p_vaddr = 0xffffffff81000000u,
		  .p_memsz = 4096,
		  .p_offset = KCORE_MEMORY_AT },
		{ .p_type = PT_LOAD,
		  .p_vaddr = base,
		  .p_paddr = 0,
		  .p_memsz = KCORE_BYTES,
		  .p_offset = KCORE_MEMORY_AT },
	};
	Elf64_Nhdr note = { .n_namesz = 5, .n_descsz = KCORE_TASK_BYTES, .n_type = NT_TASKSTRUCT };
	memset(image, 0, sizeof(*image));
	image->base = base;
	memcpy(image->bytes, &header, sizeof(header));
	memcpy(image->bytes + sizeof(header), segments, sizeof(segments));
	memcpy(image->bytes + KCORE_NOTES_AT, &note, sizeof(note));
	memcpy(image->bytes + KCORE_NOTES_AT + sizeof(note), "CORE", 5);
	for (uint32_t i = 0; i < nr_tasks; i++) {
		uint64_t at = (uint64_t)i * KCORE_TASK_BYTES, mm = 0x1000 + at;
		uint32_t pid = 100 + i;
		kcore_image_word(image, at + KCORE_TASKS,
				 kcore_image_task(image, (i + 1) % nr_tasks) + KCORE_TASKS);
		kcore_image_put(image, at + KCORE_PID, &pid, sizeof(pid));
		kcore_image_word(image, at + KCORE_MM, base + mm);
		kcore_image_word(image, mm + KCORE_PGD, base + 0x2000 + i * 0x1000u);
	}
	memcpy(image->bytes + KCORE_NOTES_AT + 20, image->bytes + KCORE_MEMORY_AT,
	       KCORE_TASK_BYTES);
}

/* Of the first `nr_bytes` of a file like it; kcore_fini() closes it. */
static inline struct kcore kcore_of_bytes(const void *bytes, size_t nr_bytes)
{
	struct kcore kcore = { .fd = memfd_create("kcore", MFD_CLOEXEC),
			       .tasks = KCORE_TASKS,
			       .pid = KCORE_PID,
			       .mm = KCORE_MM,
			       .pgd = KCORE_PGD };
	if (kcore.fd < 0 || write(kcore.fd, bytes, nr_bytes) != (ssize_t)nr_bytes)
		abort();
	return kcore;
}

#endif
