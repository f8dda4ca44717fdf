/* SPDX-License-Identifier: MIT */
/* A policy of the lab: what parses has settings whose files lie below /proc or /sys and whose
 * values are one word; what does not parse says why. */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static void check_settings(const struct lab_policy *policy)
{
	PRINTBUF(out);
	demand(policy->nr_settings > 0 && policy->name && policy->text);
	for (size_t i = 0; i < policy->nr_settings; i++) {
		const struct lab_setting *setting = &policy->settings[i];
		demand(strncmp(setting->path, "/proc/sys/", 10) == 0 ||
		       strncmp(setting->path, "/sys/", 5) == 0);
		demand(*setting->value && strcspn(setting->value, " \n") == strlen(setting->value));
	}
	lab_policy_settings_to_text(&out, policy);
	demand(!printbuf_has_error(&out));
}

/* The first byte chooses machine and kernel. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const lines[] = {
		"node:dram:512MiB@80ns/100GBps:cpus=0-1 node:cxl:1GiB@250ns/20GBps",
		"node:dram:512MiB:cpus=0",
		("node:dram:4GiB@80ns/100GBps:cpus=0 node:cxl:1GiB@250ns/20GBps "
		 "node:pmem:1GiB@400ns/5GBps"),
	};
	static const char *const series[] = { "6.12", "7.3", "6.1", NULL };
	PRINTBUF(err);
	struct lab_policy policy = { 0 };
	struct machine *machine = NULL;
	if (size == 0)
		return 0;
	demand(machine_parse(lines[data[0] % ARRAY_SIZE(lines)], &machine, &err) == 0);
	char *text = strndup((const char *)data + 1, size - 1);
	int error = lab_policy_parse(text, machine, series[data[0] / 4 % ARRAY_SIZE(series)],
				     &policy, &err);
	demand(!error == !err.pos);
	if (!error)
		check_settings(&policy);
	lab_policy_fini(&policy);
	machine_free(machine);
	free(text);
	return 0;
}
