"""Pages of other origins: preflights that the gateway answers itself, and what an answer must
say so that a browser shows it to the page."""

import subprocess

import pytest
from api.fake_service import FakeService, response

SHOP = "https://shop.example"
PREFLIGHT = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}


@pytest.fixture
def coupon(world):
    with FakeService(world.port("coupon")) as service:
        yield service


@pytest.fixture
def start(world):
    def begin(origins=f"{SHOP}, http://localhost:3000", **settings):
        world.start("gateway", ONRUSH_PASSES="off", ONRUSH_CORS_ORIGINS=origins, **settings)
        return world.client()

    return begin


def cors(answer):
    return {k: v for k, v in answer.headers.items() if k.startswith("access-control-")}


def words(field):
    return {word.strip().lower() for word in field.split(",")}


def test_a_preflight_is_answered_here(start, coupon):
    asked = "authorization,content-type,idempotency-key"
    answer = start().call(
        "OPTIONS", "/api/v1/coupons", None, PREFLIGHT | {"Access-Control-Request-Headers": asked}
    )
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert words(asked) <= words(answer.headers["access-control-allow-headers"])
    assert int(answer.headers["access-control-max-age"]) > 0
    assert "origin" in words(answer.headers["vary"])
    assert "access-control-allow-credentials" not in answer.headers
    assert coupon.requests == []


def test_a_preflight_for_too_much_is_refused(start, coupon):
    client = start()
    for changed in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{SHOP}.evil.example"},
        {"Access-Control-Request-Method": "TRACE"},
        {"Access-Control-Request-Headers": "x-onrush-user"},
    ):
        answer = client.call("OPTIONS", "/api/v1/coupons", None, PREFLIGHT | changed)
        assert (answer.status, answer.error) == (403, "FORBIDDEN"), changed
        assert "access-control-allow-methods" not in answer.headers
        if "Origin" in changed:
            assert cors(answer) == {}


def test_what_is_no_preflight_stays_refused(start, coupon):
    client = start()
    for headers in ({}, {"Origin": SHOP}, {"Access-Control-Request-Method": "GET"}):
        answer = client.call("OPTIONS", "/api/v1/coupons", None, headers)
        assert (answer.status, answer.error) == (405, "METHOD_NOT_ALLOWED")
    assert client.call("OPTIONS", "/nowhere", None, PREFLIGHT).status == 404


def test_answers_may_be_read_by_the_page(start, coupon):
    client = start()
    coupon.behave = lambda _: response(200, b"{}", [("Access-Control-Allow-Origin", "*")])
    answer = client.get("/api/v1/coupons/1", headers={"Origin": "http://localhost:3000"})
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert {"retry-after", "location", "x-request-id"} <= words(
        answer.headers["access-control-expose-headers"]
    )
    assert answer.headers["vary"] == "Origin"
    assert coupon.requests[0].header("origin") is None


def test_refusals_may_be_read_too(world, start):
    """The service is away: the gateway's own answer."""
    answer = start().get("/api/v1/coupons/1", headers={"Origin": SHOP})
    assert answer.status == 503
    assert answer.headers["access-control-allow-origin"] == SHOP


def test_other_origins_get_nothing_and_caches_know(start, coupon):
    client = start()
    for headers in ({}, {"Origin": "https://evil.example"}):
        answer = client.get("/api/v1/coupons/1", headers=headers)
        assert answer.status == 200
        assert cors(answer) == {}
        assert answer.headers["vary"] == "Origin"


def test_cookies_come_along_where_they_may(start, coupon):
    client = start(ONRUSH_CORS_CREDENTIALS="on")
    answer = client.get("/api/v1/coupons/1", headers={"Origin": SHOP})
    assert answer.headers["access-control-allow-credentials"] == "true"
    answer = client.call("OPTIONS", "/api/v1/coupons", None, PREFLIGHT)
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_off_unless_asked_for(start, coupon):
    client = start("")
    assert client.call("OPTIONS", "/api/v1/coupons", None, PREFLIGHT).status == 405
    answer = client.get("/api/v1/coupons/1", headers={"Origin": SHOP})
    assert cors(answer) == {} and "vary" not in answer.headers


def test_a_setting_that_is_no_origin_is_refused(world):
    for wrong in ("*", "shop.example", f"{SHOP}/", f"{SHOP},"):
        env = world.settings("gateway") | {"ONRUSH_CORS_ORIGINS": wrong}
        argv = [world.engines.bin / "onrush-gateway", "--check"]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "ONRUSH_CORS_ORIGINS" in done.stderr and "is not an origin" in done.stderr
