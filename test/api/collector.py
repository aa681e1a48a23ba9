"""A collector of OpenTelemetry that takes nothing but what OTLP/HTTP allows in JSON. It
shares no code with ours."""

import json
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVER, CLIENT = 2, 3
# trace.proto; and resource.proto, common.proto.
SPAN = {
    "traceId",
    "spanId",
    "parentSpanId",
    "flags",
    "name",
    "kind",
    "startTimeUnixNano",
    "endTimeUnixNano",
    "attributes",
    "status",
}


@dataclass
class Span:
    trace: str
    id: str
    parent: str | None
    name: str
    kind: int
    flags: int
    start: int
    end: int
    attributes: dict
    failed: bool
    resource: dict = field(repr=False)

    def __getitem__(self, key):
        return self.attributes.get(key)


def attributes(rows):
    found = {}
    for row in rows:
        assert set(row) == {"key", "value"} and row["key"] and row["key"] not in found, row
        ((kind, value),) = row["value"].items()
        assert isinstance(value, str), row  # 64-bit integers are strings
        if kind == "intValue":
            value = int(value)
        else:
            assert kind == "stringValue" and value, row
        found[row["key"]] = value
    return found


def hex_id(text, digits):
    assert re.fullmatch(f"[0-9a-f]{{{digits}}}", text) and int(text, 16), text
    return text


def nanoseconds(text):
    assert isinstance(text, str) and re.fullmatch("[1-9][0-9]{18}", text), text
    return int(text)


def read_span(row, resource):
    assert set(row) <= SPAN and row["name"], row
    start, end = nanoseconds(row["startTimeUnixNano"]), nanoseconds(row["endTimeUnixNano"])
    assert start <= end, row
    assert row["kind"] in (SERVER, CLIENT) and row["flags"] & 0x1FF == 0x101, row
    failed = row.get("status", {}) == {"code": 2}
    assert failed or "status" not in row, row
    parent = row.get("parentSpanId")
    span = Span(
        hex_id(row["traceId"], 32),
        hex_id(row["spanId"], 16),
        parent and hex_id(parent, 16),
        row["name"],
        row["kind"],
        row["flags"],
        start,
        end,
        attributes(row["attributes"]),
        failed,
        resource,
    )
    assert failed == ("error.type" in span.attributes), row
    return span


def read_batch(body):
    batch = json.loads(body)
    assert set(batch) == {"resourceSpans"}, batch
    spans = []
    for of_resource in batch["resourceSpans"]:
        assert set(of_resource) == {"resource", "scopeSpans"}, of_resource
        resource = attributes(of_resource["resource"]["attributes"])
        for of_scope in of_resource["scopeSpans"]:
            assert set(of_scope) == {"scope", "spans"} and of_scope["scope"]["name"]
            assert of_scope["spans"]
            spans += [read_span(row, resource) for row in of_scope["spans"]]
    check_relations(spans)
    return spans


def check_relations(spans):
    """A call is a part of the request that made it, in place and in time."""
    ids = {span.id: span for span in spans}
    assert len(ids) == len(spans)
    for call in (span for span in spans if span.kind == CLIENT):
        request = ids[call.parent]
        assert (request.kind, request.trace) == (SERVER, call.trace)
        assert request.start <= call.start <= call.end <= request.end


class Server(ThreadingHTTPServer):
    """One that can hang up on who is connected."""

    daemon_threads = True

    def __init__(self, *arguments):
        self.taken = []
        super().__init__(*arguments)

    def get_request(self):
        connection, address = super().get_request()
        self.taken.append(connection)
        return connection, address

    def hang_up(self):
        for connection in self.taken:
            with suppress(OSError):  # it was closed already
                connection.shutdown(socket.SHUT_RDWR)


class Collector:
    """Listens on a port. `behave` gets the number of each batch, from 0 on, and gives the
    answer: (status, headers, body). Spans of batches that were answered 200 are in `spans`;
    what was wrong with any batch is in `wrong`."""

    def __init__(self, port, behave=None, host="127.0.0.1"):
        self.behave = behave or (lambda _: (200, {}, b"{}"))
        self.batches = []
        self.spans = []
        self.wrong = []
        self.lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                collector.take(self)

            def log_message(self, *_):
                pass

        self.server = Server((host, port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Nobody is answered any more: what comes on an open connection would be lost."""
        self.server.shutdown()
        self.server.server_close()
        self.server.hang_up()
        assert self.wrong == []

    def take(self, handler):
        size = int(handler.headers["Content-Length"])
        body = handler.rfile.read(size)
        if len(body) < size:
            return  # one of both sides has gone
        spans = []
        try:
            assert handler.path == "/v1/traces"
            assert handler.headers["Content-Type"] == "application/json"
            assert handler.headers["User-Agent"].startswith("onrush-gateway/")
            spans = read_batch(body)
        except (AssertionError, KeyError, ValueError) as problem:
            self.wrong.append(repr(problem))
        with self.lock:
            number = len(self.batches)
            self.batches.append(body)
        status, headers, answer = self.behave(number)
        with self.lock:
            if status == 200:
                self.spans += spans
        try:
            handler.send_response(status)
            for name, value in {"Content-Length": len(answer), **headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(answer)
        except OSError:
            pass  # the gateway has gone, or waits no more

    def of_kind(self, kind):
        return [span for span in self.spans if span.kind == kind]
