#!/bin/sh
# SPDX-License-Identifier: MIT
# What berth reads from captures of real kernels on the lab's machines is what was described.
export BERTH
exec "$TOP/tests/roots/check-lab"
