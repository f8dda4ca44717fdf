#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The recorder's speed and size on the two programs of `make demo`, each figure beside its limit.

Runs of all kinds take turns, and the least wall time of each kind counts: it is what a person waits.
The writer packs on another CPU meanwhile; CPU time, all of `berth record` included, stands beside it
and is what counts on a machine with one CPU or a busy one. Environment: BERTH, BUILD, TMP, and ROUNDS (default 5).
"""
import json, os, resource, subprocess, sys, time

BERTH, BUILD, TMP = os.environ["BERTH"], os.environ["BUILD"], os.environ["TMP"]
TOP = os.environ["TOP"]
ROUNDS = int(os.environ.get("ROUNDS", "5"))
YARDSTICK = os.path.join(BUILD, "recorder/libberth-yardstick.so")
QEMU = "qemu-x86_64"
ENV = dict(os.environ, PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1")
failed = False


def run(command):
    """(CPU seconds, wall seconds); output is thrown away."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=ENV, cwd=TMP,
                   stderr=subprocess.DEVNULL, check=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def verdict(name, value, limit, is_most, unit=""):
    global failed
    good = value <= limit if is_most else value >= limit
    failed |= not good
    print("%-58s %8.2f%s  (%s %g%s)  %s" % (name, value, unit, "at most" if is_most else
                                           "at least", limit, unit, "PASS" if good else "FAIL"),
          flush=True)


def interleave(kinds, rounds):
    times = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, (prepare, command) in kinds.items():
            prepare()
            times[kind].append(run(command))
    return {kind: (min(t[0] for t in runs), min(t[1] for t in runs))
            for kind, runs in times.items()}


def counts_of(command, prepare):
    """(instructions, references) by QEMU's own inlined counters."""
    path = os.path.join(TMP, "count")
    prepare()
    run([QEMU, "-plugin", YARDSTICK + ",count=" + path] + command)
    with open(path) as file:
        return [int(word) for word in file.read().split()]


def events_of(path):
    out = subprocess.run([BERTH, "info", "--format", "json", path], capture_output=True, check=True)
    info = json.loads(out.stdout)
    return sum(info["nr_" + kind] for kind in ("accesses", "counts", "mappings", "blocked"))


def bench_program(name, command, prepare):
    recording = os.path.join(TMP, name + ".berth")
    kinds = {
        "none": (prepare, [QEMU] + command),
        "empty": (prepare, [QEMU, "-plugin", YARDSTICK] + command),
        "record": (prepare, [BERTH, "record", "-o", recording, "--"] + command),
    }
    least = interleave(kinds, ROUNDS)
    instructions, references = counts_of(command, prepare)
    size = os.path.getsize(recording)
    print("%s: %s instructions, %s references; CPU seconds: %.2f under qemu-user, %.2f with an "
          "empty callback, %.2f recorded (wall %.2f, %.2f, %.2f)" %
          (name, format(instructions, ","), format(references, ","), least["none"][0],
           least["empty"][0], least["record"][0], least["none"][1], least["empty"][1],
           least["record"][1]))
    verdict(name + ": recorded / empty callback, wall time",
            least["record"][1] / least["empty"][1], 1.4, True, "x")
    verdict(name + ": recorded / no plugin, wall time", least["record"][1] / least["none"][1],
            3.0, True, "x")
    print("%-58s %8.2fx  and  %.2fx" % (name + ": the same by CPU time, the writer's included",
                                        least["record"][0] / least["empty"][0],
                                        least["record"][0] / least["none"][0]))
    print("%-58s %8.0f" % (name + ": references per byte of file", references / size))
    events = events_of(recording)
    verdict(name + ": bytes of file per event (%s events)" % format(events, ","), size / events,
            2.5, True)


def bench_lackey():
    command = ["/usr/bin/python3", "-c", "import json; json.loads(json.dumps(list(range(20000))))"]
    recording = os.path.join(TMP, "small.berth")
    record = min(run([BERTH, "record", "-o", recording, "--"] + command)[0] for _ in range(3))
    lackey = run(["valgrind", "--tool=lackey", "--trace-mem=yes", "--log-file=/dev/null"] + command)
    verdict("small python3: lackey --trace-mem / recorded, CPU time", lackey[0] / record, 20,
            False, "x")


def main():
    database = os.path.join(TMP, "bench.db")

    def fresh():
        if os.path.exists(database):
            os.unlink(database)

    bench_program("sqlite3", ["/usr/bin/sqlite3", database, ".read " + TOP +
                              "/scripts/demo.d/table.sql"], fresh)
    bench_program("python3", ["/usr/bin/python3", TOP + "/scripts/demo.d/document.py"],
                  lambda: None)
    bench_lackey()
    sys.exit(1 if failed else 0)


main()
