/* SPDX-License-Identifier: MIT */
/*
 * Small things every room uses: attribute names, sizes, bounds.
 *
 * Units are suffixes (_ns, _bytes, _pages, _bp = per ten thousand); counts start with nr_.
 * Fallible functions return 0 or a negative errno; outputs go through ret_ parameters and are
 * untouched on failure. A function that can explain itself takes `struct printbuf *err` (NULL
 * allowed) and, on failure only, appends one sentence there: object, reason, remedy.
 */
#ifndef BERTH_BASE_TYPES_H
#define BERTH_BASE_TYPES_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)	  ((a) < (b) ? (a) : (b))
#define MAX(a, b)	  ((a) > (b) ? (a) : (b))

#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#define berth_printf(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define berth_must_check		  __attribute__((warn_unused_result))

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

#define NS_PER_US ((uint64_t)1000)
#define NS_PER_MS ((uint64_t)1000000)
#define NS_PER_S  ((uint64_t)1000000000)

#endif
