#!/bin/sh
# SPDX-License-Identifier: MIT
# What a newcomer does: a bare Debian 12 with only make, git and apt, an empty clone, then
# `make demo` and `make check`. Needs root and mmdebstrap; uses the machine's own apt sources.
set -eu
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
command -v mmdebstrap >/dev/null || { echo "needs mmdebstrap (apt install mmdebstrap)"; exit 77; }
sources=/etc/apt/sources.list.d/debian.sources
[ -f "$sources" ] || sources=/etc/apt/sources.list
root=$TMP/root
mmdebstrap --quiet --variant=minbase --include=make,git --skip=check/empty bookworm "$root" \
	"$sources" || { echo "mmdebstrap failed"; exit 1; }
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
for file in /etc/apt/apt.conf.d/*; do
	grep -qi 'proxy\|acquire' "$file" && cp "$file" "$root/etc/apt/apt.conf.d/"
done
git clone -q "$TOP" "$root/root/berth"
# Mounts live in a namespace of their own and go with it.
unshare --mount --pid --fork sh -eu -c '
	root=$1
	mount -t proc proc "$root/proc"
	mount --bind /dev "$root/dev" && mount -t sysfs -o ro sysfs "$root/sys"
	unset BERTH BUILD TOP BERTH_SETUP TMP
	for goal in demo check; do
		echo "== make $goal"
		chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
			make -C /root/berth $goal
	done
' sh "$root"
