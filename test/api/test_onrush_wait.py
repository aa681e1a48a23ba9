"""onrush wait, probe and status: what is there, what is not, and why."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from api.coupons import PROGRAMS, campaign
from harness.engines import ROOT


@pytest.fixture
def shop(world):
    world.start(*PROGRAMS, "gateway")
    return world


def targets(world):
    return ",".join(f"{name}=127.0.0.1:{world.port(name)}" for name in (*PROGRAMS, "gateway"))


def test_all_ready(shop):
    done = shop.onrush("wait", ONRUSH_WAIT=targets(shop))
    assert done.stdout.startswith("6 ready after ")
    assert shop.onrush("wait", "postgres", "redis,kafka").stdout.startswith("3 ready")


def test_returns_when_the_last_one_is_ready(shop):
    shop.stop("coupon")
    waited = []

    def wait():
        began = time.monotonic()
        shop.onrush("wait", "--timeout", 30, ONRUSH_WAIT=targets(shop))
        waited.append(time.monotonic() - began)

    thread = threading.Thread(target=wait)
    thread.start()
    shop.start("coupon")
    thread.join()
    assert waited[0] < 20


def test_says_what_is_missing(shop):
    shop.stop("coupon")
    done = shop.onrush(
        "wait",
        "--timeout",
        3,  # enough to find all the others
        check=False,
        ONRUSH_WAIT=targets(shop),
        ONRUSH_REDIS_URL="redis://127.0.0.1:1",
    )
    assert (done.returncode, done.stdout) == (3, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 2, lines
    assert any("redis is not ready" in line for line in lines)
    assert any(
        f"coupon at 127.0.0.1:{shop.port('coupon')} is not ready: " in line for line in lines
    )


def test_engines_that_are_away(world):
    away = {
        "postgres": {"ONRUSH_PG_DSN": "host=127.0.0.1 port=1"},
        "redis": {"ONRUSH_REDIS_URL": "redis://127.0.0.1:1"},
        "kafka": {"ONRUSH_KAFKA_BROKERS": "127.0.0.1:1"},
    }

    def wait(name):
        return world.onrush("wait", name, "--timeout", 1, check=False, **away[name])

    with ThreadPoolExecutor(len(away)) as pool:
        for name, done in zip(away, pool.map(wait, away), strict=True):
            assert done.returncode == 3
            assert f"{name} is not ready: " in done.stderr


@pytest.mark.parametrize("target", ["frob", "=h:1", "a=b", "a=", "1"])
def test_a_target_that_is_none(module_world, target):
    done = module_world.onrush("wait", target, check=False)
    assert done.returncode == 2
    assert target in done.stderr


def test_probe(shop):
    port = shop.port("coupon")
    assert shop.onrush("probe", f"127.0.0.1:{port}").stdout == "ready\n"
    for listen in (f"127.0.0.1:{port}", f"0.0.0.0:{port}", f"[::]:{port}"):
        shop.onrush("probe", "--local", ONRUSH_LISTEN=listen)
    shop.stop("coupon")
    assert shop.onrush("probe", f"127.0.0.1:{port}", check=False).returncode == 3
    for arguments in ([], ["--local"], ["--local", "127.0.0.1:1"]):
        assert shop.onrush("probe", *arguments, check=False).returncode == 2


def test_probe_of_one_that_is_not_ready(shop):
    """What it says is what the probe says."""
    shop.start("coupon-publisher-1", wait=False, ONRUSH_KAFKA_BROKERS="127.0.0.1:1")
    shop.expect_error(".*")
    address = f"127.0.0.1:{shop.port('coupon-publisher-1')}"
    end = time.monotonic() + 30
    while (done := shop.onrush("probe", address, check=False)).returncode == 3:
        assert time.monotonic() < end
    assert done.returncode == 1
    assert "not ready" in done.stderr


@pytest.mark.parametrize(
    ("answer", "status", "sentence"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0, "ready"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 0, "ready"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", 0, "ready"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, "ready"),
        (b'HTTP/1.1 503 x\r\nContent-Length: 24\r\n\r\n{"message":"Not\\u001b!"}', 1, "Not?!"),
        (b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n", 1, "it answered 503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", 3, "ended too early"),
        (b"+PONG\r\n", 3, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 3, "not HTTP"),
        (b"", 3, "closed before an answer"),
        (None, 3, "no answer"),
    ],
)
def test_probe_of_all_kinds_of_answers(module_world, answer, status, sentence):
    """None: it never says anything; then the probe ends by itself."""
    port = module_world.engines.ports.take()
    with socket.create_server(("127.0.0.1", port)) as server:
        thread = threading.Thread(target=answer_once, args=(server, answer))
        thread.start()
        done = module_world.onrush("probe", f"127.0.0.1:{port}", check=False)
        thread.join()
    assert done.returncode == status
    assert sentence in done.stdout + done.stderr


def answer_once(server, answer):
    connection, _ = server.accept()
    with connection:
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            more = connection.recv(4096)
            assert more
            asked += more
        if answer is None:
            assert connection.recv(1) == b""  # until the other side gives up
        else:
            connection.sendall(answer)


def test_status(shop):
    campaign(shop, 7, 5, perUserLimit=2)
    done = shop.onrush("status", "-o", "json", ONRUSH_WAIT=targets(shop))
    report = json.loads(done.stdout)
    assert [s["name"] for s in report["systems"]] == [
        "postgres", "redis", "kafka", *PROGRAMS, "gateway",
    ]  # fmt: skip
    assert all(s["ready"] for s in report["systems"])
    (only,) = report["campaigns"]
    assert (only["couponId"], only["remaining"], only["perUserLimit"]) == (7, 5, 2)
    mine = [c for c in report["consumers"] if c["group"] == shop.prefix + "COUPON"]
    assert [c["partition"] for c in mine] == [0, 1, 2]
    assert {d["topic"]: d["records"] for d in report["deadLetters"]} == {
        shop.prefix + "COUPON_PUBLISH_REQUESTED": 0,
        shop.prefix + "PAYMENT_REQUESTED": 0,
    }
    text = shop.onrush("status", ONRUSH_WAIT=targets(shop)).stdout
    for heading in ("SYSTEM", "Campaigns", "Consumers", "Dead letters"):
        assert heading in text


def test_status_with_half_of_it_down(shop):
    shop.stop("coupon")
    done = shop.onrush(
        "status", check=False, ONRUSH_WAIT=targets(shop), ONRUSH_KAFKA_BROKERS="127.0.0.1:1"
    )
    assert done.returncode == 3
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "DOWN" in lines["kafka"]
    assert "DOWN" in lines["coupon"]
    assert "ready" in lines["coupon-publisher"]


# --- the reference, and the command line itself ------------------------------------------


def test_the_reference_is_what_the_command_prints(module_world):
    printed = module_world.onrush("help", "--markdown").stdout
    page = (ROOT / "docs/operations/onrush.md").read_text(encoding="utf-8")
    assert printed == page, "run: onrush help --markdown > docs/operations/onrush.md"


def test_help(module_world):
    overview = module_world.onrush("help").stdout
    names = [line[2:18].strip() for line in overview.splitlines() if line.startswith("  ")]
    for name in ("migrate", "coupon open", "dlq replay"):
        assert name in names
        assert name in module_world.onrush("help", *name.split()).stdout
        assert name in module_world.onrush(*name.split(), "--help").stdout
    assert "coupon show" in module_world.onrush("help", "coupon").stdout


@pytest.mark.parametrize(
    "arguments", [[], ["frob"], ["help", "frob"], ["coupon"], ["coupon", "frob"], ["--config"]]
)
def test_wrong_words(module_world, arguments):
    assert module_world.onrush(*arguments, check=False).returncode == 2


def test_settings_from_a_file(module_world, tmp_path):
    (tmp_path / "env").write_text("ONRUSH_PG_DSN=host=127.0.0.1 port=1\nUNKNOWN=1\n")
    wait = ("--config", tmp_path / "env", "wait", "postgres")
    assert module_world.onrush(*wait).returncode == 0  # the environment wins
    missing = module_world.onrush("--config", "/nowhere", "migrate", check=False)
    assert missing.returncode == 2
    assert "/nowhere" in missing.stderr
