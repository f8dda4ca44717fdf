# SPDX-License-Identifier: MIT
"""docs/bench-tiering.md from what bench/tiering measured.

Every figure is a median over rounds, with the least and the greatest where there are several. Ratios
are taken within a round, where both were measured minutes apart, then their median.
"""
import statistics
from host import QUIET_PERCENT

POLICIES = ["none", "kernel", "damon", "static-best", "berth"]
WORKLOADS = ["zipf", "btree", "bfs", "redis"]
PERIOD_S, HOT_PAGES, MEMORY_BYTES = 20, 100 * 256, 700 << 20
MIB = 1 << 20
LEVEL = 0.9  # of what is reached in the end, or was before a move
FOUND = 0.75  # of static-best: below that the hot set was not found, and nothing can be regained

HEAD = """# Live tiering, measured

Printed by `make bench-tiering` (`bench/tiering BUILD page` prints it again); not edited by hand.

Workloads of the lab ([its README](../lab/workloads/README.md)) on a machine of 512 MiB of fast and
1 GiB of slow memory (80 ns and 250 ns) and two CPUs. **none** moves nothing, **kernel** is Linux's
tiering with its stock settings (`numa_balancing=2`, demotion), **damon** its DAMON schemes (cold after
5 s down, accessed up), **static-best** the workload itself putting what it knows to be hot into fast
memory beforehand, **berth** is `berth run --tier`. Each run boots anew; the policies of a row run one
after the other within every round. Shown are medians over rounds, in brackets the least and the
greatest; ratios are taken within a round.

**Read ratios, not figures.** The machine is emulated (QEMU's TCG, with a model of the latencies):
whatever berth and the kernel do themselves costs many times what it costs on hardware.
"""


def of(records, **wanted):
    return [record for record in records
            if all(record.get(key) == value for key, value in wanted.items())]


def number(value):
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    return "%.*f" % (digits, value)


def spread(values):
    if not values:
        return "-"
    text = number(statistics.median(values))
    return text if len(values) == 1 else "%s [%s, %s]" % (text, number(min(values)),
                                                         number(max(values)))


def middle(values):
    return statistics.median(values) if values else None


def counted(count, word):
    return "%d %s%s" % (count, word, "s" * (count != 1))


# ---- figures of one run ----

def rates(record):
    """(end in seconds, rate) of each interval."""
    end, found = 0, []
    for seconds, rate in record["intervals"]:
        end += seconds
        found.append((end, rate))
    return found


def steady(record):
    last = [rate for _, rate in rates(record)]
    return statistics.median(last[-max(len(last) // 3, 1):]) if last else 0


def settling_s(record):
    """Until the first of three seconds that reach the level in their median."""
    series = rates(record)
    for i in range(len(series)):
        if statistics.median(rate for _, rate in series[i:i + 3]) >= LEVEL * steady(record):
            return series[i][0]
    return None


def regaining_s(record, move, best):
    """From the move-th move (from 1) until the first of two seconds in a row at the level before;
    the whole period when it is not regained in it, or was not FOUND before, where `best` is the
    rate of static-best; None when there was no such move."""
    start = move * PERIOD_S
    series = rates(record)
    before = [rate for end, rate in series if start - 6 < end <= start + 0.5]
    after = [(end, rate) for end, rate in series if start + 0.5 < end <= start + PERIOD_S + 0.5]
    if not before or len(after) < PERIOD_S * 0.9:
        return None
    level = LEVEL * statistics.median(before)
    if statistics.median(before) < FOUND * (best or 0):
        return PERIOD_S
    for (end, rate), (_, following) in zip(after, after[1:]):
        if rate >= level and following >= level:
            return max(end - 1 - start, 0)
    return PERIOD_S


def copying_s(record):
    """The hot set in and as much out: by what a page took where pages were placed by hand."""
    pages, seconds = (sum(column) for column in zip(*record["placed"])) \
        if record["placed"] else (0, 0)
    return 2 * HOT_PAGES * seconds / pages if pages else None


def run_of(record):
    """When it began and ended, in seconds of the guest: what the program does before and after is
    not measured. All of it where the program does not tell."""
    if "check_s" not in record or not rates(record):
        return record["sample_s"][0], record["sample_s"][-1]
    end = record["guest_s"] - record["check_s"]
    return end - rates(record)[-1][0], end


def migrations_per_s(record, first, last):
    """Between two parts of the run, as fractions of it."""
    times, counts = record.get("sample_s") or [], record.get("migrated") or []
    if len(times) < 4:
        return None
    begin, end = run_of(record)
    parts = [begin + part * (end - begin) for part in (first, last)]
    at = [max(sum(time <= part for time in times) - 1, 0) for part in parts]
    passed = times[at[1]] - times[at[0]]
    return (counts[at[1]] - counts[at[0]]) / passed if passed > 0 else None


def own_share(record):
    """Percent of a CPU that berth takes while it runs, copying not counted."""
    berth = record["berth"]
    return 100 * (berth["sampling_ns"] + berth["deciding_ns"]) / berth["passed_ns"]


def else_s(record):
    """CPU time of berth that is in none of the parts: starting, ending, waiting."""
    berth = record["berth"]
    return (berth["all_ns"] - berth["sampling_ns"] - berth["deciding_ns"]
            - berth["moving_ns"]) / 1e9


def unfairness(record):
    """How far the tenants' shares are from half, in hundredths of a half."""
    return 100 * abs(record["shares"][0] / max(sum(record["shares"]), 1) - 0.5) / 0.5


def waiting(record):
    """Percent of the run, of all CPUs together; None where it was not taken down."""
    run_s = sum(seconds for seconds, _ in record["intervals"])
    wait_s = record.get("slow_wait_s")
    return None if wait_s is None or not run_s else 100 * wait_s / run_s


def part_share(what):
    return lambda record: 100 * record["berth"][what] / record["berth"]["passed_ns"]


def extra_memory(record):
    """MiB resident beyond a thousandth of the memory that is watched."""
    return (record["berth"]["max_rss_bytes"] - MEMORY_BYTES / 1000) / MIB


def wakeups_per_s(record):
    return record["berth"]["sleeps"] * 1e9 / record["berth"]["passed_ns"]


# ---- over the rounds of a kernel ----

class Table:
    def __init__(self, records):
        self.records = [record for record in records if record["is_good"]]
        self.rounds = sorted({record["round"] for record in self.records})

    def one(self, row, policy, number_of_round):
        found = of(self.records, row=row, policy=policy, round=number_of_round)
        return found[-1] if found else None

    def runs(self, row, policy):
        found = [self.one(row, policy, number_of_round) for number_of_round in self.rounds]
        return [record for record in found if record]

    def values(self, row, policy, figure):
        found = [figure(record) for record in self.runs(row, policy)]
        return [value for value in found if value is not None]

    def ratios(self, row, policy, others):
        """To the best of the others, within each round that has all of them."""
        found = []
        for number_of_round in self.rounds:
            ours = self.one(row, policy, number_of_round)
            theirs = [self.one(row, other, number_of_round) for other in others]
            if ours and all(theirs):
                found.append(ours["value"] / max(record["value"] for record in theirs))
        return found

    def of_berth(self, row, figure):
        return [figure(record) for record in self.runs(row, "berth") if record.get("berth")]

    def tenants(self):
        return [unfairness(record) for policy in ("a first", "b first")
                for record in self.runs("tenants", policy)]

    def moves(self):
        """Regaining less copying, of every move of every round; copying of each round."""
        copying = self.values("move", "static-best", copying_s)
        took = statistics.median(copying) if copying else None
        best = middle(self.values("move", "static-best", steady))
        regaining = [regaining_s(record, move, best) for record in self.runs("move", "berth")
                     for move in (1, 2, 3)]
        return [value for value in regaining if value is not None], took


def checks(table):
    """What is promised: (sentence, values, limit, is_least, digits)."""
    found = [
        ("hot set lying still: against static-best",
         table.ratios("hotset", "berth", ["static-best"]), 0.90, True),
        ("hot set lying still: against kernel", table.ratios("hotset", "berth", ["kernel"]), 2.0, True),
        ("hot set lying still: against damon", table.ratios("hotset", "berth", ["damon"]), 1.3, True)]
    regaining, copying = table.moves()
    if copying is not None:
        found.append(("hot set moving: seconds until 90 % regained, copying taken off",
                      [value - copying for value in regaining], 5, False))
    better = []
    for row in WORKLOADS:
        ratios = table.ratios(row, "berth", ["none", "kernel"])
        better += [statistics.median(ratios)] if ratios else []
        found.append(("%s: against the better of none and kernel" % row, ratios, 0.98, True))
    if len(better) == len(WORKLOADS):
        found.append(("of these four, with 1.2 times the better", [sum(r >= 1.2 for r in better)],
                      2, True))
    found += [
        ("nothing to gain: against none", table.ratios("even", "berth", ["none"]), 0.99, True),
        ("nothing to gain: migrations a second in the last third, of those in the first",
         [value for value in map(died_out, table.runs("even", "berth")) if value is not None],
         0.1, False),
        ("berth itself: percent of a CPU, copying not counted", table.of_berth("hotset", own_share),
         2, False),
        ("berth itself: MiB beyond 0.1 % of the memory watched",
         table.of_berth("hotset", extra_memory), 16, False),
        ("two tenants with equal floors: percent off their shares after 30 s",
         [max(values) for values in [table.tenants()] if values], 10, False),
        ("berth itself: wake-ups a second with nothing to do", table.of_berth("idle", wakeups_per_s),
         1, False)]
    return [check for check in found if check[1]]


def died_out(record):
    """0 when hardly a page moves any more: below ten a second nobody can tell."""
    first, last = migrations_per_s(record, 0, 1 / 3), migrations_per_s(record, 2 / 3, 1)
    if first is None or last is None:
        return None
    return 0 if last < 10 else last / max(first, 10)


def is_kept(values, limit, is_least):
    seen = statistics.median(values)
    return seen >= limit if is_least else seen <= limit


def row(*cells):
    return "| %s |\n" % " | ".join(str(cell) for cell in cells)


def head(*cells):
    return "\n" + row(*cells) + row(*["---"] * len(cells))


def value_of(record):
    return record["value"]


def hotset(table):
    if not any(table.runs("hotset", policy) for policy in POLICIES):
        return ""
    out = ("\n**A hot set lying still.** 100 of 700 MiB, in slow memory at first. Mean over the run, the "
           "finding of the hot set included; none and static-best, which find nothing, run 20 s, the "
           "others 60 s.\n")
    out += head("policy", "Mop/s", "of static-best", "steady, Mop/s", "90 % of it after, s")
    for policy in POLICIES:
        if table.runs("hotset", policy):
            out += row(policy, spread(table.values("hotset", policy, value_of)),
                       spread(table.ratios("hotset", policy, ["static-best"])),
                       spread(table.values("hotset", policy, steady)),
                       spread(table.values("hotset", policy, settling_s)))
    return out


def move(table):
    regaining, copying = table.moves()
    if not table.runs("move", "berth"):
        return ""
    out = ("\n**The hot set moves every 20 s.** Until the first of two seconds in a row at 90 %% of "
           "what berth reached before the move (median of 5 s; %d s: not within the period, or there "
           "was nothing to regain: before the move it was below %.2f of static-best)."
           % (PERIOD_S, FOUND))
    if copying is not None:
        out += (" Copying the set, in and as much out to make room, takes %s s here: what "
                "`move_pages` took a page where static-best placed the set anew, %d pages."
                % (number(copying), 2 * HOT_PAGES))
    before = [steady_before(record) for record in table.runs("move", "berth")]
    best = [steady(record) for record in table.runs("move", "static-best")]
    out += "\n" + head("moves", "regained after, s", "before a move, Mop/s", "static-best, Mop/s")
    return out + row(len(regaining), spread(regaining), spread([b for b in before if b]), spread(best))


def steady_before(record):
    """Over the five seconds before each move."""
    return middle([rate for end, rate in rates(record) if end % PERIOD_S > PERIOD_S - 6])


def workloads(table):
    rows = [name for name in WORKLOADS if table.runs(name, "berth")]
    if not rows:
        return ""
    out = ("\n**Other workloads.** What each counts a second, over its whole run. `bfs` (a graph of "
           "152 MiB) and `redis` (250,000 keys) have a machine of 192 MiB of fast and 256 MiB of slow memory: "
           "filling a larger one takes minutes here. **static-best** is what there is to be gained by "
           "one placement, the program's own, made beforehand (redis cannot): beside it, what that is "
           "of the better of none and kernel. **Waiting** is the time that all its CPUs together wait "
           "for slow memory under none, in percent of the run: no placement saves more. Where there "
           "is little of it a row tells of the emulation, and of what berth costs, alone.\n")
    out += head("workload", "unit", "none", "kernel", "berth", "against none", "against the better",
                "static-best", "that, against the better", "waiting, %")
    for name in rows:
        unit = table.runs(name, "berth")[0]["unit"]
        out += row(name, unit, *(spread(table.values(name, policy, value_of))
                                 for policy in ("none", "kernel", "berth")),
                   *(spread(table.ratios(name, "berth", others))
                     for others in (["none"], ["none", "kernel"])),
                   spread(table.values(name, "static-best", value_of)),
                   spread(table.ratios(name, "static-best", ["none", "kernel"])),
                   spread(table.values(name, "none", waiting)))
    return out


def even(table):
    if not table.runs("even", "berth"):
        return ""
    out = ("\n**Nothing to gain.** `hotset --share-hot 0`: every page of 600 MiB is as hot as any "
           "other, and the 100 MiB that nobody uses lie in slow memory from the beginning: no placement "
           "beats none.\n")
    out += head("policy", "Mop/s", "against none", "migrations a second: first third", "last third")
    for policy in "none", "berth":
        out += row(policy, spread(table.values("even", policy, value_of)),
                   spread(table.ratios("even", policy, ["none"])),
                   *(spread(table.values("even", policy,
                                         lambda run: migrations_per_s(run, *part)))
                     for part in ((0, 1 / 3), (2 / 3, 1))))
    return out


def itself(table):
    rows = [name for name in ("hotset", "move", "even", "idle") + tuple(WORKLOADS)
            if table.of_berth(name, own_share)]
    if not rows:
        return ""
    out = ("\n**Berth itself**, in percent of one CPU; all else is starting above all, once, and told "
           "in seconds of CPU time.\n")
    out += head("while", "sampling", "deciding", "copying", "all else, s", "MiB at most",
                "wake-ups a second", "pages moved")
    for name in rows:
        out += row({"idle": "a program sleeps"}.get(name, name),
                   *(spread(table.of_berth(name, part_share(what)))
                     for what in ("sampling_ns", "deciding_ns", "moving_ns")),
                   spread(table.of_berth(name, else_s)),
                   spread(table.of_berth(name, lambda run: run["berth"]["max_rss_bytes"] / MIB)),
                   spread(table.of_berth(name, wakeups_per_s)),
                   spread(table.of_berth(name, lambda run: run["berth"]["promoted_pages"]
                                         + run["berth"]["demoted_pages"])))
    return out


def promised(table):
    out = "\n**What is promised, and what was seen.**\n" + head("", "seen", "promised", "")
    for sentence, values, limit, is_least in checks(table):
        out += row(sentence, spread(values), "%s %g" % ("at least" if is_least else "at most", limit),
                   "kept" if is_kept(values, limit, is_least) else "**missed**")
    return out


def tenants(table):
    if not table.tenants():
        return ""
    out = ("\n**Two tenants** with equal floors under `berth daemon`, each touching 400 MiB evenly, one of "
           "them alone for 15 s: MiB of fast memory 30 s after the other came.\n")
    out += head("there first", "it", "the other", "percent off half")
    for policy in "a first", "b first":
        if table.runs("tenants", policy):
            out += row(policy[0], *(spread(table.values("tenants", policy,
                                                        lambda run: run["shares"][i] / 256))
                                    for i in (0, 1)),
                       spread(table.values("tenants", policy, unfairness)))
    return out


def is_busy(records):
    return max((record["others_percent"] for record in records), default=0) > QUIET_PERCENT


def about(records):
    good = [record for record in records if record.get("release")]
    releases = sorted({record["release"] for record in good})
    rounds = len({record["round"] for record in records})
    text = "%s, %s, %s. While a run went on, other programs took %s %% of the machine's CPUs and the " \
           "hypervisor %s %%, at most." % (
               ", ".join(releases) or "no boot", counted(rounds, "round"),
               counted(len(records), "run"),
               number(max((record["others_percent"] for record in records), default=0)),
               number(max((record["stolen_percent"] for record in records), default=0)))
    if is_busy(records):
        text += " **That is not a quiet machine**: these figures are not for publication."
    if any(record["tiny"] for record in records):
        text += " **A trial of the script with a few seconds on a small machine: it says nothing.**"
    return text + "\n"


def failures(records):
    """Of runs that no later one made good."""
    out = ""
    for record in records:
        same = {key: record[key] for key in ("round", "kernel", "row", "policy")}
        if not record["is_good"] and not any(other["is_good"] for other in of(records, **same)):
            out += "\nFailed: %s under %s, round %d: %s\n" % (
                record["row"], record["policy"], record["round"] + 1,
                record.get("why", "status %s" % record["status"]))
    return out


def kernels_of(records):
    return sorted({record["kernel"] for record in records}, key=lambda k: [int(n) for n in k.split(".")])


def commits_of(records):
    return sorted({record["commit"] for record in records})


def page(records):
    out = HEAD + "\nBerth of commit %s.\n" % ", ".join(commits_of(records))
    for kernel in kernels_of(records):
        own = of(records, kernel=kernel)
        table = Table(own)
        out += "\n## Linux %s\n\n%s" % (kernel, about(own)) + failures(own)
        for section in hotset, move, workloads, even, tenants, itself, promised:
            out += section(table)
    return out


MARKS = "<!-- bench-tiering -->", "<!-- /bench-tiering -->"  # in README


def seen(check):
    """A cell: what was seen of what is promised."""
    if not check:
        return "-"
    _, values, limit, is_least = check
    return "%s, %s" % (spread(values), "kept" if is_kept(values, limit, is_least) else "**missed**")


def summary(records):
    """For README: what is promised, beside what was seen with each kernel."""
    kernels = kernels_of(records)
    found = {kernel: {check[0]: check for check in checks(Table(of(records, kernel=kernel)))}
             for kernel in kernels}
    promises = {}
    for own in found.values():
        for sentence, _, limit, is_least in own.values():
            promises[sentence] = "%s %g" % ("at least" if is_least else "at most", limit)
    out = head("", "promised", *("Linux " + kernel for kernel in kernels))
    for sentence, limit in promises.items():
        out += row(sentence, limit, *(seen(found[kernel].get(sentence)) for kernel in kernels))
    nr_rounds = len({record["round"] for record in records})
    out += "\n%s, commit %s, one boot a run%s.\n" % (
        counted(nr_rounds, "round"), ", ".join(commits_of(records)),
        "; in brackets the least and the greatest" if nr_rounds > 1 else "")
    if is_busy(records):
        out += "The machine was not quiet: these figures are not for publication.\n"
    if any(record["tiny"] for record in records):
        out += "A trial of the script: it says nothing.\n"
    return out


def put_summary(text, records):
    """README with what stands between the marks replaced; ValueError where they are not."""
    begin, end = (text.index(mark) for mark in MARKS)
    return text[:begin] + MARKS[0] + "\n" + summary(records) + "\n" + text[end:]


def line(record):
    """Of one run, for the terminal."""
    text = "%-5s %-7s %-12s %3d s" % (record["kernel"], record["row"], record["policy"],
                                     record["wall_s"])
    if not record["is_good"]:
        return "%s  FAILED: %s" % (text, record.get("why", record["status"]))
    if "shares" in record:
        text += "  %d and %d MiB of fast memory" % tuple(pages / 256 for pages in record["shares"])
    if "value" in record:
        text += "  %s %s" % (number(record["value"]), record["unit"])
    if record.get("berth"):
        text += ", %s %% of a CPU, %d pages moved" % (
            number(own_share(record)), record["berth"]["promoted_pages"]
            + record["berth"]["demoted_pages"])
    return text


def verdicts(records):
    """For the terminal: a line each."""
    lines = []
    for kernel in kernels_of(records):
        for sentence, values, limit, is_least in checks(Table(of(records, kernel=kernel))):
            lines.append("%-5s %-78s %-20s %s %-4g %s"
                         % (kernel, sentence, spread(values), ">=" if is_least else "<=", limit,
                            "ok" if is_kept(values, limit, is_least) else "MISSED"))
    if is_busy(records):
        lines.append("The machine was not quiet: these figures are not for publication.")
    return "\n".join(lines)
