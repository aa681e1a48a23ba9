"""TLS at the gateway, with Python's ssl, openssl s_client and curl at the other end."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from api.authority import Authority
from api.fake_service import FakeService, echo, response
from api.lines import until
from api.tls_clients import GET, ask, client_hello, connect, is_closed, s_client

MB = 1 << 20
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def edge(world, authority):
    """The gateway with TLS for two names, before a reservation service."""
    with ExitStack() as stack:

        def start(behave=echo, **settings):
            stack.enter_context(FakeService(world.port("reservation"), behave))
            shop = authority.issue("shop", "shop.example")
            other = authority.issue("other", "*.other.example", days=10)
            settings = {
                "ONRUSH_TLS_LISTEN": f"127.0.0.1:{world.port('tls')}",
                "ONRUSH_TLS_CERT": f"{shop[0]}, {other[0]}",
                "ONRUSH_TLS_KEY": f"{shop[1]}, {other[1]}",
            } | settings
            process = world.start("gateway", **settings)
            return SimpleNamespace(process=process, port=world.port("tls"))

        yield start


def handshakes(world, **labels):
    """How many ended well, with these labels."""
    wanted = [f'{name}="{value}"' for name, value in labels.items()]
    return sum(
        value
        for name, value in world.client("gateway").metrics().items()
        if name.startswith("onrush_http_tls_handshakes_total")
        and all(label in name for label in wanted)
    )


def failures(world, why):
    return world.client("gateway").metrics()[f'onrush_http_tls_failures_total{{why="{why}"}}']


# --- what is spoken ---------------------------------------------------------------------


def test_services_are_told_how_a_request_came(world, edge, authority):
    seen = []

    def behave(request):
        seen.append(request.header("x-forwarded-proto"))
        return response(200)

    port = edge(behave).port
    with connect(port, authority.context()) as s:
        assert [ask(s)[0] for _ in range(3)] == [200] * 3
    assert world.client("gateway").get("/payments/1").status == 200
    assert seen == ["https"] * 3 + ["http"]


def test_curl_gets_its_answer(edge, authority):
    port = edge().port
    done = subprocess.run(
        [
            "curl",
            "-sS",
            "--cacert",
            authority.root,
            "--connect-to",
            f"::127.0.0.1:{port}",
            "https://shop.example/payments/7",
        ],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert json.loads(done.stdout)["target"] == "/payments/7"


def test_old_versions_and_weak_ciphers_are_refused(world, edge):
    port = edge().port
    for version, spoken in (("-tls1", 0), ("-tls1_1", 0), ("-tls1_2", 1), ("-tls1_3", 1)):
        said = s_client(port, version, "-cipher", "ALL:@SECLEVEL=0")
        assert ("Cipher is (NONE)" not in said) == bool(spoken), said
    for weak in ("AES128-SHA", "AES128-GCM-SHA256", "ECDHE+AES:!AESGCM", "aNULL", "eNULL", "DHE"):
        said = s_client(port, "-tls1_2", "-cipher", f"{weak}:@SECLEVEL=0")
        assert "Cipher is (NONE)" in said, said
    said = s_client(port, "-tls1_3", "-curves", "X448:P-521")
    assert "Cipher is (NONE)" in said, said
    said = s_client(port, "-alpn", "spdy/3")
    assert "no application protocol" in said, said
    said = s_client(port, "-status", "-tls1_2")
    assert "Compression: NONE" in said and "Secure Renegotiation IS supported" in said
    until(lambda: failures(world, "refused") == 10)


def test_the_oldest_version_can_be_13(edge, authority):
    port = edge(ONRUSH_TLS_MIN="1.3").port
    assert "protocol version" in s_client(port, "-tls1_2")
    with connect(port, authority.context(V13)) as s:
        assert s.version() == "TLSv1.3" and ask(s)[0] == 200


def test_a_name_gets_its_certificate(edge, authority):
    port = edge().port
    for name in ("shop.example", "a.other.example"):
        with connect(port, authority.context(), name) as s:
            assert ask(s)[0] == 200
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        connect(port, authority.context(), "a.b.other.example")
    assert "CN = shop.example" in s_client(port, "-noservername")
    assert "CN = shop.example" in s_client(port, "-servername", "unknown.example")


def test_http_11_is_agreed_on(edge, authority):
    port = edge().port
    context = authority.context()
    context.set_alpn_protocols(["spdy/3", "http/1.1"])
    with connect(port, context) as s:
        assert s.selected_alpn_protocol() == "http/1.1" and ask(s)[0] == 200


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_sessions_are_resumed_at_any_worker(world, edge, authority, version):
    port = edge(ONRUSH_WORKERS=4).port
    context = authority.context(version)
    session = None
    for _ in range(24):  # the kernel deals them out to the workers
        with connect(port, context, session=session) as s:
            assert ask(s)[0] == 200
            assert s.session_reused == (session is not None)
            session = s.session
    until(lambda: handshakes(world, resumed="true") == 23)
    assert handshakes(world, resumed="false") == 1


# --- certificates -----------------------------------------------------------------------


def serial(port, context, name="shop.example"):
    with connect(port, context, name) as s:
        return s.getpeercert()["serialNumber"]


def reload_until(process, world, result, count=1):
    name = f'onrush_gateway_certificate_reloads_total{{result="{result}"}}'
    os.kill(process.pid, signal.SIGHUP)
    until(lambda: world.client("gateway").metrics()[name] == count)


def test_new_certificates_come_without_a_lost_request(world, edge, authority):
    gateway = edge(ONRUSH_WORKERS=2)
    context = authority.context()
    done, wrong = threading.Event(), []

    def load(keep):
        try:
            while not done.is_set():
                with connect(gateway.port, context) as s:
                    for _ in range(1000 if keep else 1):
                        assert ask(s)[0] == 200
                        if done.is_set():
                            break
        except Exception as error:  # whatever it is, it is the result
            wrong.append(error)

    threads = [threading.Thread(target=load, args=(i % 2,)) for i in range(6)]
    kept = connect(gateway.port, context)
    assert ask(kept)[0] == 200
    for thread in threads:
        thread.start()
    for count in range(1, 4):
        before = serial(gateway.port, context)
        authority.issue("shop", "shop.example")
        reload_until(gateway.process, world, "taken", count)
        until(lambda before=before: serial(gateway.port, context) != before)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert ask(kept)[0] == 200
    kept.close()


def test_bad_certificates_are_refused_and_the_old_stay(world, edge, authority):
    gateway = edge()
    context = authority.context()
    before = serial(gateway.port, context)
    world.expect_error("the new certificates are refused")
    key = (authority.dir / "shop.key").read_bytes()
    authority.issue("shop", "shop.example")
    (authority.dir / "shop.key").write_bytes(key)  # of the one before
    reload_until(gateway.process, world, "refused")
    (authority.dir / "shop.crt").write_text("nothing of that kind\n")
    reload_until(gateway.process, world, "refused", 2)
    (authority.dir / "shop.crt").unlink()
    reload_until(gateway.process, world, "refused", 3)

    def errors():
        return [line["msg"] for line in world.logs("gateway") if line["level"] == "error"]

    said = until(lambda: len(lines := errors()) >= 3 and lines)
    assert "for the certificate of" in said[0] and "key values mismatch" in said[0]
    assert "has no certificate" in said[1] and "No such file" in said[2]
    assert serial(gateway.port, context) == before
    authority.issue("shop", "shop.example")
    reload_until(gateway.process, world, "taken")
    until(lambda: serial(gateway.port, context) != before)


def test_the_end_of_a_certificate_is_foretold(world, edge, authority):
    edge()
    rows = {
        name: value
        for name, value in world.client("gateway").metrics().items()
        if name.startswith("onrush_gateway_certificate_expiry_seconds")
    }
    ends = {name.split("/")[-1]: (value - time.time()) / 86400 for name, value in rows.items()}
    assert 89 < ends['shop.crt"}'] < 91 and 9 < ends['other.crt"}'] < 11
    lines = until(lambda: [r for r in world.logs("gateway") if "expires in" in r["msg"]])
    assert len(lines) == 1 and "other.crt expires in 9 days" in lines[0]["msg"]
    assert lines[0]["level"] == "warn"


def test_an_expired_certificate_is_an_error_in_the_log(world, edge, authority):
    world.expect_error("has expired")
    gateway = edge()
    authority.issue("shop", "shop.example", days=-1)
    reload_until(gateway.process, world, "taken")
    until(lambda: any("shop.crt has expired" in r["msg"] for r in world.logs("gateway")))

    def refused():
        try:
            connect(gateway.port, authority.context()).close()
        except ssl.SSLCertVerificationError as error:
            return str(error)

    # One worker says it; the others have the new certificate within a second.
    assert "expired" in until(refused)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ONRUSH_TLS_CERT": ""}, "needs ONRUSH_TLS_CERT and ONRUSH_TLS_KEY"),
        ({"ONRUSH_TLS_KEY": "/nowhere"}, "there are 2 and 1"),
        ({"ONRUSH_TLS_CERT": "/a,,/b"}, "ONRUSH_TLS_CERT: takes 1 to 64 file names"),
        ({"ONRUSH_TLS_MIN": "1.1"}, "ONRUSH_TLS_MIN=1.1: must be 1.2 or 1.3"),
        ({"ONRUSH_TLS_CERT": "/nowhere,/b"}, "cannot read /nowhere: No such file"),
    ],
    ids=["none", "too-few", "empty", "old", "missing"],
)
def test_settings_that_do_not_fit_are_named(world, authority, settings, said):
    one, two = authority.issue("one", "a.example"), authority.issue("two", "b.example")
    env = {
        "ONRUSH_TLS_LISTEN": "127.0.0.1:1",
        "ONRUSH_TLS_CERT": f"{one[0]},{two[0]}",
        "ONRUSH_TLS_KEY": f"{one[1]},{two[1]}",
    }
    done = subprocess.run(
        [world.engines.bin / "onrush-gateway", "--check"],
        env=env | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and said in done.stdout


# --- clients that are slow, wrong or many -----------------------------------------------


def test_a_handshake_has_a_deadline(world, edge, authority):
    port = edge(ONRUSH_OPEN_TIMEOUT_MS=3000).port
    hello = client_hello()
    slow = []
    for first in (b"", hello[:1], hello[:50], hello[:-1], hello):
        slow.append(socket.create_connection(("127.0.0.1", port), timeout=10))
        slow[-1].sendall(first)
    with connect(port, authority.context()) as s:
        assert ask(s)[0] == 200
    assert all(is_closed(s) for s in slow)
    assert failures(world, "timeout") == 4
    assert world.client("gateway").metrics()['onrush_http_timeouts_total{what="open"}'] == 1
    for s in slow:
        s.close()


def test_a_hello_byte_by_byte_is_a_hello(edge, authority):
    port = edge().port
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.context().wrap_bio(incoming, outgoing, server_hostname="shop.example")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    s.send(bytes([byte]))
                incoming.write(s.recv(65536))
        client.write(GET)
        for byte in outgoing.read():
            s.send(bytes([byte]))
        text = b""
        while b"/payments/1" not in text:
            incoming.write(s.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                text += client.read(65536)


def test_garbage_is_shown_out(world, edge, authority):
    port = edge().port
    hello = client_hello()
    wrong = [GET, b"\x16\x03\x01\xff\xff" + b"x" * 100, b"\x80\x2e\x01\x00\x02", b"\x00" * 600]
    wrong += [hello[:5] + b"\x02" + hello[6:], hello + b"\x17\x03\x03\x00\x05wrong"]
    wrong += [os.urandom(1000) for _ in range(20)]
    for data in wrong:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            assert is_closed(s)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(hello[:100])  # and leaves
    until(lambda: failures(world, "refused") + failures(world, "left") == len(wrong) + 1)
    assert failures(world, "left") >= 1
    with connect(port, authority.context()) as s:
        assert ask(s)[0] == 200


def test_a_record_that_was_changed_reaches_nobody(world, edge, authority):
    seen = []

    def behave(request):
        seen.append(request)
        return response(200)

    port = edge(behave).port
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.context().wrap_bio(incoming, outgoing, server_hostname="shop.example")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                s.sendall(outgoing.read())
                incoming.write(s.recv(65536))
        client.write(GET)
        record = bytearray(outgoing.read())
        record[-1] ^= 1
        s.sendall(record)
        assert is_closed(s)
    assert not seen


def test_an_end_is_announced(edge, authority):
    port = edge().port
    with connect(port, authority.context()) as s:
        s.sendall(b"GET /payments/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b""
        while more := s.recv(65536):  # a cut would raise SSLEOFError
            received += more
        assert received.startswith(b"HTTP/1.1 200")


def test_who_has_said_all_is_answered(edge, authority):
    port = edge().port
    with connect(port, authority.context()) as s:
        s.sendall(GET + GET.replace(b"payments/1", b"payments/2"))
        socket.socket.shutdown(s, socket.SHUT_WR)  # of TCP, without a word of TLS
        received = b""
        while more := s.recv(65536):
            received += more
    assert b"/payments/1" in received and b"/payments/2" in received


def test_too_many_handshakes_make_room(world, edge, authority):
    """More than a worker has under way: the oldest go, nobody who is in suffers."""
    port = edge(ONRUSH_WORKERS=1, ONRUSH_OPEN_TIMEOUT_MS=60000).port
    hello = client_hello()
    with ExitStack() as stack:
        inside = stack.enter_context(connect(port, authority.context()))
        assert ask(inside)[0] == 200
        for i in range(2148):
            s = socket.create_connection(("127.0.0.1", port), timeout=10)
            stack.callback(s.close)
            s.sendall(hello)
            if i % 100 == 0:
                assert ask(inside)[0] == 200
        until(lambda: failures(world, "crowded") >= 100)
        assert ask(inside)[0] == 200
        with connect(port, authority.context()) as s:
            assert ask(s)[0] == 200


# --- what it costs ----------------------------------------------------------------------


def rss_kb(process):
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


def test_a_large_answer_arrives_whole(edge, authority):
    body = os.urandom(9 * MB + 17)
    port = edge(lambda _: response(200, body)).port
    for version in (V12, V13):
        with connect(port, authority.context(version)) as s:
            for _ in range(2):
                assert ask(s) == (200, body)


def test_slow_readers_cost_little_memory(edge, authority, variant):
    """Eight of them, 50 MB each."""

    def behave(_):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (50 * MB)
        for _ in range(50):
            yield b"x" * MB

    gateway = edge(behave)
    context = authority.context()
    with connect(gateway.port, context) as s:
        ask(s)
    plain = rss_kb(gateway.process)
    readers = []
    for _ in range(8):
        s = connect(gateway.port, context)
        s.sendall(GET)
        assert s.recv(100_000)
        readers.append(s)
    most = max(rss_kb(gateway.process) for _ in range(20) if not time.sleep(0.05))
    for s in readers:
        s.close()
    # The sanitizer keeps what was freed for a while, so it has no word in memory.
    assert most - plain < 2560 or variant == "asan"


def test_idle_connections_cost_little_memory(edge, authority, variant):
    count = 1000
    gateway = edge(ONRUSH_WORKERS=1)
    context = authority.context()
    with ExitStack() as stack:
        for _ in range(50):
            assert ask(stack.enter_context(connect(gateway.port, context)))[0] == 200
        before = rss_kb(gateway.process)
        for _ in range(count):
            assert ask(stack.enter_context(connect(gateway.port, context)))[0] == 200
        each = (rss_kb(gateway.process) - before) / count
        print(f"an idle connection with TLS: {each:.1f} KB")
        assert each < 40 or variant == "asan"
