#!/bin/sh
# SPDX-License-Identifier: MIT
# HPC Challenge in one process: HPL, PTRANS, RandomAccess (GUPS), DGEMM, STREAM, FFT: hpcc.sh [N]
# (820, the order of HPL's matrix, from which the sizes of all others follow).
. "$(dirname -- "$0")/common.inc"
need hpcc hpcc
order=${1:-820}
count "$order" rows
cat >"$tmp/hpccinf.txt" <<INPUT
HPLinpack benchmark input file

HPL.out
8            device out
1            # of problems sizes (N)
$order       Ns
1            # of NBs
80           NBs
0            PMAP
1            # of process grids (P x Q)
1            Ps
1            Qs
16.0         threshold
1            # of panel fact
2            PFACTs
1            # of recursive stopping criterium
4            NBMINs
1            # of panels in recursion
2            NDIVs
1            # of recursive panel fact.
1            RFACTs
1            # of broadcast
1            BCASTs
1            # of lookahead depth
1            DEPTHs
2            SWAP
64           swapping threshold
0            L1 in form
0            U  in form
1            Equilibration
8            memory alignment
##### separator
0            PTRANS: additional sizes
0            values of N
0            additional blocking sizes
0            values of NB
INPUT
cd "$tmp" || exit 1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
$UNDER "$(command -v hpcc)" </dev/null
grep -qx 'Success=1' hpccoutf.txt || { echo "hpcc.sh: hpcc has not checked its results" >&2; exit 1; }
