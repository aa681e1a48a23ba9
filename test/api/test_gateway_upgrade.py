"""A new copy of the gateway in the place of the old one, and sockets that somebody else has
opened: docs/operations/gateway.md says what these tests prove."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from api.fake_service import FakeService, echo
from harness.client import Client
from onrush_local.host import wait_until, which

REPLACED = re.compile(r"process (\d+) has replaced process (\d+)")
HANDED = re.compile(r"(\d+) listening sockets of (\S+) were handed over")


class Load:
    """Clients that never rest, half of them with a connection for each request. What is not
    a 200 is a failure; a kept connection that was closed before any byte of an answer is
    opened again, as every client does, if an earlier answer came on it. So is a new one on
    which nothing was said for so long that a copy on its way out may have closed it."""

    PROMPT = 0.2  # seconds; such a copy waits 250 ms

    def __init__(self, port, clients=6):
        self.port = port
        self.answers = 0
        self.failures = []
        self.ended = threading.Event()
        self.threads = [
            threading.Thread(target=self._run, args=(i % 2 == 0,)) for i in range(clients)
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _run(self, keeps):
        connection, used = None, False
        while not self.ended.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                    used, quiet, began = False, 0, time.monotonic()
                    connection.connect()
                try:
                    connection.request("GET", "/api/v1/coupons/1")
                finally:
                    quiet = time.monotonic() - began
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.failures.append(response.status)
                self.answers += 1
                used = True
                if keeps and not response.will_close:
                    continue
            except (http.client.RemoteDisconnected, ConnectionError) as error:
                if not used and quiet < self.PROMPT:
                    self.failures.append(repr(error))
            except OSError as error:
                self.failures.append(repr(error))
            connection.close()
            connection = None


class Held:
    """A gateway with --hold, whose settings are in a file that a test may change."""

    def __init__(self, world, binary=None, **settings):
        self.world = world
        self.file = world.dir / "gateway.env"
        self.write(**settings)
        if binary is not None:
            world._binary = lambda name: binary
        world.start("gateway", options=("--hold", "--config", self.file), ONRUSH_PASSES="off")
        self.process = world["gateway"]

    def write(self, **settings):
        self.file.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))

    def said(self, pattern):
        return [m for r in self.world.logs("gateway") if (m := pattern.search(r["msg"]))]

    def copies(self):
        """Processes of the holder."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def copy(self):
        (pid,) = self.copies()
        return pid

    def upgrade(self):
        """Ends when the old copy has ended."""
        done = len(self.said(REPLACED))
        os.kill(self.process.pid, signal.SIGUSR2)
        wait_until(lambda: len(self.said(REPLACED)) == done + 1, 30, "a new copy")
        wait_until(lambda: len(self.copies()) == 1, 30, "the end of the old copy")


@pytest.fixture
def coupon(world):
    with FakeService(world.port("coupon")) as service:
        yield service


def test_no_request_is_lost_by_ten_upgrades_under_load(world, coupon):
    held = Held(world, ONRUSH_WORKERS=2)
    seen = {held.copy()}
    with Load(world.port("gateway")) as load:
        for workers in (2, 1, 4, 3, 1, 1, 5, 2, 2, 3):
            held.write(ONRUSH_WORKERS=workers)
            before = load.answers
            held.upgrade()
            seen.add(held.copy())
            wait_until(lambda n=before: load.answers > n + 50, 30, "answers")
    assert load.failures == []
    assert len(seen) == 11
    # Sockets become more with the workers, and never fewer: what waits in one is served.
    clients = f":{world.port('gateway')}"
    counts = [int(m[1]) for m in held.said(HANDED) if m[2].endswith(clients)]
    assert counts == [2, 2, 2, 4, 4, 4, 4, 5, 5, 5]


def test_requests_under_way_are_answered_by_the_copy_that_took_them(world):
    asked, may_answer = threading.Event(), threading.Event()

    def slow(request):
        asked.set()
        assert may_answer.wait(30)
        return echo(request)

    with FakeService(world.port("coupon"), slow):
        held = Held(world, ONRUSH_WORKERS=1)
        old = held.copy()
        with ExitStack() as stack:
            connection, idle = (
                http.client.HTTPConnection("127.0.0.1", world.port("gateway"), timeout=30)
                for _ in range(2)
            )
            stack.callback(connection.close)
            stack.callback(idle.close)
            idle.request("GET", "/healthz")
            assert idle.getresponse().read()
            connection.request("POST", "/api/v1/coupons")
            assert asked.wait(10)
            os.kill(held.process.pid, signal.SIGUSR2)
            wait_until(lambda: held.said(REPLACED), 30, "a new copy")
            # The old copy drains now; before, new connections may still be its own.
            assert idle.sock.recv(1) == b""
            assert world.client("gateway").get("/readyz").status == 200
            assert old in held.copies()
            may_answer.set()
            response = connection.getresponse()
            assert (response.status, response.getheader("connection")) == (200, "close")
    wait_until(lambda: old not in held.copies(), 30, "the end of the old copy")


def test_a_copy_that_cannot_start_changes_nothing(world, coupon):
    held = Held(world, ONRUSH_WORKERS=1)
    old = held.copy()
    world.expect_error(r"ended with status 1 before it was ready; the old one goes on")
    world.expect_error(r"^ONRUSH_WORKERS=many: must be a whole number")
    held.write(ONRUSH_WORKERS="many")
    with Load(world.port("gateway"), 2) as load:
        os.kill(held.process.pid, signal.SIGUSR2)
        refused = re.compile(r"ended with status 1 before it was ready")
        wait_until(lambda: held.said(refused), 30, "the refusal")
        before = load.answers
        wait_until(lambda: load.answers > before + 50, 30, "answers")
        assert held.copy() == old
        held.write(ONRUSH_WORKERS=2)
        held.upgrade()
        assert held.copy() != old
    assert load.failures == []


def test_what_stands_at_the_path_is_started(world, coupon):
    """An upgrade as a package or a deployment does it: another file in the same place."""
    binary = world.dir / "onrush-gateway"
    shutil.copy(world.engines.bin / "onrush-gateway", binary)
    held = Held(world, binary)
    old = os.stat(f"/proc/{held.copy()}/exe").st_ino
    new = world.dir / "new"
    shutil.copy(binary, new)
    new.rename(binary)
    held.upgrade()
    assert os.stat(f"/proc/{held.copy()}/exe").st_ino == binary.stat().st_ino != old


def test_another_address_is_listened_on_after_an_upgrade(world, coupon):
    """The old address is let go of: nobody can connect to it any more."""
    old, new = world.port("gateway"), world.port("another")
    held = Held(world)
    # The environment wins over the file; so that the file can say it, it stands there only.
    world.stop("gateway")
    settings = world.settings

    def without_listen(name):
        return {k: v for k, v in settings(name).items() if k != "ONRUSH_LISTEN"}

    world.settings = without_listen
    held = Held(world, ONRUSH_LISTEN=f"127.0.0.1:{old}")
    held.write(ONRUSH_LISTEN=f"127.0.0.1:{new}")
    held.upgrade()
    assert Client(new).get("/readyz").status == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old), 5)


def test_signals_and_status_pass_through_the_holder(world, coupon):
    held = Held(world)
    os.kill(held.process.pid, signal.SIGHUP)
    wait_until(lambda: held.said(re.compile("^new routes")), 10, "the reload")
    world.stop("gateway")  # with status 0
    world.start("gateway", options=("--hold",), ONRUSH_PASSES="off")
    held.process.ended_by_test = True
    os.kill(held.copy(), signal.SIGKILL)
    assert held.process.popen.wait(10) == 128 + signal.SIGKILL


def test_no_copy_outlives_its_holder(world, coupon):
    held = Held(world)
    pid = held.copy()
    world.kill("gateway")
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 10, "the end of the copy")


def test_without_a_holder_the_signal_does_nothing(world, coupon):
    process = world.start("gateway", ONRUSH_PASSES="off")
    os.kill(process.pid, signal.SIGUSR2)
    assert world.client("gateway").get("/api/v1/coupons/1").status == 200
    assert process.alive()


# --- service managers -------------------------------------------------------------------


@contextmanager
def notify_socket():
    """NOTIFY_SOCKET, and the socket that it names."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind("")  # the kernel gives it an abstract name
        s.settimeout(30)
        yield "@" + s.getsockname()[1:].decode(), s


@pytest.mark.parametrize("options", [(), ("--hold",)])
def test_sockets_of_systemd_are_used_and_readiness_is_told(world, coupon, options):
    """As with a .socket unit and Type=notify."""
    env = world.settings("gateway") | {"PATH": os.environ["PATH"], "ONRUSH_PASSES": "off"}
    binary = str(world.engines.bin / "onrush-gateway")
    log = world.dir / "activated.log"
    with socket.create_server(("127.0.0.1", world.port("gateway")), backlog=64) as listener:
        waiting = socket.create_connection(("127.0.0.1", world.port("gateway")))
        with notify_socket() as (path, manager), open(log, "wb") as output:
            # The shell becomes the program, with the socket in its place.
            shell = 'exec 3<&"$1"; shift; LISTEN_PID=$$ exec "$@"'
            program = subprocess.Popen(
                ["/bin/bash", "-c", shell, "sh", str(listener.fileno()), binary, *options],
                env=env
                | {
                    "LISTEN_FDS": "1",
                    "NOTIFY_SOCKET": path,
                    "ONRUSH_WORKERS": "2",
                    "ASAN_OPTIONS": "exitcode=99",
                },
                pass_fds=[listener.fileno()],
                stderr=output,
            )
            try:
                told = [manager.recv(512)]
                while told[-1] != b"READY=1":
                    told.append(manager.recv(512))
                # A connection that waited before the program was there is answered too.
                waiting.sendall(b"GET /api/v1/coupons/1 HTTP/1.1\r\nHost: x\r\n\r\n")
                assert waiting.recv(4096).startswith(b"HTTP/1.1 200")
                program.send_signal(signal.SIGTERM)
                while told[-1] != b"STOPPING=1":
                    told.append(manager.recv(512))
                assert program.wait(30) == 0, log.read_text()
            finally:
                waiting.close()
                program.kill()
                program.wait()
    assert HANDED.search(log.read_text())[1] == "1"


def test_supervisord_sees_one_process_for_ever(world, coupon):
    """`supervisorctl signal USR2` is the upgrade; the pid that it knows stays."""
    control = [which("supervisorctl"), "-c", str(world.dir / "s.conf")]
    env = world.settings("gateway") | {"ONRUSH_PASSES": "off"}
    said = ",".join(f'{k}="{v}"' for k, v in env.items())
    (world.dir / "s.conf").write_text(
        f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
        f"pidfile={world.dir}/s.pid\n"
        f"[unix_http_server]\nfile={world.dir}/s.sock\n"
        f"[supervisorctl]\nserverurl=unix://{world.dir}/s.sock\n"
        f"[rpcinterface:supervisor]\n"
        f"supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        f"[program:gateway]\ncommand={world.engines.bin}/onrush-gateway --hold\n"
        f"environment={said}\nredirect_stderr=true\n"
        f"stdout_logfile={world.dir}/gateway.log\n"
    )

    def ask(*words):
        done = subprocess.run(control + list(words), capture_output=True, text=True, check=False)
        return done.stdout

    client = Client(world.port("gateway"))
    log = world.dir / "gateway.log"
    with open(world.dir / "s.log", "wb") as output:
        daemon = subprocess.Popen(
            [which("supervisord"), "-c", str(world.dir / "s.conf")], stdout=output, stderr=output
        )
    try:
        wait_until(lambda: "RUNNING" in ask("status", "gateway"), 30, "supervisord")
        wait_until(lambda: "started: version" in log.read_text(), 30, "the gateway")
        pid = ask("pid", "gateway").strip()
        ask("signal", "USR2", "gateway")
        wait_until(lambda: REPLACED.search(log.read_text()), 30, "a new copy")
        assert client.get("/api/v1/coupons/1").status == 200
        assert ask("pid", "gateway").strip() == pid
        assert "RUNNING" in ask("status", "gateway")
    finally:
        daemon.terminate()
        assert daemon.wait(30) == 0
