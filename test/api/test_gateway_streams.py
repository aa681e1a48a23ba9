"""Answers that come in pieces, through the gateway: nothing is held back, nothing gathers,
and what is cut off never looks whole."""

import http.client
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from api.fake_service import FakeService
from api.lines import until

PATH = "/api/v1/products/ranks"
MB = 1 << 20
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def chunk(text):
    return b"%x\r\n%s\r\n" % (len(text), text)


@pytest.fixture
def before(world):
    """The gateway before an order service that behaves so."""
    with ExitStack() as stack:

        def start(behave, close=False):
            service = FakeService(world.port("order"), behave, close)
            stack.enter_context(service)
            return service, world.start("gateway")

        yield start


def get(world, path=PATH, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", world.port("gateway"), timeout=30)
    connection.request(method, path)
    return connection, connection.getresponse()


def test_pieces_are_passed_on_as_they_come(world, before):
    go_on = threading.Event()

    def behave(_):
        yield CHUNKED + chunk(b"data: 1\n\n")
        assert go_on.wait(20)
        yield chunk(b"data: 2\n\n")
        yield b"0\r\n\r\n"

    before(behave)
    connection, answer = get(world)
    assert answer.getheader("Content-Type") == "text/event-stream"
    assert answer.read1(100) == b"data: 1\n\n"  # while the service holds back the rest
    go_on.set()
    assert answer.read() == b"data: 2\n\n"
    connection.request("GET", PATH)  # the same connection goes on
    assert connection.getresponse().read() == b"data: 1\n\ndata: 2\n\n"


def test_more_than_is_kept_arrives_whole(world, before):
    body = bytes(range(256)) * (20 * MB // 256)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    before(lambda _: head + body)
    _, answer = get(world)
    assert answer.getheader("Content-Length") == str(len(body))
    assert answer.read() == body


def test_head_of_a_stream_ends_at_once(world, before):
    service, _ = before(lambda _: CHUNKED + chunk(b"data: 1\n\n"))
    connection, answer = get(world, method="HEAD")
    assert (answer.status, answer.read()) == (200, b"")
    connection.request("HEAD", PATH)
    assert connection.getresponse().status == 200
    until(lambda: service.open == 0)


@pytest.mark.parametrize("rest", [b"", b"not a chunk\r\n"])
def test_a_body_that_is_cut_is_no_whole_one(world, before, rest):
    go_on = threading.Event()

    def behave(_):
        yield CHUNKED + chunk(b"data: 1\n\n")
        assert go_on.wait(20)
        yield rest

    before(behave, close=True)
    _, answer = get(world)
    assert answer.read1(100) == b"data: 1\n\n"
    go_on.set()
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()


def test_a_length_that_is_not_reached_is_no_whole_one(world, before):
    before(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * MB, close=True)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        get(world)[1].read()


def test_who_leaves_ends_the_call_behind(world, before):
    def behave(_):
        yield CHUNKED
        while True:
            yield chunk(b": still there\n\n")
            time.sleep(0.01)

    service, _ = before(behave)
    connection, answer = get(world)
    assert answer.read1(10)
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    until(lambda: service.open == 0)


def test_a_gateway_that_ends_lets_go_of_events(world, before):
    def behave(_):
        yield CHUNKED + chunk(b"data: 1\n\n")
        time.sleep(60)

    before(behave)
    _, answer = get(world)
    assert answer.read1(100) == b"data: 1\n\n"
    world.stop("gateway")
    assert answer.read() == b""  # a whole body: the client comes again by itself


def rss_kb(process):
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


def test_slow_readers_cost_little_memory(world, before, variant):
    """Eight of them, 50 MB each: the service waits, the gateway does not gather."""

    def behave(_):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (50 * MB)
        for _ in range(50):
            yield b"x" * MB

    _, gateway = before(behave)
    get(world)[1].read()
    plain = rss_kb(gateway)
    readers = []
    for _ in range(8):
        connection, answer = get(world)
        answer.read(100_000)
        readers.append((connection, answer))
    most = max(rss_kb(gateway) for _ in range(20) if not time.sleep(0.05))
    for connection, _ in readers:
        connection.close()
    # The sanitizer keeps what was freed for a while, so it has no word in memory.
    assert most - plain < 2048 or variant == "asan"
