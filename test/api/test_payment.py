"""The payment-worker against the real log and database: what becomes of orders, and that no
repetition changes anything.
"""

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from api.coupons import wait_until
from api.kafka_log import Log
from api.orders import (
    GROUP,
    TOPIC,
    account,
    balance,
    check_truths,
    order,
    outbox,
    payment_requested,
    product,
    status,
    stock,
)
from api.rankings import sold, was_told


@pytest.fixture
def log(world):
    return Log(world, TOPIC, GROUP)


def pay(log, *orders):
    """Asks for the payment of these orders and waits until it was decided."""
    log.write(*(payment_requested(o) for o in orders))
    wait_until(log.is_settled)


def today():
    return datetime.now(UTC).strftime("%Y%m%d")


def test_an_order_is_paid(world, log):
    account(world, 1, 10000)
    product(world, 1, price=1500, stock=10)
    product(world, 2, price=100, stock=10)
    bought = order(world, 1, {2: 3, 1: 2}, discount=300)
    world.start("payment-worker")
    pay(log, bought)
    assert status(world, bought) == ("COMPLETED", None)
    assert balance(world, 1) == 10000 - 3000
    assert (stock(world, 1), stock(world, 2)) == (8, 7)
    paid = world.sql(
        "select debit, credit, amount, balance, order_id from orders.transfers"
        " where kind = 'PAYMENT'"
    )
    assert paid == [(1, -1, 3000, 7000, bought)]
    check_truths(world)


def test_what_others_are_told(world, log):
    """One row for each topic, with the facts of the batch in its order."""
    account(world, 1, 5000)
    product(world, 1, price=1000, stock=5)
    orders = [order(world, 1, {1: n}) for n in (3, 9, 1)]
    world.start("payment-worker")
    pay(log, *orders)
    completed, failed = outbox(world, "ORDER_COMPLETED"), outbox(world, "ORDER_FAILED")
    assert [r["key"] for r in completed] == [str(orders[0]), str(orders[2])]
    assert [r["key"] for r in failed] == [str(orders[1])]
    fact = completed[0]["value"]
    assert fact["type"] == "ORDER_COMPLETED"
    assert fact["payload"] == {
        "orderId": orders[0],
        "userId": 1,
        "amount": 3000,
        "discount": 0,
        "totalAmount": 3000,
        "lines": [{"id": 1, "quantity": 3, "price": 1000}],
    }
    assert failed[0]["value"]["payload"]["reason"] == "INSUFFICIENT_BALANCE"
    assert len({r["value"]["eventId"] for r in completed + failed}) == 3
    assert outbox(world, "COUPON_USES") == []


def test_refusals(world, log):
    past, future = (datetime.now(UTC) + timedelta(seconds=s) for s in (-1, 60))
    account(world, 1, 2500)
    product(world, 1, stock=3)
    product(world, 2, price=0, stock=1)
    coupon = {"coupon_id": 7, "coupon_rank": 1, "discount": 500}
    expired = order(world, 1, {1: 1}, coupon_expires_at=past, **coupon)
    dear = order(world, 1, {1: 3})
    scarce = order(world, 1, {2: 2})
    stranger = order(world, 99, {2: 1})
    fine = order(world, 1, {1: 2}, coupon_expires_at=future, **coupon)
    world.start("payment-worker")
    pay(log, expired, dear, scarce, stranger, fine)
    assert status(world, expired) == ("FAILED", "COUPON_EXPIRED")
    assert status(world, dear) == ("FAILED", "INSUFFICIENT_BALANCE")
    assert status(world, scarce) == ("FAILED", "OUT_OF_STOCK")
    assert status(world, stranger) == ("FAILED", "USER_NOT_FOUND")
    assert status(world, fine) == ("COMPLETED", None)
    assert balance(world, 1) == 1000
    assert outbox(world, "COUPON_USES") == [
        {"orderId": expired, "state": "RELEASED"},
        {"orderId": fine, "state": "USED"},
    ]
    check_truths(world)


def test_an_order_that_costs_nothing(world, log):
    account(world, 1, 0)
    product(world, 1, price=0, stock=2)
    free = order(world, 1, {1: 1})
    world.start("payment-worker")
    pay(log, free)
    assert status(world, free) == ("COMPLETED", None)
    assert world.sql("select * from orders.transfers") == []
    check_truths(world)


def test_each_order_is_settled_once(world, log):
    """The same event many times: in one batch, later, and from the beginning."""
    account(world, 1, 100_000)
    product(world, 1, stock=50)
    orders = [order(world, 1, {1: 1}) for _ in range(60)]
    world.start("payment-worker", ONRUSH_INSTANCE="")
    events = [payment_requested(o) for o in orders]
    log.write(*events, *events)
    wait_until(log.is_settled)
    log.write(*events)
    wait_until(log.is_settled)
    world.stop("payment-worker")
    log.rewind()
    world.start("payment-worker", ONRUSH_INSTANCE="")
    wait_until(log.is_settled)
    assert [status(world, o)[0] for o in orders] == ["COMPLETED"] * 50 + ["FAILED"] * 10
    assert balance(world, 1) == 50_000
    assert len(outbox(world, "ORDER_COMPLETED")) == 50
    assert len(outbox(world, "ORDER_FAILED")) == 10
    check_truths(world)


def test_three_workers_on_the_same_product_and_users(world, log):
    """More is asked for than there is: not one piece and not one won too much."""
    users = range(1, 31)
    for user in users:
        account(world, user, 10_000)
    product(world, 1, stock=100)
    product(world, 2, price=3000, stock=1000)
    orders = [
        (order(world, user, {1: 1} if i % 2 else {2: 1, 1: 1}), user)
        for i in range(8)
        for user in users
    ]
    world.start("payment-worker-0", "payment-worker-1", "payment-worker-2")
    log.write_keyed((str(user), payment_requested(o, user)) for o, user in orders)
    wait_until(log.is_settled, 30)
    assert world.sql("select count(*) from orders.orders where status = 'PENDING'") == [(0,)]
    assert stock(world, 1) == 0
    check_truths(world)


def test_what_is_not_a_payment_is_put_aside(world, log):
    world.expect_error("put aside")
    account(world, 1, 10_000)
    product(world, 1)
    first, last = order(world, 1, {1: 1}), order(world, 1, {1: 1})
    garbage = [
        b"",
        b"{}",
        payment_requested(first, kind="SOMETHING_ELSE").encode(),
        payment_requested(-1).encode(),
        payment_requested("1; drop table orders").encode(),
    ]
    world.start("payment-worker")
    log.write(payment_requested(first), *garbage, payment_requested(last))
    wait_until(log.is_settled)
    assert status(world, first) == status(world, last) == ("COMPLETED", None)
    found = log.dead_letters()
    assert [value or b"" for value, _ in found] == garbage
    assert {h["dlq-error"] for _, h in found} == {"UNDECODABLE"}


def test_an_order_that_does_not_exist_holds_nobody_up(world, log):
    account(world, 1, 10_000)
    product(world, 1)
    real = order(world, 1, {1: 1})
    world.start("payment-worker")
    pay(log, 10**12, real)
    assert status(world, real) == ("COMPLETED", None)
    metrics = world.client("payment-worker").metrics()
    assert metrics['onrush_payments_total{outcome="ORDER_NOT_FOUND"}'] == 1
    assert metrics['onrush_payments_total{outcome="OK"}'] == 1


def test_what_the_database_refuses_is_put_aside_after_five_attempts(world, log):
    """Its neighbours are paid all the same, and it can be replayed when it is mended."""
    world.expect_error("put aside")
    account(world, 1, 10_000)
    account(world, 666, 10_000)
    product(world, 1)
    good, sick, fine = (order(world, user, {1: 1}) for user in (1, 666, 1))
    world.sql(
        "alter table orders.balances add constraint sick check (user_id <> 666 or amount = 10000)"
    )
    world.start("payment-worker")
    log.write(*(payment_requested(o) for o in (good, sick, fine)))
    wait_until(log.is_settled, 30)
    assert status(world, good) == status(world, fine) == ("COMPLETED", None)
    assert status(world, sick) == ("PENDING", None)
    ((_, headers),) = log.dead_letters()
    assert headers["dlq-error"] == "INTERNAL"
    assert int(headers["dlq-attempts"]) >= 4
    check_truths(world)
    world.sql("alter table orders.balances drop constraint sick")
    world.onrush("dlq", "replay", TOPIC, "--all")
    wait_until(lambda: status(world, sick) == ("COMPLETED", None))
    check_truths(world)


def test_payments_wait_while_the_database_is_away(make_world):
    world = make_world(pg=True)
    world.expect_error(r"connection|terminat|database|PostgreSQL")
    log = Log(world, TOPIC, GROUP)
    account(world, 1, 100_000)
    product(world, 1, stock=100)
    orders = [order(world, 1, {1: 1}) for _ in range(20)]
    world.start("payment-worker")
    world.pg.kill()
    log.write(*map(payment_requested, orders))
    wait_until(
        lambda: world.client("payment-worker").metrics()["onrush_consumer_retries_total"] > 0
    )
    assert not log.is_settled()
    world.pg.start()
    wait_until(log.is_settled, 60)
    assert {status(world, o) for o in orders} == {("COMPLETED", None)}
    assert log.dead_letters() == []
    check_truths(world)


def test_an_order_that_somebody_holds_is_waited_for(world, log):
    """A lock that is held longer than one waits for: the batch comes again."""
    account(world, 1, 10_000)
    product(world, 1)
    held = order(world, 1, {1: 1})
    world.start("payment-worker")
    with psycopg.connect(world.pg.dsn("onrush", world.database)) as other:
        other.execute("select 1 from orders.products for update")
        log.write(payment_requested(held))
        wait_until(
            lambda: world.client("payment-worker").metrics()["onrush_consumer_retries_total"] > 0
        )
        assert status(world, held) == ("PENDING", None)
    wait_until(log.is_settled, 30)
    assert status(world, held) == ("COMPLETED", None)


def test_rankings_hold_the_totals_of_the_day(world, log):
    account(world, 1, 10**6)
    product(world, 1, stock=500)
    product(world, 2, stock=500)
    orders = [order(world, 1, {1: 2, 2: 5}), order(world, 1, {1: 1})]
    world.start("payment-worker")
    pay(log, *orders)
    day = today()
    assert sold(world) == {(day, 1): 3, (day, 2): 5}

    def sells(besides=()):
        pay(log, order(world, 1, {1: 1, 2: 1}))
        return was_told(world, besides)

    if not was_told(world):
        wait_until(sells)
    key = f"rank:sell:{day}"
    redis = world.redis_client()
    assert 4 * 86400 - 60 < redis.ttl(key) <= 5 * 86400
    # What arrives late never lowers a total.
    redis.zadd(key, {"1": 1000})
    wait_until(lambda: sells({(day, 1): 1000}))


def test_rankings_are_not_needed(make_world):
    world = make_world(redis=True)
    log = Log(world, TOPIC, GROUP)
    account(world, 1, 100_000)
    product(world, 1, stock=50)
    world.start("payment-worker")
    world.redis.kill()
    bought = order(world, 1, {1: 1})
    pay(log, bought)
    assert status(world, bought) == ("COMPLETED", None)
    check_truths(world)


def test_events_of_the_service_and_of_others_read_the_same(world, log):
    """Ids beyond 2^53 are decimal text, as everywhere."""
    account(world, 2**60, 10_000)
    product(world, 1)
    bought = order(world, 2**60, {1: 1})
    event = json.loads(payment_requested(bought, str(2**60)))
    world.start("payment-worker")
    log.write(json.dumps(event | {"unknown": {"member": [1]}}))
    wait_until(log.is_settled)
    assert status(world, bought) == ("COMPLETED", None)
    assert outbox(world, "ORDER_COMPLETED")[0]["value"]["payload"]["userId"] == str(2**60)
