"""Server-sent events of the waiting line: told instead of asking."""

import http.client
import json
import threading
from contextlib import contextmanager, suppress

import pytest
from api.lines import BUSY, UNLIMITED, Line, patient, until


class Stream:
    """A client of GET /queue/events: reads in a thread, keeps all it was sent."""

    def __init__(self, world, user, line=1, name="queue", headers=None):
        path = f"/queue/events/{user}?line={line}"
        self.response = patient(self._connect, world.port(name), path, headers or {})
        self.blocks, self.ended = [], threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _connect(self, port, path, headers):
        """The answer, of which more may come."""
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.connection.request("GET", path, headers=headers)
        self.socket = self.connection.sock
        response = self.connection.getresponse()
        if response.status in BUSY:
            self.connection.close()
        return response

    def _read(self):
        block = []
        try:
            for raw in self.response:
                text = raw.decode().rstrip("\n")
                if text:
                    block.append(text)
                elif block:
                    self.blocks.append("\n".join(block))
                    block = []
        except (OSError, http.client.HTTPException):
            return  # the test does not want more of it
        self.ended.set()

    def events(self, kind="place"):
        head = f"event: {kind}\ndata: "
        return [json.loads(b[len(head) :]) for b in self.blocks if b.startswith(head)]

    def last(self):
        """What the client knows now."""
        return until(lambda: self.events() and self.events()[-1])

    def close(self):
        with suppress(OSError):  # the server may have closed it
            self.socket.shutdown(2)
        self.thread.join(10)
        self.response.close()
        self.connection.close()


@contextmanager
def stream(*args, **options):
    s = Stream(*args, **options)
    try:
        yield s
    finally:
        s.close()


@pytest.fixture
def queue(world):
    world.start("queue")
    return world


def test_a_client_is_told_until_its_time_is_over(queue):
    line = Line(queue, 1, maxActive=0, **UNLIMITED)
    line.take(2)
    with stream(queue, 2) as s:
        assert s.response.status == 200
        assert s.response.getheader("content-type") == "text/event-stream"
        assert s.response.getheader("cache-control") == "no-store"
        assert s.last()["userId"] == 2
        line.change(maxActive=1)
        until(lambda: s.last()["status"] == "ACTIVE")
        line.change(activeMs=1000)
        until(lambda: s.ended.is_set())
        assert [e["status"] for e in s.events()] == ["WAITING", "ACTIVE", "EXPIRED"]
        assert s.blocks[0] == "retry: 2000"
        assert [e["queueOrder"] for e in s.events()] == [1, 0, 0]
        assert not {"token"} & set(s.last())


def test_events_come_through_the_gateway(queue):
    queue.start("gateway")
    line = Line(queue, 1, maxActive=0)
    for user in (1, 2):
        line.take(user)
    with stream(queue, 2, name="gateway") as s:
        assert s.last()["queueOrder"] == 2
        line.change(maxActive=1, **UNLIMITED)
        until(lambda: s.last()["queueOrder"] == 1)
        queue.stop("queue")
        until(lambda: s.ended.is_set())
        assert s.events("end") == [{}]


def test_each_position_near_the_front_and_what_concerns_all(queue):
    line = Line(queue, 1, maxActive=0)
    for user in range(1, 6):
        line.take(user)
    line.change(**UNLIMITED)
    with stream(queue, 5) as s:
        for limit in range(1, 5):
            line.change(maxActive=limit)
            until(lambda n=limit: s.last()["queueOrder"] == 5 - n)
        line.change(soldOut=True)
        until(lambda: s.last()["soldOut"])
        line.change(soldOut=False, mode="closed")
        until(lambda: not s.last()["soldOut"] and s.last()["closed"])
        orders = [e["queueOrder"] for e in s.events()]
        assert orders == sorted(orders, reverse=True) and set(orders) == {5, 4, 3, 2, 1}


def test_who_is_unknown_gets_no_stream(queue):
    get = queue.client("queue").get
    Line(queue, 1)
    assert patient(get, "/queue/events/7?line=1").error == "TOKEN_NOT_FOUND"
    assert patient(get, "/queue/events/7?line=9").error == "LINE_NOT_FOUND"
    assert patient(get, "/queue/events/0?line=1").error == "BAD_PARAMETER"


def test_the_last_event_id_is_harmless(queue):
    line = Line(queue, 1, maxActive=0)
    line.take(1)
    for value in ("", "7", "'; drop table", "x" * 900):
        with stream(queue, 1, headers={"Last-Event-ID": value}) as s:
            assert s.last()["queueOrder"] == 1


def test_streams_end_with_the_server(queue):
    line = Line(queue, 1, maxActive=0)
    line.take(1)
    with stream(queue, 1) as s:
        s.last()
        queue.stop("queue")
        until(lambda: s.ended.is_set())
        assert s.events("end") == [{}]
    queue.start("queue")
    with stream(queue, 1) as s:
        assert s.last()["queueOrder"] == 1


def test_clients_that_leave_are_forgotten(queue):
    line = Line(queue, 1, maxActive=0)
    line.take(1)
    gauge = "onrush_queue_streams"
    streams = [Stream(queue, 1) for _ in range(50)]
    until(lambda: queue.client("queue").metrics()[gauge] == 50)
    for s in streams:
        s.close()
    until(lambda: queue.client("queue").metrics()[gauge] == 0)


def test_redis_is_lost_and_the_client_is_asked_to_show_its_pass(queue):
    """A ticket that only its holder remembers is kept by the pass, which a stream that is
    under way does not show."""
    line = Line(queue, 1, maxActive=0)
    tokens = {user: line.take(user).data["token"] for user in range(1, 4)}
    queue.kill("queue")
    queue.redis_client().flushall()
    queue.sql("update queue.lines set given = 1 where line_id = 1")
    queue.start("queue")
    pass_of_3 = {"Authorization": f"Bearer {tokens[3]}"}
    with stream(queue, 3, headers=pass_of_3) as s:
        assert s.last()["queueOrder"] == 3
    assert line.number_of(3) == 3
    line.change(maxActive=10, **UNLIMITED)
    until(lambda: line.status(3).data["status"] == "ACTIVE")
