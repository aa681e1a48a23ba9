"""A service that writes down what reaches it: its connections are read by h11, so that what
a gateway sends is judged by a parser that is not ours."""

from typing import NamedTuple

import h11
from api.listener import Listener


class Arrival(NamedTuple):
    """A request that arrived whole, or why what arrived is none."""

    method: bytes
    target: bytes
    body: bytes
    headers: tuple = ()
    fault: str = ""


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Recorder(Listener):
    """Answers every request with 200."""

    def __init__(self, port):
        self.port = port
        self.arrivals = []
        super().__init__(port)

    def take(self):
        """What has arrived since the last call."""
        arrived, self.arrivals = self.arrivals, []
        return arrived

    def serve(self, connection):
        try:
            while self._one(connection, h11.Connection(h11.SERVER)):
                connection.sendall(ANSWER)
        except h11.RemoteProtocolError as error:
            self.arrivals.append(Arrival(b"", b"", b"", fault=str(error)))

    def _one(self, connection, reader):
        """Reads a request into `arrivals`; False at the end of the connection."""
        head, body, received = None, b"", b""
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                more = connection.recv(65536)
                if not more and not received:
                    return False
                received += more
                reader.receive_data(more)
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                rest, _ = reader.trailing_data
                fault = f"{rest!r} came behind the request" if rest else ""
                headers = tuple((bytes(n), bytes(v)) for n, v in head.headers)
                self.arrivals.append(
                    Arrival(bytes(head.method), bytes(head.target), body, headers, fault)
                )
                return True
