#!/bin/bash
# SPDX-License-Identifier: MIT
# `berth status`: what it tells of two jobs, in every format; watching; notes that are damaged, of
# others, or of jobs that have ended.
set -u
. "$TOP/tests/cli/common.sh"
status() { "$BERTH" status --state "$state" "$@"; }
python() { status --format json | python3 -c "import json,sys; jobs=json.load(sys.stdin)['jobs']; print($1)"; }

began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
"$BERTH" run --state "$state" --prefer "$first" --spill-at hard -- sleep 100 &
one=$!
"$BERTH" run --no-cgroup --state "$state" --engine user --prefer "$first" -- sh -c 'sleep 100 & trap "kill $!" TERM; wait' 'a "b",c' &
two=$!
for _ in $(seq 200); do [ "$(ls "$state"/*.job 2>/dev/null | wc -l)" = 2 ] && break; sleep 0.05; done

check jobs "['$one', '$two']" "$(python "sorted((j['job'].split('-')[0] for j in jobs), key=int)")"
check keys "['job', 'program', 'pid', 'since', 'engine', 'held_by', 'prefer', 'allow', 'spill_at', 'now', 'looks', 'held_back', 'spilled', 'called_home', 'evicted', 'backed_off', 'policy', 'sampler', 'fast_bytes', 'slow_bytes', 'promoted_pages', 'demoted_pages']" \
	"$(python "list(jobs[0])")"
# The second may spill for a moment where other tests keep the CPUs busy.
check values "[('sleep', '$first', 'hard', False), ('sh', '$first', '85.00 %', False)]" \
	"$(python "[(j['program'], j['prefer'], j['spill_at'], j['backed_off']) for j in sorted(jobs, key=lambda j: j['program'], reverse=True)]")"
check "hard stays" "[('$first', 0)]" "$(python "[(j['now'], j['spilled']) for j in jobs if j['program'] == 'sleep']")"
check "held by" True "$(python "[j['held_by'] for j in jobs if j['program'] == 'sh'] == ['affinity']")"
check since True "$(python "all('$began' <= j['since'] < '2999' for j in jobs)")"
check "allowed" "True" "$(python "all(j['allow'] == '$cpus'.replace(' ', '') or '-' in j['allow'] for j in jobs)")"
check "csv rows" 3 "$(status --format csv | wc -l)"
check "csv columns" True "$(status --format csv | python3 -c 'import csv,sys; r=list(csv.reader(sys.stdin)); print({len(x) for x in r} == {22})')"
check "text rows" 3 "$(status | wc -l)"
case $(status) in PID*SINCE*ENGINE*NOW*SPILLED*PROGRAM*"$first"*) ;; *) check text "columns" "$(status)" ;; esac

# Watching: for a program without a terminal, for people with one.
text=$(status --watch 2>&1); check "no terminal" 2 $?
case $text in *"--format json"*) ;; *) check "no terminal" "a remedy" "$text" ;; esac
text=$(timeout 2.5 "$BERTH" status --state "$state" --watch --format json | grep -c '"jobs"')
[ "$text" -ge 2 ] || check "watched" "2 or more" "$text"
timeout 1 "$BERTH" status --state "$state" --watch --format json | head -1 >/dev/null
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then # a terminal can be had here
	timeout 3 script -qec "timeout 1.5 $BERTH status --state $state --watch" /dev/null >"$TMP/screen" </dev/null
	grep -q PROGRAM "$TMP/screen" || check "screen" "a table" "$(cat "$TMP/screen")"
fi

# Notes that nobody of us wrote.
note=$(echo "$state/$one"-*.job)
cp "$note" "$TMP/saved"
printf 'version 9\nprogram \033[2Jx\nspilled many\nnews of a later berth\nlonely\n\n' >"$note"
check "damaged" "[('2', None)]" "$(python "[(str(len(jobs)), j['pid']) for j in jobs if j['job'].startswith('$one-')]")"
status | grep -q "$(printf '\033')" && check "escapes" "none" "some"
head -c 100000 /dev/urandom >"$note"
status >/dev/null; check "noise" 0 $?
: >"$note"
check "empty" 1 "$(python "len(jobs)")"
cp "$TMP/saved" "$note"
echo x >"$state/1-1.job"        # init is alive, but did not start then
echo x >"$state/x.job"          # no job's name
ln -s /etc/passwd "$state/$$-1.job"
check "foreign" 2 "$(python "len(jobs)")"
[ ! -e "$state/1-1.job" ] || check "ended job's note" "removed" "there"
rm -f "$state/x.job"

kill $one $two
wait $one $two
check "no jobs" "no jobs" "$(status)"
check "nothing left" "" "$(ls "$state")"
check "no such directory" 1 "$("$BERTH" status --state "$TMP/none" >/dev/null 2>&1; echo $?)"
[ $failures = 0 ]
