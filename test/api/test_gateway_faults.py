"""The gateway among services that die, hang, crawl and talk nonsense, and clients that
attack it: whoever asks gets an answer, a 200 is the service's own for that request, and what
is broken stays where it is.
"""

import random
import re
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress

import pytest
from api.fake_service import FakeService, Reset, response
from api.lines import until
from harness.crowd import crowd, post

GET = "GET /api/v1/coupons/{} HTTP/1.1\r\nHost: a\r\n\r\n"
OTHER = b"GET /payments/1 HTTP/1.1\r\nHost: a\r\n\r\n"
FAILURES = {502, 503, 504}


def number_of(request):
    """The number that a request carries in its target or its body."""
    return int(re.search(r"\d+", request.target + request.body.decode())[0])


def good(request):
    return response(200, b'{"n":%d}' % number_of(request))


@pytest.fixture
def before(world):
    """The gateway before a coupon service that behaves so, and a sound reservation service."""
    with ExitStack() as stack:

        def start(behave, **settings):
            coupon = stack.enter_context(FakeService(world.port("coupon"), behave))
            stack.enter_context(FakeService(world.port("reservation")))
            world.start("gateway", **settings)
            return world.port("gateway"), coupon

        yield start


# --- a storm ----------------------------------------------------------------------------


def cut(request):
    return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b'{"n":%d' % number_of(request)


def reset(_):
    raise Reset


def reset_in_the_middle(request):
    yield cut(request)
    raise Reset


def garbage(_):
    return b"\x16\x03\x01\x02\x00garbage\r\n\r\n"


def a_stray_answer_behind(request):
    return good(request) + response(200, b'{"n":-1}')


def chunked(request):
    body = b'{"n":%d}' % number_of(request)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def byte_by_byte(request):
    for byte in good(request):
        yield bytes([byte])


def a_hint_before(request):
    return b"HTTP/1.1 103 Early Hints\r\n\r\n" + good(request)


def too_late(request):
    time.sleep(0.4)
    return good(request)


TROUBLES = (
    cut,
    reset,
    reset_in_the_middle,
    garbage,
    a_stray_answer_behind,
    chunked,
    byte_by_byte,
    a_hint_before,
    too_late,
)


class Storm:
    """Half of the requests meet a trouble, which one follows from their number."""

    def __init__(self):
        self.over = False
        self.seen = Counter()

    def behave(self, request):
        number = number_of(request)
        self.seen[number] += 1
        rng = random.Random(number)
        if self.over or rng.random() < 0.5:
            return good(request)
        trouble = rng.choice(TROUBLES)
        answer = trouble(request)
        if trouble in (cut, garbage):
            return _and_close(answer)
        return answer


def _and_close(answer):
    yield answer
    raise OSError


def _ask(number):
    """A read, a write, or a write that may be repeated."""
    if number % 3 == 0:
        return GET.format(number).encode()
    key = {"Idempotency-Key": f"k{number}"} if number % 3 == 1 else {}
    return post("/api/v1/coupons", {"n": number}, key)


def test_a_200_is_the_answer_to_its_own_request(before):
    """Whatever became of the connections that the requests before used."""
    storm = Storm()
    port, _ = before(
        storm.behave,
        ONRUSH_UPSTREAM_CONNS=16,
        ONRUSH_UPSTREAM_RESPONSE_MS=200,
        ONRUSH_BREAKER_FAILURES=1000000,  # a service at rest would answer nothing
        ONRUSH_WORKERS=2,
    )
    numbers = range(1, 3001)
    answers = crowd(port, map(_ask, numbers), 64)
    for number, (status, body) in zip(numbers, answers, strict=True):
        assert status in FAILURES or (status, body) == (200, {"n": number}), (number, status, body)
        if number % 3 == 2:  # a write without a key is never sent again
            assert storm.seen[number] <= 1
    statuses = Counter(status for status, _ in answers)
    assert statuses[200] > 300 and statuses[502] > 30, statuses
    storm.over = True
    until(lambda: all(s == 200 for s, _ in crowd(port, map(_ask, range(3001, 3201)), 16)))


def test_services_that_hang_hold_up_nobody_else(before, world):
    release = threading.Event()

    def hang(request):
        release.wait(20)
        return good(request)

    port, _ = before(hang, ONRUSH_UPSTREAM_CONNS=8, ONRUSH_UPSTREAM_QUEUE_MS=5000, ONRUSH_WORKERS=1)
    waiting = []
    thread = threading.Thread(
        target=lambda: waiting.extend(
            crowd(port, [post("/api/v1/coupons", {"n": n}) for n in range(100)], 100)
        )
    )
    thread.start()
    gauge = 'onrush_gateway_upstream_queued_calls{upstream="coupon"}'
    until(lambda: world.client("gateway").metrics().get(gauge, 0) > 0)
    assert {status for status, _ in crowd(port, [OTHER] * 500, 20)} == {200}
    release.set()
    thread.join()
    # Those that were sent were answered; those that waited too long in the queue, refused.
    assert {status for status, _ in waiting} <= {200, 503}


def test_a_service_that_dies_and_comes_back(world):
    """Killed with requests under way: they fail, and those that come later do not."""
    with FakeService(world.port("reservation")):
        world.start("gateway")
        port = world.port("gateway")
        died = threading.Event()

        def dying(request):
            if died.is_set():
                raise Reset
            return good(request)

        with FakeService(world.port("coupon"), dying):
            assert {s for s, _ in crowd(port, map(_ask, range(200)), 16)} == {200}
            died.set()
            assert {s for s, _ in crowd(port, map(_ask, range(200)), 16)} <= FAILURES
        assert {s for s, _ in crowd(port, map(_ask, range(50)), 16)} <= FAILURES
        assert {s for s, _ in crowd(port, [OTHER] * 50, 16)} == {200}
        with FakeService(world.port("coupon"), good):
            until(lambda: all(s == 200 for s, _ in crowd(port, map(_ask, range(50)), 16)))


# --- drain ------------------------------------------------------------------------------


def test_a_drain_under_load_loses_nothing(before, world):
    """What reached the service was answered to its client; new connections are refused."""

    def slowly(request):
        time.sleep(0.005)
        return good(request)

    port, coupon = before(slowly, ONRUSH_WORKERS=2)
    numbers = range(20_000)
    answers = []
    thread = threading.Thread(
        target=lambda: answers.extend(
            crowd(port, [post("/api/v1/coupons", {"n": n}) for n in numbers], 32)
        )
    )
    thread.start()
    until(lambda: len(coupon.requests) > 500)
    world.stop("gateway")  # it must end by itself, and with status 0
    thread.join()
    granted = {n for n, (status, _) in zip(numbers, answers, strict=True) if status == 200}
    assert all(body == {"n": n} for n, (status, body) in enumerate(answers) if status == 200)
    assert {number_of(request) for request in coupon.requests} == granted
    assert {status for status, _ in answers} <= {0, 200, 503}


# --- clients ----------------------------------------------------------------------------

SLOW = (
    b"GET /api/v1/coupons/1 HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    b"POST /api/v1/coupons HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n{",
    b"P",
    b"POST /api/v1/coupons HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
)


def test_slow_clients_do_not_keep_good_ones_from_their_answers(before, world):
    port, coupon = before(good, ONRUSH_HEAD_TIMEOUT_MS=1500, ONRUSH_BODY_TIMEOUT_MS=1500)
    with ExitStack() as stack:
        attackers = []
        for number in range(2000):
            s = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            s.sendall(SLOW[number % len(SLOW)])
            attackers.append(s)
        answers = crowd(port, map(_ask, range(1, 2001)), 50)
        assert answers == [(200, {"n": n}) for n in range(1, 2001)]
        assert len(coupon.requests) == 2000  # none of the attackers' was one
        for s in attackers:
            _read_to_the_end(s)
    metrics = world.client("gateway").metrics()
    cut_off = sum(v for k, v in metrics.items() if k.startswith("onrush_http_timeouts_total"))
    assert cut_off >= 2000


MANNERS = {
    "head": b"GET /api/v1/coupons/1 HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    "body": b"POST /api/v1/coupons HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n{",
    "write": b"GET /api/v1/products/ranks HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("manner", MANNERS)
def test_clients_that_trickle_are_cut_by_their_rate(before, world, manner):
    """Two thousand that send a byte now and then, or a hundred that take one of many (each
    holds a connection to its service, and megabytes in the kernel): they outlive every time-out,
    and the good ones beside them get all their answers."""
    count = 100 if manner == "write" else 2000
    port, coupon = before(
        good,
        ONRUSH_MIN_RATE=100_000,
        ONRUSH_MIN_RATE_GRACE_MS=1000,
        ONRUSH_HEAD_TIMEOUT_MS=60_000,
        ONRUSH_BODY_TIMEOUT_MS=60_000,
        ONRUSH_WRITE_TIMEOUT_MS=60_000,
        ONRUSH_WORKERS=1,
    )
    with ExitStack() as stack:
        stack.enter_context(FakeService(world.port("order"), lambda _: response(200, LONG)))
        attackers = [stack.enter_context(_trickling(port, MANNERS[manner])) for _ in range(count)]
        answers = crowd(port, map(_ask, range(1, 2001)), 50)
        assert answers == [(200, {"n": n}) for n in range(1, 2001)]
        assert len(coupon.requests) == 2000
        slow = f'onrush_http_slow_total{{what="{manner}"}}'
        until(
            lambda: _trickle(attackers, manner) or world.client("gateway").metrics()[slow] >= count
        )
    metrics = world.client("gateway").metrics()
    assert not any(v for k, v in metrics.items() if k.startswith("onrush_http_timeouts_total"))


LONG = b"x" * (8 << 20)


def _trickling(port, data):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(20)
    s.connect(("127.0.0.1", port))
    s.sendall(data)
    if data == MANNERS["write"]:
        assert s.recv(1)  # one after the other: the service is slow, too
    return s


def _trickle(attackers, manner):
    for s in attackers:
        with suppress(OSError):  # it was cut
            if manner == "write":
                s.recv(1)
            else:
                s.send(b"x")


def _read_to_the_end(s):
    try:
        while s.recv(4096):
            pass
    except ConnectionResetError:
        pass


def test_clients_that_leave_cost_the_others_nothing(before, world):
    def slowly(request):
        time.sleep(0.02)
        return good(request)

    # Fewer connections than clients that leave in either way: none may be lost with them.
    port, _ = before(
        slowly, ONRUSH_UPSTREAM_CONNS=64, ONRUSH_UPSTREAM_QUEUE_MS=5000, ONRUSH_WORKERS=1
    )
    for number in range(200):
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(_ask(number))
            if number % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    answers = crowd(port, map(_ask, range(1000, 1100)), 10)
    assert answers == [(200, {"n": n}) for n in range(1000, 1100)]
    connections = "onrush_http_connections"
    until(lambda: world.client("gateway").metrics()[connections] == 1)
