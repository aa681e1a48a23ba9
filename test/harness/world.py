"""A world: one Onrush for one test, with nothing in it that another test could see.

    def test_it(world):
        world.start("coupon-publisher", "coupon", "gateway")
        answer = world.client("gateway").post("/api/v1/coupons", {…})
        world.kill("coupon-publisher")

It has a database (a copy of a migrated one), a Redis database, a prefix of topics and
ports of its own. At the end every program is stopped as an operator would; the test fails
if one died by itself, did not stop cleanly, or logged an error that was not expected.
"""

import os
import subprocess

import psycopg
import redis
from confluent_kafka.admin import AdminClient
from onrush_local.programs import PROGRAMS, UPSTREAMS

from .engines import PASSWORD, ROOT, TEMPLATE
from .process import Process

ADMIN_KEY = "the-admin-key-of-the-tests"
ROWS = {program.name: program for program in PROGRAMS}


class World:
    """Servers may be given that only this test has; the others are the session's."""

    def __init__(self, engines, directory, pg=None, redis=None, kafka=None):
        self.engines = engines
        self.dir = directory
        self.pg = pg or engines.pg
        self.kafka = kafka or engines.kafka
        self.redis = redis or engines.redis
        self.number = next(engines.worlds)
        self.database = f"world_{self.number}"
        self.prefix = f"w{self.number}."
        self.redis_url = self.redis.url(next(engines.redis_databases) % 256)
        self.processes = {}
        self.ports = {}
        self.expected_errors = []
        self.pg.sql(f"CREATE DATABASE {self.database} TEMPLATE {TEMPLATE} OWNER onrush")
        self.keys = directory / "keys"
        self.keys.mkdir()
        self.onrush("keygen", str(self.keys / "receipt.pem"))
        self.onrush("passkey", str(self.keys / "pass.keys"))
        self.onrush("topics")

    # --- programs --------------------------------------------------------------------

    def start(self, *names, wait=True, options=(), **settings):
        """Starts programs, or copies of one ("coupon-publisher-1"), with these settings
        besides the usual ones and these options of the command line, and waits until all
        are ready. Gives the last."""
        for name in names:
            process = self.processes.get(name)
            assert process is None or not process.alive(), f"{name} runs already"
            if process is None:
                process = Process(
                    name, self._binary(name), self.port(name), self.dir, self.admin_port(name)
                )
                self.processes[name] = process
            more = {k: str(v) for k, v in settings.items()}
            process.start(self.settings(name) | more, options)
        if wait:
            for name in names:
                self.processes[name].wait()
        return self.processes[names[-1]]

    def _program(self, name):
        return name if name in ROWS else name.rpartition("-")[0]

    def _binary(self, name):
        path = self.engines.bin / f"onrush-{self._program(name)}"
        assert path.exists(), f"{path} has not been built"
        return path

    def port(self, name):
        """The port of a program, which it keeps over restarts."""
        if name not in self.ports:
            self.ports[name] = self.engines.ports.take()
        return self.ports[name]

    def admin_port(self, name):
        """Where a gateway answers /admin and /metrics; None for other programs."""
        return self.port(f"{name}-admin") if self._program(name) == "gateway" else None

    def settings(self, name):
        """What a program of this world gets as its environment."""
        program = ROWS[self._program(name)]
        env = {"ONRUSH_LISTEN": f"127.0.0.1:{self.port(name)}", "ONRUSH_ADMIN_KEY": ADMIN_KEY}
        env |= {k: f"127.0.0.1:{self.port(UPSTREAMS[k][0])}" for k in program.asks}
        if program.name == "queue" and "reservation" not in self.processes:
            # A line whose shop is down serves nobody: it has one if the test started one.
            env["ONRUSH_RESERVATION_URL"] = ""
        if program.name == "gateway":
            env["ONRUSH_ADMIN_LISTEN"] = f"127.0.0.1:{self.admin_port(name)}"
            return env | {"ONRUSH_PASS_KEYS": str(self.keys / "pass.keys")}
        return env | self.systems(program.role) | {"ONRUSH_INSTANCE": name}

    def systems(self, role="onrush"):
        """The settings that name this world's servers and keys."""
        return {
            "ONRUSH_PG_DSN": self.pg.dsn(role, self.database),
            "ONRUSH_REDIS_URL": self.redis_url,
            "ONRUSH_KAFKA_BROKERS": self.kafka.brokers(),
            "ONRUSH_TOPIC_PREFIX": self.prefix,
            "ONRUSH_RECEIPT_KEY": str(self.keys / "receipt.pem"),
            "ONRUSH_RECEIPT_PUBLIC_KEY": str(self.keys / "receipt.pub"),
            "ONRUSH_PASS_KEYS": str(self.keys / "pass.keys"),
        }

    def __getitem__(self, name):
        return self.processes[name]

    def client(self, name="gateway"):
        return self.processes[name].client

    def admin(self, name="gateway"):
        """A client with the operator's key."""
        client = type(self.client(name))(self.port(name))
        client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        return client

    def stop(self, name):
        self.processes[name].stop()

    def kill(self, name):
        self.processes[name].kill()

    def logs(self, name):
        return self.processes[name].records()

    def expect_error(self, pattern):
        """The test provokes log lines of level error that match this pattern."""
        self.expected_errors.append(pattern)

    def onrush(self, *arguments, check=True, **settings):
        """Runs the operator's command in this world."""
        env = {"PATH": os.environ["PATH"], "ONRUSH_ADMIN_KEY": ADMIN_KEY}
        env |= self.systems() | {k: str(v) for k, v in settings.items()}
        if "gateway" in self.ports:
            env["ONRUSH_URL"] = f"http://127.0.0.1:{self.ports['gateway']}"
        done = subprocess.run(
            [self.engines.bin / "onrush", *map(str, arguments)],
            env=env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, (
            f"onrush {' '.join(map(str, arguments))} ended with {done.returncode}:\n"
            f"{done.stdout}{done.stderr}"
        )
        return done

    # --- what the servers hold -------------------------------------------------------

    def sql(self, query, parameters=None):
        """Rows of a query, run as the database's owner; [] for what gives none."""
        with psycopg.connect(self.pg.dsn("onrush", self.database), autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def tcp_dsn(self, role="onrush"):
        """The database over TCP, for what cannot use a socket."""
        return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{self.pg.port}/{self.database}"

    def redis_client(self):
        return redis.Redis.from_url(self.redis_url, decode_responses=True)

    def topics(self):
        """This world's topics, with the prefix."""
        admin = AdminClient({"bootstrap.servers": self.kafka.brokers()})
        return [t for t in admin.list_topics(timeout=10).topics if t.startswith(self.prefix)]

    # --- the end ---------------------------------------------------------------------

    def close(self):
        """Stops everything, gives the space back, and says what was wrong."""
        wrong = []
        for process in reversed(self.processes.values()):
            wrong += process.complaints(self.expected_errors)
            if process.alive():
                try:
                    process.stop()
                except AssertionError as error:
                    wrong.append(str(error))
                wrong += [w for w in process.complaints(self.expected_errors) if w not in wrong]
        self._give_back()
        return wrong

    def _give_back(self):
        """Of servers that other tests go on using."""
        if self.pg is self.engines.pg:
            self.pg.sql(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        if self.redis is self.engines.redis:
            self.redis_client().flushdb()
        if self.kafka is self.engines.kafka and (topics := self.topics()):
            admin = AdminClient({"bootstrap.servers": self.kafka.brokers()})
            # Waited for: a client that ends takes with it what it has not sent.
            for deleted in admin.delete_topics(topics, operation_timeout=10).values():
                deleted.result()
