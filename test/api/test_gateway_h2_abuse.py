"""HTTP/2 from clients: what may not be said, and what nobody may do too often."""

import threading
from contextlib import ExitStack, suppress

import h2.exceptions
import pytest
from api.fake_service import FakeService, response
from api.h2_client import AUTHORITY, Client, head
from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PATH = "/api/v1/products/ranks"


@pytest.fixture
def gateway(world):
    """Starts the gateway before an order service that behaves so; gives what makes clients."""
    with ExitStack() as stack:

        def start(behave=None, **settings):
            if behave is not None:
                stack.enter_context(FakeService(world.port("order"), behave))
            world.start("gateway", **settings)
            return lambda **how: stack.enter_context(Client(world.port("gateway"), **how))

        yield start


# --- what may not be said (RFC 9113, 8.1.1, 8.2, 8.3) ---


def without(*names):
    return [(n, v) for n, v in head() if n not in names]


MALFORMED = {
    "upper-case name": [*head(), ("X-Up", "1")],
    "connection": [*head(), ("connection", "close")],
    "keep-alive": [*head(), ("keep-alive", "1")],
    "proxy-connection": [*head(), ("proxy-connection", "close")],
    "transfer-encoding": [*head(), ("transfer-encoding", "chunked")],
    "upgrade": [*head(), ("upgrade", "websocket")],
    "te": [*head(), ("te", "gzip")],
    "no method": without(":method"),
    "no scheme": without(":scheme"),
    "no path": without(":path"),
    "nobody asked": without(":authority"),
    "empty path": [*without(":path"), (":path", "")],
    "relative path": [*without(":path"), (":path", "healthz")],
    "path of another form": [*without(":path"), (":path", "http://a/healthz")],
    "star": [*without(":path"), (":path", "*")],
    "two words in a path": [*without(":path"), (":path", "/healthz HTTP/1.1")],
    "fragment": [*without(":path"), (":path", "/healthz#a")],
    "escaped NUL": [*without(":path"), (":path", "/%00")],
    "CONNECT": [(":method", "CONNECT"), (":authority", AUTHORITY)],
    "two words as method": [*without(":method"), (":method", "GET /")],
    "second method": [*head(), (":method", "GET")],
    "second path": [*head()[:4], (":path", "/healthz")],
    "pseudo after regular": [("accept", "*/*"), *head()],
    "unknown pseudo": [*head(), (":protocol", "websocket")],
    "pseudo of answers": [*head(), (":status", "200")],
    "other scheme": [*without(":scheme"), (":scheme", "ftp")],
    "user in authority": [*without(":authority"), (":authority", "me@shop")],
    "other host": [*head(), ("host", "other.example")],
    "line end in value": [*head(), ("x", "a\r\nb: c")],
    "line feed in value": [*head(), ("x", "a\nb")],
    "NUL in value": [*head(), ("x", "a\0b")],
    "space before value": [*head(), ("x", " a")],
    "space after value": [*head(), ("x", "a ")],
    "space in name": [*head(), ("a b", "c")],
    "colon in name": [*head(), ("a:b", "c")],
    "empty name": [*head(), ("", "c")],
    "length without body": [*head(), ("content-length", "5")],
    "two lengths": [*head(), ("content-length", "0"), ("content-length", "0")],
    "length with sign": [*head(), ("content-length", "+0")],
}


def test_malformed_heads_are_refused(world, gateway):
    connect = gateway()
    taken = []
    for what, headers in MALFORMED.items():
        client = connect()
        answer = client.answer(client.ask(headers))
        # Before the reset a server may answer (8.1.1).
        if answer.reset != ErrorCodes.PROTOCOL_ERROR and answer.status != 400:
            taken.append((what, answer.status, answer.reset))
        assert client.get().status == 200
    assert not taken
    metrics = world.client("gateway").metrics()
    assert metrics["onrush_http_malformed_total"] == len(MALFORMED)


def test_a_body_is_as_long_as_was_said(gateway):
    client = gateway(lambda r: response(200, r.body))()
    charge = head("POST", "/api/v1/users/7/balance/charge", ("content-length", "5"))
    for body in (b"1234", b"123456"):
        stream = client.ask(charge, end=False)
        frame = DataFrame(stream, body, flags=["END_STREAM"])
        client.send_raw(frame)
        assert client.answer(stream).reset == ErrorCodes.PROTOCOL_ERROR
    assert client.get().status == 200


@pytest.mark.parametrize("trailer", [("content-length", "1"), ("connection", "x"), (":path", "/")])
def test_malformed_trailers_are_refused(gateway, trailer):
    client = gateway(lambda r: response(200, r.body))()
    charge = head("POST", "/api/v1/users/7/balance/charge")
    stream = client.ask(charge, b"1", end=False)
    block = client.h2.encoder.encode([trailer])
    client.send_raw(HeadersFrame(stream, block, flags=["END_HEADERS", "END_STREAM"]))
    assert client.answer(stream).reset is not None
    assert client.get().status == 200


def test_trailers_are_read_and_dropped(gateway):
    client = gateway(lambda r: response(200, b"%d" % len([h for h in r.headers if h[0] == "x"])))()
    stream = client.ask(head("POST", "/api/v1/users/7/balance/charge"), b"1", end=False)
    block = client.h2.encoder.encode([("x", "y")])
    client.send_raw(HeadersFrame(stream, block, flags=["END_HEADERS", "END_STREAM"]))
    assert client.answer(stream).body == b"0"


def test_cookies_are_joined_and_stay_here(gateway):
    client = gateway(lambda r: response(200, repr(r.headers).encode()))()
    answer = client.get(PATH, "GET", ("cookie", "a=1"), ("cookie", "b=2"))
    assert answer.status == 200
    assert b"cookie" not in answer.body


# --- what nobody may do too often ---


def flood(client, frames, times):
    """Sends until the other side has had enough; the error that it gives."""
    data = b"".join(f.serialize() for f in frames)
    try:
        for _ in range(times):
            client.sock.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return client.until_closed()


IDLE_FRAMES = {
    "pings": PingFrame(0, b"12345678"),
    "settings": SettingsFrame(0),
    "priorities": PriorityFrame(1, depends_on=0, stream_weight=1),
    "windows": WindowUpdateFrame(0, window_increment=1),
}


@pytest.mark.parametrize("what", IDLE_FRAMES)
def test_floods_of_idle_frames_end_the_connection(world, gateway, what):
    connect = gateway()
    client = connect()
    assert client.get().status == 200
    assert flood(client, [IDLE_FRAMES[what]] * 100, 200) in (
        ErrorCodes.ENHANCE_YOUR_CALM,
        None,  # the socket was reset while we wrote on
    )
    assert world.client("gateway").metrics()["onrush_http2_floods_total"] == 1
    assert connect().get().status == 200


def test_empty_data_is_a_flood(world, gateway):
    client = gateway()()
    stream = client.ask(head("POST", "/api/v1/users/7/balance/charge"), end=False)
    flood(client, [DataFrame(stream)] * 100, 200)
    assert world.client("gateway").metrics()["onrush_http2_floods_total"] == 1


def storm(world, gateway, end):
    """Requests that nobody answers yet, `end(stream)` behind each: the connection must end."""
    go_on = threading.Event()

    def behave(_):
        go_on.wait(20)
        return response()

    client = gateway(behave)()
    frames = b""
    for stream in range(1, 1201, 2):
        block = client.h2.encoder.encode(head("GET", PATH))
        frames += HeadersFrame(stream, block, flags=["END_HEADERS", "END_STREAM"]).serialize()
        frames += end(stream).serialize()
    with suppress(BrokenPipeError, ConnectionResetError):
        client.sock.sendall(frames)
    assert client.until_closed() in (ErrorCodes.ENHANCE_YOUR_CALM, None)
    go_on.set()
    assert world.client("gateway").metrics()["onrush_http2_floods_total"] == 1


def test_rapid_resets_end_the_connection(world, gateway):
    """CVE-2023-44487: requests that are taken back as soon as they are made."""
    storm(world, gateway, lambda stream: RstStreamFrame(stream, error_code=8))


def test_streams_that_clients_make_us_reset_count_too(world, gateway):
    """CVE-2025-8671: a window of more than there can be must be answered by a reset."""
    storm(world, gateway, lambda s: WindowUpdateFrame(s, window_increment=2**31 - 1))


def test_a_head_without_end_ends_the_connection(gateway):
    """CVE-2024-28182: CONTINUATION upon CONTINUATION."""
    client = gateway()()
    assert client.get().status == 200
    client.sock.sendall(HeadersFrame(3, client.h2.encoder.encode(head()), flags=[]).serialize())
    more = ContinuationFrame(3, client.h2.encoder.encode([("x", "y")]))
    assert flood(client, [more] * 100, 100) is not ErrorCodes.NO_ERROR
    assert client.eof


def test_a_head_that_does_not_end_in_time_ends_the_connection(world, gateway):
    client = gateway(ONRUSH_HEAD_TIMEOUT_MS=200)()
    assert client.get().status == 200
    client.send_raw(HeadersFrame(3, client.h2.encoder.encode(head()), flags=["END_STREAM"]))
    client.until_closed()
    metrics = world.client("gateway").metrics()
    assert metrics['onrush_http_timeouts_total{what="head"}'] == 1


def test_a_body_that_does_not_end_in_time_is_answered_so(world, gateway):
    client = gateway(ONRUSH_BODY_TIMEOUT_MS=200)()
    stream = client.ask(head("POST", "/api/v1/users/7/balance/charge"), end=False)
    assert client.answer(stream).status == 408
    assert client.get().status == 200


def test_idle_connections_are_closed_with_goaway(gateway):
    # The time runs from the connection on, so the request comes with it.
    client = gateway(ONRUSH_IDLE_TIMEOUT_MS=1500)(early=[head()])
    assert client.answer(1).status == 200
    assert client.until_closed() == ErrorCodes.NO_ERROR


def test_more_streams_than_may_be_end_the_connection(gateway):
    go_on = threading.Event()

    def behave(_):
        go_on.wait(20)
        return response()

    # One worker, which has all connections to the service: a request that waited for one
    # would be refused after a while, and its stream end.
    client = gateway(behave, ONRUSH_WORKERS=1)()
    client.until(lambda: client.h2.remote_settings.max_concurrent_streams == 100)
    for _ in range(100):
        client.ask(head("GET", PATH))
    with pytest.raises(h2.exceptions.TooManyStreamsError):
        client.ask(head("GET", PATH))
    client.h2.remote_settings.max_concurrent_streams = 101
    client.h2.remote_settings.acknowledge()
    client.ask(head("GET", PATH))
    assert client.until_closed() == ErrorCodes.PROTOCOL_ERROR
    go_on.set()
