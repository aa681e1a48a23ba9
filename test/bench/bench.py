#!/usr/bin/env python3
"""make bench: what Onrush can do on this machine, with everything on it.

Starts a stack of its own beside any other, loads it through the gateway (and coupons
through Kafka alone, too: the bare chain), and has what was granted checked against what
PostgreSQL holds. Prints tables and leaves them with all numbers in build/bench/.

    BENCH_ROWS=coupons,orders   only these; all: coupons charges ranks orders one-product
                                steady memory tokens status crowd seats reserve
    BENCH_SECONDS=10            the length of each run
    BENCH_PORT=27080            the first of the ports
"""

import os
import resource
import shutil
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy/local"), str(Path(__file__).parent)]

from coupons import Coupons  # noqa: E402
from onrush_local.host import Trouble  # noqa: E402
from onrush_local.local import LocalStack  # noqa: E402
from processes import memory, open_files_limit  # noqa: E402
from report import Asked, write  # noqa: E402
from rig import BIN, OURS, Rig, choose_ports, say  # noqa: E402
from sale import Crowd, Reserve, Seats, Status, Tokens  # noqa: E402
from shop import Charges, OneProduct, Orders, Ranks, Steady  # noqa: E402

RESULTS = ROOT / "build/bench"
IDLE_CONNECTIONS = 10000


class Memory:
    """What the programs take while nothing happens, and what a connection costs."""

    def __init__(self, rig):
        self.rig = rig

    def run(self):
        self.memories = self.rig.memories()
        self.count, self.cost = self._idle_connections()
        return []

    def _idle_connections(self):
        """(count, bytes) that keep-alive connections cost the gateway, after a request each."""
        pid = self.rig.groups["gateway"][0]
        limit = min(open_files_limit(pid), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        count = min(IDLE_CONNECTIONS, limit - 500)
        host, port = self.rig.address.split(":")
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

    def asked(self):
        ours = {name: m for name, m in self.memories.items() if name in OURS}
        largest = max(ours, key=lambda name: ours[name].pss)
        what = f"idle memory, largest program ({largest}, PSS)"
        return [
            Asked.at_most(what, 20, ours[largest].pss / 1e6, "MB"),
            Asked.at_most(
                f"{self.count:,} idle connections at the gateway",
                40 * self.count // IDLE_CONNECTIONS,
                self.cost / 1e6,
                "MB",
            ),
        ]

    def prove(self):
        return ""


# In the order in which they run: the idle ones before the busy ones.
ROWS = {
    "memory": Memory,
    "coupons": Coupons,
    "charges": Charges,
    "ranks": Ranks,
    "status": Status,
    "crowd": Crowd,
    "seats": Seats,
    "tokens": Tokens,
    "reserve": Reserve,
    "steady": Steady,
    "orders": Orders,
    "one-product": OneProduct,
}


def chosen():
    """The rows that BENCH_ROWS names, in our order."""
    names = [name.strip() for name in os.environ.get("BENCH_ROWS", "").split(",") if name.strip()]
    if unknown := [name for name in names if name not in ROWS]:
        raise Trouble(f"BENCH_ROWS: {unknown[0]} is none of {', '.join(ROWS)}.")
    return [row for name, row in ROWS.items() if not names or name in names]


def bench(stack, rows):
    stack.up(say)
    rig = Rig(stack)
    rows = [row(rig) for row in rows]
    runs = [run for row in rows for run in row.run()]
    say("checking what is there …")
    proofs = dict.fromkeys(row.prove() for row in rows)  # the books are one proof for all
    asked = [a for row in rows for a in row.asked()]
    memories = next((row.memories for row in rows if isinstance(row, Memory)), {})
    print(write(RESULTS, runs, memories, asked, "\n\n".join(filter(None, proofs))))
    return 0 if not any(run.result["errors"] for run in runs) else 1


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows = chosen()
    choose_ports(int(os.environ.get("BENCH_PORT", "27080")))
    stack = LocalStack(RESULTS / "stack", BIN)
    stack.down()
    for engine in stack.engines.values():
        shutil.rmtree(getattr(engine, "home", engine.dir), ignore_errors=True)
    shutil.rmtree(stack.dir, ignore_errors=True)
    try:
        return bench(stack, rows)
    finally:
        stack.down()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(str(trouble))
