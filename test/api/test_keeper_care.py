"""The keeper: coupons of orders, rankings, old refusals, and what must hold is looked at."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from api.coupons import ask, campaign, instant, wait_until
from api.keepers import metric, tell, told
from api.orders import account, check_truths, order, outbox, product, status, stock

LEDGER = "onrush_check_ledger_difference"
STOCK = "onrush_check_stock_difference"
USES = "onrush_check_coupon_use_difference"


# --- coupons of orders ------------------------------------------------------------------


def shop_with_coupons(world, users=1, **more):
    world.start("coupon-publisher", "coupon")
    campaign(world, **more)
    for user in range(1, users + 1):
        ask(world, user)
    product(world, 1, stock=100)


def reserve(world, order_id, user=1):
    body = {"orderId": order_id, "userId": user, "couponId": 1}
    answer = world.client("coupon").post("/internal/uses", body)
    assert answer.status == 200, answer.body
    return answer.data["rank"]


def reserve_for_next(world, user=1):
    """The coupon's rank; the id of the order that it is reserved for is the next one's."""
    ((order_id,),) = world.sql("select coalesce(max(order_id), 0) + 1 from orders.orders")
    world.sql("select setval('orders.order_ids', %s, false)", [order_id])
    return reserve(world, order_id, user)


def place_with_coupon(world, rank, user=1):
    """A PENDING order whose coupon is reserved. Whoever settles it may come at once."""
    return order(
        world,
        user,
        {1: 1},
        coupon_id=1,
        coupon_rank=rank,
        coupon_expires_at=instant(days=1),
        discount=300,
    )


def order_with_coupon(world, user=1):
    return place_with_coupon(world, reserve_for_next(world, user), user)


def states(world):
    return dict(world.sql("select order_id, state from coupon.uses"))


def age_reservations(world):
    world.sql("update coupon.uses set reserved_at = now() - interval '1 hour'")


def test_a_paid_order_s_coupon_is_used_and_a_failed_one_s_is_free(world):
    shop_with_coupons(world, users=2)
    account(world, 1, 700)
    account(world, 2, 699)
    world.start("payment-worker", "keeper")
    paid, failed = order_with_coupon(world, 1), order_with_coupon(world, 2)
    wait_until(lambda: states(world) == {paid: "USED"})
    assert status(world, failed) == ("FAILED", "INSUFFICIENT_BALANCE")
    wait_until(lambda: world.sql("select count(*) from orders.outbox") == [(0,)])
    check_truths(world)


def test_a_coupon_s_way_through_orders(world):
    """Ordered, paid, cancelled, and ordered again with the same coupon, by the programs."""
    shop_with_coupons(world)
    account(world, 1, 5000)
    world.start("order", "payment-worker", "keeper")
    shop = world.client("order")
    body = {"userId": 1, "products": [{"id": 1, "quantity": 2}], "couponId": 1}
    first = shop.post("/orders", body).data["orderId"]
    wait_until(lambda: states(world) == {first: "USED"})
    assert shop.post("/orders", body).error == "COUPON_USED"
    assert shop.post(f"/orders/{first}/cancel").status == 200
    wait_until(lambda: states(world) == {})
    second = shop.post("/orders", body).data
    assert (second["amount"], second["totalAmount"]) == (2000, 1400)
    wait_until(lambda: states(world) == {second["orderId"]: "USED"})
    wait_until(lambda: told(world, "ORDER_CANCELLED") == [first])
    both = [first, second["orderId"]]
    wait_until(lambda: sorted(told(world, "ORDER_COMPLETED")) == both)
    check_truths(world)


def test_uses_wait_for_the_coupon_service(world):
    shop_with_coupons(world)
    account(world, 1, 700)
    paid = order_with_coupon(world)
    world.stop("coupon")
    world.start("payment-worker", "keeper")
    wait_until(lambda: status(world, paid) == ("COMPLETED", None))
    wait_until(lambda: metric(world, 'onrush_keeper_failures_total{job="coupon uses"}') > 0)
    wait_until(lambda: told(world, "ORDER_COMPLETED") == [paid])
    assert states(world) == {paid: "RESERVED"}
    world.start("coupon")
    wait_until(lambda: states(world) == {paid: "USED"})
    wait_until(lambda: world.sql("select count(*) from orders.outbox") == [(0,)])


def test_a_reservation_without_an_order_is_given_back(world):
    shop_with_coupons(world)
    reserve(world, 77)
    age_reservations(world)
    world.start("keeper")
    wait_until(lambda: states(world) == {})
    assert status(world, 77) == ("FAILED", "ORDER_ABANDONED")
    assert metric(world, "onrush_keeper_abandoned_total") == 1
    check_truths(world)
    with pytest.raises(psycopg.errors.UniqueViolation):
        world.sql(
            "insert into orders.orders (order_id, user_id, request_id, request_hash, amount)"
            " values (77, 1, gen_random_uuid(), 0, 1000)"
        )
    assert reserve(world, 78) == 1


def test_what_is_young_or_pending_stays_reserved(world):
    shop_with_coupons(world, users=3)
    account(world, 2, 5000)
    pending = order_with_coupon(world, 2)
    # A keeper settles what is due while it has not met Kafka yet.
    world.sql("update orders.unsettled set due_at = now() + interval '1 hour'")
    abandoned = pending + 2
    reserve(world, abandoned, 3)
    age_reservations(world)
    reserve(world, pending + 1, 1)
    world.start("keeper")
    wait_until(lambda: abandoned not in states(world))
    assert states(world) == {pending: "RESERVED", pending + 1: "RESERVED"}


def test_a_reservation_that_outlived_its_order(world):
    """Taken again by a request that was under way when the order ended."""
    shop_with_coupons(world, users=2)
    account(world, 1, 5000)
    ended, paid = order_with_coupon(world, 1), order_with_coupon(world, 2)
    world.sql("delete from orders.unsettled")
    world.sql(
        "update orders.orders set status = 'FAILED', reason = 'OUT_OF_STOCK',"
        " settled_at = now() where order_id = %s",
        [ended],
    )
    world.sql(
        "update orders.orders set status = 'COMPLETED', settled_at = now() where order_id = %s",
        [paid],
    )
    age_reservations(world)
    world.start("keeper")
    wait_until(lambda: states(world) == {paid: "USED"})
    assert status(world, ended) == ("FAILED", "OUT_OF_STOCK")


# --- rankings ---------------------------------------------------------------------------


def day(ago=0):
    return (datetime.now(UTC) - timedelta(days=ago)).date()


def sold(world, **pieces):
    """sold(world, p7=3) today; a list gives today, yesterday and the day before."""
    for name, numbers in pieces.items():
        for ago, n in enumerate(numbers if isinstance(numbers, list) else [numbers]):
            world.sql(
                "insert into orders.daily_sales values (%s, %s, %s)", [day(ago), int(name[1:]), n]
            )


def ranking(world, ago=0):
    found = world.redis_client().zrange(f"rank:sell:{day(ago):%Y%m%d}", 0, -1, withscores=True)
    return {int(member): int(score) for member, score in found}


def test_rankings_come_back_after_redis_lost_them(make_world):
    world = make_world(redis=True)
    sold(world, p1=[5, 50, 500], p2=[7, 70, 700])
    expected = [{1: 5, 2: 7}, {1: 50, 2: 70}, {1: 500, 2: 700}]
    world.start("keeper")

    def whole():
        return [ranking(world, ago) for ago in range(3)] == expected

    wait_until(whole)
    world.redis_client().flushall()
    # A sale of an hour ago, cancelled now, brings yesterday back with one product.
    world.redis_client().zadd(f"rank:sell:{day(1):%Y%m%d}", {"1": 50})
    wait_until(whole)
    key = f"rank:sell:{day(2):%Y%m%d}"
    wait_until(lambda: 0 < world.redis_client().ttl(key) <= 3 * 86400)


def test_todays_ranking_is_made_exact(world):
    sold(world, p1=5)
    world.start("keeper")
    wait_until(lambda: ranking(world) == {1: 5})
    world.sql("update orders.daily_sales set sold = 3")
    wait_until(lambda: ranking(world) == {1: 3}, 20)


def test_many_products_sold(world):
    world.sql(
        "insert into orders.daily_sales select %s, i, i from generate_series(1, 2500) i", [day()]
    )
    world.start("keeper")
    wait_until(lambda: len(ranking(world)) == 2500)


def test_without_redis_the_rest_goes_on(make_world):
    world = make_world(redis=True)
    world.redis.kill()
    world.start("keeper")
    tell(world, "ORDER_FAILED", 1)
    wait_until(lambda: outbox(world, "ORDER_FAILED") == [])
    wait_until(lambda: metric(world, 'onrush_keeper_failures_total{job="missing rankings"}') > 0)
    sold(world, p1=5)
    world.redis.start()
    wait_until(lambda: ranking(world) == {1: 5})


# --- refusals ---------------------------------------------------------------------------


def test_old_refusals_are_purged(world):
    world.sql(
        "insert into coupon.refusals select gen_random_uuid(), 1, i, 'COUPON_SOLD_OUT',"
        " now() - interval '25 hours' from generate_series(1, 12000) i"
    )
    world.sql(
        "insert into coupon.refusals select gen_random_uuid(), 1, i, 'COUPON_SOLD_OUT',"
        " now() - interval '23 hours' from generate_series(1, 100) i"
    )
    world.start("keeper")
    wait_until(lambda: world.sql("select count(*) from coupon.refusals") == [(100,)])


# --- checks -----------------------------------------------------------------------------


@pytest.fixture
def checked(world):
    """A shop with a paid order, and a keeper that checks often."""
    shop_with_coupons(world)
    account(world, 1, 5000)
    world.start("payment-worker")
    world.start("keeper", ONRUSH_CHECK_MS=100)
    paid = order_with_coupon(world)
    wait_until(lambda: states(world) == {paid: "USED"})
    world.paid = paid
    checked_anew(world)
    assert [metric(world, name) for name in (LEDGER, STOCK, USES)] == [0, 0, 0]
    return world


def checked_anew(world):
    """A round of checks that began after now is over."""
    before = world.client("keeper").metrics()['onrush_keeper_runs_total{job="checks"}']
    wait_until(lambda: metric(world, 'onrush_keeper_runs_total{job="checks"}') >= before + 2)


TAMPERED = {
    "a balance": (
        "update orders.balances set amount = amount + 3",
        LEDGER,
        3,
        "update orders.balances set amount = amount - 3",
    ),
    "a transfer": (
        "update orders.transfers set amount = amount - 1 where kind = 'PAYMENT'",
        LEDGER,
        1,
        "update orders.transfers set amount = amount + 1 where kind = 'PAYMENT'",
    ),
    "money that moves between users": (
        "insert into orders.balances values (9, 7);"
        "update orders.balances set amount = amount - 7 where user_id = 1",
        LEDGER,
        14,
        "delete from orders.balances where user_id = 9;"
        "update orders.balances set amount = amount + 7 where user_id = 1",
    ),
    "stock": (
        "update orders.products set stock = stock - 2",
        STOCK,
        2,
        "update orders.products set stock = stock + 2",
    ),
    "a line": (
        "update orders.lines set quantity = quantity + 4",
        STOCK,
        4,
        "update orders.lines set quantity = quantity - 4",
    ),
    "a use": (
        "update coupon.uses set state = 'RESERVED', reserved_at = now() + interval '1 hour'",
        USES,
        1,
        "update coupon.uses set state = 'USED'",
    ),
    "an order's coupon": (
        "update orders.orders set coupon_rank = 9",
        USES,
        1,
        "update orders.orders set coupon_rank = 1",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_check_finds_what_was_tampered_with(checked, what):
    tamper, gauge, difference, mend = TAMPERED[what]
    checked.expect_error(r"see the page on the keeper")
    checked.pg.sql(tamper, database=checked.database)
    wait_until(lambda: metric(checked, gauge) == difference)
    wait_until(
        lambda: any(
            line["level"] == "error" and line["msg"].startswith(f"{difference} ")
            for line in checked.logs("keeper")
        )
    )
    checked.pg.sql(mend, database=checked.database)
    wait_until(lambda: metric(checked, gauge) == 0)
    assert [metric(checked, name) for name in (LEDGER, STOCK, USES)] == [0, 0, 0]


def test_what_is_under_way_is_not_a_difference(checked):
    """The order is paid, the coupon service has not been told: the outbox says so."""
    account(checked, 2, 5000)
    ask(checked, 2)
    rank = reserve_for_next(checked, 2)
    checked.stop("coupon")
    paid = place_with_coupon(checked, rank, 2)
    wait_until(lambda: status(checked, paid) == ("COMPLETED", None))
    checked_anew(checked)
    assert len(outbox(checked, "COUPON_USES")) == 1
    assert metric(checked, USES) == 0


def test_a_copy_that_follows_knows_of_no_difference(checked):
    checked.expect_error(r"see the page on the keeper")
    checked.pg.sql("update orders.products set stock = stock - 2", database=checked.database)
    wait_until(lambda: metric(checked, STOCK) == 2)
    checked.start("keeper-1", ONRUSH_CHECK_MS=100)
    assert metric(checked, STOCK, "keeper-1") == 0
    checked.stop("keeper")
    wait_until(lambda: metric(checked, STOCK, "keeper-1") == 2)


def test_checks_while_orders_are_paid(checked):
    """Never a difference, however much is under way."""
    account(checked, 3, 10**6)
    for _ in range(200):
        order(checked, 3, {1: 1}) if stock(checked, 1) else None
    wait_until(lambda: checked.sql("select count(*) from orders.unsettled") == [(0,)], 30)
    checked_anew(checked)
    assert not [line for line in checked.logs("keeper") if line["level"] == "error"]
    check_truths(checked)
