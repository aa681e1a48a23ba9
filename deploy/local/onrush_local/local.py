"""The stack of a checkout, under .run/: settings, engines, programs, in that order.

    .run/onrush.env       the settings that all programs share (0600: it holds secrets)
    .run/pg.password      of the database's roles over TCP
    .run/pg redis kafka   the embedded engines
    .run/keys             the key that signs receipts, and its public half; that of passes
    .run/log              one file per process

Everything may be run again at any time: what runs and is up to date is left alone.
"""

import os
import secrets
from pathlib import Path

from .engine import ROOT
from .host import Trouble, exclusively, guarded, require_port, run, short_dir
from .kafka import Kafka
from .postgres import Postgres
from .programs import ENGINE_PORTS, copies, port_of, port_variable
from .redis import Redis
from .supervisor import UP, Job, Supervisor

# What the stack itself understands; every other ONRUSH_… variable is a program's setting.
OWN_VARIABLES = ("ONRUSH_PG_DSN", "ONRUSH_REDIS_URL", "ONRUSH_KAFKA_BROKERS", "ONRUSH_CACHE")


class LocalStack:
    """One run directory and the binaries that run in it."""

    def __init__(self, directory, binaries):
        self.dir = Path(directory).resolve()
        self.bin = Path(binaries).resolve()
        self.env_file = self.dir / "onrush.env"
        self.keys = self.dir / "keys"
        self.supervisor = Supervisor(self.dir)
        self.engines = self._embedded_engines()
        self.copies = copies(lambda name: (self.bin / name).exists())

    def _embedded_engines(self):
        """Those for which the environment names no server of its own."""
        at = {name: port_of(name, port) for name, port in ENGINE_PORTS.items()}
        engines = {}
        if not os.environ.get("ONRUSH_PG_DSN"):
            engines["pg"] = Postgres(self.dir / "pg", at["pg"])
        if not os.environ.get("ONRUSH_REDIS_URL"):
            engines["redis"] = Redis(self.dir / "redis", at["redis"])
        if not os.environ.get("ONRUSH_KAFKA_BROKERS"):
            engines["kafka"] = Kafka(self.dir / "kafka", at["kafka"], at["kafka-controller"])
        for engine in engines.values():
            engine.log = self.dir / "log" / f"{engine.name}.log"
        return engines

    # --- run -------------------------------------------------------------------------

    def up(self, say):
        """Brings the stack up; `say` gets a line for each step that takes time."""
        (self.dir / "log").mkdir(parents=True, exist_ok=True)
        with exclusively(self.dir / "lock"):
            self._check_ports()
            if self.engines and self.supervisor.pid() is None:
                say("Starting " + ", ".join(e.name for e in self.engines.values()) + ".")
            for engine in self.engines.values():
                engine.prepare()
                if engine.home != engine.dir:
                    say(f"The data of {engine.name} is in {engine.home}.")
            changed = self._write_settings()
            self.supervisor.configure(self._engine_jobs() + self._program_jobs())
            self.supervisor.start()
            self._wait_for_engines()
            self._fill(say)
            self._start_programs(changed, say)
            try:
                self.onrush("wait")
            except Trouble as trouble:
                raise Trouble(f"{trouble}\n`make logs P=<name>` shows a program's log.") from None

    def _check_ports(self):
        ours = self.supervisor.pid()
        wanted = [(c.port, c.name, port_variable(c.program.name)) for c in self.copies]
        for name, engine in self.engines.items():
            wanted.append((engine.port, engine.name, port_variable(name)))
        if "kafka" in self.engines:
            port = self.engines["kafka"].controller_port
            wanted.append((port, "kafka's controller", port_variable("kafka-controller")))
        taken = {}
        for port, name, variable in wanted:
            if port in taken:
                raise Trouble(
                    f"{taken[port]} and {name} cannot both have port {port}: set {variable}."
                )
            taken[port] = name
            require_port(port, name, variable, ours)

    def settings(self):
        """KEY -> value of the settings file as it is now; empty before the first run."""
        try:
            lines = self.env_file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _write_settings(self):
        """Writes the settings file; true when programs that run have older ones."""
        old = self.settings()
        gateway = port_of("gateway", 8080)
        new = {
            k: v
            for k, v in sorted(os.environ.items())
            if k.startswith("ONRUSH_")
            and not k.startswith("ONRUSH_PORT_")
            and k not in OWN_VARIABLES
        }
        new |= {
            "ONRUSH_ADMIN_KEY": new.get("ONRUSH_ADMIN_KEY")
            or old.get("ONRUSH_ADMIN_KEY")
            or secrets.token_urlsafe(24),
            "ONRUSH_RECEIPT_KEY": str(self.keys / "receipt.pem"),
            "ONRUSH_RECEIPT_PUBLIC_KEY": str(self.keys / "receipt.pub"),
            "ONRUSH_PASS_KEYS": str(self.keys / "pass.keys"),
            "ONRUSH_URL": f"http://127.0.0.1:{gateway}",
            "ONRUSH_WAIT": ",".join(f"{c.name}=127.0.0.1:{c.port}" for c in self.copies),
            "ONRUSH_PG_DSN": self._own("pg", lambda pg: pg.dsn(), "ONRUSH_PG_DSN"),
            "ONRUSH_REDIS_URL": self._own("redis", lambda r: r.url(), "ONRUSH_REDIS_URL"),
            "ONRUSH_KAFKA_BROKERS": self._own(
                "kafka", lambda k: k.brokers(), "ONRUSH_KAFKA_BROKERS"
            ),
        }
        if new == old:
            return False
        self.env_file.touch(mode=0o600)
        self.env_file.write_text("".join(f"{k}={v}\n" for k, v in new.items()), encoding="utf-8")
        return True

    def _own(self, name, address, variable):
        return address(self.engines[name]) if name in self.engines else os.environ[variable]

    def _engine_jobs(self):
        return [
            Job(e.name, e.argv(), e.log, 100, True, e.stop_signal.name.removeprefix("SIG"))
            for e in self.engines.values()
        ]

    def _program_jobs(self):
        role_dsn = self.engines["pg"].dsn if "pg" in self.engines else None
        jobs = []
        for i, copy in enumerate(self.copies):
            argv = guarded(
                [str(self.bin / copy.program.binary), "--config", str(self.env_file)], "TERM"
            )
            log = self.dir / "log" / f"{copy.name}.log"
            environment = copy.environment(role_dsn, short_dir(self.dir))
            jobs.append(Job(copy.name, argv, log, 200 + i, False, environment=environment))
        return jobs

    def _wait_for_engines(self):
        for engine in self.engines.values():

            def alive(name=engine.name):
                return self.supervisor.processes()[name]["statename"] in UP

            engine.wait(60, alive)
        if "pg" in self.engines:
            self.engines["pg"].bootstrap(self._password())

    def _password(self):
        """Of the database's roles over TCP; made once."""
        path = self.dir / "pg.password"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(18) + "\n", encoding="ascii")
        return path.read_text(encoding="ascii").strip()

    def _fill(self, say):
        """Key, tables, topics, demo data: each command does nothing when it is done."""
        self.keys.mkdir(mode=0o700, exist_ok=True)
        if not (self.keys / "receipt.pem").exists():
            self.onrush("keygen", str(self.keys / "receipt.pem"))
        if not (self.keys / "pass.keys").exists():
            self.onrush("passkey", str(self.keys / "pass.keys"))
        self.onrush("migrate")
        self.onrush("topics")
        say("Filling in the demo data.")
        self.onrush("seed")

    def onrush(self, *arguments):
        """Runs the operator's command with the settings of this stack."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("ONRUSH_")}
        return run(
            [str(self.bin / "onrush"), *arguments],
            f"'onrush {' '.join(arguments)}' failed",
            env=env | self.settings(),
            cwd=ROOT,  # migrations and seeds are files of the tree
        )

    def _start_programs(self, restart_all, say):
        processes = self.supervisor.processes()
        running = {c.name for c in self.copies if processes[c.name]["statename"] in UP}
        outdated = [
            c
            for c in self.copies
            if restart_all or c.name not in running or not self._is_current(processes[c.name], c)
        ]
        if outdated:
            say("Starting " + ", ".join(c.name for c in outdated) + ".")
        for copy in outdated:
            if copy.name in running:
                self.supervisor.stop_job(copy.name)
            self.supervisor.start_job(copy.name)

    def _is_current(self, process, copy):
        """The process runs the binary that lies there now, not one from before a build."""
        try:
            runs = os.stat(f"/proc/{process['pid']}/exe")
        except OSError:
            return False
        return os.path.samestat(runs, os.stat(self.bin / copy.program.binary))

    # --- stop, status, logs ----------------------------------------------------------

    def down(self):
        """Clients first: gateway, services, consumers, then the engines."""
        programs = [copy.name for copy in reversed(self.copies)]
        return self.supervisor.shutdown(programs + [e.name for e in self.engines.values()])

    def status(self):
        """(name, state, description) of every process; None when nothing runs."""
        if self.supervisor.pid() is None:
            return None
        return [
            (n, p["statename"], p["description"]) for n, p in self.supervisor.processes().items()
        ]

    def logs(self, name):
        """The log files of a program, with all its copies; of all when name is empty."""
        files = sorted((self.dir / "log").glob("*.log"))
        if name:
            files = [f for f in files if f.stem == name or f.stem.rpartition("-")[0] == name]
        if not files:
            known = (
                ", ".join(sorted(f.stem for f in (self.dir / "log").glob("*.log"))) or "none yet"
            )
            raise Trouble(f"There is no log of '{name}'; there are: {known}.")
        return files
