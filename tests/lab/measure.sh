#!/bin/sh
# SPDX-License-Identifier: MIT
# `berth machine --measure` in the lab: what it measures stands in the ratios that the machine's
# line gives, within 10 %, for latency and for bandwidth. Time is scaled in the lab, so only ratios
# hold. Whatever else runs on the host makes figures worse, never better: the best of up to three
# tries count. The measured line parses.
. "$TOP/tests/lab/common.sh"
lab_required
line='node:dram:512MiB@80ns/100GBps:cpus=0 node:cxl:512MiB@250ns/20GBps node:pmem:512MiB@400ns/5GBps'
cat >"$TMP/compare" <<'END'
import glob, json, sys
WANTED = {0: (80, 100), 1: (250, 20), 2: (400, 5)}
latency, bandwidth = {}, {}
for path in glob.glob(sys.argv[1] + "/try*.json"):
    for pair in json.load(open(path))["measurement"]["pairs"]:
        assert pair["from"] == 0 and pair["measured"], pair
        to = pair["to"]
        latency[to] = min(latency.get(to, 1e9), pair["idle_latency_ns"])
        bandwidth[to] = max(bandwidth.get(to, 0), pair["one_cpu_bytes_per_s"])
assert sorted(latency) == sorted(WANTED), latency
worst = 0
for to, (ns, rate) in WANTED.items():
    off = latency[to] / latency[0] / (ns / 80) - 1, bandwidth[to] / bandwidth[0] / (rate / 100) - 1
    worst = max(worst, abs(off[0]), abs(off[1]))
    print("node %d: %.0f ns (%+.1f %% of its ratio), %.4f GB/s (%+.1f %%)"
          % (to, latency[to], off[0] * 100, bandwidth[to] / 1e9, off[1] * 100))
sys.exit(worst > 0.10)
END
for attempt in 1 2 3; do
	lab_run -q -M "$line" -- "$BERTH" machine --measure --format json >"$TMP/try$attempt.json" || {
		echo "status $?: $(cat "$TMP/try$attempt.json")"
		exit 1
	}
	echo "after try $attempt:"
	if /usr/bin/python3 "$TMP/compare" "$TMP"; then
		exit 0
	fi
done
exit 1
