#!/bin/sh
# SPDX-License-Identifier: MIT
# README shows what the demo prints (figures and drawings masked).
set -eu
cd "$TOP"
COLUMNS=100 scripts/demo "$BUILD" >"$TMP/output" 2>"$TMP/messages" || { cat "$TMP/messages"; exit 1; }
scripts/readme check "$TMP/output"
