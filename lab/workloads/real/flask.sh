#!/bin/sh
# SPDX-License-Identifier: MIT
# A web shop's catalogue in flask under httpload: flask.sh [httpload's options]. ITEMS (in the
# environment) says how many items are kept, 60,000 by default; 3,000 requests by default.
. "$(dirname -- "$0")/common.inc"
web flask "$@"
