"""HTTP/2 from clients: what works as by HTTP/1.1, its beginning and its end."""

import socket
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from api.body_service import BodyService, answer_all
from api.fake_service import FakeService, response
from api.h2_client import Client, head
from api.lines import until
from h2.errors import ErrorCodes
from hyperframe.frame import (
    SettingsFrame,
)

PATH = "/api/v1/products/ranks"
MB = 1 << 20
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(text):
    return b"%x\r\n%s\r\n" % (len(text), text)


@pytest.fixture
def gateway(world):
    """Starts the gateway before an order service that behaves so; gives what makes clients."""
    with ExitStack() as stack:

        def start(behave=None, close=False, **settings):
            if behave is not None:
                stack.enter_context(FakeService(world.port("order"), behave, close))
            world.start("gateway", **settings)
            return lambda **how: stack.enter_context(Client(world.port("gateway"), **how))

        yield start


def rss_kb(process):
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


# --- as by HTTP/1.1 ---


def test_calls_are_answered_by_the_service(world, gateway):
    client = gateway(lambda r: response(200, r.target.encode(), [("ETag", '"7"')]))()
    answer = client.get(PATH + "?day=1", "GET", ("x-request-id", "mine"))
    assert (answer.status, answer.body) == (200, b"/products/ranks?day=1")
    assert answer.headers["etag"] == '"7"'
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "connection" not in answer.headers


def test_errors_are_the_same(world, gateway):
    client = gateway()()
    assert client.get("/nowhere").status == 404
    answer = client.get("/healthz", "DELETE")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert client.get(PATH).status == 503  # no such service
    assert client.get("/" + "a" * 4200).status == 414
    assert client.get("/healthz", "GET", ("x", "a" * 20_000)).status == 431
    assert client.get("/healthz", "GET", *[("x", "y")] * 64).status == 431
    assert client.get().status == 200  # all on one connection
    world.expect_error("UNAVAILABLE")


def test_head_has_no_body(gateway):
    client = gateway(lambda _: response(200, b"0123456789"))()
    answer = client.get(PATH, "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == "10"


def test_many_at_once_each_get_their_own(gateway):
    everybody = threading.Barrier(20)

    def behave(request):
        everybody.wait(20)  # the gateway sends all on before one is answered
        return response(200, request.target.encode())

    client = gateway(behave)()
    streams = {client.ask(head("GET", f"{PATH}?n={n}")): n for n in range(20)}
    for stream, n in streams.items():
        assert client.answer(stream).body.endswith(b"?n=%d" % n)


def test_bodies(world, gateway):
    client = gateway(lambda r: response(200, r.body + str(r.header("content-length")).encode()))()
    charge = head("POST", "/api/v1/users/7/balance/charge", ("content-type", "application/json"))
    assert client.answer(client.ask(charge, b'{"amount":1}')).body == b'{"amount":1}12'
    with_length = [*charge, ("content-length", "4")]
    assert client.answer(client.ask(with_length, b"1234")).body == b"12344"
    answer = client.answer(client.ask([*charge, ("content-length", "5000")], b"1", end=False))
    assert (answer.status, answer.reset) == (413, ErrorCodes.NO_ERROR) or answer.ended
    assert client.answer(client.ask(charge, b"x" * 5000)).status == 413
    assert client.get().status == 200


def test_who_asks_may_wait_for_100(gateway):
    client = gateway(lambda r: response(200, r.body))()
    charge = head("POST", "/api/v1/users/7/balance/charge", ("expect", "100-continue"))
    stream = client.ask(charge, end=False)
    client.until(lambda: client.answers[stream].informational)
    assert client.answers[stream].informational == ["100"]
    client.upload(stream, b"body")
    assert client.answer(stream).body == b"body"


LONG = """{"services":{"s":{"servers":"$ONRUSH_ORDER_URL"}},"routes":[
{"method":"POST","path":"/long","service":"s","body_bytes":16000000}]}"""


def long_bodies(world, tmp_path, script):
    routes = tmp_path / "routes.json"
    routes.write_text(LONG, encoding="utf-8")
    service = BodyService(world.port("order"), script)
    world.start("gateway", ONRUSH_ROUTES=str(routes))
    return service


@pytest.mark.parametrize("length", [True, False])
def test_long_bodies_are_passed_on(world, tmp_path, length):
    more = [("content-length", str(8 * MB))] if length else []
    with (
        long_bodies(world, tmp_path, answer_all),
        Client(world.port("gateway")) as client,
    ):
        stream = client.ask(head("POST", "/long", *more), end=False)
        client.upload(stream, bytes(8 * MB))
        assert client.answer(stream).body == b"%d" % (8 * MB)
        stream = client.ask(head("POST", "/long"), end=False)
        client.upload(stream, bytes(100))
        assert client.answer(stream).body == b"100"


def test_a_body_waits_for_a_service_that_does(world, tmp_path):
    go_on = threading.Event()

    def slow(visitor):
        visitor.head()
        assert go_on.wait(20)
        visitor.answer(body=b"%d" % len(visitor.body()))

    with long_bodies(world, tmp_path, slow), Client(world.port("gateway")) as client:
        stream = client.ask(head("POST", "/long"), end=False)
        sent = 0
        client.sock.settimeout(1)  # without news for so long, there is no room
        with suppress(TimeoutError):
            while sent < 12 * MB:
                room = min(client.h2.local_flow_control_window(stream), 16384)
                if room > 0:
                    client.h2.send_data(stream, bytes(room))
                    sent += room
                    client.flush()
                else:
                    client.receive()
        assert sent < 12 * MB
        client.sock.settimeout(20)
        assert client.get().status == 200  # others are not held up
        go_on.set()
        client.upload(stream, bytes(1000))
        assert client.answer(stream).body == b"%d" % (sent + 1000)


def test_a_body_that_breaks_off_ends_the_call_behind(world, tmp_path):
    broken = threading.Event()

    def script(visitor):
        if visitor.head() is not None and visitor.breaks_off():
            broken.set()

    with long_bodies(world, tmp_path, script), Client(world.port("gateway")) as client:
        stream = client.ask(head("POST", "/long"), end=False)
        client.h2.send_data(stream, bytes(16384))
        client.h2.send_data(stream, bytes(16384))
        client.flush()
        client.h2.reset_stream(stream)
        client.flush()
        assert broken.wait(20)
        assert client.get().status == 200


# --- answers in pieces ---


def test_a_large_answer_arrives_whole(gateway):
    body = bytes(range(256)) * (20 * MB // 256)
    client = gateway(lambda _: response(200, body))()
    assert client.get(PATH).body == body


def test_events_are_passed_on_as_they_come(gateway):
    go_on = threading.Event()

    def behave(_):
        yield EVENTS + chunk(b"data: 1\n\n")
        assert go_on.wait(20)
        yield chunk(b"data: 2\n\n") + b"0\r\n\r\n"

    client = gateway(behave)()
    stream = client.ask(head("GET", PATH))
    client.until(lambda: client.answers[stream].body == b"data: 1\n\n")
    assert client.get().status == 200  # others do not wait for it
    go_on.set()
    assert client.answer(stream).body == b"data: 1\n\ndata: 2\n\n"


def test_who_resets_a_stream_ends_the_call_behind(world, gateway):
    def behave(_):
        yield EVENTS
        while True:
            yield chunk(b": still there\n\n")
            time.sleep(0.01)

    with FakeService(world.port("order"), behave) as service:
        client = gateway()()
        stream = client.ask(head("GET", PATH))
        client.until(lambda: client.answers[stream].body)
        client.h2.reset_stream(stream, ErrorCodes.CANCEL)
        client.flush()
        until(lambda: service.open == 0)
        assert client.get().status == 200


def test_an_answer_that_is_cut_is_no_whole_one(gateway):
    client = gateway(
        lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * MB, close=True
    )()
    answer = client.get(PATH)
    assert (answer.status, answer.reset) == (200, ErrorCodes.INTERNAL_ERROR)
    assert client.get().status == 200


def test_slow_readers_cost_little_memory(world, variant):
    """Forty streams of 50 MB on four connections whose windows stay shut."""

    def behave(_):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (50 * MB)
        for _ in range(50):
            yield b"x" * MB

    with FakeService(world.port("order"), behave):
        process = world.start("gateway")
        connect = lambda: Client(world.port("gateway"), greedy=False)  # noqa: E731
        connect().get()
        plain = rss_kb(process)
        clients = [connect() for _ in range(4)]
        for client in clients:
            streams = [client.ask(head("GET", PATH)) for _ in range(10)]
            client.until(lambda c=client, s=streams: all(c.answers[i].headers for i in s))
    most = max(rss_kb(process) for _ in range(20) if not time.sleep(0.05))
    # The sanitizer keeps what was freed for a while, so it has no word in memory.
    assert most - plain < 6000 or variant == "asan"


def test_a_stream_that_nobody_reads_is_cut_and_the_others_are_not(world, gateway):
    connect = gateway(
        lambda r: response(200, b"x" * (1 if "small" in r.target else 200_000)),
        ONRUSH_WRITE_TIMEOUT_MS=300,
    )
    client = connect(greedy=False)
    stuck = client.ask(head("GET", PATH))
    client.until(lambda: len(client.answers[stuck].body) == 65535)
    # The connection's window is shut, too; this one opens it, and only the stream's stays shut.
    client.h2.increment_flow_control_window(MB)
    client.flush()
    assert client.get(PATH + "?small").body == b"x"
    assert client.answer(stuck).reset == ErrorCodes.CANCEL
    assert client.get(PATH + "?small").body == b"x"
    metrics = world.client("gateway").metrics()
    assert metrics['onrush_http_timeouts_total{what="write"}'] == 1


# --- its beginning and its end ---


def test_http_1_is_still_spoken_on_the_port(world, gateway):
    connect = gateway()
    assert connect().get().status == 200
    assert world.client("gateway").get("/healthz").status == 200


def test_off_means_off(world, gateway):
    gateway(ONRUSH_HTTP2="off")
    with socket.create_connection(("127.0.0.1", world.port("gateway")), timeout=20) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_preface_may_come_byte_by_byte(world, gateway):
    gateway()
    with socket.create_connection(("127.0.0.1", world.port("gateway")), timeout=20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize():
            sock.sendall(bytes([byte]))
        assert sock.recv(9)[3] == SettingsFrame.type


def test_curl_speaks_it(world, gateway):
    gateway(lambda _: response(200, b"to curl"))
    url = f"http://127.0.0.1:{world.port('gateway')}{PATH}"
    done = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", "-w", " %{http_version}", url],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == b"to curl 2"


def test_a_stop_loses_no_request(world, gateway):
    """Requests under way are answered, and so are those that came before the last GOAWAY."""
    go_on = threading.Event()

    def behave(_):
        go_on.wait(20)
        return response(200, b"done")

    client = gateway(behave)()
    early = client.ask(head("GET", PATH))
    assert client.get().status == 200
    stopping = threading.Thread(target=world.stop, args=("gateway",))
    stopping.start()
    client.until(lambda: client.goaways)
    assert client.goaways[0] == (ErrorCodes.NO_ERROR, 2**31 - 1)
    go_on.set()
    assert client.answer(early).body == b"done"
    assert client.until_closed() == ErrorCodes.NO_ERROR
    assert client.goaways[-1][1] == 3  # the last one that was taken
    stopping.join()


def test_a_stop_lets_go_of_events(world, gateway):
    def behave(_):
        yield EVENTS + chunk(b"data: 1\n\n")
        time.sleep(60)

    client = gateway(behave)()
    stream = client.ask(head("GET", PATH))
    client.until(lambda: client.answers[stream].body)
    world.stop("gateway")
    answer = client.answer(stream)
    assert answer.ended and answer.reset is None
