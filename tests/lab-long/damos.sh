#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/lab/damos.sh on Linux 7.3, whose DAMON moves by virtual addresses.
DAMON_KERNEL=7.3 exec "$TOP/tests/lab/damos.sh"
