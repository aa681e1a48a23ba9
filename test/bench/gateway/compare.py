#!/usr/bin/env python3
"""make bench-gateway: the gateway beside nginx and HAProxy, doing the same work.

All contenders are up, and get the same load in turn for a second each, on the same backend;
who begins rotates from round to round, and a trial counts only while the rest of the machine
was quiet. A machine that is shared is now fast and now slow: a ratio is the median of the
ratios within each round, whose trials are seconds apart. With one worker the contender has
a processor of its own, and backend and load generator share the others; with two nothing is
pinned. CPU time a request is the figure to read first: on a small machine backend and load
are full before a fast gateway is, so its requests a second are a lower bound. The last line
is the geometric mean of the requests per CPU second, ours over theirs, of all loads.

    BENCH_ROWS=load,idle     only these; all: load idle slow overload attack
    BENCH_CONNECTIONS=50     of the loads; all: 50,500,4000
    BENCH_WORKERS=1          of the contenders; all: 1,2
    BENCH_SECONDS=1          the length of each trial
    BENCH_ROUNDS=9           trials of each contender and load
    BENCH_PORT=27180         the first of the ports
"""

import json
import os
import resource
import shutil
import sys
import time
from contextlib import ExitStack
from math import prod
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "deploy/local"), str(ROOT / "test/bench")]

import contenders  # noqa: E402
from onrush_local.host import Trouble  # noqa: E402
from report import Asked, asked_table, table  # noqa: E402
from strain import Attack, Idle, Overload, SlowReaders  # noqa: E402
from trial import measure, middle, wrk  # noqa: E402

RESULTS = ROOT / "build/bench/gateway"
BIN = ROOT / os.environ.get("B", "build/release") / "bin"
GATEWAY, BACKEND = BIN / "onrush-gateway", BIN / "onrush-bench-backend"
SECONDS = int(os.environ.get("BENCH_SECONDS", "1"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
PORT = int(os.environ.get("BENCH_PORT", "27180"))
NAMES = ("onrush", "nginx", "haproxy")


def say(line):
    print(line, file=sys.stderr, flush=True)


def numbers(variable, usual):
    return [int(word) for word in os.environ.get(variable, usual).split(",")]


class Rig:
    """Who can be started, and on which processors."""

    def __init__(self, directory):
        self.directory = directory
        self.all = os.sched_getaffinity(0)
        first, *rest = sorted(self.all)
        self.first, self.rest = {first}, set(rest) or {first}
        os.sched_setaffinity(0, self.rest)  # this program is part of the load

    def backend(self, workers=1):
        at = self.directory / "backend"
        return contenders.backend(BACKEND, at, PORT, workers, self.load_cpus(workers))

    def large_backend(self):
        return contenders.large_backend(self.directory / "large", PORT, self.rest)

    def slow_backend(self, milliseconds):
        return contenders.slow_backend(self.directory / "slow", PORT, milliseconds, self.rest)

    def start(self, name, workers=1, log=False, **settings):
        """A contender on a port of its own, before the backend."""
        at = self.directory / f"{name}-{workers}{'-log' if log else ''}"
        port = PORT + 1 + NAMES.index(name)
        cpus = self.first if workers == 1 else self.all
        if name == "onrush":
            return contenders.onrush(GATEWAY, at, port, PORT, workers, log, cpus, **settings)
        return getattr(contenders, name)(at, port, PORT, workers, log, cpus)

    def load_cpus(self, workers):
        return self.rest if workers == 1 else self.all


class Load:
    """Every number of connections, with one worker and two, without a log and with one."""

    def __init__(self, rig):
        self.rig = rig
        self.connections = numbers("BENCH_CONNECTIONS", "50,500,4000")
        self.rounds = {}  # (workers, log, connections) -> [{name: Trial}]
        self.results = {}  # the same -> {name: Trial, the medians}

    def run(self):
        for workers in numbers("BENCH_WORKERS", "1,2"):
            with self.rig.backend(workers) as backend:
                for log in (False, True):
                    for connections in self.connections:
                        key = (workers, log, connections)
                        self.rounds[key] = self._rounds(backend, *key)
                        self.results[key] = {
                            name: middle([trials[name] for trials in self.rounds[key]])
                            for name in NAMES
                        }

    def _rounds(self, backend, workers, log, connections):
        say(_what(workers, log, connections))
        cpus = self.rig.load_cpus(workers)
        with ExitStack() as stack:
            contenders = {
                name: stack.enter_context(self.rig.start(name, workers, log)) for name in NAMES
            }
            for contender in contenders.values():
                wrk(contender.port, connections, 1, cpus, workers)  # to warm up
            return [
                {
                    name: measure(contenders[name], backend, connections, SECONDS, cpus, workers)
                    for name in NAMES[number % 3 :] + NAMES[: number % 3]
                }
                for number in range(ROUNDS)
            ]

    def ratio(self, key, other, figure="cpu"):
        """Theirs over ours, of each round in which both count (of all, when none does)."""
        pairs = [(trials[other], trials["onrush"]) for trials in self.rounds[key]]
        quiet = [pair for pair in pairs if all(trial.counts for trial in pair)] or pairs
        return median(getattr(them, figure) / getattr(us, figure) for them, us in quiet)

    def mean_ratio(self, other):
        ratios = [self.ratio(key, other) for key in self.results]
        return prod(ratios) ** (1 / len(ratios))

    def text(self):
        head = ["load", "", "requests/s", "p50 ms", "p99 ms", "CPU µs/request"]
        head += ["requests per CPU s, ours over theirs", "PSS MB", "cores for others"]
        rows = []
        for key, trials in self.results.items():
            for name, t in trials.items():
                ratio = "" if name == "onrush" else f"{self.ratio(key, name):.2f}"
                figures = [f"{t.rate:,.0f}", f"{t.p50:.2f}", f"{t.p99:.2f}", f"{t.cpu:.2f}"]
                others = f"{t.others:.2f}{'' if t.counts else ' (!)'}"
                rows.append([_what(*key), name, *figures, ratio, f"{t.pss / 1e6:.1f}", others])
        return table(head, rows)

    def asked(self):
        asked = []
        for key, trials in self.results.items():
            others, connections = [n for n in NAMES if n != "onrush"], key[2]
            if connections <= 500:
                limit = 1.2 if connections <= 50 else 1.4
                cpu = min(self.ratio(key, n) for n in others)
                asked.append(
                    Asked.at_least(f"{_what(*key)}: requests per CPU s", limit, cpu, "times")
                )
            else:
                rate = min(1 / self.ratio(key, n, "rate") for n in others)
                asked.append(Asked.at_least(f"{_what(*key)}: requests/s", 1.3, rate, "times"))
            p99 = min(trials[n].p99 for n in others)
            what = f"{_what(*key)}: p99, best of theirs"
            asked.append(Asked.at_most(what, round(p99, 2), trials["onrush"].p99, "ms"))
        return asked

    def numbers(self):
        return {_what(*k): {n: vars(t) for n, t in ts.items()} for k, ts in self.results.items()}


def _what(workers, log, connections):
    share = "1 worker" if workers == 1 else f"{workers} workers"
    return f"{connections:,} connections, {share}, {'access log' if log else 'no log'}"


ROWS = {"load": Load, "idle": Idle, "slow": SlowReaders, "overload": Overload, "attack": Attack}


def chosen():
    names = [name.strip() for name in os.environ.get("BENCH_ROWS", "").split(",") if name.strip()]
    if unknown := [name for name in names if name not in ROWS]:
        raise Trouble(f"BENCH_ROWS: {unknown[0]} is none of {', '.join(ROWS)}.")
    return [row for name, row in ROWS.items() if not names or name in names]


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows = chosen()
    shutil.rmtree(RESULTS / "run", ignore_errors=True)
    rig = Rig(RESULTS / "run")
    rows = [row(rig) for row in rows]
    for row in rows:
        row.run()
    when = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    parts = [f"# Gateways of {when}, {os.cpu_count()} cores", *(row.text() for row in rows)]
    asked = [a for row in rows for a in row.asked()]
    text = "\n\n".join([*parts, asked_table(asked)]) + "\n"
    (RESULTS / "gateways.md").write_text(text, "utf-8")
    numbers = {"time": when} | {type(row).__name__: row.numbers() for row in rows}
    (RESULTS / f"gateways-{when}.json").write_text(json.dumps(numbers, indent=2), "utf-8")
    print(text)
    for row in rows:
        if isinstance(row, Load):
            ratios = (f"ratio_{n}={row.mean_ratio(n):.2f}" for n in ("haproxy", "nginx"))
            print(" ".join(ratios))


if __name__ == "__main__":
    try:
        main()
    except Trouble as trouble:
        sys.exit(f"bench-gateway: {trouble}")
