"""How h11 and llhttp (through httptools) understand the first request in some bytes: the
judges of our parser. Both are asked as a server would."""

from typing import NamedTuple

import h11
import httptools

LIMIT = 200_000  # above every case: our limits are not theirs


class Request(NamedTuple):
    """What a parser understood. Names of headers are in lower case, values as they were."""

    method: bytes
    target: bytes
    minor: int
    headers: list
    body: bytes
    used: int  # bytes of head and body: what follows is the next request


class Refused(NamedTuple):
    why: str


INCOMPLETE = "incomplete"


def ask_h11(data):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMIT)
    head, body = None, b""
    if not data:  # to h11 that is the end of the connection
        return INCOMPLETE
    connection.receive_data(data)
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            return Refused(str(error))
        if event in (h11.NEED_DATA, h11.PAUSED):
            return INCOMPLETE
        if isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            break
    rest, _ = connection.trailing_data
    version = head.http_version.partition(b".")[2]
    headers = [(bytes(name), bytes(value)) for name, value in head.headers]
    return Request(
        bytes(head.method), bytes(head.target), int(version), headers, body, len(data) - len(rest)
    )


class _Events:
    """What llhttp calls back."""

    def __init__(self):
        self.target, self.body, self.headers, self.complete = b"", b"", [], False
        self.in_head = True

    def on_url(self, url):
        self.target += url

    def on_header(self, name, value):
        if self.in_head:  # and not in the trailers
            self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self):
        self.in_head = False

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.complete = True


def ask_llhttp(data):
    events = _Events()
    parser = httptools.HttpRequestParser(events)
    used = 0
    # Byte after byte, because that tells where the request ended.
    while not events.complete:
        if used == len(data):
            return INCOMPLETE
        used += 1
        try:
            parser.feed_data(data[used - 1 : used])
        except httptools.HttpParserUpgrade:
            pass  # it hands the connection over; for us the request just ends here
        except httptools.HttpParserError as error:
            return Refused(str(error))
    version = parser.get_http_version()
    if not version.startswith("1."):
        return Refused("its caller must refuse the version " + version)
    minor = int(version.partition(".")[2])
    return Request(parser.get_method(), events.target, minor, events.headers, events.body, used)
