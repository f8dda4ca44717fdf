/* SPDX-License-Identifier: MIT */
/* The list of movers (movers.h). */
#include "linux/movers.h"

const struct live_mover *const live_movers[] = {
	&live_mover_move_pages,
	NULL,
};
