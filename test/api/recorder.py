"""A service that writes down what reaches it: its connections are read by h11, so that what
a gateway sends is judged by a parser that is not ours."""

import socket
import threading
from typing import NamedTuple

import h11


class Arrival(NamedTuple):
    """A request that arrived whole, or why what arrived is none."""

    method: bytes
    target: bytes
    body: bytes
    headers: tuple = ()
    fault: str = ""


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Recorder:
    """Listens on a port and answers every request with 200."""

    def __init__(self, port):
        self.port = port
        self.arrivals = []
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def take(self):
        """What has arrived since the last call."""
        arrived, self.arrivals = self.arrivals, []
        return arrived

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                while self._one(connection, h11.Connection(h11.SERVER)):
                    connection.sendall(ANSWER)
            except h11.RemoteProtocolError as error:
                self.arrivals.append(Arrival(b"", b"", b"", fault=str(error)))
            except OSError:
                pass  # the gateway went away: it may

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
