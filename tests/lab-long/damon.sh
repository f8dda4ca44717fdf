#!/bin/bash
# SPDX-License-Identifier: MIT
# The sampler damon with Linux 7.3, where DAMON_STAT keeps DAMON to itself until it is turned off.
LAB_LIMIT=240s DAMON_KERNEL=7.3 exec bash "$TOP/tests/lab/damon.sh"
