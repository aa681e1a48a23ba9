"""A storm of clients, behaving as clients should: every request has an Idempotency-Key, and is
made again with the same key when the answer was lost or unknown.

    with CouponStorm(port, coupon_id=1, clients=32) as storm:
        time.sleep(1)
        world.kill("coupon")
        ...
    storm.granted     # {user: rank} of every 200 that a client saw
"""

import asyncio
import itertools
import json
import threading
import time
from collections import Counter

CALLS = 20  # of one who judges how fast refusals are
FAST_S = 0.5
# What a client repeats: nothing came, or it is not known or not yet what became of it.
AGAIN = {0, 202, 429, 502, 503, 504}


def timed_calls(client, path, body):
    """[(answer, seconds)] of one who asks several times beside a storm."""
    calls = []
    for _ in range(CALLS):
        began = time.monotonic()
        answer = client.post(path, body)
        calls.append((answer, time.monotonic() - began))
    return calls


def check_refused(calls):
    """Each was refused, and fast: what waits for a time-out is slow every time, while a busy
    machine is so now and then."""
    for answer, _ in calls:
        assert answer.status == 503, answer
        assert answer.headers["retry-after"]
    assert min(took for _, took in calls) < FAST_S, "a refusal must be fast"


class Storm:
    """Requests are numbered; request() says what one is, headers() what else goes with it,
    result() what its 200 promised."""

    def __init__(self, port, clients=32):
        self.port, self.clients = port, clients
        self.numbers = itertools.count(1)
        self.granted = {}
        self.twice = []  # requests that were told two results
        self.answers = Counter()  # by status, or error code
        self.unresolved = set()  # requests that were told nothing final before the end
        self.gaps = []  # seconds between two 200s, the long ones
        self.stopping = False
        self.last_grant = None
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def request(self, number):
        """The path and the body of a POST, always the same for the same number."""
        raise NotImplementedError

    def headers(self, number):
        """Further headers, {name: value}."""
        return {}

    def result(self, number, data):
        """What a 200 says, which must be the same when the request is repeated."""
        raise NotImplementedError

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping = True
        self.thread.join()

    async def _run(self):
        await asyncio.gather(*(self._client() for _ in range(self.clients)))

    async def _client(self):
        connection = None
        while not self.stopping:
            number = next(self.numbers)
            patience = time.monotonic() + 60
            while True:
                connection, status, body = await self._ask(connection, number)
                if status not in AGAIN and not self._in_progress(body):
                    break
                # After the end a client still wants to know, but not for ever.
                if time.monotonic() > patience:
                    self.unresolved.add(number)
                    break
                await asyncio.sleep(0.05)
            if connection is not None and self.stopping:
                connection[1].close()

    @staticmethod
    def _in_progress(body):
        return body is not None and body.get("error") == "REQUEST_IN_PROGRESS"

    async def _ask(self, connection, number):
        try:
            if connection is None:
                connection = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = connection
            path, body = self.request(number)
            text = json.dumps(body)
            more = "".join(f"{k}: {v}\r\n" for k, v in self.headers(number).items())
            writer.write(
                f"POST {path} HTTP/1.1\r\nHost: onrush\r\nIdempotency-Key: {number}\r\n{more}"
                f"Content-Length: {len(text)}\r\n\r\n{text}".encode()
            )
            status, body, keep = await asyncio.wait_for(self._answer(reader), 20)
        except (OSError, EOFError, TimeoutError):
            self.answers["lost"] += 1
            if connection is not None:
                connection[1].close()
            return None, 0, None
        self._note(number, status, body)
        if not keep:
            writer.close()
            connection = None
        return connection, status, body

    def _note(self, number, status, body):
        self.answers[body.get("error", status) if status >= 400 else status] += 1
        if status != 200:
            return
        result = self.result(number, body["data"])
        if self.granted.setdefault(number, result) != result:
            self.twice.append(number)
        now = time.monotonic()
        if self.last_grant is not None and now - self.last_grant > 0.5:
            self.gaps.append(round(now - self.last_grant, 2))
        self.last_grant = now

    @staticmethod
    async def _answer(reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(fields["content-length"]))
        return int(head[9:12]), json.loads(body), fields.get("connection") != "close"


class CouponStorm(Storm):
    """Every user wants one coupon: request 7 is user 7's, and its result is the rank."""

    def __init__(self, port, coupon_id=1, **more):
        super().__init__(port, **more)
        self.coupon_id = coupon_id

    def request(self, number):
        return "/api/v1/coupons", {"userId": number, "couponId": self.coupon_id}

    def result(self, number, data):
        return data["rank"]
