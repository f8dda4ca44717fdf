#!/bin/sh
# SPDX-License-Identifier: MIT
# The rule of soft affinity gives the same on a million random inputs whether it is compiled for
# the kernel or for this machine.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required 6.12
scx_required
lab_run --kernel 6.12 --no-model -M "$LAB_ONE" -q -- \
	"$BUILD/bpf/berth-scx-check" "$BUILD/bpf/check.bpf.o" 1000000 1
