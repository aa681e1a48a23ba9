"""onrush coupon: an operator's day, through the gateway."""

import json

import pytest
from api.coupons import PROGRAMS, ask, wait_until


@pytest.fixture
def shop(world):
    world.start(*PROGRAMS, "gateway")
    return world


def data(world, *arguments):
    return json.loads(world.onrush("coupon", *arguments, "-o", "json").stdout)["data"]


def test_the_life_of_a_campaign(shop):
    made = data(shop, "create", 5, "Ein Gutschein 쿠폰", "--quantity", 1, "--rate", 0.25)
    assert made["status"] == "DRAFT"
    assert made["name"] == "Ein Gutschein 쿠폰"
    assert made["discountRate"] == 0.25
    assert ask(shop, 1, 5).error == "COUPON_NOT_OPEN"
    assert data(shop, "open", 5)["status"] == "PUBLISHABLE"
    wait_until(lambda: ask(shop, 1, 5).status == 200)
    assert ask(shop, 2, 5).error == "COUPON_SOLD_OUT"
    assert data(shop, "restock", 5, 2)["remaining"] == 2
    assert ask(shop, 2, 5).status == 200
    assert data(shop, "close", 5)["status"] == "CLOSED"
    assert ask(shop, 3, 5).error == "COUPON_NOT_OPEN"
    shown = data(shop, "show", 5)
    assert (shown["quantity"], shown["issued"], shown["remaining"]) == (3, 2, 1)
    assert [c["couponId"] for c in data(shop, "list")["coupons"]] == [5]


def test_as_a_table(shop):
    shop.onrush("coupon", "create", 6, "Six", "--unlimited", "--closes", "+5m", "--open")
    shop.onrush("coupon", "create", 77, "Hidden \x1b[2J", "--quantity", 10, "--per-user", 3)
    head, first, second = shop.onrush("coupon", "list").stdout.splitlines()
    assert head.split()[:3] == ["ID", "KIND", "STATE"]
    assert first.split()[:4] == ["6", "UNLIMITED", "PUBLISHABLE", "-"]
    assert second.split()[:4] == ["77", "LIMITED", "DRAFT", "10"]
    assert "\x1b" not in second


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["show", 999], 1, "404: There is no such coupon."),
        (["open", 999], 1, "404: There is no such coupon."),
        (["create", 5, "--quantity", 1], 1, "409: There is already a campaign"),
        (["create", 6, "--quantity", 1, "--closes", "+1m", "--opens", "+5m"], 1, "400: "),
        (["create", 6], 2, "either --quantity or --unlimited"),
        (["create", 6, "--quantity", 1, "--unlimited"], 2, "either --quantity or"),
        (["create", 6, "--quantity", 1, "--expires", "tomorrow"], 2, '"tomorrow"; allowed:'),
        (["create", 6, "--quantity", 1, "--rate", "1.5"], 2, '"1.5"; allowed: 0 to 1'),
        (["create", 6, "--quantity", 1, "--rate", "nan"], 2, '"nan"; allowed: 0 to 1'),
        (["create", "x", "--quantity", 1], 2, '"x" is not an id'),
        (["restock", 5, 0], 2, '"0" is not a quantity'),
        (["restock", 5], 2, "needs ID QUANTITY"),
    ],
)
def test_refused(module_shop, arguments, status, sentence):
    refused = module_shop.onrush("coupon", *arguments, check=False)
    assert (refused.returncode, refused.stdout) == (status, "")
    assert sentence in refused.stderr


@pytest.fixture(scope="module")
def module_shop(module_world):
    module_world.start(*PROGRAMS, "gateway")
    module_world.onrush("coupon", "create", 5, "--quantity", 1)
    return module_world


def test_key(module_shop):
    wrong = module_shop.onrush("coupon", "list", check=False, ONRUSH_ADMIN_KEY="wrong")
    assert wrong.returncode == 1
    assert wrong.stderr == "onrush: 403: This key or token may not do that.\n"
    missing = module_shop.onrush("coupon", "list", check=False, ONRUSH_ADMIN_KEY="")
    assert missing.returncode == 2


@pytest.mark.parametrize("url", ["https://h", "127.0.0.1:80", "http://", "http://h/path", ""])
def test_an_address_that_is_none(world, url):
    bad = world.onrush("coupon", "list", check=False, ONRUSH_URL=url)
    assert bad.returncode == 2
    assert f'ONRUSH_URL is "{url}"' in bad.stderr


def test_gateway_or_service_away(shop):
    shop.stop("coupon")
    away = shop.onrush("coupon", "list", check=False)
    assert away.returncode == 3
    shop.stop("gateway")
    away = shop.onrush("coupon", "list", check=False)
    assert away.returncode == 3
    assert "ONRUSH_URL" in away.stderr
