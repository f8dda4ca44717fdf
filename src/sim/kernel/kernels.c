/* SPDX-License-Identifier: MIT */
/* The kernel presets. A new one is one file here and two lines below. */
#include <string.h>

#include "sim/kernel.h"

extern const struct kernel_ops kernel_linux_none;
extern const struct kernel_ops kernel_linux_numab;
extern const struct kernel_ops kernel_linux_tiering;
extern const struct kernel_ops kernel_linux_6_12;
extern const struct kernel_ops kernel_linux_7_3;
extern const struct kernel_ops kernel_nomad;
extern const struct kernel_ops kernel_interleave;

const struct kernel_ops *const kernels[] = {
	&kernel_linux_none, &kernel_linux_numab, &kernel_linux_tiering, &kernel_linux_6_12,
	&kernel_linux_7_3,  &kernel_nomad,	 &kernel_interleave,	NULL,
};

const struct kernel_ops *kernel_find(const char *name)
{
	for (size_t i = 0; kernels[i]; i++)
		if (strcmp(kernels[i]->name, name) == 0)
			return kernels[i];
	return NULL;
}
