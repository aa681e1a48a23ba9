"""A private server: own directory, own port, loopback only, run in the foreground.

    engine = Redis(directory, port)
    engine.prepare()     what must exist before it starts; again is harmless
    engine.argv()        the command that runs it in the foreground, for any supervisor
    engine.start()       or: runs it as our child, which dies with us, and waits
    engine.stop(), kill(), pause(), resume()

The local stack runs argv() under supervisord; tests and benches use start(). Servers
that are already on this machine are never touched.
"""

import os
import signal
import subprocess
from pathlib import Path

from .host import Trouble, family, guarded, wait_until

# Configuration files that engines are made from lie beside this package.
FILES = Path(__file__).resolve().parent.parent
ROOT = FILES.parent.parent


class Engine:
    """What the three have in common. Subclasses say how to prepare, run and ask it."""

    name = ""
    stop_signal = signal.SIGTERM
    user = None  # whom it runs as when we are root; None: as we are

    def __init__(self, directory, port):
        self.dir = Path(directory).resolve()
        self.home = self.dir  # where its data is
        self.port = port
        self.log = self.dir / f"{self.name}.log"
        self.process = None

    def prepare(self):
        self.dir.mkdir(parents=True, exist_ok=True)

    def command(self):
        """The server itself, in the foreground."""
        raise NotImplementedError

    def argv(self):
        """The command, guarded: the server ends when whoever started it is gone."""
        return guarded(self.command(), self.stop_signal.name.removeprefix("SIG"), self.user)

    def ready(self):
        raise NotImplementedError

    def start(self, seconds=60):
        self.prepare()
        self.launch()
        self.wait(seconds)
        return self

    def launch(self):
        """Runs it as a child that dies with us; does not wait until it is ready."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )

    def wait(self, seconds=60, alive=None):
        """Until it answers; Trouble with the end of its log when it does not."""
        what = f"{self.name} on port {self.port}"
        try:
            wait_until(self.ready, seconds, what, alive or self.alive)
        except Trouble as trouble:
            raise Trouble(f"{trouble} Its log {self.log} ends with:\n{self.log_tail()}") from None

    def alive(self):
        return self.process is None or self.process.poll() is None

    def log_tail(self, lines=8):
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "    (nothing)"
        return "\n".join("    " + line for line in text.splitlines()[-lines:])

    def stop(self, seconds=30):
        self._end(self.stop_signal, seconds)

    def kill(self):
        self._end(signal.SIGKILL, 30)

    def pause(self):
        """Freezes the server and its children: connections stay open, nothing answers."""
        for pid in family(self.process.pid):
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in family(self.process.pid):
            os.kill(pid, signal.SIGCONT)

    def _end(self, how, seconds):
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
