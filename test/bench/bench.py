#!/usr/bin/env python3
"""make bench: what the coupon chain can do on this machine, with everything on it.

Starts a stack of its own beside any other, loads it through the gateway and, in the same
run, through Kafka alone (the bare chain), and has `onrush verify` check what was issued.
Prints a table and leaves it with all numbers in build/bench/. BENCH_PORT is the first of
the ports (27080), BENCH_SECONDS the length of each run (10).
"""

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy/local"), str(Path(__file__).parent)]

from onrush_local.host import Trouble  # noqa: E402
from onrush_local.local import LocalStack  # noqa: E402
from processes import Watch, memory, open_files_limit  # noqa: E402
from report import Asked, Run, write  # noqa: E402

RESULTS = ROOT / "build/bench"
BIN = ROOT / os.environ.get("B", "build/release") / "bin"
SECONDS = os.environ.get("BENCH_SECONDS", "10")

CAMPAIGN, SOLD_OUT = 1001, 1002
IDLE_REQUESTS = 300
IDLE_CONNECTIONS = 10000
PROGRAMS = ("gateway", "coupon", "coupon-publisher", "postgres", "redis", "kafka")


def choose_ports():
    """Puts the stack's ports into the environment that it reads."""
    first = int(os.environ.get("BENCH_PORT", "27080"))
    names = ("GATEWAY", "COUPON", "PG", "REDIS", "KAFKA", "KAFKA_CONTROLLER", "COUPON_PUBLISHER")
    for i, name in enumerate(names):
        os.environ[f"ONRUSH_PORT_{name}"] = str(first + i)


class Bench:
    def __init__(self, stack):
        self.stack = stack
        settings = stack.settings()
        self.url = settings["ONRUSH_URL"]
        self.address = self.url.removeprefix("http://")
        self.brokers = settings["ONRUSH_KAFKA_BROKERS"]
        self.key = settings["ONRUSH_ADMIN_KEY"]
        self.next_user = 1
        self.granted = 0  # as the load generators saw it
        self.groups = self._groups()

    def _groups(self):
        """Program -> pids of all its copies."""
        groups = {name: [] for name in PROGRAMS}
        for name, process in self.stack.supervisor.processes().items():
            program = name.rstrip("-0123456789")
            if program in groups:
                groups[program].append(process["pid"])
        return groups

    # --- the stack's own calls -------------------------------------------------------

    def call(self, path, body=None):
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["data"]

    def create(self, coupon, name, quantity):
        self.call(
            "/admin/coupons",
            {
                "couponId": coupon,
                "name": name,
                "kind": "LIMITED",
                "quantity": quantity,
                "discountRate": 0.1,
                "open": True,
                "expiresAt": "2099-01-01T00:00:00Z",
            },
        )

    def prove(self):
        """What PostgreSQL holds is right, and is what the load generators were told."""
        report = self.stack.onrush("verify", str(CAMPAIGN), str(SOLD_OUT))
        issued = sum(
            self.call(f"/api/v1/coupons/{coupon}")["issued"] for coupon in (CAMPAIGN, SOLD_OUT)
        )
        if issued != self.granted:
            raise Trouble(f"{self.granted} coupons were granted, but {issued} were issued.")
        return report + f"\n{issued:,} coupons were granted by answers and issued in PostgreSQL."

    # --- runs ------------------------------------------------------------------------

    def load(self, name, program, *arguments):
        """Runs a load generator to its end; users never ask twice."""
        print(f"{name} …", file=sys.stderr, flush=True)
        watch = Watch(self.groups)
        done = subprocess.run(
            [BIN / program, "--first-user", str(self.next_user), *map(str, arguments)],
            stdout=subprocess.PIPE,
            check=True,
        )
        self.next_user += 100_000_000
        result, used = json.loads(done.stdout), watch.used()
        self.granted += result["granted"]
        others = watch.others(sum(used.values()) + result["cpu_seconds"])
        return Run(name, result, used, others)

    def http(self, name, connections, *arguments, coupon=CAMPAIGN):
        body = f'{{"userId":{{user}},"couponId":{coupon}}}'
        return self.load(
            name,
            "onrush-bench",
            "--connections",
            connections,
            "--body",
            body,
            *arguments,
            self.address,
        )

    def chain(self, name, in_flight, *arguments):
        return self.load(
            name,
            "onrush-bench-chain",
            "--coupon",
            CAMPAIGN,
            "--in-flight",
            in_flight,
            *arguments,
            self.brokers,
        )

    def run_all(self):
        few = ("--requests", IDLE_REQUESTS, "--warmup", 0)
        long = ("--seconds", SECONDS, "--warmup", 2)
        self.create(CAMPAIGN, "bench", 1_000_000_000)
        self.create(SOLD_OUT, "bench, sold out", 1)
        self.http("warm-up", 16, "--seconds", 2)
        runs = [
            self.http("one request, idle", 1, *few),
            self.chain("bare chain, 1 in flight", 1, *few),
            self.http("coupons, 256 connections", 256, *long),
            self.chain("bare chain, 256 in flight", 256, *long),
            self.chain("bare chain, 1000 in flight", 1000, *long),
        ]
        self.http("selling out", 1, "--requests", 2, "--warmup", 0, coupon=SOLD_OUT)
        runs.append(self.http("sold out, 256 connections", 256, *long, coupon=SOLD_OUT))
        return runs

    # --- memory ----------------------------------------------------------------------

    def memories(self):
        """Program -> Memory of its largest copy."""
        return {
            name: max((memory(pid) for pid in pids), key=lambda m: m.pss)
            for name, pids in self.groups.items()
            if pids
        }

    def idle_connections(self):
        """(count, bytes) that keep-alive connections cost the gateway, after a request each."""
        pid = self.groups["gateway"][0]
        limit = min(open_files_limit(pid), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        count = min(IDLE_CONNECTIONS, limit - 500)
        host, port = self.address.split(":")
        with ExitStack() as connections:
            before = memory(pid).pss
            for _ in range(count):
                s = connections.enter_context(
                    socket.create_connection((host, int(port)), timeout=5)
                )
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n")
                if not s.recv(1024).startswith(b"HTTP/1.1 200"):
                    raise Trouble("The gateway did not answer on an idle connection.")
            return count, memory(pid).pss - before


def judge(runs, memories, idle):
    """The asked figures beside the measured ones."""
    one, _, http, _, _, sold_out = (run.result for run in runs)
    ours = {name: memories[name] for name in ("gateway", "coupon", "coupon-publisher")}
    largest = max(ours, key=lambda name: ours[name].pss)
    count, cost = idle
    return [
        Asked(
            "one request on an idle system, p50",
            "< 6 ms",
            one["p50_us"] / 1e3,
            "ms",
            one["p50_us"] < 6000,
        ),
        Asked(
            "durable coupons at 256 connections",
            "≥ 12,000/s",
            http["rate"],
            "/s",
            http["rate"] >= 12000,
        ),
        Asked("their p99", "< 60 ms", http["p99_us"] / 1e3, "ms", http["p99_us"] < 60000),
        Asked("sold-out refusals", "≥ 50,000/s", sold_out["rate"], "/s", sold_out["rate"] >= 50000),
        Asked(
            f"idle memory, largest program ({largest}, PSS)",
            "< 20 MB",
            ours[largest].pss / 1e6,
            "MB",
            ours[largest].pss < 20e6,
        ),
        Asked(
            f"{count:,} idle connections at the gateway",
            "< 40 MB",
            cost / 1e6,
            "MB",
            cost * IDLE_CONNECTIONS / count < 40e6,
        ),
    ]


def bench(stack):
    stack.up(lambda line: print(line, file=sys.stderr, flush=True))
    b = Bench(stack)
    memories = b.memories()
    idle = b.idle_connections()
    runs = b.run_all()
    print("verifying …", file=sys.stderr, flush=True)
    print(write(RESULTS, runs, memories, judge(runs, memories, idle), b.prove()))
    return 0 if not any(run.result["errors"] for run in runs) else 1


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    choose_ports()
    stack = LocalStack(RESULTS / "stack", BIN)
    stack.down()
    for engine in stack.engines.values():
        shutil.rmtree(getattr(engine, "home", engine.dir), ignore_errors=True)
    shutil.rmtree(stack.dir, ignore_errors=True)
    try:
        return bench(stack)
    finally:
        stack.down()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(str(trouble))
