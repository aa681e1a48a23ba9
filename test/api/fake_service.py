"""A service behind the gateway that does what a test tells it: answers, hangs, breaks off,
talks nonsense. It shares no code with ours."""

import json
import socket
import struct
from dataclasses import dataclass

from api.listener import Listener


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: list  # (lower-case name, value), in their order
    body: bytes

    def header(self, name):
        values = [v for n, v in self.headers if n == name]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None


def response(status=200, body=b"{}", headers=()):
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def echo(request):
    """Says what it was asked."""
    said = {"method": request.method, "target": request.target, "body": request.body.decode()}
    return response(200, json.dumps(said).encode(), [("Content-Type", "application/json")])


class Reset(Exception):
    """What `behave` raises to break its connection off as a dying host does."""


class FakeService(Listener):
    """`behave` gets each Request and gives the bytes to send, or yields them piece by piece;
    with `close` true the connection is closed after them."""

    def __init__(self, port, behave=echo, close=False, host="127.0.0.1"):
        self.behave = behave
        self.close_after = close
        self.requests = []
        super().__init__(port, host)

    def serve(self, connection):
        with connection.makefile("rb") as stream:
            while (request := read_request(stream)) is not None:
                self.requests.append(request)
                try:
                    answer = self.behave(request)
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        connection.sendall(piece)
                except Reset:
                    now = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                    return
                if self.close_after:
                    return


def read_request(stream):
    """None at the end of the connection."""
    line = stream.readline().decode("latin-1").rstrip("\r\n")
    if not line:
        return None
    method, target, version = line.split(" ")
    assert version == "HTTP/1.1"
    headers = []
    while field := stream.readline().decode("latin-1").rstrip("\r\n"):
        name, _, value = field.partition(":")
        headers.append((name.lower(), value.strip()))
    names = [name for name, _ in headers]
    assert "transfer-encoding" not in names
    size = int(dict(headers).get("content-length", 0))
    return Request(method, target, headers, stream.read(size))
