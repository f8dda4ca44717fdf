/* SPDX-License-Identifier: MIT */
/* The kernel's type information: what it makes sense of has members within it or none. */
#include <stdlib.h>
#include <string.h>

#include "linux/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const wanted[][2] = { { "task_struct", "tasks" },
						 { "task_struct", "mm" },
						 { "mm_struct", "pgd" },
						 { "", "" } };
	struct btf btf;
	uint32_t offset = 1;
	unsigned char *bytes = calloc(1, size + 1);
	demand(bytes);
	memcpy(bytes, data, size);
	if (btf_parse(bytes, size, &btf))
		return 0;
	for (uint32_t id = 1; id < btf.nr_types; id++)
		demand(btf.starts[id] < (size_t)(btf.types_end - btf.types));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		int error = btf_member(&btf, wanted[i][0], wanted[i][1], &offset);
		demand(error == 0 || error == -ENOENT || error == -ENOTSUP || error == -EBADMSG);
	}
	btf_fini(&btf);
	return 0;
}
