/* SPDX-License-Identifier: MIT */
/* What a recording made in the lab says of itself: machine, kernel, settings, memory (record.c). */
#ifndef BERTH_LAB_RECORD_INFO_H
#define BERTH_LAB_RECORD_INFO_H

#include "lab/launcher/record.h"
#include "trace/info.h"
#include "trace/ring.h"

/* -ENOMEM */
int lab_record_info_init(struct trace_info *info, const struct lab_options *options,
			 const struct lab_model *model);
void lab_record_info_sample(struct trace_info *info, const struct lab_reading *reading,
			    const struct lab_layout *layout);
int lab_record_info_result(struct trace_info *info, const struct lab_result *result);
/* What the recording's clock leaves out (lab/latency/work.h), and when watermarks were raised. */
void lab_record_info_work(struct trace_info *info, const struct recording *recording);
/* Takes the text, and empties it. */
void lab_record_info_note(struct trace_info *info, struct printbuf *note);
void lab_record_info_fini(struct trace_info *info);

#endif
