#!/bin/sh
# SPDX-License-Identifier: MIT
# A script in the guest says a phase, and misses are counted under it.
# Runs beside others.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required

lab_run -M "$LAB_ONE" -- sh -c 'phase 3; seq 1 2000 | sort | tail -1' >"$TMP/out" 2>"$TMP/err"
grep -q '^3  *0 ' "$TMP/err" && [ "$(cat "$TMP/out")" = 999 ] && exit 0
echo "FAILED: no misses of phase 3: $(cat "$TMP/out" "$TMP/err")"
exit 1
