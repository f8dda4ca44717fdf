/* SPDX-License-Identifier: MIT */
/*
 * The open loop: hint faults that really happened, with what the kernel saw and decided, are fed to
 * the model's decision, and the two are compared. No time passes in between that the model could
 * get wrong, so whatever differs is a difference of the rules.
 *
 *     kernel, traced:  time, stamp of arming, free pages --> promote or not --> room or not
 *     model, the same: time, stamp of arming, free pages --> hot_decide     --> above HIGH or not
 *
 * The input is text, line by line: first the setting, then what tracefs printed (scripts/fidelity
 * has the probes).
 *
 *     berth-decisions 1
 *     setting hz=250 hot_threshold_ms=1000 scan_period_max_ms=60000 rate_limit_MBps=65536
 * version=612 setting stamp_shift=30 stamp_bits=21 zone managed=3840 present=3998 high=284
 * promo=331 reserve=443 zone ... hotset-120 [000] ...1. 16.46: decide: (...) flags=0x4e.. src=1
 * now=4294.. free0=331 free1=310 hotset-120 [000] ...1. 16.46: decided: (...) ret=1
 *
 * decide/decided is should_numa_migrate_memory (kernel/sched/fair.c), room/roomed is
 * migrate_misplaced_folio_prepare (mm/migrate.c). Faults on top-tier memory, of which the stamp is
 * no time, do not occur in mode 2. Large folios: nr_pages comes with the probe where it is known.
 *
 * boost0=, boost1=: what the zone's watermarks were raised by just then (vm.watermark_boost_factor:
 * after fragmentation, until kswapd has worked it off). The model knows nothing of fragmentation;
 * it is told, as it is told what was free.
 *
 * The model's node is one zone: here the largest of the node, so that the DMA zone, which has pages
 * free but keeps them, is not taken for room.
 */
#ifndef BERTH_SIM_DECISIONS_H
#define BERTH_SIM_DECISIONS_H

#include "base/printbuf.h"
#include "sim/kernel/hot.h"

#define DECISIONS_ZONES 4 /* of the fast node, at most */

struct decisions {
	struct hot_config config;
	struct hot_node node;
	uint64_t hz, stamp_shift, stamp_bits;
	uint64_t present;	       /* of the node */
	uint64_t managed, high, promo; /* of the main zone, the largest; with the reserve */
	uint32_t nr_zones, main_zone;
	bool is_begun; /* the first line was right */
	/* The call under way. */
	bool has_decision, has_room;
	enum hot_verdict verdict;
	bool model_room;
	/* Results. */
	uint64_t nr_decisions, nr_equal;
	uint64_t nr_verdicts[HOT_NR_VERDICTS][2]; /* [model's][kernel said yes] */
	uint64_t nr_rooms, nr_rooms_equal, nr_room_yes;
	uint64_t nr_halves; /* calls of which only one end was traced */
};

void decisions_init(struct decisions *decisions);
/* One line, without its end. Lines that are none of ours are passed over, as tracefs has them.
 * -EBADMSG with a sentence: the first line is not ours, or one of ours makes no sense. */
int decisions_line(struct decisions *decisions, const char *line, struct printbuf *err);
/* After the last line. -EBADMSG: nothing to compare. */
int decisions_finish(const struct decisions *decisions, struct printbuf *err);

#endif
