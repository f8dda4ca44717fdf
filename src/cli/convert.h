/* SPDX-License-Identifier: MIT */
/* The two ways of `berth convert`. ret_is_cut: the input ended before its time. */
#ifndef BERTH_CLI_CONVERT_H
#define BERTH_CLI_CONVERT_H

#include "base/error.h"
#include "trace/trace.h"

int convert_to_berth(const char *in, const char *out, bool *ret_is_cut, struct printbuf *err);
/* out "-": standard output. */
int convert_to_csv(const char *in, const char *out, bool *ret_is_cut, struct printbuf *err);

#endif
