"""Cases about start lines, fields, Host and limits: see http_cases.py."""

from api.http_case import (
    ACCEPT,
    CRLF,
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

# --- what everyone must understand ---------------------------------------------------

case("COMP-BASELINE", get(), ACCEPT)
case("COMP-POST-CL-BODY", post(b"Content-Length: 5", body=b"hello"), ACCEPT)
case("COMP-POST-CL-ZERO", post(b"Content-Length: 0"), ACCEPT)
case("COMP-POST-NO-CL-NO-TE", post(), ACCEPT)
case("COMP-POST-CL-UNDERSEND", post(b"Content-Length: 10", body=b"hello"), 408)
case("COMP-CHUNKED-BODY", chunks(HELLO), ACCEPT)
case("COMP-CHUNKED-MULTI", chunks(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), ACCEPT)
case("COMP-CHUNKED-EMPTY", chunks(b"0\r\n\r\n"), ACCEPT)
case("COMP-CHUNKED-NO-FINAL", chunks(b"5\r\nhello\r\n"), 408)
case("COMP-CHUNKED-EXTENSION", chunks(b"5;ext=value\r\nhello\r\n0\r\n\r\n"), ACCEPT)
case("COMP-CHUNKED-TRAILER-VALID", chunks(b"5\r\nhello\r\n0\r\nX-Sum: a\r\n\r\n"), ACCEPT)
case("COMP-CHUNKED-HEX-UPPERCASE", chunks(b"A\r\nhelloworld\r\n0\r\n\r\n"), ACCEPT)
case("COMP-GET-WITH-CL-BODY", get(b"Content-Length: 5", body=b"hello"), ACCEPT)
case("COMP-OPTIONS-STAR", message(b"OPTIONS * HTTP/1.1", HOST), ACCEPT)
case("COMP-METHOD-CASE", message(b"get / HTTP/1.1", HOST), ACCEPT)
case("COMP-UNKNOWN-METHOD", message(b"FOOBAR / HTTP/1.1", HOST), ACCEPT)
case("COMP-METHOD-TRACE", message(b"TRACE / HTTP/1.1", HOST), ACCEPT)
case(
    "COMP-TRACE-WITH-BODY",
    message(b"TRACE / HTTP/1.1", HOST, b"Content-Length: 5", body=b"hello"),
    ACCEPT,
)
case("COMP-CONNECTION-CLOSE", get(b"Connection: close"), ACCEPT)
case("COMP-HTTP10-DEFAULT-CLOSE", message(b"GET / HTTP/1.0", HOST), ACCEPT)
case("COMP-HTTP10-NO-HOST", message(b"GET / HTTP/1.0"), ACCEPT)
case(
    "COMP-NO-1XX-HTTP10",
    message(b"POST / HTTP/1.0", HOST, b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"),
    ACCEPT,
)
case("COMP-HEAD-NO-BODY", message(b"HEAD / HTTP/1.1", HOST), ACCEPT)
case(
    "COMP-DUPLICATE-CT",
    post(
        b"Content-Length: 5", b"Content-Type: text/plain", b"Content-Type: text/html", body=b"hello"
    ),
    ACCEPT,
)
case("COMP-RANGE-POST", post(b"Content-Length: 5", b"Range: bytes=0-10", body=b"hello"), ACCEPT)
case(
    "COMP-UPGRADE-POST",
    post(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    ACCEPT,
)
case("COMP-UPGRADE-MISSING-CONN", get(b"Upgrade: websocket"), ACCEPT)
case("COMP-UPGRADE-UNKNOWN", get(b"Connection: Upgrade", b"Upgrade: made-up/1.0"), ACCEPT)
case(
    "COMP-UPGRADE-H2C",
    get(
        b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"
    ),
    ACCEPT,
)
case(
    "COMP-UPGRADE-HTTP10",
    message(b"GET / HTTP/1.0", HOST, b"Connection: Upgrade", b"Upgrade: websocket"),
    ACCEPT,
)
case("SMUG-PIPELINE-SAFE", get() + NEXT, ACCEPT)
case("SMUG-CL0-BODY-POISON", post(b"Content-Length: 0", body=b"X") + NEXT, ACCEPT)
case("SMUG-GET-CL-PREFIX-DESYNC", get(NEXT_LENGTH, body=NEXT), ACCEPT)
case(
    "SMUG-OPTIONS-CL-BODY",
    message(b"OPTIONS / HTTP/1.1", HOST, b"Content-Length: 5", body=b"hello"),
    ACCEPT,
)
case(
    "SMUG-HEAD-CL-BODY",
    message(b"HEAD / HTTP/1.1", HOST, b"Content-Length: 5", body=b"hello"),
    ACCEPT,
)
case(
    "SMUG-EXPECT-100-CL", post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"), ACCEPT
)
case("GARDEN-S48", post(b"Content-Length: 0", b"Connection:keep-alive") + NEXT, ACCEPT)
case("GARDEN-S45", get(b"Connection: close", body=b"Invalid\r\n\r\n"), ACCEPT)

# --- the request line ----------------------------------------------------------------

table(
    "RFC9112-3",
    lambda line: message(line, HOST),
    [
        ("MULTI-SP-REQUEST-LINE", b"GET  / HTTP/1.1", 400),
        ("MULTI-SP-BEFORE-VERSION", b"GET /  HTTP/1.1", 400),
        ("TRAILING-SP", b"GET / HTTP/1.1 ", 400),
        ("LEADING-SP", b" GET / HTTP/1.1", 400),
        ("REQUEST-LINE-TAB", b"GET\t/ HTTP/1.1", 400),
        ("REQUEST-LINE-TAB-VERSION", b"GET /\tHTTP/1.1", 400),
        ("REQUEST-LINE-VT", b"GET\x0b/ HTTP/1.1", 400),
        ("REQUEST-LINE-FF", b"GET / \x0cHTTP/1.1", 400),
        ("MISSING-TARGET", b"GET HTTP/1.1", 400),
        ("EMPTY-TARGET", b"GET  HTTP/1.1", 400),
        ("MISSING-METHOD", b"/ HTTP/1.1", 400),
        ("NO-VERSION", b"GET /", 400),
        ("NO-VERSION-SP", b"GET / ", 400),
        ("ONLY-METHOD", b"GET", 400),
        ("SPACE-IN-TARGET", b"GET /pa th HTTP/1.1", 400),
        ("EXTRA-WORD", b"GET / HTTP/1.1 HTTP/1.1", 400),
        ("METHOD-SEPARATORS", b'G=":<>(e),[T];?" / HTTP/1.1', 400),
        ("METHOD-CONTROL", b"GE\x01T / HTTP/1.1", 400),
        ("METHOD-HIGH", b"GE\xd4T / HTTP/1.1", 400),
        ("METHOD-NUL", b"\x00 / HTTP/1.1", 400),
        ("METHOD-COLON", b"GET: / HTTP/1.1", 400),
        ("BOM", b"\xef\xbb\xbfGET / HTTP/1.1", 400),
    ],
)
table(
    "RFC9112-2.3",
    lambda version: message(b"GET / " + version, HOST),
    [
        ("INVALID-VERSION", b"HTTP/9.9", 505),
        ("HTTP12-VERSION", b"HTTP/1.2", 505),
        ("HTTP20-VERSION", b"HTTP/2.0", 505),
        ("HTTP09-VERSION", b"HTTP/0.9", 505),
        ("HTTP19-VERSION", b"HTTP/1.9", 505),
        ("MISSING-MINOR", b"HTTP/1", 400),
        ("EMPTY-MINOR", b"HTTP/1.", 400),
        ("EMPTY-MAJOR", b"HTTP/.1", 400),
        ("LEADING-ZEROS", b"HTTP/01.01", 400),
        ("LONG-MINOR", b"HTTP/1.10", 400),
        ("GARDEN-S5", b"HTTP/1.32", 505),
        ("GARDEN-S15", b"HTTP/\r\r1.1", 400),
        ("GARDEN-S24", b"HTTP/4294967295.255", 400),
        ("VERSION-WHITESPACE", b"HTTP/ 1.1", 400),
        ("VERSION-CASE", b"http/1.1", 400),
        ("VERSION-MIXED-CASE", b"Http/1.1", 400),
        ("VERSION-COMMA", b"HTTP/1,1", 400),
        ("VERSION-NO-SLASH", b"HTTP1.1", 400),
        ("VERSION-SIGN", b"HTTP/+1.1", 400),
        ("VERSION-HEX", b"HTTP/1.A", 400),
        ("VERSION-OTHER-NAME", b"HTTPS/1.1", 400),
        ("VERSION-RTSP", b"RTSP/1.0", 400),
        ("VERSION-ICE", b"ICE/1.0", 400),
    ],
)
case("RFC9112-2.3-HTTP09-REQUEST", b"GET /\r\n", 400)
case("RFC9112-2.3-HTTP09-HEADERS", b"GET /\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 400)
case("RFC9112-3-H2-PREFACE", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400)
case("RFC9112-3-TLS-HELLO", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400)
case("GARDEN-S40", b"\x00 / HTTP/............0596.7407.\r\n\r\n", 400)
case("MAL-BINARY-GARBAGE", bytes((i * 167 + 13) % 256 for i in range(256)), 400)
case("MAL-WHITESPACE-ONLY-LINE", b"   \r\n\r\n", 400)
case("COMP-LEADING-CRLF", CRLF + CRLF + get(), 400)
case("RULE-ONE-LEADING-CRLF", CRLF + get(), 400)
case("RULE-LEADING-LF", b"\n" + get(), 400)
case("RULE-LEADING-CR", b"\r" + get(), 400)

# --- the target ----------------------------------------------------------------------

table(
    "TARGET",
    lambda target: get(target=target),
    [
        ("COMP-ASTERISK-WITH-GET", b"*", 400),
        ("COMP-ABSOLUTE-FORM", b"http://a/", 400),
        ("SMUG-ABSOLUTE-URI-HOST-MISMATCH", b"http://b/", 400),
        ("ABSOLUTE-USERINFO", b"http://user@a/", 400),
        ("ABSOLUTE-OTHER-SCHEME", b"gopher://a/", 400),
        ("AUTHORITY", b"a:80", 400),
        ("RELATIVE", b"index.html", 400),
        ("ONLY-QUERY", b"?a=b", 400),
        ("GARDEN-S7", b"!", 400),
        ("RFC9112-3.2-FRAGMENT-IN-TARGET", b"/path#frag", 400),
        ("FRAGMENT-IN-QUERY", b"/path?a#frag", 400),
        ("MAL-NUL-IN-URL", b"/\x00test", 400),
        ("ESCAPED-NUL", b"/a%00b", 400),
        ("ESCAPED-NUL-IN-QUERY", b"/a?b=%00", 400),
        ("BAD-ESCAPE", b"/%zz", 400),
        ("SHORT-ESCAPE", b"/%4", 400),
        ("LONE-PERCENT", b"/100%", 400),
        ("IIS-ESCAPE", b"/%u0041", 400),
        ("CONTROL", b"/a\x01b", 400),
        ("DEL", b"/a\x7fb", 400),
        ("CR", b"/a\rb", 400),
        ("LF", b"/a\nb", 400),
        ("MAL-NON-ASCII-URL", b"/caf\xc3\xa9", 400),
        ("QUOTE", b'/"a"', 400),
        ("BACKSLASH", b"/..\\..\\etc", 400),
        ("BRACKETS", b"/a[0]", 400),
        ("BRACES", b"/{a}", 400),
        ("CARET", b"/a^b", 400),
        ("BACKTICK", b"/`id`", 400),
        ("PIPE", b"/a|b", 400),
        ("ANGLES", b"/<a>", 400),
        ("ALL-ALLOWED", b"/-._~!$&'()*+,;=:@/?-._~!$&'()*+,;=:@/?", ACCEPT),
        ("ESCAPES", b"/%41%2f%2F%e2%82%ac?%20", ACCEPT),
        ("EMPTY-SEGMENTS", b"//a///b", ACCEPT),
        ("DOT-SEGMENTS", b"/a/../b/./c", ACCEPT),
        ("EMPTY-QUERY", b"/a?", ACCEPT),
        ("TWO-QUESTION-MARKS", b"/a?b?c", ACCEPT),
        ("LONGEST", b"/" + b"a" * 4095, ACCEPT),
        ("RULE-TOO-LONG", b"/" + b"a" * 4096, 414),
        ("COMP-LONG-URL-OK", b"/" + b"a" * 7900, 414),
        ("MAL-LONG-URL", b"/" + b"a" * 100_000, 414),
    ],
)
case("COMP-METHOD-CONNECT", message(b"CONNECT a:443 HTTP/1.1", b"Host: a:443"), 400)
case("RULE-CONNECT-PATH", message(b"CONNECT / HTTP/1.1", HOST), 400)
case("RULE-OPTIONS-STARS", message(b"OPTIONS ** HTTP/1.1", HOST), 400)

# --- line ends -----------------------------------------------------------------------

table(
    "RFC9112-2.2",
    lambda data: data,
    [
        ("BARE-LF-REQUEST-LINE", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
        ("BARE-LF-HEADER", b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        ("BARE-LF-EVERYWHERE", b"GET / HTTP/1.1\nHost: a\n\n", 400),
        ("BARE-LF-END", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
        ("LF-CR-END", b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
        ("CR-ONLY-LINE-ENDING", b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
        ("CR-CR-LF", b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),
        ("CR-ONLY-END", b"GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", 400),
        ("CR-ONLY-HEADER", b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
        ("GARDEN-S9", b"GET /\nHTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GARDEN-S30", b"GET / HTTP/1.1\r\nHost: a\r\n\rZGET /e: HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GARDEN-S19", b"GET / HTTP/1.1\r\nHost: a\r\nX:\n\nGET / HTTP/1.1\r\n\r\n", 400),
        ("GARDEN-T14", b"GET / HTTP/1.1\r\nHost: a\r\nTe\nst: test\r\n\r\n", 400),
        ("MAL-INCOMPLETE-REQUEST", b"GET / HTTP/1.1\r\nHost: a\r\nX: b", 408),
        ("HEAD-WITHOUT-END", b"GET / HTTP/1.1\r\nHost: a\r\n", 408),
        ("HEAD-WITHOUT-LF", b"GET / HTTP/1.1\r\nHost: a\r\n\r", 408),
    ],
)

# --- header fields -------------------------------------------------------------------

table(
    "FIELD",
    get,
    [
        ("RFC9112-5.1-OBS-FOLD", b"X: value\r\n continued", 400),
        ("OBS-FOLD-TAB", b"X: value\r\n\tcontinued", 400),
        ("OBS-FOLD-EMPTY", b"X: value\r\n ", 400),
        ("RFC9110-5.6.2-SP-BEFORE-COLON", b"X : value", 400),
        ("TAB-BEFORE-COLON", b"X\t: value", 400),
        ("RFC9112-5-EMPTY-HEADER-NAME", b": value", 400),
        ("GARDEN-S27", b":", 400),
        ("RFC9112-5-INVALID-HEADER-NAME", b"Bad[Name: value", 400),
        ("RFC9112-5-HEADER-NO-COLON", b"NoColonHere", 400),
        ("GARDEN-S28", b"Content-Length 10", 400),
        ("GARDEN-S37", b"Transfer-\r\nEncoding: chunked", 400),
        ("NAME-SPACE", b"X Y: value", 400),
        ("NAME-CONTROL", b"X\x01: value", 400),
        ("NAME-NUL", b"X\x00: value", 400),
        ("NAME-DEL", b"X\x7f: value", 400),
        ("NAME-AT", b"X@Y: value", 400),
        ("NAME-QUOTE", b'"X": value', 400),
        ("NAME-SLASH", b"X/Y: value", 400),
        ("NAME-CR", b"X\rY: value", 400),
        ("GARDEN-S20", b"Content-Length\x85: 10", 400),
        ("MAL-NON-ASCII-HEADER-NAME", b"X-T\xc3\xabst: value", 400),
        ("GARDEN-S8", b"\xefoo: bar", 400),
        ("GARDEN-S14", bytes(range(1, 9)) + b"\x0b\x0c: whatever", 400),
        ("MAL-CONTROL-CHARS-HEADER", b"X: abc\x07\x08\x0bdef", 400),
        ("VALUE-NUL", b"X: a\x00b", 400),
        ("GARDEN-S35", b"Test: test\x00dropped", 400),
        ("GARDEN-S43", b"Evil: evil\x00", 400),
        ("GARDEN-S2", b"X: v\x00\ralue", 400),
        ("VALUE-DEL", b"X: a\x7fb", 400),
        ("VALUE-ESC", b"X: a\x1b[0m", 400),
        ("SMUG-BARE-CR-HEADER-VALUE", b"X: a\rb", 400),
        ("GARDEN-S13", b"Visible: :/\rSmuggled: :)", 400),
        ("CR-THEN-FIELD", b"X: \rTransfer-Encoding: chunked", 400),
        ("VALUE-LF", b"X: a\nb", 400),
        ("VALUE-LEADING-CR", b"X:\r a", 400),
        ("VALUE-HIGH", b"X: \xc3\xa9\xff", ACCEPT),
        ("GARDEN-S41", b"User: \x85admin\xa0", ACCEPT),
        ("VALUE-TAB", b"X: a\tb", ACCEPT),
        ("VALUE-EMPTY", b"X:", ACCEPT),
        ("VALUE-ONLY-SPACE", b"X: \t ", ACCEPT),
        ("VALUE-COLON", b"X::a:b", ACCEPT),
        ("VALUE-TRIMMED", b"X: \t a b \t", ACCEPT),
        ("NAME-ALL-TOKEN", b"!#$%&'*+-.^_`|~09azAZ: x", ACCEPT),
        ("SMUG-TRANSFER_ENCODING", b"Transfer_Encoding: chunked", ACCEPT),
        ("CONTENT_LENGTH", b"Content_Length: 5", ACCEPT),
        ("PREFIX-NAME", b"XContent-Length: 5", ACCEPT),
        ("SUFFIX-NAME", b"Content-Lengths: 5", ACCEPT),
        ("REPEATED", b"X: a\r\nX: b\r\nx: c", ACCEPT),
    ],
)
case("COMP-WHITESPACE-BEFORE-HEADERS", b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", 400)
case("RULE-SPACE-BEFORE-FIRST-FIELD", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400)
case("GARDEN-S4", b"GET / HTTP/1.1\r\n\tContent-Length: 1\r\nHost: a\r\n\r\nX", 400)
case("GARDEN-S18", b"GET / HTTP/1.1\r\n: ignored\r\nHost: a\r\n\r\n", 400)

# --- Host ----------------------------------------------------------------------------

table(
    "HOST",
    lambda host: message(b"GET / HTTP/1.1", b"Host: " + host),
    [
        ("COMP-HOST-EMPTY-VALUE", b"", 400),
        ("COMP-HOST-WITH-USERINFO", b"user@a", 400),
        ("COMP-HOST-WITH-PATH", b"a/path", 400),
        ("SMUG-MULTIPLE-HOST-COMMA", b"a,b", 400),
        ("COMMA-SPACE", b"a, b", 400),
        ("SPACE", b"a b", 400),
        ("QUERY", b"a?b", 400),
        ("FRAGMENT", b"a#b", 400),
        ("SCHEME", b"http://a", 400),
        ("BACKSLASH", b"a\\b", 400),
        ("ESCAPE", b"a%00b", 400),
        ("PORT-NAME", b"a:http", 400),
        ("PORT-SIGN", b"a:+80", 400),
        ("PORT-LONG", b"a:808080", 400),
        ("TWO-PORTS", b"a:80:81", 400),
        ("ONLY-PORT", b":80", 400),
        ("HIGH", b"\xffa\xff", 400),
        ("GARDEN-T12", b"a\x00.b", 400),
        ("QUOTED", b'"a"', 400),
        ("BARE-IPV6", b"::1", 400),
        ("OPEN-BRACKET", b"[::1", 400),
        ("EMPTY-BRACKETS", b"[]", 400),
        ("NAME", b"example.com", ACCEPT),
        ("PORT", b"example.com:8080", ACCEPT),
        ("IPV4", b"127.0.0.1:80", ACCEPT),
        ("IPV6", b"[::1]:8080", ACCEPT),
        ("TRIMMED", b"  a\t", ACCEPT),
    ],
)
case("RFC9112-7.1-MISSING-HOST", b"GET / HTTP/1.1\r\n\r\n", 400)
case("RULE-MISSING-HOST-WITH-FIELDS", message(b"GET / HTTP/1.1", b"X: y"), 400)
case("RFC9110-5.4-DUPLICATE-HOST", get(b"Host: b"), 400)
case("COMP-DUPLICATE-HOST-SAME", get(b"Host: a"), 400)
case("RULE-DUPLICATE-HOST-CASE", get(b"hOST: a"), 400)
case("RULE-DUPLICATE-HOST-10", message(b"GET / HTTP/1.0", HOST, HOST), 400)
case("RULE-HOST-SPACE-COLON", message(b"GET / HTTP/1.1", b"Host : a"), 400)

# --- limits --------------------------------------------------------------------------

case("MAL-LONG-HEADER-VALUE", get(b"X: " + b"b" * 100_000), 431)
case("MAL-LONG-HEADER-NAME", get(b"X" * 100_000 + b": b"), 431)
case("MAL-LONG-METHOD", message(b"A" * 100_000 + b" / HTTP/1.1", HOST), 431)
case("MAL-MANY-HEADERS", get(*(b"X-%d: v" % i for i in range(10_000))), 431)
case("RULE-65-FIELDS", get(*(b"X-%d: v" % i for i in range(64))), 431)
case("RULE-64-FIELDS", get(*(b"X-%d: v" % i for i in range(63))), ACCEPT)
case("RULE-HEAD-AT-LIMIT", get(b"X: " + b"b" * (16384 - len(get(b"X: ")))), ACCEPT)
case("RULE-HEAD-OVER-LIMIT", get(b"X: " + b"b" * (16385 - len(get(b"X: ")))), 431)
