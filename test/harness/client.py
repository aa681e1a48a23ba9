"""A small HTTP client for tests: one call, one answer, and bytes as they are."""

import http.client
import json
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are lower-case."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        """The `data` of a success."""
        assert self.status < 300, f"{self.status}: {self.body!r}"
        return self.json["data"]

    @property
    def error(self):
        """The stable code of a refusal; checks that the envelope is the promised one."""
        envelope = self.json
        assert envelope["code"] == self.status, envelope
        assert envelope["message"], envelope
        return envelope["error"]


class Client:
    """Calls one program; one connection for each call unless keep() is used."""

    def __init__(self, port, headers=None, timeout=15, metrics_port=None):
        self.port = port
        self.metrics_port = metrics_port or port
        self.headers = dict(headers or {})
        self.timeout = timeout

    def call(self, method, path, body=None, headers=None):
        """A dict or list as body is sent as JSON; bytes and text as they are."""
        head = self.headers | dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            head.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            connection.request(method, path, body=body, headers=head)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, body, **options)

    def put(self, path, body=None, **options):
        return self.call("PUT", path, body, **options)

    def delete(self, path, **options):
        return self.call("DELETE", path, **options)

    def metrics(self):
        """name{labels} -> value of /metrics."""
        lines = Client(self.metrics_port).get("/metrics").body.decode().splitlines()
        rows = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def raw(self, data, timeout=5):
        """Sends bytes on a fresh connection and gives all that comes back until the other
        side closes or is silent for `timeout`."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as s:
            s.sendall(data)
            received = b""
            try:
                while more := s.recv(65536):
                    received += more
            except (TimeoutError, ConnectionResetError):
                pass
            return received
