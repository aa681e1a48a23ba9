"""What the tests of limits share: clients of several addresses that ask for all they can."""

import http.client
import threading
import time
from collections import Counter

from api.lines import until


def ask(port, path="/a", address="127.0.0.1", method="GET", **headers):
    """(status, headers, body) of one call, from this address."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=15, source_address=(address, 0)
    )
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return response.status, names, response.read()
    finally:
        connection.close()


def ask_in_line(*arguments, **options):
    """The same where a pass is needed, once it is known where the line stands: a busy machine
    may have let the numbers grow old."""
    return until(lambda: (answer := ask(*arguments, **options))[0] != 503 and answer)


def until_refused(port, path="/a", most=200, ask=ask, **options):
    """How many calls were answered 200 before one was refused, and that refusal."""
    for count in range(most):
        status, headers, body = ask(port, path, **options)
        if status != 200:
            return count, status, headers, body
    raise AssertionError(f"{most} calls were let through")


class Crowd:
    """Clients that call these ports as fast as they can, each over a new connection every
    now and then, so that every worker gets some. Counts the answers by status."""

    CLIENTS = 4  # of each port

    def __init__(self, *ports, path="/a"):
        self.path = path
        self.counts = Counter()
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.threads = [
            threading.Thread(target=self._call, args=(port,), daemon=True)
            for port in ports
            for _ in range(self.CLIENTS)
        ]

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        self.seconds = time.monotonic() - self.began

    def _call(self, port):
        while not self.ending.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
            try:
                for _ in range(20):
                    connection.request("GET", self.path)
                    response = connection.getresponse()
                    response.read()
                    with self.lock:
                        self.counts[response.status] += 1
            finally:
                connection.close()

    @property
    def granted(self):
        with self.lock:
            return self.counts[200]
