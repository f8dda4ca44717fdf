/* SPDX-License-Identifier: MIT */
/*
 * linux-none: Linux with all of its tiering switched off. A page goes where its first touch finds
 * room and stays there for life: linux_plain.c from the touching CPU's node on.
 *
 * Cost: no list, no bit: nothing per page beside the table of kernel.h, and only births are looked
 * at, so it replays as fast as a page number can be looked up.
 */
#include <stdlib.h>

#include "base/error.h"
#include "sim/kernel/linux_plain.h"

enum { NONE_WATERMARK_SCALE, NONE_MIN_FREE_KBYTES, NONE_NR_TUNABLES };

static const struct tunable none_tunables[NONE_NR_TUNABLES] = {
	[NONE_WATERMARK_SCALE] = LINUX_PLAIN_WATERMARK_SCALE,
	[NONE_MIN_FREE_KBYTES] = LINUX_PLAIN_MIN_FREE_KBYTES,
};

static int none_start(struct kernel *kernel, struct printbuf *err)
{
	struct linux_marks_config config = {
		.scale = kernel->values[NONE_WATERMARK_SCALE],
		.min_free_kbytes = kernel->values[NONE_MIN_FREE_KBYTES],
	};
	struct linux_plain *plain = calloc(1, sizeof(*plain));
	if (!plain || linux_plain_init(plain, kernel, &config)) {
		free(plain);
		return error_set(err, -ENOMEM, "linux-none: out of memory");
	}
	kernel->state = plain;
	return 0;
}

extern const struct kernel_ops kernel_linux_none;
const struct kernel_ops kernel_linux_none = {
	.name = "linux-none",
	.summary = "first touch: the local node, then along the zonelist; nothing moves",
	.needs_order = true,
	.tunables = none_tunables,
	.nr_tunables = NONE_NR_TUNABLES,
	.start = none_start,
	.stop = linux_plain_stop,
	.allocate = linux_plain_allocate,
	.migrate = linux_plain_migrate,
	.marks = linux_plain_marks,
	.counters = linux_plain_counters,
};
