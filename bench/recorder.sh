#!/bin/sh
# SPDX-License-Identifier: MIT
# The recorder beside its yardsticks, on the two programs of `make demo`: bench/recorder.py.
exec /usr/bin/python3 "$TOP/bench/recorder.py"
