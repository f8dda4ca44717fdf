# SPDX-License-Identifier: MIT
"""What interpreters do all day, in seven small programs of fixed work: python_suite.py [SCALE].
Prints each one's operations per second and, as the result, their geometric mean. Each program
returns a number that is known beforehand; exit 1 when one is wrong."""
import json, math, random, sys, time


class Body:
    __slots__ = ("x", "v", "mass", "next")

    def __init__(self, x):
        self.x, self.v, self.mass, self.next = x, 0, 1 + x % 3, None


def attributes(n):
    bodies = [Body(k) for k in range(60000)]
    random.Random(1).shuffle(bodies)
    for one, other in zip(bodies, bodies[1:] + bodies[:1]):
        one.next = other
    body = bodies[0]
    for _ in range(n):
        body.v += body.mass
        body = body.next
    return sum(body.v // body.mass for body in bodies) - n


def dicts(n):
    table, state = {}, 1
    for _ in range(n):
        state = (state * 1103515245 + 12345) & 0x7fffffff
        key = state >> 13
        table[key] = table.get(key, 0) + 1
    return sum(table.values()) - n


def lists(n):
    size = 200000
    numbers, state = list(range(size)), 1
    for _ in range(n):
        state = (state * 1103515245 + 12345) & 0x7fffffff
        at = (state >> 8) % size
        numbers[at], numbers[at - 1] = numbers[at - 1], numbers[at]
    return sum(numbers) - size * (size - 1) // 2


def strings(n):
    words, length = [], 0
    for k in range(n):
        word = "%d-%s" % (k % 1000, "abc" * (k % 7))
        words.append(word.replace("b", "xy").upper())
        length += len(word) + k % 7
    text = " ".join(words)
    return len(text) - length - (n - 1) + (text.split()[0] != "0-")


def make_record(k):
    return {"id": k, "tags": ["t%d" % (k % 50), "u%d" % (k % 7)], "at": {"x": k * 0.5, "y": -k}}


def json_text(n):
    text = json.dumps([make_record(k) for k in range(n)])
    return sum(record["id"] for record in json.loads(text)) - n * (n - 1) // 2


def generators(n):
    def count(limit):
        for k in range(limit):
            yield k

    def pairs(source):
        for k in source:
            yield k, k & 1

    return sum(1 for k, odd in pairs(count(n)) if odd) - n // 2


def calls(n):
    def add(a, b=1, *more):
        return a + b

    total = 0
    for k in range(n):
        total = add(total)
    return total - n


PROGRAMS = [(attributes, 1500000), (dicts, 1000000), (lists, 1000000), (strings, 400000),
            (json_text, 60000), (generators, 1500000), (calls, 1500000)]


def main():
    try:
        scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
        if not 0 < scale <= 1000:
            raise ValueError
    except ValueError:
        sys.exit("python_suite.py: %s: not a scale above 0 and up to 1000" % sys.argv[1])
    rates = []
    for number, (program, work) in enumerate(PROGRAMS, 1):
        n = max(2, int(work * scale)) & ~1
        start = time.monotonic()
        off = program(n)
        seconds = time.monotonic() - start
        if off:
            sys.exit("python_suite.py: %s is off by %d" % (program.__name__, off))
        rates.append(n / seconds)
        print("interval %d ops %d mops %.4f ns %d" % (number, n, rates[-1] / 1e6, seconds * 1e9))
        print("also: %s %.1f op/s higher" % (program.__name__, rates[-1]), flush=True)
    print("result: geometric-mean %.1f op/s higher" %
          math.exp(sum(map(math.log, rates)) / len(rates)))


main()
