"""Answers of a service that implementations of HTTP/1.1 disagree about, and what becomes of
them behind the gateway: "refused" is 502, the client sees no byte of it; bytes are the body
that the client gets; "cut" is an answer that the client can tell is not whole."""

from typing import NamedTuple

from api.http_case import CRLF


class Answer(NamedTuple):
    id: str
    data: bytes
    expected: bytes | str
    method: str = "GET"


REFUSED, CUT = "refused", "cut"
OK = b"HTTP/1.1 200 OK"
LENGTH = b"Content-Length: 5"
CHUNKED = b"Transfer-Encoding: chunked"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
ANSWERS = []


def answer(*fields, line=OK, body=b"hello"):
    return CRLF.join((line, *fields)) + CRLF + CRLF + body


def case(ident, data, expected, method="GET"):
    ANSWERS.append(Answer(ident, data, expected, method))


def table(prefix, build, rows):
    for name, value, expected in rows:
        case(f"{prefix}-{name}", build(value), expected)


table(
    "LINE",
    lambda line: answer(LENGTH, line=line),
    [
        ("PLAIN", b"HTTP/1.1 200 OK", b"hello"),
        ("NO-REASON", b"HTTP/1.1 200 ", b"hello"),
        ("HIGH-REASON", b"HTTP/1.1 200 \xe9\xff", b"hello"),
        ("MINOR-0", b"HTTP/1.0 200 OK", b"hello"),
        ("NO-SPACE-BEHIND-STATUS", b"HTTP/1.1 200", REFUSED),
        ("TWO-SPACES", b"HTTP/1.1  200 OK", REFUSED),
        ("TAB", b"HTTP/1.1\t200 OK", REFUSED),
        ("LEADING-SPACE", b" HTTP/1.1 200 OK", REFUSED),
        ("LEADING-CRLF", b"\r\nHTTP/1.1 200 OK", REFUSED),
        ("LOWER-CASE", b"http/1.1 200 OK", REFUSED),
        ("MAJOR-2", b"HTTP/2.0 200 OK", REFUSED),
        ("MINOR-2", b"HTTP/1.2 200 OK", REFUSED),
        ("NO-VERSION", b"200 OK", REFUSED),
        ("OTHER-PROTOCOL", b"ICY 200 OK", REFUSED),
        ("SSH", b"SSH-2.0-OpenSSH_9.2", REFUSED),
        ("STATUS-SHORT", b"HTTP/1.1 20 OK", REFUSED),
        ("STATUS-LONG", b"HTTP/1.1 2000 OK", REFUSED),
        ("STATUS-SIGN", b"HTTP/1.1 +20 OK", REFUSED),
        ("STATUS-HEX", b"HTTP/1.1 2x0 OK", REFUSED),
        ("STATUS-000", b"HTTP/1.1 000 OK", REFUSED),
        ("STATUS-099", b"HTTP/1.1 099 OK", REFUSED),
        ("STATUS-600", b"HTTP/1.1 600 OK", REFUSED),
        ("STATUS-999", b"HTTP/1.1 999 OK", REFUSED),
        ("STATUS-101", b"HTTP/1.1 101 Switching Protocols", REFUSED),
        ("REASON-CR", b"HTTP/1.1 200 O\rK", REFUSED),
        ("REASON-NUL", b"HTTP/1.1 200 O\x00K", REFUSED),
        ("REASON-CONTROL", b"HTTP/1.1 200 O\x01K", REFUSED),
        ("BARE-LF", b"HTTP/1.1 200 OK\nX: y", REFUSED),
    ],
)
table(
    "FIELD",
    lambda field: answer(LENGTH, field),
    [
        ("OBS-FOLD", b"X: a\r\n b", REFUSED),
        ("BARE-LF", b"X: a\nSet-Cookie: b", REFUSED),
        ("BARE-CR", b"X: a\rSet-Cookie: b", REFUSED),
        ("NUL", b"X: a\x00b", REFUSED),
        ("CONTROL", b"X: a\x01b", REFUSED),
        ("NO-COLON", b"X", REFUSED),
        ("NO-NAME", b": x", REFUSED),
        ("SPACE-BEFORE-COLON", b"Transfer-Encoding : chunked", REFUSED),
        ("SPACE-BEFORE-NAME", b" X: y", REFUSED),
        ("NAME-HIGH", b"X\xe9: y", REFUSED),
        ("HIGH", b"X: \xe9\xff", b"hello"),
        ("UNDERSCORE", b"Transfer_Encoding: chunked", b"hello"),
        ("UPGRADE", b"Connection: upgrade\r\nUpgrade: h2c", b"hello"),
        ("MANY", CRLF.join(b"X-%d: y" % i for i in range(100)), REFUSED),
        ("LONG", b"X: " + b"y" * 20_000, REFUSED),
    ],
)
table(
    "LENGTH",
    lambda length: answer(b"Content-Length: " + length),
    [
        ("PLAIN", b"5", b"hello"),
        ("TABS", b"\t5\t", b"hello"),
        ("PLUS", b"+5", REFUSED),
        ("NEGATIVE", b"-5", REFUSED),
        ("LEADING-ZERO", b"05", REFUSED),
        ("HEX", b"0x5", REFUSED),
        ("FLOAT", b"5.0", REFUSED),
        ("EMPTY", b"", REFUSED),
        ("LIST-SAME", b"5, 5", REFUSED),
        ("LIST-DIFFERENT", b"5, 6", REFUSED),
        ("TWICE-SAME", b"5\r\nContent-Length: 5", REFUSED),
        ("TWICE-DIFFERENT", b"5\r\nContent-Length: 6", REFUSED),
        ("2-63", b"9223372036854775808", REFUSED),
        ("2-64-PLUS-5", b"18446744073709551621", REFUSED),
        ("WITH-CHUNKED", b"5\r\nTransfer-Encoding: chunked", REFUSED),
        ("TOO-LITTLE-BODY", b"6", REFUSED),
    ],
)
table(
    "CODING",
    lambda coding: answer(b"Transfer-Encoding: " + coding, body=HELLO),
    [
        ("PLAIN", b"chunked", b"hello"),
        ("CASE", b"CHUNKED", b"hello"),
        ("GZIP-CHUNKED", b"gzip, chunked", REFUSED),
        ("CHUNKED-GZIP", b"chunked, gzip", REFUSED),
        ("IDENTITY", b"identity", REFUSED),
        ("XCHUNKED", b"xchunked", REFUSED),
        ("EMPTY", b"", REFUSED),
        ("TWICE", b"chunked\r\nTransfer-Encoding: chunked", REFUSED),
        ("VTAB", b"\x0bchunked", REFUSED),
        ("LEADING-COMMA", b", chunked", REFUSED),
        ("QUOTED", b'"chunked"', REFUSED),
    ],
)
table(
    "CHUNK",
    lambda body: answer(CHUNKED, body=body),
    [
        ("TWO", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        ("EXTENSION", b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
        ("TRAILER", b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", b"hello"),
        ("EMPTY", b"0\r\n\r\n", b""),
        ("SIZE-PREFIX", b"0x5\r\nhello\r\n0\r\n\r\n", CUT),
        ("SIZE-SIGN", b"+5\r\nhello\r\n0\r\n\r\n", CUT),
        ("SIZE-SPACE", b"5 \r\nhello\r\n0\r\n\r\n", CUT),
        ("SIZE-OVERFLOW", b"10000000000000005\r\nhello\r\n0\r\n\r\n", CUT),
        ("SIZE-NOT-HEX", b"zz\r\n", CUT),
        ("BARE-LF", b"5\nhello\n0\n\n", CUT),
        ("DATA-TOO-LONG", b"5\r\nhelloX\r\n0\r\n\r\n", CUT),
        ("NO-LAST", b"5\r\nhello\r\n", CUT),
        ("NO-END", b"5\r\nhello\r\n0\r\n", CUT),
        ("TRAILER-LENGTH", b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n", CUT),
        ("TRAILER-NO-COLON", b"5\r\nhello\r\n0\r\nX\r\n\r\n", CUT),
    ],
)

# --- where it ends ---------------------------------------------------------------------

case("END-NOTHING", b"", REFUSED)
case("END-IN-LINE", b"HTTP/1.1 20", REFUSED)
case("END-IN-HEAD", b"HTTP/1.1 200 OK\r\nX: ", REFUSED)
case("END-WITH-CONNECTION", answer(), b"hello")
case("END-WITH-CONNECTION-10", answer(line=b"HTTP/1.0 200 OK"), b"hello")
case("END-LONG-BODY-CUT", answer(b"Content-Length: 900000", body=b"x" * 800_000), CUT)
case("END-204", answer(line=b"HTTP/1.1 204 No Content", body=b""), b"")
case("END-204-WITH-LENGTH", answer(LENGTH, line=b"HTTP/1.1 204 No Content"), REFUSED)
case("END-204-WITH-BODY", answer(line=b"HTTP/1.1 204 No Content", body=SECOND), b"")
case("END-304-WITH-LENGTH", answer(LENGTH, line=b"HTTP/1.1 304 Not Modified", body=b""), b"")
case("END-304-WITH-BODY", answer(LENGTH, line=b"HTTP/1.1 304 Not Modified", body=SECOND), b"")

# --- what comes before and behind -------------------------------------------------------

case("BEFORE-100", b"HTTP/1.1 100 Continue\r\n\r\n" + answer(LENGTH), b"hello")
case("BEFORE-103", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(LENGTH), b"hello")
case("BEFORE-100-TWICE", b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + answer(LENGTH), b"hello")
case("BEFORE-100-WITH-LENGTH", answer(LENGTH, line=b"HTTP/1.1 100 C") + answer(LENGTH), REFUSED)
case("BEFORE-100-ALONE", b"HTTP/1.1 100 Continue\r\n\r\n", REFUSED)
case("BEHIND-SECOND", answer(LENGTH) + SECOND, b"hello")
case("BEHIND-GARBAGE", answer(LENGTH) + b"\x00garbage", b"hello")
case("BEHIND-CHUNKED", answer(CHUNKED, body=HELLO) + SECOND, b"hello")

assert len({case.id for case in ANSWERS}) == len(ANSWERS), "the ids of answers must be unique"
