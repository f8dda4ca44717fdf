#!/bin/sh
# SPDX-License-Identifier: MIT
# Every machine of tests/roots/lab-machines, booted and captured anew, is what was described.
. "$TOP/tests/lab/common.sh"
lab_required 6.12 7.3
CAPTURED=$TMP
export BERTH CAPTURED
"$TOP/tests/roots/capture-lab" && exec "$TOP/tests/roots/check-lab"
