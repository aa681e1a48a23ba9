"""Websockets through the gateway: the handshake is checked on both sides, then every byte
passes, at the pace of the slower side, until one of them ends."""

import json
import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from api.http_case import CRLF
from api.lines import until
from api.websocket import CLOSE, PING, TEXT, Client, Service, frame, switch

MB = 1 << 20


@pytest.fixture
def before(world, tmp_path):
    """The gateway before a service of websockets; /ws is one, /plain is none."""
    routes = tmp_path / "routes.json"

    with ExitStack() as stack:

        def start(script=None, answer=None, **settings):
            document = {
                "services": {"a": {"servers": f"127.0.0.1:{world.port('a')}"}},
                "routes": [
                    {"method": "GET", "path": "/ws", "service": "a", "upgrade": "websocket"},
                    {"method": "GET", "path": "/plain", "service": "a"},
                ],
            }
            routes.write_text(json.dumps(document), encoding="utf-8")
            service = stack.enter_context(Service(world.port("a"), script, answer))
            settings.setdefault("ONRUSH_ACCESS_LOG", 1)
            start.process = world.start(
                "gateway", ONRUSH_ROUTES=routes, ONRUSH_WORKERS=1, **settings
            )
            return service

        start.client = lambda **said: stack.enter_context(Client(world.port("gateway"), **said))
        yield start


def metric(world, name):
    return world.client("gateway").metrics()[name]


# --- what passes ------------------------------------------------------------------------


def test_frames_pass_both_ways(world, before):
    service = before()
    client = before.client(Origin="https://shop", Cookie="a=b").opened()
    assert metric(world, "onrush_gateway_tunnels") == 1
    for size in (0, 1, 125, 126, 65535, 65536, 3 * MB):
        data = os.urandom(size)
        client.send(data)
        assert client.read() == (2, data)
    client.send(b"hello", TEXT)
    client.send(b"", PING)
    assert [client.read(), client.read()] == [(TEXT, b"hello"), (PING, b"")]
    client.send(b"\x03\xe8", CLOSE)
    assert client.read() == (CLOSE, b"\x03\xe8")
    assert client.read() is None
    until(lambda: service.open == 0)
    _, said = service.heads[0]
    assert said["connection"].lower() == "upgrade" and said["upgrade"] == "websocket"
    assert said["origin"] == "https://shop" and "cookie" not in said
    assert metric(world, "onrush_gateway_tunnels") == 0
    assert metric(world, "onrush_gateway_tunnels_opened_total") == 1


def test_its_log_line_says_how_much_passed(world, before):
    before()
    client = before.client().opened()
    client.send(b"x" * 1000)
    client.read()
    client.socket.shutdown(2)

    def line():
        lines = [entry for entry in world.logs("gateway") if entry.get("status") == 101]
        return lines and lines[0]

    until(line)
    assert line()["received"] == 1000 + 8 and line()["bytes"] == 1000 + 4


def test_what_the_service_says_at_once(before):
    def script(_, connection):
        connection.sendall(frame(b"more"))

    before(script, lambda headers: switch(headers) + frame(b"first"))
    client = before.client().opened()
    assert [client.read(), client.read(), client.read()] == [(2, b"first"), (2, b"more"), None]


def test_extensions_and_protocols_are_theirs_to_agree(before):
    def answer(headers):
        assert headers["sec-websocket-protocol"] == "chat, talk"
        assert headers["sec-websocket-extensions"] == "permessage-deflate"
        more = b"\r\nSec-WebSocket-Protocol: talk\r\nSec-WebSocket-Extensions: permessage-deflate"
        return switch(headers).replace(b"\r\n\r\n", more + b"\r\n\r\n")

    before(answer=answer)
    said = {
        "Sec_WebSocket_Protocol": "chat, talk",
        "Sec_WebSocket_Extensions": "permessage-deflate",
    }
    client = before.client(**said).opened()
    assert client.headers["sec-websocket-protocol"] == "talk"
    assert client.headers["sec-websocket-extensions"] == "permessage-deflate"


def test_tunnels_take_no_calls_place(before, world):
    """They are not counted among the connections to a server that calls may use."""
    before(
        answer=lambda h: (
            switch(h) if "upgrade" in h else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        ),
        ONRUSH_UPSTREAM_CONNS=1,
    )
    clients = [before.client().opened() for _ in range(5)]
    assert world.client("gateway").get("/plain").status == 200
    for client in clients:
        client.send(b"x")
        assert client.read() == (2, b"x")


# --- who waits for whom -----------------------------------------------------------------


def rss_kb(process):
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.parametrize("slow", ["client", "service"])
def test_the_faster_side_waits(before, variant, slow):
    go_on = threading.Event()
    big = os.urandom(20 * MB)

    def script(stream, connection):
        if slow == "client":
            connection.sendall(frame(big))
            return
        assert go_on.wait(60)
        echo_size = len(stream.read(20 * MB + 14))
        connection.sendall(frame(b"%d" % echo_size))

    before(script)
    client = before.client().opened()
    plain = rss_kb(before.process)
    if slow == "service":
        threading.Thread(target=client.send, args=(big,), daemon=True).start()
    most = max(rss_kb(before.process) for _ in range(20) if not time.sleep(0.05))
    go_on.set()
    assert client.read() == (2, big if slow == "client" else b"%d" % (20 * MB + 14))
    assert most - plain < 1024 or variant == "asan"


# --- ends -------------------------------------------------------------------------------


def test_a_client_that_leaves(before):
    service = before()
    client = before.client().opened()
    client.socket.shutdown(2)
    until(lambda: service.open == 0)


def test_silence_ends_it(world, before):
    service = before(ONRUSH_TUNNEL_IDLE_MS=300)
    last = time.monotonic()
    client = before.client().opened()
    for _ in range(5):  # what passes starts the time again
        sent = time.monotonic()
        client.send(b"x")
        if (seen := client.read()) != (2, b"x"):
            break  # a busy machine may be silent by itself
        last = sent
        time.sleep(0.1)
    else:
        seen = client.read()
    assert seen == (CLOSE, b"\x03\xe9")
    assert time.monotonic() - last >= 0.3
    assert client.read() is None
    until(lambda: service.open == 0)
    assert metric(world, "onrush_gateway_tunnels_idle_total") == 1


@pytest.mark.parametrize("edge", [True, False], ids=["between-frames", "within-a-frame"])
def test_a_drain_ends_it(world, before, edge):
    service = before(
        lambda stream, c: (c.sendall(frame(b"x" * 100)[: 102 if edge else 50]), stream.read())
    )
    client = before.client().opened()
    first = client.stream.read(102 if edge else 50)
    assert len(first) in (50, 102)
    world.stop("gateway")
    rest = client.stream.read()
    assert rest == (b"\x88\x02\x03\xe9" if edge else b"")
    until(lambda: service.open == 0)


# --- what is no websocket ---------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"Sec_WebSocket_Version": "12"},
        {"Sec_WebSocket_Version": None},
        {"Sec_WebSocket_Key": None},
        {"Sec_WebSocket_Key": "short"},
        {"Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA!="},
        {"Content_Length": "0"},
    ],
    ids=str,
)
def test_bad_handshakes_reach_nobody(before, said):
    service = before()
    client = before.client(**said)
    assert client.status == 400
    assert client.headers["sec-websocket-version"] == "13"
    assert service.heads == []


@pytest.mark.parametrize(
    "said",
    [{"Upgrade": None}, {"Connection": "keep-alive"}, {"Upgrade": "h2c"}, {"path": "/plain"}],
    ids=str,
)
def test_who_does_not_ask_gets_none(before, said):
    """As if it had not been asked (RFC 9110, 7.8)."""
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    service = before(answer=lambda headers: plain)
    client = before.client(**said)
    assert client.status == 200
    assert "upgrade" not in client.headers
    ((_, headers),) = service.heads
    assert not {"upgrade", "connection", "sec-websocket-key"} & set(headers)


def test_a_service_may_say_no(before):
    before(answer=lambda _: b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    client = before.client()
    assert (client.status, client.stream.read(2)) == (403, b"no")


def without(name):
    return lambda headers: CRLF.join(
        line for line in switch(headers).split(CRLF) if not line.lower().startswith(name)
    )


@pytest.mark.parametrize(
    "answer",
    [
        without(b"upgrade:"),
        without(b"connection:"),
        without(b"sec-websocket-accept:"),
        lambda headers: switch({"sec-websocket-key": "another"}),
        lambda headers: switch(headers).replace(b"websocket", b"h2c"),
    ],
    ids=["no-upgrade", "no-connection", "no-accept", "wrong-accept", "other-protocol"],
)
def test_answers_that_are_none(before, answer):
    service = before(answer=answer)
    client = before.client()
    assert client.status == 502
    until(lambda: service.open == 0)


def test_101_that_nobody_asked_for(before):
    before(answer=switch)
    assert before.client(path="/plain").status == 502
