"""Every case of http_cases.py through the real gateway to a service that writes down what
reaches it. What is ambiguous reaches nobody. What is not arrives as h11 understands the bytes
that the client sent: nothing of it is lost, and nothing of a body becomes a request.
"""

import re
import socket

import pytest
from api.http_cases import ACCEPT, CASES
from api.http_judges import Request, ask_h11
from api.recorder import Recorder

# Calls that take what the cases send: a body, or none.
CALLS = (
    (b"POST / HTTP", b"POST /payments HTTP"),
    (b"GET / HTTP", b"GET /payments/1 HTTP"),
    (b"GET /next HTTP", b"GET /payments/2?next HTTP"),
)
# What the gateway may send beside what frames a body.
FORWARDED = {
    b"host",
    b"content-length",
    b"content-type",
    b"accept",
    b"authorization",
    b"idempotency-key",
    b"prefer",
    b"user-agent",
    b"x-request-id",
    b"traceparent",
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-request-deadline-ms",
}


@pytest.fixture(scope="module")
def gateway(module_world):
    with Recorder(module_world.port("reservation")) as service:
        module_world.start(
            "gateway", ONRUSH_HEAD_TIMEOUT_MS=300, ONRUSH_BODY_TIMEOUT_MS=300, ONRUSH_WORKERS=1
        )
        yield module_world, service


def aimed(data):
    """The case as calls that the gateway forwards. A length that counted the old bytes still
    ends within the body, which is what the cases are about."""
    for old, new in CALLS:
        data = data.replace(old, new)
    return data


def exchange(port, data):
    """The statuses that come back. The client sends all and says that it is done."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while more := s.recv(65536):
                received += more
        except ConnectionError:
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


def understood(data):
    """The requests in these bytes, one after the other, as h11 reads them."""
    requests = []
    while data and isinstance(request := ask_h11(data), Request):
        requests.append((request.method, request.target, request.body))
        data = data[request.used :]
    return requests


def is_in_order(arrived, sent):
    """Whether what arrived is what was sent, but for what the gateway answered itself."""
    rest = iter(sent)
    return all(request in rest for request in arrived)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_nothing_is_smuggled(gateway, case):
    world, service = gateway
    service.take()
    data = aimed(case.data)
    statuses = exchange(world.port("gateway"), data)
    arrived = service.take()
    assert not any(request.fault for request in arrived), arrived
    if case.expected != ACCEPT:
        assert not arrived
    assert len(arrived) == statuses.count(200)
    assert is_in_order([(r.method, r.target, r.body) for r in arrived], understood(data))
    for request in arrived:
        names = [name for name, _ in request.headers]
        assert set(names) <= FORWARDED and len(set(names)) == len(names)
        assert (b"host", f"127.0.0.1:{service.port}".encode()) in request.headers


def test_cases_do_arrive(gateway):
    """The test above would pass if nothing ever did."""
    world, service = gateway
    service.take()
    for case in (c for c in CASES if c.expected == ACCEPT):
        exchange(world.port("gateway"), aimed(case.data))
    arrived = service.take()
    assert len(arrived) > 40
    assert any(request.body == b"hello" for request in arrived)
    assert any(request.target == b"/payments/2?next" for request in arrived)
