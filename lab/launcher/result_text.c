/* SPDX-License-Identifier: MIT */
/* A result for people: what ran where, how long, and what memory did. */
#include "lab/launcher/lab.h"

void lab_result_to_text(struct printbuf *out, const struct lab_result *result,
			const struct machine *machine)
{
	prt_printf(out, "kernel  %s, QEMU %s\n",
		   result->kernel_release ? result->kernel_release : "unknown",
		   result->qemu_version ? result->qemu_version : "unknown");
	prt_str(out, "boot    ");
	prt_ns(out, result->boot_wall_ns);
	prt_str(out, "\nwall    ");
	prt_ns(out, result->wall_ns);
	prt_str(out, "\nguest   ");
	prt_ns(out, result->guest_ns);
	prt_newline(out);
}

void lab_result_to_json(struct json_writer *json, const char *key, const struct lab_result *result,
			const struct machine *machine)
{
	json_object_begin(json, key);
	json_str(json, "end", lab_end_names[result->end]);
	json_object_end(json);
}

void lab_result_to_csv(struct printbuf *out, const struct lab_result *result,
		       const struct machine *machine)
{
}
