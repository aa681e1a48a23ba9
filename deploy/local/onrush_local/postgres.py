"""PostgreSQL 15 as a private server."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from .engine import FILES, Engine
from .host import Trouble, family, guarded, run, runs, wait_until, which

BIN = ["/usr/lib/postgresql/15/bin"]


class Postgres(Engine):
    """Runs as `postgres` when we are root, because it refuses root.

    On its socket, in a directory that only its user (and root) may enter, everyone is
    trusted; on TCP a password is asked for, and the superuser is refused. `settings` are
    added to the configuration, or replace what is there.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": does not wait for clients to leave

    def __init__(self, directory, port, settings=()):
        super().__init__(directory, port)
        if os.geteuid() == 0:
            self.user = "postgres"
        self.home = self._reachable_home()
        self.data = self.home / "data"
        self.sockets = self.home / "socket"
        self.settings = dict(settings)

    def _reachable_home(self):
        """Our directory, or one under /var/tmp when the server's user cannot get into
        ours (a checkout under /root), or a socket's path would be too long (107 bytes) or
        have to be quoted in connection strings."""
        socket_path = str(self.dir / "socket" / f".s.PGSQL.{self.port}")
        plain = re.fullmatch(r"[\w./-]{1,107}", socket_path)
        if plain and (self.user is None or self._user_reaches(self.dir)):
            return self.dir
        tag = sha256(str(self.dir).encode()).hexdigest()[:12]
        return Path("/var/tmp") / f"onrush-postgres-{tag}"

    @staticmethod
    def _user_reaches(path):
        existing = [p for p in (path, *path.parents) if p.exists()]
        return all(p.stat().st_mode & 0o001 for p in existing)

    def prepare(self):
        super().prepare()
        if self.home != self.dir:
            self._claim_home()
        os.chmod(self.home, 0o711)
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        self._own(self.sockets)
        self._write(self.data / "postgresql.conf", self._conf())
        self._write(self.data / "pg_hba.conf", (FILES / "pg_hba.conf").read_text("utf-8"))

    def _claim_home(self):
        """Elsewhere it is ours while a link in our directory says so: what is left there
        when somebody removed the directory, with keys and topics, must go as well."""
        link = self.dir / "home"
        if link.is_dir():
            return
        try:
            if self.home.exists():
                shutil.rmtree(self.home)
            self.home.mkdir()
        except OSError as error:
            raise Trouble(f"{self.home} cannot be made ({error}): remove it.") from error
        link.unlink(missing_ok=True)
        link.symlink_to(self.home)

    def _initdb(self):
        """Into a directory beside, renamed at the end: an interrupted one leaves nothing."""
        fresh = Path(tempfile.mkdtemp(prefix="initdb-", dir=self.home))
        self._own(fresh)
        run(
            guarded(
                [
                    which("initdb", BIN),
                    "-D",
                    str(fresh),
                    "-U",
                    "postgres",
                    "-E",
                    "UTF8",
                    "--locale=C.UTF-8",
                    "--auth-local=trust",
                    "--auth-host=scram-sha-256",
                ],
                "TERM",
                self.user,
            ),
            f"The database cluster could not be made in {fresh}",
            cwd="/",
        )
        fresh.rename(self.data)

    def _own(self, path):
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _write(self, path, text):
        path.write_text(text, encoding="utf-8")
        self._own(path)

    def _conf(self):
        values = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.sockets,
            "unix_socket_permissions": "0700",
            "max_connections": 300,
            "shared_buffers": "256MB",
            "fsync": "on",
            "synchronous_commit": "on",
            "wal_compression": "lz4",
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "jit": "off",
            "timezone": "UTC",
            "lc_messages": "C.UTF-8",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "log_checkpoints": "off",
        } | self.settings
        return "".join(f"{name} = '{value}'\n" for name, value in values.items())

    def command(self):
        return [which("postgres", BIN), "-D", str(self.data)]

    def kill(self):
        """With all its processes: those that a dead server leaves notice it when their work
        is done, and until then no other may start on the data."""
        backends = family(self.process.pid)[1:]
        super().kill()
        for pid in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(runs, backends)), 30, "The end of PostgreSQL's processes")

    def ready(self):
        """Asked on our own socket: another server on this port cannot answer there."""
        done = subprocess.run(
            [
                which("pg_isready", BIN),
                "-q",
                "-h",
                str(self.sockets),
                "-p",
                str(self.port),
                "-U",
                "postgres",
            ],
            check=False,
        )
        return done.returncode == 0

    def sql(self, text, database="postgres", **variables):
        """Runs SQL as superuser; psql variables are :'name' in the text."""
        options = [word for k, v in variables.items() for word in ("-v", f"{k}={v}")]
        return run(
            [
                which("psql", BIN),
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                str(self.sockets),
                "-p",
                str(self.port),
                "-U",
                "postgres",
                "-d",
                database,
                *options,
            ],
            "PostgreSQL refused the SQL",
            input=text,
        )

    def bootstrap(self, password):
        """Makes the database `onrush` and its roles; again only renews the passwords."""
        self.sql((FILES / "bootstrap.sql").read_text(encoding="utf-8"), password=password)

    def dsn(self, user="onrush", database="onrush"):
        """Over the socket."""
        return f"host={self.sockets} port={self.port} dbname={database} user={user}"
