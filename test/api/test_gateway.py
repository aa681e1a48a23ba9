"""The gateway before services that the test plays: what reaches them, what comes back, and
what a client is told when nothing does."""

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack

import pytest
from api.fake_service import FakeService, response
from api.lines import until

# Every path of the contract: method and path at the gateway, service, path there.
ROUTES = [
    ("POST", "/api/v1/coupons", "coupon", "/coupons"),
    ("POST", "/api/v0/users/7/coupons/publish", "coupon", "/users/7/coupons"),
    ("GET", "/api/v1/users/7/coupons", "coupon", "/users/7/coupons"),
    ("GET", "/api/v1/coupons/8", "coupon", "/coupons/8"),
    ("GET", "/api/v1/coupons/8/requests/r-1", "coupon", "/coupons/8/requests/r-1"),
    ("GET", "/api/v1/receipts/key", "coupon", "/receipts/key"),
    ("GET", "/api/v0/products/ranks", "order", "/products/ranks"),
    ("GET", "/api/v1/products/ranks", "order", "/products/ranks"),
    ("GET", "/api/v1/api/v0/products/ranks", "order", "/products/ranks"),
    ("POST", "/api/v1/users/7/balance/charge", "order", "/users/7/balance/charge"),
    ("PUT", "/points/charge", "order", "/points/charge"),
    ("GET", "/api/v1/users/7/balance", "order", "/users/7/balance"),
    ("GET", "/points/7", "order", "/users/7/balance"),
    ("POST", "/api/v1/orders", "order", "/orders"),
    ("GET", "/api/v1/orders/9", "order", "/orders/9"),
    ("POST", "/api/v1/orders/9/cancel", "order", "/orders/9/cancel"),
    ("POST", "/queue/tokens", "queue", "/queue/tokens"),
    ("GET", "/queue/tokens/status/7", "queue", "/queue/tokens/status/7"),
    ("DELETE", "/queue/tokens/7", "queue", "/queue/tokens/7"),
    ("GET", "/concerts", "reservation", "/concerts"),
    ("GET", "/concerts/1/available-dates", "reservation", "/concerts/1/available-dates"),
    ("GET", "/concerts/1/available-seats", "reservation", "/concerts/1/available-seats"),
    ("POST", "/concerts/reserve-seat", "reservation", "/concerts/reserve-seat"),
    ("POST", "/payments", "reservation", "/payments"),
    ("GET", "/payments/3", "reservation", "/payments/3"),
    ("POST", "/admin/coupons", "coupon", "/admin/coupons"),
    ("GET", "/admin/coupons", "coupon", "/admin/coupons"),
    ("POST", "/admin/coupons/8/open", "coupon", "/admin/coupons/8/open"),
    ("POST", "/admin/coupons/8/close", "coupon", "/admin/coupons/8/close"),
    ("POST", "/admin/coupons/8/restock", "coupon", "/admin/coupons/8/restock"),
]
SERVICES = ("coupon", "order", "reservation", "queue")


@pytest.fixture
def services(world):
    """One of each, echoing, and the gateway before them; nobody needs a pass."""
    with ExitStack() as stack:
        made = {name: stack.enter_context(FakeService(world.port(name))) for name in SERVICES}
        world.start("gateway", ONRUSH_PASSES="off")
        yield made


@pytest.fixture
def gateway(world):
    """Starts a gateway before a coupon service that behaves like this."""
    with ExitStack() as stack:

        def start(behave=None, close=False, **settings):
            service = None
            if behave is not None:
                service = stack.enter_context(FakeService(world.port("coupon"), behave, close))
            world.start("gateway", **settings)
            return world.client("gateway"), service

        yield start


# --- what reaches a service ---------------------------------------------------------------


def test_every_route_leads_to_its_service(world, services):
    for method, path, name, target in ROUTES:
        body = {"x": 1} if method in ("POST", "PUT") else None
        answer = world.client("gateway").call(method, path, body)
        assert answer.status == 200, path
        assert answer.json["target"] == target
        assert answer.json["method"] == method
        assert len(services[name].requests) == 1, path
        services[name].requests.clear()


def test_what_is_not_a_route_reaches_nobody(world, services):
    client = world.client("gateway")
    assert client.get("/api/v1/nothing").error == "NOT_FOUND"
    assert client.get("/api/v1/coupons/1/").error == "NOT_FOUND"
    assert client.get("/admin/metrics").error == "NOT_FOUND"
    wrong = client.delete("/api/v1/coupons")
    assert (wrong.error, wrong.headers["allow"]) == ("METHOD_NOT_ALLOWED", "POST")
    assert not any(service.requests for service in services.values())


def test_the_query_and_the_body_go_along_unchanged(world, services):
    client = world.client("gateway")
    assert (
        client.get("/concerts?page=2&q=%20%C3%A9").json["target"] == "/concerts?page=2&q=%20%C3%A9"
    )
    text = '{"a":"\u00e9\\n",  "b":1}'
    assert client.post("/payments", text.encode()).json["body"] == text


def test_a_segment_stays_one_segment(world, services):
    client = world.client("gateway")
    for path, target in {
        "/points/..%2F..%2Fadmin": "/users/%2E%2E%2F%2E%2E%2Fadmin/balance",
        "/points/a%20b%3Fc%23d": "/users/a%20b%3Fc%23d/balance",
        "/points/%0d%0ax:y": "/users/%0D%0Ax%3Ay/balance",
    }.items():
        assert client.get(path).json["target"] == target


def test_a_chunked_body_arrives_with_its_length(world, services):
    answer = world.client("gateway").raw(
        b"POST /payments HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200")
    request = services["reservation"].requests[0]
    assert (request.body, request.header("content-length")) == (b"abcde", "5")


def test_only_listed_headers_reach_a_service(world, services):
    given = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Authorization": "Bearer t",
        "Idempotency-Key": "k-1",
        "Prefer": "respond-async",
        "User-Agent": "test",
        "X-Request-Id": "my-id",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=6.6.6.6",
        "X-User-Id": "1",
        "Cookie": "a=b",
        "Connection": "X-Secret",
        "X-Secret": "1",
        "Upgrade": "h2c",
        "TE": "trailers",
    }
    answer = world.client("gateway").post("/api/v1/coupons", b"{}", headers=given)
    assert answer.headers["x-request-id"] == "my-id"
    request = services["coupon"].requests[0]
    got = dict(request.headers)
    assert len(got) == len(request.headers)
    trace = got.pop("traceparent").split("-")
    assert (trace[0], trace[1]) == ("00", "0af7651916cd43dd8448eb211c80319c")
    assert 0 < int(got.pop("x-request-deadline-ms")) <= 30000
    assert got == {
        "host": f"127.0.0.1:{world.port('coupon')}",
        "content-type": "application/json",
        "content-length": "2",
        "accept": "application/json",
        "authorization": "Bearer t",
        "idempotency-key": "k-1",
        "prefer": "respond-async",
        "user-agent": "test",
        "x-request-id": "my-id",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "forwarded": f'for=127.0.0.1;proto=http;host="127.0.0.1:{world.port("gateway")}"',
    }


def test_a_body_that_is_too_large_reaches_nobody(world, services):
    client = world.client("gateway")
    assert client.post("/api/v1/coupons", b" " * 5000).error == "BODY_TOO_LARGE"
    assert client.post("/api/v1/orders", b" " * 60000).status == 200
    assert not services["coupon"].requests


# --- what comes back ------------------------------------------------------------------------


def test_status_body_and_listed_headers_come_back(gateway):
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Location": "/api/v1/coupons/1/requests/2",
        "Retry-After": "7",
        "RateLimit": '"default";r=1;t=2',
        "Idempotent-Replayed": "true",
        "ETag": '"x"',
        "Cache-Control": "no-store",
    }
    hidden = {
        "Set-Cookie": "a=b",
        "Server": "secret/1",
        "X-Powered-By": "y",
        "Connection": "keep-alive",
    }
    client, _ = gateway(lambda _: response(418, b"\x00\xffteapot", (headers | hidden).items()))
    answer = client.get("/api/v1/coupons/1")
    assert (answer.status, answer.body) == (418, b"\x00\xffteapot")
    assert headers.items() <= {k: answer.headers.get(k.lower()) for k in headers}.items()
    assert answer.headers["server"] == "onrush"
    assert "set-cookie" not in answer.headers and "x-powered-by" not in answer.headers


def test_a_chunked_answer_comes_back_whole(gateway):
    client, _ = gateway(
        lambda _: (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"
        )
    )
    answer = client.get("/api/v1/coupons/1")
    assert (answer.body, answer.headers["content-length"]) == (b"hello world", "11")


def test_head_says_the_length_and_sends_nothing(world, services):
    length = world.client("gateway").get("/concerts").headers["content-length"]
    answer = world.client("gateway").call("HEAD", "/concerts")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", length)


# --- when nothing comes back ----------------------------------------------------------------


def test_a_dead_service_is_a_503_that_names_it(gateway):
    client, _ = gateway(ONRUSH_ORDER_URL="")
    for path, word in {"/api/v1/coupons/1": "coupon", "/api/v1/orders/1": "order"}.items():
        answer = client.get(path)
        assert (answer.status, answer.error) == (503, "DEPENDENCY_UNAVAILABLE")
        assert word in answer.json["message"]
        assert int(answer.headers["retry-after"]) >= 1
    assert client.get("/readyz").status == 200


def hang(event):
    """Answers nothing before the event."""

    def behave(_):
        event.wait(20)
        return response()

    return behave


@pytest.fixture
def release():
    event = threading.Event()
    yield event
    event.set()


def test_no_answer_in_time(gateway, release):
    """A read failed; what a write did is not known, and is called so."""
    client, _ = gateway(hang(release), ONRUSH_UPSTREAM_RESPONSE_MS=300)
    read = client.get("/api/v1/coupons/1")
    assert (read.status, read.error) == (504, "TIMEOUT")
    write = client.post("/api/v1/coupons", {"userId": 1, "couponId": 1})
    assert (write.status, write.error) == (503, "OUTCOME_UNKNOWN")
    assert "retry-after" in write.headers


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 999 Hm\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_no_valid_answer(gateway, garbage):
    client, _ = gateway(lambda _: garbage, close=True)
    read = client.get("/api/v1/coupons/1")
    assert (read.status, read.error) == (502, "BAD_GATEWAY")
    write = client.post("/api/v1/coupons", {"userId": 1, "couponId": 1})
    assert (write.status, write.error) == (503, "OUTCOME_UNKNOWN")


def test_bytes_after_an_answer_are_nobodys(gateway):
    """They must not become the answer to the next request."""
    client, _ = gateway(lambda r: response(200, r.target.encode()) + response(200, b"stray"))
    for i in range(20):
        assert client.get(f"/api/v1/coupons/{i}").body == f"/coupons/{i}".encode()


def test_a_service_may_close_its_connections_any_time(gateway):
    """Without announcing it. A request that may be repeated never notices; of any other that
    met the closing connection nobody can know whether it was read.
    """
    client, service = gateway(lambda r: response(200, r.body), close=True)
    for i in range(30):
        body, key = str(i).encode(), {"Idempotency-Key": f"k{i}"}
        assert client.post("/api/v1/coupons", body, headers=key).body == body
    assert len(service.requests) == 30
    for i in range(30):
        answer = client.post("/api/v1/coupons", str(i).encode())
        assert answer.status == 200 or answer.error == "OUTCOME_UNKNOWN"


# --- bounds ---------------------------------------------------------------------------------


def test_connections_are_bounded_and_requests_wait(gateway):
    def slowly(request):
        time.sleep(0.01)
        return response(200, request.body)

    client, service = gateway(
        slowly, ONRUSH_UPSTREAM_CONNS=4, ONRUSH_UPSTREAM_QUEUE_MS=5000, ONRUSH_WORKERS=2
    )
    with ThreadPoolExecutor(8) as pool:
        bodies = [str(i).encode() for i in range(300)]
        answers = list(pool.map(lambda b: client.post("/api/v1/coupons", b), bodies))
    assert [a.body for a in answers] == bodies
    assert service.most_open <= 4


def test_a_full_queue_refuses_at_once(gateway, release):
    client, service = gateway(
        hang(release),
        ONRUSH_WORKERS=1,
        ONRUSH_UPSTREAM_CONNS=2,
        ONRUSH_UPSTREAM_QUEUE=3,
        ONRUSH_UPSTREAM_QUEUE_MS=5000,
    )
    with ThreadPoolExecutor(20) as pool:

        def ask(numbers):
            return [pool.submit(client.post, "/api/v1/coupons", {"n": n}) for n in numbers]

        first = ask(range(2))
        # Calls for which a connection is being opened would be waiting, too.
        until(lambda: len(service.requests) == 2)
        more = ask(range(2, 20))
        refused = [call.result() for call in itertools.islice(as_completed(more, 30), 15)]
        assert {(a.status, a.error) for a in refused} == {(503, "OVERLOADED")}
        assert all("coupon" in a.json["message"] for a in refused)
        release.set()
        assert sorted(call.result().status for call in first + more) == [200] * 5 + [503] * 15
    assert len(service.requests) == 5


def test_who_waited_too_long_is_refused(gateway, release):
    client, _ = gateway(
        hang(release), ONRUSH_WORKERS=1, ONRUSH_UPSTREAM_CONNS=1, ONRUSH_UPSTREAM_QUEUE_MS=200
    )
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(client.post, "/api/v1/coupons", {"n": i}) for i in range(2)]
        assert next(as_completed(calls)).result().error == "OVERLOADED"
        release.set()
        assert sorted(call.result().status for call in calls) == [200, 503]


# --- life -----------------------------------------------------------------------------------


def test_a_drain_answers_what_is_under_way(world, gateway, release):
    client, service = gateway(hang(release), ONRUSH_WORKERS=1)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.post, "/api/v1/coupons", {"userId": 1})
        while not service.requests:
            time.sleep(0.005)
        process = world["gateway"]
        process.ended_by_test = True
        process.popen.terminate()
        while _is_listening(process.client):
            time.sleep(0.005)
        release.set()
        answer = call.result()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert process.popen.wait(10) == 0


def _is_listening(client):
    try:
        client.get("/healthz")
    except OSError:
        return False
    return True


def test_calls_are_counted_by_service_and_outcome(world, gateway):
    client, _ = gateway(lambda r: response())
    client.get("/api/v1/coupons/1")
    client.get("/api/v1/coupons/1")
    client.get("/payments/3")
    metrics = client.metrics()
    calls = "onrush_gateway_upstream_calls_total"
    assert metrics[f'{calls}{{upstream="coupon",outcome="answered"}}'] == 2
    assert metrics[f'{calls}{{upstream="reservation",outcome="unreachable"}}'] == 1
    assert metrics['onrush_gateway_upstream_seconds_count{upstream="coupon"}'] == 2


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", "no.such.host.invalid:80"])
def test_a_bad_address_stops_the_start(world, address):
    world.expect_error(".*")
    process = world.start("gateway", wait=False, ONRUSH_COUPON_URL=address)
    assert process.popen.wait(20) != 0
    process.ended_by_test = True
    assert address in process.log.read_text("utf-8")


def test_the_answer_is_json_when_the_gateway_speaks(world, services):
    answer = world.client("gateway").get("/nope")
    assert answer.headers["content-type"] == "application/json"
    assert set(json.loads(answer.body)) == {"code", "error", "message"}
