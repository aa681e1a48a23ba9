"""Passes when something changes or is missing: keys, the queue service, Redis, people who do
nothing; and never more people in the shop than may be.
"""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from api.fake_service import FakeService
from api.lines import UNLIMITED, Line, claims, patient, until
from api.passes import (
    Keys,
    assert_refused,
    bearer,
    enter,
    enter_once,
    new_key,
    open_shop,
    served,
)

FAR = 4_000_000_000  # expires


@pytest.fixture
def shop(world):
    with open_shop(world):
        yield world


# --- keys ----------------------------------------------------------------------------------


def test_keys_are_rotated_without_a_restart(shop):
    keys = Keys(shop)
    old, new = keys.read()[0], new_key("next")
    good = claims(served(Line(shop, 1, maxActive=5, **UNLIMITED), 42))
    by_old, by_new = keys.sign(good, key=old), keys.sign(good, key=new)
    assert_refused(enter(shop, by_new), 401, "PASS_INVALID")
    keys.write([old, new])
    until(lambda: enter(shop, by_new).status == 200)
    keys.write([new, old])
    assert enter(shop, by_old).status == 200
    keys.write([new])
    until(lambda: enter(shop, by_old).status == 401)
    assert_refused(enter(shop, by_old), 401, "PASS_INVALID")
    assert enter(shop, by_new).status == 200


def test_the_queue_signs_with_the_new_key_and_knows_the_old_places(shop):
    keys = Keys(shop)
    old, new = keys.read()[0], new_key("next")
    line = Line(shop, 1, maxActive=1, **UNLIMITED)
    served(line, 1)
    token = line.take(2).data["token"]
    keys.write([new, old])
    until(lambda: line.take(2).data["token"] != token)
    again = line.take(2).data["token"]
    assert again == keys.sign(claims(token), key=new)
    assert line.status(2, token).data["queueOrder"] == 1  # shown with the old one
    until(lambda: enter(shop, again).error == "NOT_YET_SERVED")
    keys.write([new])
    until(lambda: line.status(2, token).status == 401)
    assert line.status(2, again).data["queueOrder"] == 1


@pytest.mark.parametrize("text", ["", "nonsense\n", "k-1 00ff\n", None])
def test_a_broken_file_of_keys_changes_nothing(shop, text):
    shop.expect_error("file of pass keys")
    keys = Keys(shop)
    token = served(Line(shop, 1, maxActive=5, **UNLIMITED), 42)
    assert enter(shop, token).status == 200
    kept = keys.read()
    if text is None:
        keys.path.unlink()
    else:
        keys.path.write_text(text, "ascii")
    complaint = "the keys from before stay in force"
    until(lambda: any(complaint in r["msg"] for r in shop.logs("gateway")))
    assert enter(shop, token).status == 200
    keys.write([new_key("next"), *kept])
    until(lambda: enter(shop, keys.sign(claims(token))).status == 200)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"ONRUSH_PASS_KEYS": ""}, "ONRUSH_PASS_KEYS is not set"),
        ({"ONRUSH_PASS_KEYS": "/nonexistent/keys"}, "/nonexistent/keys cannot be read"),
        ({"ONRUSH_PASS_KEYS": "/dev/null"}, "has no key"),
        ({"ONRUSH_QUEUE_URL": ""}, "ONRUSH_QUEUE_URL is not set"),
    ],
)
def test_a_gateway_that_cannot_check_does_not_start(world, settings, why):
    world.expect_error("ONRUSH_")
    process = world.start("gateway", wait=False, **settings)
    assert process.popen.wait(20) != 0
    process.ended_by_test = True
    assert why in process.log.read_text("utf-8")


def test_passes_may_be_off(world):
    with FakeService(world.port("reservation")) as service:
        world.start("gateway", ONRUSH_PASSES="off", ONRUSH_PASS_KEYS="", ONRUSH_QUEUE_URL="")
        assert enter(world, None).status == 200
        assert enter(world, "x").status == 200
        assert service.requests[-1].header("x-onrush-user") is None


# --- the queue service in trouble ----------------------------------------------------------


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_without_numbers_nobody_is_let_in(shop, how):
    """Within the lease of its copy the gateway goes on; then it says so, until it knows."""
    line = Line(shop, 1, maxActive=5, **UNLIMITED)
    token = served(line, 42)
    assert enter(shop, token).status == 200
    if how == "kill":
        shop.kill("queue")
    else:
        os.kill(shop["queue"].pid, signal.SIGSTOP)
    until(lambda: enter_once(shop, token).status == 503)
    answer = enter_once(shop, token)
    assert_refused(answer, 503, "DEPENDENCY_UNAVAILABLE")
    assert "retry-after" in answer.headers and "place in it is kept" in answer.json["message"]
    # What can be told without the line still is.
    assert_refused(enter(shop, "x"), 401, "PASS_INVALID")
    assert shop.client("gateway").get("/payments/3").status == 200
    if how == "kill":
        shop.start("queue")
    else:
        os.kill(shop["queue"].pid, signal.SIGCONT)
    until(lambda: enter(shop, token).status == 200)


def test_a_gateway_that_starts_before_the_queue(world):
    with FakeService(world.port("reservation")):
        world.start("gateway")
        token = Keys(world).sign({"exp": FAR, "line": 0, "num": 1, "sub": "7"})
        assert enter_once(world, token).status == 503
        world.start("queue")
        assert patient(world.client("queue").post, "/queue/tokens", {"userId": 7}).status == 200
        until(lambda: enter(world, token).status == 200)


def test_redis_is_wiped_and_who_has_a_pass_goes_on(shop):
    line = Line(shop, 1, maxActive=3, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in range(1, 9)}
    until(lambda: enter(shop, tokens[3]).status == 200)
    line.leave(1)
    until(lambda: enter(shop, tokens[4]).status == 200)
    shop.redis_client().flushall()
    until(lambda: line.take(99).status == 200)
    newcomer = line.take(99).data["token"]
    until(lambda: all(enter(shop, tokens[user]).status == 200 for user in (2, 3, 4)))
    assert_refused(enter(shop, tokens[1]), 403, "PASS_OVER")
    for user in range(5, 9):
        assert_refused(enter(shop, tokens[user]), 403, "NOT_YET_SERVED")
    assert_refused(enter(shop, newcomer), 403, "NOT_YET_SERVED")
    leave = "/queue/tokens/2?line=1"
    left = patient(shop.client("queue").delete, leave, headers=bearer(tokens[2]))
    assert left.status == 200
    until(lambda: enter(shop, tokens[5]).status == 200)
    assert_refused(enter(shop, newcomer), 403, "NOT_YET_SERVED")


# --- who does something --------------------------------------------------------------------

# Gateways tell once a second whom they have seen, and a busy machine tells it late.
RULE_MS = 5000


@pytest.mark.parametrize("rule", ["noShowMs", "idleMs"])
def test_who_is_in_the_shop_is_neither_missing_nor_idle(shop, rule):
    """Only the gateway sees them: they ask the queue service nothing any more."""
    line = Line(shop, 1, maxActive=2, rate=-1, **({"noShowMs": -1} | {rule: RULE_MS}))
    tokens = {user: line.take(user).data["token"] for user in (1, 2, 3)}
    until(lambda: line.serving()["serving"] == 2)

    def busy_until_3_is_served():
        assert enter(shop, tokens[1]).status == 200
        return enter(shop, tokens[3]).status == 200

    until(busy_until_3_is_served)  # because 2 did nothing
    assert_refused(enter(shop, tokens[2]), 403, "PASS_OVER")
    end = time.monotonic() + 3 + RULE_MS / 1000
    while time.monotonic() < end:
        assert enter(shop, tokens[1]).status == 200
        assert enter(shop, tokens[3]).status == 200


def test_what_a_gateway_tells_is_checked(world):
    world.start("queue")
    client = world.client("queue")
    for line, body, error in (
        ("0", {"seenFrom": 0}, "BAD_PARAMETER"),
        ("0", {"seen": "AA"}, "BAD_PARAMETER"),
        ("0", {"seenFrom": -1, "seen": "AA"}, "BAD_PARAMETER"),
        ("0", {"seenFrom": 0, "seen": "A!"}, "BAD_PARAMETER"),
        ("0", [], "BAD_PARAMETER"),
        ("x", {"seenFrom": 0, "seen": "AA"}, "BAD_PARAMETER"),
        ("77", {"seenFrom": 0, "seen": "AA"}, "LINE_NOT_FOUND"),
    ):
        assert patient(client.post, f"/internal/lines/{line}/seen", body).error == error, body
    # Places that nobody has are nobody's.
    told = patient(client.post, "/internal/lines/0/seen", {"seenFrom": 0, "seen": "_____w"})
    assert told.data["line"] == 0 and told.data["serving"] == 0


# --- the limit -----------------------------------------------------------------------------


class Visitor:
    """Takes a place, enters as often as the pass opens, and leaves or lets its time run
    out. Remembers when the pass was accepted: the end of an answer's request and of the
    answer, for the first and the last one.
    """

    def __init__(self, line, user):
        self.line, self.user = line, user
        self.first = self.last = None

    def enter(self, token):
        began = time.monotonic()
        if enter(self.line.world, token).status != 200:
            return False
        if self.first is None:
            self.first = time.monotonic()
        self.last = began
        return True

    def come_in(self):
        """Its pass, once it opens. A time that ran out unused, on a busy machine, is followed
        by another one."""
        token = self.line.take(self.user).data["token"]
        return self.enter(token) and token

    def visit(self, stays):
        token = until(self.come_in, 60)
        end = time.monotonic() + stays
        while time.monotonic() < end and self.enter(token):
            pass
        return token


def overlaps(visitors):
    """The most visitors who were inside at one moment, for sure: each from its first
    accepted answer to the last accepted request."""
    events = [(v.first, 1) for v in visitors if v.first and v.last > v.first]
    events += [(v.last, -1) for v in visitors if v.first and v.last > v.first]
    inside = most = 0
    for _, step in sorted(events):
        inside += step
        most = max(most, inside)
    return most


@pytest.mark.parametrize("workers", [1, 2])
def test_never_more_inside_than_may_be(world, workers):
    """Seen from outside: people come, enter all the time, leave or run out of time, and
    try again with passes that are over."""
    limit, people = 4, 40
    with FakeService(world.port("reservation")):
        world.start("queue")
        world.start("gateway", ONRUSH_WORKERS=workers)
        line = Line(world, 1, maxActive=limit, activeMs=3000, **UNLIMITED)
        visitors = [Visitor(line, user) for user in range(1, people + 1)]

        def visit(visitor):
            token = visitor.visit(stays=0.4 if visitor.user % 2 else 60)
            if visitor.user % 2:
                line.leave(visitor.user)
            last_chance = time.monotonic() + 2
            while time.monotonic() < last_chance:
                visitor.enter(token)

        with ThreadPoolExecutor(12) as pool:
            list(pool.map(visit, visitors))
    assert all(v.first for v in visitors)
    assert 1 < overlaps(visitors) <= limit


def unknowns(queue):
    """How often a queue service could not tell something."""
    return sum(n for name, n in queue.metrics().items() if name.endswith(',code="5xx"}'))


def test_another_queue_service_is_asked_when_one_is_gone(world):
    with FakeService(world.port("reservation")):
        world.start("queue", "queue-1")
        both = f"127.0.0.1:{world.port('queue')}, 127.0.0.1:{world.port('queue-1')}"
        world.start("gateway", ONRUSH_QUEUE_URL=both)
        line = Line(world, 1, maxActive=5, **UNLIMITED)
        token = served(line, 42)
        assert enter(world, token).status == 200
        for gone, other in (("queue", "queue-1"), ("queue-1", "queue")):
            numbers = world.client(other)
            until(lambda n=numbers: n.get("/queue/serving?line=1").status == 200)
            before = unknowns(numbers)
            world.kill(gone)
            end = time.monotonic() + 3
            while time.monotonic() < end:
                status = enter_once(world, token).status
                # The other one may not know by itself, on a busy machine.
                assert status == 200 or (status == 503 and unknowns(numbers) > before), gone
            assert enter(world, token).status == 200
            world.start(gone)
