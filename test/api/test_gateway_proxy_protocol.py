"""Connections that a balancer passes on, with the PROXY protocol: haproxy is one of them."""

import contextlib
import socket
import ssl
import struct
import subprocess
import time
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from api.authority import Authority
from api.fake_service import FakeService, response
from api.lines import until

GET = b"GET /payments/1 HTTP/1.1\r\nHost: a\r\n\r\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PAIR = socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.2") + struct.pack(">HH", 1, 2)


def v2(command=0x21, family=0x11, payload=PAIR):
    return SIGNATURE + struct.pack(">BBH", command, family, len(payload)) + payload


@pytest.fixture
def edge(world, tmp_path):
    """The gateway that takes connections from these balancers, with TLS and without, and
    what its service has seen: where requests came from and how."""
    authority = Authority(tmp_path)
    seen = []

    def behave(request):
        seen.append((request.header("x-forwarded-for"), request.header("x-forwarded-proto")))
        return response(200)

    with ExitStack() as stack:

        def start(balancers="127.0.0.0/8", **settings):
            stack.enter_context(FakeService(world.port("reservation"), behave))
            cert, key = authority.issue("shop", "shop.example")
            port = world.port("gateway")
            world.start(
                "gateway",
                wait=False,
                ONRUSH_PROXY_PROTOCOL=balancers,
                ONRUSH_TLS_LISTEN=f"127.0.0.1:{world.port('tls')}",
                ONRUSH_TLS_CERT=cert,
                ONRUSH_TLS_KEY=key,
                **settings,
            )
            until(lambda: any("started" in line["msg"] for line in world.logs("gateway")))
            context = authority.context()
            return SimpleNamespace(port=port, tls=world.port("tls"), context=context, seen=seen)

        yield start


def say(port, *pieces):
    """All that comes back; the pieces are sent one by one, then that nothing follows."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                s.sendall(piece)
            with contextlib.suppress(OSError):  # closed already
                s.shutdown(socket.SHUT_WR)
            while more := s.recv(65536):
                received += more
        except ConnectionError:
            pass
    return received


def timeouts(world):
    return world.client("gateway").metrics()['onrush_http_timeouts_total{what="open"}']


def headless(world):
    metrics = world.client("gateway").metrics()
    return metrics['onrush_http_proxy_refused_total{why="header"}']


@pytest.mark.parametrize(
    ("header", "source"),
    [
        (V1, ("192.0.2.1", "http")),
        (b"PROXY TCP6 2001:db8::9 ::1 1 2\r\n", ("2001:db8::9", "http")),
        (b"PROXY UNKNOWN\r\n", ("127.0.0.1", "http")),
        (v2(), ("192.0.2.7", "http")),
        (v2(command=0x20), ("127.0.0.1", "http")),
        (v2(payload=PAIR + b"\x20\0\x05\x01\0\0\0\0"), ("192.0.2.7", "https")),
    ],
    ids=["v1", "v1-ipv6", "v1-unknown", "v2", "v2-local", "v2-tls"],
)
def test_services_are_told_whom_a_request_is_from(edge, header, source):
    gateway = edge()
    assert say(gateway.port, header + GET + GET).count(b" 200 OK") == 2
    assert say(gateway.port, header, GET).count(b" 200 OK") == 1
    pieces = [bytes([byte]) for byte in header + GET]
    assert say(gateway.port, *pieces).count(b" 200 OK") == 1
    assert gateway.seen == [source] * 4


@pytest.mark.parametrize("together", [True, False])
def test_tls_comes_behind_the_header(edge, together):
    gateway = edge()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = gateway.context.wrap_bio(incoming, outgoing, server_hostname="shop.example")
    with socket.create_connection(("127.0.0.1", gateway.tls), timeout=10) as s:
        first = V1
        if not together:
            s.sendall(first)
            time.sleep(0.05)  # so that it is probably read by itself; either way is right
            first = b""
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                s.sendall(first + outgoing.read())
                first = b""
                incoming.write(s.recv(65536))
        client.write(GET)
        s.sendall(outgoing.read())
        incoming.write(s.recv(65536))
        until(lambda: gateway.seen)
    assert gateway.seen == [("192.0.2.1", "https")]


@pytest.mark.parametrize(
    "data",
    [
        GET,
        b"\r\n" + V1 + GET,
        V1.replace(b"192.0.2.1", b"192.0.2.256") + GET,
        V1.replace(b"\r\n", b"\n") + GET,
        b"PROXY UNKNOWN " + b"x" * 200,
        v2(command=0x23) + GET,
        v2(payload=PAIR[:8]) + GET,
        SIGNATURE,
        V1[:20],
    ],
    ids=["none", "late", "no-address", "bare-lf", "long", "command", "short", "cut", "cut-v1"],
)
def test_who_does_not_say_whom_it_is_from_is_shown_out(world, edge, data):
    gateway = edge()
    assert say(gateway.port, data) == b""
    assert say(gateway.tls, data) == b""
    assert headless(world) == 2
    assert not gateway.seen


def test_only_balancers_are_believed(world, edge):
    gateway = edge("10.0.0.0/8, 127.0.0.2/32, fd00::/8")
    assert say(gateway.port, V1 + GET) == b""
    assert say(gateway.tls, V1 + GET) == b""
    with socket.socket() as s:
        s.settimeout(10)
        s.bind(("127.0.0.2", 0))
        s.connect(("127.0.0.1", gateway.port))
        s.sendall(V1 + GET)
        assert s.recv(65536).startswith(b"HTTP/1.1 200")
    assert gateway.seen == [("192.0.2.1", "http")]
    lines = [line["msg"] for line in world.logs("gateway") if "refused its" in line["msg"]]
    assert lines == ["127.0.0.1 is not in ONRUSH_PROXY_PROTOCOL: refused its connection"] * 2


def test_a_header_has_a_deadline(world, edge):
    gateway = edge(ONRUSH_OPEN_TIMEOUT_MS=200)
    for beginning in (b"", b"P", V1[:-1], v2()[:-1]):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as s:
            s.sendall(beginning)
            assert s.recv(10) == b""
    assert timeouts(world) == 4


def test_off_a_header_is_no_request(world):
    world.start("gateway")
    assert say(world.port("gateway"), V1 + GET).startswith(b"HTTP/1.1 400 ")


def test_wrong_networks_are_named(world):
    done = subprocess.run(
        [world.engines.bin / "onrush-gateway", "--check"],
        env={"ONRUSH_PROXY_PROTOCOL": "10.0.0.0/8,10.0.0.1/8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert 'ONRUSH_PROXY_PROTOCOL: "10.0.0.1/8" is not a network' in done.stdout


HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen one
    bind 127.0.0.1:{one}
    server gateway 127.0.0.1:{port} send-proxy
listen two
    bind 127.0.0.1:{two}
    server gateway 127.0.0.1:{port} send-proxy-v2 proxy-v2-options crc32c
"""


def test_haproxy_is_understood(world, edge, tmp_path):
    gateway = edge()
    ports = {"one": world.port("haproxy-1"), "two": world.port("haproxy-2"), "port": gateway.port}
    config = tmp_path / "haproxy.cfg"
    config.write_text(HAPROXY.format(**ports))
    haproxy = subprocess.Popen(["haproxy", "-db", "-f", config])
    try:
        for port in (ports["one"], ports["two"]):
            until(lambda port=port: b" 200 " in _try(port))
    finally:
        haproxy.terminate()
        haproxy.wait()
    assert set(gateway.seen) == {("127.0.0.1", "http")}
    assert headless(world) == 0


def _try(port):
    try:
        return say(port, GET)
    except ConnectionRefusedError:
        return b""
