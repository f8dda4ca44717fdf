/* SPDX-License-Identifier: MIT */
/* Decisions of the kernel beside the model's; decisions.h has the picture and the format. */
#include "sim/decisions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sim/cost.h"
#include "sim/kernel/watermark.h"

#define MAGIC	   "berth-decisions 1"
#define PAGE_BYTES 4096
#define MS_PER_S   1000
#define VERSION_73 703

void decisions_init(struct decisions *decisions)
{
	*decisions = (struct decisions){ 0 };
}

/* "key=123" or "key=0x7b" anywhere behind a blank. */
static bool find_value(const char *line, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);
	for (const char *at = strchr(line, ' '); at; at = strchr(at + 1, ' ')) {
		if (strncmp(at + 1, key, length) != 0 || at[1 + length] != '=')
			continue;
		const char *text = at + 2 + length;
		char *end;
		errno = 0;
		unsigned long long value = strtoull(text, &end, 0);
		if (text[0] < '0' || text[0] > '9' || errno || (*end && *end != ' '))
			return false;
		*ret = value;
		return true;
	}
	return false;
}

static int complain_of(const char *line, const char *key, struct printbuf *err)
{
	PRINTBUF(shown);
	prt_safe(&shown, line, MIN(strlen(line), (size_t)80));
	return error_set(err, -EBADMSG, "'%s': no %s, or one that is no number",
			 printbuf_str(&shown), key);
}

static int take_setting(struct decisions *decisions, const char *line)
{
	uint64_t value;
	if (find_value(line, "hz", &value))
		decisions->hz = value;
	if (find_value(line, "stamp_shift", &value))
		decisions->stamp_shift = MIN(value, 63);
	if (find_value(line, "stamp_bits", &value))
		decisions->stamp_bits = MIN(value, 32);
	if (find_value(line, "hot_threshold_ms", &value))
		decisions->config.threshold_ms = value;
	if (find_value(line, "scan_period_max_ms", &value))
		decisions->config.adjust_period_ms = value;
	if (find_value(line, "rate_limit_MBps", &value))
		decisions->config.limit_pages_per_s = cost_scale(value, 1 << 20, PAGE_BYTES);
	if (find_value(line, "version", &value))
		decisions->config.counts_bypass = value >= VERSION_73;
	return 0;
}

static int take_zone(struct decisions *decisions, const char *line, struct printbuf *err)
{
	static const char *const keys[] = { "managed", "present", "high", "promo", "reserve" };
	uint64_t values[ARRAY_SIZE(keys)];
	if (decisions->nr_zones == DECISIONS_ZONES)
		return error_set(err, -EBADMSG, "more than %d zones", DECISIONS_ZONES);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!find_value(line, keys[i], &values[i]))
			return complain_of(line, keys[i], err);
	decisions->present = cost_add(decisions->present, values[1]);
	if (values[0] > decisions->managed) {
		decisions->main_zone = decisions->nr_zones;
		decisions->managed = values[0];
		decisions->high = cost_add(values[2], values[4]);
		decisions->promo = cost_add(values[3], values[4]);
	}
	decisions->nr_zones++;
	struct watermarks marks = { .promo = decisions->promo };
	decisions->config.bypass_pages = watermark_bypass_pages(&marks, decisions->present,
								PAGE_BYTES);
	return 0;
}

/* Of the main zone. `free` is there, `boost` only with newer probes. */
static int zone_value(const struct decisions *decisions, const char *line, const char *name,
		      uint64_t *ret, struct printbuf *err)
{
	char key[16];
	struct printbuf text;
	printbuf_init_fixed(&text, key, sizeof(key), 0);
	prt_printf(&text, "%s%u", name, decisions->main_zone);
	return find_value(line, key, ret) ? 0 : complain_of(line, key, err);
}

static int free_pages(const struct decisions *decisions, const char *line, uint64_t *ret,
		      struct printbuf *err)
{
	return zone_value(decisions, line, "free", ret, err);
}

/* What fragmentation added to the marks just then. */
static uint64_t boost_pages(const struct decisions *decisions, const char *line)
{
	uint64_t value = 0;
	return zone_value(decisions, line, "boost", &value, NULL) ? 0 : value;
}

static int take_decide(struct decisions *decisions, const char *line, struct printbuf *err)
{
	uint64_t flags, jiffies, nr_pages = 1, free;
	if (!find_value(line, "flags", &flags))
		return complain_of(line, "flags", err);
	if (!find_value(line, "now", &jiffies))
		return complain_of(line, "now", err);
	find_value(line, "nr", &nr_pages);
	int error = free_pages(decisions, line, &free, err);
	if (error)
		return error;
	struct hot_config config = decisions->config;
	config.bypass_pages = cost_add(config.bypass_pages, boost_pages(decisions, line));
	uint64_t mask = ((uint64_t)1 << decisions->stamp_bits) - 1;
	uint64_t now_ms = cost_scale(jiffies, MS_PER_S, MAX(decisions->hz, 1));
	uint64_t stamp_ms = flags >> decisions->stamp_shift & mask;
	decisions->nr_halves += decisions->has_decision;
	decisions->has_decision = true;
	if (decisions->nr_decisions == 0) { /* mode 2 was switched on: the kernel begins anew */
		decisions->node.adjust_start_ms = now_ms;
		decisions->node.limit_start_ms = 0;
	}
	decisions->verdict = hot_decide(&decisions->node, &config, now_ms,
					(now_ms - stamp_ms) & mask, free, nr_pages);
	return 0;
}

static int take_decided(struct decisions *decisions, const char *line, struct printbuf *err)
{
	uint64_t yes;
	if (!find_value(line, "ret", &yes))
		return complain_of(line, "ret", err);
	if (!decisions->has_decision) {
		decisions->nr_halves++;
		return 0;
	}
	decisions->has_decision = false;
	decisions->nr_decisions++;
	decisions->nr_equal += hot_verdict_is_promotion(decisions->verdict) == (yes != 0);
	decisions->nr_verdicts[decisions->verdict][yes != 0]++;
	return 0;
}

static int take_room(struct decisions *decisions, const char *line, struct printbuf *err)
{
	uint64_t free, nr_pages = 1;
	int error = free_pages(decisions, line, &free, err);
	if (error)
		return error;
	find_value(line, "nr", &nr_pages);
	decisions->nr_halves += decisions->has_room;
	decisions->has_room = true;
	uint64_t mark = cost_add(decisions->high, cost_add(boost_pages(decisions, line), nr_pages));
	decisions->model_room = free > mark;
	return 0;
}

static void take_roomed(struct decisions *decisions, const char *line)
{
	uint64_t value;
	if (!decisions->has_room) {
		decisions->nr_halves++;
		return;
	}
	bool yes = find_value(line, "ret", &value) && value == 0; /* else -EAGAIN */
	decisions->has_room = false;
	decisions->nr_rooms++;
	decisions->nr_room_yes += yes;
	decisions->nr_rooms_equal += decisions->model_room == yes;
}

static bool is_event(const char *line, const char *name)
{
	const char *at = strstr(line, ": ");
	size_t length = strlen(name);
	return at && strncmp(at + 2, name, length) == 0 && at[2 + length] == ':';
}

int decisions_line(struct decisions *decisions, const char *line, struct printbuf *err)
{
	if (!decisions->is_begun) {
		decisions->is_begun = strcmp(line, MAGIC) == 0;
		return decisions->is_begun
			       ? 0
			       : error_set(err, -EBADMSG,
					   "its first line is not '" MAGIC "': not made by "
					   "scripts/fidelity");
	}
	if (strncmp(line, "setting ", 8) == 0)
		return take_setting(decisions, line);
	if (strncmp(line, "zone ", 5) == 0)
		return take_zone(decisions, line, err);
	if (is_event(line, "decide"))
		return take_decide(decisions, line, err);
	if (is_event(line, "decided"))
		return take_decided(decisions, line, err);
	if (is_event(line, "room"))
		return take_room(decisions, line, err);
	if (is_event(line, "roomed"))
		take_roomed(decisions, line);
	return 0;
}

int decisions_finish(const struct decisions *decisions, struct printbuf *err)
{
	if (decisions->nr_decisions == 0)
		return error_set(err, -EBADMSG, "holds no decision of the kernel");
	return 0;
}
