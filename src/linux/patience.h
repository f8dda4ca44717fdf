/* SPDX-License-Identifier: MIT */
/*
 * A job that gains nothing from being moved is left alone, for longer each time.
 *
 *     window of 10 s    share of its uses that fast memory served, pages that moved, round trips
 *
 *     vain              PATIENCE_LEAST pages or more moved, and the share is not 0.5 % higher than
 *                       in the window before; or half of what moved were round trips
 *     3 vain in a row   left alone: 10 s, 20 s, ... up to 10 min; then it is tried again
 *     a gain of 2 %     the next time it is left alone for 10 s again
 *
 * What is seen is what samplers see: a share of used pages, not of time. A job whose hot pages
 * change loses share between windows and gains it again, so that three vain ones in a row do not
 * come about; noise that is chased does not gain.
 *
 * A pure function of what it is told; cost: nothing to speak of.
 */
#ifndef BERTH_LINUX_PATIENCE_H
#define BERTH_LINUX_PATIENCE_H

#include "base/types.h"

#define PATIENCE_WINDOW_NS (10 * NS_PER_S)
#define PATIENCE_MIN_NS	   (10 * NS_PER_S)
#define PATIENCE_MAX_NS	   (600 * NS_PER_S)
#define PATIENCE_LEAST	   256 /* pages in a window; or 1/512 of the job, if that is more */
#define PATIENCE_NR_VAIN   3
#define PATIENCE_GAIN_BP   50
#define PATIENCE_RESET_BP  200

struct patience {
	uint64_t begun_ns;	     /* of the window */
	uint64_t nr_fast, nr_slow;   /* used pages in it, by where they were */
	uint64_t nr_moved, nr_trips; /* pages in it */
	uint32_t share_bp;	     /* of the window before; UINT32_MAX: none */
	uint32_t nr_vain;
	uint64_t until_ns; /* left alone; 0: not */
	uint64_t pause_ns; /* of the last time */
	const char *why;   /* static text */
};
#define PATIENCE_NEW ((struct patience){ .share_bp = UINT32_MAX })

void patience_note_uses(struct patience *patience, uint64_t nr_fast, uint64_t nr_slow);
void patience_note_moves(struct patience *patience, uint64_t nr_moved, uint64_t nr_trips);
/* Is the job to be left alone now? */
bool patience_turn(struct patience *patience, uint64_t nr_job_pages, uint64_t now_ns);

#endif
