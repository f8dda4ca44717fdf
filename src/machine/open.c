/* SPDX-License-Identifier: MIT */
/* What -M takes. Captured roots follow; until then a line only. */
#include "machine/machine.h"

int machine_open(const char *argument, struct machine **ret, struct printbuf *err)
{
	return machine_parse(argument, ret, err);
}
