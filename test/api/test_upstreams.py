"""Services of several servers: which one gets a call, and what happens when some of them
fail, hang, come and go."""

import socket
import struct
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from api.coupons import wait_until
from api.fake_service import FakeService, response
from api.name_server import NameServer

CALLS = "onrush_gateway_upstream_calls_total"
SERVERS = "onrush_gateway_upstream_servers"
RETRIES = "onrush_gateway_upstream_retries_total"
# Soon enough for a test; nothing is asserted about how soon.
QUICK = {
    "ONRUSH_WORKERS": 1,
    "ONRUSH_CHECK_MS": 50,
    "ONRUSH_CHECK_TIMEOUT_MS": 2000,
    "ONRUSH_LOOKUP_MS": 100,
    "ONRUSH_SLOW_START_MS": 0,
}


class Server(FakeService):
    """One of a service's servers: says its name, and on /readyz what `ready` says."""

    def __init__(self, name, port, behave=None, host="127.0.0.1"):
        self.name = name
        self.ready = True
        self.answer = behave or (lambda _: response(200, name.encode()))
        self.checks = 0
        self.taken = set()
        super().__init__(port, self._behave, host=host)

    def _behave(self, request):
        if request.target == "/readyz":
            self.checks += 1
            return response(200 if self.ready else 503)
        return self.answer(request)

    @property
    def calls(self):
        """The requests without the checks, which come at any time."""
        return [request for request in list(self.requests) if request.target != "/readyz"]

    def serve(self, connection):
        self.taken.add(connection)
        super().serve(connection)

    def die(self):
        """As a process that is killed: nobody listens, every connection is reset."""
        self.stop()
        for connection in list(self.taken):
            hang_up(connection)


def hang_up(connection):
    try:
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it was closed already


def break_off(_):
    raise OSError("this server answers nobody")


@pytest.fixture
def start(world):
    """Starts the gateway before these servers of the coupon service."""
    with ExitStack() as stack:

        def run(*servers, listed=None, **settings):
            for server in servers:
                stack.enter_context(server)
            listed = listed or ",".join(f"127.0.0.1:{s.listener.getsockname()[1]}" for s in servers)
            world.start("gateway", **(QUICK | settings | {"ONRUSH_COUPON_URL": listed}))
            return world.client("gateway")

        yield run


@pytest.fixture
def server(world):
    def make(name, behave=None, **options):
        return Server(name, options.pop("port", None) or world.port(name), behave, **options)

    return make


def ask(client, count, threads=8):
    """Reads, side by side: how often each answer came."""
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(lambda i: client.get(f"/api/v1/coupons/{i}"), range(count)))
    return Counter(a.body.decode() if a.status == 200 else a.error for a in answers)


def states(client):
    metrics = client.metrics()
    return {
        state: metrics[f'{SERVERS}{{upstream="coupon",state="{state}"}}']
        for state in ("up", "down", "ejected", "leaving")
    }


@contextmanager
def load(client, threads=4):
    """Reads without a pause meanwhile; gives the Counter of their answers."""
    answers, over = Counter(), threading.Event()

    def read(first):
        n = first
        while not over.is_set():
            answers.update(ask_one(client, n))
            n += threads

    with ThreadPoolExecutor(threads) as pool:
        reads = [pool.submit(read, i) for i in range(threads)]
        try:
            yield answers
        finally:
            over.set()
        for one in reads:
            one.result()


def ask_one(client, n):
    answer = client.get(f"/api/v1/coupons/{n}")
    return [answer.body.decode() if answer.status == 200 else answer.error]


# --- who gets a call --------------------------------------------------------------------


def test_the_calls_are_shared(start, server):
    client = start(server("a"), server("b"), server("c"))
    got = ask(client, 300)
    assert set(got) == {"a", "b", "c"}
    assert min(got.values()) > 50
    assert states(client)["up"] == 3


def test_weights_are_kept(start, server, world):
    a, b = server("a"), server("b")
    listed = f"127.0.0.1:{world.port('a')} weight=9, 127.0.0.1:{world.port('b')}"
    got = ask(start(a, b, listed=listed), 400, threads=1)
    assert got["a"] + got["b"] == 400
    assert 15 < got["b"] < 80


def test_each_server_is_told_its_own_name(start, server, world):
    a, b = server("a"), server("b")
    ask(start(a, b), 40)
    for one in (a, b):
        assert {r.header("host") for r in one.calls} == {f"127.0.0.1:{world.port(one.name)}"}


def test_a_slow_server_gets_less(start, server):
    """It answers a call only when the other one has answered ten more."""
    fast = server("fast")

    def slowly(_):
        until = len(fast.calls) + 10
        wait_until(lambda: len(fast.calls) >= until or over.is_set())
        return response(200, b"slow")

    over = threading.Event()
    slow = server("slow", slowly)
    client = start(fast, slow)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(ask, client, 300, 4)
        wait_until(lambda: len(fast.calls) + len(slow.calls) >= 297)
        over.set()
        got = running.result()
    assert got["fast"] + got["slow"] == 300
    assert got["slow"] < 75


# --- servers that fail ------------------------------------------------------------------


def test_half_of_the_servers_are_gone(start, server, world):
    """Nothing of a call was sent to them: writes go to the others too."""
    a, b = server("a"), server("b")
    gone = [world.port("gone-1"), world.port("gone-2")]
    ports = [world.port("a"), world.port("b"), *gone]
    client = start(a, b, listed=",".join(f"127.0.0.1:{port}" for port in ports))
    answers = [client.post("/api/v1/coupons", {"userId": i}).status for i in range(100)]
    assert answers == [200] * 100
    assert set(ask(client, 100)) == {"a", "b"}
    wait_until(lambda: states(client)["down"] == 2)


def test_a_server_that_breaks_off_is_left_out(start, server):
    """A read is read again elsewhere; a write nobody knows of is told as such, a few times."""
    client = start(server("good"), server("bad", break_off), ONRUSH_EJECT_MS=60000)
    assert ask(client, 50) == {"good": 50}
    wait_until(lambda: states(client)["ejected"] == 1)
    assert {client.post("/api/v1/coupons", {"n": i}).status for i in range(50)} == {200}


def test_writes_are_not_sent_twice(start, server):
    good, bad = server("good"), server("bad", break_off)
    client = start(good, bad, ONRUSH_EJECT_FAILURES=1000)
    answers = [client.post("/api/v1/coupons", {"n": i}) for i in range(60)]
    got = Counter(a.body.decode() if a.status == 200 else a.error for a in answers)
    assert got["OUTCOME_UNKNOWN"] == len(bad.calls) > 0
    assert got["good"] == len(good.calls) == 60 - len(bad.calls)
    for i in range(20):
        key = {"Idempotency-Key": f"k{i}"}
        assert client.post("/api/v1/coupons", {"n": i}, headers=key).status == 200


def test_a_server_is_killed_under_load(start, server, world):
    a, b = server("a"), server("b")
    client = start(a, b)
    with load(client) as answers:
        wait_until(lambda: answers["a"] > 20 and answers["b"] > 20)
        a.die()
        before = answers["b"]
        wait_until(lambda: answers["b"] > before + 50)
        with server("a2", port=world.port("a")):
            wait_until(lambda: answers["a2"] > 20, seconds=60)
    assert set(answers) == {"a", "b", "a2"}


def test_a_server_that_hangs_is_left_out(start, server):
    over = threading.Event()

    def hang(_):
        over.wait(20)
        return response()

    client = start(
        server("good"),
        server("hangs", hang),
        ONRUSH_UPSTREAM_RESPONSE_MS=3000,
        ONRUSH_EJECT_FAILURES=2,
        ONRUSH_EJECT_MS=60000,
    )
    wait_until(lambda: states(client)["ejected"] == 1 or not ask(client, 4), seconds=30)
    assert ask(client, 50) == {"good": 50}
    over.set()


# --- checks -----------------------------------------------------------------------------


def test_a_server_that_is_not_ready_gets_nothing(start, server):
    a, b = server("a"), server("b")
    client = start(a, b)
    a.ready = False
    wait_until(lambda: states(client)["down"] == 1)
    assert ask(client, 50) == {"b": 50}
    a.ready = True
    wait_until(lambda: states(client)["up"] == 2)
    assert set(ask(client, 50)) == {"a", "b"}


def test_when_none_seems_ready_all_are_used(start, server):
    servers = [server(name) for name in "abc"]
    client = start(*servers)
    for one in servers:
        one.ready = False
    wait_until(lambda: states(client)["down"] == 3)
    assert set(ask(client, 100)) == {"a", "b", "c"}


def test_a_single_server_is_asked_nothing(start, server):
    one = server("one")
    client = start(one)
    with load(client) as answers:
        wait_until(lambda: answers["one"] > 200)
    assert one.checks == 0


# --- bounds on trying again ---------------------------------------------------------------


def test_retries_have_a_budget(start, server):
    """Everything fails: what is sent again is the share and no more."""
    servers = server("a", break_off), server("b", break_off)
    client = start(
        *servers,
        ONRUSH_RETRY_BUDGET=0.1,
        ONRUSH_RETRY_FLOOR=0,
        ONRUSH_BREAKER_FAILURES=1000000,
        ONRUSH_EJECT_FAILURES=1000000,
        ONRUSH_CHECK_MS=0,
    )
    assert ask(client, 200) == {"BAD_GATEWAY": 200}
    metrics = client.metrics()
    granted = metrics[f'{RETRIES}{{upstream="coupon",budget="granted"}}']
    assert 10 <= granted <= 20
    assert metrics[f'{RETRIES}{{upstream="coupon",budget="denied"}}'] >= 180
    assert sum(len(s.calls) for s in servers) == 200 + granted


def test_a_service_that_fails_is_given_a_rest(start, server, world):
    """Its server hears of it no more until the rest is over; then one call tries."""
    bad = server("bad", break_off)
    client = start(bad, ONRUSH_BREAKER_FAILURES=5, ONRUSH_BREAKER_MS=300)
    got = Counter(client.get("/api/v1/coupons/1").error for _ in range(40))
    assert got["BAD_GATEWAY"] >= 5 and got["DEPENDENCY_UNAVAILABLE"] >= 1
    assert len(bad.calls) < 40
    wait_until(
        lambda: (
            client.metrics()['onrush_gateway_upstream_resting{upstream="coupon"}'] == 1
            or client.get("/api/v1/coupons/1").status == 200
        )
    )
    bad.answer = lambda _: response(200, b"well again")
    wait_until(lambda: client.get("/api/v1/coupons/1").status == 200)
    assert ask(client, 20) == {"well again": 20}


# --- names --------------------------------------------------------------------------------


@pytest.fixture
def names(world):
    with NameServer(world.port("names")) as server:
        yield server


def test_replicas_come_and_go_under_load(start, server, names, world):
    """Servers of one name and port, at several addresses: no call is lost."""
    port = world.port("replicas")
    one, two, three = (server(str(n), port=port, host=f"127.0.0.{n}") for n in (1, 2, 3))
    names.hosts["coupon.test"] = ["127.0.0.1"]
    client = start(one, two, three, listed=f"coupon.test:{port}", ONRUSH_NAME_SERVER=names.address)
    with load(client) as answers:
        wait_until(lambda: answers["1"] > 20)
        assert set(answers) == {"1"}
        names.hosts["coupon.test"] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        wait_until(lambda: answers["2"] > 20 and answers["3"] > 20)
        names.hosts["coupon.test"] = ["127.0.0.3"]
        wait_until(lambda: states(client) == {"up": 1, "down": 0, "ejected": 0, "leaving": 0})
        two.die()
        one.die()
        before = answers["3"]
        wait_until(lambda: answers["3"] > before + 50)
    assert set(answers) == {"1", "2", "3"}
    assert {r.header("host") for r in three.calls} == {f"coupon.test:{port}"}


def test_a_server_that_leaves_ends_what_it_does(start, server, names, world):
    port = world.port("replicas")
    over = threading.Event()

    def late(_):
        over.wait(20)
        return response(200, b"late")

    leaving = server("leaving", late, port=port, host="127.0.0.1")
    names.hosts["coupon.test"] = ["127.0.0.1"]
    client = start(
        leaving,
        server("stays", port=port, host="127.0.0.2"),
        listed=f"coupon.test:{port}",
        ONRUSH_NAME_SERVER=names.address,
    )
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.get, "/api/v1/coupons/1")
        wait_until(lambda: leaving.calls)
        names.hosts["coupon.test"] = ["127.0.0.2"]
        wait_until(lambda: states(client)["leaving"] == 1)
        assert ask(client, 20) == {"stays": 20}
        over.set()
        assert call.result().body == b"late"
    wait_until(lambda: states(client)["leaving"] == 0)


def test_a_silent_name_server_changes_nothing(start, server, names, world):
    names.hosts["coupon.test"] = ["127.0.0.1"]
    port = world.port("one")
    client = start(
        server("one", port=port), listed=f"coupon.test:{port}", ONRUSH_NAME_SERVER=names.address
    )
    names.silent = True
    asked = names.asked
    wait_until(lambda: names.asked > asked + 1)
    assert ask(client, 20) == {"one": 20}
    names.silent = False
    del names.hosts["coupon.test"]
    wait_until(lambda: any("found last" in r["msg"] for r in world.logs("gateway")))
    assert ask(client, 20) == {"one": 20}


def test_srv_records_name_hosts_ports_and_weights(start, server, names, world):
    a, b, spare = server("a"), server("b"), server("spare")
    names.hosts["h.test"] = ["127.0.0.1"]
    names.services["_coupon._tcp.test"] = [
        (1, 9, world.port("a"), "h.test"),
        (1, 1, world.port("b"), "h.test"),
        (2, 9, world.port("spare"), "h.test"),
    ]
    client = start(a, b, spare, listed="srv:_coupon._tcp.test", ONRUSH_NAME_SERVER=names.address)
    got = ask(client, 400, threads=1)
    assert got["a"] + got["b"] == 400
    assert 15 < got["b"] < 80
    names.services["_coupon._tcp.test"] = [(1, 1, world.port("spare"), "h.test")]
    wait_until(lambda: ask(client, 4) == {"spare": 4})
