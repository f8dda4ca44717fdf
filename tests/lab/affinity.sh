#!/bin/sh
# SPDX-License-Identifier: MIT
# `make bench-affinity` in small: two jobs in a guest, one idle. Soft affinity lets the other have the
# second CPU, hard does not; the page says so. CPU time tells: it does not hang on what else the host
# does, as throughput would.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required 6.12
cd "$TMP"
[ "$(nproc)" -ge 2 ] || { echo "one CPU here; the bench needs two"; exit 77; }

"$TOP/bench/affinity" "$BUILD" measure --kernel 6.12 --rounds 1 --seconds 1.2 --cells alone-spin \
	--policies hard,user --raw "$TMP/raw" >out 2>err || fail "measure: status $?"
"$TOP/bench/affinity" "$BUILD" page --raw "$TMP/raw" --page "$TMP/page.md" >verdicts 2>err ||
	fail "page: status $?"
cat raw/6.12.jsonl
/usr/bin/python3 - <<'END_OF_CHECK'
import json
lines = [json.loads(line) for line in open("raw/6.12.jsonl")]
runs = {line["policy"]: line for line in lines if "round" in line}
assert sorted(runs) == ["hard", "user"] and all(run["a"] > 0 for run in runs.values()), lines
seconds = {policy: 240 / run["a"] for policy, run in runs.items()}
cpus = {policy: run["a_cpu_s"] / seconds[policy] for policy, run in runs.items()}
print("CPUs used:", cpus)
assert cpus["hard"] < 1.25 < cpus["user"], cpus
assert lines[-1]["host_cpus"] == 2 and lines[-1]["others_percent"] >= 0, lines[-1]
END_OF_CHECK
grep -q 'Linux 6.12$' page.md && grep -q 'soft, user engine' page.md || fail "page: $(cat page.md)"
grep -q 'periodic against hard' verdicts || fail "verdicts: $(cat verdicts)"
