#!/bin/sh
# SPDX-License-Identifier: MIT
# berth doctor on the machine of the test: its options, its exit status, and that fewer rights are
# told as fewer rights. What a machine has is not known here; tests/cli/doctor_roots.sh knows.
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
	grep -q -- "$words" out err || wrong "$*: no \"$words\" in: $(cat out err)"
}
expect 2 'did you mean place-cpus' "$BERTH" doctor place-cpu
expect 2 'none of see, predict' "$BERTH" doctor everything
expect 2 'not one of text|json' "$BERTH" doctor --format csv
expect 1 'not a machine' "$BERTH" doctor --root "$TMP"
expect 1 'No such file' "$BERTH" doctor --root "$TMP/none"
expect 0 'Exit status 0' "$BERTH" doctor --help

# Needed and missing: the kernel is too old for all, PATH has no qemu-x86_64.
"$TOP/tests/doctor/make" "$TOP/tests/doctor/roots/old.root" old
expect 3 'needed and missing: kernel (see)$' "$BERTH" doctor see --root old
expect 3 'needed and missing: kernel options (place memory)' "$BERTH" doctor place-memory --root old
expect 0 'all there' "$BERTH" doctor place-cpus predict --root old
expect 3 'missing *recorder ' env PATH=/nonexistent "$BERTH" doctor see
expect 3 '^needed and missing: emulator (prove), kernels (prove)' env BERTH_LAB_QEMU= \
	PATH=/nonexistent BERTH_LAB_CACHE="$TMP/none" "$BERTH" doctor prove
grep -q '^see' out && wrong "a group that was not asked for"

"$BERTH" doctor --format json >out 2>err
status=$?
[ $status = 0 ] || [ $status = 3 ] || wrong "status $status: $(cat err)"
/usr/bin/python3 - $status <<'END' || wrong "JSON: $(cat out)"
import json, sys
doctor = json.load(open("out"))
words = {"ok", "unknown", "off", "limited", "missing"}
groups = ["see", "predict", "place-cpus", "place-memory", "prove"]
assert doctor["all_there"] == (sys.argv[1] == "0")
found = doctor["findings"]
assert [g for g in groups if any(f["group"] == g for f in found)] == groups
assert sorted(found, key=lambda f: groups.index(f["group"])) == found
assert len({(f["group"], f["name"]) for f in found}) == len(found)
for f in found:
    assert f["word"] in words and f["summary"], f
    assert f["word"] in ("ok", "unknown") or f["notes"], f
lacking = [f for f in found if f["needed"] and f["word"] == "missing" and f["group"] != "prove"]
assert bool(lacking) == (sys.argv[1] == "3"), lacking
END

# Without rights: what needs them is limited, the rest goes on.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	expect 0 'only threads of our own user' setpriv --bounding-set=-all --inh-caps=-all \
		--reuid 65534 --clear-groups "$BERTH" doctor place-cpus
	grep -q '^  limited  rights' out || wrong "rights without rights: $(cat out)"
fi
exit $failed
