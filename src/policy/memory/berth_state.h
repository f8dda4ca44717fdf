/* SPDX-License-Identifier: MIT */
/* What the files of the policy `berth` share; berth.c has the picture. */
#ifndef BERTH_POLICY_MEMORY_BERTH_STATE_H
#define BERTH_POLICY_MEMORY_BERTH_STATE_H

#include "mem/folio.h"
#include "mem/predict.h"
#include "policy/memory/room.h"
#include "policy/policy.h"

#define NR_IDLE	   10
#define NR_LONG	   14
#define NR_SHORT   4
#define NR_AGE	   4
#define AGE_WIDE   3
#define NR_DENSITY 5
#define NR_DETAIL  (NR_SHORT * NR_AGE * NR_DENSITY)
#define NR_PARENTS (NR_IDLE * NR_LONG + 1)
#define NR_CLASSES (NR_PARENTS * NR_DETAIL)
#define CLASS_BORN (NR_IDLE * NR_LONG * NR_DETAIL)
#define CLASS_NONE UINT16_MAX
#define CLASS_PAID (UINT16_MAX - 1)
#define CLASS_LEFT (UINT16_MAX - 2)

#define RATE_ONE	256 /* one touch in a decaying count */
#define RATE_MAX	UINT16_MAX
#define STEPS		32   /* of decay per half-life */
#define SAMPLE_ONE	32   /* half a miss in a decaying count of samples */
#define OWN_TRUST	16   /* samples that a folio needs to be believed as much as its class */
#define SAMPLE_HZ	4000 /* of the PMU: perf's own default */
#define REGION_SHIFT	6
#define NR_REGIONS	4096
#define NR_BINS		128
#define BIN_ROOM	32768
#define BIN_ROOM_QUICK	128 /* where rounds are short: there is a next one soon */
#define QUICK_ROUND_MS	200
#define SWEEP_MAX	16384 /* folios looked at per round */
#define SWEEP_CHUNK	4096  /* at a time, where rounds are long */
#define SEARCH_LEAST	256   /* candidates worth a look at all of fast memory */
#define SEARCH_PARTS	256   /* of all pages: so many are worth another one soon */
#define SEARCH_REST_MS	1000  /* then, after one that brought moves; twice after one in vain */
#define CANDIDATES_MAX	65536
#define RANGE_PAGES_MAX 65536
#define TURN_STEP	7 /* prime to the usual numbers of checks */
#define TURNS_FEW	64
#define SETTLE_MS	10000 /* ten of the shortest periods in which Linux looks at a page */
#define REST_MS		500   /* in which nothing goes back at all */
#define MOVES_PER_TRIP	22    /* one round trip in so many moves: less than 5 % */
#define MOVES_MAX	65536 /* counted before what is long past is halved */
#define NOBODY		UINT32_MAX
#define VICTIMS_PASSED	32 /* protected folios passed over in search of one that is not */
#define FAILURES_MAX	16 /* candidates in a row order that do not pay, before the rest is left */
#define ACCOUNT_MAX	(1 << 24)
#define ACCOUNT_TRUST	(256 * PREDICT_ONE) /* touches that the account begins with */
#define ACCOUNT_FADE	1024		    /* rounds in which what it says has mostly passed */
#define BAR_MAX		6
#define MISSES_GUESS	8     /* that one touch stands for, where nothing counts misses */
#define WATCHED		16    /* in 16ths: all of the time, nothing is left to chance */
#define CHANCE_ONE	65536 /* of a page to be seen in a round */
#define DOUBT_ONE	256
#define TOLD_ONE	65536
#define TOLD_NOTHING	UINT32_MAX
#define SPARSE		32	    /* in 16ths: half of the time is not watched, or more */
#define UNWATCHED_MAX	(16 * 1024) /* nobody watches less than a thousandth of the time */

#define AHEAD_MAX   1024 /* candidates looked at for one large folio's place */
#define LARGE_ORDER 9
#define LARGE_PAGES 512
#define WIDE_ORDER  5 /* a record of a large folio of which nothing names pages */
#define WIDE_PAGES  32
#define LEAVING_MAX (2 * LARGE_PAGES) /* for one folio, and as much for the kernel */
#define MOVE_PS	    UINT64_C(1000000) /* of a move, whatever its size */
#define QUEUE_TICKS 32		      /* that latencies under load are means of */
#define CROWD_MAX   4096	      /* pages of fast memory used in a round that are noted */
#define PUSH_MAX    64		      /* of them pushed out at once: each looks at all */

enum { SHORT, LONG, NR_HORIZONS };

struct past {			    /* of a folio, beside its record */
	uint32_t short_at, long_at; /* until when the counts have decayed */
	uint32_t born, moved_ms;    /* round; time of the last move, 0: never */
	uint32_t trial_at;
	uint16_t short_count;
	uint16_t trial_class, trial_touches;
	union {
		uint16_t trial_samples;	 /* of a class */
		uint16_t trial_expected; /* of an exchange */
	};
};

struct region {
	uint32_t touches, samples;
};

#define BIN_BLOCK_IDS 255
struct bin_block {
	uint32_t below; /* block of the same bin that is full; of those that are free: the next */
	uint32_t ids[BIN_BLOCK_IDS];
};

struct bin { /* a stack of blocks */
	uint32_t top, nr;
};

struct candidate {
	uint64_t worth; /* of a page */
	uint32_t id;
	bool is_split;
};

struct unit {	       /* what moves as one: a page, or a large folio */
	uint64_t page; /* the first */
	uint32_t space;
	uint32_t id; /* of a page of it */
	uint32_t nr_pages;
	uint32_t step;		     /* pages that one record stands for */
	bool is_split;		     /* a page that leaves its large folio */
	bool is_returned;	     /* it goes since it was lent, whatever it is worth */
	uint64_t worth[NR_HORIZONS]; /* of all of it */
};

/* Of a large folio beside its record: what it was worth in the round `at`; how large a part of its
 * pages a sampler told to be used, when it last did. */
struct large_past {
	uint64_t page, worth[NR_HORIZONS];
	uint32_t at, told_at;
	uint32_t share; /* of TOLD_ONE */
};

struct large_found { /* the last answer of who is looked for among large folios */
	uint64_t page;
	uint32_t space, id; /* FOLIO_NONE: it is none */
	bool is_good;
};

struct berth {
	const struct machine *machine;
	struct folio_table *table;  /* of pages */
	struct folio_table *larges; /* large folios: what samples said; seen: round of the look */
	struct large_past *large_pasts; /* [id of larges] */
	uint32_t max_large_pasts;
	struct large_found large_found;
	struct candidate *ahead; /* [AHEAD_MAX] taken from the heap of candidates */
	uint32_t nr_heap, nr_ahead, ahead_at;
	struct unit *leaving; /* [LEAVING_MAX] victims of the exchange at hand */
	struct past *pasts;
	/* [as pasts]: of the hardware, decaying as the lasting count, in SAMPLE_ONE; NULL until
	 * there are some, which most machines never have. */
	uint16_t *samples;
	uint32_t max_pasts;
	struct predict predict[NR_HORIZONS];
	struct region *regions;
	struct bin *bins;
	struct bin_block *bin_blocks; /* of all bins, and free ones */
	uint32_t nr_bin_blocks, max_bin_blocks, free_bin_block;
	struct candidate *candidates;
	uint32_t *touched;
	uint32_t nr_candidates, nr_touched;
	uint64_t nr_waiting;	  /* pages of the candidates */
	uint64_t nr_slow_touched; /* of which nr_touched were noted */
	uint32_t swept;		  /* folios that the sweep has looked at in this round */
	uint32_t searched_ms;	  /* when it went through all for victims; 0: never */
	uint32_t search_rest_ms;  /* until it does again where many wait */
	uint32_t found;		  /* the folio of the last sample */
	uint32_t now, hand, now_ms, round_ms;
	uint32_t bin_room;  /* as many victims per bin as the time until the next round asks */
	uint64_t window_ns; /* that a check of this round watched; 0: all the time */
	uint64_t round_ns;  /* when the last round of samples was */
	uint64_t unwatched; /* time that passes per time watched, x 16, a decaying mean; 16: all */
	uint32_t page_bytes;
	bool has_new, has_bits;
	bool has_met;	   /* a round of samples is over */
	bool has_windows;  /* some did */
	bool is_in_window; /* the sample says for how long it was watched */
	bool has_scan;	   /* hits of checks: who is seen first was born since the last round */
	/* paces */
	uint64_t nr_pages;
	uint64_t nr_wide; /* records that stand for WIDE_PAGES */
	uint64_t touches_now, touches_avg;
	uint64_t chance; /* of an average page to be seen in a round, of CHANCE_ONE */
	/* pages of slow memory that windows saw: in this round; again; in the last one, there
	 * still; and sums of past rounds, fading: could have been seen again, were, would be by
	 * chance */
	uint64_t seen_now, again_now, seen_before, could, again, by_chance;
	uint32_t doubt; /* whether those seen again are others than the rest, of DOUBT_ONE */
	uint64_t unit;
	uint32_t half[NR_HORIZONS], horizon[NR_HORIZONS];
	/* misses */
	uint64_t all_touches, all_samples, all_halves, all_misses, misses_touches;
	uint64_t births_now, births_peak;
	uint64_t gain_ps; /* per miss */
	uint64_t promote_ps, demote_ps;
	uint64_t replaced_ps;	/* worth of the page that was last found to be worth least */
	uint64_t touch_ps;	/* what one touch of average weight is worth, x 16 */
	int64_t paid, expected; /* touches of what was promoted less those of what it replaced */
	uint64_t nr_moves, nr_trips; /* done; trips went back before they had settled */
	uint64_t nr_trips_planned;   /* in this round */
	uint64_t nr_moving;	     /* pages planned, of which nothing was heard yet */
	uint64_t claimed_moving;     /* when floors were last looked after, at: */
	uint32_t claimed_ms;	     /* 0: never */
	uint32_t claims_from;	     /* the job that comes first */
	bool has_news;		     /* samples have come since */
	uint32_t full_ms;	     /* when fast memory last had no room for a move; 0: never */
	uint64_t reserve, free_seen, spilled;
	bool is_birth;
	uint32_t fast, slow;
	uint64_t *fast_of; /* [job]: fast pages, planned moves included */
	uint32_t max_jobs;
	uint64_t queue_ps[2]; /* fast, slow: decaying mean of the latency beyond the idle one */
	bool is_crowded;      /* the fast node is the slower one under load */
	uint32_t nr_ticks, pushed_at;
	uint64_t nr_crowd; /* pages of fast memory used in this round, while it is */
	uint32_t *crowd;   /* [CROWD_MAX] */
};

/* 2^(-i/32) in 1/65536 */
extern const uint16_t berth_decays[STEPS];

static inline uint16_t berth_decay(uint16_t count, uint64_t steps)
{
	if (steps == 0)
		return count;
	if (steps >= 16 * STEPS)
		return 0;
	return (uint16_t)((uint64_t)count * berth_decays[steps % STEPS] >> 16 >> (steps / STEPS));
}

/* Value at `now` of a count whose decay reached *at; moves *at by whole steps. */
static inline uint16_t berth_count_at(uint16_t count, uint32_t *at, uint32_t now, uint32_t half)
{
	if (now == *at)
		return count;
	uint64_t steps = (uint64_t)(now - *at) * STEPS / half;
	if (steps > 0)
		*at += (uint32_t)(steps * half / STEPS);
	return berth_decay(count, steps);
}

static inline unsigned berth_log2_of(uint64_t value)
{
	return value ? 63u - (unsigned)__builtin_clzll(value) : 0;
}

static inline unsigned berth_half_octave(uint64_t value)
{
	if (value < 2)
		return (unsigned)value;
	unsigned log = berth_log2_of(value);
	return log * 2 + (unsigned)(value >> (log - 1) & 1);
}

static inline struct region *berth_region_of(struct berth *berth, uint32_t space, uint64_t page)
{
	uint64_t key = (page >> REGION_SHIFT) * 0x9e3779b97f4a7c15u + space * 0xc2b2ae3d27d4eb4fu;
	return &berth->regions[key >> 32 & (NR_REGIONS - 1)];
}

static inline unsigned berth_samples_of(const struct berth *berth, const struct past *past)
{
	return berth->samples ? berth->samples[past - berth->pasts] : 0;
}

/* How often it went back too soon, up to BAR_MAX: in the bits of its record that are a policy's. */
#define BAR_SHIFT 3
static inline unsigned berth_bar_of(const struct berth *berth, uint32_t id)
{
	return folio_get(berth->table, id)->bits >> BAR_SHIFT;
}

static inline void berth_set_bar(struct folio *folio, unsigned bar)
{
	folio->bits = ((folio->bits & ((1u << BAR_SHIFT) - 1)) | bar << BAR_SHIFT) & 63u;
}

/* That the record stands for. */
static inline uint32_t berth_pages_of(const struct berth *berth, uint32_t id)
{
	return 1u << folio_get(berth->table, id)->order;
}

/* Moved so lately that a move now would be half of a round trip. */
static inline bool berth_would_be_trip(const struct berth *berth, uint32_t id)
{
	uint32_t moved_ms = berth->pasts[id].moved_ms;
	return moved_ms && berth->now_ms - moved_ms < SETTLE_MS;
}

static inline unsigned berth_horizon_of(uint32_t id)
{
	return (id * 0x9e3779b1u >> 16 & 3) ? SHORT : LONG;
}

static inline uint32_t berth_job_of(const struct policy_view *view, const struct folio *folio)
{
	uint32_t job = folio->space < view->nr_spaces ? view->job_of[folio->space] : 0;
	return job < view->nr_jobs ? job : 0;
}

static inline bool berth_has_ended(const struct policy_view *view, const struct folio *folio)
{
	return folio->space < view->nr_spaces && view->job_of[folio->space] == POLICY_ENDED;
}

/* berth.c */
/* Goes on with the sweep by so many folios, at most once round per round. */
void berth_sweep(struct berth *berth, const struct policy_view *view, uint32_t nr);
/* Of what has none; FOLIO_NONE: out of memory. Its past is the caller's to fill in. */
uint32_t berth_add_record(struct berth *berth, uint32_t space, uint64_t page, unsigned order);
void berth_del_record(struct berth *berth, uint32_t id);

/* berth_value.c */
uint64_t berth_samples_expected(const struct berth *berth, const struct folio *folio);
uint32_t berth_class_of(struct berth *berth, const struct folio *folio, struct past *past);
uint64_t berth_prior_of(const struct berth *berth, const struct folio *folio,
			const struct past *past, uint32_t horizon, uint32_t told);
struct predict_mean berth_mean_of_class(const struct berth *berth, uint32_t class, unsigned horizon,
					uint64_t prior);
uint64_t berth_worth_of_mean(const struct berth *berth, const struct predict_mean *mean);
/* told: as berth_told_of() its folio. */
void berth_worth_of(struct berth *berth, uint32_t id, uint32_t told, uint64_t worth[NR_HORIZONS]);
/* worth[LONG] of it only */
uint64_t berth_lasting_worth_of(struct berth *berth, uint32_t id, uint32_t told);
uint64_t berth_surcharge(const struct berth *berth, uint32_t id);
uint64_t berth_cost_of(const struct berth *berth, uint32_t id, uint64_t cost);
bool berth_pays(const struct berth *berth, const uint64_t gain[NR_HORIZONS],
		const uint64_t loss[NR_HORIZONS], uint64_t cost);

/* berth_chance.c */
void berth_note_seen(struct berth *berth, uint32_t id);
void berth_note_gone(struct berth *berth, uint32_t id, bool is_up);
void berth_note_chance(struct berth *berth, const struct policy_view *view);
/* Where checks are sparse: of thousands of pages that are used alike some are seen more often. */
bool berth_is_above_chance(struct berth *berth, const struct unit *unit);

/* berth_trials.c */
void berth_close_trial(struct berth *berth, uint32_t id, struct past *past);
void berth_close_if_over(struct berth *berth, uint32_t id, struct past *past);
void berth_open_trial(struct berth *berth, struct past *past, uint32_t class);
void berth_expect(struct berth *berth, const struct unit *unit, uint16_t class);

/* berth_large.c */
struct folio *berth_large_at(struct berth *berth, uint32_t space, uint64_t page);
struct folio *berth_large_of(struct berth *berth, const struct unit *unit); /* NULL: one page */
/* It is no large folio any more; its pages are remembered. */
void berth_forget_large(struct berth *berth, uint32_t space, uint64_t page);
/* The record, and where it speaks for a large folio all of that. */
void berth_forget(struct berth *berth, uint32_t id);
/* Order of the records there: WIDE_ORDER or 0. */
unsigned berth_order_at(struct berth *berth, uint32_t space, uint64_t page);
/* Its pages get records of their own, as they were. */
void berth_narrow(struct berth *berth, uint32_t space, uint64_t page);
void berth_note_order(struct berth *berth, const struct sample *sample);
/* What moves along with it; worth is not filled in. */
struct unit berth_unit_of(struct berth *berth, uint32_t id);
/* The record of its i-th page, of steps of `step`; FOLIO_NONE: nothing is known of that. */
uint32_t berth_member(const struct berth *berth, const struct unit *unit, uint32_t i);
/* The share of its pages that a sampler told to be used in this round, by bounds that leave out
 * chance; TOLD_NOTHING: none ever did. */
uint32_t berth_told_of(struct berth *berth, const struct unit *unit);
/* Fills in worth; _lasting: worth[LONG] only, and returns the page that is worth most. */
void berth_value_unit(struct berth *berth, struct unit *unit);
uint32_t berth_value_lasting(struct berth *berth, struct unit *unit);
/* Fills in worth; becomes the page that had better leave its folio, where that is so. */
void berth_choose_part(struct berth *berth, struct unit *unit);
uint64_t berth_cost_of_unit(const struct berth *berth, const struct unit *unit, uint64_t per_page);
bool berth_is_first_look(struct berth *berth, const struct unit *unit);

/* berth_victims.c */
void berth_push_victim(struct berth *berth, const struct unit *unit);
bool berth_is_settling(const struct berth *berth, uint32_t id);
bool berth_pop_victim(struct berth *berth, struct unit *ret);
void berth_drop_victims(struct berth *berth);

/* berth_candidates.c */
void berth_add_candidate(struct berth *berth, const struct unit *unit);
/* What was touched in this round joins what the sweep found. */
void berth_gather(struct berth *berth);
/* Most valued first; false: no more. */
bool berth_next_candidate(struct berth *berth, struct candidate *ret);
/* The i-th of those that come next; NULL: not so many. Good until the next call. */
const struct candidate *berth_look_ahead(struct berth *berth, uint32_t i);

/* berth_trade.c */
bool berth_is_held(const struct berth *berth, uint32_t id);
/* False: the plan is full. */
bool berth_plan_unit(struct berth *berth, struct plan *plan, const struct unit *unit, uint32_t to,
		     const char *why);
bool berth_note_jobs(struct berth *berth, const struct policy_view *view);
void berth_trade(struct berth *berth, const struct policy_view *view, struct plan *plan,
		 uint64_t keep);
uint64_t berth_make_headroom(struct berth *berth, const struct policy_view *view,
			     struct plan *plan);

/* berth_load.c */
void berth_note_crowd(struct berth *berth, uint32_t id);
/* Of what was noted in this round. */
void berth_push_out(struct berth *berth, const struct policy_view *view, struct plan *plan);

/* berth_claims.c */
void berth_keep_caps(struct berth *berth, const struct policy_view *view, struct plan *plan);
void berth_keep_floors(struct berth *berth, const struct policy_view *view, struct plan *plan);

#endif
