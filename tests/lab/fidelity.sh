#!/bin/sh
# SPDX-License-Identifier: MIT
# A run with hint faults, recorded, and replayed from its own machine, kernel and memory: the model's
# counters are those of the guest's kernel within loose bounds (make fidelity has the tight ones).
# Runs beside others.
set -u
. "$TOP/tests/lab/common.sh"
lab_required
cd "$TMP" || exit 1
machine='node:dram:256MiB@80ns/100GBps:cpus=0 node:cxl:256MiB@250ns/20GBps'
policy='kernel:thp=never,scan_delay_ms=100,scan_period_min_ms=100,scan_period_max_ms=1000'
cost='tick=1ms,walk=970ns,arm=1860ns,reclaim=12us,move=53us,kswapd=50%'

lab_run -M "$machine" -q -P "$policy" --record run.berth --format json -o lab.json -- \
	hotset --memory 240MiB --hot 20MiB --think 200 --seconds 4 >out 2>&1 </dev/null || {
	cat out >&2
	exit 1
}
"$BERTH" sim run.berth -M recording -P recording --cost "$cost" --format json >sim.json || exit 1
python3 - <<'END'
import json
lab = {name: pair["after"] - pair["before"]
       for name, pair in json.load(open("lab.json"))["vmstat"].items()}
sim = json.load(open("sim.json"))
result, found = sim["results"][0], sim["as_recorded"]
model = result["vmstat"]
assert result["policy"].startswith("6.12:") and "numa_balancing=2" in result["policy"], result
assert "scan_period_max_ms=1000" in result["policy"], result["policy"]
for name in ("numa_pte_updates", "numa_hint_faults"):
    print(name, lab[name], model[name])
    assert lab[name] > 1000, (name, lab[name])
    assert 0.4 < model[name] / lab[name] < 2.5, (name, lab[name], model[name])
assert found["misses"] == result["misses"] and found["unknown_misses"] == 0, found
shares = [100 * part["fast_misses"] / part["misses"] for part in (found, result)]
print("misses served fast: %.1f %% and %.1f %%" % tuple(shares))
assert abs(shares[0] - shares[1]) < 15, shares
END
