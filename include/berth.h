/* SPDX-License-Identifier: MIT */
/*
 * libberth: the public library.
 *
 * Handles are opaque; structs that callers fill begin with their own size, so that fields can be
 * added without breaking programs. Fallible functions return 0 or a negative errno; outputs go
 * through ret_ parameters, untouched on failure. The library neither prints nor exits.
 */
#ifndef BERTH_H
#define BERTH_H

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_API __attribute__((visibility("default")))

/* "0.1.0"; static. */
BERTH_API const char *berth_version(void);

#ifdef __cplusplus
}
#endif

#endif
