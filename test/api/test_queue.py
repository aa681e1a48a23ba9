"""The waiting line: tickets in order, a hard limit, expiry, and Redis that forgets."""

import hashlib
import threading
import time

import pytest
from api.lines import UNLIMITED, Line, active_places, claims, patient, until


@pytest.fixture
def queue(world):
    world.start("queue")
    return world


def test_the_general_line_is_there(queue):
    client = queue.client("queue")
    answer = patient(client.post, "/queue/tokens", {"userId": 7})
    assert answer.status == 200
    assert answer.data["userId"] == 7 and answer.data["line"] == 0
    until(lambda: patient(client.get, "/queue/tokens/status/7").data["status"] == "ACTIVE")


def test_one_token_per_user_the_same_on_every_ask(queue):
    line = Line(queue, 1, maxActive=0)
    first = line.take(5)
    assert claims(first.data["token"])["sub"] == "5"
    assert [line.take(5).data["token"] for _ in range(3)] == [first.data["token"]] * 3
    assert line.status(5).data["token"] == first.data["token"]
    assert claims(line.take(6).data["token"])["num"] == claims(first.data["token"])["num"] + 1


def test_nobody_overtakes_and_the_limit_holds(queue):
    line = Line(queue, 1, maxActive=3, **UNLIMITED)
    for user in range(1, 11):
        assert line.take(user).status == 200
    until(lambda: line.serving()["serving"] == 3)
    assert line.active(range(1, 11)) == [1, 2, 3]
    waiting = line.status(4).data
    assert waiting["status"] == "WAITING" and waiting["queueOrder"] == 1
    assert line.status(10).data["queueOrder"] == 7
    assert line.status(10).data["remainingTime"] >= waiting["remainingTime"] > 0


def test_a_place_that_is_left_goes_to_the_next(queue):
    line = Line(queue, 1, maxActive=2, **UNLIMITED)
    for user in range(1, 6):
        line.take(user)
    until(lambda: line.active(range(1, 6)) == [1, 2])
    assert line.leave(1).data["left"] is True
    assert line.leave(3).status == 200  # while waiting: is passed over
    until(lambda: line.serving()["serving"] == 4)
    assert line.active([2, 4, 5]) == [2, 4]
    assert line.status(1).status == 404
    assert line.leave(1).error == "TOKEN_NOT_FOUND"
    # Who comes again waits again.
    assert line.take(1).data["queueOrder"] == 2


def test_the_time_of_active_users_ends(queue):
    line = Line(queue, 1, maxActive=1, activeMs=1000, **UNLIMITED)
    line.take(1)
    line.take(2)
    until(lambda: line.serving()["serving"] >= 1)
    until(lambda: line.status(1).data["status"] == "EXPIRED")
    until(lambda: line.serving()["serving"] >= 2)
    token = line.take(1).data["token"]
    assert claims(token)["num"] == 3


def test_who_does_not_show_up_does_not_block(queue):
    line = Line(queue, 1, maxActive=2, rate=-1, noShowMs=3000)
    for user in (1, 2, 3, 4):
        line.take(user)
    until(lambda: line.active([3, 4]) == [3, 4])
    # 3 and 4 have asked, so they keep their places.
    line.take(5)
    before = line.serving()["serving"]
    until(lambda: line.serving()["given"] == 5)
    assert line.serving()["serving"] == before


def test_the_limit_holds_at_every_instant(queue):
    """Many come, are called, leave; an observer that only sees answers counts."""
    limit, users = 5, range(1, 61)
    line = Line(queue, 1, maxActive=limit, **UNLIMITED)
    most = []

    def observe():
        while not done.is_set():
            most.append(len(active_places(line.serving())))

    done = threading.Event()
    observer = threading.Thread(target=observe)
    observer.start()
    try:
        for user in users:
            line.take(user)
        left = set()
        while len(left) < len(users):
            for user in line.active([u for u in users if u not in left]):
                assert line.leave(user).status == 200
                left.add(user)
    finally:
        done.set()
        observer.join()
    assert most and max(most) <= limit


def test_the_rate_is_kept_and_changed_live(queue):
    line = Line(queue, 1, maxActive=1000, rate=0)
    for user in range(1, 21):
        line.take(user)
    order = line.status(20).data["queueOrder"]
    assert order == 20
    line.change(rate=1000)
    until(lambda: line.serving()["serving"] == 20)
    assert line.status(20).data["status"] == "ACTIVE"


def test_modes(queue):
    line = Line(queue, 1, maxActive=0)
    token = line.take(1).data["token"]
    line.change(mode="passthrough")
    until(lambda: line.status(1).data["status"] == "ACTIVE")
    line.change(mode="closed")
    until(lambda: line.status(1).data["closed"])
    assert line.take(1).data["token"] == token
    assert line.take(2).error == "LINE_CLOSED"
    line.change(mode="fifo")
    until(lambda: line.take(2).status == 200)
    assert line.status(1).data["token"] == token
    assert line.status(1).data["queueOrder"] == 1


def test_the_opening_shuffles_with_the_committed_seed(queue):
    opens = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    line = Line(queue, 1, mode="random", opensAt=opens, maxActive=0)
    for user in range(1, 31):
        data = line.take(user).data
        assert data["status"] == "WAITING" and data["queueOrder"] is None
        assert data["opensIn"] > 3000
    before = line.serving()
    assert "seed" not in before and before["open"] is False
    line.change(opensAt="2020-01-01T00:00:00Z")
    after = until(lambda: (s := line.serving())["open"] and s)
    assert after["seedHash"] == before["seedHash"] and after["shuffled"] == 30
    orders = [line.status(user).data["queueOrder"] for user in range(1, 31)]
    assert sorted(orders) == list(range(1, 31)) and orders != sorted(orders)
    assert line.take(99).data["queueOrder"] == 31
    assert queue.sql("select shuffled from queue.lines where line_id = 1") == [(30,)]


def permute(seed, count, ticket):
    """The place of a ticket, from the description in line_rules.h alone."""
    mask = 2**64 - 1
    words = [int.from_bytes(seed[i : i + 8], "big") for i in range(0, 32, 8)]
    half = next(h for h in range(1, 31) if 4**h >= count)

    def mix(x):
        x = x + 0x9E3779B97F4A7C15 & mask
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & mask
        x = (x ^ x >> 27) * 0x94D049BB133111EB & mask
        return x ^ x >> 31

    x = ticket - 1
    while True:
        left, right = x >> half, x & (1 << half) - 1
        for i in range(8):
            left, right = right, left ^ mix(right + i + words[i % 4] & mask) & (1 << half) - 1
        x = left << half | right
        if x < count:
            return x + 1


def test_an_outsider_checks_the_shuffle(queue):
    opens = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    line = Line(queue, 1, mode="random", opensAt=opens, maxActive=0)
    tokens = {user: line.take(user).data["token"] for user in range(1, 21)}
    committed = line.serving()["seedHash"]
    line.change(opensAt="2020-01-01T00:00:00Z")
    now = until(lambda: (s := line.serving())["open"] and s)
    seed = bytes.fromhex(now["seed"])
    assert hashlib.sha256(seed).hexdigest() == committed
    orders = {user: line.status(user).data["queueOrder"] for user in tokens}
    assert orders == {u: permute(seed, 20, claims(t)["num"]) for u, t in tokens.items()}
    public = ["--hash", committed, "--seed", now["seed"], "--shuffled", "20"]
    done = queue.onrush("line", "verify", *public, tokens[7], "21")
    assert f"ticket 7 has place {orders[7]}\n" in done.stdout
    assert "ticket 21 has place 21: it came after the opening" in done.stdout
    public[1] = "00" * 32
    done = queue.onrush("line", "verify", *public, check=False)
    assert done.returncode == 1 and "not the seed" in done.stderr
    for wrong in (["--hash", "00"], ["--seed", "x"], ["nonsense"], ["0"], ["a.b.c"]):
        arguments = ["--hash", committed, "--seed", now["seed"], "--shuffled", "20", *wrong]
        done = queue.onrush("line", "verify", *arguments, check=False)
        assert done.returncode == 2, wrong


def test_idle_users_lose_their_place(queue):
    line = Line(queue, 1, maxActive=2, **UNLIMITED)
    for user in (1, 2, 3):
        line.take(user)
    until(lambda: line.active([1, 2]) == [1, 2])
    line.change(idleMs=3000)  # the first period begins with both
    # 1 goes on asking, 2 does not.
    until(lambda: line.status(1).data["status"] == "ACTIVE" and line.serving()["serving"] == 3)
    assert line.status(2).data["status"] == "EXPIRED"
    assert line.active([1, 3]) == [1, 3]


def test_a_revoked_pass_is_over(queue):
    line = Line(queue, 1, maxActive=1, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in (1, 2, 3)}
    until(lambda: line.active([1, 2, 3]) == [1])
    assert line.revoke(1).status == 200  # while active
    assert line.revoke(2).status == 200  # while waiting
    until(lambda: active_places(line.serving()) == [3])
    assert line.status(1, tokens[1]).error == "TOKEN_NOT_FOUND"
    assert line.number_of(1, tokens[1]) == 4 and line.number_of(2, tokens[2]) == 5
    assert line.revoke(77).error == "TOKEN_NOT_FOUND"
    assert queue.sql("select ticket, user_id from queue.revoked order by 1") == [(1, 1), (2, 2)]


def test_promises_get_better_only(queue):
    """A slower line promises less to who comes now, and keeps what it promised before."""
    line = Line(queue, 1, maxActive=0, activeMs=1000)
    line.change(maxActive=1000, rate=100, soldOut=True)  # and nobody is served
    until(lambda: line.serving()["pace"] == 100000)
    for user in range(1, 11):
        line.take(user)
    before = line.status(10).data
    assert (before["queueOrder"], before["remainingTime"]) == (10, 1)
    line.change(rate=1, maxActive=0, soldOut=False)
    until(lambda: line.serving()["pace"] == 1)
    late = until(lambda: (a := line.take(11)).status == 200 and a.data)
    assert late["remainingTime"] == 11000
    assert line.status(10).data["remainingTime"] == 1
    line.change(rate=10, maxActive=1000)
    until(lambda: line.status(11).data["remainingTime"] <= 2)


def test_how_true_the_promises_were_is_measured(queue):
    line = Line(queue, 1, maxActive=1000, rate=0)
    for user in range(1, 4):
        assert line.take(user).data["status"] == "WAITING"
    line.change(rate=1000)
    until(lambda: line.active([1, 2, 3]) == [1, 2, 3])
    count = "onrush_queue_wait_to_promise_ratio_count"
    assert until(lambda: queue.client("queue").metrics()[count]) >= 1


def test_forged_borrowed_and_replayed_passes(queue):
    line = Line(queue, 1, maxActive=0)
    other = Line(queue, 2, maxActive=0)
    token = line.take(1).data["token"]
    head, body, mac = token.split(".")
    assert line.take(1, f"{head}.{body}.{mac[:-4]}AAAA").error == "PASS_INVALID"
    assert line.take(2, token).error == "PASS_INVALID"  # borrowed
    assert other.take(1, token).error == "PASS_INVALID"  # of another line
    assert line.leave(1).status == 200
    again = line.take(1, token)  # replayed after it was given up
    assert claims(again.data["token"])["num"] == 2
    line.change(closesAt="2020-01-01T00:00:00Z")
    old = line.take(1).data["token"]
    assert line.status(1, old).error == "PASS_EXPIRED"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "BAD_PARAMETER"),
        ({"userId": 0}, "BAD_PARAMETER"),
        ({"userId": "x"}, "BAD_PARAMETER"),
        ({"userId": 1, "line": -1}, "BAD_PARAMETER"),
        ({"userId": 1, "line": 77}, "LINE_NOT_FOUND"),
    ],
)
def test_bad_tokens(queue, body, error):
    assert patient(queue.client("queue").post, "/queue/tokens", body).error == error


def test_bad_addresses(queue):
    get = queue.client("queue").get
    assert patient(get, "/queue/tokens/status/0").error == "BAD_PARAMETER"
    assert patient(get, "/queue/tokens/status/1?line=x").error == "BAD_PARAMETER"
    assert patient(get, "/queue/tokens/status/1?lane=1").error == "BAD_PARAMETER"
    assert patient(get, "/queue/tokens/status/1").error == "TOKEN_NOT_FOUND"
    assert patient(get, "/queue/serving?line=77").error == "LINE_NOT_FOUND"


def test_bad_admin_calls(queue):
    admin = queue.admin("queue")
    good = {"line": 3, "name": "Three"}
    assert queue.client("queue").post("/admin/queue/lines", good).status == 401
    assert admin.post("/admin/queue/lines", good).status == 200
    assert admin.post("/admin/queue/lines", good).error == "LINE_EXISTS"
    for wrong in (
        {"mode": "lifo"},
        {"rate": -2},
        {"activeMs": 5},
        {"opensAt": "now"},
        {"noShowMs": 5},
        {"name": ""},
    ):
        answer = admin.post("/admin/queue/lines", {"line": 4, "name": "Four"} | wrong)
        assert answer.error == "BAD_PARAMETER", wrong
    assert admin.call("PUT", "/admin/queue/lines/9", {"rate": 1}).error == "LINE_NOT_FOUND"
    names = {line["name"] for line in admin.get("/admin/queue/lines").data["lines"]}
    assert names == {"General", "Three"}
