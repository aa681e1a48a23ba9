"""Passes of the waiting line at the gateway: who may enter the shop, who must wait, and who
is found out.
"""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from api.fake_service import FakeService
from api.lines import UNLIMITED, Line, claims, until
from api.passes import Keys, bearer, compact, enter, new_key
from api.seats import concert

FAR = 4_000_000_000  # expires
GUARDED = (
    ("GET", "/concerts"),
    ("GET", "/concerts/1/available-dates"),
    ("GET", "/concerts/1/available-seats"),
    ("POST", "/concerts/reserve-seat"),
)


@pytest.fixture
def shop(world):
    """A queue, the gateway, and a shop that lets everybody do anything."""
    with FakeService(world.port("reservation")) as service:
        world.start("queue")
        world.start("gateway", ONRUSH_WORKERS=1)
        world.shop = service
        yield world


def served(line, user):
    """The pass of somebody who is told to be served."""
    token = line.take(user).data["token"]
    until(lambda: line.status(user).data["status"] == "ACTIVE")
    return token


def assert_refused(answer, status, error):
    assert (answer.status, answer.error) == (status, error)
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    else:
        assert "www-authenticate" not in answer.headers


# --- who enters ----------------------------------------------------------------------------


def test_who_is_served_enters_every_part_of_the_shop(shop):
    line = Line(shop, 1, maxActive=5, **UNLIMITED)
    token = served(line, 42)
    for method, path in GUARDED:
        body = {"x": 1} if method == "POST" else None
        answer = shop.client("gateway").call(method, path, body, bearer(token))
        assert answer.status == 200, path
    for request in shop.shop.requests:
        assert request.header("x-onrush-user") == "42"
        assert request.header("x-onrush-line") == "1"


def test_the_moment_somebody_is_told_to_be_served_the_pass_opens(shop):
    """The gateway's copy is a little older than what the queue service says."""
    line = Line(shop, 1, maxActive=1000, **UNLIMITED)
    assert enter(shop, served(line, 1)).status == 200
    for user in range(2, 30):
        token = line.take(user).data["token"]
        until(lambda u=user: line.status(u).data["status"] == "ACTIVE")
        assert enter(shop, token).status == 200, user


def test_what_the_line_does_not_guard_needs_no_pass(shop):
    client = shop.client("gateway")
    assert client.get("/payments/3").status == 200
    assert client.get("/reservations/3").status == 200
    # A client cannot say who it is by itself.
    client.get("/payments/3", headers={"X-Onrush-User": "7", "X-Onrush-Line": "0"})
    assert shop.shop.requests[-1].header("x-onrush-user") is None
    assert shop.shop.requests[-1].header("x-onrush-line") is None


def test_a_client_cannot_name_another_holder(shop):
    line = Line(shop, 1, maxActive=5, **UNLIMITED)
    headers = {"X-Onrush-User": "7", "X-Onrush-Line": "9"}
    assert enter(shop, served(line, 42), **headers).status == 200
    request = shop.shop.requests[-1]
    assert (request.header("x-onrush-user"), request.header("x-onrush-line")) == ("42", "1")


def test_a_scheme_is_a_scheme_in_any_case(shop):
    token = served(Line(shop, 1, maxActive=5, **UNLIMITED), 42)
    answer = shop.client("gateway").get("/concerts", headers={"authorization": f"bEARER {token}"})
    assert answer.status == 200


# --- who must wait -------------------------------------------------------------------------


def test_who_is_not_served_yet_is_told_the_position(shop):
    line = Line(shop, 1, maxActive=1, **UNLIMITED)
    first = served(line, 1)
    tokens = [line.take(user).data["token"] for user in range(2, 6)]
    for n, token in enumerate(tokens, start=1):
        answer = enter(shop, token)
        assert_refused(answer, 403, "NOT_YET_SERVED")
        assert answer.headers["x-onrush-position"] == str(n)
        assert f"position is {n}," in answer.json["message"]
        assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert enter(shop, first).status == 200
    line.leave(1)
    until(lambda: enter(shop, tokens[0]).status == 200)
    assert enter(shop, tokens[1]).headers["x-onrush-position"] == "1"


def test_before_a_random_opening_nobody_enters(shop):
    opens = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    line = Line(shop, 1, mode="random", opensAt=opens, maxActive=3, **UNLIMITED)
    tokens = [line.take(user).data["token"] for user in range(1, 8)]
    answer = enter(shop, tokens[0])
    assert_refused(answer, 403, "NOT_YET_SERVED")
    assert "x-onrush-position" not in answer.headers
    assert "retry-after" in answer.headers
    line.change(opensAt="2020-01-01T00:00:00Z")
    until(lambda: line.serving()["serving"] == 3)
    until(lambda: sum(enter(shop, t).status == 200 for t in tokens) == 3)
    # By the shuffle, as the queue service tells it.
    for user, token in enumerate(tokens, start=1):
        active = line.status(user).data["status"] == "ACTIVE"
        assert (enter(shop, token).status == 200) == active, user


def test_without_a_pass_a_person_is_sent_to_the_waiting_room(shop):
    line = Line(shop, 3, maxActive=0)
    html = {"Accept": "text/html,application/xhtml+xml"}
    answer = enter(shop, None, **html)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/waiting-room?line=0&to=")
    answer = enter(shop, line.take(1).data["token"], **html)
    assert (answer.status, answer.headers["location"][:21]) == (303, "/waiting-room?line=3&")
    assert not shop.shop.requests


def test_a_passthrough_line_lets_everybody_in(shop):
    general = "/admin/queue/lines/0"
    admin = shop.admin("queue")
    assert_refused(enter(shop, None), 401, "PASS_MISSING")
    assert admin.put(general, {"mode": "passthrough"}).status == 200
    until(lambda: enter(shop, None).status == 200)
    assert shop.shop.requests[-1].header("x-onrush-user") is None
    # A line of its own still decides about its own passes.
    line = Line(shop, 1, maxActive=0)
    assert_refused(enter(shop, line.take(1).data["token"]), 403, "NOT_YET_SERVED")
    assert admin.put(general, {"mode": "fifo"}).status == 200
    until(lambda: enter(shop, None).status == 401)


# --- who is found out ----------------------------------------------------------------------


def test_nothing_is_no_pass(shop):
    Line(shop, 1)
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Basic eDp5"}):
        answer = shop.client("gateway").get("/concerts", headers=headers)
        assert_refused(answer, 401, "PASS_MISSING")
    assert not shop.shop.requests


def test_every_part_of_a_pass_is_signed(shop):
    token = served(Line(shop, 1, maxActive=5, **UNLIMITED), 42)
    assert enter(shop, token).status == 200
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for at, char in enumerate(token):
        other = alphabet[(alphabet.find(char) + 1) % len(alphabet)]
        answer = enter(shop, f"{token[:at]}{other}{token[at + 1 :]}")
        assert_refused(answer, 401, "PASS_INVALID")
    for wrong in (token[:-1], token + "A", token + "=", token.rpartition(".")[0], "x", "a.b.c"):
        assert_refused(enter(shop, wrong), 401, "PASS_INVALID")
    assert len(shop.shop.requests) == 1


def test_the_algorithm_is_not_negotiated(shop):
    keys = Keys(shop)
    kid, _ = keys.read()[0]
    token = served(Line(shop, 1, maxActive=5, **UNLIMITED), 42)
    good = claims(token)
    assert keys.sign(good) == token  # the forger knows the key; the header decides
    for header in (
        {"alg": "none", "typ": "JWT"},
        {"alg": "none", "kid": kid, "typ": "JWT"},
        {"alg": "RS256", "kid": kid, "typ": "JWT"},
        {"alg": "HS512", "kid": kid, "typ": "JWT"},
        {"alg": "HS256", "kid": "unknown", "typ": "JWT"},
        {"alg": "HS256", "typ": "JWT"},
        {"typ": "JWT", "kid": kid, "alg": "HS256"},
        {"alg": "HS256", "kid": kid, "typ": "JWT", "jwk": {}},
    ):
        assert_refused(enter(shop, keys.sign(good, compact(header))), 401, "PASS_INVALID")
    unsigned = keys.sign(good, compact({"alg": "none", "typ": "JWT"})).rpartition(".")[0]
    assert_refused(enter(shop, unsigned + "."), 401, "PASS_INVALID")
    assert_refused(enter(shop, keys.sign(good, key=new_key(kid))), 401, "PASS_INVALID")


def test_two_passes_are_none(shop):
    line = Line(shop, 1, maxActive=5, **UNLIMITED)
    token = served(line, 42)
    one = f"Authorization: Bearer {token}\r\n"
    for lines in (one + one, one + "authorization: Bearer x\r\n", "Authorization:\r\n" + one):
        answer = shop.client("gateway").raw(
            f"GET /concerts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode()
        )
        assert answer.startswith(b"HTTP/1.1 401 ") and b"PASS_INVALID" in answer
    assert_refused(enter(shop, f"{token}, Bearer {token}"), 401, "PASS_INVALID")


def test_an_expired_pass_is_over(shop):
    keys = Keys(shop)
    good = claims(served(Line(shop, 1, maxActive=5, **UNLIMITED), 42))
    now = int(time.time())
    assert_refused(enter(shop, keys.sign(good | {"exp": now - 1})), 401, "PASS_EXPIRED")
    assert enter(shop, keys.sign(good | {"exp": now + 600})).status == 200


def test_a_pass_of_a_line_that_there_is_not(shop):
    token = Keys(shop).sign({"exp": FAR, "line": 77, "num": 1, "sub": "42"})
    answer = enter(shop, token)
    assert_refused(answer, 503, "DEPENDENCY_UNAVAILABLE")
    assert "retry-after" in answer.headers


def test_a_place_that_was_left_is_over(shop):
    line = Line(shop, 1, maxActive=2, **UNLIMITED)
    token = served(line, 1)
    assert enter(shop, token).status == 200
    assert line.leave(1).status == 200
    until(lambda: enter(shop, token).status != 200)
    assert_refused(enter(shop, token), 403, "PASS_OVER")


def test_a_time_that_ran_out_is_over(shop):
    line = Line(shop, 1, maxActive=2, activeMs=1000, **UNLIMITED)
    token = served(line, 1)
    until(lambda: enter(shop, token).status != 200)
    assert_refused(enter(shop, token), 403, "PASS_OVER")
    # Who asks again gets another place, and only that one counts.
    again = line.take(1).data["token"]
    assert again != token
    until(lambda: enter(shop, again).status == 200)
    assert_refused(enter(shop, token), 403, "PASS_OVER")


def test_a_revoked_pass_is_over(shop):
    line = Line(shop, 1, maxActive=2, **UNLIMITED)
    token = served(line, 1)
    assert enter(shop, token).status == 200
    assert line.revoke(1).status == 200
    until(lambda: enter(shop, token).status != 200)
    assert_refused(enter(shop, token), 403, "PASS_OVER")


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
    until(lambda: enter(shop, token).status == 503)
    answer = enter(shop, token)
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
        assert enter(world, token).status == 503
        world.start("queue")
        world.client("queue").post("/queue/tokens", {"userId": 7})
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
    assert shop.client("queue").delete(leave, headers=bearer(tokens[2])).status == 200
    until(lambda: enter(shop, tokens[5]).status == 200)
    assert_refused(enter(shop, newcomer), 403, "NOT_YET_SERVED")


# --- who does something --------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["noShowMs", "idleMs"])
def test_who_is_in_the_shop_is_neither_missing_nor_idle(shop, rule):
    """Only the gateway sees them: they ask the queue service nothing any more."""
    line = Line(shop, 1, maxActive=2, rate=-1, **({"noShowMs": -1} | {rule: 2000}))
    tokens = {user: line.take(user).data["token"] for user in (1, 2, 3)}
    until(lambda: line.serving()["serving"] == 2)

    def busy_until_3_is_served():
        assert enter(shop, tokens[1]).status == 200
        return enter(shop, tokens[3]).status == 200

    until(busy_until_3_is_served)  # because 2 did nothing
    assert_refused(enter(shop, tokens[2]), 403, "PASS_OVER")
    end = time.monotonic() + 6
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
        assert client.post(f"/internal/lines/{line}/seen", body).error == error, body
    # Places that nobody has are nobody's.
    told = client.post("/internal/lines/0/seen", {"seenFrom": 0, "seen": "_____w"})
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

    def visit(self, stays):
        token = self.line.take(self.user).data["token"]
        until(lambda: self.enter(token), 60)
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


# --- with the real shop --------------------------------------------------------------------


def test_a_borrowed_pass_takes_no_seat(world):
    world.start("queue", "reservation")
    world.start("gateway", ONRUSH_WORKERS=1)  # which learns at one moment who is out
    concert(world)
    client = world.client("gateway")
    token = client.post("/queue/tokens", {"userId": 7}).data["token"]
    until(lambda: client.get("/queue/tokens/status/7").data["status"] == "ACTIVE")
    reserve = "/concerts/reserve-seat"
    borrowed = client.post(reserve, {"userId": 8, "seatId": 100}, headers=bearer(token))
    assert_refused(borrowed, 403, "PASS_BORROWED")
    held = client.post(reserve, {"userId": 7, "seatId": 100}, headers=bearer(token))
    assert held.data["status"] == "HELD"
    # The hold is the right to pay; the pass may be over by then.
    assert client.delete("/queue/tokens/7").status == 200
    until(lambda: enter(world, token).status == 403)
    assert_refused(enter(world, token), 403, "PASS_OVER")
    paid = client.post("/payments", {"reservationId": held.data["reservationId"], "userId": 7})
    assert paid.data["status"] == "PENDING"


def test_metrics_count_what_was_decided(shop):
    line = Line(shop, 1, maxActive=1, **UNLIMITED)
    token = served(line, 1)
    waiting = line.take(2).data["token"]
    for shown in (token, waiting, "x", None):
        enter(shop, shown)
    metrics = shop.client("gateway").metrics()
    counts = {
        ruling: metrics[f'onrush_gateway_passes_total{{ruling="{ruling}"}}']
        for ruling in ("admitted", "missing", "forged", "expired", "waiting", "over", "blind")
    }
    assert counts == {
        "admitted": 1,
        "missing": 1,
        "forged": 1,
        "expired": 0,
        "waiting": 1,
        "over": 0,
        "blind": 0,
    }
    assert metrics['onrush_gateway_line_asks_total{outcome="answered"}'] >= 2
    until(lambda: shop.client("gateway").metrics()["onrush_gateway_line_age_seconds_count"] > 0)
