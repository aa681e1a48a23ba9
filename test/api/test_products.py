"""Products: everyone's view, the operator's calls, and what is sold most, whatever is away."""

import itertools
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from api.coupons import wait_until
from api.orders import check_truths, product
from harness.crowd import crowd

PRICE_MAX, STOCK_MAX = 10**10, 10**12


@pytest.fixture
def shop(world):
    world.start("order")
    return world


def create(world, product_id=1, **more):
    """`more` as in the API; None leaves a member out."""
    body = {"id": product_id, "name": f"product {product_id}", "price": 1000, "stock": 10} | more
    body = {key: value for key, value in body.items() if value is not None}
    return world.admin("order").post("/admin/products", body)


def restock(world, quantity, product_id=1, key=None):
    headers = {"Idempotency-Key": key} if key is not None else {}
    path = f"/admin/products/{product_id}/restock"
    return world.admin("order").call("POST", path, {"quantity": quantity}, headers=headers)


# --- the operator's calls ---------------------------------------------------------------


def test_a_product_is_created_and_shown(shop):
    made = create(shop, 7, name='Tee "ü" 한', price=19_900, stock=3)
    shown = {"id": 7, "name": 'Tee "ü" 한', "price": 19_900, "stock": 3, "status": "SELLING"}
    assert made.data == shown | {"supplied": 3}
    assert shop.admin("order").get("/admin/products/7").data == made.data
    assert shop.client("order").get("/products/7").data == shown
    check_truths(shop)


def test_every_address_at_the_gateway(shop):
    shop.start("gateway")
    admin, everyone = shop.admin(), shop.client()
    body = {"id": 1, "name": "Tee", "price": 0, "stock": 0}
    assert admin.post("/admin/products", body).status == 200
    assert admin.post("/admin/products/1/restock", {"quantity": 2}).data["stock"] == 2
    assert admin.post("/admin/products/1/stop").data["status"] == "STOPPED"
    assert admin.post("/admin/products/1/sell").data["status"] == "SELLING"
    assert admin.put("/admin/products/1/price", {"price": 5}).data["price"] == 5
    assert admin.get("/admin/products/1").data["supplied"] == 2
    assert everyone.get("/api/v1/products/1").data["stock"] == 2
    shop.sql("insert into orders.daily_sales values (current_date, 1, 4)")
    ranks = [{"id": 1, "name": "Tee", "price": 5, "sold": 4}]
    for prefix in ("/api/v1", "/api/v0", "/api/v1/api/v0"):
        assert everyone.get(f"{prefix}/products/ranks").data == {"products": ranks}


@pytest.mark.parametrize(
    "wrong",
    [
        {"product_id": 0},
        {"product_id": -1},
        {"product_id": 1.5},
        {"name": None},
        {"name": ""},
        {"name": "x" * 121},
        {"name": 7},
        {"price": None},
        {"price": -1},
        {"price": 0.5},
        {"price": PRICE_MAX + 1},
        {"stock": None},
        {"stock": -1},
        {"stock": STOCK_MAX + 1},
    ],
)
def test_a_product_that_is_none(shop, wrong):
    refused = create(shop, **wrong)
    assert (refused.status, refused.error) == (400, "BAD_PARAMETER")
    assert shop.sql("select count(*) from orders.products") == [(0,)]


def test_the_largest_product(shop):
    largest = str(2**63 - 1)  # beyond 2^53 as text, both ways
    assert create(shop, largest, price=PRICE_MAX, stock=STOCK_MAX).data["id"] == largest


def test_an_id_is_given_once(shop):
    create(shop)
    again = create(shop, name="another")
    assert (again.status, again.error) == (409, "PRODUCT_EXISTS")
    assert shop.client("order").get("/products/1").data["name"] == "product 1"


CALLS = [
    ("POST", "restock", {"quantity": 1}),
    ("POST", "stop", None),
    ("POST", "sell", None),
    ("PUT", "price", {"price": 1}),
]


@pytest.mark.parametrize(("method", "call", "body"), CALLS)
def test_a_product_that_is_not_there(shop, method, call, body):
    for product_id, status, error in ((1, 404, "PRODUCT_NOT_FOUND"), ("x", 400, "BAD_PARAMETER")):
        refused = shop.admin("order").call(method, f"/admin/products/{product_id}/{call}", body)
        assert (refused.status, refused.error) == (status, error)
        for path in (f"/products/{product_id}", f"/admin/products/{product_id}"):
            refused = shop.admin("order").get(path)
            assert (refused.status, refused.error) == (status, error)


@pytest.mark.parametrize(("method", "call", "body"), [*CALLS, ("GET", "", None)])
def test_the_operator_has_a_key(shop, method, call, body):
    create(shop)
    refused = shop.client("order").call(method, f"/admin/products/1/{call}".rstrip("/"), body)
    assert (refused.status, refused.error) == (401, "UNAUTHORIZED")
    assert shop.client("order").post("/admin/products", {}).status == 401


def test_stopped_and_sold_again(shop):
    create(shop)
    admin, everyone = shop.admin("order"), shop.client("order")
    for call, status in (("stop", "STOPPED"), ("stop", "STOPPED"), ("sell", "SELLING")):
        assert admin.post(f"/admin/products/1/{call}").data["status"] == status
        assert everyone.get("/products/1").data["status"] == status


@pytest.mark.parametrize("price", [None, -1, 0.5, "x", PRICE_MAX + 1])
def test_a_price_that_is_none(shop, price):
    create(shop)
    refused = shop.admin("order").put("/admin/products/1/price", {"price": price})
    assert (refused.status, refused.error) == (400, "BAD_PARAMETER")
    assert shop.client("order").get("/products/1").data["price"] == 1000


# --- restocking -------------------------------------------------------------------------


def test_restocked(shop):
    create(shop)
    first, second = restock(shop, 5), restock(shop, STOCK_MAX)
    assert (first.data["stock"], first.data["supplied"]) == (15, 15)
    assert (second.data["stock"], second.data["supplied"]) == (STOCK_MAX + 15,) * 2
    check_truths(shop)


def test_restocked_once_for_each_key(shop):
    create(shop)
    create(shop, 2)
    assert restock(shop, 5, key="k").data["stock"] == 15
    again = restock(shop, 5, key="k")
    assert again.data["stock"] == 15
    assert again.headers["idempotent-replayed"] == "true"
    other = restock(shop, 6, key="k")
    assert (other.status, other.error) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert restock(shop, 6, product_id=2, key="k").data["stock"] == 16
    assert restock(shop, 5, product_id=3, key="k").error == "PRODUCT_NOT_FOUND"
    assert restock(shop, 5, key="").error == "BAD_PARAMETER"
    check_truths(shop)


@pytest.mark.parametrize("quantity", [None, 0, -1, 1.5, "x", STOCK_MAX + 1])
def test_a_quantity_that_is_none(shop, quantity):
    create(shop)
    refused = restock(shop, quantity)
    assert (refused.status, refused.error) == (400, "BAD_PARAMETER")
    assert shop.client("order").get("/products/1").data["stock"] == 10


# --- what is sold most ------------------------------------------------------------------


def day(ago):
    return datetime.now(UTC).date() - timedelta(days=ago)


def sold(world, product_id, *pieces, redis=True):
    """So many pieces today, yesterday, …; in PostgreSQL, and in Redis if it should be."""
    for ago, count in enumerate(pieces):
        world.sql(
            "insert into orders.daily_sales values (%s, %s, %s)", [day(ago), product_id, count]
        )
        if redis:
            key = f"rank:sell:{day(ago):%Y%m%d}"
            world.redis_client().zadd(key, {str(product_id): count})


def ranks(world):
    """[(id, sold)], or the status."""
    answer = world.client("order").get("/products/ranks")
    if answer.status != 200:
        return answer.status
    return [(p["id"], p["sold"]) for p in answer.data["products"]]


def refreshes(world, source):
    return world.client("order").metrics()[f'onrush_ranks_refreshes_total{{from="{source}"}}']


def refreshed_from(world, source):
    """Asks, so that there is a reason to refresh."""
    ranks(world)
    return refreshes(world, source) > 0


def expect_refreshed_from(world, source):
    """Asks until it is so; each ask is a reason for one refresh."""
    asks = itertools.count(1)
    wait_until(lambda: next(asks) and refreshed_from(world, source))
    assert refreshes(world, source) < next(asks)


def test_nothing_was_sold(shop):
    assert ranks(shop) == []


@pytest.mark.parametrize(("redis", "source"), [(True, "redis"), (False, "postgresql")])
def test_the_best_of_three_days(shop, redis, source):
    for i in range(1, 21):
        product(shop, i, price=i)
        sold(shop, i, i, 0, 1, 1000 - i, redis=redis)
    sold(shop, 21, 1000, redis=redis)  # no such product
    product(shop, 22)
    sold(shop, 22, 5, 5, 5, redis=redis)
    shop.admin("order").post("/admin/products/20/stop")
    expected = [(19, 20), (18, 19), (17, 18), (16, 17), (15, 16), (22, 15), (14, 15), (13, 14)]
    expected = sorted([*expected, (12, 13), (11, 12)], key=lambda p: (-p[1], p[0]))
    expect_refreshed_from(shop, source)
    assert ranks(shop) == expected
    first = shop.client("order").get("/products/ranks").data["products"][0]
    assert first == {"id": 19, "name": "product 19", "price": 19, "sold": 20}
    check_truths_but_sales(shop)


def check_truths_but_sales(world):
    """These sales have no orders."""
    world.sql("delete from orders.daily_sales")
    check_truths(world)


def test_one_that_is_good_on_one_day_only_counts_on_all(shop):
    """150 products are better yesterday than number 1, which is the best of today."""
    for i in range(1, 152):
        product(shop, i)
        sold(shop, i, *((1000, 1, 1) if i == 1 else (1, 100 + i, 2)))
    expect_refreshed_from(shop, "redis")
    assert ranks(shop)[0] == (1, 1002)


def test_as_many_as_the_setting_says(world):
    world.start("order", ONRUSH_RANKS_COUNT=2)
    for i in range(1, 6):
        product(world, i)
        sold(world, i, i, i, i)
    assert ranks(world) == [(5, 15), (4, 12)]


def test_they_follow_what_is_sold(shop):
    product(shop, 1)
    product(shop, 2)
    sold(shop, 1, 5, 5, 5)
    sold(shop, 2, 4, 4, 4)
    assert ranks(shop) == [(1, 15), (2, 12)]
    shop.redis_client().zadd(f"rank:sell:{day(0):%Y%m%d}", {"2": 9})
    wait_until(lambda: ranks(shop) == [(2, 17), (1, 15)])


def test_a_crowd_is_one_refresh(shop):
    product(shop, 1)
    sold(shop, 1, 1, 1, 1)
    get = b"GET /products/ranks HTTP/1.1\r\nHost: onrush\r\n\r\n"
    answers = crowd(shop.port("order"), [get] * 200, 200)
    assert {status for status, _ in answers} == {200}
    assert {len(body["data"]["products"]) for _, body in answers} == {1}
    assert refreshes(shop, "redis") < 20


def test_a_day_that_redis_lost(shop):
    """What is not all there is not believed."""
    product(shop, 1)
    sold(shop, 1, 5, 6, 7)
    shop.redis_client().delete(f"rank:sell:{day(1):%Y%m%d}")
    assert ranks(shop) == [(1, 18)]
    assert refreshes(shop, "postgresql") == 1


def test_nonsense_in_redis(shop):
    product(shop, 1)
    sold(shop, 1, 5, 6, 7)
    key = f"rank:sell:{day(0):%Y%m%d}"
    shop.redis_client().zadd(key, {"x": 9, "-3": 8, "99999999999999999999": 7})
    assert ranks(shop) == [(1, 18)]
    shop.redis_client().set(key, "not a set")
    shop.expect_error("WRONGTYPE")
    wait_until(lambda: refreshed_from(shop, "postgresql"))
    assert ranks(shop) == [(1, 18)]


def test_stopped_while_they_are_refreshed(shop):
    sold(shop, 1, 5, 6, 7)
    ranks(shop)
    with psycopg.connect(shop.tcp_dsn()) as connection:
        connection.execute("lock table orders.products in access exclusive mode")
        before = refreshes(shop, "redis")
        wait_until(lambda: ranks(shop) == [] and refreshes(shop, "redis") > before)
        shop.stop("order")


def test_redis_dies_and_comes_back(make_world):
    shop = make_world(redis=True)
    shop.start("order")
    product(shop, 1)
    sold(shop, 1, 5, 6, 7)
    assert ranks(shop) == [(1, 18)]
    shop.redis.kill()
    shop.sql("update orders.daily_sales set sold = sold + 1")
    wait_until(lambda: ranks(shop) == [(1, 21)])
    assert refreshes(shop, "postgresql") > 0
    before = refreshes(shop, "redis")
    shop.redis.start()
    for ago in range(3):
        shop.redis_client().zadd(f"rank:sell:{day(ago):%Y%m%d}", {"1": 50})
    wait_until(lambda: ranks(shop) == [(1, 150)])
    assert refreshes(shop, "redis") > before


def test_a_redis_that_hangs(make_world):
    shop = make_world(redis=True)
    shop.start("order")
    product(shop, 1)
    sold(shop, 1, 5, 6, 7)
    shop.redis.pause()
    assert ranks(shop) == [(1, 18)]
    shop.redis.resume()
    assert refreshes(shop, "postgresql") > 0


def test_postgresql_dies(make_world):
    """Names and prices are not in Redis: the last answer stays."""
    shop = make_world(pg=True)
    shop.start("order")
    product(shop, 1)
    sold(shop, 1, 5, 6, 7)
    assert ranks(shop) == [(1, 18)]
    shop.pg.stop()
    wait_until(lambda: refreshed_from(shop, "nowhere"))
    assert ranks(shop) == [(1, 18)]
    shop.pg.start()
    shop.redis_client().zadd(f"rank:sell:{day(0):%Y%m%d}", {"1": 6})
    wait_until(lambda: ranks(shop) == [(1, 19)])


def test_both_die(make_world):
    shop = make_world(pg=True, redis=True)
    shop.start("order")
    product(shop, 1)
    sold(shop, 1, 5, 6, 7)
    assert ranks(shop) == [(1, 18)]
    shop.redis.kill()
    shop.pg.stop()
    wait_until(lambda: refreshed_from(shop, "nowhere"))
    assert ranks(shop) == [(1, 18)]
    shop.stop("order")
    shop.start("order", wait=False)
    wait_until(lambda: answers(shop))
    unknown = shop.client("order").get("/products/ranks")
    assert unknown.status == 503
    assert int(unknown.headers["retry-after"]) >= 1
    shop.pg.start()
    wait_until(lambda: ranks(shop) == [(1, 18)])


def answers(world):
    """The program takes calls, whether it is ready or not."""
    try:
        return world.client("order").get("/healthz").status == 200
    except OSError:
        return False
