"""Long bodies through the gateway: passed on while they come, at the pace of the slower side,
and never as something that the client did not send."""

import hashlib
import json
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import h11
import pytest
from api.body_service import BodyService, answer_all
from api.lines import until
from api.long_bodies import LONG, SMUGGLING, WHOLE, chunk, head

MB = 1 << 20
LIMIT = 64 * MB


class Client:
    """A connection to the gateway, byte by byte."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, data):
        """False when the gateway takes no more."""
        try:
            self.socket.sendall(data)
        except ConnectionError:
            return False
        return True

    def answer(self):
        """The next answer's status, headers and body."""
        status = int(self.stream.readline().split()[1])
        headers = {}
        while line := self.stream.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return status, headers, self.stream.read(int(headers.get("content-length", 0)))

    def ends(self):
        """The gateway has ended the connection, with nothing more."""
        return self.stream.read() == b""


@pytest.fixture
def before(world, tmp_path):
    """The gateway before a service with this script; one route, POST and PUT /up."""
    routes = tmp_path / "routes.json"

    with ExitStack() as stack:

        def start(script, buffer=None, deadline_ms=30000, **settings):
            route = {"path": "/up", "service": "a", "body_bytes": LIMIT}
            route["deadline_ms"] = deadline_ms
            document = {
                "services": {"a": {"servers": f"127.0.0.1:{world.port('a')}"}},
                "routes": [{"method": method} | route for method in ("POST", "PUT")],
            }
            routes.write_text(json.dumps(document), encoding="utf-8")
            service = stack.enter_context(BodyService(world.port("a"), script, buffer))
            start.process = world.start(
                "gateway", ONRUSH_ROUTES=routes, ONRUSH_WORKERS=1, **settings
            )
            start.client = lambda: stack.enter_context(Client(world.port("gateway")))
            return service

        yield start


def calls(world, outcome):
    return world.client("gateway").metrics()[
        f'onrush_gateway_upstream_calls_total{{upstream="a",outcome="{outcome}"}}'
    ]


# --- what arrives -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, WHOLE - 1, WHOLE, WHOLE + 1, 3 * WHOLE, 5 * MB])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_a_body_arrives_as_it_was_sent(before, size, chunked):
    body = hashlib.shake_128(b"%d" % size).digest(size)
    seen = []

    def script(visitor):
        while request := visitor.head():
            seen.append((dict(request.headers), visitor.body()))
            visitor.answer()
            visitor.again()

    service = before(script)
    client = before.client()
    for _ in range(2):  # the second goes over the same connections
        if chunked:
            client.send(head("Transfer-Encoding: chunked"))
            pieces = [body[i : i + 1000] for i in range(0, size, 1000)]
            client.send(b"".join(map(chunk, pieces)) + b"0\r\nX-Trailer: dropped\r\n\r\n")
        else:
            client.send(head(f"Content-Length: {size}") + body)
        assert client.answer()[0] == 200
    assert [received for _, received in seen] == [body, body]
    for headers, _ in seen:
        if chunked and size >= WHOLE:
            # What is complete by the time that it is looked at goes on with its length; of
            # so much its last chunk may come later.
            assert (b"content-length" in headers) != (b"transfer-encoding" in headers)
        else:
            assert headers[b"content-length"] == b"%d" % size
        assert b"x-trailer" not in headers
    assert service.connections == 1


def test_pieces_are_passed_on_as_they_come(before):
    came = threading.Event()

    def script(visitor):
        assert dict(visitor.head().headers)[b"transfer-encoding"] == b"chunked"
        received = 0
        while (piece := visitor.piece()) is not None:
            received += len(piece)
            if received == WHOLE + 5:
                came.set()
        visitor.answer(body=b"%d" % received)

    before(script)
    client = before.client()
    client.send(head("Transfer-Encoding: chunked") + chunk(b"x" * WHOLE) + chunk(b"hello"))
    assert came.wait(20)  # while the client still holds back the rest
    client.send(chunk(b"world") + b"0\r\n\r\n")
    assert client.answer()[2] == b"%d" % (WHOLE + 10)


def test_one_byte_chunks(before):
    before(answer_all)
    client = before.client()
    client.send(head("Transfer-Encoding: chunked") + chunk(b"x") * LONG + b"0\r\n\r\n")
    assert client.answer()[2] == b"%d" % LONG


def test_the_next_request_may_follow_at_once(before):
    before(answer_all)
    client = before.client()
    long = head(f"Content-Length: {LONG}") + b"x" * LONG
    chunked = head("Transfer-Encoding: chunked") + chunk(b"x" * LONG) + b"0\r\n\r\n"
    threading.Thread(
        target=client.send, args=(long + chunked + long + head("Content-Length: 2") + b"ab",)
    ).start()
    assert [client.answer()[2] for _ in range(4)] == [b"%d" % LONG] * 3 + [b"2"]


def test_http_1_0(before):
    before(answer_all)
    client = before.client()
    client.send(b"POST /up HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % LONG + b"x" * LONG)
    assert client.answer()[2] == b"%d" % LONG
    assert client.ends()


@pytest.mark.parametrize("framing", [f"Content-Length: {LONG}", "Transfer-Encoding: chunked"])
def test_expect_is_answered_before_the_service_is_asked(before, framing):
    service = before(answer_all)
    client = before.client()
    client.send(head(framing, "Expect: 100-continue"))
    assert client.stream.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert client.stream.readline() == b"\r\n"
    assert service.connections == 0
    body = b"x" * LONG
    client.send(body if "Length" in framing else chunk(body) + b"0\r\n\r\n")
    assert client.answer()[2] == b"%d" % LONG


# --- how much is held -------------------------------------------------------------------


def rss_kb(process):
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


def test_a_service_that_takes_slowly_stops_the_client(before, variant):
    """Eight uploads of 50 MB: the gateway does not gather them."""
    go_on = threading.Event()

    def script(visitor):
        while visitor.head() is not None:
            visitor.piece()
            assert go_on.wait(60)
            visitor.body()
            visitor.answer()
            visitor.again()

    service = before(script, buffer=65536)
    go_on.set()
    client = before.client()
    client.send(head(f"Content-Length: {MB}") + b"x" * MB)
    assert client.answer()[0] == 200
    go_on.clear()
    plain = rss_kb(before.process)
    clients = [before.client() for _ in range(8)]
    body = b"x" * (50 * MB)
    for client in clients:
        client.send(head(f"Content-Length: {len(body)}"))
        threading.Thread(target=client.send, args=(body,), daemon=True).start()
    until(lambda: service.connections == 8)
    most = max(rss_kb(before.process) for _ in range(20) if not time.sleep(0.05))
    go_on.set()
    assert {client.answer()[0] for client in clients} == {200}
    # The sanitizer keeps what was freed for a while, so it has no word in memory.
    assert most - plain < 2048 or variant == "asan"


# --- what breaks off --------------------------------------------------------------------


def broken(script_result):
    """A script that notes whether the request broke off within its body."""

    def script(visitor):
        assert visitor.head() is not None
        script_result.append(visitor.breaks_off())

    return script


BREAKS = {
    "reset": lambda client: client.socket.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
    ),
    "end": lambda client: client.socket.shutdown(socket.SHUT_WR),
}


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("framing", [f"Content-Length: {LONG}", "Transfer-Encoding: chunked"])
def test_a_body_that_breaks_off_is_no_request(world, before, framing, how):
    seen = []
    service = before(broken(seen))
    client = before.client()
    piece = b"x" * 2 * WHOLE
    client.send(head(framing) + (piece if "Length" in framing else chunk(piece)))
    until(lambda: service.connections == 1)
    BREAKS[how](client)
    if how == "reset":
        client.stream.close()
        client.socket.close()
    until(lambda: seen == [True])
    assert calls(world, "bad_request") == 1
    assert calls(world, "bad_answer") == 0


@pytest.mark.parametrize(
    "bad", [b"zz\r\n", b"-1\r\n", b"5\r\nhelloX", b"0\r\nContent-Length: 3\r\n\r\n"]
)
def test_bad_chunks_in_the_middle(before, bad):
    seen = []
    service = before(broken(seen))
    client = before.client()
    client.send(head("Transfer-Encoding: chunked") + chunk(b"x" * 2 * WHOLE))
    until(lambda: service.connections == 1)
    client.send(bad + head("Content-Length: 0"))
    status, headers, _ = client.answer()
    assert (status, headers["connection"]) == (400, "close")
    assert client.ends()
    until(lambda: seen == [True])


def test_more_than_the_limit_is_refused_where_it_is_passed(before):
    seen = []
    before(broken(seen))
    client = before.client()
    client.send(head("Transfer-Encoding: chunked"))

    def pour():
        for _ in range(LIMIT // MB + 1):
            client.send(chunk(b"x" * MB))

    threading.Thread(target=pour, daemon=True).start()
    assert client.answer()[0] == 413
    until(lambda: seen == [True])


def test_a_length_beyond_the_limit_reaches_nobody(before):
    service = before(answer_all)
    client = before.client()
    client.send(head(f"Content-Length: {LIMIT + 1}", "Expect: 100-continue"))
    assert client.answer()[0] == 413
    assert client.ends()
    assert service.connections == 0


def test_a_client_that_stops_in_the_middle_is_cut(before):
    seen = []
    before(broken(seen), ONRUSH_BODY_TIMEOUT_MS=200)
    client = before.client()
    client.send(head(f"Content-Length: {LONG}") + b"x" * 2 * WHOLE)
    status, headers, _ = client.answer()
    assert (status, headers["connection"]) == (408, "close")
    until(lambda: seen == [True])


# --- services that do not take it -------------------------------------------------------


@pytest.mark.parametrize("close", [False, True])
def test_an_early_answer_ends_the_body(before, close):
    def script(visitor):
        assert visitor.head() is not None
        visitor.answer(422, b"no", close=close)
        if not close:
            visitor.breaks_off()

    before(script)
    client = before.client()
    client.send(head(f"Content-Length: {50 * MB}") + b"x" * LONG)
    status, headers, body = client.answer()
    assert (status, headers["connection"], body) == (422, "close", b"no")
    assert client.ends()


def test_an_early_answer_to_a_client_that_pours(before):
    """The answer is seen although the client sends on and on."""

    def script(visitor):
        assert visitor.head() is not None
        visitor.answer(413, b"no", close=True)

    before(script)
    client = before.client()
    client.send(head(f"Content-Length: {LIMIT}") + b"x" * WHOLE)
    poured = threading.Thread(target=client.send, args=(b"x" * (MB // 2),))
    poured.start()
    assert client.answer()[0] == 413
    poured.join()


def test_a_streamed_answer_that_comes_early(before):
    def script(visitor):
        assert visitor.head() is not None
        visitor.answer(400, b"y" * MB, close=True)
        # Closed with bytes unread, the connection would be reset and the answer cut short.
        visitor.breaks_off()

    before(script)
    client = before.client()
    client.send(head(f"Content-Length: {50 * MB}") + b"x" * 2 * WHOLE)
    status, headers, body = client.answer()
    assert (status, headers["connection"], len(body)) == (400, "close", MB)


@pytest.mark.parametrize("after", [0, 1, 2 * WHOLE])
def test_a_service_that_resets(world, before, after):
    """It may have taken effect: the gateway does not say that it did not, nor tries again."""

    def script(visitor):
        assert visitor.head() is not None
        received = 0
        while received < after:
            received += len(visitor.piece())
        visitor.reset()

    service = before(script)
    client = before.client()
    client.send(head(f"Content-Length: {LONG}", "Idempotency-Key: k", method="PUT"))
    client.send(b"x" * (LONG - 1))
    status, _, body = client.answer()
    assert status == 503 and json.loads(body)["error"] == "OUTCOME_UNKNOWN"
    assert service.connections == 1
    assert calls(world, "bad_answer") == 1


def test_no_service_at_all(world, before):
    before(answer_all).stop()
    client = before.client()
    client.send(head(f"Content-Length: {LONG}") + b"x" * LONG)
    assert client.answer()[0] == 503


def test_a_service_that_hangs_with_the_body_in_its_hands(before):
    def script(visitor):
        assert visitor.head() is not None
        visitor.body()
        visitor.breaks_off()

    before(script, deadline_ms=300)
    client = before.client()
    client.send(head(f"Content-Length: {LONG}") + b"x" * LONG)
    assert json.loads(client.answer()[2])["error"] == "OUTCOME_UNKNOWN"


def test_the_time_of_the_upload_is_not_the_services(before):
    """A client that is slower than the route's deadline, but not too slow."""
    before(answer_all, deadline_ms=2500)
    client = before.client()
    client.send(head(f"Content-Length: {10 * WHOLE}") + b"x" * WHOLE)
    for _ in range(9):
        time.sleep(0.3)
        client.send(b"x" * WHOLE)
    assert client.answer()[2] == b"%d" % (10 * WHOLE)


def test_many_at_once(before):
    before(answer_all, ONRUSH_UPSTREAM_CONNS=4, ONRUSH_UPSTREAM_QUEUE_MS=5000)
    clients = [before.client() for _ in range(20)]
    for client in clients:
        data = head(f"Content-Length: {MB}") + b"x" * MB
        threading.Thread(target=client.send, args=(data,), daemon=True).start()
    assert {client.answer()[2] for client in clients} == {b"%d" % MB}


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_a_drain_waits_for_an_upload(world, before):
    before(answer_all)
    client = before.client()
    client.send(head(f"Content-Length: {LONG}") + b"x" * 2 * WHOLE)
    until(lambda: calls(world, "answered") >= 0)
    stopped = threading.Thread(target=world.stop, args=("gateway",))
    stopped.start()
    until(lambda: not is_listening(world.port("gateway")))
    client.send(b"x" * (LONG - 2 * WHOLE))
    status, headers, body = client.answer()
    assert (status, headers["connection"], body) == (200, "close", b"%d" % LONG)
    stopped.join()


# --- smuggling --------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMUGGLING)
def test_nothing_is_smuggled_behind_a_long_body(before, name):
    data, expected = SMUGGLING[name]
    whole = []

    def script(visitor):
        try:
            while request := visitor.head():
                assert b"x-smuggled" not in dict(request.headers)
                whole.append(visitor.body())
                visitor.answer()
                visitor.again()
        except (h11.RemoteProtocolError, ConnectionError):
            pass  # it broke off within a body

    before(script)
    client = before.client()
    client.send(data)
    client.socket.shutdown(socket.SHUT_WR)
    assert [client.answer()[0] for _ in expected] == expected
    assert client.ends()
    assert len(whole) == expected.count(200)
