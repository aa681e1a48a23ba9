"""Who a call is from: tokens and API keys at the gateway, and services that act only for the
user whom a token names."""

import json
import signal
import subprocess
import time

import pytest
from api.coupons import wait_until
from api.fake_service import FakeService
from api.lines import UNLIMITED, Line, patient, until
from api.passes import bearer, served
from api.tokens import Key, write_set

RULINGS = "onrush_gateway_identity_total"
RELOADS = "onrush_gateway_credentials_reloads_total"


@pytest.fixture
def issuer(tmp_path):
    """One key of each kind, in a file."""
    keys = {alg: Key(alg.lower(), alg) for alg in ("EdDSA", "ES256", "RS256", "HS256")}
    path = tmp_path / "jwks.json"
    write_set(path, *keys.values())
    return keys, path


@pytest.fixture
def key(issuer):
    return issuer[0]["EdDSA"]


@pytest.fixture
def start(world, issuer):
    """Starts a gateway that believes the issuer's tokens only."""

    def begin(**settings):
        settings = {"ONRUSH_PASSES": "off", "ONRUSH_WORKERS": 1} | settings
        world.start("gateway", ONRUSH_IDENTITY="on", ONRUSH_JWKS=issuer[1], **settings)
        return world.client()

    return begin


@pytest.fixture
def coupon(world):
    with FakeService(world.port("coupon")) as service:
        yield service


def take(client, token=None, headers=None):
    body = {"userId": 7, "couponId": 1}
    return client.post("/api/v1/coupons", body, headers=bearer(token) | (headers or {}))


def assert_challenged(answer, error=None):
    assert (answer.status, answer.error) == (401, "UNAUTHORIZED"), answer.body
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="onrush"')
    assert ("error=" in challenge) == (error is not None)
    if error is not None:
        assert f'error="{error}"' in challenge


# --- tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["EdDSA", "ES256", "RS256", "HS256"])
def test_the_service_learns_the_user_and_never_the_token(start, coupon, issuer, alg):
    client = start()
    token = issuer[0][alg].token(7)
    for _ in range(3):  # the second time it is known
        assert take(client, token, {"X-Onrush-User": "8"}).status == 200
    for request in coupon.requests:
        assert request.header("x-onrush-user") == "7"
        assert request.header("authorization") is None
        assert request.header("x-onrush-line") is None


def test_who_shows_no_token_is_told_how(start, coupon, key):
    client = start()
    assert_challenged(take(client))
    assert_challenged(take(client, headers={"Authorization": "Basic eDp5"}))
    assert_challenged(client.get("/points/7"))
    # What names no user is for everybody.
    assert client.get("/api/v1/coupons/1").status == 200
    assert len(coupon.requests) == 1
    assert client.metrics()[f'{RULINGS}{{ruling="missing"}}'] == 3


def test_two_authorizations_are_ambiguous(start, coupon, key):
    client = start()
    line = f"Authorization: Bearer {key.token(7)}\r\n"
    request = f"GET /api/v1/users/7/coupons HTTP/1.1\r\nHost: t\r\n{line * 2}\r\n"
    answer = client.raw(request.encode())
    assert b" 401 " in answer and b'error="invalid_request"' in answer
    assert coupon.requests == []


def test_tokens_that_are_refused(start, coupon, issuer):
    keys, _ = issuer
    key = keys["EdDSA"]
    client = start(ONRUSH_TOKEN_ISSUER="https://id", ONRUSH_TOKEN_AUDIENCE="shop")
    good = {"iss": "https://id", "aud": ["other", "shop"]}
    now = int(time.time())
    stranger = Key("eddsa")
    assert take(client, key.token(7, **good)).status == 200
    refused = {
        "malformed": ["x", key.token(7, **good)[:-1] + "*", key.token(7, **good, exp=None)],
        "forged": [stranger.token(7, **good), key.token(7, **good)[:-4] + "AAAA"],
        "unknown_key": [
            key.token(7, {"kid": "other"}, **good),
            key.token(7, {"alg": "none"}, **good),
            keys["HS256"].token(7, {"kid": "eddsa"}, **good),
        ],
        "expired": [key.token(7, **good, exp=now - 1)],
        "early": [key.token(7, **good, nbf=now + 600), key.token(7, **good, iat=now + 600)],
        "other_issuer": [key.token(7), key.token(7, iss="https://id2", aud="shop")],
        "other_audience": [key.token(7, iss="https://id"), key.token(7, **good | {"aud": "x"})],
        "no_user": [key.token(None, **good), key.token("joe", **good), key.token(0, **good)],
    }
    for ruling, tokens in refused.items():
        name = f'{RULINGS}{{ruling="{ruling}"}}'
        before = client.metrics()[name]
        for token in tokens:
            assert_challenged(take(client, token), "invalid_token")
        assert client.metrics()[name] == before + len(tokens), ruling
    assert len(coupon.requests) == 1


def test_the_claim_of_the_user_is_a_setting(start, coupon, key):
    client = start(ONRUSH_TOKEN_USER_CLAIM="uid")
    assert take(client, key.token("joe", uid=9007199254740992)).status == 200
    assert coupon.requests[0].header("x-onrush-user") == "9007199254740992"
    assert_challenged(take(client, key.token(7)), "invalid_token")


def test_a_known_token_ends_when_it_expires(start, coupon, key):
    client = start()

    def shown_in_time():
        """A busy machine may outlive the token: then another one."""
        expires = int(time.time()) + 2
        token = key.token(7, exp=expires)
        answer = take(client, token)
        return time.time() < expires and (answer, token, expires)

    answer, token, expires = until(shown_in_time)
    assert answer.status == 200
    wait_until(lambda: time.time() >= expires)
    assert_challenged(take(client, token), "invalid_token")


def test_a_page_shows_its_token_in_a_cookie(start, coupon, key):
    client = start()
    cookie = {"Cookie": f"a=b; onrush_token={key.token(7)}"}
    assert client.get("/api/v1/users/7/coupons", headers=cookie).status == 200
    assert take(client, headers=cookie | {"Sec-Fetch-Site": "same-origin"}).status == 200
    assert coupon.requests[-1].header("cookie") is None
    for site in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        assert_challenged(take(client, headers=cookie | site))
    assert len(coupon.requests) == 2


def test_new_tokens_have_a_bound_and_known_ones_go_on(start, coupon, key):
    client = start(ONRUSH_TOKEN_CHECKS=5)
    known = key.token(7)
    assert take(client, known).status == 200
    answers = [take(client, key.token(100 + i)) for i in range(40)]
    refused = [a for a in answers if a.status != 200]
    assert refused, "more than 5 a second"
    assert {(a.status, a.error) for a in refused} == {(503, "OVERLOADED")}
    assert take(client, known).status == 200


# --- keys change ---------------------------------------------------------------------------


def reload(world, result):
    client = world.client()
    name = f'{RELOADS}{{result="{result}"}}'
    before = client.metrics()[name]
    world["gateway"].popen.send_signal(signal.SIGHUP)
    wait_until(lambda: client.metrics()[name] == before + 1)


def test_keys_are_rotated_without_a_restart(world, start, coupon, issuer):
    keys, path = issuer
    client = start()
    old, new = keys["EdDSA"], Key("next")
    assert take(client, old.token(7)).status == 200
    write_set(path, old, new)
    reload(world, "taken")
    wait_until(lambda: take(client, new.token(7)).status == 200)
    known = old.token(7)
    assert take(client, known).status == 200
    write_set(path, new)
    reload(world, "taken")
    # Also a token that was known does not outlive its key.
    wait_until(lambda: take(client, known).status == 401)
    assert take(client, new.token(7)).status == 200


def test_a_bad_file_changes_nothing(world, start, coupon, issuer):
    keys, path = issuer
    client = start()
    world.expect_error("the new files of keys are refused, the old ones stay: .*jwks.json")
    for text in ("", "{}", '{"keys":[]}', '{"keys":[{"kty":"oct","k":"AAAA"}]}'):
        path.write_text(text, "utf-8")
        reload(world, "refused")
        assert take(client, keys["RS256"].token(7)).status == 200


def test_a_gateway_without_keys_does_not_start(world, tmp_path):
    path = tmp_path / "jwks.json"
    path.write_text('{"keys": [{"kty": "oct", "k": "AA"}]}', "utf-8")
    for given, why in ((path, "Key number 1 is not sound"), ("", "ONRUSH_JWKS is not set")):
        env = world.settings("gateway") | {"ONRUSH_IDENTITY": "on", "ONRUSH_JWKS": str(given)}
        done = subprocess.run(
            [world.engines.bin / "onrush-gateway", "--check"],
            env=env, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert why in done.stderr


# --- API keys ------------------------------------------------------------------------------


@pytest.fixture
def partner(world, start, coupon, tmp_path):
    """Two keys made by the command, and a gateway with a route for one scope."""
    routes, file = tmp_path / "routes.json", tmp_path / "api.keys"
    route = {"method": "GET", "path": "/partner", "service": "c", "identity": "api-key"}
    services = {"c": {"servers": f"127.0.0.1:{world.port('coupon')}"}}
    document = {"services": services, "routes": [route | {"scope": "stock.read"}]}
    routes.write_text(json.dumps(document), "utf-8")
    made = [
        dict(line.split(None, 1) for line in world.onrush("apikey", *args).stdout.splitlines())
        for args in (("acme", "stock.read,x"), ("other", "orders.read"))
    ]
    file.write_text("# partners\n" + "\n".join(m["line"] for m in made), "ascii")
    client = start(ONRUSH_ROUTES=routes, ONRUSH_API_KEYS=file)
    return client, [m["key"] for m in made]


def test_api_keys_open_the_routes_of_their_scopes(partner, coupon):
    client, (good, other) = partner
    assert client.get("/partner", headers={"X-Api-Key": good}).status == 200
    request = coupon.requests[0]
    assert request.header("x-onrush-client") == "acme"
    assert request.header("x-api-key") is None
    refused = client.get("/partner", headers={"X-Api-Key": other})
    assert (refused.status, refused.error) == (403, "FORBIDDEN")
    for wrong in ({}, {"X-Api-Key": good[:-1]}, {"X-Api-Key": f"other.{good.split('.')[1]}"}):
        answer = client.get("/partner", headers=wrong | {"X-Onrush-Client": "acme"})
        assert (answer.status, answer.error) == (401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"] == 'ApiKey realm="onrush"'
    assert len(coupon.requests) == 1


# --- with the waiting line -----------------------------------------------------------------


def test_a_pass_and_a_token_go_together(world, start, key):
    """The pass in X-Onrush-Pass; it must be the token's user's."""
    with FakeService(world.port("reservation")) as shop:
        world.start("queue")
        client = start(ONRUSH_PASSES="on")
        Line(world, 1, maxActive=5, **UNLIMITED)
        mine = bearer(key.token(42))
        taken = patient(client.post, "/queue/tokens", {"userId": 42, "line": 1}, headers=mine)
        pass_of_42 = taken.data["token"]
        shown = mine | {"X-Onrush-Pass": pass_of_42}
        status = "/queue/tokens/status/42?line=1"
        wait_until(lambda: patient(client.get, status, headers=shown).data["status"] == "ACTIVE")
        assert patient(client.get, "/concerts", headers=shown).status == 200
        request = shop.requests[-1]
        assert (request.header("x-onrush-user"), request.header("x-onrush-line")) == ("42", "1")
        # A pass alone, or in the token's place, is no token.
        assert_challenged(client.get("/concerts", headers={"X-Onrush-Pass": pass_of_42}))
        assert_challenged(client.get("/concerts", headers=bearer(pass_of_42)), "invalid_token")
        assert patient(client.get, "/concerts", headers=mine).error == "PASS_MISSING"
        lent = bearer(key.token(43)) | {"X-Onrush-Pass": pass_of_42}
        answer = client.get("/concerts", headers=lent)
        assert (answer.status, answer.error) == (403, "PASS_BORROWED")
        # Nobody looks at, or gives up, somebody else's place.
        for method, path in (("GET", "/queue/tokens/status/42"), ("DELETE", "/queue/tokens/42")):
            answer = client.call(method, f"{path}?line=1", headers=bearer(key.token(43)))
            assert (answer.status, answer.error) == (403, "FORBIDDEN")


def test_without_identity_a_pass_may_come_either_way(world):
    with FakeService(world.port("reservation")) as shop:
        world.start("queue")
        world.start("gateway", ONRUSH_WORKERS=1)
        line = Line(world, 1, maxActive=5, **UNLIMITED)
        token = served(line, 42)
        client = world.client()
        for headers in (bearer(token), {"X-Onrush-Pass": token}):
            assert patient(client.get, "/concerts", headers=headers).status == 200
        both = client.get("/concerts", headers=bearer(token) | {"X-Onrush-Pass": token})
        assert (both.status, both.error) == (401, "PASS_INVALID")
        assert len(shop.requests) == 2


# --- the services --------------------------------------------------------------------------


def test_services_act_for_the_tokens_user_only(world, start, key):
    """With the real ones: a body or a path that names somebody else is refused."""
    world.onrush("seed")
    world.start("coupon-publisher", "coupon", "order")
    client = start()
    mine, others = bearer(key.token(1)), bearer(key.token(2))
    order = {"userId": 1, "products": [{"id": 1, "quantity": 1}]}
    calls = [
        ("POST", "/api/v1/coupons", {"userId": 1, "couponId": 1}),
        ("POST", "/api/v0/users/1/coupons/publish", {"couponId": 1}),
        ("GET", "/api/v1/users/1/coupons", None),
        ("POST", "/api/v1/users/1/balance/charge", {"amount": 5}),
        ("PUT", "/points/charge", {"userId": 1, "amount": 5}),
        ("GET", "/points/1", None),
        ("POST", "/api/v1/orders", order),
    ]
    for method, path, body in calls:
        refused = client.call(method, path, body, others)
        assert (refused.status, refused.error) == (403, "FORBIDDEN"), path
        assert client.call(method, path, body, mine).status in (200, 202, 409), path
    made = client.post("/api/v1/orders", order, headers=mine).data["orderId"]
    assert client.get(f"/api/v1/orders/{made}", headers=mine).status == 200
    assert client.get(f"/api/v1/orders/{made}", headers=others).error == "ORDER_NOT_FOUND"
    cancel = client.post(f"/api/v1/orders/{made}/cancel", headers=others)
    assert (cancel.status, cancel.error) == (404, "ORDER_NOT_FOUND")
    assert client.post(f"/api/v1/orders/{made}/cancel", headers=mine).status == 200
