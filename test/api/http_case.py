"""What the tables of HTTP cases are made of."""

from typing import NamedTuple


class Case(NamedTuple):
    """A request and what Onrush says to it: "accept", or the status with which it is refused
    and its connection closed. 408 stands for a request that is not complete: nobody may
    answer it before its time is over."""

    id: str
    data: bytes
    expected: str | int


class Cases(list):
    def add(self, ident, data, expected):
        self.append(Case(ident, data, expected))

    def table(self, prefix, build, rows):
        """Rows of name, what `build` makes a request of, and what is expected."""
        for name, value, expected in rows:
            self.add(f"{prefix}-{name}", build(value), expected)


ACCEPT = "accept"
CRLF = b"\r\n"
HOST = b"Host: a"
CHUNKED = b"Transfer-Encoding: chunked"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"  # a chunked body
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"  # what would be smuggled
NEXT_LENGTH = b"Content-Length: %d" % len(NEXT)


def message(line, *fields, body=b""):
    return CRLF.join((line, *fields)) + CRLF + CRLF + body


def get(*fields, target=b"/", body=b""):
    return message(b"GET " + target + b" HTTP/1.1", HOST, *fields, body=body)


def post(*fields, body=b""):
    return message(b"POST / HTTP/1.1", HOST, *fields, body=body)


def chunks(body):
    return post(CHUNKED, body=body)
