"""Rate limits: whose bucket a call takes from, what a refusal says, and how many calls all
workers and gateways together let through, with Redis and without it."""

import json
import time
from contextlib import ExitStack

import pytest
from api.coupons import wait_until
from api.fake_service import FakeService
from api.limits import Crowd, ask, ask_in_line, until_refused
from api.lines import UNLIMITED, Line
from api.passes import bearer, served
from api.test_routes_file import document, reload, route

LIMITED = "onrush_gateway_limited_total"
SHARED = "onrush_gateway_limits_shared"
# Slow enough that a bucket, once empty, stays so while a test looks at it.
SLOW = {"rate": 1, "burst": 10}
COUNTED = {"ONRUSH_ADDRESS_TRUSTED": "", "ONRUSH_PASSES": "off", "ONRUSH_WORKERS": 1}


class Limits:
    """A gateway before a service that answers everything, with these limits."""

    def __init__(self, world, path):
        self.world, self.path = world, path
        self.stack = ExitStack()

    def write(self, limits, *routes):
        content = document(*routes, a=f"127.0.0.1:{self.world.port('a')}")
        self.path.write_text(json.dumps(content | {"limits": limits}), encoding="utf-8")

    def start(self, limits, *routes, names=("gateway",), **settings):
        if "a" not in self.world.ports:
            self.stack.enter_context(FakeService(self.world.port("a")))
        self.write(limits, *(routes or [route("/a", limit=list(limits) or None)]))
        for name in names:
            self.world.start(name, ONRUSH_ROUTES=self.path, **(COUNTED | settings))
        return self.world.port(names[0])


@pytest.fixture
def limits(world, tmp_path):
    made = Limits(world, tmp_path / "routes.json")
    with made.stack:
        yield made


def bound(rate, burst, seconds, holders):
    """What docs/gateway.md says is let through at most by so many workers that share."""
    return burst + rate * seconds + (holders - 1) * (burst + rate * 0.2)


def within(granted, began, rate, burst):
    """Was this many granted by one bucket since then?"""
    return burst <= granted <= burst + rate * (time.monotonic() - began) + 1


def test_a_refusal_says_when_to_come_again(limits, world):
    port = limits.start({"calls": {"per": "address", **SLOW}})
    began = time.monotonic()
    granted, status, headers, body = until_refused(port)
    assert within(granted, began, **SLOW)
    assert status == 429
    assert headers["retry-after"] == "1"
    assert headers["ratelimit"] == '"calls";r=0;t=1'
    assert headers["ratelimit-policy"] == '"calls";q=10;w=10'
    said = json.loads(body)
    assert (said["code"], said["error"]) == (429, "RATE_LIMITED")
    assert "1 per second are taken from one address" in said["message"]
    assert world.client().metrics()[f'{LIMITED}{{limit="calls",per="address"}}'] == 1


def test_each_address_has_its_own_bucket(limits):
    port = limits.start({"calls": {"per": "address", **SLOW}})
    until_refused(port)
    began = time.monotonic()
    granted, *_ = until_refused(port, address="127.0.0.2")
    assert within(granted, began, **SLOW)


def test_a_limit_per_route_counts_all_who_call_what_names_it(limits):
    class_ = {"shop": {"per": "route", **SLOW}}
    port = limits.start(class_, route("/a", limit="shop"), route("/b", limit="shop"), route("/c"))
    began = time.monotonic()
    first, *_ = until_refused(port, "/a")
    second, *_ = until_refused(port, "/b", address="127.0.0.2")
    assert within(first + second, began, **SLOW)
    assert ask(port, "/c")[0] == 200


def test_a_call_that_one_limit_refuses_costs_nothing_under_another(limits):
    both = {"all": {"per": "route", "rate": 1, "burst": 30}, "each": {"per": "address", **SLOW}}
    port = limits.start(both, route("/a", limit=["all", "each"]))
    began = time.monotonic()
    first, *_ = until_refused(port)
    assert within(first, began, **SLOW)
    for _ in range(100):
        ask(port)
    second, _, headers, _ = until_refused(port, address="127.0.0.2")
    assert second >= 10
    assert headers["ratelimit"].startswith('"each"')


def test_trusted_addresses_are_not_counted(limits):
    port = limits.start(
        {"calls": {"per": "address", **SLOW}}, ONRUSH_ADDRESS_TRUSTED="127.0.0.1, 10.0.0.0/8"
    )
    assert all(ask(port)[0] == 200 for _ in range(50))
    until_refused(port, address="127.0.0.2")


def test_every_address_has_a_limit_by_default(limits, world):
    port = limits.start({}, ONRUSH_ADDRESS_RATE=1, ONRUSH_ADDRESS_BURST=10)
    granted, _, headers, _ = until_refused(port)
    assert granted >= 10
    assert headers["ratelimit-policy"] == '"every-address";q=10;w=10'
    # What no service answers is not counted: the operator still sees in.
    assert world.client().metrics()[f'{LIMITED}{{limit="every-address",per="address"}}'] == 1


def test_the_limit_of_every_address_can_be_taken_away(limits):
    port = limits.start({}, ONRUSH_ADDRESS_RATE=0, ONRUSH_ADDRESS_BURST=1)
    assert all(ask(port)[0] == 200 for _ in range(50))


def test_a_user_has_one_bucket_wherever_the_calls_come_from(limits, world):
    world.start("queue")
    guarded = {"limit": "buying", "pass": True}
    user = {"buying": {"per": "user", **SLOW}}
    port = limits.start(user, route("/a", **guarded), route("/b", **guarded), ONRUSH_PASSES="on")
    line = Line(world, 1, maxActive=5, **UNLIMITED)
    one, other = (bearer(served(line, user)) for user in (42, 43))
    began = time.monotonic()
    first, status, headers, body = until_refused(port, ask=ask_in_line, **one)
    assert (status, headers["ratelimit"]) == (429, '"buying";r=0;t=1')
    assert "1 per second are taken of one user" in json.loads(body)["message"]
    second, *_ = until_refused(port, "/b", ask=ask_in_line, address="127.0.0.2", **one)
    assert within(first + second, began, **SLOW)
    assert ask_in_line(port, **other)[0] == 200
    # Who shows no pass is told that, and takes nothing from anybody.
    assert ask_in_line(port)[0] == 401


def test_who_is_not_known_does_not_count_as_a_user(limits):
    port = limits.start({"buying": {"per": "user", **SLOW}})
    assert all(ask(port)[0] == 200 for _ in range(50))


def test_a_reload_leaves_the_buckets_as_they_are(limits, world):
    one = {"calls": {"per": "address", **SLOW}}
    port = limits.start(one, route("/a", limit="calls"))
    until_refused(port)
    began = time.monotonic()
    limits.write(one, route("/a", limit="calls"), route("/b"))
    reload(world)
    wait_until(lambda: ask(port, "/b")[0] == 200)
    granted, *_ = until_refused(port)
    assert granted <= time.monotonic() - began + 1
    # Another figure is another limit.
    limits.write({"calls": {"per": "address", "rate": 1, "burst": 11}}, route("/a", limit="calls"))
    reload(world)
    wait_until(lambda: ask(port)[0] == 200)


RATE, BURST = 50, 20
ROUTE = {"shop": {"per": "route", "rate": RATE, "burst": BURST}}


def test_the_workers_of_a_gateway_count_together(limits):
    port = limits.start(ROUTE, ONRUSH_WORKERS=4)
    with Crowd(port) as crowd:
        time.sleep(4)
    assert BURST <= crowd.granted <= bound(RATE, BURST, crowd.seconds, 4)
    assert crowd.counts[429] > crowd.granted


TWO = ("gateway", "gateway-1")


def wait_until_shared(world):
    for name in TWO:
        wait_until(lambda name=name: world.client(name).metrics()[SHARED] == 2)


def start_two(limits, world):
    limits.start(ROUTE, names=TWO, ONRUSH_WORKERS=2, ONRUSH_REDIS_URL=world.redis_url)
    wait_until_shared(world)
    return world.port("gateway"), world.port("gateway-1")


def losses(world):
    """How often one of the two could not ask Redis: it waits 100 ms for an answer."""
    said = [record["msg"] for name in TWO for record in world.logs(name)]
    return sum("Redis connection lost" in message for message in said)


def crowd_while_shared(world, ports):
    """A crowd of four seconds. One in which a busy Redis was lost does not count."""
    for _ in range(5):
        before = losses(world)
        wait_until_shared(world)
        with Crowd(*ports) as crowd:
            time.sleep(4)
        if losses(world) == before:
            return crowd
    raise AssertionError("Redis is lost again and again")


def test_two_gateways_share_one_limit(limits, world):
    crowd = crowd_while_shared(world, start_two(limits, world))
    assert BURST <= crowd.granted <= bound(RATE, BURST, crowd.seconds, 4)
    assert crowd.counts[429] > crowd.granted
    # A bucket that is full again is not kept.
    wait_until(lambda: world.redis_client().keys("limit:*") == [])


def test_redis_is_wiped_and_one_more_burst_is_let_through(limits, world):
    ports = start_two(limits, world)
    with Crowd(*ports) as crowd:
        for _ in range(4):
            time.sleep(1)
            world.redis_client().flushdb()
    assert crowd.granted <= bound(RATE, BURST, crowd.seconds, 4) + 4 * 4 * BURST


def test_redis_dies_and_each_gateway_counts_for_itself(limits, make_world, tmp_path):
    world = make_world(redis=True)
    made = Limits(world, tmp_path / "other.json")
    with made.stack:
        ports = start_two(made, world)
        with Crowd(*ports) as crowd:
            time.sleep(1)
            world.redis.kill()
            time.sleep(2)
            world.redis.start()
            wait_until_shared(world)
            time.sleep(1)
        # Twice the rate at most for all of the time, and three changes of who counts.
        most = bound(2 * RATE, BURST, crowd.seconds, 4) + 2 * 4 * BURST
        assert BURST <= crowd.granted <= most
        assert crowd.counts[429] > crowd.granted
