/* SPDX-License-Identifier: MIT */
/* Finding a process's page tables in the kernel's memory (kcore.h). */
#include "linux/kcore.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "linux/btf.h"
#include "linux/process.h"

#define TEXT_BEGIN	 0xffffffff80000000u /* the kernel's image, mapped a second time */
#define FOUR_LEVELS_BASE 0xffff800000000000u /* lower bases are those of five levels */
#define NOTES_MAX_BYTES	 ((size_t)1 << 20)

static int read_exactly(int fd, void *ret, size_t nr_bytes, uint64_t offset)
{
	ssize_t nr;
	do
		nr = pread(fd, ret, nr_bytes, (off_t)offset);
	while (nr < 0 && errno == EINTR);
	return nr < 0 ? -errno : (size_t)nr == nr_bytes ? 0 : -EFAULT;
}

static int find_map_base(struct kcore *kcore)
{
	for (uint32_t i = 0; i < kcore->nr_segments; i++) {
		const struct kcore_segment *segment = &kcore->segments[i];
		if (segment->physical == UINT64_MAX || segment->virtual >= TEXT_BEGIN)
			continue;
		kcore->map_base = segment->virtual - segment->physical;
		kcore->levels = kcore->map_base >= FOUR_LEVELS_BASE ? 4 : 5;
		return 0;
	}
	return -ENODATA;
}

static int keep_segments(struct kcore *kcore, const Elf64_Phdr *headers, uint32_t nr)
{
	kcore->segments = calloc(MAX(nr, 1), sizeof(*kcore->segments));
	if (!kcore->segments)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++) {
		if (headers[i].p_type == PT_NOTE) {
			kcore->notes_offset = headers[i].p_offset;
			kcore->notes_bytes = headers[i].p_filesz;
		}
		if (headers[i].p_type == PT_LOAD)
			kcore->segments[kcore->nr_segments++] = (struct kcore_segment){
				.virtual = headers[i].p_vaddr,
				.physical = headers[i].p_paddr,
				.nr_bytes = headers[i].p_memsz,
				.offset = headers[i].p_offset,
			};
	}
	return find_map_base(kcore);
}

int kcore_parse_segments(struct kcore *kcore, struct printbuf *err)
{
	Elf64_Ehdr header;
	int error = read_exactly(kcore->fd, &header, sizeof(header), 0);
	if (!error &&
	    (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	     header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
	     header.e_phnum > KCORE_MAX_SEGMENTS))
		error = -EBADMSG;
	if (error)
		return error_set(err, error, "/proc/kcore: %s", error_text(error));
	Elf64_Phdr *headers = calloc(MAX(header.e_phnum, 1), sizeof(*headers));
	error = headers ? read_exactly(kcore->fd, headers, sizeof(*headers) * header.e_phnum,
				       header.e_phoff)
			: -ENOMEM;
	if (!error)
		error = keep_segments(kcore, headers, header.e_phnum);
	free(headers);
	if (error)
		return error_set(err, error, "/proc/kcore: where memory is mapped: %s",
				 error_text(error));
	return 0;
}

/* The note is the reader's own task_struct: its list leads to all others. The bytes of a note's
 * name and of its content are rounded up to four. */
static int take_notes(struct kcore *kcore, const unsigned char *notes, size_t nr_bytes)
{
	size_t at = 0;
	while (nr_bytes - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		uint64_t name = ((uint64_t)note.n_namesz + 3) & ~(uint64_t)3;
		uint64_t content = ((uint64_t)note.n_descsz + 3) & ~(uint64_t)3;
		if (name + content > nr_bytes - at)
			return -EBADMSG;
		at += name;
		if (note.n_type == NT_TASKSTRUCT &&
		    (uint64_t)kcore->tasks + sizeof(kcore->first_task) <= note.n_descsz) {
			memcpy(&kcore->first_task, notes + at + kcore->tasks,
			       sizeof(kcore->first_task));
			return 0;
		}
		at += content;
	}
	return -ENODATA;
}

int kcore_parse_notes(struct kcore *kcore, struct printbuf *err)
{
	unsigned char *notes = kcore->notes_bytes <= NOTES_MAX_BYTES
				       ? malloc(kcore->notes_bytes + 1)
				       : NULL;
	int error = notes ? read_exactly(kcore->fd, notes, kcore->notes_bytes, kcore->notes_offset)
			  : -ENOMEM;
	if (!error)
		error = take_notes(kcore, notes, kcore->notes_bytes);
	free(notes);
	if (error)
		return error_set(err, error, "/proc/kcore: tells of no task: %s",
				 error_text(error));
	return 0;
}

static int find_offsets(const struct root *root, struct kcore *kcore, struct printbuf *err)
{
	const struct {
		const char *structure, *member;
		uint32_t *ret;
	} wanted[] = {
		{ "task_struct", "tasks", &kcore->tasks },
		{ "task_struct", "pid", &kcore->pid },
		{ "task_struct", "mm", &kcore->mm },
		{ "mm_struct", "pgd", &kcore->pgd },
	};
	struct btf btf;
	int error = btf_open(root, &btf, err);
	if (error)
		return error;
	for (size_t i = 0; !error && i < ARRAY_SIZE(wanted); i++) {
		error = btf_member(&btf, wanted[i].structure, wanted[i].member, wanted[i].ret);
		if (error)
			error_set(err, error, "this kernel's %s has no %s", wanted[i].structure,
				  wanted[i].member);
	}
	btf_fini(&btf);
	return error;
}

static int open_file(const struct root *root, struct printbuf *err)
{
#ifndef __x86_64__
	(void)root;
	return error_set(err, -EOPNOTSUPP, "page tables are read on x86-64 only; use damon");
#else
	int fd = rootfile_open(root, "proc/kcore", O_RDONLY);
	if (fd == -ENOENT)
		return error_set(err, -EOPNOTSUPP,
				 "/proc/kcore: not there; the kernel needs CONFIG_PROC_KCORE");
	if (fd == -EPERM || fd == -EACCES)
		return error_set(err, -EPERM,
				 "/proc/kcore: not permitted; needs CAP_SYS_RAWIO, and no "
				 "lockdown=confidentiality");
	return fd < 0 ? error_file(err, fd, "/proc/kcore", "read") : fd;
#endif
}

int kcore_probe(const struct root *root, struct printbuf *err)
{
	int fd = open_file(root, err);
	if (fd < 0)
		return fd;
	close(fd);
	if (!root_has(root, "sys/kernel/btf/vmlinux"))
		return error_set(err, -EOPNOTSUPP,
				 "/sys/kernel/btf/vmlinux: not there; the kernel needs "
				 "CONFIG_DEBUG_INFO_BTF");
	return 0;
}

int kcore_open(const struct root *root, struct kcore *ret, struct printbuf *err)
{
	struct kcore kcore = { .fd = open_file(root, err) };
	if (kcore.fd < 0)
		return kcore.fd;
	int error = kcore_parse_segments(&kcore, err);
	if (!error)
		error = find_offsets(root, &kcore, err);
	if (!error)
		error = kcore_parse_notes(&kcore, err);
	if (error)
		kcore_fini(&kcore);
	else
		*ret = kcore;
	return error;
}

void kcore_fini(struct kcore *kcore)
{
	if (kcore->fd >= 0)
		close(kcore->fd);
	free(kcore->segments);
	*kcore = (struct kcore){ .fd = -1 };
}

static bool covers(uint64_t begin, uint64_t size, uint64_t address, size_t nr_bytes)
{
	return address >= begin && address - begin < size && size - (address - begin) >= nr_bytes;
}

int kcore_read(const struct kcore *kcore, uint64_t address, void *ret, size_t nr_bytes)
{
	for (uint32_t i = 0; i < kcore->nr_segments; i++) {
		const struct kcore_segment *segment = &kcore->segments[i];
		if (covers(segment->virtual, segment->nr_bytes, address, nr_bytes))
			return read_exactly(kcore->fd, ret, nr_bytes,
					    segment->offset + (address - segment->virtual));
	}
	return -EFAULT;
}

int kcore_read_physical(const struct kcore *kcore, uint64_t physical, void *ret, size_t nr_bytes)
{
	for (uint32_t i = 0; i < kcore->nr_segments; i++) {
		const struct kcore_segment *segment = &kcore->segments[i];
		if (segment->physical != UINT64_MAX && segment->virtual < TEXT_BEGIN &&
		    covers(segment->physical, segment->nr_bytes, physical, nr_bytes))
			return read_exactly(kcore->fd, ret, nr_bytes,
					    segment->offset + (physical - segment->physical));
	}
	return -EFAULT;
}

int kcore_find_task(const struct kcore *kcore, pid_t pid, uint64_t *ret_task)
{
	uint64_t list = kcore->first_task, mark = list;
	for (uint32_t i = 0; i < KCORE_MAX_TASKS; i++) {
		uint64_t task = list - kcore->tasks;
		int32_t found;
		int error = kcore_read(kcore, task + kcore->pid, &found, sizeof(found));
		if (!error && found == pid) {
			*ret_task = task;
			return 0;
		}
		if (!error)
			error = kcore_read(kcore, list, &list, sizeof(list));
		if (error)
			return error;
		if (list == kcore->first_task)
			return -ESRCH;
		/* A ring that does not lead back to where it began: it changed while it was read.
		 */
		if (list == mark)
			return -ELOOP;
		if ((i & (i - 1)) == 0)
			mark = list;
	}
	return -ESRCH;
}

int kcore_page_table(const struct kcore *kcore, uint64_t task, pid_t pid, uint64_t *ret_physical)
{
	int32_t found;
	uint64_t mm, pgd;
	if (kcore_read(kcore, task + kcore->pid, &found, sizeof(found)) || found != pid ||
	    kcore_read(kcore, task + kcore->mm, &mm, sizeof(mm)) || mm == 0 ||
	    kcore_read(kcore, mm + kcore->pgd, &pgd, sizeof(pgd)) || pgd < kcore->map_base)
		return -ESRCH;
	*ret_physical = pgd - kcore->map_base;
	return 0;
}
