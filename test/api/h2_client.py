"""A client of HTTP/2 for tests, on the h2 library, which shares no code with ours. It checks
what it receives, sends what the test says, right or wrong, and opens its windows only when the
test wants."""

import socket
from contextlib import suppress

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from h2.exceptions import StreamClosedError

AUTHORITY = "shop.example"


class Answer:
    """What came on a stream so far."""

    def __init__(self):
        self.headers = None  # of the final head; names are unique here
        self.informational = []
        self.body = bytearray()
        self.ended = False
        self.reset = None  # an error code

    @property
    def status(self):
        return self.headers and int(self.headers[":status"])

    @property
    def over(self):
        return self.ended or self.reset is not None


def head(method="GET", path="/healthz", *more):
    return [
        (":method", method),
        (":scheme", "http"),
        (":authority", AUTHORITY),
        (":path", path),
        *more,
    ]


class Client:
    """One connection. `greedy` opens the windows for all that comes; `early` are requests
    without a body that are sent at once with the connection's own beginning."""

    def __init__(self, port, greedy=True, window=None, timeout=20, wrap=None, early=()):
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        if window is not None:
            self.h2.local_settings = h2.settings.Settings(
                client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
            )
        self.greedy = greedy
        self.answers = {}
        self.goaways = []  # (error code, last stream id)
        self.pending = b""
        self.eof = False
        self.h2.initiate_connection()
        for headers in early:
            self._begin(headers)
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap is not None:
            self.sock = wrap(self.sock)
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def send_raw(self, *frames):
        """Bytes that the library would not send."""
        self.sock.sendall(self.h2.data_to_send() + b"".join(f.serialize() for f in frames))

    def ask(self, headers=None, body=None, end=True):
        """Begins a request; its stream's id."""
        stream = self._begin(headers or head(), end and body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        self.flush()
        return stream

    def ask_at_once(self, *requests):
        """Begins requests without a body with one send; their streams' ids."""
        streams = [self._begin(headers) for headers in requests]
        self.flush()
        return streams

    def _begin(self, headers, end=True):
        stream = self.h2.get_next_available_stream_id()
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, headers, end_stream=end)
        return stream

    def upload(self, stream, body):
        """Sends all of a body as its windows allow, and ends it."""
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room == 0:
                self.receive()
                continue
            self.h2.send_data(stream, body[:room], end_stream=len(body) <= room)
            body = body[room:]
            self.flush()

    def receive(self):
        """Takes what comes next."""
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            self.eof = True
            return
        for frame in self._frames(self.pending + data):
            for event in self.h2.receive_data(frame):
                self._take(event)
        try:
            self.flush()
        except (BrokenPipeError, ConnectionResetError):
            self.eof = True

    def _frames(self, data):
        """One by one, since some may follow after which the library expects none."""
        at = 0
        while len(data) - at >= 9:
            size = 9 + int.from_bytes(data[at : at + 3], "big")
            if len(data) - at < size:
                break
            yield data[at : at + size]
            at += size
        self.pending = data[at:]

    def _take(self, event):
        answer = self.answers.setdefault(getattr(event, "stream_id", None) or 0, Answer())
        match event:
            case h2.events.InformationalResponseReceived():
                answer.informational.append(dict(event.headers)[":status"])
            case h2.events.ResponseReceived():
                answer.headers = dict(event.headers)
                assert len(answer.headers) == len(event.headers)
            case h2.events.DataReceived():
                answer.body += event.data
                if self.greedy:
                    self._open(event)
            case h2.events.StreamEnded():
                answer.ended = True
            case h2.events.StreamReset():
                answer.reset = event.error_code
            case h2.events.ConnectionTerminated():
                self.goaways.append((event.error_code, event.last_stream_id))
                # The library thinks that nothing follows (RFC 9113, 6.8, says what may).
                self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN

    def _open(self, event):
        with suppress(StreamClosedError):  # when it was its last
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def until(self, condition):
        while not condition():
            assert not self.eof, f"the connection was closed; GOAWAY: {self.goaways}"
            self.receive()

    def answer(self, stream):
        """The whole answer."""
        self.until(lambda: self.answers[stream].over)
        return self.answers[stream]

    def get(self, path="/healthz", method="GET", *more):
        return self.answer(self.ask(head(method, path, *more)))

    def until_closed(self):
        """The error code that the other side ended the connection with."""
        while not self.eof:
            self.receive()
        return self.goaways[-1][0] if self.goaways else None
