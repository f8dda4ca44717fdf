#!/bin/bash
# SPDX-License-Identifier: MIT
# The tables of `make bench-samplers` from guests that only pretend: means, medians, shares; that
# they come between the marks of a page and nowhere else; a page without marks, a guest that fails.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
mkdir build
cat >build/berth <<'END_OF_BERTH'
#!/bin/bash
case "$*" in
*'--kernel broken'*) exit 9 ;;
"run --help") echo 'With --tier: how pages are moved,
	move_pages or other; otherwise move_pages.' ;;
*"/placing --sampler 25 "*) # NAME OWN KERNEL FAULTS PASSED MOVING PAGES
	echo 'damon 1000 3000 5 10000 7 7
damon 3000 1000 15 10000 7 7' >"${*: -2:1}" ;;
*"/placing --mover 25 "*"move_pages other") echo 'move_pages 9 9 9 1000000 500000 250
other 9 9 9 1000000 100 0' >"${*: -3:1}" ;;
*"/looking "*) echo 'none 2.0 0 0 0
damon 1.0 5.25 70 7
none 4.0 0 0 0
damon 1.6 7.25 80 9
none 3.0 0 0 0
damon 1.5 6.25 90 8' >"${*: -2:1}" ;;
*) exit 9 ;;
esac
END_OF_BERTH
chmod +x build/berth
printf '%s\n' before '<!-- bench-samplers -->' old '<!-- /bench-samplers -->' after >page.md
DOCS=page.md ROUNDS=3 "$TOP/bench/samplers" build damon >out || fail "status $?: $(cat out)"
cat >expected <<'END_OF_PAGE'
before
<!-- bench-samplers -->

Linux 6.12, while placing:

| sampler | berth, of a CPU | kernel's thread, of a CPU | faults/s |
| --- | --- | --- | --- |
| `damon` | 20.00 % | 20.00 % | 1000000 |

Linux 6.12, while moving:

| mover | its thread, of a CPU | pages moved | CPU time for a page |
| --- | --- | --- | --- |
| `move_pages` | 50.00 % | 250 | 2.0 us |
| `other` | 0.01 % | 0 | 0.0 us |

Linux 6.12, while only looking:

| sampler | program slower by | looking, of a CPU | samples | pages told of |
| --- | --- | --- | --- | --- |
| `damon` | 100.0 % | 6.25 % | 80 | 8 |

END_OF_PAGE
head -n -4 page.md | diff expected - || fail 'the page'
tail -4 page.md | tr '\n' '|' | grep -q '^3 rounds, commit .*\.||<!-- /bench-samplers -->|after|$' ||
	fail "the end of it: $(tail -4 page.md)"

echo 'no marks' >none.md
if DOCS=none.md "$TOP/bench/samplers" build damon >out 2>err; then
	fail 'put into a page without marks'
fi
grep -q 'none.md has no lines' err && [ "$(cat none.md)" = 'no marks' ] || fail "says $(cat err)"
cp page.md kept.md
if KERNELS=broken DOCS=page.md "$TOP/bench/samplers" build nothing >out 2>err; then
	fail 'a guest that fails'
fi
cmp page.md kept.md || fail 'a guest that failed has left a page'
