#!/bin/sh
# SPDX-License-Identifier: MIT
# berth sweep: every combination is there once; each row's command gives its figures again; what is
# there is not made again, unless the recording changed; any number of workers makes the same rows.
set -u
fail() { echo "$*"; exit 1; }
cp "$TOP/tests/golden/sim/phases.berth" "$TOP/tests/golden/sim/lives.berth" "$TMP" || exit 1
cat >"$TMP/grid.ini" <<'G'
; what the tests sweep
[sweep]
span = 4s
tick = 3ms
seed = 1, 2
fast = 50%, 1:8	; shares of the peak
[recordings develop]
phases = phases.berth
[recordings report]
all = liv*.berth
[policy linux-none]
[policy fast agent]
spec = recency:touches=2
idle = 4, 20
[policy tiering]
spec = linux-tiering
[policy optimal]
G
db=$TMP/results.db
"$BERTH" sweep "$TMP/grid.ini" -j 2 -o "$db" 2>"$TMP/err" >"$TMP/out" || fail "exit $?: $(cat "$TMP/err")"
[ -s "$TMP/out" ] && fail "said on stdout: $(cat "$TMP/out")"
grep -q '40 simulations: recordings 2, policies 4 (5 with their tunables)' "$TMP/err" ||
	fail "does not say the product: $(cat "$TMP/err")"

cat >"$TMP/check.py" <<'P'
import csv, io, json, os, shlex, sqlite3, subprocess, sys
db = sqlite3.connect(sys.argv[1])
db.row_factory = sqlite3.Row
assert db.execute("PRAGMA application_id").fetchone()[0] == 0x42725468
rows = db.execute("SELECT * FROM runs").fetchall()
keys = {tuple(r[k] for k in ("recording", "spec", "kernel", "fast", "seed")) for r in rows}
assert len(rows) == 40 and len(keys) == 40, (len(rows), len(keys))
assert {(r["recording"], r["recording_group"]) for r in rows} == {("phases", "develop"),
                                                                   ("lives", "report")}
assert {r["spec"] for r in rows if r["policy"] == "fast agent"} == {
    "recency:touches=2,idle=4", "recency:touches=2,idle=20"}
assert json.loads([r for r in rows if r["spec"].endswith("idle=20")][0]["tunables"]) == {
    "touches": "2", "idle": "20"}
for r in rows:
    assert (r["kernel"] == "linux-none") == (r["kind"] == "agent") and r["error"] is None
    peak, page = db.execute("SELECT peak_pages, page_bytes FROM recordings WHERE name=?",
                            (r["recording"],)).fetchone()
    share = {"50%": peak * 5000 // 10000, "1:8": peak // 9}[r["fast"]]
    assert abs(r["fast_bytes"] // page - share) <= 1, (r["fast_bytes"], share)
    assert r["seed"] == 2 or r["dilate"] >= 2
    assert "tick=%dns" % min(3000000 // r["dilate"], 1000000) in r["cost"].replace("us", "000ns").replace("1ms", "1000000ns"), r["cost"]
    assert (r["lower_ps"] is not None) == (r["base"] == "optimal")
seen = set()
for r in rows[::3] if len(sys.argv) < 3 else rows:
    if (r["spec"], r["recording"]) in seen:
        continue
    seen.add((r["spec"], r["recording"]))
    command = shlex.split(r["command"])
    assert command[:2] == ["berth", "sim"]
    out = subprocess.run([os.environ["BERTH"]] + command[1:] + ["--format", "csv"], check=True,
                         capture_output=True, text=True).stdout
    again = next(csv.DictReader(io.StringIO(out)))
    for name in again:
        if name in r.keys() and name not in ("policy", "kernel", "error"):
            assert again[name] == ("" if r[name] is None else str(r[name])), (name, r["command"])
assert len(seen) == 10, seen
counters = dict(db.execute("SELECT c.name, sum(c.value) FROM counters c JOIN runs r ON r.id = c.run"
                           " WHERE r.base = 'linux-tiering' GROUP BY 1").fetchall())
assert "numa_hint_faults" in counters, counters
P
/usr/bin/python3 "$TMP/check.py" "$db" || fail "the rows are wrong"

# Another number of workers: the same rows, but for what tells of the run itself.
"$BERTH" sweep "$TMP/grid.ini" -j 1 -o "$TMP/one.db" 2>"$TMP/err" || fail "-j 1: $(cat "$TMP/err")"
columns=$(sqlite3 "$db" "SELECT group_concat(name) FROM pragma_table_info('runs')
	WHERE name NOT IN ('id', 'finished_unix_s')")
for file in "$db" "$TMP/one.db"; do
	sqlite3 "$file" "SELECT $columns FROM runs ORDER BY recording, spec, fast, seed" >"$file.rows"
done
cmp "$db.rows" "$TMP/one.db.rows" || fail "-j 1 and -j 2 differ"

# Nothing is made twice; more in the grid is added.
"$BERTH" sweep "$TMP/grid.ini" -o "$db" 2>"$TMP/err" || fail "again: $(cat "$TMP/err")"
grep -q 'has 40 of them already' "$TMP/err" && grep -q ' 0 simulations in' "$TMP/err" ||
	fail "again: $(cat "$TMP/err")"
sed -i 's/^idle = .*/idle = 4, 20, 60/' "$TMP/grid.ini"
"$BERTH" sweep "$TMP/grid.ini" -o "$db" 2>"$TMP/err" || fail "more: $(cat "$TMP/err")"
grep -q 'has 40 of them already' "$TMP/err" && grep -q ' 8 simulations in' "$TMP/err" ||
	fail "more: $(cat "$TMP/err")"

# A recording that changed is simulated anew, and what it said before is gone; the other is not.
cp "$TOP/tests/golden/sim/scan.berth" "$TMP/lives.berth"
"$BERTH" sweep "$TMP/grid.ini" -o "$db" 2>"$TMP/err" || fail "changed: $(cat "$TMP/err")"
grep -q 'has 24 of them already' "$TMP/err" || fail "changed: $(cat "$TMP/err")"
[ "$(sqlite3 "$db" "SELECT count(*) || ' ' || count(DISTINCT recording_checksum) FROM runs
	WHERE recording = 'lives'")" = '24 1' ] || fail "changed: rows of before are left"

# So is what another version made.
sqlite3 "$db" "UPDATE runs SET version = '0.0.1' WHERE spec = 'linux-none'"
"$BERTH" sweep "$TMP/grid.ini" -o "$db" 2>"$TMP/err" || fail "version: $(cat "$TMP/err")"
grep -q 'made anew: 8 that another version' "$TMP/err" || fail "version: $(cat "$TMP/err")"
[ "$(sqlite3 "$db" 'SELECT count(*), count(DISTINCT version) FROM runs')" = '48|1' ] ||
	fail "version: not made anew"
exit 0
