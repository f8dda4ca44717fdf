#!/bin/bash
# SPDX-License-Identifier: MIT
# The mover damos with Linux 7.3, whose DAMON moves by virtual addresses.
LAB_LIMIT=240s DAMON_KERNEL=7.3 exec bash "$TOP/tests/lab/damos.sh"
