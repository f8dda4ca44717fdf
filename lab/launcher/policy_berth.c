/* SPDX-License-Identifier: MIT */
/*
 * The policy `berth` of the lab: the guest is set as for `none`, and the program runs under this
 * very berth, which finds itself in the guest under the same path.
 *
 *     PROGRAM  ->  berth run --tier -M LINE --report FILE --format json [...] -- PROGRAM
 *
 * LINE is the machine as the guest numbers it (layout.h), with the latencies of the lab's line:
 * firmware tells the guest rounded ones. The agent sends FILE back when the program has ended
 * (lab/protocol.h), berth_report.c reads it.
 *
 * A policy of berth's own and a sampler go through to berth in the guest, which knows what there
 * is: a wrong name ends the run with status 2 and its sentence.
 */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/layout.h"
#include "lab/launcher/policy_kind.h"
#include "lab/protocol.h"

#define RATE_MAX_MBPS 65536

static const struct policy_key keys[] = {
	{ .name = "policy",
	  .initial = "berth",
	  .is_text = true,
	  .help = "who decides: NAME or NAME:key=value (berth sim --list)" },
	{ .name = "sampler",
	  .initial = "auto",
	  .is_text = true,
	  .help = "how pages in use are seen (berth doctor lists them)" },
	{ .name = "rate_MBps",
	  .unit = "MiB/s",
	  .initial = "1024",
	  .min = 1,
	  .max = RATE_MAX_MBPS,
	  .help = "moved at most" },
};

/* The guest's only CPU under icount may not be that node's: what is seen from it counts. */
static void see_from_guest(struct machine *machine, const struct lab_layout *layout, uint32_t node)
{
	bool was_own = !set_is_empty(&machine->nodes[node].cpus);
	set_fini(&machine->nodes[node].cpus);
	machine->nodes[node].cpus = SET_EMPTY;
	for (uint32_t v = 0; v < layout->nr_vcpus; v++)
		if (layout->node_of_vcpu[v] == node)
			set_add(&machine->nodes[node].cpus, v);
	if (was_own && set_is_empty(&machine->nodes[node].cpus))
		machine->links[node * machine->nr_nodes + node] = *machine_link(
			machine, layout->node_of_vcpu[0], node);
}

/* The machine's line in the guest's numbers. */
static int guest_line(const struct policy_build *build, struct printbuf *line, struct printbuf *err)
{
	struct machine *guest = NULL;
	struct lab_layout layout;
	PRINTBUF(own);
	machine_to_line(&own, build->machine);
	int error = lab_layout_init(build->machine, build->time, &layout, err);
	if (!error)
		error = machine_parse(printbuf_str(&own), &guest, err);
	if (error)
		return error;
	for (uint32_t i = 0; i < guest->nr_nodes; i++) {
		see_from_guest(guest, &layout, i);
		guest->nodes[i].id = layout.guest_node[i];
	}
	machine_to_line(line, guest);
	machine_free(guest);
	return 0;
}

static int add_settings(struct policy_build *build, struct printbuf *err)
{
	static const char *const named[] = { "policy", "sampler" };
	PRINTBUF(line);
	PRINTBUF(rate);
	int error = guest_line(build, &line, err);
	if (error)
		return error;
	policy_kind_none.add_settings(build, err);
	const char *const always[] = { "run",	   "--tier",	    "-M",	printbuf_str(&line),
				       "--report", LAB_REPORT_PATH, "--format", "json" };
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		policy_add_word(build, always[i]);
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		const char *text = policy_text(build, named[i]);
		if (!text)
			continue;
		policy_add_word(build, i == 0 ? "--policy" : "--sampler");
		policy_add_word(build, text);
	}
	prt_printf(&rate, "%lluMiB", (unsigned long long)policy_value(build, "rate_MBps"));
	policy_add_word(build, "--rate");
	policy_add_word(build, printbuf_str(&rate));
	policy_add_word(build, "--");
	return 0;
}

static int check(const struct policy_build *build, struct printbuf *err)
{
	if (build->machine->nr_tiers >= 2)
		return 0;
	return error_set(err, -EINVAL,
			 "berth: all memory of this machine is in one tier, so there is nothing to "
			 "move; describe a second node with more latency, or take none");
}

const struct policy_kind policy_kind_berth = {
	.name = "berth",
	.summary = "berth run --tier, of this very berth, on a kernel set as for none",
	.keys = keys,
	.nr_keys = ARRAY_SIZE(keys),
	.check = check,
	.add_settings = add_settings,
};
