# SPDX-License-Identifier: MIT
"""docs/bench-affinity.md from what bench/affinity measured.

Every figure is a median over rounds with its quartiles. Ratios of throughput are taken within a
round, where both were measured seconds apart, then their median; ratios of latencies are those of
the medians, since one round's p99 hangs on a handful of releases.
"""
import statistics

NAMES = {"none": "none", "hard": "hard", "user": "soft, user engine", "scx": "soft, scx engine"}
LOADS = {"stress": "stress-ng, 2 workers", "hackbench": "hackbench, 20 tasks",
         "spin": "periodic, always behind"}
US, GAIN, QUIET_PERCENT = 1e3, 1.7, 5

HEAD = """# Soft affinity, measured

Printed by `make bench-affinity` (`bench/affinity BUILD page` prints it again); not edited by hand.

Two jobs share a machine of two CPUs in the lab: job A prefers CPU 0, job B prefers CPU 1, both may
run on either. **none** starts them without berth, **hard** is `berth run --prefer N --spill-at hard`,
**soft** is `berth run --prefer N` with an engine. Each load says itself what it got done in a
run of about %(seconds)s s; the policies take turns within every round of one boot, so that whatever
drifts hits all alike. Shown are medians over rounds and, in brackets, quartiles. Ratios of
throughput are taken within a round. `periodic` wakes up every %(period)d ms (shifted at random by up to a
quarter of that), computes for its share of the time and sleeps: how late it woke up is what it feels
of its neighbour. Job B works or sleeps for half a second before job A is started, except where both
never sleep; counted is from when A's program begins. stress-ng runs longest: soft borrows a CPU only
when it has seen it idle for 100 ms, and a short run would show mostly that beginning.

**Read ratios, not figures.** The machine is emulated (QEMU's TCG): a wake-up alone takes hundreds of
microseconds, and what berth itself does costs in proportion.
"""


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def number(value):
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return "%.*f" % (digits, value)


def counted(count, word):
    return "%d %s%s" % (count, word, "s" * (count != 1))


def spread(values, scale=1):
    if not values:
        return "-"
    low, high = quartiles(values)
    return "%s [%s, %s]" % tuple(number(value / scale)
                                 for value in (statistics.median(values), low, high))


class Table:
    """Of one kernel: what was measured, by cell, policy and round."""

    def __init__(self, records):
        self.runs, self.left_out, self.boots, self.about, self.hosts = {}, {}, 0, {}, []
        loops = 0
        for record in records:
            self.boots += "boot" in record
            if "left_out" in record:
                self.left_out[record["left_out"]] = record["why"]
            elif "kernel" in record:
                self.about = record
            elif "loops" in record:
                loops = record["loops"]
            elif "speed_share" in record:
                self.hosts.append(record)
            elif "round" in record:
                key = record["cell"], record["policy"]
                self.runs.setdefault(key, {})[self.boots, record["round"]] = {
                    **record, "loops": loops, "seconds": self.seconds_of(record["cell"])}

    def seconds_of(self, cell):
        seconds = self.about.get("seconds", 0)
        return self.about.get("stress_seconds", seconds) if cell.endswith("stress") else seconds

    def policies(self):
        return [policy for policy in NAMES if any(key[1] == policy for key in self.runs)]

    def values(self, cell, policy, figure):
        return [figure(run) for run in self.runs.get((cell, policy), {}).values()]

    def ratios(self, cell, policy, other, figure):
        """Within each round that has both."""
        ours, theirs = self.runs.get((cell, policy), {}), self.runs.get((cell, other), {})
        return [figure(ours[key]) / figure(theirs[key]) for key in ours
                if key in theirs and figure(theirs[key])]

    def nr_rounds(self):
        return max(map(len, self.runs.values()), default=0)


def throughput(run):
    return run["a"]


def both(run):
    return run["a"] + run["b"]


def periodic(what, rank):
    return lambda run: run["periodic"][what][rank]


def releases_per_s(run):
    done = run["periodic"]
    return done["releases"] * 1e9 / done["counted_ns"]


def median_ratio(values):
    return statistics.median(values) if values else None


def latency_ratio(table, cell, policy, what):
    ours = table.values(cell, policy, periodic(what, "p99"))
    hard = table.values(cell, "hard", periodic(what, "p99"))
    return statistics.median(ours) / statistics.median(hard) if ours and hard else None


def checks(table):
    """What is promised of soft: (sentence, ratio, limit, is_least)."""
    found = []
    for policy in "user", "scx":
        if policy not in table.policies():
            continue
        name = NAMES[policy]
        for cell, load in (("alone-stress", "stress-ng"), ("alone-hackbench", "hackbench"),
                           ("alone-spin", "periodic")):
            found += [
                ("%s, one job idle: %s against hard" % (name, load),
                 median_ratio(table.ratios(cell, policy, "hard", throughput)), GAIN, True),
                ("%s, one job idle: %s against none" % (name, load),
                 median_ratio(table.ratios(cell, policy, "none", throughput)), 0.95, True)]
        for cell, load in (("owner-stress", "stress-ng"), ("owner-hackbench", "hackbench")):
            found += [
                ("%s, both busy: %s beside periodic against hard" % (name, load),
                 median_ratio(table.ratios(cell, policy, "hard", throughput)), 0.97, True),
                ("%s, both busy: releases of periodic beside %s against hard" % (name, load),
                 median_ratio(table.ratios(cell, policy, "hard", releases_per_s)), 0.97, True),
                ("%s, both busy: p99 lateness of periodic beside %s against hard" % (name, load),
                 latency_ratio(table, cell, policy, "wakeup_ns"), 1.10, False)]
        found.append(("%s, both busy: stress-ng and stress-ng together against hard" % name,
                      median_ratio(table.ratios("both-stress", policy, "hard", both)), 0.97, True))
    return [check for check in found if check[1] is not None]


def is_kept(ratio, limit, is_least):
    return ratio >= limit if is_least else ratio <= limit


def row(*cells):
    return "| %s |\n" % " | ".join(str(cell) for cell in cells)


def head(*cells):
    return "\n" + row(*cells) + row(*["---"] * len(cells))


def alone(table):
    out = "\n**One job idle.** What job A gets done while job B sleeps.\n"
    out += head("load of A", "policy", "per second", "against hard", "against none", "CPUs used")
    for name in LOADS:
        cell = "alone-" + name
        for policy in table.policies() if table.runs.get((cell, "hard")) else []:
            out += row(LOADS[name], NAMES[policy], spread(table.values(cell, policy, throughput)),
                       spread(table.ratios(cell, policy, "hard", throughput)),
                       spread(table.ratios(cell, policy, "none", throughput)),
                       spread(table.values(cell, policy, lambda run: used_cpus(run, table))))
    return out


def used_cpus(run, table):
    """Stress-ng runs a known time, hackbench the time that its loops take; the other a number of
    releases."""
    if run["cell"].endswith("stress"):
        seconds = int(run["seconds"])  # stress-ng takes whole ones
    elif run["cell"].endswith("hackbench"):
        seconds = run["loops"] / run["a"]
    else:
        seconds = 2 * int(run["seconds"] * 500 / table.about["period_ms"]) / run["a"]
    return run["a_cpu_s"] / seconds


def beside_periodic(table, kind, words):
    out = "\n" + words + "\n"
    out += head("load of A", "policy", "A against hard", "wake-up p50, us", "wake-up p99, us",
                "p99 against hard", "response p99, us")
    for name in "stress", "hackbench":
        cell = "%s-%s" % (kind, name)
        for policy in table.policies():
            if not table.runs.get((cell, policy)):
                continue
            ratio = latency_ratio(table, cell, policy, "wakeup_ns")
            out += row(LOADS[name], NAMES[policy],
                       spread(table.ratios(cell, policy, "hard", throughput)),
                       *(spread(table.values(cell, policy, periodic("wakeup_ns", rank)), US)
                         for rank in ("p50", "p99")),
                       number(ratio) if ratio is not None else "-",
                       spread(table.values(cell, policy, periodic("response_ns", "p99")), US))
    return out


def both_busy(table):
    out = "\n**Both busy without sleep.** stress-ng with 2 workers each.\n"
    out += head("policy", "A against hard", "B against hard", "together against hard",
                "A's share of the two")
    for policy in table.policies():
        if not table.runs.get(("both-stress", policy)):
            continue
        ratios = [spread(table.ratios("both-stress", policy, "hard", figure))
                  for figure in (throughput, lambda run: run["b"], both)]
        out += row(NAMES[policy], *ratios,
                   spread(table.values("both-stress", policy,
                                       lambda run: run["a"] / (run["a"] + run["b"]))))
    return out


def owner(table):
    return beside_periodic(table, "owner", "**Both busy.** Job B is `periodic` at 60 % of a CPU: the "
                           "CPU is its own, and A should not be felt.")


def light(table):
    return beside_periodic(table, "light", "**The owner works little.** Job B is `periodic` at 10 % "
                           "of a CPU: what is left may be borrowed (up to 15 % of work counts as "
                           "idle), and that is felt; nothing is promised here.")


SECTIONS = [("alone", alone), ("owner", owner), ("light", light), ("both", both_busy)]


def host(table):
    """Of the machine that all this ran on."""
    hosts = table.hosts
    if not hosts:
        return ""
    share = max(record["speed_share"] for record in hosts)
    out = "Each CPU of the guest had a CPU of the host, "
    if any(record["siblings"] for record in hosts):
        out += "both of one core (siblings), "
    out += "which kept %.0f %% of its speed while the other worked too. " % (100 * min(share, 1))
    out += ("Meanwhile the host's other programs took %s %% of its CPUs and the hypervisor %s %%."
            % tuple(number(max(record[key] for record in hosts))
                    for key in ("others_percent", "stolen_percent")))
    if max(record["others_percent"] for record in hosts) > QUIET_PERCENT:
        out += (" **That is not a quiet machine**: figures swing by more than the limits below, p99 "
                "most of all; see the quartiles.")
    return out


def out_of_reach(table):
    """No placement gains from a second CPU what `none`, which has both, does not gain."""
    out = ""
    for cell, load in (("alone-stress", "stress-ng"), ("alone-hackbench", "hackbench")):
        ratio = median_ratio(table.ratios(cell, "none", "hard", throughput))
        if ratio is not None and ratio < GAIN:
            out += ("\n%s gains little from a second CPU here: with both of them (none) it reaches "
                    "%s of hard, where %.1f is asked of soft.\n" % (load, number(ratio), GAIN))
    return out


def promised(table):
    out = "\n**What is promised of soft, and what was seen.**\n"
    out += head("", "seen", "promised", "")
    for sentence, ratio, limit, is_least in checks(table):
        out += row(sentence, "%.3f" % ratio, "%s %.2f" % ("at least" if is_least else "at most",
                                                          limit),
                   "kept" if is_kept(ratio, limit, is_least) else "**missed**")
    return out + out_of_reach(table)


def of_kernel(kernel, table):
    about = table.about
    out = "\n## Linux %s\n\n" % kernel
    out += "%s, %s in %s. %s\n" % (about.get("kernel", kernel), counted(table.nr_rounds(), "round"),
                                  counted(table.boots, "boot"), host(table))
    for policy, why in table.left_out.items():
        if policy in table.policies():
            continue
        out += "\nLeft out: %s. %s\n" % (NAMES[policy], why.replace("berth run: ", "", 1))
    kinds = {key[0].split("-")[0] for key in table.runs}
    for kind, section in SECTIONS:
        if kind in kinds:
            out += section(table)
    return out + promised(table)


def page(records):
    tables = {kernel: Table(lines) for kernel, lines in records.items()}
    about = next((table.about for table in tables.values() if table.about), {})
    lengths = sorted({run["seconds"] for table in tables.values() for runs in table.runs.values()
                      for run in runs.values()})
    out = HEAD % {"seconds": " or ".join("%g" % length for length in lengths),
                  "period": about.get("period_ms", 0)}
    return out + "".join(of_kernel(kernel, table) for kernel, table in tables.items())


def verdicts(records):
    """For the terminal: a line each."""
    lines = []
    for kernel, table in ((kernel, Table(lines)) for kernel, lines in records.items()):
        for sentence, ratio, limit, is_least in checks(table):
            lines.append("%-5s %-74s %6.3f  %s %.2f  %s"
                         % (kernel, sentence, ratio, ">=" if is_least else "<=", limit,
                            "ok" if is_kept(ratio, limit, is_least) else "MISSED"))
    return "\n".join(lines)
