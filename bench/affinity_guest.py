#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs in a guest of the lab: two jobs, each at home on one of two CPUs, under each policy in turn.

    affinity_guest.py BERTH PERIODIC [--seconds S] [--rounds N] [--turn N] [--budget S]
                      [--cells A,B] [--policies A,B]

One JSON object a line on standard output: what the guest is, then one for each cell, policy and
round. Round robin over the policies within each cell, and the first one another each round, so that
whatever drifts hits all alike.

    cell            job A (home: CPU 0)       job B (home: CPU 1)      tells
    alone-stress    stress-ng, 2 workers      sleeps                   throughput of A
    alone-hackbench hackbench, 20 tasks       sleeps                   throughput of A
    owner-stress    stress-ng, 2 workers      periodic, 60 % of a CPU  throughput of A, lateness of B
    owner-hackbench hackbench, 20 tasks       periodic, 60 % of a CPU  throughput of A, lateness of B
    light-stress    stress-ng, 2 workers      periodic, 10 % of a CPU  the same: who borrows then?
    both-stress     stress-ng, 2 workers      stress-ng, 2 workers     throughput of both
    alone-spin      periodic, 2 threads that  sleeps                   the first without stress-ng, for
                    are always behind                                  a test; only when asked for

Throughput is what the loads say of themselves: stress-ng's operations in a fixed time, hackbench's
fixed loops in the time they took. Job B has slept or worked for half a second when A starts, but in
both-stress: who has just been started is not idle. stress-ng runs for three times --seconds: what
is lost until the engine knows that B's CPU is idle (100 ms, once) would else be a fourth of what
may be lost at all. The periodic job runs until A ends; what is counted begins with A's program
(SIGUSR1), not with what starts it. CPU seconds are those of each job's processes, berth's own among
them.
"""
import argparse, json, os, re, signal, subprocess, sys, time

PERIOD_MS = 5
OWNER_SHARE, LIGHT_SHARE = 0.6, 0.1
HEAD_START = 0.5
STRESS_TIMES = 3
CELLS = ["alone-stress", "alone-hackbench", "owner-stress", "owner-hackbench", "light-stress",
         "both-stress"]
ASKED_FOR = ["alone-spin"]
POLICIES = ["none", "hard", "user", "scx"]


def say(**record):
    print(json.dumps(record), flush=True)


class Bench:
    def __init__(self, arguments):
        self.berth, self.periodic = arguments.berth, arguments.periodic
        self.seconds = arguments.seconds
        self.stress_seconds = max(int(STRESS_TIMES * self.seconds), 1)  # whole ones
        self.loops, self.rounds_of_period, self.rounds = 0, 0, {}

    def calibrate(self):
        """Rounds of the periodic job's loop in a whole period, the median of five tries."""
        rounds = []
        for _ in range(5):
            done = self.capture(["taskset", "-c", "1", self.periodic, "--work", "%dms" % PERIOD_MS,
                                 "--seconds", "0.05", "--format", "json"])
            rounds.append(json.loads(done)["rounds"])
        return sorted(rounds)[2]

    def rounds_for(self, share):
        """What takes this share of a CPU, waking up and ticks included: tried, and corrected by what
        it took, twice."""
        rounds = self.rounds_of_period * share
        for _ in range(2):
            done = json.loads(self.capture(
                ["taskset", "-c", "1", self.periodic, "--period", "%dms" % PERIOD_MS, "--seconds",
                 "0.5", "--rounds", str(int(rounds)), "--format", "json"]))
            took = done["cpu_ns"] / (done["releases"] * done["period_ns"])
            rounds = max(rounds + (share - took) * self.rounds_of_period, 1)
        return int(rounds)

    def prepare(self, cells):
        kinds = {cell.split("-")[0] for cell in cells}
        self.rounds_of_period = self.calibrate()
        if "owner" in kinds:
            self.rounds["owner"] = self.rounds_for(OWNER_SHARE)
        if "light" in kinds:
            self.rounds["light"] = self.rounds_for(LIGHT_SHARE)
        if any(cell.endswith("hackbench") for cell in cells):
            self.size_hackbench()

    @staticmethod
    def capture(command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            sys.exit("%s: status %d: %s" % (" ".join(command), done.returncode, done.stdout))
        return done.stdout

    def placed(self, policy, cpu, command):
        """The command as the policy starts it; it says so in a line when it begins."""
        command = ["sh", "-c", 'echo; exec "$@"', "sh", *command]
        if policy == "none":
            return command
        options = {"hard": ["--engine", "user", "--spill-at", "hard"],
                   "user": ["--engine", "user"], "scx": ["--engine", "scx"]}[policy]
        return [self.berth, "run", "--prefer", str(cpu), *options, "--", *command]

    def load(self, name):
        if name == "stress":
            return ["stress-ng", "--cpu", "2", "--cpu-method", "int64", "--metrics-brief",
                    "--timeout", "%ds" % self.stress_seconds]
        if name == "spin":
            releases = self.seconds * 1e3 / PERIOD_MS
            return [self.periodic, "--threads", "2", "--period", "1ms", "--jitter", "0",
                    "--seconds", "%gms" % (releases / 2), "--rounds", str(self.rounds_of_period),
                    "--format", "json"]
        return ["hackbench", "--pipe", "--groups", "1", "--fds", "10", "--loops", str(self.loops)]

    def owner(self, kind):
        return [self.periodic, "--period", "%dms" % PERIOD_MS, "--seconds", "600",
                "--rounds", str(self.rounds[kind]), "--format", "json"]

    def throughput(self, name, text):
        if name == "spin":
            done = json.loads(text)
            return done["releases"] * 1e9 / done["run_ns"]
        if name == "stress":
            found = re.search(r"\] cpu +\d+ +[\d.]+ +[\d.]+ +[\d.]+ +([\d.]+)", text)
        else:
            found = re.search(r"^Time: ([\d.]+)", text, re.M)
        if not found:
            sys.exit("%s said nothing of its throughput: %s" % (name, text))
        return float(found.group(1)) if name == "stress" else self.loops / float(found.group(1))

    @staticmethod
    def start(command):
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    @staticmethod
    def finish(job):
        """What it printed, and the CPU seconds of it and what it waited for."""
        text = job.stdout.read().decode()
        _, status, used = os.wait4(job.pid, 0)
        job.returncode = os.waitstatus_to_exitcode(status)
        if job.returncode != 0:
            sys.exit("%s: status %d: %s" % (" ".join(job.args), job.returncode, text))
        return text, used.ru_utime + used.ru_stime

    def size_hackbench(self):
        """So many loops that both CPUs have work for about the time of a cell, on one of them."""
        self.loops = 20
        command = ["taskset", "-c", "0", *self.load("hackbench")]
        while True:
            took = float(re.search(r"^Time: ([\d.]+)", self.capture(command), re.M).group(1))
            if took >= 0.5:
                self.loops = max(int(self.loops * self.seconds / took), 1)
                return
            self.loops *= 2
            command[-1] = str(self.loops)

    def run(self, cell, policy):
        kind, name = cell.split("-")
        second = (["sleep", "600"] if kind == "alone" else self.load(name) if kind == "both" else
                  self.owner(kind))
        second = self.start(self.placed(policy, 1, second))
        if kind != "both":
            second.stdout.readline()
        if kind != "both":
            time.sleep(HEAD_START)
        first = self.start(self.placed(policy, 0, self.load(name)))
        if kind in self.rounds:
            first.stdout.readline()
            second.send_signal(signal.SIGUSR1)
        text, cpu_s = self.finish(first)
        result = {"a": self.throughput(name, text), "a_cpu_s": round(cpu_s, 3)}
        if kind == "alone":
            second.send_signal(signal.SIGTERM)
            second.stdout.read()
            second.wait()
            return result
        if kind != "both":
            second.send_signal(signal.SIGTERM)
        text, cpu_s = self.finish(second)
        result["b_cpu_s"] = round(cpu_s, 3)
        if kind == "both":
            result["b"] = self.throughput(name, text)
        else:
            result["periodic"] = json.loads(text)
        return result


def engine_is_there(berth, policy):
    """None, or why berth cannot run this policy here."""
    if policy != "scx":
        return None
    done = subprocess.run([berth, "run", "--prefer", "0", "--engine", "scx", "--", "true"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          check=False)
    return None if done.returncode == 0 else done.stderr.strip() or "status %d" % done.returncode


def choose(names, given):
    chosen = given.split(",") if given else names
    unknown = set(chosen) - set(names) - set(ASKED_FOR)
    if unknown:
        sys.exit("%s: not known; there are %s" % (", ".join(sorted(unknown)), ", ".join(names)))
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("berth")
    parser.add_argument("periodic")
    parser.add_argument("--seconds", type=float, default=2, help="of each cell; three times that for stress-ng")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turn", type=int, default=0, help="of the first round: who begins")
    parser.add_argument("--budget", type=float, default=3600, help="seconds; no round after that")
    parser.add_argument("--cells")
    parser.add_argument("--policies")
    arguments = parser.parse_args()
    began, policies = time.monotonic(), []
    for policy in choose(POLICIES, arguments.policies):
        why = engine_is_there(arguments.berth, policy)
        if why:
            say(left_out=policy, why=why)
        else:
            policies.append(policy)
    cells = choose(CELLS, arguments.cells)
    bench = Bench(arguments)
    say(kernel=os.uname().release, cpus=os.cpu_count(), seconds=bench.seconds,
        stress_seconds=bench.stress_seconds, period_ms=PERIOD_MS)
    bench.prepare(cells)
    say(loops=bench.loops, rounds_of_period=bench.rounds_of_period, **bench.rounds)
    longest = 0
    for number in range(arguments.rounds):
        start = time.monotonic()
        if start - began + longest > arguments.budget:
            break
        for cell in cells:
            for i in range(len(policies)):
                policy = policies[(i + number + arguments.turn) % len(policies)]
                say(round=number, cell=cell, policy=policy, **bench.run(cell, policy))
        longest = max(longest, time.monotonic() - start)
    return 0


sys.exit(main())
