"""The servers that a session of tests shares, and the ports it takes.

One PostgreSQL, one Redis, one Kafka, started once. A test never sees another's data: it
has a database, a Redis database and a prefix of topics of its own (world.py). A test that
breaks a server starts one for itself with own().
"""

import itertools
import os
import subprocess
from pathlib import Path

from onrush_local.host import free_port, port_is_free
from onrush_local.kafka import Kafka
from onrush_local.postgres import Postgres
from onrush_local.redis import Redis

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATE = "onrush_template"
PORTS = 5000
PASSWORD = "onrush"
# Tests kill processes, not machines: what was written is in the kernel's cache, and a commit is
# written before it is answered (synchronous_commit stays on). Full pages stay, too: SIGKILL may
# cut the writing of a page in two.
UNSYNCED = {"fsync": "off"}


def first_port():
    """Where the ports of tests begin."""
    return int(os.environ.get("ONRUSH_TEST_PORTS", "21000"))


class Ports:
    """Free ports, upwards from the first and round again after PORTS of them, so that one
    is not given out again soon."""

    def __init__(self, first=None):
        self.first = self.next = first or first_port()

    def take(self, count=1):
        """The first of `count` free ports in a row."""
        while True:
            if self.next + count > self.first + PORTS:
                self.next = self.first
            port = free_port(self.next)
            self.next = port + count
            if all(port_is_free(p) for p in range(port + 1, port + count)):
                return port


class Engines:
    """PostgreSQL, Redis and Kafka under one directory."""

    def __init__(self, directory, binaries, ports):
        self.dir = Path(directory)
        self.bin = Path(binaries)
        self.ports = ports
        self.servers = itertools.count()
        self.pg = self.own(Postgres, "pg")
        self.redis = self.own(Redis, "redis")
        self.kafka = self.own(Kafka, "kafka")
        self.redis_databases = itertools.count(1)
        self.worlds = itertools.count(1)

    def own(self, kind, name):
        """A server of a kind, not started, for the session or for one test to break."""
        more = {"settings": UNSYNCED} if kind is Postgres else {}
        return kind(self.dir / f"{name}-{next(self.servers)}", self.ports.take(2), **more)

    def start(self):
        servers = [self.pg, self.redis, self.kafka]
        for server in servers:
            server.prepare()
            server.launch()
        for server in servers:
            server.wait()
        prepare_postgres(self.pg, self.bin)

    def stop(self):
        for server in (self.kafka, self.redis, self.pg):
            server.stop()


def prepare_postgres(pg, binaries):
    """Roles, and a migrated database to copy for each test: a copy takes a moment, the
    migrations take longer."""
    pg.bootstrap(PASSWORD)
    pg.sql(f"CREATE DATABASE {TEMPLATE} OWNER onrush")
    env = {"PATH": os.environ["PATH"], "ONRUSH_PG_DSN": pg.dsn(database=TEMPLATE)}
    done = subprocess.run(
        [binaries / "onrush", "migrate"],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"onrush migrate failed:\n{done.stdout}{done.stderr}"
