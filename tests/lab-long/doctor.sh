#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/lab/doctor.sh on both kernels.
DOCTOR_KERNELS='6.12 7.3' exec "$TOP/tests/lab/doctor.sh"
