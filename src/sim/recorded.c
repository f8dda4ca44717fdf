/* SPDX-License-Identifier: MIT */
/* What a recording says about where it was made; recorded.h has the picture. */
#include "sim/recorded.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define DMA_ZONE_PAGES	     3840 /* managed, of its 16 MiB */
#define LOWMEM_RESERVE_RATIO 256  /* sysctl_lowmem_reserve_ratio[ZONE_DMA] */
#define RELEASE_PARTS	     2	  /* of "6.12.117+deb13-amd64": 6.12 */

/* Settings by the names of their files, where these are not the tunable's. */
static const struct {
	const char *setting, *tunable;
} other_names[] = {
	{ "demotion_enabled", "demotion" },
	{ "numa_balancing_promote_rate_limit_MBps", "promote_rate_limit_MBps" },
	{ "enabled", "thp" },
	{ "transparent_hugepage", "thp" },
};

/* Recordings of qemu-user and imports: no such figure, or an empty one. */
static bool is_told(const char *text)
{
	return text && *text;
}

int recorded_machine(const struct trace_info *info, struct machine **ret, struct printbuf *err)
{
	if (!is_told(info->machine))
		return error_set(err, -EINVAL,
				 "-M recording: this recording does not say on which machine it "
				 "was made (those of `berth lab run --record` do); name one");
	return machine_parse(info->machine, ret, err);
}

bool recorded_is_named(const char *text)
{
	char name[SPEC_NAME_MAX + 1];
	const char *keys;
	return spec_split(text, name, &keys) == 0 && strcmp(name, RECORDED_NAME) == 0;
}

static size_t series_length(const char *release)
{
	size_t length = 0;
	for (int part = 0; part < RELEASE_PARTS; part++) {
		length += part > 0 && release[length] == '.';
		length += strspn(release + length, "0123456789");
	}
	return length;
}

static const struct kernel_ops *find_kernel(const struct trace_info *info, struct printbuf *err)
{
	char name[SPEC_NAME_MAX + 1] = "";
	if (!is_told(info->kernel)) {
		error_set(
			err, -EINVAL,
			"recording: this recording does not say under which kernel it was made "
			"(those of `berth lab run --record` do); name one, such as linux-tiering");
		return NULL;
	}
	memcpy(name, info->kernel, MIN(series_length(info->kernel), SPEC_NAME_MAX));
	const struct kernel_ops *ops = kernel_find(name);
	if (!ops)
		error_set(err, -EINVAL,
			  "recording: kernel %.40s, under which it was made, is not modelled; name "
			  "one that is (see --list)",
			  info->kernel);
	return ops;
}

static const struct tunable *find_tunable(const struct kernel_ops *ops, const char *setting,
					  size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(other_names); i++)
		if (strlen(other_names[i].setting) == length &&
		    memcmp(other_names[i].setting, setting, length) == 0) {
			setting = other_names[i].tunable;
			length = strlen(setting);
		}
	for (size_t i = 0; i < ops->nr_tunables; i++)
		if (strlen(ops->tunables[i].name) == length &&
		    memcmp(ops->tunables[i].name, setting, length) == 0)
			return &ops->tunables[i];
	return NULL;
}

/* As the kernel's files have it: "2", "true", "[always] madvise never". */
static bool add_value(struct printbuf *out, const struct tunable *tunable, const char *value)
{
	const char *chosen = strchr(value, '[');
	const char *start = chosen ? chosen + 1 : value;
	size_t length = strcspn(start, "] \n");
	PRINTBUF(text);
	if (strncmp(start, "true", length) == 0 && length == 4)
		prt_str(&text, "1");
	else if (strncmp(start, "false", length) == 0 && length == 5)
		prt_str(&text, "0");
	else
		prt_safe(&text, start, length);
	uint64_t read;
	PRINTBUF(pair);
	prt_printf(&pair, "%s=%s", tunable->name, printbuf_str(&text));
	/* What the model's tunable does not take is left at its default. */
	if (tunables_parse(printbuf_str(&pair), tunable, 1, "recording", &read, NULL))
		return false;
	prt_str(out, printbuf_str(&pair));
	return true;
}

/* The last setting of a name is the one read back from the kernel. */
static const char *last_setting(const struct trace_info *info, const struct kernel_ops *ops,
				const struct tunable *tunable)
{
	const char *value = NULL;
	for (uint32_t i = 0; i < info->nr_settings; i++) {
		const char *equals = strchr(info->settings[i], '=');
		if (equals && find_tunable(ops, info->settings[i],
					   (size_t)(equals - info->settings[i])) == tunable)
			value = equals + 1;
	}
	return value;
}

int recorded_spec(const struct trace_info *info, const char *text, struct printbuf *out,
		  struct printbuf *err)
{
	char name[SPEC_NAME_MAX + 1];
	const char *keys = "";
	const struct kernel_ops *ops = find_kernel(info, err);
	int error = ops ? spec_split(text, name, &keys) : -EINVAL;
	if (error)
		return error;
	const char *between = ":";
	prt_str(out, ops->name);
	for (size_t i = 0; i < ops->nr_tunables; i++) {
		const char *value = last_setting(info, ops, &ops->tunables[i]);
		PRINTBUF(pair);
		if (!value || !add_value(&pair, &ops->tunables[i], value))
			continue;
		prt_printf(out, "%s%s", between, printbuf_str(&pair));
		between = ",";
	}
	if (*keys)
		prt_printf(out, "%s%s", between, keys);
	return 0;
}

/* Of the DMA zone, which only the first node of a PC has. */
static void add_reserve(struct kernel_start *start)
{
	if (start->managed_pages == KERNEL_UNKNOWN || start->managed_pages <= DMA_ZONE_PAGES)
		return;
	uint64_t reserve = MIN((start->managed_pages - DMA_ZONE_PAGES) / LOWMEM_RESERVE_RATIO,
			       DMA_ZONE_PAGES);
	uint64_t *marks[] = { &start->min_pages, &start->low_pages, &start->high_pages,
			      &start->promo_pages };
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		*marks[i] += *marks[i] == KERNEL_UNKNOWN ? 0 : reserve;
	start->reserve_pages = reserve;
}

void recorded_starts(const struct trace_info *info, struct kernel_start *starts, uint32_t nr_nodes)
{
	for (uint32_t i = 0; i < nr_nodes; i++)
		starts[i] = kernel_start_unknown;
	for (uint32_t i = 0; i < info->nr_memory; i++) {
		const struct trace_memory *memory = &info->memory[i];
		if (memory->node >= nr_nodes)
			continue;
		starts[memory->node] = (struct kernel_start){
			.present_pages = memory->total_pages,
			.managed_pages = memory->managed_pages,
			.free_pages = memory->free_pages,
			.min_pages = memory->min_pages,
			.low_pages = memory->low_pages,
			.high_pages = memory->high_pages,
			.promo_pages = memory->promo_pages,
		};
		if (memory->node == 0)
			add_reserve(&starts[0]);
	}
}

/* "0@1234 1@1302": node and milliseconds. */
static size_t read_thefts(const char *text, struct kernel_theft *thefts, uint32_t nr_nodes)
{
	size_t nr = 0;
	while (nr < RECORDED_MAX_THEFTS && *text) {
		char *end;
		unsigned long node = strtoul(text, &end, 10);
		unsigned long long ms = *end == '@' ? strtoull(end + 1, &end, 10) : ULLONG_MAX;
		if (end == text || node >= nr_nodes || ms > UINT64_MAX / NS_PER_MS)
			break;
		thefts[nr++] = (struct kernel_theft){ ms * NS_PER_MS, (uint32_t)node };
		text = end + (*end == ' ');
	}
	return nr;
}

size_t recorded_thefts(const struct trace_info *info, struct kernel_theft *thefts,
		       uint32_t nr_nodes)
{
	static const char name[] = "watermark_boosts=";
	size_t nr = 0;
	for (uint32_t i = 0; i < info->nr_settings; i++)
		if (strncmp(info->settings[i], name, sizeof(name) - 1) == 0)
			nr = read_thefts(info->settings[i] + sizeof(name) - 1, thefts, nr_nodes);
	return nr;
}
