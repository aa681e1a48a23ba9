"""More calls than a service can answer: who goes first, who is refused, and how many the
service is given at the same time. How long it takes is the benchmarks' to say."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from api.coupons import wait_until
from api.fake_service import FakeService, response
from api.h2_client import Client, head
from api.limits import Crowd, ask
from api.test_routes_file import document, route

UNDER_WAY = "onrush_http_requests_under_way"
LIMIT = 'onrush_gateway_upstream_limit{upstream="a"}'
QUEUED = 'onrush_gateway_upstream_queued_calls{upstream="a"}'
REFUSED = 'onrush_gateway_upstream_refused_total{{upstream="a",priority="{}"}}'
PRIORITIES = ("high", "normal", "low")


class Worker:
    """A service that says how many calls it has at the same time, and takes as long for
    each as the test wants."""

    def __init__(self):
        self.lock = threading.Lock()
        self.order = []
        self.now = self.most = 0
        self.seconds = 0.0
        self.free = threading.Event()
        self.free.set()

    def __call__(self, request):
        with self.lock:
            self.order.append(request.target)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        self.free.wait()
        with self.lock:
            self.now -= 1
        return response()


@pytest.fixture
def service(world, tmp_path):
    """A worker, and `start` for the gateway before it: a route for each priority."""
    worker = Worker()
    path = tmp_path / "routes.json"
    routes = [route(f"/{name}", priority=name) for name in PRIORITIES]
    path.write_text(json.dumps(document(*routes, a=f"127.0.0.1:{world.port('a')}")), "utf-8")

    def start(**settings):
        own = {"ONRUSH_WORKERS": 1, "ONRUSH_ROUTES": path, "ONRUSH_PASSES": "off"}
        world.start("gateway", **(own | settings))
        return world.port("gateway")

    worker.start = start
    with ExitStack() as stack:
        stack.enter_context(FakeService(world.port("a"), worker))
        yield worker
        worker.free.set()


def metric(world, name):
    return world.client().metrics()[name]


def test_who_is_more_important_is_served_first(service, world):
    """The least important come first, and all at once: who has waited a good second longer
    is served before who is more important."""
    port = service.start(ONRUSH_UPSTREAM_CONNS=1, ONRUSH_UPSTREAM_QUEUE_MS=5000)
    service.free.clear()
    with Client(port) as client:
        first = client.ask(head("GET", "/normal"))
        wait_until(lambda: service.now == 1)
        paths = [f"/{name}" for name in ("low", "normal", "high") for _ in range(3)]
        waiting = client.ask_at_once(*(head("GET", path) for path in paths))
        # These wait; besides, one is at the service and one asks for the metrics.
        wait_until(lambda: metric(world, UNDER_WAY) == len(waiting) + 2)
        service.free.set()
        assert [client.answer(stream).status for stream in (first, *waiting)] == [200] * 10
    assert service.order == ["/normal"] + ["/high"] * 3 + ["/normal"] * 3 + ["/low"] * 3


def test_a_full_queue_has_room_for_the_more_important(service, world):
    port = service.start(
        ONRUSH_UPSTREAM_CONNS=1, ONRUSH_UPSTREAM_QUEUE=4, ONRUSH_UPSTREAM_QUEUE_MS=5000
    )
    service.free.clear()
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(ask, port, "/low")
        wait_until(lambda: service.now == 1)
        low = [pool.submit(ask, port, "/low") for _ in range(4)]
        wait_until(lambda: metric(world, QUEUED) == 4)
        high = [pool.submit(ask, port, "/high") for _ in range(4)]
        refused = [call.result() for call in low]
        assert ask(port, "/normal")[0] == 503
        service.free.set()
        assert [call.result()[0] for call in (first, *high)] == [200] * 5
    for status, headers, body in refused:
        assert (status, json.loads(body)["error"]) == (503, "OVERLOADED")
        assert headers["retry-after"] == "1"


def test_a_service_that_takes_long_is_given_less(service, world):
    port = service.start(
        ONRUSH_UPSTREAM_CONNS=32,
        ONRUSH_UPSTREAM_MIN=8,
        ONRUSH_UPSTREAM_TARGET_MS=200,
        ONRUSH_UPSTREAM_QUEUE_MS=5000,
    )
    wait_until(lambda: metric(world, LIMIT) == 32)
    service.seconds = 0.3
    with Crowd(*[port] * 8, path="/normal"):
        wait_until(lambda: metric(world, LIMIT) == 8, seconds=60)
        # Of the time before, 32 at most are on their way to the service.
        before = len(service.order)
        wait_until(lambda: len(service.order) >= before + 32)
        wait_until(lambda: service.now <= 8)
        with service.lock:
            service.most = 0
        before = len(service.order)
        wait_until(lambda: len(service.order) > before + 50)
        assert service.most <= 8
        # It has recovered: it gets more and more, as long as it is quick.
        service.seconds = 0.05
        wait_until(lambda: metric(world, LIMIT) == 32, seconds=60)


def test_without_a_target_the_number_is_fixed(service, world):
    port = service.start(
        ONRUSH_UPSTREAM_CONNS=8, ONRUSH_UPSTREAM_TARGET_MS=0, ONRUSH_UPSTREAM_QUEUE_MS=5000
    )
    service.seconds = 0.1
    with Crowd(*[port] * 4, path="/normal"):
        wait_until(lambda: len(service.order) > 300, seconds=60)
    assert service.most == 8
    assert metric(world, LIMIT) == 8


def test_lower_priorities_are_refused_first(service, world):
    """Four at a time, and three times as many calls as that; nobody may wait for long."""
    port = service.start(ONRUSH_UPSTREAM_CONNS=4, ONRUSH_UPSTREAM_QUEUE_MS=250)
    service.seconds = 0.1
    with ExitStack() as stack:
        # Two of the four places would be enough for the important ones.
        crowds = {"high": stack.enter_context(Crowd(port, path="/high"))}
        crowds["low"] = stack.enter_context(Crowd(*[port] * 6, path="/low"))
        wait_until(
            lambda: crowds["low"].counts[503] > 200 and crowds["high"].granted > 100, seconds=60
        )
    refused = {name: metric(world, REFUSED.format(name)) for name in PRIORITIES}
    share = {name: crowd.counts[503] / crowd.counts.total() for name, crowd in crowds.items()}
    assert set(crowds["low"].counts) <= {200, 503}
    assert refused["low"] > 100
    assert refused["normal"] == 0
    assert share["high"] < share["low"] / 4
    # All that is refused at once has never waited for the service.
    assert len(service.order) == crowds["low"].granted + crowds["high"].granted
