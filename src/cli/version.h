/* SPDX-License-Identifier: MIT */
/* Which berth this is, exactly enough to tell whether its results would be the same. */
#ifndef BERTH_CLI_VERSION_H
#define BERTH_CLI_VERSION_H

/* `git describe` of the source when it was built; "" when that was not in git. Set by src/main.c.
 */
extern const char *berth_describe;

/* "0.1.0 1a2b3c4"; a program that no commit names also has the sum of its own bytes:
 * "0.1.0 1a2b3c4-dirty crc32:5e6f7a8b". Made once. */
const char *berth_version(void);

#endif
