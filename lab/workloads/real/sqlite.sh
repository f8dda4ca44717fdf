#!/bin/sh
# SPDX-License-Identifier: MIT
# SQLite in memory: a table and two indexes by recursive queries, then rounds of skewed selects and
# updates: sqlite.sh [ROWS [ROUNDS]] (600,000 and 20; a round is 5,000 selects and 500 updates).
# Skew: the third power of an even draw, scattered over the rows. The updates' counts are summed up
# at the end.
. "$(dirname -- "$0")/common.inc"
need sqlite3 sqlite3
rows=${1:-600000} rounds=${2:-20}
case "$rows$rounds" in
*[!0-9]*) echo "sqlite.sh: $rows $rounds: not counts of rows and rounds" >&2; exit 2 ;;
esac

# draws NUMBER SEED: a query of row numbers, columns n and id
draws() {
	cat <<SQL
WITH RECURSIVE draw(n, x) AS (SELECT 1, $2 UNION ALL
 SELECT n + 1, (x * 1103515245 + 12345) % 2147483648 FROM draw WHERE n < $1)
SELECT n, CAST((x / 2147483648.0) * (x / 2147483648.0) * (x / 2147483648.0) * $rows AS INTEGER)
 * 7919 % $rows AS id FROM draw
SQL
}
{
	echo "PRAGMA journal_mode = OFF; CREATE TABLE item(id INTEGER PRIMARY KEY, key INTEGER,"
	echo "price REAL, visits INTEGER, body TEXT);"
	echo "INSERT INTO item WITH RECURSIVE row(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM row"
	echo "WHERE n + 1 < $rows) SELECT n, n * 2654435761 % 4294967296, n % 1000 / 7.0, 0,"
	echo "printf('%0300d', n) FROM row;"
	echo "CREATE INDEX by_key ON item(key); CREATE INDEX by_price ON item(price, id);"
	round=1
	while [ "$round" -le "$rounds" ]; do
		echo ".timer on"
		echo "SELECT 'select', count(*), sum(length(body) != 300) FROM ($(draws 5000 "$round"))"
		echo "AS d JOIN item ON item.key = d.id * 2654435761 % 4294967296;"
		echo "WITH d(id, nr) AS (SELECT id, count(*) FROM ($(draws 500 "$((round + 1000))"))"
		echo "GROUP BY id) UPDATE item SET visits = visits + d.nr FROM d WHERE item.id = d.id;"
		echo ".timer off"
		round=$((round + 1))
	done
	echo "SELECT 'visits', sum(visits), count(*) FROM item;"
} >"$tmp/script"
$UNDER sqlite3 -batch -bail -separator ' ' :memory: <"$tmp/script" >"$tmp/out" 2>"$tmp/log" || {
	echo "sqlite.sh: $(tail -1 "$tmp/log")" >&2
	exit 1
}
awk -v rows="$rows" -v rounds="$rounds" '
/^select / { wrong += $2 != 5000 || $3 != 0 }
/^Run Time:/ { seconds += $4; if (++nr % 2 == 0) {
	took = seconds - said; said = seconds
	printf "interval %d ops 5500 mops %.4f ns %d\n", nr / 2, took ? 5500 / took / 1e6 : 0, took * 1e9 } }
/^visits / { right = $2 == 500 * rounds && $3 == rows }
END {
	if (wrong || !right || nr != 2 * rounds) {
		print "sqlite.sh: the answers are wrong: see its queries" > "/dev/stderr"
		exit 1
	}
	printf "also: run %.4f s lower\n", seconds
	printf "result: throughput %.1f op/s higher\n", seconds ? 5500 * rounds / seconds : 0
}' "$tmp/out"
