#!/bin/sh
# SPDX-License-Identifier: MIT
# redis on loopback under memload: redis.sh [memload's options]. 500,000 keys of 512 bytes, 200,000
# operations by default. Nothing is saved to disk. Debian's redis-tools holds the server's binary,
# too, under the name of one of its parts, so that no service needs to be installed.
. "$(dirname -- "$0")/common.inc"
binary=$(command -v redis-server || command -v redis-check-rdb)
[ -n "$binary" ] || need redis-server redis-tools
clients=$(clients) || exit
ln -s "$binary" "$tmp/redis-server"

$UNDER "$tmp/redis-server" --bind 127.0.0.1 --port $port --save '' --appendonly no --dir "$tmp" \
	--daemonize no --maxmemory 700mb >"$tmp/log" 2>&1 &
server=$!
sleep 0.3
lives
"$clients/memload" --protocol redis --port $port --keys 500000 --operations 200000 "$@"
