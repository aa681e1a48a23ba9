"""What every row of the bench needs: the stack, its own calls, and load generators under
watch.
"""

import http.client
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

from onrush_local.books import Books
from onrush_local.programs import ENGINE_PORTS, PROGRAMS, port_variable
from processes import Watch, memory
from report import Run

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / os.environ.get("B", "build/release") / "bin"
SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
WARMUP = 2  # seconds before measuring
OURS = [program.name for program in PROGRAMS]
ENGINES = ("postgres", "redis", "kafka")


def choose_ports(first):
    """Puts the stack's ports into the environment that it reads."""
    for program in PROGRAMS:
        os.environ[port_variable(program.name)] = str(first)
        first += program.copies
    for name in (*ENGINE_PORTS, "gateway-admin"):
        os.environ[port_variable(name)] = str(first)
        first += 1


def say(line):
    print(line, file=sys.stderr, flush=True)


def own_seconds():
    """CPU time of the bench itself: load generators that have ended, and what looks on."""
    return sum(os.times()[:4])


class Rig:
    """A stack that is up."""

    def __init__(self, stack):
        self.stack = stack
        settings = stack.settings()
        self.url = settings["ONRUSH_URL"]
        self.address = self.url.removeprefix("http://")
        self.brokers = settings["ONRUSH_KAFKA_BROKERS"]
        self.key = settings["ONRUSH_ADMIN_KEY"]
        self.books = Books(settings)
        self.groups = self._groups()

    def _groups(self):
        """Program -> pids of all its copies."""
        groups = {name: [] for name in (*OURS, *ENGINES)}
        for name, process in self.stack.supervisor.processes().items():
            program = name.rstrip("-0123456789")
            if program in groups:
                groups[program].append(process["pid"])
        return {name: pids for name, pids in groups.items() if pids}

    # --- the stack's own calls -------------------------------------------------------

    def call(self, path, body=None, method=None, key=True):
        """The data of an answer, with the operator's key or without any."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers=headers,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["data"]

    def connect(self):
        """A connection to the gateway, for one thread."""
        return http.client.HTTPConnection(self.address, timeout=10)

    def memories(self):
        """Program -> Memory of its largest copy."""
        return {
            name: max((memory(pid) for pid in pids), key=lambda m: m.pss)
            for name, pids in self.groups.items()
        }

    # --- loads -----------------------------------------------------------------------

    def load(self, name, program, *arguments, first_user=1):
        """Runs a load generator to its end."""
        say(f"{name} …")
        watch, own = Watch(self.groups), own_seconds()
        done = subprocess.run(
            [BIN / program, "--first-user", str(first_user), *map(str, arguments)],
            stdout=subprocess.PIPE,
            check=True,
        )
        result, used = json.loads(done.stdout), watch.used()
        others = watch.others(sum(used.values()) + own_seconds() - own)
        return Run(name, result, used, others)

    def http(self, name, connections, *arguments, **options):
        """Through the gateway; for as long as runs are, unless `arguments` say otherwise."""
        return self.load(
            name,
            "onrush-bench",
            "--connections",
            connections,
            "--warmup",
            WARMUP,
            "--seconds",
            SECONDS,
            *arguments,
            self.address,
            **options,
        )
