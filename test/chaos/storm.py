"""A storm of clients on one coupon, behaving as clients should: every user asks with an
Idempotency-Key, and asks again with the same key when the answer was lost or unknown.

    with Storm(port, coupon_id=1, clients=32) as storm:
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

# What a client repeats: nothing came, or it is not known or not yet what became of it.
AGAIN = {0, 202, 429, 502, 503, 504}


class Storm:
    def __init__(self, port, coupon_id=1, clients=32, first_user=1, path="/api/v1/coupons"):
        self.port, self.path, self.coupon_id, self.clients = port, path, coupon_id, clients
        self.users = itertools.count(first_user)
        self.granted = {}
        self.twice = []  # users who were told two ranks
        self.answers = Counter()  # by status, or error code
        self.unresolved = set()  # users who were told nothing final before the end
        self.gaps = []  # seconds between two 200s, the long ones
        self.stopping = False
        self.last_grant = None
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()))

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
            user = next(self.users)
            patience = time.monotonic() + 60
            while True:
                connection, status, body = await self._ask(connection, user)
                if status not in AGAIN and not self._in_progress(body):
                    break
                # After the end a client still wants to know, but not for ever.
                if time.monotonic() > patience:
                    self.unresolved.add(user)
                    break
                await asyncio.sleep(0.05)
            if connection is not None and self.stopping:
                connection[1].close()

    @staticmethod
    def _in_progress(body):
        return body is not None and body.get("error") == "REQUEST_IN_PROGRESS"

    async def _ask(self, connection, user):
        try:
            if connection is None:
                connection = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = connection
            text = json.dumps({"userId": user, "couponId": self.coupon_id})
            writer.write(
                f"POST {self.path} HTTP/1.1\r\nHost: onrush\r\nIdempotency-Key: {user}\r\n"
                f"Content-Length: {len(text)}\r\n\r\n{text}".encode()
            )
            status, body, keep = await asyncio.wait_for(self._answer(reader), 20)
        except (OSError, EOFError, TimeoutError):
            self.answers["lost"] += 1
            if connection is not None:
                connection[1].close()
            return None, 0, None
        self._note(user, status, body)
        if not keep:
            writer.close()
            connection = None
        return connection, status, body

    def _note(self, user, status, body):
        self.answers[body.get("error", status) if status >= 400 else status] += 1
        if status != 200:
            return
        rank = body["data"]["rank"]
        if self.granted.setdefault(user, rank) != rank:
            self.twice.append(user)
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
