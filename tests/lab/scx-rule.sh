#!/bin/sh
# SPDX-License-Identifier: MIT
# The rule of soft affinity gives the same on a million random inputs whether it is compiled for
# the kernel or for this machine.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required 6.12
[ -e "$BUILD/bpf/berth-scx-check" ] || { echo "built without the sched_ext engine"; exit 77; }
lab_run --kernel 6.12 --no-model -M "$LAB_ONE" -q -- \
	"$BUILD/bpf/berth-scx-check" "$BUILD/bpf/check.bpf.o" 1000000 1
