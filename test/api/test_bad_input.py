"""Everything malformed, over real sockets against the real gateway and the real service:
the right refusal and a closed connection, one log line, and the program goes on.
"""

import os
import re
import select
import socket
import subprocess
import time
from contextlib import suppress

import pytest
from api.coupons import campaign, issued, wait_until
from api.http_cases import CASES
from harness.client import Answer
from harness.crowd import post

# A call that takes a body, so that a body's faults are met.
TAKES_BODY = {"gateway": b"POST /api/v1/coupons HTTP", "coupon": b"POST /coupons HTTP"}
SOUND = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def doors(module_world):
    """Both servers of HTTP/1.1, with a head timeout that is short enough to wait for."""
    if not module_world.processes:
        module_world.start(
            "coupon",
            "gateway",
            ONRUSH_HEAD_TIMEOUT_MS=300,
            ONRUSH_BODY_TIMEOUT_MS=300,
            ONRUSH_HTTP2="off",
        )
    return module_world


def read_all(s):
    """All that comes, and whether the other side closed."""
    received = b""
    try:
        while more := s.recv(65536):
            received += more
        return received, True
    except ConnectionError:
        return received, True
    except TimeoutError:
        return received, False


def exchange(port, data, seconds=5):
    """All that comes back, and whether the other side closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
        with suppress(ConnectionError):
            s.sendall(data)
        return read_all(s)


def statuses(answer):
    """Of every answer in the bytes."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


@pytest.mark.parametrize("door", ["gateway", "coupon"])
@pytest.mark.parametrize("case", [c for c in CASES if c.expected != "accept"], ids=lambda c: c.id)
def test_malformed(doors, door, case):
    data = case.data.replace(b"POST / HTTP", TAKES_BODY[door], 1)
    answer, closed = exchange(doors.port(door), data)
    assert closed, "a connection whose message cannot be trusted must be closed"
    # An unfinished request gets 408 or nothing; any other its status, once and last. What
    # announces more than the call takes may be refused for that.
    expected = ([], [408]) if case.expected == 408 else ([case.expected],)
    assert statuses(answer) in (*expected, [413]), answer


@pytest.mark.parametrize("door", ["gateway", "coupon"])
@pytest.mark.parametrize("case", [c for c in CASES if c.expected == "accept"], ids=lambda c: c.id)
def test_well_formed(doors, door, case):
    """Understood; what it asks for is not there, which is another matter."""
    with socket.create_connection(("127.0.0.1", doors.port(door)), timeout=5) as s:
        s.sendall(case.data)
        with s.makefile("rb") as stream:
            answer = stream.readline()
    first = statuses(answer)[0]
    assert first not in (400, 408, 414, 431, 501, 505), answer


@pytest.mark.parametrize("door", ["gateway", "coupon"])
def test_it_goes_on(doors, door):
    answer, closed = exchange(doors.port(door), SOUND)
    assert (statuses(answer), closed) == ([200], True)


def test_each_malformed_request_leaves_a_line(world):
    gateway = world.start("gateway")
    for _ in range(3):
        exchange(world.port("gateway"), b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n")
    lines = [r for r in world.logs("gateway") if r["msg"].startswith("malformed request")]
    assert len(lines) == 3, gateway.tail()


def test_slow_heads_and_bodies_are_cut(doors):
    for data in (
        b"GET / HT",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ",
        b"POST /api/v1/coupons HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n{",
    ):
        began = time.monotonic()
        answer, closed = exchange(doors.port("gateway"), data)
        assert (statuses(answer), closed) == ([408], True)
        assert 0.2 < time.monotonic() - began < 4.5  # the usual time-outs are 5 s and 10 s


def test_trickled_bytes_do_not_move_the_deadline(doors):
    with socket.create_connection(("127.0.0.1", doors.port("gateway")), timeout=5) as s:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: " + b"a" * 400:
            s.sendall(bytes([byte]))
            if select.select([s], [], [], 0.05)[0]:
                break
        else:
            pytest.fail("no answer while bytes come")
        answer, closed = read_all(s)
        assert (statuses(answer), closed) == ([408], True)
        with pytest.raises(ConnectionError):  # nor does who sends on keep the connection
            for _ in range(400):
                s.sendall(b"a")
                time.sleep(0.05)


def test_a_huge_body_is_refused_before_it_is_read(doors):
    head = b"POST /api/v1/coupons HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
    for door in ("gateway", "coupon"):
        data = head if door == "gateway" else head.replace(b"/api/v1", b"")
        answer, closed = exchange(doors.port(door), data)
        assert (statuses(answer), closed) == ([413], True)


def test_clients_that_vanish_leave_nothing_behind(world):
    """At every byte of the request, and while it is being decided."""
    world.start("coupon-publisher", "coupon", "gateway")
    campaign(world, quantity=1000)
    request = post("/api/v1/coupons", {"userId": 1, "couponId": 1})
    for size in range(1, len(request) + 1):
        with socket.create_connection(("127.0.0.1", world.port("gateway"))) as s:
            s.sendall(request[:size])
    for user in range(2, 202):
        with socket.create_connection(("127.0.0.1", world.port("gateway"))) as s:
            s.sendall(post("/api/v1/coupons", {"userId": user, "couponId": 1}))
    # Those who vanished after a whole request have their coupon, like everybody else.
    wait_until(lambda: len(issued(world)) == 201)
    world.onrush("verify", 1)

    def quiet():
        metrics = world.client("gateway").metrics() | world.client("coupon").metrics()
        return all(
            v <= 1 for k, v in metrics.items() if k.startswith("onrush_http_requests_under_way")
        )

    wait_until(quiet)


def test_errors_have_the_envelope(doors):
    client = doors.client("gateway")
    assert client.get("/nowhere").error == "NOT_FOUND"
    wrong = client.call("DELETE", "/api/v1/coupons")
    assert (wrong.status, wrong.error) == (405, "METHOD_NOT_ALLOWED")
    assert "POST" in wrong.headers["allow"]
    # Head and body in one piece, since the time between them is short here.
    request = b"POST /api/v1/coupons HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
    answer = client.raw(request + b"Connection: close\r\n\r\n{", timeout=15)
    body = answer.partition(b"\r\n\r\n")[2]
    assert Answer(statuses(answer)[0], {}, body).error == "BAD_JSON"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ONRUSH_WORKERS", "many"),
        ("ONRUSH_WORKERS", "-1"),
        ("ONRUSH_LISTEN", "here"),
        ("ONRUSH_HEAD_TIMEOUT_MS", "0"),
        ("ONRUSH_ACCESS_LOG", "2"),
        ("ONRUSH_LOG_LEVEL", "loud"),
        ("ONRUSH_RECEIPT_KEY", "/nowhere/key.pem"),
        ("ONRUSH_PG_DSN", "nonsense=1"),
        ("ONRUSH_REDIS_URL", "http://here"),
    ],
)
def test_a_bad_setting_stops_the_start(world, setting, value):
    env = {"PATH": os.environ["PATH"]} | world.settings("coupon") | {setting: value}
    done = subprocess.run(
        [world.engines.bin / "onrush-coupon"],
        env=env,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert setting in done.stderr
    # What may hold a password is not shown.
    assert value in done.stderr or setting in ("ONRUSH_PG_DSN", "ONRUSH_REDIS_URL")
