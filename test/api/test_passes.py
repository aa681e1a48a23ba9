"""Passes of the waiting line at the gateway: who may enter the shop, who must wait, and who
is found out.
"""

import time

import pytest
from api.lines import UNLIMITED, Line, claims, patient, until
from api.passes import (
    Keys,
    assert_refused,
    bearer,
    compact,
    enter,
    enter_once,
    new_key,
    open_shop,
    served,
)
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
    with open_shop(world):
        yield world


# --- who enters ----------------------------------------------------------------------------


def test_who_is_served_enters_every_part_of_the_shop(shop):
    line = Line(shop, 1, maxActive=5, **UNLIMITED)
    token = served(line, 42)
    for method, path in GUARDED:
        body = {"x": 1} if method == "POST" else None
        answer = patient(shop.client("gateway").call, method, path, body, bearer(token))
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
    assert enter(shop, None, authorization=f"bEARER {token}").status == 200


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
        assert_refused(enter(shop, None, **headers), 401, "PASS_MISSING")
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
    answer = enter_once(shop, token)
    assert_refused(answer, 503, "DEPENDENCY_UNAVAILABLE")
    assert "retry-after" in answer.headers


def test_a_place_that_was_left_is_over(shop):
    line = Line(shop, 1, maxActive=2, **UNLIMITED)
    token = served(line, 1)
    assert enter(shop, token).status == 200
    assert line.leave(1).status == 200
    until(lambda: enter(shop, token).status == 403)
    assert_refused(enter(shop, token), 403, "PASS_OVER")


def test_a_time_that_ran_out_is_over(shop):
    line = Line(shop, 1, maxActive=2, activeMs=1000, **UNLIMITED)
    token = line.take(1).data["token"]

    def is_over():
        answer = enter(shop, token)
        return answer.status == 403 and answer.error == "PASS_OVER"

    def enters_again():
        again = line.take(1).data["token"]
        assert again != token
        return enter(shop, again).status == 200

    until(is_over)
    assert_refused(enter(shop, token), 403, "PASS_OVER")
    # Who asks again gets another place, and only that one counts.
    until(enters_again)
    assert_refused(enter(shop, token), 403, "PASS_OVER")


def test_a_revoked_pass_is_over(shop):
    line = Line(shop, 1, maxActive=2, **UNLIMITED)
    token = served(line, 1)
    assert enter(shop, token).status == 200
    assert line.revoke(1).status == 200
    until(lambda: enter(shop, token).status == 403)
    assert_refused(enter(shop, token), 403, "PASS_OVER")


# --- with the real shop --------------------------------------------------------------------


def test_a_borrowed_pass_takes_no_seat(world):
    world.start("queue", "reservation")
    world.start("gateway", ONRUSH_WORKERS=1)  # which learns at one moment who is out
    concert(world)
    client = world.client("gateway")
    token = patient(client.post, "/queue/tokens", {"userId": 7}).data["token"]
    standing = "/queue/tokens/status/7"
    until(lambda: patient(client.get, standing).data["status"] == "ACTIVE")
    reserve = "/concerts/reserve-seat"
    borrowed = patient(client.post, reserve, {"userId": 8, "seatId": 100}, headers=bearer(token))
    assert_refused(borrowed, 403, "PASS_BORROWED")
    held = patient(client.post, reserve, {"userId": 7, "seatId": 100}, headers=bearer(token))
    assert held.data["status"] == "HELD"
    # The hold is the right to pay; the pass may be over by then.
    assert patient(client.delete, "/queue/tokens/7").status == 200
    until(lambda: enter(world, token).status == 403)
    assert_refused(enter(world, token), 403, "PASS_OVER")
    paid = client.post("/payments", {"reservationId": held.data["reservationId"], "userId": 7})
    assert paid.data["status"] == "PENDING"


def test_metrics_count_what_was_decided(shop):
    line = Line(shop, 1, maxActive=1, **UNLIMITED)
    token = served(line, 1)
    waiting = line.take(2).data["token"]
    told = []

    def is_told(shown):
        told.append(enter_once(shop, shown).status)
        return told[-1] != 503

    for shown in (token, waiting, "x", None):
        until(lambda shown=shown: is_told(shown))
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
        "blind": told.count(503),  # none, but on a busy machine
    }
    assert metrics['onrush_gateway_line_asks_total{outcome="answered"}'] >= 2
    until(lambda: shop.client("gateway").metrics()["onrush_gateway_line_age_seconds_count"] > 0)
