"""What a service learns of the way a request came, and whom the gateway believes."""

import subprocess

import pytest
from api.fake_service import FakeService

NAMES = ("x-forwarded-for", "x-forwarded-proto", "forwarded")
LIE = {
    "X-Forwarded-For": "192.0.2.9",
    "X-Forwarded-Proto": "https",
    "Forwarded": "for=192.0.2.9;proto=https",
}


@pytest.fixture
def coupon(world):
    with FakeService(world.port("coupon")) as service:
        yield service


def ask(world, coupon, headers, **settings):
    """The fields that reach the service."""
    if "gateway" not in world.processes:
        world.start("gateway", ONRUSH_PASSES="off", **settings)
    client = world.client()
    assert client.get("/api/v1/coupons/1", headers={"Host": "shop.example"} | headers).status == 200
    return tuple(coupon.requests[-1].header(name) for name in NAMES)


def test_what_clients_say_is_dropped(world, coupon):
    own = ("127.0.0.1", "http", 'for=127.0.0.1;proto=http;host="shop.example"')
    assert ask(world, coupon, {}) == own
    assert ask(world, coupon, LIE) == own


def test_a_trusted_proxy_is_believed_and_appended_to(world, coupon):
    own = 'for=127.0.0.1;proto=http;host="shop.example"'
    assert ask(world, coupon, LIE, ONRUSH_TRUSTED_PROXIES="10.0.0.0/8, 127.0.0.0/8") == (
        "192.0.2.9, 127.0.0.1",
        "https",
        f"for=192.0.2.9;proto=https, {own}",
    )
    # What cannot be an address, a scheme or a Forwarded field goes no further.
    odd = {"X-Forwarded-For": "<x>, 192.0.2.9", "X-Forwarded-Proto": "ftp", "Forwarded": "x"}
    assert ask(world, coupon, odd) == ("192.0.2.9, 127.0.0.1", "http", own)
    assert ask(world, coupon, {}) == ("127.0.0.1", "http", own)


def test_the_client_behind_a_trusted_proxy_is_who_is_limited_and_logged(world, coupon):
    settings = {
        "ONRUSH_TRUSTED_PROXIES": "127.0.0.0/8",
        "ONRUSH_ACCESS_LOG": 1,
        "ONRUSH_ADDRESS_TRUSTED": "",
        "ONRUSH_ADDRESS_RATE": 1,
        "ONRUSH_ADDRESS_BURST": 1,
        "ONRUSH_WORKERS": 1,
    }
    world.start("gateway", ONRUSH_PASSES="off", **settings)
    client = world.client()
    for last in range(1, 20):  # each has a bucket of its own, whatever the first one says
        headers = {"X-Forwarded-For": f"198.51.100.7, 192.0.2.{last}"}
        assert client.get("/api/v1/coupons/1", headers=headers).status == 200
    answers = [client.get("/api/v1/coupons/1", headers=headers).status for _ in range(20)]
    assert 429 in answers
    world.stop("gateway")
    peers = {line.get("peer") for line in world.logs("gateway")}
    assert "192.0.2.1" in peers and "198.51.100.7" not in peers


def test_a_list_that_is_none_is_refused(world):
    env = world.settings("gateway") | {"ONRUSH_TRUSTED_PROXIES": "10.0.0.0/99"}
    argv = [world.engines.bin / "onrush-gateway", "--check"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ONRUSH_TRUSTED_PROXIES" in done.stderr
