"""What else a gateway must bear: connections that say nothing, readers that take their
time, clients that attack, and more than there is room for.
"""

import json
import os
import socket
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from contenders import LARGE_PATH, PATH
from onrush_local.host import Trouble
from report import Asked, table

ROOT = Path(__file__).resolve().parents[3]
LOAD = ROOT / os.environ.get("B", "build/release") / "bin/onrush-bench"
NAMES = ("onrush", "nginx", "haproxy")
REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def _connect(port, receive_buffer=None):
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.settimeout(5)
    s.connect(("127.0.0.1", port))
    return s


def _steady(port, rate, seconds, connections):
    """What clients see who ask at this rate, whatever the answers do."""
    argv = [LOAD, "--method", "GET", "--path", PATH, "--connections", connections]
    argv += ["--rate", rate, "--warmup", 1, "--seconds", seconds, f"127.0.0.1:{port}"]
    done = subprocess.run(
        list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    return json.loads(done.stdout)


class Idle:
    """What connections cost that have asked once and are kept."""

    COUNT = 10_000
    LIMIT = 40  # MB

    def __init__(self, rig):
        self.rig = rig
        self.results = {}  # name -> (connections, bytes before, bytes with them)

    def run(self):
        with self.rig.backend():
            for name in NAMES:
                with self.rig.start(name) as contender, ExitStack() as open_ones:
                    count = min(self.COUNT, contender.room)
                    before = contender.pss()
                    for _ in range(count):
                        s = open_ones.enter_context(_connect(contender.port))
                        s.sendall(REQUEST)
                        if not s.recv(1024).startswith(b"HTTP/1.1 200"):
                            raise Trouble(f"{name} did not answer on an idle connection.")
                    self.results[name] = count, before, contender.pss()

    def text(self):
        return table(
            ["idle connections", "connections", "PSS MB before", "with them"],
            [
                [name, f"{count:,}", f"{before / 1e6:.1f}", f"{after / 1e6:.1f}"]
                for name, (count, before, after) in self.results.items()
            ],
        )

    def asked(self):
        count, _, after = self.results["onrush"]
        what = f"{count:,} idle connections, all of the gateway"
        return [Asked.at_most(what, self.LIMIT, after / 1e6, "MB")]

    def numbers(self):
        return self.results


class SlowReaders:
    """What an answer of 50 MB costs while eight clients take it slowly."""

    READERS = 8
    SECONDS = 3
    LIMIT = 2  # MB

    def __init__(self, rig):
        self.rig = rig
        self.results = {}  # name -> (status line, bytes before, at most, MB read)

    def run(self):
        with self.rig.large_backend():
            for name in NAMES:
                with self.rig.start(name) as contender, ExitStack() as readers:
                    self.results[name] = self._read(contender, readers)

    def _read(self, contender, stack):
        with _connect(contender.port) as s:  # what the first request costs is not the readers'
            s.sendall(REQUEST)
            s.recv(1024)
            before = most = contender.pss()
        readers = [
            stack.enter_context(_connect(contender.port, 65536)) for _ in range(self.READERS)
        ]
        for s in readers:
            s.sendall(f"GET {LARGE_PATH} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        status, taken = b"", 0
        end = time.monotonic() + self.SECONDS
        while time.monotonic() < end and (piece := readers[0].recv(16384)):
            status = status or piece.split(b"\r\n", 1)[0]
            taken += len(piece) + sum(len(s.recv(16384)) for s in readers[1:])
            most = max(most, contender.pss())
            time.sleep(0.01)
            if not status.startswith(b"HTTP/1.1 200"):
                break
        return status.decode(), before, most, taken / 1e6

    def text(self):
        return table(
            ["slow readers of 50 MB", "answer", "PSS MB before", "at most", "MB read"],
            [
                [name, status, f"{before / 1e6:.1f}", f"{most / 1e6:.1f}", f"{taken:.0f}"]
                for name, (status, before, most, taken) in self.results.items()
            ],
        )

    def asked(self):
        status, before, most, _ = self.results["onrush"]
        what = f"{self.READERS} slow readers of 50 MB"
        if not status.startswith("HTTP/1.1 200"):
            return [Asked(f"{what} ({status})", f"< {self.LIMIT} MB", 0, "MB", False)]
        return [Asked.at_most(what, self.LIMIT, (most - before) / 1e6, "MB")]

    def numbers(self):
        return self.results


class _Attackers:
    """Sockets that say one byte now and then of heads and bodies that never end, and come
    back when they are cut."""

    COUNT = 2000
    PAUSE = 0.5  # seconds between two bytes of one socket
    STEPS = 500  # in a pause: all at once they would stop the load, which has the same cores
    BEGINNINGS = (
        b"GET / HTTP/1.1\r\nHost: bench\r\nX-Slow: ",
        b"POST /api/v1/orders HTTP/1.1\r\nHost: bench\r\nContent-Length: 60000\r\n\r\n",
    )

    def __init__(self, port):
        self.port = port
        self.ending = threading.Event()
        self.cut = 0
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        self.ready.wait()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()

    def _open(self, number):
        s = _connect(self.port)
        s.sendall(self.BEGINNINGS[number % len(self.BEGINNINGS)])
        s.setblocking(False)
        return s

    def _run(self):
        sockets = [self._open(number) for number in range(self.COUNT)]
        self.ready.set()
        step, due = 0, time.monotonic()
        while not self.ending.is_set():
            for number in range(step, self.COUNT, self.STEPS):
                self._say(sockets, number)
            step = (step + 1) % self.STEPS
            due += self.PAUSE / self.STEPS
            self.ending.wait(max(0, due - time.monotonic()))
        for s in sockets:
            s.close()

    def _say(self, sockets, number):
        try:
            sockets[number].send(b"x")
        except OSError:
            sockets[number].close()
            self.cut += 1
            sockets[number] = self._open(number)


class Attack:
    """What good clients notice of slow ones: without and with them by turns."""

    RATE, SECONDS, CONNECTIONS, TURNS = 2000, 2, 50, 7
    LIMIT = 1.5  # times the p99 without

    def __init__(self, rig):
        self.rig = rig
        self.results = {}  # name -> (p99 ms without, with, their ratio, attackers cut, errors)

    def run(self):
        with self.rig.backend():
            for name in NAMES:
                with self.rig.start(name) as contender:
                    self.results[name] = self._turns(contender.port)

    def _turns(self, port):
        without, under, cut, errors = [], [], 0, 0
        for _ in range(self.TURNS):
            said = _steady(port, self.RATE, self.SECONDS, self.CONNECTIONS)
            without.append(said["p99_us"] / 1e3)
            with _Attackers(port) as attackers:
                said = _steady(port, self.RATE, self.SECONDS, self.CONNECTIONS)
            under.append(said["p99_us"] / 1e3)
            cut += attackers.cut
            errors += said["errors"]
        times = median(b / a for a, b in zip(without, under, strict=True))
        return median(without), median(under), times, cut, errors

    def text(self):
        head = [f"{_Attackers.COUNT:,} slow attackers", "good clients' p99 ms without", "with"]
        return table(
            [*head, "times, turn by turn", "attackers cut", "good clients' errors"],
            [
                [name, f"{without:.2f}", f"{under:.2f}", f"{times:.2f}", f"{cut:,}", errors]
                for name, (without, under, times, cut, errors) in self.results.items()
            ],
        )

    def asked(self):
        what = "good clients' p99 under attack to that without"
        return [Asked.at_most(what, self.LIMIT, self.results["onrush"][2], "times")]

    def numbers(self):
        return self.results


class Overload:
    """Three times as many requests as the service behind can answer. The queue in front of
    it holds half as many as are under way, as one sets it who would rather refuse than wait.
    """

    CONNECTIONS = 16  # to a service that answers after DELAY_MS
    QUEUE = 8
    DELAY_MS = 20
    CAPACITY = CONNECTIONS * 1000 // DELAY_MS  # requests per second
    SECONDS = 6
    GROWTH = 2  # MB

    def __init__(self, rig):
        self.rig = rig

    def run(self):
        settings = {
            "ONRUSH_UPSTREAM_CONNS": str(self.CONNECTIONS),
            "ONRUSH_UPSTREAM_QUEUE": str(self.QUEUE),
        }
        with (
            self.rig.slow_backend(self.DELAY_MS),
            self.rig.start("onrush", **settings) as gateway,
        ):
            self.unloaded = _steady(gateway.port, self.CAPACITY // 10, self.SECONDS, 500)
            before = gateway.pss()
            self.loaded = _steady(gateway.port, 3 * self.CAPACITY, self.SECONDS, 500)
            self.grown = gateway.pss() - before

    def text(self):
        rows = []
        for name, said in (("a tenth", self.unloaded), ("three times", self.loaded)):
            answered, refused = (said["statuses"].get(code, 0) for code in ("200", "503"))
            times = (f"{said[key] / 1e3:.2f}" for key in ("p99_us", "refused_p99_us"))
            rows.append([f"{name} of {self.CAPACITY:,}/s", answered, refused, *times])
        head = ["overload", "answered", "refused", "answered p99 ms", "refused p99 ms"]
        return table(head, rows)

    def asked(self):
        twice = 2 * self.unloaded["p99_us"] / 1e3
        return [
            Asked.at_most("overload: p99 of those admitted", twice, self._loaded("p99_us"), "ms"),
            Asked.at_most("overload: p99 of refusals", 10, self._loaded("refused_p99_us"), "ms"),
            Asked.at_most("overload: growth", self.GROWTH, self.grown / 1e6, "MB"),
        ]

    def _loaded(self, key):
        return self.loaded[key] / 1e3

    def numbers(self):
        return {"unloaded": self.unloaded, "loaded": self.loaded, "grown": self.grown}
