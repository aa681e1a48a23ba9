"""A service that takes long bodies as its test says: h11 reads what arrives, so that how a
body was framed is judged by a parser that is not ours."""

import socket
import struct

import h11
from api.listener import Listener


class Visitor:
    """A connection of the gateway, as the test's script has it."""

    def __init__(self, connection):
        self.connection = connection
        self.reader = h11.Connection(h11.SERVER)

    def _next(self):
        while (event := self.reader.next_event()) is h11.NEED_DATA:
            self.reader.receive_data(self.connection.recv(65536))
        return event

    def head(self):
        """The next request's method and headers; None when there is none."""
        event = self._next()
        return event if isinstance(event, h11.Request) else None

    def piece(self):
        """Some more of its body; None at its end."""
        event = self._next()
        assert isinstance(event, h11.Data | h11.EndOfMessage), event
        return bytes(event.data) if isinstance(event, h11.Data) else None

    def body(self):
        return b"".join(iter(self.piece, None))

    def answer(self, status=200, body=b"{}", close=False):
        event = h11.Response(
            status_code=status,
            headers=[("Content-Length", str(len(body)))] + [("Connection", "close")] * close,
        )
        data = self.reader.send(event) + self.reader.send(h11.Data(data=body))
        self.connection.sendall(data + self.reader.send(h11.EndOfMessage()))

    def again(self):
        """The request was answered: the connection may bring another."""
        self.reader.start_next_cycle()

    def breaks_off(self):
        """Reads on until the gateway ends the connection; whether that was within a body."""
        try:
            while self.piece() is not None:
                pass
        except (h11.RemoteProtocolError, ConnectionError):
            return True
        return False

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class BodyService(Listener):
    """Runs `script(visitor)` for each connection; what it raises fails the test at the end."""

    def __init__(self, port, script, buffer=None):
        self.script = script
        self.faults = []
        super().__init__(port, buffer=buffer)

    def __exit__(self, *_):
        self.stop()
        assert not self.faults, self.faults

    def serve(self, connection):
        try:
            self.script(Visitor(connection))
        except Exception as fault:
            self.faults.append(repr(fault))


def answer_all(visitor):
    """A script: takes every request and says how many bytes its body had."""
    while visitor.head() is not None:
        visitor.answer(body=b"%d" % len(visitor.body()))
        visitor.again()
