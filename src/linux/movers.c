/* SPDX-License-Identifier: MIT */
/* The list of movers (movers.h). */
#include "linux/movers.h"

#include <string.h>

#include "base/error.h"

const struct live_mover *const live_movers[] = {
	&live_mover_move_pages,
	&live_mover_damos,
	NULL,
};

const struct live_mover *const live_advisers[] = {
	&live_mover_madvise,
	&live_mover_reclaim,
	NULL,
};

int live_mover_parse(const char *name, const struct live_mover **ret, struct printbuf *err)
{
	if (!name || strcmp(name, "auto") == 0) {
		*ret = live_movers[0];
		return 0;
	}
	for (size_t i = 0; live_movers[i]; i++) {
		if (strcmp(live_movers[i]->ops->name, name) != 0)
			continue;
		*ret = live_movers[i];
		return 0;
	}
	error_set(err, -EINVAL, "%s: no such mover; there are auto", name);
	for (size_t i = 0; err && live_movers[i]; i++)
		prt_printf(err, ", %s", live_movers[i]->ops->name);
	return -EINVAL;
}

static void put_unmovable(struct printbuf *out, const struct mover_figures *figures)
{
	bool is_first = true;
	prt_str(out, "cannot be moved:");
	for (unsigned i = UNMOVABLE_NONE + 1; i < UNMOVABLE_NR_KINDS; i++) {
		if (figures->unmovable_pages[i] == 0)
			continue;
		prt_printf(out, "%s %llu %s", is_first ? "" : ",",
			   (unsigned long long)figures->unmovable_pages[i],
			   unmovable_kind_names[i]);
		is_first = false;
	}
	prt_str(out, is_first ? " no pages" : " pages");
	if (figures->nr_left_pages)
		prt_printf(out, ", asked for %llu times without a try",
			   (unsigned long long)figures->nr_left_pages);
}

static void put_rate(struct printbuf *out, uint64_t bytes_per_s)
{
	if (bytes_per_s == UINT64_MAX) {
		prt_str(out, "as fast as it can");
		return;
	}
	prt_bytes(out, bytes_per_s);
	prt_str(out, "/s");
}

void mover_figures_to_text(struct printbuf *out, const struct mover_figures *figures)
{
	put_unmovable(out, figures);
	prt_str(out, "; moving at most ");
	put_rate(out, figures->rate_most);
	if (figures->nr_halved > 0) {
		prt_printf(out, ", halved %u times by pressure, down to ", figures->nr_halved);
		put_rate(out, figures->rate_least);
	}
	if (figures->scheme_tried_bytes) {
		prt_str(out, "; schemes tried ");
		prt_bytes(out, figures->scheme_tried_bytes);
		prt_str(out, " and moved ");
		prt_bytes(out, figures->scheme_applied_bytes);
	}
	prt_char(out, '\n');
}

/* No limit is a rate of null. */
static void put_rate_member(struct json_writer *json, const char *key, uint64_t bytes_per_s)
{
	if (bytes_per_s == UINT64_MAX)
		json_null(json, key);
	else
		json_u64(json, key, bytes_per_s);
}

void mover_figures_to_json(struct json_writer *json, const char *key,
			   const struct mover_figures *figures)
{
	json_object_begin(json, key);
	put_rate_member(json, "rate_most", figures->rate_most);
	put_rate_member(json, "rate_least", figures->rate_least);
	json_u64(json, "halved", figures->nr_halved);
	json_u64(json, "scheme_tried_bytes", figures->scheme_tried_bytes);
	json_u64(json, "scheme_applied_bytes", figures->scheme_applied_bytes);
	json_object_begin(json, "unmovable_pages");
	for (unsigned i = UNMOVABLE_NONE + 1; i < UNMOVABLE_NR_KINDS; i++)
		json_u64(json, unmovable_kind_names[i], figures->unmovable_pages[i]);
	json_object_end(json);
	json_u64(json, "left_alone_pages", figures->nr_left_pages);
	json_object_end(json);
}
