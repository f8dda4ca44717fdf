#!/bin/sh
# SPDX-License-Identifier: MIT
# The latency model loads under both plugin interfaces that berth knows; the older one is that of
# QEMU 7.2, whose qemu-user is at hand. There it has nothing to model and must not be in the way.
plugin=$BUILD/lab/libberth-latency.so
[ -f "$plugin" ] || { echo "no $plugin: it was not built"; exit 1; }
command -v qemu-x86_64 >/dev/null || { echo "no qemu-x86_64"; exit 77; }

for words in "$plugin" "$plugin,memory=0"; do
	out=$(qemu-x86_64 -plugin "$words" /bin/echo modelled 2>"$TMP/err") ||
		{ echo "FAILED: qemu-x86_64 -plugin $words: status $?"; cat "$TMP/err"; exit 1; }
	[ "$out" = modelled ] || { echo "FAILED: the program said \"$out\""; exit 1; }
	[ ! -s "$TMP/err" ] || { echo "FAILED: words on stderr:"; cat "$TMP/err"; exit 1; }
done
