"""A private supervisord: its configuration, its life and its remote calls.

    .run/supervisord.conf, .run/supervisord.pid, .run/log/supervisord.log
    a socket beside them, or under /tmp when the path would be too long for one

Log bytes never pass through supervisord: each program is started by a shell that opens
the log file and becomes the program.
"""

import http.client
import os
import shlex
import socket
import xmlrpc.client
from dataclasses import dataclass, field
from pathlib import Path

from .host import Trouble, has_ended, run, short_dir, wait_until, which

UP = ("RUNNING", "STARTING")


@dataclass(frozen=True)
class Job:
    """Something that supervisord keeps running."""

    name: str
    argv: list
    log: Path
    priority: int  # low ones start first and stop last
    autostart: bool
    stop_signal: str = "TERM"
    environment: dict = field(default_factory=dict)

    def section(self):
        shell = f"exec {shlex.join(self.argv)} >>{shlex.quote(str(self.log))} 2>&1"
        env = ",".join(f"{k}={_quoted(v)}" for k, v in sorted(self.environment.items()))
        lines = [
            f"[program:{self.name}]",
            "command=" + shlex.join(["/bin/sh", "-c", shell]).replace("%", "%%"),
            f"environment={env}",
            f"priority={self.priority}",
            f"autostart={str(self.autostart).lower()}",
            "autorestart=true",
            "startsecs=1",
            "startretries=10",
            f"stopsignal={self.stop_signal}",
            "stopwaitsecs=20",
            "stdout_logfile=NONE",
            "stderr_logfile=NONE",
        ]
        return "\n".join(lines) + "\n"


def _quoted(value):
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class _Transport(xmlrpc.client.Transport):
    """XML-RPC over it."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def make_connection(self, _host):
        return _Connection(self.path)


class Supervisor:
    """The one of a run directory, whether it is up or not."""

    def __init__(self, directory):
        self.dir = directory
        self.conf = directory / "supervisord.conf"
        self.pid_file = directory / "supervisord.pid"
        self.socket = short_dir(directory) / "supervisord.sock"
        self.calls = xmlrpc.client.ServerProxy(
            "http://local", transport=_Transport(str(self.socket))
        )

    def pid(self):
        """Of the running supervisord, None when there is none."""
        try:
            return self.calls.supervisor.getPID()
        except (OSError, http.client.HTTPException):
            return None

    def configure(self, jobs):
        user = "user=root\n" if os.geteuid() == 0 else ""
        head = (
            f"[unix_http_server]\nfile={self.socket}\nchmod=0700\n\n"
            f"[supervisord]\n{user}directory=/\npidfile={self.pid_file}\n"
            f"logfile={self.dir}/log/supervisord.log\nlogfile_backups=1\n\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory="
            "supervisor.rpcinterface:make_main_rpcinterface\n\n"
        )
        text = head + "\n".join(job.section() for job in jobs)
        self.conf.touch(mode=0o600)
        self.conf.write_text(text, encoding="utf-8")

    def start(self):
        """Starts supervisord with its autostart jobs, or brings it up to date with a
        changed configuration: what is unchanged goes on running."""
        if self.pid() is None:
            env = {k: v for k, v in os.environ.items() if not k.startswith(("ONRUSH_", "MAKE"))}
            run([which("supervisord"), "-c", str(self.conf)], "supervisord did not start", env=env)
            wait_until(lambda: self.pid() is not None, 10, "supervisord")
            return
        added, changed, removed = self.calls.supervisor.reloadConfig()[0]
        for name in changed + removed:
            self.calls.supervisor.stopProcessGroup(name)
            self.calls.supervisor.removeProcessGroup(name)
        for name in added + changed:
            self.calls.supervisor.addProcessGroup(name)

    def processes(self):
        """name -> what supervisord knows of it: pid, statename, description, spawnerr."""
        return {info["name"]: info for info in self.calls.supervisor.getAllProcessInfo()}

    def start_job(self, name):
        try:
            self.calls.supervisor.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            raise Trouble(f"{name} could not be started: {fault.faultString}") from fault

    def stop_job(self, name):
        self.calls.supervisor.stopProcess(name, True)

    def shutdown(self, names):
        """Stops these, one after the other, and supervisord with the rest; False when it
        was not up. One by one, because supervisord's own shutdown takes a second each."""
        pid = self.pid()
        if pid is None:
            return False
        known = self.processes()
        for name in filter(lambda n: n in known, names):
            if known[name]["statename"] in UP:
                self.stop_job(name)
        self.calls.supervisor.shutdown()
        wait_until(lambda: has_ended(pid), 60, "The end of supervisord")
        return True
