/* SPDX-License-Identifier: MIT */
/* The keys of berth.conf: one row each, and how their values are read and printed (config.h). */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "engine/engine.h"
#include "linux/config.h"
#include "linux/samplers.h"
#include "policy/cpu/soft.h"
#include "policy/policy.h"

#define PID_MAX	       ((uint64_t)1 << 22)
#define DISTANCE_LOCAL 10 /* the kernel's: the same node; 255: not reachable */
#define DISTANCE_FAR   254
#define COMMAND_MAX    64
#define PRINT_CPUS     120 /* characters of a CPU list on one line */
#define LIMIT_MIN_BP   10
#define ALL_BP	       10000

const char *const config_match_names[] = { "cgroup", "unit", "command", "pid", NULL };

static int refuse(struct printbuf *err, const char *text, const char *sentence)
{
	return error_set(err, -EINVAL, "%s: %s", text, sentence);
}

static int parse_bool(const struct config_key *key, void *slot, const char *text, bool goes_on,
		      struct printbuf *err)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };
	for (uint32_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(text, words[i]) == 0) {
			*(uint32_t *)slot = i & 1;
			return 0;
		}
	return refuse(err, text, "neither yes nor no");
}

static void print_bool(const struct config_key *key, const void *slot, struct printbuf *out)
{
	prt_str(out, *(const uint32_t *)slot ? "yes" : "no");
}

static int parse_choice(const struct config_key *key, void *slot, const char *text, bool goes_on,
			struct printbuf *err)
{
	uint32_t nr = 0;
	PRINTBUF(all);
	for (; key->choices[nr]; nr++) {
		if (strcmp(text, key->choices[nr]) == 0) {
			*(uint32_t *)slot = nr;
			return 0;
		}
		prt_printf(&all, "%s%s", nr ? ", " : "", key->choices[nr]);
	}
	const char *nearest = nearest_name(text, key->choices, nr);
	return error_set(err, -EINVAL, "%s: not one of %s%s%s%s", text, printbuf_str(&all),
			 nearest ? "; did you mean " : "", nearest ? nearest : "",
			 nearest ? "?" : "");
}

static void print_choice(const struct config_key *key, const void *slot, struct printbuf *out)
{
	prt_str(out, key->choices[*(const uint32_t *)slot]);
}

static int set_text(void *slot, const char *text)
{
	char *copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*(char **)slot);
	*(char **)slot = copy;
	return 0;
}

static int parse_policy(const struct config_key *key, void *slot, const char *text, bool goes_on,
			struct printbuf *err)
{
	const char *names[64];
	size_t nr = 0;
	if (policy_find(text))
		return set_text(slot, text);
	for (; nr < ARRAY_SIZE(names) && policies[nr]; nr++)
		names[nr] = policies[nr]->name;
	const char *nearest = nearest_name(text, names, nr);
	return error_set(err, -EINVAL, "%s: no such policy%s%s%s", text,
			 nearest ? "; did you mean " : "; berth sim --list names them",
			 nearest ? nearest : "", nearest ? "?" : "");
}

/* Names of groups of users: no blanks, no patterns. */
static int parse_name(const struct config_key *key, void *slot, const char *text, bool goes_on,
		      struct printbuf *err)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t len = strlen(text);
	if (len > 32 || strspn(text, allowed) != len || text[0] == '-')
		return refuse(err, text,
			      "not a name: letters, digits, '_', '.' and '-', at most 32");
	return set_text(slot, text);
}

/* As --sampler of `berth run --tier`, of which the daemon takes the text. */
static int parse_samplers(const struct config_key *key, void *slot, const char *text, bool goes_on,
			  struct printbuf *err)
{
	const struct sampler_ops *samplers[LIVE_SAMPLERS_MAX];
	uint32_t nr;
	int error = live_samplers_parse(text, samplers, LIVE_SAMPLERS_MAX, &nr, err);
	return error ? error : set_text(slot, text);
}

static void print_name(const struct config_key *key, const void *slot, struct printbuf *out)
{
	const char *text = *(char *const *)slot;
	if (text)
		prt_mem(out, text, strlen(text));
}

static void fini_text(void *slot)
{
	free(*(char **)slot);
}

static int parse_rate_value(const struct config_key *key, void *slot, const char *text,
			    bool goes_on, struct printbuf *err)
{
	uint64_t rate = 0;
	if (parse_rate(text, &rate) || rate == 0)
		return refuse(err, text, "not a rate; write one such as 200MiBps");
	*(uint64_t *)slot = rate;
	return 0;
}

static void print_rate(const struct config_key *key, const void *slot, struct printbuf *out)
{
	prt_rate_exact(out, *(const uint64_t *)slot);
}

static void print_bp(struct printbuf *out, uint32_t bp)
{
	prt_printf(out, "%u", bp / 100);
	if (bp % 100)
		prt_printf(out, bp % 10 ? ".%02u" : ".%u", bp % 10 ? bp % 100 : bp % 100 / 10);
	prt_char(out, '%');
}

static int parse_percent(const char *text, uint32_t *ret_bp)
{
	PRINTBUF(percent);
	prt_str(&percent, text);
	if (!strchr(text, '%'))
		prt_char(&percent, '%');
	uint32_t bp = 0;
	if (parse_ratio_bp(printbuf_str(&percent), &bp) || bp > ALL_BP)
		return -EINVAL;
	*ret_bp = bp;
	return 0;
}

static int parse_limit(const struct config_key *key, void *slot, const char *text, bool goes_on,
		       struct printbuf *err)
{
	uint32_t bp = 0;
	if (!strchr(text, '%') || parse_percent(text, &bp) || bp < LIMIT_MIN_BP)
		return refuse(err, text, "not a share of a CPU; write 0.1% to 100%");
	*(uint32_t *)slot = bp;
	return 0;
}

static void print_limit(const struct config_key *key, const void *slot, struct printbuf *out)
{
	print_bp(out, *(const uint32_t *)slot);
}

static int parse_spill(const struct config_key *key, void *slot, const char *text, bool goes_on,
		       struct printbuf *err)
{
	if (strcmp(text, "hard") == 0)
		*(uint32_t *)slot = SOFT_HARD;
	else if (parse_percent(text, slot))
		return refuse(err, text, "not a utilisation; write 0% to 100%, or hard");
	return 0;
}

static void print_spill(const struct config_key *key, const void *slot, struct printbuf *out)
{
	uint32_t bp = *(const uint32_t *)slot;
	if (bp == SOFT_HARD)
		prt_str(out, "hard");
	else
		print_bp(out, bp);
}

static int parse_distance(const struct config_key *key, void *slot, const char *text, bool goes_on,
			  struct printbuf *err)
{
	uint64_t distance = 0;
	if (strcmp(text, "any") == 0)
		distance = SOFT_NO_DISTANCE;
	else if (parse_u64(text, &distance) || distance < DISTANCE_LOCAL || distance > DISTANCE_FAR)
		return refuse(err, text,
			      "not a distance of nodes; write 10 (the same node) to 254, or any");
	*(uint32_t *)slot = (uint32_t)distance;
	return 0;
}

static void print_distance(const struct config_key *key, const void *slot, struct printbuf *out)
{
	uint32_t distance = *(const uint32_t *)slot;
	if (distance == SOFT_NO_DISTANCE)
		prt_str(out, "any");
	else
		prt_u64(out, distance);
}

static int parse_cpus(const struct config_key *key, void *slot, const char *text, bool goes_on,
		      struct printbuf *err)
{
	struct set cpus = SET_EMPTY;
	PRINTBUF(list); /* a list may be broken behind or before a comma */
	prt_str(&list, text + (goes_on && text[0] == ','));
	while (list.pos && list.buf[list.pos - 1] == ',')
		list.buf[--list.pos] = '\0';
	int error = set_parse(printbuf_str(&list), &cpus);
	if (error || set_is_empty(&cpus)) {
		set_fini(&cpus);
		return error == -ENOMEM ? error
					: refuse(err, text, "not a list of CPUs; write 0-3,8");
	}
	if (goes_on)
		error = set_or(&cpus, slot);
	set_fini(slot);
	*(struct set *)slot = cpus;
	return error;
}

/* Lines are short (INI_LINE_MAX): a long list goes on in indented ones. */
static void print_cpus(const struct config_key *key, const void *slot, struct printbuf *out)
{
	PRINTBUF(list);
	set_to_text(&list, slot);
	size_t width = 0;
	for (const char *at = printbuf_str(&list); *at;) {
		size_t len = strcspn(at, ",");
		len += at[len] == ',';
		if (width && width + len > PRINT_CPUS) {
			prt_str(out, "\n\t");
			width = 0;
		}
		prt_mem(out, at, len);
		width += len;
		at += len;
	}
}

static void fini_cpus(void *slot)
{
	set_fini(slot);
}

static int parse_amount(const struct config_key *key, void *slot, const char *text, bool goes_on,
			struct printbuf *err)
{
	struct config_amount amount = { .is_set = true, .is_share = strchr(text, '%') };
	int error = amount.is_share ? parse_percent(text, &amount.bp)
				    : parse_bytes(text, &amount.bytes);
	if (error)
		return refuse(err, text, "not an amount of memory; write 8GiB, or 25%");
	*(struct config_amount *)slot = amount;
	return 0;
}

static void print_amount(const struct config_key *key, const void *slot, struct printbuf *out)
{
	const struct config_amount *amount = slot;
	if (amount->is_set && amount->is_share)
		print_bp(out, amount->bp);
	else if (amount->is_set)
		prt_bytes_exact(out, amount->bytes);
}

static bool is_unit(const char *text)
{
	static const char *const suffixes[] = { ".service", ".scope", ".slice" };
	size_t len = strlen(text);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t suffix = strlen(suffixes[i]);
		if (len > suffix && strcmp(text + len - suffix, suffixes[i]) == 0)
			return !strchr(text, '/');
	}
	return false;
}

/* What is printed, and compared with names of files: control characters are no part of it. */
static bool is_printable(const char *text)
{
	PRINTBUF(safe);
	prt_safe(&safe, text, strlen(text));
	return strcmp(printbuf_str(&safe), text) == 0;
}

/* Why a pattern of this kind makes no sense; NULL: it does. */
static const char *check_pattern(struct config_match *match, const char *text)
{
	if (!is_printable(text))
		return "control characters, or not UTF-8";
	switch (match->kind) {
	case CONFIG_MATCH_CGROUP:
		return text[0] != '/'	      ? "a group begins with a slash: /app.slice/web*"
		       : strstr(text, "//")   ? "two slashes with nothing between"
		       : strstr(text, "/../") ? "a group's path has no .."
		       : text[1] && text[strlen(text) - 1] == '/'
			       ? "a group's path ends without a slash"
		       : text[1] == '\0' ? "the root group is every process; name a group "
					   "below it"
					 : NULL;
	case CONFIG_MATCH_UNIT:
		return is_unit(text) ? NULL : "a unit ends in .service, .scope or .slice";
	case CONFIG_MATCH_COMMAND:
		return strchr(text, '/')	    ? "a command is a name without a path"
		       : strlen(text) > COMMAND_MAX ? "longer than 64 characters"
		       : strspn(text, "*") == strlen(text)
			       ? "that is every command; name some of it"
			       : NULL;
	default:
		return parse_u64(text, &match->pid) || match->pid < 2 || match->pid > PID_MAX
			       ? "not the number of a process"
			       : NULL;
	}
}

static void fini_matches(void *slot)
{
	struct config_matches *matches = slot;
	for (size_t i = 0; i < matches->nr; i++)
		free(matches->items[i].pattern);
	free(matches->items);
}

static int add_match(struct config_matches *matches, const struct config_match *match,
		     struct printbuf *err)
{
	if (matches->nr >= CONFIG_MAX_MATCHES)
		return error_set(err, -EINVAL, "more than %d matches of one job; use patterns",
				 CONFIG_MAX_MATCHES);
	size_t size = (matches->nr + 1) * sizeof(*matches->items);
	struct config_match *items = realloc(matches->items, size);
	if (!items)
		return -ENOMEM;
	matches->items = items;
	items[matches->nr++] = *match;
	return 0;
}

/* Always adds, to what earlier lines and files said. */
static int parse_match(const struct config_key *key, void *slot, const char *text, bool goes_on,
		       struct printbuf *err)
{
	struct config_match match = { .kind = 0 };
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	while (config_match_names[match.kind] &&
	       (strlen(config_match_names[match.kind]) != len ||
		strncmp(config_match_names[match.kind], text, len) != 0))
		match.kind++;
	if (!colon || !config_match_names[match.kind])
		return refuse(err, text, "begins with none of cgroup:, unit:, command:, pid:");
	const char *what = colon + 1;
	if (!*what)
		return refuse(err, text, "nothing behind the colon");
	const char *why = check_pattern(&match, what);
	if (why)
		return refuse(err, text, why);
	if (match.kind != CONFIG_MATCH_PID && !(match.pattern = strdup(what)))
		return -ENOMEM;
	int error = add_match(slot, &match, err);
	if (error)
		free(match.pattern);
	return error;
}

void config_match_to_text(struct printbuf *out, const struct config_match *match)
{
	prt_printf(out, "%s:", config_match_names[match->kind]);
	if (match->pattern)
		prt_mem(out, match->pattern, strlen(match->pattern));
	else
		prt_u64(out, match->pid);
}

/* One per line: each after the first in a line that goes on. */
static void print_matches(const struct config_key *key, const void *slot, struct printbuf *out)
{
	const struct config_matches *matches = slot;
	for (size_t i = 0; i < matches->nr; i++) {
		prt_str(out, i ? "\n\t" : "");
		config_match_to_text(out, &matches->items[i]);
	}
}

static const struct config_kind kind_bool = { "yes or no", parse_bool, print_bool, NULL, false };
static const struct config_kind kind_choice = { NULL, parse_choice, print_choice, NULL, false };
static const struct config_kind kind_policy = { "the name of a policy", parse_policy, print_name,
						fini_text, false };
static const struct config_kind kind_name = { "a name", parse_name, print_name, fini_text, false };
static const struct config_kind kind_samplers = { "auto, or names of samplers: accessed-bits,damon",
						  parse_samplers, print_name, fini_text, false };
static const struct config_kind kind_rate = { "bytes per second: 200MiBps", parse_rate_value,
					      print_rate, NULL, false };
static const struct config_kind kind_limit = { "a percentage", parse_limit, print_limit, NULL,
					       false };
static const struct config_kind kind_spill = { "0% to 100%, or hard", parse_spill, print_spill,
					       NULL, false };
static const struct config_kind kind_distance = { "10 to 254, or any", parse_distance,
						  print_distance, NULL, false };
static const struct config_kind kind_cpus = { "CPUs: 0-3,8", parse_cpus, print_cpus, fini_cpus,
					      true };
static const struct config_kind kind_amount = { "memory, or a share: 8GiB, 25%", parse_amount,
						print_amount, NULL, false };
static const struct config_kind kind_match = { "cgroup:PATH, unit:NAME, command:NAME or pid:N",
					       parse_match, print_matches, fini_matches, true };

static const char *const engine_names[] = { "auto", "user", "scx", NULL };
static const char *const goal_names[] = { "balanced", "performance", "background", NULL };

#define DAEMON(member) offsetof(struct config_daemon, member)
#define JOB(member)    offsetof(struct config_job, member)

const struct config_key config_keys[CONFIG_NR_KEYS] = {
	{ false, "DryRun", "yes", &kind_bool, DAEMON(dry_run),
	  "Only say what would be done. Nothing is placed before this is set to no.", NULL },
	{ false, "Engine", "auto", &kind_choice, DAEMON(engine),
	  "What places threads: user, a timer that widens and narrows masks; scx, a scheduler in "
	  "the kernel, which then schedules all ordinary tasks of the machine; where it cannot be "
	  "had the engine is user, and the daemon says why. auto is user.",
	  engine_names },
	{ false, "Policy", "berth", &kind_policy, DAEMON(policy), "The policy that places memory.",
	  NULL },
	{ false, "Sampler", "auto", &kind_samplers, DAEMON(sampler),
	  "What tells which pages are used: one or several, with commas between, that share the "
	  "CPU "
	  "time for looking; auto chooses by precision and cost. berth doctor names those that "
	  "work "
	  "here.",
	  NULL },
	{ false, "MoveRate", "1GBps", &kind_rate, DAEMON(move_rate_bytes_per_s),
	  "Move no more than this, over all jobs.", NULL },
	{ false, "CPULimit", "2%", &kind_limit, DAEMON(cpu_limit_bp),
	  "How much of one CPU berth itself may use, copying not counted.", NULL },
	{ false, "SocketGroup", "", &kind_name, DAEMON(socket_group),
	  "The group of users who, as root, may see all jobs of the daemon and change them. Others "
	  "see those in which they have a process.",
	  NULL },
	{ true, "Match", "", &kind_match, JOB(matches),
	  "Which processes are the job's; may be given several times, one that matches is enough. "
	  "cgroup: the path of a group, of which all groups below are part; unit: a unit of "
	  "systemd; command: the name of a program; pid: one process. *, ? and [...] are patterns "
	  "in all but pid, and * does not match a slash.",
	  NULL },
	{ true, "PreferCPUs", "", &kind_cpus, JOB(prefer), "Where its threads are at home.", NULL },
	{ true, "AllowCPUs", "", &kind_cpus, JOB(allow),
	  "Where they may run at all; must hold the preferred ones. Not said: everywhere.", NULL },
	{ true, "SpillAt", "85%", &kind_spill, JOB(spill_at_bp),
	  "Utilisation of the preferred CPUs from which on others are borrowed; hard: never.",
	  NULL },
	{ true, "MaxDistance", "any", &kind_distance, JOB(max_distance),
	  "Borrow no CPU further away than this, in the kernel's distances of nodes.", NULL },
	{ true, "FastMin", "", &kind_amount, JOB(fast_min),
	  "Fast memory that is kept for the job against all others (floor).", NULL },
	{ true, "FastMax", "", &kind_amount, JOB(fast_max),
	  "Fast memory that it may have at most (cap).", NULL },
	{ true, "Goal", "balanced", &kind_choice, JOB(goal),
	  "performance: as much fast memory and as many CPUs as help, as far as caps allow; "
	  "balanced: a fair share of what others leave; background: only what is idle, given back "
	  "first.",
	  goal_names },
};

size_t config_key_of(bool is_of_job, size_t offset)
{
	size_t i = 0;
	while (i < CONFIG_NR_KEYS &&
	       (config_keys[i].is_of_job != is_of_job || config_keys[i].offset != offset))
		i++;
	return i;
}
