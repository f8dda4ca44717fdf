#!/bin/sh
# SPDX-License-Identifier: MIT
# A web shop's catalogue in flask under httpload: flask.sh [httpload's options]. ITEMS (in the environment)
# says how many items are kept, 60,000 by default; 3,000 requests by default.
. "$(dirname -- "$0")/common.inc"
need /usr/bin/python3 python3
/usr/bin/python3 -c 'import flask' 2>/dev/null || need python3-flask python3-flask
clients=$(clients) || exit
items=${ITEMS:-60000}

/usr/bin/python3 "$here/web_app.py" flask $port "$items" >"$tmp/log" 2>&1 &
server=$!
sleep 0.3
lives
"$clients/httpload" --port $port --items "$items" "$@" || { lives; exit 1; }
