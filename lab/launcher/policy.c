/* SPDX-License-Identifier: MIT */
/*
 * The policies of the lab: "NAME:key=value,key=value" becomes an ordered list of files and what is
 * written into them before the program starts.
 *
 * Order: keys that all policies take, the policy's own tunables, then what switches it on, so that
 * it never runs with half of its tunables. Ranges are those that Linux 6.12 and 7.3 accept, tried
 * in guests; where a kernel accepts what makes no sense (a scan of 0 MiB divides by zero in both)
 * the range here is narrower.
 *
 * Cost: some tens of settings of a hundred bytes.
 */
#include "lab/launcher/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "lab/launcher/layout.h"
#include "lab/launcher/policy_kind.h"

#define TEXT_MAX 4096 /* bytes of one -P */
#define WORD_MAX POLICY_WORD_MAX

/* Taken by every policy; what is not given stays as the guest's kernel has it. */
static const struct policy_key common_keys[] = {
	{ "swappiness", "", "60", 0, 200, NULL, "/proc/sys/vm/swappiness",
	  "how readily anonymous pages are reclaimed" },
	{ "watermark_scale_factor", "per ten thousand", "10", 1, 3000, NULL,
	  "/proc/sys/vm/watermark_scale_factor", "distance between a node's watermarks" },
	{ "zone_reclaim_mode", "", "0", 0, 7, NULL, "/proc/sys/vm/zone_reclaim_mode",
	  "reclaim here before taking memory elsewhere (bits)" },
	{ "lru_gen", "", "7", 0, 7, NULL, "/sys/kernel/mm/lru_gen/enabled",
	  "multi-generational LRU (bits); 0: active and inactive lists" },
	{ "min_ttl_ms", "ms", "0", 0, 3600000, NULL, "/sys/kernel/mm/lru_gen/min_ttl_ms",
	  "protect what was used within this time" },
	{ "thp", "", "always", 0, 0, "always|madvise|never",
	  "/sys/kernel/mm/transparent_hugepage/enabled", "transparent huge pages" },
};

/* No tiering at all: what the program's first touches decide stays. */
static int add_nothing(struct policy_build *build, struct printbuf *err)
{
	policy_try(build, "/sys/kernel/mm/numa/demotion_enabled", "0");
	policy_try(build, "/proc/sys/kernel/numa_balancing", "0");
	return 0;
}

const struct policy_kind policy_kind_none = {
	.name = "none",
	.summary = "no tiering: pages stay where they were first touched",
	.add_settings = add_nothing,
};

static const struct policy_kind policy_static_best = {
	.name = "static-best",
	.summary = "no tiering, and the workload puts by hand what is hot into the fastest tier",
	.needs_placement = true,
	.add_settings = add_nothing,
};

static const struct policy_kind policy_all_fast = {
	.name = "all-fast",
	.summary = "no tiering, on a machine whose fastest tier holds all memory",
	.is_all_fast = true,
	.add_settings = add_nothing,
};

static const struct policy_kind *const kinds[] = { &policy_kind_none,	&policy_kernel,
						   &policy_damon,	&policy_kind_berth,
						   &policy_static_best, &policy_all_fast };

const char *const lab_policy_names[] = { "none",	"kernel",   "damon", "berth",
					 "static-best", "all-fast", NULL };

static const struct policy_key *key_at(const struct policy_kind *kind, size_t index)
{
	return index < kind->nr_keys ? &kind->keys[index] : &common_keys[index - kind->nr_keys];
}

static size_t nr_all_keys(const struct policy_kind *kind)
{
	return kind->nr_keys + ARRAY_SIZE(common_keys);
}

/* The position of `text` among words parted by '|'; -1 when it is none of them. */
static int64_t word_index(const char *words, const char *text)
{
	size_t len = strlen(text);
	for (int64_t index = 0;; index++) {
		size_t word = strcspn(words, "|");
		if (word == len && memcmp(words, text, len) == 0)
			return index;
		if (!words[word])
			return -1;
		words += word + 1;
	}
}

static void prt_word(struct printbuf *out, const char *words, uint64_t index)
{
	for (; index > 0; index--)
		words += strcspn(words, "|") + 1;
	prt_mem(out, words, strcspn(words, "|"));
}

static int parse_value(const struct policy_key *key, const char *text, uint64_t *ret)
{
	if (!key->words)
		return parse_u64(text, ret);
	int64_t index = word_index(key->words, text);
	if (index >= 0)
		*ret = (uint64_t)index;
	return index < 0 ? -EINVAL : 0;
}

uint64_t policy_value(const struct policy_build *build, const char *name)
{
	const struct policy_kind *kind = build->kind;
	for (size_t i = 0; i < kind->nr_keys; i++) {
		uint64_t value = build->values[i].number;
		if (strcmp(kind->keys[i].name, name) != 0)
			continue;
		if (!build->values[i].was_given)
			parse_value(&kind->keys[i], kind->keys[i].initial, &value);
		return value;
	}
	return 0;
}

const char *policy_text(const struct policy_build *build, const char *name)
{
	for (size_t i = 0; i < build->kind->nr_keys; i++)
		if (strcmp(build->kind->keys[i].name, name) == 0)
			return build->values[i].text;
	return NULL;
}

void policy_add_word(struct policy_build *build, const char *word)
{
	struct lab_policy *policy = build->policy;
	size_t size = (policy->nr_launcher + 2) * sizeof(*policy->launcher);
	char **words = realloc(policy->launcher, size);
	if (!words) {
		build->has_failed = true;
		return;
	}
	policy->launcher = words;
	words[policy->nr_launcher] = strdup(word);
	words[policy->nr_launcher + 1] = NULL;
	build->has_failed |= !words[policy->nr_launcher++];
}

bool policy_kernel_is_before(const struct policy_build *build, unsigned major, unsigned minor)
{
	return build->kernel && build->kernel < KERNEL_VERSION(major, minor);
}

static void add_setting(struct policy_build *build, const char *path, bool is_optional,
			const char *format, va_list args)
{
	struct lab_policy *policy = build->policy;
	size_t size = (policy->nr_settings + 1) * sizeof(*policy->settings);
	struct lab_setting *settings = realloc(policy->settings, size);
	PRINTBUF(value);
	prt_vprintf(&value, format, args);
	if (!settings) {
		build->has_failed = true;
		return;
	}
	policy->settings = settings;
	struct lab_setting *setting = &settings[policy->nr_settings++];
	*setting = (struct lab_setting){ .path = strdup(path),
					 .value = strdup(printbuf_str(&value)),
					 .is_optional = is_optional };
	build->has_failed |= !setting->path || !setting->value || printbuf_has_error(&value);
}

void policy_set(struct policy_build *build, const char *path, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add_setting(build, path, false, format, args);
	va_end(args);
}

void policy_try(struct policy_build *build, const char *path, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add_setting(build, path, true, format, args);
	va_end(args);
}

static int unknown_key(const struct policy_kind *kind, const char *key, struct printbuf *err)
{
	const char *names[POLICY_MAX_KEYS];
	size_t nr = nr_all_keys(kind);
	if (!err)
		return -EINVAL;
	for (size_t i = 0; i < nr; i++)
		names[i] = key_at(kind, i)->name;
	const char *nearest = nearest_name(key, names, nr);
	prt_printf(err, "%s: there is no key '", kind->name);
	prt_safe(err, key, strlen(key));
	prt_str(err, "'");
	if (nearest)
		prt_printf(err, "; did you mean %s?", nearest);
	prt_str(err, " There are ");
	for (size_t i = 0; i < nr; i++)
		prt_printf(err, "%s%s", i ? ", " : "", names[i]);
	return -EINVAL;
}

static int bad_value(const struct policy_kind *kind, const struct policy_key *key, const char *text,
		     bool is_number, struct printbuf *err)
{
	if (!err)
		return -EINVAL;
	prt_printf(err, "%s: %s=", kind->name, key->name);
	prt_safe(err, text, strlen(text));
	prt_str(err, is_number ? " is out of range; write " : " is not understood; write ");
	if (key->words) {
		prt_str(err, key->words);
		return -EINVAL;
	}
	prt_printf(err, "%llu to %llu", (unsigned long long)key->min, (unsigned long long)key->max);
	if (*key->unit)
		prt_printf(err, " (%s, without the unit)", key->unit);
	return -EINVAL;
}

static int set_key(struct policy_build *build, size_t index, const char *text, struct printbuf *err)
{
	const struct policy_key *key = key_at(build->kind, index);
	struct policy_value *value = &build->values[index];
	if (value->was_given)
		return error_set(err, -EINVAL, "%s: %s is given twice; write it once",
				 build->kind->name, key->name);
	if (key->is_text && build->nr_texts < POLICY_MAX_TEXTS) {
		value->text = strcpy(build->texts[build->nr_texts++], text);
		value->was_given = true;
		return 0;
	}
	int error = parse_value(key, text, &value->number);
	if (error && error != -ERANGE)
		return bad_value(build->kind, key, text, false, err);
	if (error || (!key->words && (value->number < key->min || value->number > key->max)))
		return bad_value(build->kind, key, text, true, err);
	value->was_given = true;
	return 0;
}

/* One "key=value" of `len` bytes. */
static int parse_pair(struct policy_build *build, const char *text, size_t len,
		      struct printbuf *err)
{
	char key[WORD_MAX + 1], value[WORD_MAX + 1];
	const char *equals = memchr(text, '=', len);
	size_t key_len = equals ? (size_t)(equals - text) : len;
	size_t value_len = equals ? len - key_len - 1 : 0;
	if (!equals || key_len == 0 || value_len == 0 || key_len > WORD_MAX ||
	    value_len > WORD_MAX) {
		error_set(err, 0, "%s: '", build->kind->name);
		if (err)
			prt_safe(err, text, MIN(len, (size_t)WORD_MAX));
		return error_set(err, -EINVAL, "' is not key=value");
	}
	memcpy(key, text, key_len);
	key[key_len] = '\0';
	memcpy(value, equals + 1, value_len);
	value[value_len] = '\0';
	for (size_t i = 0; i < nr_all_keys(build->kind); i++)
		if (strcmp(key_at(build->kind, i)->name, key) == 0)
			return set_key(build, i, value, err);
	return unknown_key(build->kind, key, err);
}

static int parse_keys(struct policy_build *build, const char *text, struct printbuf *err)
{
	if (*text == ':' && !*++text)
		return error_set(err, -EINVAL, "%s: nothing follows the colon; write %s:key=value",
				 build->kind->name, build->kind->name);
	while (*text) {
		size_t len = strcspn(text, ",");
		int error = parse_pair(build, text, len, err);
		if (error)
			return error;
		text += len;
		if (*text == ',' && !*++text)
			return error_set(err, -EINVAL, "%s: nothing follows the last comma",
					 build->kind->name);
	}
	return 0;
}

static int find_kind(const char *text, size_t len, const struct policy_kind **ret,
		     struct printbuf *err)
{
	char name[WORD_MAX + 1];
	size_t shown = MIN(len, (size_t)WORD_MAX);
	memcpy(name, text, shown);
	name[shown] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (len <= WORD_MAX && strcmp(kinds[i]->name, name) == 0) {
			*ret = kinds[i];
			return 0;
		}
	}
	if (!err)
		return -EINVAL;
	const char *nearest = nearest_name(name, lab_policy_names, ARRAY_SIZE(kinds));
	prt_str(err, "there is no policy '");
	prt_safe(err, name, shown);
	prt_str(err, "'");
	if (nearest)
		prt_printf(err, "; did you mean %s?", nearest);
	prt_str(err, " There are ");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		prt_printf(err, "%s%s", i ? ", " : "", kinds[i]->name);
	return -EINVAL;
}

/* "7.3" or "6.12.95": KERNEL_VERSION(); 0 for anything else. */
static unsigned series_version(const char *series)
{
	char *end = NULL;
	if (!series || *series < '0' || *series > '9')
		return 0;
	unsigned long major = strtoul(series, &end, 10);
	if (*end != '.' || end[1] < '0' || end[1] > '9' || major > 1000)
		return 0;
	unsigned long minor = strtoul(end + 1, NULL, 10);
	return minor < 1000 ? KERNEL_VERSION((unsigned)major, (unsigned)minor) : 0;
}

/* What the keys with a path say, in the order of the table: common ones first. */
static void add_key_settings(struct policy_build *build)
{
	size_t nr = nr_all_keys(build->kind), nr_own = build->kind->nr_keys;
	for (size_t i = 0; i < nr; i++) {
		size_t index = (i + nr_own) % nr;
		const struct policy_key *key = key_at(build->kind, index);
		if (!build->values[index].was_given || !key->path)
			continue;
		PRINTBUF(value);
		if (key->words)
			prt_word(&value, key->words, build->values[index].number);
		else
			prt_u64(&value, build->values[index].number);
		policy_set(build, key->path, "%s", printbuf_str(&value));
	}
}

/* The nodes of the fastest tier, as the guest numbers them. */
static int find_place(struct policy_build *build, struct printbuf *err)
{
	const struct machine *machine = build->machine;
	struct lab_layout layout;
	struct set nodes = SET_EMPTY;
	PRINTBUF(place);
	if (!build->kind->needs_placement)
		return 0;
	int error = lab_layout_init(machine, build->time, &layout, err);
	for (uint32_t i = 0; i < machine->nr_nodes && !error; i++)
		if (machine->nodes[i].tier == 0)
			error = set_add(&nodes, layout.guest_node[i]);
	set_to_text(&place, &nodes);
	set_fini(&nodes);
	if (error)
		return error;
	build->policy->place = printbuf_steal(&place, NULL);
	return build->policy->place ? 0 : -ENOMEM;
}

static int build_policy(struct policy_build *build, const char *text, struct printbuf *err)
{
	struct lab_policy *policy = build->policy;
	int error = build->kind->check ? build->kind->check(build, err) : 0;
	if (error)
		return error;
	policy->text = strdup(text);
	policy->name = strdup(build->kind->name);
	policy->needs_placement = build->kind->needs_placement;
	policy->is_all_fast = build->kind->is_all_fast;
	add_key_settings(build);
	error = build->kind->add_settings(build, err);
	if (!error)
		error = find_place(build, err);
	if (error)
		return error;
	if (build->has_failed || !policy->text || !policy->name)
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}

int lab_policy_parse(const char *text, const struct machine *machine, const char *kernel_series,
		     struct lab_policy *ret, struct printbuf *err)
{
	return lab_policy_parse_for(text, machine, kernel_series, LAB_TIME_DELAY, ret, err);
}

int lab_policy_parse_for(const char *text, const struct machine *machine, const char *kernel_series,
			 enum lab_time time, struct lab_policy *ret, struct printbuf *err)
{
	struct lab_policy policy = { 0 };
	struct policy_build build = { .machine = machine,
				      .time = time,
				      .policy = &policy,
				      .kernel = series_version(kernel_series) };
	if (strlen(text) > TEXT_MAX)
		return error_set(err, -EINVAL, "a policy of more than %d bytes makes no sense",
				 TEXT_MAX);
	size_t len = strcspn(text, ":");
	int error = find_kind(text, len, &build.kind, err);
	if (!error)
		error = parse_keys(&build, text + len, err);
	if (!error)
		error = build_policy(&build, text, err);
	if (error)
		lab_policy_fini(&policy);
	else
		*ret = policy;
	return error;
}

void lab_policy_fini(struct lab_policy *policy)
{
	for (size_t i = 0; i < policy->nr_settings; i++) {
		free(policy->settings[i].path);
		free(policy->settings[i].value);
	}
	for (size_t i = 0; i < policy->nr_launcher; i++)
		free(policy->launcher[i]);
	free(policy->launcher);
	free(policy->settings);
	free(policy->text);
	free(policy->name);
	free(policy->place);
	*policy = (struct lab_policy){ 0 };
}

void lab_policy_settings_to_text(struct printbuf *out, const struct lab_policy *policy)
{
	for (size_t i = 0; i < policy->nr_settings; i++) {
		const struct lab_setting *setting = &policy->settings[i];
		prt_str(out, setting->is_optional ? "try " : "set ");
		prt_str(out, setting->path);
		prt_char(out, ' ');
		prt_str(out, setting->value);
		prt_char(out, '\n');
	}
	for (size_t i = 0; i < policy->nr_launcher; i++) {
		const char *quote = strchr(policy->launcher[i], ' ') ? "'" : "";
		prt_printf(out, "%s%s%s%s", i ? " " : "run berth ", quote, policy->launcher[i],
			   quote);
	}
	if (policy->nr_launcher)
		prt_char(out, '\n');
}

/* "  scan_size_mb=256  1 to 65536 MiB  how much ..." as fields of prt_aligned(). */
static void prt_key(struct printbuf *rows, const struct policy_key *key)
{
	prt_str(rows, "    ");
	prt_str(rows, key->name);
	prt_char(rows, '=');
	prt_str(rows, key->initial);
	prt_char(rows, '\t');
	if (key->words) {
		prt_str(rows, key->words);
	} else if (key->is_text) {
		prt_str(rows, "a name");
	} else {
		prt_u64(rows, key->min);
		prt_str(rows, " to ");
		prt_u64(rows, key->max);
		prt_str(rows, *key->unit ? " " : "");
		prt_str(rows, key->unit);
	}
	prt_char(rows, '\t');
	prt_str(rows, key->help);
	prt_char(rows, '\n');
}

void lab_policy_help(struct printbuf *out)
{
	prt_str(out, "Policies, their keys and what holds unless given (as stock Linux has it):\n");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		PRINTBUF(rows);
		prt_str(out, "  ");
		prt_str(out, kinds[i]->name);
		prt_str(out, ": ");
		prt_str(out, kinds[i]->summary);
		prt_char(out, '\n');
		for (size_t k = 0; k < kinds[i]->nr_keys; k++)
			prt_key(&rows, &kinds[i]->keys[k]);
		prt_aligned(out, printbuf_str(&rows));
	}
	PRINTBUF(rows);
	prt_str(out, "  every policy takes these, too:\n");
	for (size_t k = 0; k < ARRAY_SIZE(common_keys); k++)
		prt_key(&rows, &common_keys[k]);
	prt_aligned(out, printbuf_str(&rows));
}
