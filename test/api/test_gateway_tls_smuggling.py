"""A third of the cases of http_cases.py over TLS: the same rules as without."""

import contextlib
import socket
import ssl

import pytest
from api.authority import Authority
from api.http_cases import ACCEPT, CASES
from api.recorder import Recorder
from api.test_http_smuggling import aimed, is_in_order, understood
from api.tls_clients import connect


@pytest.fixture(scope="module")
def recorded(module_world, tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("authority"))
    cert, key = authority.issue("shop", "shop.example")
    with Recorder(module_world.port("reservation")) as service:
        module_world.start(
            "gateway",
            ONRUSH_HEAD_TIMEOUT_MS=300,
            ONRUSH_BODY_TIMEOUT_MS=300,
            ONRUSH_WORKERS=1,
            ONRUSH_TLS_LISTEN=f"127.0.0.1:{module_world.port('tls')}",
            ONRUSH_TLS_CERT=cert,
            ONRUSH_TLS_KEY=key,
        )
        yield module_world.port("tls"), authority.context(), service


@pytest.mark.parametrize("case", CASES[::3], ids=lambda c: c.id)
def test_nothing_is_smuggled(recorded, case):
    port, context, service = recorded
    service.take()
    data = aimed(case.data)
    received = b""
    with connect(port, context) as s, contextlib.suppress(ConnectionError, ssl.SSLError):
        s.sendall(data)
        socket.socket.shutdown(s, socket.SHUT_WR)  # of TCP; s still reads
        while more := s.recv(65536):
            received += more
    arrived = service.take()
    assert not any(request.fault for request in arrived), arrived
    if case.expected != ACCEPT:
        assert not arrived
    assert len(arrived) == received.count(b"HTTP/1.1 200 ")
    assert is_in_order([(r.method, r.target, r.body) for r in arrived], understood(data))
