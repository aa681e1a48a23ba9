"""The port of the gateway that is the operator's: what it shows, who may look, and reading
the route file again."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from api.fake_service import FakeService, response
from harness.client import Client
from harness.world import ADMIN_KEY, ROOT
from onrush_local.host import wait_until

ROUTES = ROOT / "deploy/gateway/routes.json"


@pytest.fixture
def operator(world):
    """Starts a gateway; a client of its admin port, with the key."""

    def start(**settings):
        world.start("gateway", ONRUSH_PASSES="off", **settings)
        client = Client(world.admin_port("gateway"))
        client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        return client

    return start


def test_only_the_operator_may_look(world, operator):
    port = operator().port
    for method, path in (
        ("GET", "/admin/routes"),
        ("GET", "/admin/upstreams"),
        ("GET", "/admin/summary"),
        ("POST", "/admin/reload"),
    ):
        assert Client(port).call(method, path).error == "UNAUTHORIZED"
        wrong = Client(port, {"Authorization": "Bearer another"})
        assert wrong.call(method, path).error == "FORBIDDEN"
        # And nobody at all where clients are.
        assert world.admin("gateway").call(method, path).error == "NOT_FOUND"


def test_health_and_metrics_need_no_key(world, operator):
    port = operator().port
    for path in ("/healthz", "/readyz", "/metrics"):
        assert Client(port).get(path).status == 200
    public = world.client("gateway")
    assert public.get("/readyz").status == 200
    assert public.get("/metrics").error == "NOT_FOUND"
    assert Client(port).get("/api/v1/coupons/1").error == "NOT_FOUND"


def test_without_the_port_metrics_are_where_clients_are(world):
    world.start("gateway", ONRUSH_PASSES="off", ONRUSH_ADMIN_LISTEN="")
    assert world.client("gateway").get("/metrics").status == 200


def test_a_port_that_is_taken_is_said(world):
    world.start("gateway", ONRUSH_PASSES="off")
    world.expect_error("cannot listen on ONRUSH_ADMIN_LISTEN=127.0.0.1:")
    taken = f"127.0.0.1:{world.admin_port('gateway')}"
    second = world.start("gateway-1", wait=False, ONRUSH_ADMIN_LISTEN=taken)
    second.ended_by_test = True
    assert second.popen.wait(20) == 1


def test_routes_are_shown_as_they_are_in_force(operator):
    shown = operator().get("/admin/routes").data
    rows = json.loads(ROUTES.read_text())["routes"]
    assert [(r["method"], r["path"], r["service"]) for r in shown["routes"]] == [
        (r["method"], r["path"], r["service"]) for r in rows
    ]
    by_path = {(r["method"], r["path"]): r for r in shown["routes"]}
    order = by_path["POST", "/api/v1/orders"]
    assert (order["bodyBytes"], order["deadlineMs"], order["retry"]) == (65536, 30000, True)
    assert by_path["GET", "/concerts"]["pass"] is True


def test_servers_of_a_service_are_shown(world, operator):
    bad = FakeService(world.port("bad"), lambda request: b"nonsense\r\n\r\n")
    with FakeService(world.port("coupon")) as good, bad:
        addresses = [f"127.0.0.1:{world.port(n)}" for n in ("coupon", "bad")]
        client = operator(
            ONRUSH_WORKERS=2,
            ONRUSH_COUPON_URL=f"{addresses[0]} weight=3, {addresses[1]}",
            ONRUSH_EJECT_FAILURES=3,
            ONRUSH_EJECT_MS=60000,
            ONRUSH_CHECK_MS=0,
        )

        def view():
            services = client.get("/admin/upstreams").data["services"]
            (coupon,) = [s for s in services if s["name"] == "coupon"]
            return coupon["breaker"], {s["address"]: s for s in coupon["servers"]}

        def servers():
            return view()[1]

        # The first worker may answer before the second has begun.
        wait_until(lambda: sum(view()[0].values()) == 2, 10, "what both workers say")
        first = servers()
        assert set(first) == set(addresses)
        assert [first[a]["weight"] for a in addresses] == [3, 1]
        assert all(s["workers"]["up"] == 2 and s["calls"] == 0 for s in first.values())

        def all_ejected():
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda _: world.client().get("/api/v1/coupons/1"), range(40)))
            return servers()[addresses[1]]["workers"]["ejected"] == 2

        wait_until(all_ejected, 30, "the ejection by both workers")
        wait_until(lambda: servers()[addresses[0]]["calls"] == len(good.requests), 10, "calls")
        bad_one = servers()[addresses[1]]
        # At least three in a row at each worker; some were under way meanwhile.
        assert bad_one["failures"] == bad_one["calls"] >= 6
        assert 0 < bad_one["ejectedMs"] <= 60000
        metrics = Client(client.port).metrics()
        server = f'{{upstream="coupon",server="{addresses[1]}"'
        assert metrics[f"onrush_gateway_server_failures_total{server}}}"] == bad_one["calls"]
        assert metrics[f'onrush_gateway_server_workers{server},state="ejected"}}'] == 2


def test_a_breaker_that_rests_its_service_is_shown(world, operator):
    with FakeService(world.port("coupon"), lambda request: b"nonsense\r\n\r\n"):
        client = operator(ONRUSH_WORKERS=1, ONRUSH_BREAKER_FAILURES=3, ONRUSH_BREAKER_MS=60000)
        for _ in range(4):
            world.client().get("/api/v1/coupons/1")

        def breaker():
            services = client.get("/admin/upstreams").data["services"]
            return next(s["breaker"] for s in services if s["name"] == "coupon")

        wait_until(lambda: breaker() == {"closed": 0, "open": 1, "halfOpen": 0}, 10, "the rest")


def test_the_summary_counts(world, operator):
    client = operator(ONRUSH_WORKERS=2)
    summary = client.get("/admin/summary").data
    assert (summary["workers"], summary["ready"], summary["routesVersion"]) == (2, True, 1)
    assert client.get("/admin/nothing").error == "NOT_FOUND"


# --- reading the routes again -----------------------------------------------------------


@pytest.fixture
def routes(world):
    path = world.dir / "routes.json"
    path.write_text(ROUTES.read_text())
    return path


def test_a_reload_answers_when_the_routes_are_in_force(world, operator, routes):
    with FakeService(world.port("coupon")):
        client = operator(ONRUSH_ROUTES=routes)
        file = json.loads(routes.read_text())
        file["routes"].append({"method": "GET", "path": "/fresh", "service": "coupon"})
        routes.write_text(json.dumps(file))
        assert client.post("/admin/reload").data == {"version": 2}
        assert any(r["path"] == "/fresh" for r in client.get("/admin/routes").data["routes"])
        wait_until(lambda: world.client().get("/fresh").status == 200, 10, "the route")


def test_a_reload_says_what_is_wrong_and_where(world, operator, routes):
    world.expect_error("the new routes are refused, the old ones stay")
    client = operator(ONRUSH_ROUTES=routes)
    routes.write_text('{"services": {}, "rutes": []}')
    answer = client.post("/admin/reload")
    assert (answer.status, answer.error) == (422, "ROUTES_REFUSED")
    assert 'line 1, column 1: there is no member "rutes" here' in answer.json["message"]
    assert client.get("/admin/routes").data["version"] == 1
    metrics = Client(client.port).metrics()
    assert metrics['onrush_gateway_reloads_total{result="refused"}'] == 1


def test_many_who_ask_at_once_are_all_answered(operator, routes):
    client = operator(ONRUSH_ROUTES=routes)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.post("/admin/reload"), range(60)))
    versions = [a.data["version"] for a in answers]
    assert all(v >= 2 for v in versions)
    # Who asked while a reload began may be answered by it, and has another begin.
    assert client.get("/admin/summary").data["routesVersion"] >= max(versions)


def test_who_asks_twice_is_told_of_the_second_file(world, operator, routes):
    """A reload that began before the file was changed is no answer."""
    world.expect_error("the new routes are refused, the old ones stay")
    client = operator(ONRUSH_ROUTES=routes)
    good = routes.read_text()
    for i in range(20):
        routes.write_text("nonsense" if i % 2 else good)
        assert client.post("/admin/reload").status == (422 if i % 2 else 200)


def test_metrics_are_answered_while_the_gateway_drains(world, operator):
    """Prometheus sees the last requests."""
    may_answer, asked = threading.Event(), threading.Event()

    def slow(request):
        asked.set()
        assert may_answer.wait(30)
        return response()

    with FakeService(world.port("coupon"), slow), ThreadPoolExecutor(1) as pool:
        client = operator()
        waiting = pool.submit(world.client().get, "/api/v1/coupons/1")
        assert asked.wait(10)
        world["gateway"].popen.terminate()
        wait_until(lambda: Client(client.port).get("/readyz").status == 503, 10, "the drain")
        key = "onrush_http_requests_under_way"
        assert Client(client.port).metrics()[key] >= 1
        may_answer.set()
        assert waiting.result().status == 200
        world["gateway"].ended_by_test = True
        assert world["gateway"].popen.wait(20) == 0


def test_the_access_log_says_who_answered(world, operator):
    bad = FakeService(world.port("bad"), lambda request: b"nonsense\r\n\r\n")
    with FakeService(world.port("coupon")), bad:
        good_at, bad_at = (f"127.0.0.1:{world.port(n)}" for n in ("coupon", "bad"))
        operator(ONRUSH_COUPON_URL=f"{good_at}, {bad_at}", ONRUSH_ACCESS_LOG=1)
        for _ in range(40):
            assert world.client().get("/api/v1/coupons/1").status == 200
        world.client().get("/api/v1/nothing")

        def lines():
            return [r for r in world.logs("gateway") if r["msg"] == "request"]

        wait_until(lambda: len(lines()) == 41, 10, "the log")
        # Each worker writes its own lines, and after the answers: their order is not told.
        (refused,) = [r for r in lines() if r["path"] == "/api/v1/nothing"]
        passed_on = [r for r in lines() if r["path"] != "/api/v1/nothing"]
        assert "upstream" not in refused and len(passed_on) == 40
        assert {(r["upstream"], r["server"]) for r in passed_on} == {("coupon", good_at)}
        assert {r["tries"] for r in passed_on} == {1, 2}
        assert all(0 < r["upstream_us"] <= r["us"] for r in passed_on)
