"""What a service may answer, through the gateway: a client gets what was understood, or a
refusal, or can tell that it was cut; and never the bytes of one answer as another's."""

import socket

import h11
import pytest
from api.fake_service import FakeService, response
from api.http_answers import ANSWERS, CUT, REFUSED

PATH = b"/api/v1/coupons/1"
NEXT = b"/api/v1/coupons/2"


@pytest.fixture(scope="module")
def gateway(module_world):
    with FakeService(module_world.port("coupon")) as service:
        module_world.start("gateway", ONRUSH_WORKERS=1)
        yield module_world.port("gateway"), service


class Client:
    """A client that reads with h11."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.reader = h11.Connection(h11.CLIENT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, path):
        """(status, body); body is None when the client can tell that it is not whole."""
        request = h11.Request(method="GET", target=path, headers=[("Host", "a")])
        self.socket.sendall(self.reader.send(request) + self.reader.send(h11.EndOfMessage()))
        status, body = 0, b""
        while True:
            try:
                event = self.reader.next_event()
                if event is h11.NEED_DATA:
                    self.reader.receive_data(self.socket.recv(65536))
            except (h11.RemoteProtocolError, ConnectionResetError):
                return status, None
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return status, body

    def goes_on(self):
        if self.reader.their_state is h11.MUST_CLOSE:
            return False
        self.reader.start_next_cycle()
        return True


@pytest.mark.parametrize("case", ANSWERS, ids=lambda c: c.id)
def test_a_client_gets_what_was_understood(gateway, case):
    port, service = gateway
    service.close_after = True
    service.behave = lambda _: case.data
    with Client(port) as client:
        status, body = client.ask(PATH)
        if case.expected == REFUSED:
            assert (status, b"BAD_GATEWAY" in body) == (502, True)
        elif case.expected == CUT:
            # What was not yet passed on when the fault was seen is a refusal.
            assert body is None or (status, b"BAD_GATEWAY" in body) == (502, True)
        else:
            assert body == case.expected and status in (200, 204, 304)
        # The next answer on this connection is the next request's.
        service.close_after = False
        service.behave = lambda request: response(200, request.target.encode())
        if body is not None and client.goes_on():
            assert client.ask(NEXT) == (200, b"/coupons/2")
    with Client(port) as other:
        assert other.ask(NEXT) == (200, b"/coupons/2")
