#!/bin/sh
# SPDX-License-Identifier: MIT
# berth sweep --show: tables on any terminal, JSON and CSV against a reckoning of their own, filters.
set -u
fail() { echo "$*"; exit 1; }
cp "$TOP"/tests/golden/sim/*.berth "$TMP" || exit 1
cat >"$TMP/grid.ini" <<'G'
[sweep]
dilate = 20
seed = 1, 2
fast = 50%, 1:8
kernel = linux-none
	interleave
[recordings]
all = *.berth
[policy linux-none]
[policy recency]
touches = 1, 3
idle = 4, 20, 80
[policy optimal]
G
db=$TMP/results.db
"$BERTH" sweep "$TMP/grid.ini" -o "$db" 2>"$TMP/err" || fail "exit $?: $(cat "$TMP/err")"

for columns in 40 80 200; do
	COLUMNS=$columns LC_ALL=C "$BERTH" sweep --show "$db" >"$TMP/text" || fail "text: exit $?"
	for word in 'linux-none' 'mean of 6' '1.00[0-9]x' 'idle' 'touches' 'kernel' 'recency: 12 settings' \
		'###' 'only together'; do
		grep -q "$word" "$TMP/text" || fail "at $columns columns the text lacks $word: $(cat "$TMP/text")"
	done
	LC_ALL=C grep -q '[^ -~]' "$TMP/text" && fail "more than ASCII without UTF-8"
done
LC_ALL=C.UTF-8 "$BERTH" sweep --show "$db" | grep -q '█' || fail "no bars in UTF-8"
"$BERTH" sweep --show "$db" --policy 'rec*' --fast 1:8 --recording 'p*' >"$TMP/few" || fail "filters"
grep -q 'lives\|50%\|fast  linux-none' "$TMP/few" && fail "filters let through: $(cat "$TMP/few")"
grep -q 'phases  *1:8' "$TMP/few" && grep -q '^recency  *1:8 .* %' "$TMP/few" ||
	fail "filters: $(cat "$TMP/few")"

"$BERTH" sweep --show "$db" --format json -o "$TMP/all.json" || fail "json: exit $?"
"$BERTH" sweep --show "$db" --format csv >"$TMP/all.csv" || fail "csv: exit $?"
cat >"$TMP/check.py" <<'P'
import collections, csv, json, math, sqlite3, sys
document = json.load(open(sys.argv[1]))
table = list(csv.DictReader(open(sys.argv[2])))
db = sqlite3.connect(sys.argv[3])
db.row_factory = sqlite3.Row
rows = [dict(r) for r in db.execute("SELECT * FROM runs")]
assert document["schema"] == 1 and len(document["rows"]) == len(table) == len(rows) == 168
by_id = {r["id"]: r for r in rows}
mean = lambda values: math.exp(sum(map(math.log, values)) / len(values))
times = collections.defaultdict(list)  # (case, variant) -> times, slowdowns
slow = collections.defaultdict(list)
for r in rows:
    key = (r["recording"], r["fast"]), (r["policy"], r["spec"], r["kernel"])
    times[key].append(r["time_ns"])
    slow[key].append(r["time_ns"] / r["all_fast_ns"])
cases = sorted({k[0] for k in times})
base = {c: mean(times[c, ("linux-none", "linux-none", "")]) for c in cases}
best = {c: mean(times[c, ("optimal", "optimal", "")]) for c in cases}
near = lambda a, b: (a is None and b is None) or abs(a - b) < 2e-6
for shown, line in zip(document["rows"], table):
    r, case = by_id[shown["id"]], (shown["recording"], shown["fast"])
    for name in r:
        want = json.loads(r[name]) if name == "tunables" else r[name]
        assert shown[name] == want, (name, shown[name], want)
        assert line[name] == ("" if r[name] is None else str(r[name])), name
    gap = base[case] - best[case]
    assert near(shown["slowdown"], r["time_ns"] / r["all_fast_ns"])
    assert near(shown["gap"], gap / best[case])
    want = (base[case] - r["time_ns"]) / gap if gap > 0 else None
    assert near(shown["recovered"], want), (shown["recovered"], want)
    assert near(float(line["recovered"]) if line["recovered"] else None, want)
    assert shown["counters"] == dict(db.execute("SELECT name, value FROM counters WHERE run=?",
                                                (r["id"],)).fetchall())
assert [r["recording"] for r in document["rows"]] == sorted(r["recording"] for r in rows)
assert document["rows"][0]["policy"] == "linux-none" and document["rows"][0]["fast"] == "50%"
variants = {(v["policy"], v["spec"], v["kernel"] or ""): v for v in document["variants"]}
assert set(variants) == {k[1] for k in times}
means = {v: mean([mean(slow[c, v]) for c in cases]) for v in variants}
for name, v in variants.items():
    assert near(v["slowdown"], means[name]) and v["cases"] == len(cases)
    gaps = [c for c in cases if (base[c] - best[c]) / best[c] >= 0.01]
    shares = [(base[c] - mean(times[c, name])) / (base[c] - best[c]) for c in gaps]
    assert v["cases_with_gap"] == len(gaps) > 0
    assert near(v["recovered"], sum(shares) / len(shares))
    assert near(v["recovered_lowest"], min(shares)) and near(v["recovered_highest"], max(shares))
    family = [m for k, m in means.items() if k[0] == name[0]]
    assert v["best"] == (means[name] == min(family)) or family.count(min(family)) > 1
assert sum(v["best"] for v in variants.values()) == 3
# Sensitivity: what is between the means of a tunable's values, over what is between all.
family = {k: math.log(m) for k, m in means.items() if k[0] == "recency"}
middle = sum(family.values()) / len(family)
total = sum((y - middle) ** 2 for y in family.values())
effects = {e["tunable"]: e for e in document["effects"]}
assert set(effects) == {"touches", "idle", "kernel"} and total > 0
for key, effect in effects.items():
    groups = collections.defaultdict(list)
    for k, y in family.items():
        words = dict(w.split("=") for w in k[1].split(":")[1].split(","))
        groups[k[2] if key == "kernel" else words[key]].append(y)
    at = {v: sum(ys) / len(ys) for v, ys in groups.items()}
    between = sum(len(groups[v]) * (at[v] - middle) ** 2 for v in groups)
    assert near(effect["share"], between / total), (key, effect, between / total)
    assert near(effect["best_slowdown"], math.exp(min(at.values())))
    assert near(effect["worst_slowdown"], math.exp(max(at.values())))
    assert near(at[effect["best_value"]], min(at.values()))
shares = [e["share"] for e in document["effects"]]
assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1 + 1e-9
P
/usr/bin/python3 "$TMP/check.py" "$TMP/all.json" "$TMP/all.csv" "$db" || fail "JSON or CSV is wrong"

# Two dilations in one file are two cases, and are told apart.
sed -i 's/^dilate = 20/dilate = 40/' "$TMP/grid.ini"
"$BERTH" sweep "$TMP/grid.ini" -o "$db" 2>"$TMP/err" || fail "dilated: $(cat "$TMP/err")"
COLUMNS=200 "$BERTH" sweep --show "$db" >"$TMP/text" || fail "dilated text: exit $?"
grep -q 'mean of 12' "$TMP/text" && grep -q 'lives .* 40 ' "$TMP/text" || fail "dilated: $(cat "$TMP/text")"
exit 0
