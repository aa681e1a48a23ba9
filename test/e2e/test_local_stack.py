"""`make run` and its like, on ports and in a directory of the test's own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from api.lines import until
from harness.client import Client
from harness.engines import ROOT, Ports
from onrush_local.host import wait_until
from onrush_local.postgres import Postgres
from onrush_local.supervisor import Supervisor

STACK = ROOT / "deploy/local/stack"
CONSUMERS = ("coupon-publisher", "payment-worker")
SINGLE = ("coupon", "order", "reservation", "queue", "keeper", "gateway")
NAMES = (*SINGLE, *CONSUMERS, "pg", "redis", "kafka", "kafka-controller")
COPIES = (*(f"{name}-{i}" for name in CONSUMERS for i in range(3)), *SINGLE)


class Local:
    """One local stack and its commands."""

    def __init__(self, directory, binaries):
        self.dir = directory / "run"
        self.bin = directory / "bin"
        shutil.copytree(binaries, self.bin)
        ports = Ports()
        self.port = {name: ports.take(3) for name in NAMES}
        self.supervisor = Supervisor(self.dir)

    def call(self, command, *words, status=0, **env):
        ports = {f"ONRUSH_PORT_{n.upper().replace('-', '_')}": str(p) for n, p in self.port.items()}
        done = subprocess.run(
            [sys.executable, STACK, command, "--dir", self.dir, "--bin", self.bin, *words],
            env={k: v for k, v in os.environ.items() if not k.startswith("ONRUSH_")} | ports | env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def pids(self):
        return {name: info["pid"] for name, info in self.supervisor.processes().items()}

    def logs(self):
        """What the programs wrote, for a failed assertion."""
        paths = sorted((self.dir / "log").glob("[cg]*.log"))
        return "\n".join(f"{p.name}:\n{p.read_text(encoding='utf-8')}" for p in paths)

    def replace_binary(self, name):
        """As a build does: another file of the same name."""
        path = self.bin / name
        shutil.copy2(path, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)


@pytest.fixture
def local(binaries):
    """Not under pytest's directory, which the user postgres may not enter."""
    directory = Path(tempfile.mkdtemp(prefix="onrush-test-"))
    directory.chmod(0o711)
    stack = Local(directory, binaries)
    yield stack
    stack.call("stop")
    shutil.rmtree(directory)


def test_the_life_of_a_stack(local):
    assert "Nothing is running" in local.call("status", status=1)
    text = local.call("run")
    url = f"http://127.0.0.1:{local.port['gateway']}"
    assert f"Onrush is up at {url}" in text
    gateway = Client(local.port["gateway"])
    answer = gateway.post("/api/v1/coupons", {"userId": 7, "couponId": 1})
    assert (answer.status, answer.data.get("rank")) == (200, 1), local.logs()

    before = local.pids()
    assert set(before) == {*COPIES, "postgres", "redis", "kafka"}
    local.call("run")
    assert local.pids() == before, "what runs and is up to date is left alone"

    local.replace_binary("onrush-coupon")
    local.call("run")
    after = local.pids()
    assert {n for n in before if before[n] != after[n]} == {"coupon"}

    os.kill(after["coupon"], signal.SIGKILL)
    wait_until(lambda: local.pids()["coupon"] not in (0, after["coupon"]), 20, "A new coupon")
    coupon = Client(local.port["coupon"])
    wait_until(lambda: is_ready(coupon), 20, "The new coupon")
    again = gateway.post("/api/v1/coupons", {"userId": 7, "couponId": 1})
    assert (again.status, again.error) == (409, "COUPON_ALREADY_ISSUED")

    assert "coupon-publisher-2" in local.call("status")
    settings = local.dir / "onrush.env"
    assert settings.stat().st_mode & 0o077 == 0, "it holds secrets"
    assert local.call("stop") == "Stopped.\n"
    assert not any(Path(f"/proc/{pid}").exists() for pid in after.values())


NOTHING_DONE = '"error":"DEPENDENCY_UNAVAILABLE"'
# What the README's walks are to show, command by command; "" is a command that shows nothing.
WALKS = {
    "Buy something with a coupon": (
        '"rank":',
        '"amount":1010000',
        '"price":1000,"stock":1000',
        "",
        "",
        '"status":"COMPLETED","amount":2000,"discount":600,"totalAmount":1400',
        '"amount":1008600',
        '"status":"USED"',
        '"status":"CANCELLED"',
        '"amount":1010000',
        '"status":"ISSUED"',
        '"stock":1000',
    ),
    "Buy a seat": (
        "",
        "",
        '"status":"ACTIVE"',
        '{"id":100,',
        '{"id":6,"concertId":3,',
        '{"seatId":401,"seatNo":1,"price":10000}',
        "",
        "",
        '"status":"HELD"',
        '"status":"PENDING"',
        '"status":"OWNED"',
        '"amount":990000',
        "",
        "",
        '"status":"ACTIVE"',
        '"seats":[{"seatId":402,',
        '"error":"SEAT_TAKEN"',
    ),
}


def walk_of_readme(title):
    """Its commands, one a line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.partition(title)[2].split("```")[1]
    return block.strip().splitlines()


def test_the_walks_of_the_readme_work_as_typed(local):
    local.call("run")
    for title, walk in WALKS.items():
        take_walk(local, walk_of_readme(title), walk)


def take_walk(local, typed, walk):
    assert len(typed) == len(walk)
    variables = ["set -e"]
    for command, shown in zip(typed, walk, strict=True):
        there = f"127.0.0.1:{local.port['gateway']}"
        take_step(local, [*variables, command.replace("localhost:8080", there)], shown)
        if re.match(r"\w+=", command):
            variables.append(command)


def take_step(local, script, shown):
    """The last command of the script; the others make its variables."""
    if " -d " in script[-1]:  # once; but again when a busy machine did nothing
        answer = until(lambda: NOTHING_DONE not in (text := said(local, script)) and text)
        assert shown in answer, script[-1]
    else:  # a person is slower than a payment or a gateway that is told, this is not
        wait_until(lambda: shown in said(local, script), 10, script[-1])


def said(local, script):
    """What its last command shows, or writes into a file."""
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=local.dir, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{script[-1]}: {done.stderr}"
    file = re.search(r"> (\w+\.json)", script[-1])
    return (local.dir / file[1]).read_text(encoding="utf-8") if file else done.stdout


def is_ready(client):
    try:
        return client.get("/readyz").status == 200
    except OSError:
        return False


def test_a_taken_port_is_named_with_its_holder(local):
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", local.port["coupon"]))
        holder.listen()
        text = local.call("run", status=1)
    assert f"Port {local.port['coupon']}, meant for coupon, is taken by pid {os.getpid()}" in text
    assert "ONRUSH_PORT_COUPON" in text
    assert "Nothing was running" in local.call("stop")


def test_bad_ports_are_refused(local):
    assert "must be 1 to 65535" in local.call("run", status=1, ONRUSH_PORT_GATEWAY="many")
    both = str(local.port["coupon"])
    assert "cannot both have port" in local.call("run", status=1, ONRUSH_PORT_GATEWAY=both)


def test_servers_of_ones_own_are_used(local, world):
    """Named in the environment, they take the place of the embedded ones."""
    systems = world.systems()
    names = ("ONRUSH_PG_DSN", "ONRUSH_REDIS_URL", "ONRUSH_KAFKA_BROKERS", "ONRUSH_TOPIC_PREFIX")
    local.call("run", **{name: systems[name] for name in names})
    assert set(local.pids()) == set(COPIES)
    answer = Client(local.port["gateway"]).post("/api/v1/coupons", {"userId": 7, "couponId": 1})
    assert answer.status == 200, local.logs()
    assert world.sql("select user_id, rank from coupon.issued") == [(7, 1)]


@pytest.fixture
def distant():
    """A PostgreSQL whose data is not in its directory."""
    directory = Path(tempfile.mkdtemp(prefix="onrush-test-"))
    server = Postgres(directory / ("far" * 40), Ports().take())
    assert server.home != server.dir
    yield server
    server.stop()
    shutil.rmtree(server.home)
    shutil.rmtree(directory)


def test_data_elsewhere_goes_with_the_directory(distant):
    distant.start().sql("CREATE TABLE kept ()")
    distant.stop()
    assert distant.start().sql("SELECT 'kept'::regclass") == "kept\n"
    distant.stop()
    shutil.rmtree(distant.dir)
    assert distant.start().sql("SELECT to_regclass('kept') IS NULL") == "t\n"
