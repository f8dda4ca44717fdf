# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# What every lab test begins with; sourced, not a test itself:
#
#     . "$TOP/tests/lab/common.sh"
#     lab_required                  # kernel 6.12; lab_required 6.12 7.3: both
#     lab_run -M "$LAB_TWO" -- true
#
# Without `berth lab setup` a test is skipped, but in CI (CI=true) and where BERTH_LAB_REQUIRED=1
# it fails: there a lab that cannot be built is what is to be found out.

# Small machines: a boot touches little, and two fit beside everything else.
LAB_ONE='node:dram:512MiB@80ns/100GBps:cpus=0'
LAB_TWO='node:dram:512MiB@80ns/100GBps:cpus=0-1 node:cxl:512MiB@250ns/20GBps'
LAB_THREE='node:dram:512MiB@80ns/100GBps:cpus=0-1 node:cxl:512MiB@250ns/20GBps node:pmem:512MiB@400ns/5GBps'

lab_cache=${BERTH_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/berth/lab}

# lab_is_set_up KERNEL...: QEMU and these kernels are in the cache.
lab_is_set_up() {
	[ -d "$lab_cache/qemu" ] || return 1
	for lab_kernel in "$@"; do
		[ -e "$lab_cache/kernels/$lab_kernel/vmlinuz" ] || return 1
	done
}

lab_is_wanted() { [ "${CI:-}" = true ] || [ "${BERTH_LAB_REQUIRED:-}" = 1 ]; }

# lab_required [KERNEL...]: ends the test when there is no lab here.
lab_required() {
	[ $# -gt 0 ] || set -- 6.12
	lab_is_set_up "$@" && return 0
	if lab_is_wanted; then
		echo "the lab is required here, and $lab_cache lacks QEMU or Linux $*; run berth lab setup"
		exit 1
	fi
	echo "no lab with Linux $* here; run berth lab setup"
	exit 77
}

# lab_run ARGUMENTS...: berth lab run with a wall-clock limit of its own, LAB_LIMIT (90s): a guest
# that hangs is then named by berth, not by the runner that would kill the whole test.
lab_run() { "$BERTH" lab run --time-limit "${LAB_LIMIT:-90s}" "$@"; }

# lab_jobs: what is read becomes the end of $TMP/berth.conf, behind a [Daemon] that does place.
lab_jobs() {
	{
		printf '[Daemon]\nDryRun=no\n'
		cat
	} >"$TMP/berth.conf"
}

# lab_guest: what is read becomes $TMP/guest, a program for the guest's bash, behind what such
# programs share.
lab_guest() {
	cat >"$TMP/guest" <<'END'
until_is() { # CONDITION...: for up to 40 s
	local i
	for i in $(seq 160); do
		"$@" && return 0
		sleep 0.25
	done
	return 1
}
# field NAME: of the first job of the daemon at $state, asked by $berth
field() { "$berth" status --state $state --format json | tr -d ' ,"' | sed -n "/^job:/,\$s/^$1://p" | head -1; }
is_field() { [ "$(field "$1")" = "$2" ]; }
END
	cat >>"$TMP/guest"
}

# scx_required: after lab_required; ends the test where berth was built without the scheduler.
scx_required() {
	[ -e "$BUILD/bpf/soft_affinity.bpf.o" ] && return
	echo "built without the sched_ext engine"
	exit 77
}

# fail WORDS: ends the test, with the end of what it kept as out, err and report in its folder.
fail() {
	echo "FAILED: $*"
	for lab_file in out err report; do
		[ -s "$TMP/$lab_file" ] || continue
		echo "--- $lab_file"
		tail -c 8000 "$TMP/$lab_file"
	done
	exit 1
}

# lab_false_qemu: lab_run's QEMU is a script from here on, which answers the first $DEATHS boots by
# what it reads here, written to the console ($fd), and lets QEMU itself boot the others. A line of
# $TMP/boots for each.
lab_false_qemu() {
	lab_real=$lab_cache/qemu
	[ -x "$lab_real/usr/bin/qemu-system-x86_64" ] || { echo "QEMU is the system's own"; exit 77; }
	cat >"$TMP/qemu" <<END
#!/bin/bash
export LD_LIBRARY_PATH=$lab_real/usr/lib/x86_64-linux-gnu:$lab_real/lib/x86_64-linux-gnu
real="$lab_real/usr/bin/qemu-system-x86_64 -L $lab_real/usr/share/qemu -L $lab_real/usr/share/seabios"
case "\$*" in *version*) exec \$real "\$@" ;; esac
echo boot >>"$TMP/boots"
[ "\$(wc -l <"$TMP/boots")" -gt "\${DEATHS:-1}" ] && exec \$real "\$@"
for word; do
	case \$word in *id=console,fd=*) fd=\${word##*=} ;; esac
done
END
	cat >>"$TMP/qemu"
	chmod +x "$TMP/qemu"
	export BERTH_LAB_QEMU="$TMP/qemu"
}
