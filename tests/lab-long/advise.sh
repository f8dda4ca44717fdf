#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/lab/advise.sh on Linux 7.3, which reclaims a node where it is asked to.
ADVISE_KERNEL=7.3 exec "$TOP/tests/lab/advise.sh"
