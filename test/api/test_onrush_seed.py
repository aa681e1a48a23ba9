"""onrush seed: demo data that is there once, and may begin anew."""

import time

from api.coupons import PROGRAMS, ask, issued, wait_until
from api.orders import account, balance, check_truths, product, stock

DEMO = [1, 8, 9, 10, 11, 12, 13, 20, 21]


def campaigns(world):
    return world.sql("select * from coupon.campaigns order by coupon_id")


def generation(world, coupon_id):
    return world.sql("select generation from coupon.campaigns where coupon_id = %s", [coupon_id])


def test_what_is_there(world):
    assert world.onrush("seed").stdout.count("created") == len(DEMO)
    rows = world.sql(
        "select coupon_id, kind, quantity, state, extract(days from expires_at - now())::int"
        " from coupon.campaigns order by coupon_id"
    )
    assert [row[0] for row in rows] == DEMO
    assert rows[0] == (1, "LIMITED", 10000, "PUBLISHABLE", 6)
    assert rows[7] == (20, "LIMITED", 1000, "PUBLISHABLE", 6)
    assert rows[8][1:4] == ("UNLIMITED", None, "PUBLISHABLE")
    (rate,) = world.sql("select discount_rate::float from coupon.campaigns where coupon_id = 1")[0]
    assert rate == 0.3
    redis = world.redis_client()
    assert [redis.get(f"coupon_avaliable:{id}") for id in DEMO] == ["true"] * len(DEMO)
    assert 6 * 86400 < redis.ttl("coupon_avaliable:1") < 9 * 86400


def test_twice_is_once(world):
    world.onrush("seed")
    before = campaigns(world)
    world.redis_client().set("coupon_avaliable:8", "false")
    assert "created" not in world.onrush("seed").stdout
    assert campaigns(world) == before
    assert world.redis_client().get("coupon_avaliable:8") == "false"


def test_what_is_over_gets_a_new_time(world):
    world.onrush("seed")
    world.sql(
        "update coupon.campaigns set opens_at = now() - interval '1 hour',"
        " closes_at = now() - interval '1 minute', issued = 7 where coupon_id = 21"
    )
    untouched = campaigns(world)[:-1]
    assert "coupon 21: its time was over; renewed" in world.onrush("seed").stdout
    rows = world.sql(
        "select closes_at > now() + interval '4 minutes', opens_at <= now(), issued"
        " from coupon.campaigns where coupon_id = 21"
    )
    assert rows == [(True, True, 7)]
    assert campaigns(world)[:-1] == untouched


def test_reset_under_load_begins_anew(world):
    world.onrush("seed")
    world.start(*PROGRAMS)
    for user in range(1, 31):
        assert ask(world, user, 20).status == 200
    world.sql("insert into coupon.uses values (20, 1, 1, 7)")
    old = generation(world, 20)
    assert "coupon 20: begins anew" in world.onrush("seed", "--reset", 20).stdout
    assert generation(world, 20) != old
    assert issued(world, 20) == []
    for table in ("heads", "refusals", "uses", "outbox"):
        assert world.sql(f"select 1 from coupon.{table} where coupon_id = 20") == []
    # The programs have noticed when a user who had one may have one again.
    began = time.monotonic()
    wait_until(lambda: ask(world, 1, 20).status == 200)
    assert time.monotonic() - began < 1
    assert issued(world, 20) == [(1, 1)]
    world.onrush("verify", 20)


def test_a_sold_out_campaign_sells_again_after_a_reset(world):
    world.onrush("seed")
    world.start(*PROGRAMS)
    world.sql("update coupon.campaigns set quantity = 2, version = version + 1 where coupon_id = 1")
    wait_until(lambda: ask(world, int(time.monotonic() * 1e6), 1).status == 409)
    world.onrush("seed", "--reset", 1)
    wait_until(lambda: ask(world, 5, 1).status == 200)
    assert world.sql("select quantity from coupon.campaigns where coupon_id = 1") == [(10000,)]
    world.onrush("verify", 1)


def test_what_others_made_is_left_alone(world):
    world.sql(
        "insert into coupon.campaigns (coupon_id, name, kind, quantity, discount_rate, expires_at)"
        " values (8, 'mine', 'LIMITED', 5, 0, now() - interval '1 day')"
    )
    world.onrush("seed")
    mine = world.sql("select * from coupon.campaigns where coupon_id = 8")
    refused = world.onrush("seed", "--reset", check=False)
    assert refused.returncode == 1
    assert "coupon 8 was not made by onrush seed" in refused.stderr
    assert world.sql("select * from coupon.campaigns where coupon_id = 8") == mine
    refused = world.onrush("seed", "--reset", 99, check=False)
    assert refused.returncode == 1
    assert world.onrush("seed", 1, check=False).returncode == 2


def test_without_redis(world):
    done = world.onrush("seed", ONRUSH_REDIS_URL="redis://127.0.0.1:1")
    assert "Redis (ONRUSH_REDIS_URL) is not reachable" in done.stderr
    assert len(campaigns(world)) == len(DEMO)
    assert world.onrush("seed", ONRUSH_REDIS_URL="").stderr == ""


# --- the shop ---------------------------------------------------------------------------


def shop(world):
    """Everything but what changes by itself."""
    return [
        world.sql(f"select * from orders.{table} order by 1, 2")
        for table in ("products", "balances", "transfers", "daily_sales")
    ]


def check_truths_but_sales(world):
    """The demo's sales have no orders."""
    world.sql("delete from orders.daily_sales")
    check_truths(world)


def test_a_shop_is_there(world):
    printed = world.onrush("seed").stdout
    assert "products 1 to 10000: 10000 put in" in printed
    assert "accounts 1 to 10000: 10000 put in" in printed
    products = world.sql(
        "select count(*), min(price), max(price), min(stock), max(supplied),"
        " count(distinct name) from orders.products"
    )
    assert products == [(10000, 1000, 1000, 1000, 1000, 10000)]
    accounts = "select count(*), min(amount), max(amount) from orders.balances"
    assert world.sql(accounts) == [(10000, 1_000_000, 1_000_000)]
    world.start("order")
    ranks = world.client("order").get("/products/ranks").data["products"]
    assert [p["id"] for p in ranks] == list(range(1, 11))
    asked = world.client("order").metrics()
    assert asked['onrush_ranks_refreshes_total{from="redis"}'] == 1
    check_truths_but_sales(world)


def test_a_shop_twice_is_once(world):
    world.onrush("seed")
    world.sql("update orders.balances set amount = 5 where user_id = 3")
    world.sql("update orders.products set stock = 7, price = 9 where product_id = 3")
    before = shop(world)
    printed = world.onrush("seed").stdout
    assert "products 1 to 10000: are there" in printed
    assert "accounts 1 to 10000: are there" in printed
    assert shop(world) == before


def test_a_reset_refills_and_keeps_the_books(world):
    account(world, 9, 5)
    product(world, 9, stock=3)
    world.onrush("seed")
    world.sql("update orders.balances set amount = amount - 400 where user_id = 3")
    world.sql(
        "insert into orders.transfers (transfer_id, debit, credit, amount, kind, balance)"
        " values (gen_random_uuid(), 3, -1, 400, 'PAYMENT', 999600)"
    )
    world.sql("update orders.products set supplied = 995, stock = 995 where product_id = 3")
    before = shop(world)
    world.onrush("seed", "--reset", 20)
    assert shop(world) == before
    printed = world.onrush("seed", "--reset").stdout
    assert "products 1 to 10000: 1 refilled" in printed
    assert "accounts 1 to 10000: 1 refilled" in printed
    assert (balance(world, 3), stock(world, 3)) == (1_000_000, 1000)
    assert (balance(world, 9), stock(world, 9)) == (5, 3), "not of the demo"
    check_truths_but_sales(world)
