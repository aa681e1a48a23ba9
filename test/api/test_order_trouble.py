"""Orders while something is under way, away or mistaken: keys in use, a coupon service that
talks nonsense, Kafka and PostgreSQL that do not answer.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from api.coupons import wait_until
from api.fake_service import FakeService, response
from api.orders import account, balance, check_truths, order, product, status
from api.patience import insist, refused_meanwhile

# What is told of a request that waited for too long; the second on a busy machine.
GIVEN_UP = ("TRY_AGAIN", "OUTCOME_UNKNOWN")


def buy(world, key=None, **more):
    body = {"userId": 1, "products": [{"id": 1, "quantity": 1}]} | more
    headers = {"Idempotency-Key": key} if key else {}
    return world.client("order").post("/orders", body, headers=headers)


def cancel(world, order_id, key):
    return world.client("order").post(
        f"/orders/{order_id}/cancel", {}, headers={"Idempotency-Key": key}
    )


@contextmanager
def holding(world, statement):
    """Holds the locks that a statement takes."""
    with psycopg.connect(world.pg.dsn("onrush", world.database)) as connection:
        connection.execute(statement)
        yield
        connection.rollback()


def is_waiting(world):
    return world.sql("select count(*) from pg_locks where not granted") != [(0,)]


def shop(world):
    account(world, 1, 100_000)
    product(world, 1)
    return world


# --- keys whose request is under way ----------------------------------------------------------


def test_a_key_whose_order_is_being_written(world):
    shop(world).start("order")
    with ThreadPoolExecutor() as pool:
        with holding(world, "lock table orders.orders in exclusive mode"):
            first = pool.submit(insist, buy, world, "k")
            refused_meanwhile(lambda: is_waiting(world), buy, world, "k")
        assert first.result().status == 200
    last = buy(world, "k")
    assert (last.data, last.headers["idempotent-replayed"]) == (first.result().data, "true")
    assert world.sql("select count(*) from orders.orders") == [(1,)]


def test_a_key_whose_order_is_being_cancelled(world):
    shop(world).start("order")
    order_id = order(world, 1, {1: 1})
    with ThreadPoolExecutor() as pool:
        with holding(world, "select from orders.orders for update"):
            first = pool.submit(insist, cancel, world, order_id, "k")
            refused_meanwhile(lambda: is_waiting(world), cancel, world, order_id, "k")
        assert first.result().status == 200
    last = cancel(world, order_id, "k")
    assert (last.data, last.headers["idempotent-replayed"]) == (first.result().data, "true")
    check_truths(world)


def test_a_key_is_free_again_when_its_request_was_given_up(world):
    shop(world).start("order")
    order_id = order(world, 1, {1: 1})
    with holding(world, "select from orders.orders for update"):
        assert cancel(world, order_id, "k").error in GIVEN_UP
    wait_until(lambda: cancel(world, order_id, "k").status == 200)
    assert status(world, order_id) == ("CANCELLED", None)
    check_truths(world)


# --- the coupon service -----------------------------------------------------------------------


def said(status, **content):
    """A behaviour of the coupon service: it always says this."""
    body = json.dumps({"code": status} | content).encode()
    return lambda _: response(status, body, [("Content-Type", "application/json")])


GOOD = {"rank": 3, "discountRateThousandths": 500, "expiresAt": "2030-01-01T00:00:00Z"}

ANSWERS = {
    "refusal": (said(409, error="COUPON_EXPIRED"), 409, "COUPON_EXPIRED"),
    "refusal that is none of coupons": (said(409, error="SEAT_TAKEN"), 503, None),
    "refusal without a code": (said(404), 503, None),
    "trouble": (said(503, error="COUPON_EXPIRED"), 503, None),
    "no JSON": (lambda _: response(200, b"oops"), 502, None),
    "no data": (said(200), 502, None),
    "no rank": (said(200, data=GOOD | {"rank": None}), 502, None),
    "more than all of it off": (
        said(200, data=GOOD | {"discountRateThousandths": 1001}),
        502,
        None,
    ),
    "no time": (said(200, data=GOOD | {"expiresAt": "soon"}), 502, None),
}


@pytest.mark.parametrize(("behave", "code", "error"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_the_coupon_service_may_say(world, behave, code, error):
    shop(world)
    with FakeService(world.port("coupon"), behave):
        world.start("order")
        if code == 502:
            world.expect_error("cannot be understood")
        answer = buy(world, couponId=7)
        assert answer.status == code
        assert error in (None, answer.error)
        assert world.sql("select count(*) from orders.orders") == [(0,)]
        assert buy(world).status == 200


def test_a_repeated_key_reserves_for_the_same_order(world):
    """A reservation whose order was not written is found again by the next try."""
    shop(world)
    with FakeService(world.port("coupon"), said(200, data=GOOD)) as coupon:
        world.start("order")
        product_is_missing = [{"id": 404, "quantity": 1}]
        refused = [buy(world, "k", couponId=7, products=product_is_missing) for _ in range(2)]
        assert [a.error for a in refused] == ["PRODUCT_NOT_FOUND"] * 2
        taken = buy(world, "k", couponId=7)
        assert (taken.data["amount"], taken.data["discount"]) == (1000, 500)
        asked = [json.loads(r.body)["orderId"] for r in coupon.requests]
    assert set(asked) == {taken.data["orderId"]}


def test_without_a_key_each_try_is_an_order_of_its_own(world):
    shop(world)
    with FakeService(world.port("coupon"), said(409, error="COUPON_USED")) as coupon:
        world.start("order")
        for _ in range(3):
            assert buy(world, couponId=7).error == "COUPON_USED"
        assert len({json.loads(r.body)["orderId"] for r in coupon.requests}) == 3


# --- Kafka and PostgreSQL ---------------------------------------------------------------------


def test_orders_are_taken_while_kafka_is_away(make_world):
    world = shop(make_world(kafka=True))
    world.start("order")
    world.kafka.kill()
    wait_until(lambda: any("no broker" in line["msg"] for line in world.logs("order")))
    taken = buy(world)
    assert taken.status == 200
    assert world.sql("select order_id from orders.unsettled") == [(taken.data["orderId"],)]


def test_the_database_is_away(make_world):
    world = shop(make_world(pg=True))
    world.start("order")
    order_id = buy(world, "k").data["orderId"]
    world.pg.stop()
    wait_until(lambda: buy(world).status == 503)
    answers = [buy(world), buy(world, "k"), buy(world, couponId=7), cancel(world, order_id, "c")]
    assert [a.status for a in answers] == [503] * 4
    assert all(int(a.headers["retry-after"]) >= 1 for a in answers)
    world.pg.start()
    wait_until(lambda: buy(world, "k").status == 200)
    assert buy(world, "k").data["orderId"] == order_id
    assert world.sql("select count(*) from orders.orders where request_hash <> 0") == [(1,)]
    assert balance(world, 1) == 100_000
