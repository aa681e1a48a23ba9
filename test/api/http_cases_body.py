"""Cases about what frames a body, and about chunks: see http_cases.py."""

from api.http_case import (
    ACCEPT,
    CHUNKED,
    HELLO,
    HOST,
    NEXT,
    NEXT_LENGTH,
    Cases,
    chunks,
    get,
    message,
    post,
)

CASES = Cases()
case, table = CASES.add, CASES.table

# --- Content-Length ------------------------------------------------------------------

table(
    "LENGTH",
    lambda n: post(b"Content-Length: " + n, body=b"hello"),
    [
        ("RFC9112-6.1-CL-NON-NUMERIC", b"abc", 400),
        ("RFC9112-6.1-CL-PLUS-SIGN", b"+5", 400),
        ("SMUG-CL-NEGATIVE", b"-5", 400),
        ("SMUG-CL-NEGATIVE-ZERO", b"-0", 400),
        ("GARDEN-S26", b"-48", 400),
        ("SMUG-CL-LEADING-ZEROS", b"005", 400),
        ("SMUG-CL-DOUBLE-ZERO", b"00", 400),
        ("SMUG-CL-LEADING-ZEROS-OCTAL", b"0200", 400),
        ("GARDEN-S32", b"010", 400),
        ("SMUG-CL-OCTAL", b"0o5", 400),
        ("SMUG-CL-HEX-PREFIX", b"0x5", 400),
        ("SMUG-CL-UNDERSCORE", b"1_0", 400),
        ("GARDEN-S10", b"+1_0", 400),
        ("SMUG-CL-INTERNAL-SPACE", b"5 5", 400),
        ("SMUG-CL-COMMA-DIFFERENT", b"5, 6", 400),
        ("SMUG-CL-COMMA-SAME", b"5, 5", 400),
        ("SMUG-CL-COMMA-TRIPLE", b"5, 5, 5", 400),
        ("TRAILING-COMMA", b"5,", 400),
        ("LEADING-COMMA", b",5", 400),
        ("SEMICOLON", b"5;a", 400),
        ("GARDEN-S29", b"1Z", 400),
        ("FLOAT", b"5.0", 400),
        ("EXPONENT", b"5e0", 400),
        ("QUOTED", b'"5"', 400),
        ("HEX", b"a", 400),
        ("GARDEN-S16", b"", 400),
        ("NUL", b"5\x00", 400),
        ("VTAB", b"\x0b5", 400),
        ("NBSP", b"\xa05", 400),
        ("ARABIC", b"\xd9\xa5", 400),
        ("SUPERSCRIPT", b"\xb2", 400),
        ("OBS-FOLD", b"\r\n 5", 400),
        ("MAL-CL-OVERFLOW", b"99999999999999999999", 400),
        ("2-63", b"9223372036854775808", 400),
        ("2-64-PLUS-5", b"18446744073709551621", 400),
        ("2-32-PLUS-5", b"4294967301", 408),
        ("SMUG-CL-TRAILING-SPACE", b"5 ", ACCEPT),
        ("SMUG-CL-EXTRA-LEADING-SP", b"  5", ACCEPT),
        ("TABS", b"\t5\t", ACCEPT),
    ],
)
CL5 = b"Content-Length: 5"
case("SMUG-DUPLICATE-CL", post(CL5, b"Content-Length: 6", body=b"hello!"), 400)
case("RULE-DUPLICATE-CL-SAME", post(CL5, CL5, body=b"hello"), 400)
case("RULE-DUPLICATE-CL-CASE", post(CL5, b"CONTENT-length: 5", body=b"hello"), 400)
case("GARDEN-S23", post(b"Content-Length: 1", b"Content-Length: 0", body=b"Z"), 400)
case("GARDEN-S33", post(b"Content-Length: 0", b"Content-Length: 1", body=b"Z"), 400)
case("GARDEN-S42", post(b"Content-Length:", NEXT_LENGTH, body=NEXT), 400)
case("GARDEN-S3", post(b"Content-Length : %d" % len(NEXT), body=NEXT), 400)
case(
    "SMUG-DUPLICATE-CL-SMUGGLED-GET",
    post(b"Content-Length: 0", NEXT_LENGTH, body=NEXT),
    400,
)
case("RULE-CL-NAME-TAB", post(b"Content-Length\t: 5", body=b"hello"), 400)
case("RULE-CL-NAME-CASE", post(b"cOnTeNt-LeNgTh: 5", body=b"hello"), ACCEPT)

# --- Transfer-Encoding ---------------------------------------------------------------

table(
    "CODING",
    lambda te: post(b"Transfer-Encoding: " + te, body=HELLO),
    [
        ("SMUG-TE-XCHUNKED", b"xchunked", 400),
        ("SMUG-TE-EMPTY-VALUE", b"", 400),
        ("SMUG-TE-LEADING-COMMA", b", chunked", 400),
        ("GARDEN-S21", b",chunked", 400),
        ("SMUG-TE-TRAILING-COMMA", b"chunked,", 400),
        ("SMUG-TE-DOUBLE-CHUNKED", b"chunked, chunked", 400),
        ("SMUG-TE-NOT-FINAL-CHUNKED", b"chunked, gzip", 400),
        ("SMUG-TE-IDENTITY", b"identity", 400),
        ("IDENTITY-CHUNKED", b"identity, chunked", 400),
        ("CHUNKED-IDENTITY", b"chunked, identity", 400),
        ("COMP-UNKNOWN-TE-501", b"gzip", 400),
        ("GARDEN-S44", b"blegh", 400),
        ("UNKNOWN-CHUNKED", b"foo, chunked", 400),
        ("GZIP-CHUNKED", b"gzip, chunked", 501),
        ("DEFLATE-CHUNKED", b"deflate,chunked", 501),
        ("THREE-CODINGS", b"compress, gzip, chunked", 501),
        ("SMUG-CHUNKED-WITH-PARAMS", b"chunked;a=b", 400),
        ("SMUG-TE-VTAB", b"\x0bchunked", 400),
        ("SMUG-TE-FORMFEED", b"\x0cchunked", 400),
        ("SMUG-TE-NULL", b"chunked\x00", 400),
        ("GARDEN-S12", b"\xa0chunked\xa0", 400),
        ("GARDEN-S46", b"\xffchunked\xff", 400),
        ("SMUG-TE-OBS-FOLD", b"\r\n chunked", 400),
        ("OBS-FOLD-BEHIND", b"chunked\r\n , identity", 400),
        ("QUOTED", b'"chunked"', 400),
        ("SINGLE-QUOTED", b"'chunked'", 400),
        ("BACKSLASH", b"chunked\\", 400),
        ("PREFIX", b"chunk", 400),
        ("PORTSWIGGER-COW", b"cow", 400),
        ("PORTSWIGGER-SPACED", b"chun ked", 400),
        ("PORTSWIGGER-SPACE-JUNK", b"chunked x", 400),
        ("PORTSWIGGER-NAMEPREFIX", b"Transfer-Encoding: chunked", 400),
        ("LONG-S", b"chun\xc4\xb7ed", 400),
        ("SMUG-TE-TRAILING-SPACE", b"chunked ", ACCEPT),
        ("SMUG-TE-TAB-BEFORE-VALUE", b"\tchunked", ACCEPT),
        ("TAB-BEHIND", b"chunked\t", ACCEPT),
        ("SMUG-TE-CASE-MISMATCH", b"Chunked", ACCEPT),
        ("UPPER", b"CHUNKED", ACCEPT),
    ],
)
CLTE = [
    ("SMUG-CL-TE-BOTH", CL5, CHUNKED),
    ("TE-CL-BOTH", CHUNKED, CL5),
    ("CL0-TE", b"Content-Length: 0", CHUNKED),
    ("SMUG-CLTE-SMUGGLED-GET-TE-TRAILING-SPACE", CL5, b"Transfer-Encoding: chunked "),
    ("SMUG-CLTE-SMUGGLED-GET-TE-LEADING-COMMA", CL5, b"Transfer-Encoding: , chunked"),
    ("SMUG-CLTE-SMUGGLED-GET-TE-CASE-MISMATCH", CL5, b"Transfer-Encoding: Chunked"),
    ("SMUG-CLTE-SMUGGLED-GET-CL-PLUS", b"Content-Length: +5", CHUNKED),
    ("SMUG-CLTE-SMUGGLED-GET-CL-NON-NUMERIC", b"Content-Length: 5x", CHUNKED),
    ("SMUG-CLTE-SMUGGLED-GET-TE-OBS-FOLD", CL5, b"Transfer-Encoding:\r\n chunked"),
    ("CL-TE-XCHUNKED", CL5, b"Transfer-Encoding: xchunked"),
    ("CL-TE-IDENTITY", CL5, b"Transfer-Encoding: identity"),
    ("CL-TE-EMPTY", CL5, b"Transfer-Encoding:"),
    ("SMUG-TE-SP-BEFORE-COLON", CL5, b"Transfer-Encoding : chunked"),
    ("TE-TAB-BEFORE-COLON", CL5, b"Transfer-Encoding\t: chunked"),
    ("TE-LEADING-SPACE", CL5, b" Transfer-Encoding: chunked"),
    ("TE-HIDDEN-BY-CR", CL5, b"X: y\rTransfer-Encoding: chunked"),
    ("TE-HIDDEN-BY-LF", CL5, b"X: y\nTransfer-Encoding: chunked"),
    ("TE-HIDDEN-BY-NUL", CL5, b"X: y\x00\r\nTransfer-Encoding: chunked"),
    ("SMUG-CLTE-CONN-CLOSE", CL5, CHUNKED + b"\r\nConnection: close"),
    ("SMUG-TECL-CONN-CLOSE", CHUNKED, CL5 + b"\r\nConnection: close"),
]
for name, first, second in CLTE:
    case(f"CLTE-{name}", post(first, second, body=b"0\r\n\r\n" + NEXT), 400)
case("SMUG-TE-DUPLICATE-HEADERS", post(CHUNKED, b"Transfer-Encoding: identity", body=HELLO), 400)
case("GARDEN-S11", post(CHUNKED, CHUNKED, body=HELLO), 400)
case("RULE-TE-DUPLICATE-CASE", post(CHUNKED, b"transfer-encoding: CHUNKED", body=HELLO), 400)
case("RULE-TE-TWO-LINES", post(b"Transfer-Encoding: gzip", CHUNKED, body=HELLO), 400)
case("SMUG-TE-HTTP10", message(b"POST / HTTP/1.0", HOST, CHUNKED, body=HELLO), 400)
case(
    "RULE-TE-HTTP10-KEEP-ALIVE",
    message(b"POST / HTTP/1.0", HOST, CHUNKED, b"Connection: keep-alive", body=HELLO),
    400,
)
case(
    "SMUG-OPTIONS-TE-OBS-FOLD",
    message(b"OPTIONS / HTTP/1.1", HOST, b"Transfer-Encoding:\r\n chunked", body=HELLO),
    400,
)
case("RULE-TE-GET", get(CHUNKED, body=HELLO), ACCEPT)
case("RULE-TE-NAME-CASE", post(b"tRANSFER-eNCODING: chunked", body=HELLO), ACCEPT)

# --- Connection and Expect -----------------------------------------------------------

table(
    "CONNECTION",
    lambda option: post(CL5, b"Connection: " + option, body=b"hello"),
    [
        ("CONTENT-LENGTH", b"Content-Length", 400),
        ("CONTENT-LENGTH-LIST", b"keep-alive, content-length", 400),
        ("TRANSFER-ENCODING", b"close, Transfer-Encoding", 400),
        ("HOST", b"host", 400),
        ("NOT-A-TOKEN", b"close;q=1", 400),
        ("QUOTED", b'"close"', 400),
        ("OTHER-FIELD", b"X-Forwarded-For", ACCEPT),
        ("BOTH", b"close, keep-alive", ACCEPT),
        ("CASE", b"CLOSE", ACCEPT),
        ("EMPTY-ELEMENTS", b", ,close,", ACCEPT),
        ("EMPTY", b"", ACCEPT),
    ],
)
table(
    "EXPECT",
    lambda value: post(b"Expect: " + value, CL5, body=b"hello"),
    [
        ("COMP-EXPECT-UNKNOWN", b"200-ok", 417),
        ("LIST", b"100-continue, 200-ok", 417),
        ("EMPTY", b"", 417),
        ("PARAMETER", b"100-continue;a=b", 417),
        ("CASE", b"100-Continue", ACCEPT),
    ],
)

# --- chunks --------------------------------------------------------------------------

table(
    "CHUNK",
    chunks,
    [
        ("SMUG-CHUNK-HEX-PREFIX", b"0x5\r\nhello\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-SIZE-PLUS", b"+5\r\nhello\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-NEGATIVE", b"-1\r\nhello\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-UNDERSCORE", b"1_0\r\n0123456789012345\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-LEADING-SP", b" 5\r\nhello\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-SIZE-TRAILING-OWS", b"5 \r\nhello\r\n0\r\n\r\n", 400),
        ("SIZE-TRAILING-TAB", b"5\t\r\nhello\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-BARE-SEMICOLON", b"5;\r\nhello\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-EXT-INVALID-TOKEN", b"5;a[b\r\nhello\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-EXT-LF", b"5;a\nhello\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-EXT-CR", b"5;a\rb\r\nhello\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-EXT-CTRL", b"5;a\x00b\r\nhello\r\n0\r\n\r\n", 400),
        ("EXT-SPACE-BEFORE", b"5 ;a\r\nhello\r\n0\r\n\r\n", 400),
        ("EXT-SPACE-BEHIND", b"5; a\r\nhello\r\n0\r\n\r\n", 400),
        ("EXT-NO-NAME", b"5;=b\r\nhello\r\n0\r\n\r\n", 400),
        ("EXT-NO-VALUE", b"5;a=\r\nhello\r\n0\r\n\r\n", 400),
        ("EXT-TWO-SEMICOLONS", b"5;;a\r\nhello\r\n0\r\n\r\n", 400),
        ("EXT-OPEN-QUOTE", b'5;a="b\r\nhello\r\n0\r\n\r\n', 400),
        ("EXT-BEHIND-QUOTE", b'5;a="b"c\r\nhello\r\n0\r\n\r\n', 400),
        ("EXT-QUOTED-CRLF", b'5;a="b\r\nc"\r\nhello\r\n0\r\n\r\n', 400),
        ("SMUG-CHUNK-LF-TERM", b"5\r\nhello\n0\r\n\r\n", 400),
        ("SIZE-LF", b"5\nhello\r\n0\r\n\r\n", 400),
        ("GARDEN-T13", b"a\r\n0123456789\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-BARE-CR-TERM", b"5\rhello\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-LF-TRAILER", b"5\r\nhello\r\n0\r\n\n", 400),
        ("LAST-LF", b"5\r\nhello\r\n0\n\r\n", 400),
        ("SMUG-CHUNK-MISSING-TRAILING-CRLF", b"5\r\nhello0\r\n\r\n", 400),
        ("SMUG-CHUNK-SPILL", b"5\r\nhelloXX\r\n0\r\n\r\n", 400),
        ("SHORT-DATA", b"5\r\nhel\r\n0\r\n\r\n", 400),
        ("SMUG-CHUNK-INVALID-SIZE-DESYNC", b"xyz\r\nhello\r\n0\r\n\r\n", 400),
        ("GARDEN-S1", b"0_2e\r\n\r\n" + NEXT + b"0\r\n\r\n", 400),
        ("GARDEN-S17", b"\r\n\r\n", 400),
        ("GARDEN-S31", b"5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n", 400),
        ("GARDEN-S36", b"5;a=b\r\rhello\r\n0\r\n\r\n", 400),
        ("GARDEN-S39", b"0\r\nX:POST / HTTP/1.1\r\n\r\n", ACCEPT),
        ("GARDEN-S47", b"INVALID!!!\r\n" + NEXT, 400),
        ("GARDEN-T2", b"Z\r\nZZ\r\nZZZ\r\n\r\n", 400),
        ("GARDEN-T3", b"2\r\r;a\r\n02\r\n41\r\n0\r\n\r\n", 400),
        ("GARDEN-T4", b"1\r0\n", 400),
        ("GARDEN-T7", b"1these-bytes-never-get-validated\r\nZ\r\n0\r\n\r\n", 400),
        ("GARDEN-T17", b"5\r\nhello\r\n\r\n0\r\n\r\n", 400),
        ("EMPTY-SIZE", b";a\r\nhello\r\n0\r\n\r\n", 400),
        ("NINE-DIGITS", b"000000005\r\nhello\r\n0\r\n\r\n", 400),
        ("OVERFLOW-32", b"100000005\r\nhello\r\n0\r\n\r\n", 400),
        ("OVERFLOW-64", b"10000000000000005\r\nhello\r\n0\r\n\r\n", 400),
        ("ALL-F", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", 400),
        ("2-31", b"80000000\r\nhello", 408),
        ("2-32-MINUS-1", b"ffffffff\r\nhello", 408),
        ("DECIMAL-POINT", b"5.0\r\nhello\r\n0\r\n\r\n", 400),
        ("NUL", b"5\x00\r\nhello\r\n0\r\n\r\n", 400),
        ("HIGH", b"\xb5\r\nhello\r\n0\r\n\r\n", 400),
        ("COMMA", b"5,5\r\nhello\r\n0\r\n\r\n", 400),
        ("LEADING-ZEROS", b"0005\r\nhello\r\n0000\r\n\r\n", ACCEPT),
        ("EXT-QUOTED", b'5;a="b;\\"c"\r\nhello\r\n0\r\n\r\n', ACCEPT),
        ("EXT-LAST", b"5\r\nhello\r\n0;a=b\r\n\r\n", ACCEPT),
        ("EXT-MANY", b"5;a;b=c;d\r\nhello\r\n0\r\n\r\n", ACCEPT),
        ("DATA-LOOKS-LIKE-CHUNKS", b"a\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", ACCEPT),
        ("PIPELINE", HELLO + NEXT, ACCEPT),
        ("TRAILERS", b"0\r\nA: b\r\nC: d\r\n\r\n", ACCEPT),
        ("SMUG-TRAILER-CL", b"0\r\nContent-Length: 5\r\n\r\n", 400),
        ("SMUG-TRAILER-TE", b"0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("SMUG-TRAILER-HOST", b"0\r\nHost: b\r\n\r\n", 400),
        ("SMUG-TRAILER-AUTH", b"0\r\nAuthorization: Bearer x\r\n\r\n", ACCEPT),
        ("SMUG-TRAILER-CONTENT-TYPE", b"0\r\nContent-Type: text/evil\r\n\r\n", ACCEPT),
        ("TRAILER-NO-COLON", b"0\r\nX\r\n\r\n", 400),
        ("TRAILER-SP-COLON", b"0\r\nX : y\r\n\r\n", 400),
        ("TRAILER-FOLD", b"0\r\nX: y\r\n z\r\n\r\n", 400),
        ("TRAILER-EMPTY-NAME", b"0\r\n: y\r\n\r\n", 400),
        ("TRAILER-NUL", b"0\r\nX: \x00\r\n\r\n", 400),
        ("TRAILER-CR", b"0\r\nX: a\rb\r\n\r\n", 400),
        ("TRAILER-OPEN", b"0\r\nX: y\r\n", 408),
        ("EXT-TOO-LONG", b"5;" + b"a" * 17_000 + b"\r\nhello\r\n0\r\n\r\n", 400),
        ("TRAILERS-TOO-LONG", b"0\r\n" + b"X: y\r\n" * 3000 + b"\r\n", 400),
        ("EXTS-TOO-LONG", b"1;aaaaaaaaaaaaaaa\r\nx\r\n" * 1200 + b"0\r\n\r\n", 400),
    ],
)
