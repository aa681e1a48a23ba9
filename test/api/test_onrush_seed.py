"""onrush seed: demo data that is there once, and may begin anew."""

import time

from api.coupons import PROGRAMS, ask, issued, wait_until
from api.lines import patient
from api.orders import account, balance, check_truths, product, stock
from api.seats import check_truths as check_seats
from api.seats import free, hold, pay

DEMO = [1, 8, 9, 10, 11, 12, 13, 20, 21]
STALE_S = 0.2  # longer than a copy of a campaign may refuse


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
    reset = time.monotonic()
    assert generation(world, 20) != old
    assert issued(world, 20) == []
    for table in ("heads", "refusals", "uses", "outbox"):
        assert world.sql(f"select 1 from coupon.{table} where coupon_id = 20") == []
    # The programs have noticed when a user who had one may have one again.
    began = time.monotonic()
    while ask(world, 1, 20).status != 200:
        assert began - reset < STALE_S
        began = time.monotonic()
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
    client = world.client("order")

    def ranks():
        return [p["id"] for p in client.get("/products/ranks").data["products"]]

    def is_from_redis():
        """It may not be there at first, or be slow: then PostgreSQL is asked."""
        ranks()
        return client.metrics()['onrush_ranks_refreshes_total{from="redis"}'] > 0

    wait_until(is_from_redis)
    assert ranks() == list(range(1, 11))
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


# --- concerts and lines -----------------------------------------------------------------


def hall(world):
    """Everything but what reservations change."""
    return [
        world.sql("select * from reservation.concerts order by 1"),
        world.sql("select * from reservation.options order by 1"),
        world.sql("select seat_id, option_id, seat_no, price from reservation.seats order by 1"),
        world.sql("select * from queue.lines order by 1"),
    ]


def test_concerts_are_there(world):
    printed = world.onrush("seed").stdout
    assert "concerts 1 to 100: 10050 seats put in" in printed
    world.start("reservation")
    client = world.client("reservation")
    assert [c["id"] for c in client.get("/concerts").data["concerts"]] == list(range(1, 101))
    for concert in (1, 100):
        dates = client.get(f"/concerts/{concert}/available-dates").data["concerts"]
        assert [date["id"] for date in dates] == [2 * concert - 1, 2 * concert]
    assert free(world, 1) == list(range(1, 101))
    assert free(world, 2) == list(range(101, 151))
    assert free(world, 200) == list(range(19901, 19951))
    assert world.sql("select 1 from reservation.options where starts_at < now()") == []
    before = hall(world)
    assert "concerts 1 to 100: are there" in world.onrush("seed").stdout
    assert hall(world) == before


def test_a_reset_gives_seats_and_money_back(world):
    world.onrush("seed")
    world.start("payment-worker", "reservation")
    world.sql("insert into reservation.concerts values (777, 'mine', 4)")
    world.sql("insert into reservation.options values (777, 777, now())")
    world.sql("insert into reservation.seats values (77777, 777, 1, 10000)")
    mine = hold(world, 9, 77777).data["reservationId"]
    held = hold(world, 7, 1).data["reservationId"]
    paid = [hold(world, 8, seat).data["reservationId"] for seat in (2, 3)]
    for reservation in paid:
        assert pay(world, reservation, 8).status == 200
    owned = "select count(*) from reservation.reservations where status = 'OWNED'"
    wait_until(lambda: world.sql(owned) == [(2,)])
    assert balance(world, 8) == 980_000

    assert "concerts 1 to 100: 3 reservations cancelled" in world.onrush("seed", "--reset").stdout
    states = dict(world.sql("select reservation_id, status from reservation.reservations"))
    assert states == {mine: "HELD", held: "CANCELLED"} | dict.fromkeys(paid, "CANCELLED")
    assert balance(world, 8) == 1_000_000
    wait_until(lambda: free(world, 1) == list(range(1, 101)))
    check_seats(world)
    check_truths_but_sales(world)
    again = hold(world, 7, 2).data["reservationId"]
    assert pay(world, again, 7).status == 200
    wait_until(lambda: world.sql(owned) == [(1,)])
    check_seats(world)


def test_lines_are_there(world):
    assert "line 1 opens in five minutes" in world.onrush("seed").stdout
    world.start("queue")
    client = world.client("queue")
    assert patient(client.post, "/queue/tokens", {"userId": 7}).status == 200
    wait_until(lambda: patient(client.get, "/queue/tokens/status/7").data["status"] == "ACTIVE")
    waiting = patient(client.post, "/queue/tokens", {"userId": 7, "line": 1}).data
    assert waiting["status"] == "WAITING"
    assert waiting["remainingTime"] is None, "its place is decided at the opening"
    before = hall(world)[3]
    assert "lines 0 and 1: are there" in world.onrush("seed").stdout
    settings = "select rate, max_active, mode, version from queue.lines where line_id = "
    assert world.sql(settings + "0") == [(1000, 1_000_000, "fifo", 2)]
    world.admin("queue").call("PUT", "/admin/queue/lines/0", {"rate": 5, "mode": "closed"})
    world.onrush("seed")
    assert world.sql(settings + "0") == [(5, 1_000_000, "closed", 3)]
    assert "nobody lost a place" in world.onrush("seed", "--reset").stdout
    assert world.sql(settings + "0") == [(1000, 1_000_000, "fifo", 4)]
    assert [row[0] for row in before] == [0, 1]


def test_lines_of_others_are_left_alone(world):
    world.sql("update queue.lines set rate = 3, version = version + 1 where line_id = 0")
    world.sql(
        "insert into queue.lines (line_id, name, max_active, active_ms, closes_at, seed)"
        " values (1, 'mine', 5, 1000, now(), sha256('mine'))"
    )
    before = hall(world)[3]
    world.onrush("seed")
    world.onrush("seed", "--reset")
    assert hall(world)[3] == before
