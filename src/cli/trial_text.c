/* SPDX-License-Identifier: MIT */
/*
 * A trial for people and programs.
 *
 *     throughput in Mop/s, higher is better; seed 7
 *     pair  first    without    with      gain
 *        1  with      0.4812  0.9811  +103.9 %
 *     berth pays here: +103.9 % (95 % sure: +95.1 % to +110.2 %), 6 pairs in 4.20 min
 */
#include <math.h>
#include <string.h>

#include "cli/trial.h"

#define DECIMALS 6

/* Six digits that count, without an exponent where people read. */
static void prt_figure(struct printbuf *out, double value)
{
	int digits = value > 0 ? (int)floor(log10(value)) + 1 : 1;
	prt_fixed(out, value, (unsigned)MIN(MAX(6 - digits, 0), 9));
}

static void prt_gain(struct printbuf *out, double gain)
{
	prt_str(out, gain < 0 ? "" : "+");
	prt_fixed(out, 100 * gain, 1);
	prt_str(out, " %");
}

static double gain_of(const struct trial *trial, const struct trial_pair *pair)
{
	return trial->metric.is_higher_better ? pair->with / pair->without - 1
					      : pair->without / pair->with - 1;
}

void trial_pair_to_text(struct printbuf *out, const struct trial *trial, uint32_t number)
{
	const struct trial_pair *pair = &trial->pairs[number];
	prt_printf(out, "pair %u: ", number + 1);
	prt_figure(out, pair->without);
	prt_str(out, " without, ");
	prt_figure(out, pair->with);
	prt_str(out, " with: ");
	prt_gain(out, gain_of(trial, pair));
	prt_char(out, '\n');
}

static void prt_pairs(struct printbuf *out, const struct trial *trial)
{
	PRINTBUF(rows);
	prt_str(&rows, "pair\rfirst\twithout\rwith\rgain\r\n");
	for (uint32_t i = 0; i < trial->nr_pairs; i++) {
		const struct trial_pair *pair = &trial->pairs[i];
		prt_printf(&rows, "%u\r%s\t", i + 1, pair->was_with_first ? "with" : "without");
		prt_figure(&rows, pair->without);
		prt_str(&rows, "\r");
		prt_figure(&rows, pair->with);
		prt_str(&rows, "\r");
		prt_gain(&rows, gain_of(trial, pair));
		prt_str(&rows, "\r\n");
	}
	prt_aligned(out, printbuf_str(&rows));
	prt_ensure_newline(out);
}

static void prt_interval(struct printbuf *out, const struct trial *trial)
{
	const struct paired_gain *gain = &trial->state.gain;
	prt_gain(out, gain->gain);
	prt_str(out, " (95 % sure: ");
	prt_gain(out, gain->low);
	prt_str(out, " to ");
	prt_gain(out, gain->high);
	prt_printf(out, "), %llu pairs in ", (unsigned long long)trial->state.pairs.nr);
	prt_ns(out, trial->passed_ns);
}

static void prt_verdict(struct printbuf *out, const struct trial *trial)
{
	static const char *const words[] = {
		[TRIAL_UNKNOWN] = "not decided",
		[TRIAL_GAINS] = "berth pays here",
		[TRIAL_LOSES] = "berth costs more than it gains here",
		[TRIAL_NOTHING] = "no gain here",
	};
	enum trial_verdict verdict = trial_verdict(&trial->state);
	if (!trial->state.has_gain) {
		prt_printf(out,
			   "not decided: %u pair%s, two are the least; give it more time with "
			   "--for\n",
			   trial->nr_pairs, trial->nr_pairs == 1 ? "" : "s");
		return;
	}
	prt_printf(out, "%s: ", words[verdict]);
	prt_interval(out, trial);
	prt_str(out, verdict == TRIAL_UNKNOWN ? "; more time would tell (--for)\n" : "\n");
}

static void prt_cost(struct printbuf *out, const struct trial *trial)
{
	if (!trial->nr_with)
		return;
	prt_str(out, "berth itself took ");
	prt_percent(out, (double)trial->own_ns / (double)trial->with_ns, 2);
	prt_str(out, " of a CPU, and moved ");
	prt_u64_grouped(out, (trial->nr_promoted + trial->nr_demoted) / trial->nr_with);
	prt_str(out, " pages in a window, ");
	prt_u64_grouped(out, trial->nr_promoted / trial->nr_with);
	prt_str(out, " of them up\n");
	if (!trial->back.nr_pages)
		return;
	prt_percent(out, (double)trial->back.nr_back / (double)trial->back.nr_pages, 1);
	prt_str(out, " of them were taken back\n");
}

void trial_to_text(struct printbuf *out, const struct trial *trial)
{
	const struct compare_metric *metric = &trial->metric;
	if (trial->nr_pairs) {
		prt_str(out, metric->name);
		if (metric->unit[0])
			prt_printf(out, " in %s", metric->unit);
		prt_printf(out, ", %s is better; seed %llu\n",
			   metric->is_higher_better ? "higher" : "lower",
			   (unsigned long long)trial->seed);
		prt_pairs(out, trial);
	}
	prt_verdict(out, trial);
	prt_cost(out, trial);
}

static void json_pairs(struct json_writer *json, const struct trial *trial)
{
	json_array_begin(json, "pairs");
	for (uint32_t i = 0; i < trial->nr_pairs; i++) {
		const struct trial_pair *pair = &trial->pairs[i];
		json_object_begin(json, NULL);
		json_str(json, "first", pair->was_with_first ? "with" : "without");
		json_fixed(json, "without", pair->without, 9);
		json_fixed(json, "with", pair->with, 9);
		json_fixed(json, "gain", gain_of(trial, pair), DECIMALS);
		json_object_end(json);
	}
	json_array_end(json);
}

void trial_to_json(struct printbuf *out, const struct trial *trial)
{
	const struct trial_state *state = &trial->state;
	struct json_writer json;
	json_writer_init(&json, out, false);
	json_object_begin(&json, NULL);
	json_str(&json, "metric", trial->metric.name);
	json_str(&json, "unit", trial->metric.unit);
	json_str(&json, "better", trial->metric.is_higher_better ? "higher" : "lower");
	json_str(&json, "verdict", trial_verdict_names[trial_verdict(state)]);
	json_fixed(&json, "gain", state->has_gain ? state->gain.gain : NAN, DECIMALS);
	json_fixed(&json, "low", state->has_gain ? state->gain.low : NAN, DECIMALS);
	json_fixed(&json, "high", state->has_gain ? state->gain.high : NAN, DECIMALS);
	json_fixed(&json, "confidence", 1 - TRIAL_WRONG, 2);
	json_u64(&json, "looks", state->nr_looks);
	json_u64(&json, "seed", trial->seed);
	json_u64(&json, "passed_ns", trial->passed_ns);
	json_bool(&json, "interrupted", trial->is_interrupted);
	json_fixed(&json, "berth_cpu_share",
		   trial->with_ns ? (double)trial->own_ns / (double)trial->with_ns : NAN, DECIMALS);
	json_u64(&json, "promoted_pages", trial->nr_promoted);
	json_u64(&json, "demoted_pages", trial->nr_demoted);
	json_u64(&json, "moved_pages", trial->back.nr_pages);
	json_u64(&json, "taken_back_pages", trial->back.nr_back);
	json_pairs(&json, trial);
	json_object_end(&json);
	prt_char(out, '\n');
}
