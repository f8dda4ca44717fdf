# SPDX-License-Identifier: MIT
"""What else the machine does while something is measured on it, for bench/affinity and
bench/tiering."""
import multiprocessing, os, resource, sys, time

QUIET_PERCENT = 5  # of all CPUs, taken by others: above that figures are not for publication


def siblings(cpu):
    path = "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu
    try:
        with open(path, encoding="ascii") as text:
            return text.read().strip()
    except OSError:
        return str(cpu)


def choose_cpus(who):
    """Two that we may use, of different cores where there are such."""
    own = sorted(os.sched_getaffinity(0))
    if len(own) < 2:
        sys.exit("%s: two CPUs are needed, and CPU %d is all that this process may use"
                 % (who, own[0]))
    other = [cpu for cpu in own[1:] if siblings(cpu) != siblings(own[0])]
    return [own[0], (other or own[1:])[0]]


def come_first():
    """In the child: before all else that runs on this machine, where root may say so. The kernel
    weighs sessions against each other (autogroups) and then what runs in each."""
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as group:
            group.write("-20")
    except OSError:
        pass
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    except OSError:
        pass


def spin(cpu, seconds, result):
    os.setsid()
    come_first()
    os.sched_setaffinity(0, [cpu])
    rounds, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(1000):
            rounds += 1
    result.put(rounds)


def speed(cpus, seconds=0.2):
    """Of a loop on the first of the CPUs, while the others run the same."""
    results = [multiprocessing.Queue() for _ in cpus]
    jobs = [multiprocessing.Process(target=spin, args=(cpu, seconds, result))
            for cpu, result in zip(cpus, results)]
    for job in jobs:
        job.start()
    rounds = [result.get() for result in results]
    for job in jobs:
        job.join()
    return rounds[0]


def host_speed_share(cpus):
    """What is left of one CPU's speed when both work; the best of three: others may disturb."""
    return max(speed(cpus) / speed(cpus[:1]) for _ in range(3))


def cpu_ticks():
    with open("/proc/stat", encoding="ascii") as text:
        fields = [int(word) for word in text.readline().split()[1:9]]
    return {"all": sum(fields), "idle": fields[3] + fields[4], "stolen": fields[7]}


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Host:
    """What else this machine did since then, in hundredths of all its CPUs."""

    def __init__(self):
        self.ticks, self.own_s = cpu_ticks(), children_s()

    def others(self):
        now, tick_s = cpu_ticks(), 1 / os.sysconf("SC_CLK_TCK")
        passed = {key: (now[key] - self.ticks[key]) * tick_s for key in now}
        busy = passed["all"] - passed["idle"] - passed["stolen"]
        others = max(busy - (children_s() - self.own_s), 0)
        every = max(passed["all"], tick_s)
        return {"stolen_percent": 100 * passed["stolen"] / every,
                "others_percent": 100 * others / every}

    def record(self, cpus):
        return {"host_cpus": len(cpus), "siblings": siblings(cpus[0]) == siblings(cpus[1]),
                "speed_share": host_speed_share(cpus), **self.others()}
