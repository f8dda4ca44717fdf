/* SPDX-License-Identifier: MIT */
/*
 * Reading numbers with units, exactly and with bounds: "64GiB", "1.5MiB", "80ns", "100GBps",
 * "12%". Every function takes the whole string: trailing text, signs, blanks, overflow and
 * unknown units are -EINVAL or -ERANGE. A fraction is read exactly, to 18 decimals; what does not
 * come out whole (1.1KiB) is rounded to the nearest, a part of the smallest unit (1.5B) refused.
 * Printing is in printbuf.h (prt_bytes, prt_ns, ...).
 */
#ifndef BERTH_BASE_UNITS_H
#define BERTH_BASE_UNITS_H

#include "base/types.h"

int parse_u64(const char *text, uint64_t *ret);		/* decimal, or 0x hexadecimal */
int parse_bytes(const char *text, uint64_t *ret_bytes); /* B KiB MiB GiB TiB, kB MB GB TB (1000),
							   K M G T (1024); no unit: bytes */
int parse_ns(const char *text, uint64_t *ret_ns);	/* ns us ms s min; a unit is needed but
							   for 0 */
int parse_rate(const char *text, uint64_t *ret_bytes_per_s); /* 100GBps, 30GB/s, 5MiBps */
int parse_ratio_bp(const char *text, uint32_t *ret_bp);	     /* "12.5%" or "0.125" -> 1250 */
int parse_double(const char *text, double *ret);	     /* finite; locale-independent */

/* The inverse of parse_*, exact: the largest unit that leaves no remainder ("64GiB", "80ns"). */
struct printbuf;
void prt_bytes_exact(struct printbuf *out, uint64_t bytes);
void prt_ns_exact(struct printbuf *out, uint64_t ns);
void prt_rate_exact(struct printbuf *out, uint64_t bytes_per_s);

#endif
