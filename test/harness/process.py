"""One program under test: started, waited for, ended, and its log judged."""

import json
import os
import re
import signal
import subprocess

from onrush_local.host import Trouble, guarded, wait_until

from .client import Client

# What a sanitizer or a failed assertion writes; no test may expect these.
FATAL = re.compile(r"Sanitizer|runtime error:|assertion failed", re.IGNORECASE)


class Process:
    """A running copy of a program; start() again after an end keeps port and log."""

    def __init__(self, name, binary, port, directory, admin_port=None):
        self.name = name
        self.binary = binary
        self.port = port
        self.log = directory / f"{name}.log"
        self.client = Client(port, metrics_port=admin_port)
        self.popen = None
        self.ended_by_test = False

    def start(self, settings, options=()):
        env = {"PATH": os.environ["PATH"], **settings}
        env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0:exitcode=99"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1"
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                guarded([str(self.binary), *map(str, options)], "KILL"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd="/",
            )
        self.ended_by_test = False

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def ready(self):
        try:
            return self.client.get("/readyz").status == 200
        except OSError:
            return False

    def wait(self, seconds=30):
        try:
            wait_until(self.ready, seconds, self.name, self.alive)
        except Trouble as trouble:
            raise AssertionError(f"{trouble} Its log:\n{self.tail()}") from None

    def stop(self, seconds=20):
        """As an operator does; the exit status must be 0."""
        self.end(signal.SIGTERM, seconds)
        assert self.popen.returncode == 0, (
            f"{self.name} ended with {self.popen.returncode} after SIGTERM:\n{self.tail()}"
        )

    def kill(self):
        self.end(signal.SIGKILL, 10)

    def end(self, how, seconds):
        self.ended_by_test = True
        self.popen.send_signal(how)
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(
                f"{self.name} did not end within {seconds} s:\n{self.tail()}"
            ) from None

    def lines(self):
        """The log so far, line by line."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def whole_lines(self):
        """Without one that is being written, which has no end yet."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return text.rpartition("\n")[0].split("\n")

    def records(self):
        """The log's JSON lines as dicts."""
        return [json.loads(line) for line in self.whole_lines() if line.startswith("{")]

    def tail(self, count=40):
        return "\n".join(f"    {line}" for line in self.lines()[-count:])

    def complaints(self, expected):
        """What is wrong with this process and its log. `expected` are patterns of error
        lines that the test provokes."""
        wrong, alive = [], self.popen is not None and self.alive()
        if self.popen is not None and not alive and not self.ended_by_test:
            wrong.append(f"{self.name} died by itself (status {self.popen.returncode})")
        for line in filter(None, self.whole_lines() if alive else self.lines()):
            if FATAL.search(line) or not _is_expected(line, expected):
                wrong.append(f"{self.name} wrote: {line}")
        return wrong


def _is_expected(line, expected):
    """A JSON line below level error, or one that the test said would come."""
    try:
        if json.loads(line)["level"] != "error":
            return True
    except (ValueError, KeyError, TypeError):
        pass
    return any(re.search(pattern, line) for pattern in expected)
