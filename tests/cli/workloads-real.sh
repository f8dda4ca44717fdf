#!/bin/sh
# SPDX-License-Identifier: MIT
# The real workloads run natively for a moment on loopback and leave nothing; a missing package, a bad
# count and a server that lies are said.
set -eu
cd "$TMP"
fail() { echo "FAILED: $*"; exit 1; }
real=$TOP/lab/workloads/real
export TMPDIR=$TMP

# check NAME RESULT ARGUMENTS...: status 3 (a package is missing) is no failure
check() {
	name=$1 result=$2 status=0
	shift 2
	"$real/$name.sh" "$@" >out 2>err || status=$?
	if [ "$status" = 3 ]; then
		grep -q 'apt-get install' err || fail "$name: status 3 names no package: $(cat err)"
		echo "$name is not installed"
		return
	fi
	[ "$status" = 0 ] || fail "$name: status $status: $(cat err)"
	grep -Eqx "result: $result" out || fail "$name: no '$result': $(cat out)"
	grep -q '^interval 1 ops ' out || fail "$name: no interval"
	[ -z "$(ls -d "$TMP"/berth-workload-* 2>/dev/null)" ] || fail "$name left its folder"
}
number='[0-9.]+'
check python "geometric-mean $number op/s higher" 0.01
check sqlite "throughput $number op/s higher" 5000 2
check redis "throughput $number op/s higher" --keys 2000 --operations 5000
check memcached "throughput $number op/s higher" --keys 2000 --operations 5000
export ITEMS=500
check flask "throughput $number req/s higher" --operations 50
check bottle "throughput $number req/s higher" --operations 50

status=0
"$real/sqlite.sh" many 2>err || status=$?
[ "$status" = 2 ] && grep -q 'not counts' err || fail "sqlite many: $status $(cat err)"
status=0
"$real/python.sh" many 2>err || status=$?
[ "$status" != 0 ] && grep -q 'not a scale' err || fail "python many: $status $(cat err)"

# Nothing on PATH but what the scripts themselves need.
mkdir bin
for tool in sh dirname mktemp rm id ln cat; do ln -s "$(command -v $tool)" bin/$tool; done
for name in redis memcached sqlite; do
	status=0
	PATH=$TMP/bin "$real/$name.sh" 2>err || status=$?
	[ "$status" = 3 ] || fail "$name without its package: status $status"
	grep -q 'is missing; apt-get install' err || fail "$name without its package: $(cat err)"
done

# A server that answers, but not the truth.
/usr/bin/python3 - "$BUILD/lab/workloads" <<'P'
import socket, subprocess, sys, threading

def lie(port_of, answer):
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(30)
    port_of.append(server.getsockname()[1])
    def serve():
        client, _ = server.accept()
        client.settimeout(30)
        try:
            while client.recv(65536):
                client.sendall(answer)
        except OSError:
            pass
        client.close()
    threading.Thread(target=serve, daemon=True).start()

def run(words, answer, wanted):
    port = []
    lie(port, answer)
    got = subprocess.run([sys.argv[1] + "/" + words[0], "--port", str(port[0])] + words[1:],
                         capture_output=True, timeout=60)
    assert got.returncode == 1 and wanted in got.stderr, (words, answer, got)

body = b'{"number": 77777777}'
ok = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
run(["httpload", "--operations", "3"], ok, b"has no \"number\"")
run(["httpload", "--operations", "3"], b"HTTP/1.1 404 Not Found\r\n\r\n", b"404")
run(["httpload", "--operations", "3"], b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"99999999")
run(["httpload", "--operations", "3"], b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, b"headers")
run(["httpload", "--operations", "3"], b"x" * 200000, b"longer than")
run(["memload", "--keys", "1"], b"ERROR\r\n", b"answered a set with: ERROR")
run(["memload", "--keys", "1", "--share-set", "0"], b"STORED\r\nVALUE k 0 512\r\n" + b"z" * 512 + b"\r\nEND\r\n",
    b"another's value")
run(["memload", "--keys", "1", "--protocol", "redis", "--share-set", "0"], b"+OK\r\n:7\r\n", b"answered a get")
P
