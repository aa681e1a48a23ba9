"""Requests with long bodies, and those that try to smuggle another one behind them."""

WHOLE = 16384  # what always goes on in one piece
LONG = 200_000


def head(*fields, method="POST"):
    lines = [f"{method} /up HTTP/1.1", "Host: a", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


NEXT = b"POST /up HTTP/1.1\r\nHost: a\r\nX-Smuggled: 1\r\nContent-Length: 0\r\n\r\n"
LONG_CHUNK = chunk(b"x" * 2 * WHOLE)
SMUGGLING = {
    # What is sent, and the statuses of the answers.
    "length-and-chunked": (
        head(f"Content-Length: {LONG}", "Transfer-Encoding: chunked") + LONG_CHUNK + NEXT,
        [400],
    ),
    "two-lengths": (
        head(f"Content-Length: {LONG}", f"Content-Length: {WHOLE}") + b"x" * LONG + NEXT,
        [400],
    ),
    "a-request-within-a-body": (
        head(f"Content-Length: {2 * WHOLE + len(NEXT)}") + b"x" * 2 * WHOLE + NEXT,
        [200],
    ),
    "a-request-within-a-chunk": (
        head("Transfer-Encoding: chunked") + LONG_CHUNK + chunk(NEXT) + b"0\r\n\r\n",
        [200],
    ),
    "a-body-that-eats-of-the-next": (
        head(f"Content-Length: {2 * WHOLE + 1}") + b"x" * 2 * WHOLE + NEXT,
        [200, 405],  # "OST" is a method that nobody has
    ),
    "a-request-instead-of-a-chunk": (
        head("Transfer-Encoding: chunked") + LONG_CHUNK + NEXT,
        [400],
    ),
    "a-size-beyond-32-bits": (
        head("Transfer-Encoding: chunked") + LONG_CHUNK + b"100000000\r\n" + NEXT,
        [400],
    ),
    "a-bare-line-feed": (
        head("Transfer-Encoding: chunked") + LONG_CHUNK + b"0\n\r\n" + NEXT,
        [400],
    ),
    "a-line-feed-in-an-extension": (
        head("Transfer-Encoding: chunked") + LONG_CHUNK + b"0;a\nb\r\n\r\n" + NEXT,
        [400],
    ),
    "a-length-in-the-trailer": (
        head("Transfer-Encoding: chunked") + LONG_CHUNK + b"0\r\nContent-Length: 9\r\n\r\n" + NEXT,
        [400],
    ),
}
