#!/bin/sh
# SPDX-License-Identifier: MIT
# berth config check and show: exit status, places of mistakes, where values come from, and that
# what is shown is a configuration that says the same. berth.conf(5) has every key.
set -u
failed=0
wrong() {
	echo "$*"
	failed=1
}
cd "$TMP" || exit 1
expect() { # STATUS WORDS COMMAND...
	wanted=$1 words=$2
	shift 2
	status=0
	"$@" >out 2>err || status=$?
	[ "$status" = "$wanted" ] || wrong "$*: status $status, not $wanted: $(cat err)"
	grep -qF -- "$words" out err || wrong "$*: no \"$words\" in: $(cat out err)"
}
mkdir -p root/etc/berth/berth.conf.d root/usr/lib/berth/berth.conf.d empty
cat >root/etc/berth/berth.conf <<'END'
# the machine's own
[Daemon]
DryRun=no

[Job web]
Match=unit:web.service
	command:nginx*
PreferCPUs=0-3,8
FastMin=8GiB
END
printf '[Job web]\nFastMin=\nFastMax=25%%\n' >root/etc/berth/berth.conf.d/10-less.conf
printf '[Job batch]\nMatch=cgroup:/batch.slice\nGoal=background\n' \
	>root/usr/lib/berth/berth.conf.d/50-batch.conf

expect 0 '2 jobs in 3 files: no mistake' "$BERTH" config check --root root
expect 0 '1 job in 2 files' "$BERTH" config check root/etc/berth
expect 0 '1 job in 1 file' "$BERTH" config check root/etc/berth/berth.conf
expect 1 'no configuration' "$BERTH" config check --root empty
expect 1 'no berth.conf in it' "$BERTH" config check empty
expect 1 'No such file' "$BERTH" config check none.conf
expect 1 'No such file' "$BERTH" config show --root none
expect 2 'give one' "$BERTH" config check empty --root root
expect 2 'one argument too many' "$BERTH" config check a b
printf '[Job web]\nPreferCPU=0\n' >bad.conf
expect 2 'bad.conf:2:1: PreferCPU: no such key; did you mean PreferCPUs?' "$BERTH" config check bad.conf
printf 'a\0b\n' >bad.conf
expect 2 'bad.conf:1:1: a NUL byte' "$BERTH" config check bad.conf
head -c 1100000 /dev/zero | tr '\0' '\n' >bad.conf
expect 1 'File too large' "$BERTH" config check bad.conf
mkfifo fifo
expect 2 'not a file' timeout 5 "$BERTH" config check fifo
printf '[Daemon]\n' >open.conf
chmod 666 open.conf
expect 2 'everybody may write to it' "$BERTH" config check open.conf
ln -s nowhere dangling.conf
expect 1 'No such file' "$BERTH" config check dangling.conf

expect 0 'FastMax=25%' "$BERTH" config show --root root
grep -q '^Match=command:nginx\*  *; /etc/berth/berth.conf:7$' out || wrong "origin: $(cat out)"
grep -q '^FastMax=25%  *; /etc/berth/berth.conf.d/10-less.conf:3$' out || wrong "origin: $(cat out)"
grep -q '^; Engine=auto  *; default$' out || wrong "default: $(cat out)"
grep -q FastMin out && wrong "FastMin was taken back: $(cat out)"
sed 's/ *; .*//; /^$/d' out >first
cp out merged.conf
expect 0 '[Job batch]' "$BERTH" config show merged.conf
sed 's/ *; .*//; /^$/d' out | cmp -s - first || wrong "not the same again: $(cat out)"
expect 0 all "$BERTH" config show --help
"$BERTH" config show --root root --format json >out || wrong "JSON"
/usr/bin/python3 - <<'END' || wrong "JSON: $(cat out)"
import json
config = json.load(open("out"))
assert [f.split("/")[-1] for f in config["files"]] == ["berth.conf", "10-less.conf", "50-batch.conf"]
assert config["daemon"]["DryRun"] == {"value": "no", "from": "/etc/berth/berth.conf:3"}
web, batch = config["jobs"]
assert web["name"] == "web" and web["Match"][1] == {"command": "nginx*", "from": "/etc/berth/berth.conf:7"}
assert web["FastMin"] == {"value": None, "from": "default"}
assert batch["Goal"]["value"] == "background"
END

# Whose is what: a process of ours by its pid, of a tree of files, and names with control characters.
sleep 30 &
printf '[Job us]\nMatch=pid:%s\nGoal=background\n' $! >us.conf
expect 0 'us.conf' "$BERTH" config show us.conf
expect 0 "pid:$!" "$BERTH" config match us.conf
kill $!
mkdir -p root/proc/77
printf '77 (nginx\033[2J) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n' >root/proc/77/stat
printf '/usr/sbin/nginx\0-g\0' >root/proc/77/cmdline
printf '0::/system.slice/web.service\n' >root/proc/77/cgroup
expect 0 'nginx\x1b[2J  unit:web.service' "$BERTH" config match --root root
expect 0 'web,77,nginx\x1b[2J,unit:web.service' "$BERTH" config match --root root --format csv
expect 0 "no process is a job's" "$BERTH" config match root/usr/lib/berth --root root
expect 0 '"pid": 77' "$BERTH" config match --root root --format json
expect 1 'No such file' "$BERTH" config match us.conf --root none

# The man page comes from the table that the parser has.
"$BERTH" help --man berth.conf >page || wrong "no man page"
for key in $(sed -n 's/^\t{ \(true\|false\), "\([A-Za-z]*\)".*/\2/p' "$TOP/src/linux/config_keys.c"); do
	grep -q "^\.TP$" page && grep -q "fB$key=" page || wrong "berth.conf(5) lacks $key"
done
[ "$(grep -c '^\\fB[A-Za-z]*=' page)" = 15 ] || wrong "keys of berth.conf(5): $(cat page)"
exit $failed
