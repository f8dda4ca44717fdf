#!/bin/sh
# SPDX-License-Identifier: MIT
# A program's streams, arguments, folder, status and leftovers come through the guest as they are.
# Runs beside others.
set -eu
. "$TOP/tests/lab/common.sh"
lab_required

run() {
	status=0
	lab_run -M "$LAB_TWO" "$@" >"$TMP/out" 2>"$TMP/err" || status=$?
}

# One boot for what one program can show. It leaves an orphan that ignores everything and holds its
# output open: the run must end all the same.
mkdir "$TMP/share"
echo 'from the host' >"$TMP/share/in"
cat >"$TMP/share/program" <<'EOT'
#!/bin/sh
echo "arguments: $#"
for argument; do printf '<%s>' "$argument"; done
echo
echo "folder: $(pwd)"
cat
echo 'an error' >&2
cat in
echo 'from the guest' >out
ls /proc/1/exe >/dev/null && echo "user: $(id -u)"
ping_pong=$(hostname)
[ "$ping_pong" = "$(cat /etc/hostname)" ] && echo 'host name: the same'
cat /proc/self/oom_score_adj
(trap '' TERM HUP; sleep 1000 & sleep 1000) &
exit 7
EOT
chmod +x "$TMP/share/program"
cd "$TMP/share"
printf 'line 1\nline 2, not ended' | {
	status=0
	lab_run -M "$LAB_TWO" --share "$TMP/share" -- ./program 'two words' '' 'back\slash
and newline' >"$TMP/out" 2>"$TMP/err" || status=$?
	echo "$status" >"$TMP/status"
}
[ "$(cat "$TMP/status")" = 7 ] || fail "status $(cat "$TMP/status")"
cat >"$TMP/expected" <<EOT
arguments: 3
<two words><><back\\slash
and newline>
folder: $TMP/share
line 1
line 2, not endedfrom the host
user: 0
host name: the same
0
EOT
diff "$TMP/expected" "$TMP/out" || fail "its output is another"
grep -q '^an error$' "$TMP/err" || fail "its stderr is lost"
[ "$(cat "$TMP/share/out")" = 'from the guest' ] || fail "what it wrote to --share is not there"

# Much output, of both streams, read slowly at first: nothing is lost and the order is kept.
cat >"$TMP/share/much" <<'EOT'
seq 1 1000000 >&2 &
yes 'all work and no play' | head -c 40000000
wait
EOT
status=0
lab_run -M "$LAB_TWO" -- sh -c "$(cat "$TMP/share/much")" 2>"$TMP/err" </dev/null |
	{ sleep 8; cat >"$TMP/out"; }
yes 'all work and no play' | head -c 40000000 | cmp - "$TMP/out" || fail "output was lost"
seq 1 1000000 | cmp - "$(grep -E '^[0-9]+$' "$TMP/err" >"$TMP/numbers"; echo "$TMP/numbers")" ||
	fail "stderr was lost"

# Much input that is not read: the program ends all the same.
yes | head -c 3000000 | {
	status=0
	lab_run -M "$LAB_ONE" -- sh -c 'read -r line; echo "$line"; exit 3' >"$TMP/out" \
		2>"$TMP/err" || status=$?
	echo "$status" >"$TMP/status"
}
[ "$(cat "$TMP/status")" = 3 ] && [ "$(cat "$TMP/out")" = y ] ||
	fail "unread input: $(cat "$TMP/status") $(cat "$TMP/err")"
