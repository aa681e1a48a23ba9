"""Both sides of RFC 6455 in a few lines, for what goes through the gateway. They share no code
with ours."""

import base64
import hashlib
import os
import socket
import struct

from api.listener import Listener

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()


def frame(data, opcode=BINARY, mask=None):
    size = len(data)
    if size < 126:
        length, extra = size, b""
    elif size < 65536:
        length, extra = 126, struct.pack(">H", size)
    else:
        length, extra = 127, struct.pack(">Q", size)
    if mask is None:
        return bytes([0x80 | opcode, length]) + extra + data
    long_mask = (mask * (size // 4 + 1))[:size]
    masked = (int.from_bytes(data, "big") ^ int.from_bytes(long_mask, "big")).to_bytes(size, "big")
    return bytes([0x80 | opcode, 0x80 | length]) + extra + mask + masked


def read_head(stream):
    """The first line and the headers by lower-case name."""
    line = stream.readline().decode().strip()
    headers = {}
    while field := stream.readline().decode().strip():
        name, _, value = field.partition(":")
        assert name.lower() not in headers
        headers[name.lower()] = value.strip()
    return line, headers


def read_frame(stream):
    """Opcode and data; None at the end of the connection."""
    head = stream.read(2)
    if len(head) < 2:
        assert not head, "the connection ended within a frame's head"
        return None
    size = head[1] & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", stream.read(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", stream.read(8))
    mask = stream.read(4) if head[1] & 0x80 else None
    data = stream.read(size)
    assert len(data) == size, "the connection ended within a frame"
    if mask is not None:
        data = frame(data, mask=mask)[-size:] if size else b""
    return head[0] & 0x0F, data


class Client:
    """A browser's side. `said` is what the handshake says, by name; None leaves it out."""

    def __init__(self, port, path="/ws", **said):
        self.key = base64.b64encode(os.urandom(16))
        fields = {
            "Host": "a",
            "Connection": "keep-alive, Upgrade",
            "Upgrade": "WebSocket",
            "Sec-WebSocket-Key": self.key.decode(),
            "Sec-WebSocket-Version": "13",
        } | {name.replace("_", "-"): value for name, value in said.items()}
        lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.stream = self.socket.makefile("rb")
        self.socket.sendall("\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode())
        line, self.headers = read_head(self.stream)
        self.status = int(line.split()[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def opened(self):
        """The handshake is right in every respect (RFC 6455, 4.1)."""
        assert self.status == 101
        assert self.headers["upgrade"].lower() == "websocket"
        assert self.headers["connection"].lower() == "upgrade"
        assert self.headers["sec-websocket-accept"] == accept_of(self.key)
        assert not {"content-length", "transfer-encoding"} & set(self.headers)
        return self

    def send(self, data, opcode=BINARY):
        self.socket.sendall(frame(data, opcode, os.urandom(4)))

    def read(self):
        return read_frame(self.stream)


class Service(Listener):
    """A service with websockets: `script(stream, connection)` runs once one is open, echo
    unless told otherwise. `answer(headers)` may give another answer to the handshake."""

    def __init__(self, port, script=None, answer=None):
        self.script = script or echo
        self.answer = answer or switch
        self.heads = []
        super().__init__(port)

    def serve(self, connection):
        with connection.makefile("rb") as stream:
            line, headers = read_head(stream)
            while line:
                self.heads.append((line, headers))
                reply = self.answer(headers)
                connection.sendall(reply)
                if b" 101 " in reply:
                    self.script(stream, connection)
                    return
                line, headers = read_head(stream)


def switch(headers):
    accept = accept_of(headers.get("sec-websocket-key", "").encode())
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()


def echo(stream, connection):
    while (message := read_frame(stream)) is not None:
        opcode, data = message
        connection.sendall(frame(data, opcode))
        if opcode == CLOSE:
            return
