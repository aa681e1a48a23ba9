"""The waiting line: tickets in order, a hard limit, expiry, and Redis that forgets."""

import base64
import json
import threading
import time

import pytest

UNLIMITED = {"rate": -1, "noShowMs": -1}


def until(condition, seconds=20):
    """Waits for a condition; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.02)
    return value


class Line:
    """One line of a queue service, as a client and as its operator."""

    def __init__(self, world, number, **settings):
        self.world, self.number = world, number
        body = {"line": number, "name": f"Line {number}"} | settings
        answer = world.admin("queue").post("/admin/queue/lines", body)
        assert answer.status == 200, answer.json
        until(lambda: self.serving_answer().status == 200)

    def serving_answer(self):
        return self.world.client("queue").get(f"/queue/serving?line={self.number}")

    def serving(self):
        return self.serving_answer().data

    def change(self, **settings):
        answer = self.world.admin("queue").call(
            "PUT", f"/admin/queue/lines/{self.number}", settings
        )
        assert answer.status == 200, answer.json

    def _headers(self, token):
        return {"Authorization": f"Bearer {token}"} if token else {}

    def take(self, user, token=None):
        return self.world.client("queue").call(
            "POST", "/queue/tokens", {"userId": user, "line": self.number}, self._headers(token)
        )

    def status(self, user, token=None):
        path = f"/queue/tokens/status/{user}?line={self.number}"
        return self.world.client("queue").call("GET", path, None, self._headers(token))

    def leave(self, user):
        return self.world.client("queue").call("DELETE", f"/queue/tokens/{user}?line={self.number}")

    def active(self, users):
        return [u for u in users if self.status(u).data["status"] == "ACTIVE"]


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.fixture
def queue(world):
    world.start("queue")
    return world


def test_the_general_line_is_there(queue):
    answer = queue.client("queue").post("/queue/tokens", {"userId": 7})
    assert answer.status == 200
    assert answer.data["userId"] == 7 and answer.data["line"] == 0
    until(lambda: queue.client("queue").get("/queue/tokens/status/7").data["status"] == "ACTIVE")


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
    until(lambda: line.status(1).data["status"] == "ACTIVE")
    until(lambda: line.status(1).data["status"] == "EXPIRED")
    until(lambda: line.status(2).data["status"] == "ACTIVE")
    token = line.take(1).data["token"]
    assert claims(token)["num"] == 3


def test_who_does_not_show_up_does_not_block(queue):
    line = Line(queue, 1, maxActive=1, rate=-1, noShowMs=1000)
    for user in (1, 2, 3):
        line.take(user)
    until(lambda: line.status(3).data["status"] == "ACTIVE")
    # 3 has asked, so it keeps its place.
    line.take(4)
    before = line.serving()["serving"]
    until(lambda: line.serving()["given"] == 4)
    assert line.serving()["serving"] == before


def test_the_limit_holds_at_every_instant(queue):
    """Many come, are called, leave; an observer that only sees answers counts."""
    limit, users = 5, range(1, 61)
    line = Line(queue, 1, maxActive=limit, **UNLIMITED)
    most = []

    def observe():
        while not done.is_set():
            seen = line.serving()
            size = seen["serving"] - 8 * seen["goneFrom"] + 1
            gone = base64.urlsafe_b64decode(seen["gone"] + "=" * (-len(seen["gone"]) % 4))
            bits = "".join(f"{byte:08b}" for byte in gone).ljust(size, "0")
            places = range(seen["floor"] + 1, seen["serving"] + 1)
            most.append(sum(bits[p - 8 * seen["goneFrom"]] == "0" for p in places))

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


def test_redis_is_wiped_and_passes_keep_their_places(queue):
    line = Line(queue, 1, maxActive=2, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in range(1, 11)}
    until(lambda: line.serving()["serving"] == 2)
    queue.redis_client().flushall()
    until(lambda: line.take(99).status == 200)
    # Somebody new stands behind everybody, known or not.
    assert claims(line.take(99).data["token"])["num"] > 10
    for user, token in tokens.items():
        assert line.take(user, token).data["token"] == token
        assert line.status(user).data["token"] == token
    assert line.active(range(1, 11)) == [1, 2]
    assert line.status(3).data["queueOrder"] == 1
    assert line.status(10).data["queueOrder"] == 8
    assert line.serving()["serving"] == 2


def test_redis_is_wiped_while_the_service_is_down(queue):
    line = Line(queue, 1, maxActive=2, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in range(1, 6)}
    until(lambda: queue.sql("select serving from queue.lines where line_id = 1") == [(2,)])
    queue.kill("queue")
    queue.redis_client().flushall()
    queue.start("queue")
    assert claims(line.take(50).data["token"])["num"] > 5
    assert line.take(5, tokens[5]).data["token"] == tokens[5]
    assert line.status(5).data["queueOrder"] == 3
    # Who shows nothing gets a new ticket, at the end.
    assert claims(line.take(4).data["token"])["num"] > 5


def test_a_restart_forgets_nothing(queue):
    line = Line(queue, 1, maxActive=2, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in range(1, 6)}
    queue.kill("queue")
    queue.start("queue")
    assert {u: line.status(u).data["token"] for u in tokens} == tokens


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
    assert queue.client("queue").post("/queue/tokens", body).error == error


def test_bad_addresses(queue):
    client = queue.client("queue")
    assert client.get("/queue/tokens/status/0").error == "BAD_PARAMETER"
    assert client.get("/queue/tokens/status/1?line=x").error == "BAD_PARAMETER"
    assert client.get("/queue/tokens/status/1?lane=1").error == "BAD_PARAMETER"
    assert client.get("/queue/tokens/status/1").error == "TOKEN_NOT_FOUND"
    assert client.get("/queue/serving?line=77").error == "LINE_NOT_FOUND"


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


def test_two_instances_are_one_line(queue):
    line = Line(queue, 1, maxActive=2, **UNLIMITED)
    queue.start("queue-1")
    second = queue.client("queue-1")
    numbers = []
    for user in range(1, 21):
        client = second if user % 2 else queue.client("queue")
        token = client.post("/queue/tokens", {"userId": user, "line": 1}).data["token"]
        numbers.append(claims(token)["num"])
    assert numbers == list(range(1, 21))
    until(lambda: line.serving()["serving"] == 2)
    path = "/queue/serving?line=1"
    until(lambda: second.get(path).data["serving"] == line.serving()["serving"])


def test_redis_away_is_an_honest_503(make_world):
    world = make_world(redis=True)
    world.start("queue")
    world.redis.stop()
    until(lambda: world.client("queue").post("/queue/tokens", {"userId": 1}).status == 503)
    world.redis.start()
    until(lambda: world.client("queue").post("/queue/tokens", {"userId": 1}).status == 200)
