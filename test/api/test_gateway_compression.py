"""Compressed answers: for whom, which, and that nothing is held up by it. Python's own gzip
and zlib read them."""

import gzip
import json
import socket
import threading
import zlib

import pytest
from api.fake_service import FakeService, response

TEXT = json.dumps({"seats": [{"seatId": i, "price": i * 1000} for i in range(200)]}).encode()
JSON = ("Content-Type", "application/json")
GZIP = {"Accept-Encoding": "gzip, deflate, br"}
PATH = "/api/v1/coupons/1"


@pytest.fixture
def coupon(world):
    with FakeService(world.port("coupon")) as service:
        yield service


@pytest.fixture
def client(world, coupon):
    world.start("gateway", ONRUSH_PASSES="off", ONRUSH_COMPRESS="on", ONRUSH_WORKERS=1)
    return world.client()


def says(body=TEXT, *headers, status=200):
    return lambda _: response(status, body, headers or [JSON])


def encoding(answer):
    return answer.headers.get("content-encoding")


def test_text_is_compressed_for_who_takes_it(client, coupon):
    coupon.behave = says(TEXT, JSON, ("ETag", '"v1"'), ("Vary", "Prefer"))
    plain = client.get(PATH)
    assert (plain.body, encoding(plain), plain.headers["etag"]) == (TEXT, None, '"v1"')
    for _ in range(3):  # one state serves them all
        small = client.get(PATH, headers=GZIP)
        assert encoding(small) == "gzip"
        assert gzip.decompress(small.body) == TEXT
        assert int(small.headers["content-length"]) == len(small.body) < len(TEXT) / 3
        assert small.headers["etag"] == 'W/"v1"'
    # What a cache must know; http.client joins none, so look at the bytes.
    raw = client.raw(f"GET {PATH} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
    assert b"vary: Prefer" in raw and b"Vary: Accept-Encoding" in raw
    assert coupon.requests[0].header("accept-encoding") is None


def test_who_does_not_want_it_does_not_get_it(client, coupon):
    coupon.behave = says()
    for field in ("br", "gzip;q=0", "identity, gzip;q=0.5", "*, gzip;q=0", ""):
        answer = client.get(PATH, headers={"Accept-Encoding": field})
        assert (encoding(answer), answer.body) == (None, TEXT), field
        assert answer.headers["vary"] == "Accept-Encoding"


def test_what_is_not_worth_it_stays(client, coupon):
    png = ("Content-Type", "image/png")
    for behave in (
        says(b"x" * 1023),
        says(TEXT, png),
        says(TEXT, JSON, ("Cache-Control", "no-transform")),
        says(TEXT, JSON, ("Content-Range", "bytes 0-1/2"), status=206),
    ):
        coupon.behave = behave
        answer = client.get(PATH, headers=GZIP)
        assert encoding(answer) is None
        assert "vary" not in answer.headers


def test_what_is_encoded_already_goes_on_as_it_is(client, coupon):
    coupon.behave = says(b"y" * 5000, JSON, ("Content-Encoding", "br"))
    answer = client.get(PATH, headers=GZIP)
    assert (encoding(answer), answer.body) == ("br", b"y" * 5000)


def test_a_head_says_what_a_get_would(client, coupon):
    coupon.behave = says()
    get = client.get(PATH, headers=GZIP)
    head = client.call("HEAD", PATH, None, GZIP)
    assert head.body == b""
    for name in ("content-encoding", "content-length"):
        assert head.headers[name] == get.headers[name]


def test_refusals_and_small_answers_cost_nothing(client, coupon):
    answer = client.get("/nowhere", headers=GZIP)
    assert encoding(answer) is None and answer.error == "NOT_FOUND"


class Reader:
    """A client that reads what is there, and no more."""

    def __init__(self, port, path=PATH):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: t\r\nAccept-Encoding: gzip\r\n\r\n".encode()
        )
        self.stream = self.socket.makefile("rb")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.stream.readline()
        self.head = head.decode()
        self.inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def piece(self):
        """The next chunk, inflated; None at the end."""
        size = int(self.stream.readline(), 16)
        data = self.stream.read(size)
        self.stream.readline()
        return self.inflate.decompress(data) if size else None


def chunked(headers=(JSON,)):
    lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", *(f"{n}: {v}" for n, v in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_pieces_are_not_held_up(world, client, coupon):
    """The service sends each piece only when the client has read the one before."""
    read = threading.Semaphore(0)
    pieces = [b"one" * 500, b"two", b"three" * 30000]

    def behave(_):
        yield chunked()
        for piece in pieces:
            yield chunk(piece)
            assert read.acquire(timeout=15)
        yield b"0\r\n\r\n"

    coupon.behave = behave
    reader = Reader(world.port("gateway"))
    assert "Content-Encoding: gzip" in reader.head and "chunked" in reader.head
    for piece in pieces:
        got = b""
        while len(got) < len(piece):
            got += reader.piece()
        assert got == piece
        read.release()
    while reader.piece() is not None:
        pass
    assert reader.inflate.eof


def test_a_long_answer_comes_whole(client, coupon):
    body = TEXT * 200
    coupon.behave = says(body)
    answer = client.get(PATH, headers=GZIP)
    assert encoding(answer) == "gzip"
    assert gzip.decompress(answer.body) == body


def test_an_answer_that_breaks_off_is_not_made_whole(world, client, coupon):
    coupon.behave = lambda _: chunked() + chunk(TEXT)
    coupon.close_after = True
    reader = Reader(world.port("gateway"))
    with pytest.raises((ConnectionResetError, ValueError)):
        while reader.piece() is not None:
            pass
    assert not reader.inflate.eof


def test_events_are_never_compressed(world, client, coupon):
    coupon.behave = says(b"data: x\n\n" * 500, ("Content-Type", "text/event-stream"))
    assert encoding(client.get(PATH, headers=GZIP)) is None


def test_many_long_answers_at_once_have_a_bound(world, client, coupon):
    """Beyond 64 they go as they are, and the next ones are compressed again."""
    go_on = threading.Event()

    def behave(_):
        yield chunked() + chunk(TEXT)
        assert go_on.wait(30)
        yield b"0\r\n\r\n"

    coupon.behave = behave
    readers = [Reader(world.port("gateway")) for _ in range(70)]
    small = [r for r in readers if "Content-Encoding: gzip" in r.head]
    assert len(small) == 64
    go_on.set()
    for reader in small:
        while reader.piece() is not None:
            pass
        assert reader.inflate.eof
    assert "Content-Encoding: gzip" in Reader(world.port("gateway")).head


def test_answers_with_secrets_are_left_alone(world, client, coupon):
    """The built-in table's calls that answer a pass (BREACH)."""
    with FakeService(world.port("queue"), says()) as queue:
        for path in ("/queue/tokens/status/7", "/queue/serving"):
            assert (encoding(client.get(path, headers=GZIP)) is None) == ("tokens" in path)
        assert len(queue.requests) == 2


def test_off_unless_asked_for(world, coupon):
    coupon.behave = says()
    world.start("gateway", ONRUSH_PASSES="off")
    answer = world.client().get(PATH, headers=GZIP)
    assert (encoding(answer), answer.body) == (None, TEXT)
    assert "vary" not in answer.headers


def test_pages_are_compressed_from_the_start(world):
    world.start("gateway", ONRUSH_PASSES="off")
    client = world.client()
    for path in ("/waiting-room", "/waiting-room.js", "/waiting-room.css"):
        plain, small = client.get(path), client.get(path, headers=GZIP)
        assert (plain.status, small.status) == (200, 200)
        assert encoding(plain) is None and encoding(small) == "gzip"
        assert gzip.decompress(small.body) == plain.body
        assert len(small.body) < len(plain.body) / 2
        assert small.headers["etag"] != plain.headers["etag"]
        assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
        again = client.get(path, headers=GZIP | {"If-None-Match": small.headers["etag"]})
        assert again.status == 304
