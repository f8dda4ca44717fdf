#!/bin/bash
# SPDX-License-Identifier: MIT
# Advice with Linux 7.3, which reclaims a node where it is asked to.
LAB_LIMIT=240s ADVISE_KERNEL=7.3 exec bash "$TOP/tests/lab/advise.sh"
