"""The waiting line in trouble: Redis that forgets, clocks that jump, several instances,
PostgreSQL away. Nobody who shows a pass loses the place, nobody overtakes, and there are
never more active than may be.
"""

import itertools
import threading
import time

import pytest
from api.lines import UNLIMITED, Line, active_places, claims, patient, until


@pytest.fixture
def queue(world):
    world.start("queue")
    return world


def wait_for_restoration(line, serving=None):
    """Redis has been wiped: until the line is there again."""
    redis = line.world.redis_client()
    run = redis.info("server")["run_id"]
    until(lambda: redis.hget(f"q:{{{line.number}}}", "run") in (run, run.encode()))
    until(lambda: line.status(10**9).error == "TOKEN_NOT_FOUND")
    if serving is not None:
        until(lambda: line.serving()["serving"] >= serving)


class Watch:
    """Looks all the time, and remembers what it saw."""

    def __init__(self, look):
        self.look, self.seen, self.done = look, [], threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self.done.is_set():
            self.seen.append(self.look())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


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


def test_two_instances_are_one_line(queue):
    line = Line(queue, 1, maxActive=2, **UNLIMITED)
    queue.start("queue-1")
    second = queue.client("queue-1")
    numbers = []
    for user in range(1, 21):
        client = second if user % 2 else queue.client("queue")
        answer = patient(client.post, "/queue/tokens", {"userId": user, "line": 1})
        numbers.append(claims(answer.data["token"])["num"])
    assert numbers == list(range(1, 21))
    until(lambda: line.serving()["serving"] == 2)
    path = "/queue/serving?line=1"
    until(lambda: patient(second.get, path).data["serving"] == line.serving()["serving"])


def test_redis_away_is_an_honest_503(make_world):
    world = make_world(redis=True)
    world.start("queue")
    world.redis.stop()
    until(lambda: world.client("queue").post("/queue/tokens", {"userId": 1}).status == 503)
    world.redis.start()
    until(lambda: world.client("queue").post("/queue/tokens", {"userId": 1}).status == 200)


# --- Redis ---------------------------------------------------------------------------------


def test_nobody_waits_for_tickets_that_nobody_has(queue):
    """Twice wiped, with a line in between; then all are served, one after the other."""
    line = Line(queue, 1, maxActive=2, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in range(1, 6)}
    until(lambda: line.serving()["serving"] == 2)
    for user, order in ((6, 4), (7, 5)):
        queue.redis_client().flushall()
        wait_for_restoration(line, 2)
        tokens[user] = line.take(user).data["token"]
        assert line.status(user).data["queueOrder"] == order
    assert claims(tokens[7])["num"] > claims(tokens[6])["num"] + 60000
    line.change(maxActive=100)
    for user, token in tokens.items():
        until(lambda u=user, t=token: line.status(u, t).data["status"] == "ACTIVE")
    assert len(active_places(line.serving())) == len(tokens)


def test_tickets_that_only_their_holders_know_of(queue):
    """Given in the last moment before Redis and the service were lost together."""
    line = Line(queue, 1, maxActive=0)
    tokens = {user: line.take(user).data["token"] for user in range(1, 31)}
    queue.kill("queue")
    queue.redis_client().flushall()
    queue.start("queue")
    for user in (30, 17, 2):
        assert line.take(user, tokens[user]).data["token"] == tokens[user]
        assert line.status(user).data["queueOrder"] == user
    assert line.number_of(99) > 30


def test_redis_comes_back_from_an_old_snapshot(make_world):
    world = make_world(redis=True)
    world.start("queue")
    line = Line(world, 1, maxActive=2, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in range(1, 6)}
    world.redis_client().save()
    tokens |= {user: line.take(user).data["token"] for user in range(6, 11)}
    world.redis.kill()
    world.redis.start()
    wait_for_restoration(line, 2)
    numbers = {user: line.number_of(user, token) for user, token in tokens.items()}
    assert numbers == {user: user for user in range(1, 11)}
    assert line.number_of(99) > 10
    assert line.active(tokens) == [1, 2]


def test_a_revoked_pass_stays_revoked_when_redis_is_lost(queue):
    line = Line(queue, 1, maxActive=1, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in range(1, 5)}
    until(lambda: line.active([1]) == [1])
    assert line.revoke(3).status == 200
    queue.redis_client().flushall()
    wait_for_restoration(line, 1)
    assert line.status(3, tokens[3]).error == "TOKEN_NOT_FOUND"
    assert line.number_of(3, tokens[3]) > 4
    assert line.number_of(4, tokens[4]) == 4


def test_the_pre_queue_survives_redis(queue):
    """Wiped before the shuffle: who shows a pass takes part in it, ghosts take no place."""
    opens = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    line = Line(queue, 1, mode="random", opensAt=opens, maxActive=0, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in range(1, 31)}
    queue.redis_client().flushall()
    wait_for_restoration(line)
    for user in range(1, 21):
        assert line.take(user, tokens[user]).data["token"] == tokens[user]
    for user in range(31, 41):
        tokens[user] = line.take(user).data["token"]
    assert line.leave(1).status == 200
    assert line.revoke(2).status == 200
    line.change(opensAt="2020-01-01T00:00:00Z")
    until(lambda: line.serving()["open"])
    people = [*range(3, 21), *range(31, 41)]
    orders = [line.status(user).data["queueOrder"] for user in people]
    assert len(set(orders)) == len(people) and orders != sorted(orders)
    line.change(maxActive=1000)
    until(lambda: line.active(people) == people)
    # Ten did not show their passes, and nobody has asked for the ghosts.
    until(lambda: line.serving()["serving"] == line.serving()["given"])
    assert len(active_places(line.serving())) <= len(people) + 10
    assert line.number_of(1, tokens[1]) != claims(tokens[1])["num"]
    assert line.number_of(2, tokens[2]) != claims(tokens[2])["num"]


def test_the_limit_holds_while_redis_is_wiped(queue):
    """People come and go all the time; who has left is not taken for active afterwards."""
    limit, users = 5, list(range(1, 26))
    line = Line(queue, 1, maxActive=limit, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in users}

    def leave_one():
        for user in users[: 2 * limit]:
            answer = line.status(user, tokens[user])
            if answer.status == 200 and answer.data["status"] == "ACTIVE":
                return line.leave(user).status == 200 and (users.remove(user) or True)
        return False

    with Watch(lambda: len(active_places(line.serving()))) as watch:
        for left in range(20):
            if left in (3, 12):
                until(lambda: len(active_places(line.serving())) < limit)
                queue.redis_client().flushall()
            until(leave_one)
    assert watch.seen and max(watch.seen) <= limit


# --- clocks --------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_moves_nobody(queue, hours):
    """As the line sees it: its note of Redis's clock is moved by an hour."""
    line = Line(queue, 1, maxActive=2, rate=-1, activeMs=600000, noShowMs=60000)
    for user in range(1, 6):
        line.take(user)
    until(lambda: line.serving()["serving"] == 2)
    redis = queue.redis_client()
    clock = float(redis.hget("q:{1}", "clock"))
    redis.hincrby("q:{1}", "wall", hours * 3600000)
    until(lambda: abs(time.time() * 1000 - float(redis.hget("q:{1}", "wall"))) < 60000)
    until(lambda: float(redis.hget("q:{1}", "clock")) > clock)
    assert line.active(range(1, 6)) == [1, 2]
    assert float(redis.hget("q:{1}", "clock")) - clock < 60000
    line.leave(1)
    until(lambda: line.active([2, 3, 4]) == [2, 3])  # and it goes on


# --- instances -----------------------------------------------------------------------------


def test_positions_never_get_worse_between_instances(queue):
    """Nor does what is promised, which gets better with each step. The line goes no faster
    than somebody looks at it."""
    queue.start("queue-1", "queue-2")
    line = Line(queue, 1, maxActive=0, rate=0)
    clients = [queue.client(name) for name in ("queue", "queue-1", "queue-2")]
    path = "/queue/tokens/status/400?line=1"
    for user in range(1, 401):
        line.take(user)
    until(lambda: all(patient(c.get, path).status == 200 for c in clients))
    turns = itertools.cycle(clients)

    def look():
        data = patient(next(turns).get, path).data
        return data["queueOrder"], data["remainingTime"]

    with Watch(look) as watch:
        for limit in range(100, 401, 100):
            line.change(maxActive=limit, rate=250)
            enough = len(watch.seen) + 2 * len(clients)
            until(lambda n=enough: len(watch.seen) >= n)
            until(lambda place=400 - limit: watch.seen[-1][0] == place)
    for before, now in itertools.pairwise(watch.seen):
        assert now[0] <= before[0] and now[1] <= before[1]


def test_instances_that_start_at_once_share_the_lines(world):
    names = ["queue", "queue-1", "queue-2"]
    world.start(*names)
    answers = [
        patient(world.client(name).post, "/queue/tokens", {"userId": user})
        for user in range(1, 11)
        for name in names
    ]
    numbers = [claims(answer.data["token"])["num"] for answer in answers]
    assert numbers == sorted(numbers) and len(set(numbers)) == 10


def test_an_instance_that_dies_takes_nothing_with_it(queue):
    queue.start("queue-1")
    line = Line(queue, 1, maxActive=2, **UNLIMITED)
    second = queue.client("queue-1")

    def take(user):
        return patient(second.post, "/queue/tokens", {"userId": user, "line": 1})

    until(lambda: take(1).status == 200)
    tokens = {user: take(user).data["token"] for user in range(1, 6)}
    queue.kill("queue-1")
    assert {u: line.status(u).data["token"] for u in tokens} == tokens
    until(lambda: line.active(tokens) == [1, 2])
    line.leave(1)
    until(lambda: line.active([2, 3]) == [2, 3])


# --- PostgreSQL ----------------------------------------------------------------------------


def test_without_postgresql_the_lines_go_on(make_world):
    world = make_world(pg=True)
    world.start("queue")
    line = Line(world, 1, maxActive=2, **UNLIMITED)
    tokens = {user: line.take(user).data["token"] for user in range(1, 4)}
    world.pg.stop()
    until(lambda: world.admin("queue").put("/admin/queue/lines/1", {"rate": 5}).status == 503)
    tokens[4] = line.take(4).data["token"]
    line.leave(1)
    until(lambda: line.active([2, 3, 4]) == [2, 3])
    # Nothing can be made again without it: refused, until it is back.
    world.redis_client().flushall()
    until(lambda: line.take_once(5).status == 503)
    world.pg.start()
    wait_for_restoration(line, 3)
    assert line.number_of(4, tokens[4]) == 4
    assert line.number_of(5) > 4
