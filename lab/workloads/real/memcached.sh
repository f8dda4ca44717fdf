#!/bin/sh
# SPDX-License-Identifier: MIT
# memcached on loopback under memload: memcached.sh [memload's options]. 700,000 keys of 512 bytes,
# 200,000 operations by default.
. "$(dirname -- "$0")/common.inc"
need memcached memcached
clients=$(clients) || exit
user=
[ "$(id -u)" != 0 ] || user='-u nobody'

$UNDER memcached $user -l 127.0.0.1 -p $port -U 0 -m 700 -t 1 >"$tmp/log" 2>&1 &
server=$!
sleep 0.3
lives
"$clients/memload" --protocol memcached --port $port --keys 700000 --operations 200000 "$@"
