/* SPDX-License-Identifier: MIT */
#include "lab/latency/record_image.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_STACK_WORDS 16384 /* of argv, envp and the vector */
#define MAX_HEADERS	64
#define VDSO_BYTES	((uint64_t)8192)

struct vector { /* what the auxiliary vector says; 0: nothing */
	uint64_t headers, nr_headers, loader, vdso, name;
};

/* Words upwards from the stack pointer, a page at a time. */
struct words {
	record_read_fn *read;
	uint64_t address;
	uint64_t page[4096 / sizeof(uint64_t)];
	uint32_t nr, at, nr_ever;
};

static int next_word(struct words *words, uint64_t *ret)
{
	if (words->at == words->nr) {
		size_t wanted = 4096 - (words->address & 4095);
		size_t nr_bytes = words->read(words->address, words->page, wanted);
		words->nr = (uint32_t)(nr_bytes / sizeof(uint64_t));
		words->at = 0;
		words->address += nr_bytes;
		if (words->nr == 0)
			return -EAGAIN;
	}
	if (words->nr_ever++ == MAX_STACK_WORDS)
		return -EBADMSG;
	*ret = words->page[words->at++];
	return 0;
}

/* To the 0 behind argv or envp. */
static int skip_pointers(struct words *words)
{
	uint64_t word = 1;
	int error = 0;
	while (!error && word)
		error = next_word(words, &word);
	return error;
}

static void note_value(struct vector *vector, uint64_t type, uint64_t value)
{
	if (type == AT_PHDR)
		vector->headers = value;
	else if (type == AT_PHNUM)
		vector->nr_headers = value;
	else if (type == AT_BASE)
		vector->loader = value;
	else if (type == AT_SYSINFO_EHDR)
		vector->vdso = value;
	else if (type == AT_EXECFN)
		vector->name = value;
}

static int read_vector(uint64_t stack, record_read_fn *read, struct vector *ret)
{
	struct words words = { .read = read, .address = stack };
	uint64_t type, value;
	if (stack & 7)
		return -EBADMSG;
	int error = next_word(&words, &value); /* argc */
	error = error ? error : skip_pointers(&words);
	error = error ? error : skip_pointers(&words);
	*ret = (struct vector){ 0 };
	while (!error) {
		error = next_word(&words, &type);
		error = error ? error : next_word(&words, &value);
		if (error || type == AT_NULL)
			break;
		note_value(ret, type, value);
	}
	return error;
}

static void add_part(struct record_image_parts *parts, uint64_t start, uint64_t end,
		     uint32_t protection, const char *name)
{
	start &= ~(uint64_t)4095;
	end = (end + 4095) & ~(uint64_t)4095;
	if (parts->nr < RECORD_IMAGE_MAX && end > start && end >> 47 == 0)
		parts->items[parts->nr++] = (struct record_image_part){
			.address = start,
			.nr_bytes = end - start,
			.protection = protection,
			.name = name,
		};
}

/* What the file does not hold of it is memory of its own, anonymous and zero, from the next page
 * on: a mapping by itself. */
static void add_load(struct record_image_parts *parts, const Elf64_Phdr *header, uint64_t start,
		     const char *name)
{
	uint32_t protection = (header->p_flags & PF_R ? PROT_READ : 0) |
			      (header->p_flags & PF_W ? PROT_WRITE : 0) |
			      (header->p_flags & PF_X ? PROT_EXEC : 0);
	uint64_t file_bytes = MIN(header->p_filesz, header->p_memsz);
	uint64_t bss = file_bytes ? (start + file_bytes + 4095) & ~(uint64_t)4095 : start;
	if (file_bytes)
		add_part(parts, start, start + file_bytes, protection, name);
	if (bss < start + header->p_memsz)
		add_part(parts, bss, start + header->p_memsz, protection, "[bss]");
}

/* What is to be added to the addresses in the headers: they say where they are themselves, or a
 * part of the file does that holds the file's beginning. */
static uint64_t find_bias(const Elf64_Phdr *headers, size_t nr, uint64_t address)
{
	for (size_t i = 0; i < nr; i++)
		if (headers[i].p_type == PT_PHDR)
			return address - headers[i].p_vaddr;
	for (size_t i = 0; i < nr; i++)
		if (headers[i].p_type == PT_LOAD && headers[i].p_offset == 0)
			return (address & ~(uint64_t)4095) - (headers[i].p_vaddr & ~(uint64_t)4095);
	return 0;
}

static int add_loads(struct record_image_parts *parts, record_read_fn *read, uint64_t address,
		     uint64_t nr, const char *name, uint64_t *ret_interpreter)
{
	Elf64_Phdr headers[MAX_HEADERS];
	if (nr == 0 || nr > MAX_HEADERS)
		return -EBADMSG;
	if (read(address, headers, nr * sizeof(*headers)) != nr * sizeof(*headers))
		return -EAGAIN;
	uint64_t bias = find_bias(headers, nr, address);
	for (size_t i = 0; i < nr; i++) {
		const Elf64_Phdr *header = &headers[i];
		uint64_t start = bias + header->p_vaddr;
		if (header->p_type == PT_INTERP)
			*ret_interpreter = start;
		if (header->p_type == PT_LOAD)
			add_load(parts, header, start, name);
	}
	return 0;
}

static int add_loader(struct record_image_parts *parts, record_read_fn *read, uint64_t base)
{
	Elf64_Ehdr header;
	uint64_t unused;
	if (read(base, &header, sizeof(header)) != sizeof(header))
		return -EAGAIN;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return -EBADMSG;
	return add_loads(parts, read, base + header.e_phoff, header.e_phnum, parts->loader,
			 &unused);
}

int record_image_read(const struct record_image *image, record_read_fn *read,
		      struct record_image_parts *ret)
{
	struct vector vector;
	uint64_t interpreter = 0;
	ret->nr = 0;
	strcpy(ret->program, "[program]");
	strcpy(ret->loader, "[loader]");
	int error = read_vector(image->stack, read, &vector);
	if (error)
		return error;
	uint64_t top = image->stack + 4096;
	if (vector.name > image->stack) { /* the last string but for eight zero bytes */
		read_guest_string(read, vector.name, ret->program, sizeof(ret->program));
		top = vector.name + strlen(ret->program) + 1 + 8;
	}
	add_part(ret, image->stack - RECORD_STACK_RESERVE, top, PROT_READ | PROT_WRITE, "[stack]");
	error = add_loads(ret, read, vector.headers, vector.nr_headers, ret->program, &interpreter);
	if (error)
		return error;
	if (interpreter)
		read_guest_string(read, interpreter, ret->loader, sizeof(ret->loader));
	if (vector.loader)
		error = add_loader(ret, read, vector.loader);
	if (vector.vdso)
		add_part(ret, vector.vdso, vector.vdso + VDSO_BYTES, PROT_READ | PROT_EXEC,
			 "[vdso]");
	return error;
}
