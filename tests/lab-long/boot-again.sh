#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest that stalls while it boots is given up after half a minute and booted anew, once, and the
# report says so. The first "QEMU" is a script that says what a stalled kernel says.
. "$TOP/tests/lab/common.sh"
lab_required
cache=$lab_cache/qemu
[ -x "$cache/usr/bin/qemu-system-x86_64" ] || { echo "QEMU is the system's own"; exit 77; }
cat >"$TMP/qemu" <<END
#!/bin/bash
export LD_LIBRARY_PATH=$cache/usr/lib/x86_64-linux-gnu:$cache/lib/x86_64-linux-gnu
real="$cache/usr/bin/qemu-system-x86_64 -L $cache/usr/share/qemu -L $cache/usr/share/seabios"
case "\$*" in *version*) exec \$real "\$@" ;; esac
echo boot >>"$TMP/boots"
[ "\$(wc -l <"$TMP/boots")" -gt "\${STALLS:-1}" ] && exec \$real "\$@"
for word; do
	case \$word in *id=console,fd=*) fd=\${word##*=} ;; esac
done
eval "echo '[   21.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:' >&\$fd"
exec sleep 600
END
chmod +x "$TMP/qemu"
export BERTH_LAB_QEMU="$TMP/qemu"
status=0
"$BERTH" lab run -M 'node:dram:512MiB:cpus=0' --no-model -- echo here >"$TMP/out" 2>"$TMP/err" || status=$?
cat "$TMP/out" "$TMP/err"
[ "$status" = 0 ] || { echo "FAILED: status $status"; exit 1; }
grep -qx here "$TMP/out" || { echo "FAILED: the program did not run"; exit 1; }
grep -q 'booted again' "$TMP/err" || { echo "FAILED: the report does not say so"; exit 1; }
[ "$(wc -l <"$TMP/boots")" = 2 ] || { echo "FAILED: not two boots"; exit 1; }
