/* SPDX-License-Identifier: MIT */
/*
 * Where a member lies in a structure of the running kernel, by the kernel's own type information
 * (/sys/kernel/btf/vmlinux).
 *
 *     header | types: (name, info, size or type) + what its kind adds ... | strings
 *
 * One pass finds the structure and notes where each type begins, so that members inside anonymous
 * structures and unions are found too (mm_struct keeps all of its own in one).
 *
 * Cost: the file (5 MB) and 4 bytes per type (150,000) while it is open; a pass is 5 ms.
 * Follows Documentation/bpf/btf.rst and include/uapi/linux/btf.h (6.12).
 */
#ifndef BERTH_LINUX_BTF_H
#define BERTH_LINUX_BTF_H

#include "machine/root.h"

#define BTF_MAX_BYTES ((size_t)64 << 20)

struct btf {
	unsigned char *bytes;
	size_t nr_bytes;
	const unsigned char *types, *types_end;
	const char *strings;
	uint32_t strings_size;
	uint32_t *starts; /* [id]: offset of the type in `types`; id 0 is void */
	uint32_t nr_types;
};

/* -EOPNOTSUPP with a sentence when the kernel tells nothing, -EBADMSG when it makes no sense. */
int btf_open(const struct root *root, struct btf *ret, struct printbuf *err);
/* The same from memory; takes the bytes, also when it fails. */
int btf_parse(unsigned char *bytes, size_t nr_bytes, struct btf *ret);
/* Offset in bytes; -ENOENT: no such structure or member, -ENOTSUP: a bit field, -EBADMSG:
 * it is made of itself. */
int btf_member(const struct btf *btf, const char *structure, const char *member, uint32_t *ret);
void btf_fini(struct btf *btf);

#endif
