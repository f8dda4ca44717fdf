#!/bin/sh
# SPDX-License-Identifier: MIT
# Every policy on every kernel: see tests/lab/policies.sh, which runs some of it in every check.
POLICIES_ON_ALL=1 exec "$TOP/tests/lab/policies.sh"
