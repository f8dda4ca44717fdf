#!/bin/sh
# SPDX-License-Identifier: MIT
# lab setup without network: every way in which it cannot work is one sentence and the right exit
# status, nothing is left half, and what is there needs neither apt nor network.
set -u
failed=0
unset BERTH_LAB_QEMU XDG_CACHE_HOME
mkdir -p "$TMP/bin" "$TMP/home"
export HOME="$TMP/home" BERTH_LAB_CACHE="$TMP/cache"

# expect STATUS WORDS -- COMMAND...: its stderr's last line has the words, and is one sentence.
expect() {
	status=$1 words=$2
	shift 3
	"$@" >"$TMP/out" 2>"$TMP/err"
	got=$?
	if [ $got != "$status" ] ||
		{ [ "$words" ] && ! tail -n 1 "$TMP/err" | grep -qF -- "$words"; }; then
		echo "wrong: $* -> $got, not $status with '$words':"
		cat "$TMP/err"
		failed=1
	fi
}

# A program in place of Debian's.
fake() {
	printf '#!/bin/sh\n%s\n' "$2" >"$TMP/bin/$1"
	chmod +x "$TMP/bin/$1"
}

expect 2 "6.12, 7.3" -- "$BERTH" lab setup --kernel 5.4
expect 2 "usage:" -- "$BERTH" lab setup 6.12
expect 2 "--format" -- "$BERTH" lab setup --format xml
expect 1 "not an x86 kernel" -- "$BERTH" lab setup --kernel /
expect 1 "not an x86 kernel" -- "$BERTH" lab setup --kernel "$BERTH"
expect 1 "No such file" -- "$BERTH" lab setup --kernel "$TMP/none"
expect 2 "absolute" -- env BERTH_LAB_CACHE=here "$BERTH" lab setup
expect 1 "cannot write" -- env BERTH_LAB_CACHE=/dev/null/x "$BERTH" lab setup
expect 1 "BERTH_LAB_QEMU=" -- env BERTH_LAB_QEMU=/none "$BERTH" lab setup
[ ! -e "$TMP/cache/work" ] || { echo "work/ was left"; failed=1; }
if [ "$(id -u)" = 0 ]; then
	mkdir -m 755 "$TMP/ours" && chmod 755 "$TMP" && cp "$BERTH" "$TMP/berth"
	if setpriv --reuid=65534 --regid=65534 --clear-groups "$TMP/berth" --version \
		>/dev/null 2>&1; then
		expect 4 "Permission denied" -- env BERTH_LAB_CACHE="$TMP/ours/x" \
			setpriv --reuid=65534 --regid=65534 --clear-groups "$TMP/berth" lab setup
	fi
fi

# From here on a Debian whose QEMU is not new enough is needed: apt's programs are stood in for.
. /etc/os-release
system=$(/usr/bin/qemu-system-x86_64 --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
if [ "$ID" = debian ] && [ "$(uname -m)" = x86_64 ] && [ "${system:-0}" -lt 10 ] &&
	cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
	grep -q "$VERSION_CODENAME"; then
	for tool in sh cat; do ln -sf "$(command -v $tool)" "$TMP/bin/$tool"; done
	fake apt-config 'echo "Acquire::Retries \"1\";"'
	expect 3 "apt-get: not found in PATH" -- env PATH="$TMP/bin" "$BERTH" lab setup
	fake apt-get 'echo "E: Could not resolve host" >&2; exit 100'
	expect 1 "no network (Could not resolve host)" -- env PATH="$TMP/bin" "$BERTH" lab setup
	grep -q '^Acquire::Retries "1";$' "$TMP/cache/work/apt-qemu/apt.conf" ||
		{ echo "the system's settings of Acquire were not taken over"; failed=1; }
	fake apt-get 'echo "E: write: No space left on device" >&2; exit 100'
	expect 1 "the disk is full" -- env PATH="$TMP/bin" "$BERTH" lab setup
	[ ! -e "$TMP/cache/work" ] || { echo "a full disk was left full"; failed=1; }
	fake apt-get 'echo "W: GPG error: NO_PUBKEY 1" >&2; exit 100'
	expect 1 "debian-archive-keyring" -- env PATH="$TMP/bin" "$BERTH" lab setup
	fake apt-get 'echo "E: something else" >&2; exit 100'
	expect 1 "something else" -- env PATH="$TMP/bin" "$BERTH" lab setup
	fake apt-get 'kill -9 $$'
	expect 1 "apt-get failed" -- env PATH="$TMP/bin" "$BERTH" lab setup
	# A release that has only an old QEMU.
	fake apt-get 'case $* in *install*) echo "Inst qemu-system-x86 (1:7.2 Debian [amd64])" ;; esac'
	fake apt-cache 'printf "Package: qemu-system-x86\nVersion: 1:7.2\nArchitecture: amd64\n"'
	expect 1 "QEMU 10: not in Debian" -- env PATH="$TMP/bin" "$BERTH" lab setup
	# Packages that are not there when they should be: nothing half appears.
	fake apt-get 'case $* in *install*) echo "Inst qemu-system-x86 (1:10.1 Debian [amd64])" ;; esac'
	fake apt-cache 'printf "Package: qemu-system-x86\nVersion: 1:10.1\nArchitecture: amd64\n"'
	fake dpkg-deb 'echo "dpkg-deb: error: failed to read archive" >&2; exit 2'
	expect 1 "failed to read archive" -- env PATH="$TMP/bin" "$BERTH" lab setup
	[ ! -e "$TMP/cache/qemu" ] && [ ! -e "$TMP/cache/work/qemu" ] ||
		{ echo "half a QEMU was left"; failed=1; }
	# An interruption tidies up and is an error.
	fake apt-get 'kill -INT $PPID; exec sleep 5'
	ln -sf "$(command -v sleep)" "$TMP/bin/sleep"
	expect 1 "interrupted" -- env PATH="$TMP/bin" "$BERTH" lab setup
	# A full disk, told before anything is fetched.
	mkdir -p "$TMP/small"
	if mount -t tmpfs -o size=4m none "$TMP/small" 2>/dev/null; then
		expect 1 "free some space" -- env BERTH_LAB_CACHE="$TMP/small/x" "$BERTH" lab setup
		umount "$TMP/small"
	fi
fi

# With everything there: no apt, no network, no Debian.
cache=$TMP/full
mkdir -p "$cache/kernels/6.12/modules"
fake qemu 'echo "QEMU emulator version 10.0.2 (fake)"'
head -c 8192 /dev/zero >"$cache/kernels/6.12/vmlinuz"
poke() { printf "$2" | dd of="$cache/kernels/6.12/vmlinuz" bs=1 seek=$(($1)) conv=notrunc 2>/dev/null; }
poke 0x1fe '\125\252'
poke 0x202 HdrS
poke 0x20f '\004'
poke 0x600 '6.12.1-amd64 (who@where)'
echo x >"$cache/kernels/6.12/config"
expect 0 "" -- env PATH=/none BERTH_LAB_CACHE="$cache" BERTH_LAB_QEMU="$TMP/bin/qemu" \
	"$BERTH" lab setup
grep -q '^QEMU *10.0.2 ' "$TMP/out" && grep -q '^kernel 6.12 *6.12.1-amd64 ' "$TMP/out" ||
	{ echo "not listed:"; cat "$TMP/out"; failed=1; }
[ ! -s "$TMP/err" ] || { echo "something was done:"; cat "$TMP/err"; failed=1; }
expect 0 "" -- env PATH=/none BERTH_LAB_CACHE="$cache" BERTH_LAB_QEMU="$TMP/bin/qemu" \
	"$BERTH" lab setup --format csv --kernel "$cache/kernels/6.12/vmlinuz"
grep -q '^own kernel,6.12.1-amd64,' "$TMP/out" || { cat "$TMP/out"; failed=1; }
exit $failed
