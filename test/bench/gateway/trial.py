"""One load on one contender, and what it took."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from contenders import PATH, pinned
from onrush_local.host import Trouble, which
from processes import machine_seconds

SCRIPT = Path(__file__).parent / "wrk.lua"
QUIET = 0.3  # cores that others may use while a trial counts


@dataclass(frozen=True)
class Trial:
    rate: float  # requests per second
    p50: float  # ms
    p99: float
    cpu: float  # µs of the contender for each request
    pss: int  # bytes of the contender, after the load and with its connections
    others: float  # cores that the rest of the machine used

    @property
    def counts(self):
        return self.others < QUIET


def wrk(port, connections, seconds, cpus, threads):
    """What wrk says of a closed loop; Trouble when anything failed."""
    argv = [*pinned(cpus), which("wrk"), f"-t{threads}", f"-c{connections}", f"-d{seconds}s"]
    argv += ["--timeout", "10s", "-s", SCRIPT, f"http://127.0.0.1:{port}{PATH}"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    if said["failed"] or said["statuses"] or not said["requests"]:
        raise Trouble(f"A load on port {port} did not go well: {said}")
    return said


def _load_seconds():
    """CPU time of the load generators that have ended, and of this program."""
    return sum(os.times()[:4])


def measure(contender, backend, connections, seconds, cpus, threads):
    """One load, of a contender that is warm."""
    machine, own, began = machine_seconds(), _load_seconds(), time.monotonic()
    before, behind = contender.cpu_seconds(), backend.cpu_seconds()
    said = wrk(contender.port, connections, seconds, cpus, threads)
    used, behind = contender.cpu_seconds() - before, backend.cpu_seconds() - behind
    ours = used + behind + _load_seconds() - own
    busy = machine_seconds() - machine
    return Trial(
        rate=said["requests"] / said["duration_us"] * 1e6,
        p50=said["p50_us"] / 1e3,
        p99=said["p99_us"] / 1e3,
        cpu=used / said["requests"] * 1e6,
        pss=contender.pss(),
        others=max(0.0, busy - ours) / (time.monotonic() - began),
    )


def middle(trials):
    """The medians of those that count; of all, when none does."""
    chosen = [t for t in trials if t.counts] or trials
    return Trial(*(median(getattr(t, f) for t in chosen) for f in Trial.__dataclass_fields__))
