"""The keeper: one copy works, and what was asked for happens although its event was lost, and
others are told of what happened.
"""

import json
import uuid

import psycopg
import pytest
from api.coupons import ask, campaign, wait_until
from api.keepers import leads, meets_kafka, metric, records, tell, told
from api.orders import account, balance, check_truths, order, outbox, product, status, stock

# --- the leader -------------------------------------------------------------------------


def test_one_of_two_leads(world):
    world.start("keeper", "keeper-1")
    wait_until(lambda: leads(world, "keeper") or leads(world, "keeper-1"))
    assert [leads(world, k) for k in ("keeper", "keeper-1")].count(True) == 1


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_the_other_takes_over(world, end):
    world.start("keeper")
    wait_until(lambda: leads(world, "keeper"))
    world.start("keeper-1")
    getattr(world, end)("keeper")
    wait_until(lambda: leads(world, "keeper-1"))
    tell(world, "ORDER_FAILED", 1)
    wait_until(lambda: outbox(world, "ORDER_FAILED") == [])


def test_who_loses_the_session_works_no_more(world):
    """The lock is taken away and held by somebody else: nothing is done until it is free."""
    world.start("keeper")
    wait_until(lambda: leads(world, "keeper"))
    with psycopg.connect(world.pg.dsn("onrush", world.database), autocommit=True) as other:
        (key,) = other.execute(
            "select objid from pg_locks where locktype = 'advisory' and granted"
        ).fetchone()
        world.pg.sql(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
            f" and objid = {key} and database ="
            f" (select oid from pg_database where datname = '{world.database}')"
        )
        while not other.execute("select pg_try_advisory_lock(%s)", [key]).fetchone()[0]:
            world.pg.sql(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
                f" and objid = {key}"
            )
        wait_until(lambda: not leads(world, "keeper"))
        tell(world, "ORDER_FAILED", 1)
        product(world, 1)
        account(world, 1, 1000)
        bought = order(world, 1, {1: 1})
        wait_until(lambda: any("leads no more" in line["msg"] for line in world.logs("keeper")))
        assert told(world, "ORDER_FAILED") == []
        assert status(world, bought) == ("PENDING", None)
    wait_until(lambda: leads(world, "keeper"))
    wait_until(lambda: outbox(world, "ORDER_FAILED") == [])


# --- payments ---------------------------------------------------------------------------


def test_a_lost_event_is_sent_again(world):
    """The order is there, its event is not: as when the order service died in between."""
    account(world, 1, 5000)
    product(world, 1)
    world.start("payment-worker", "keeper")
    meets_kafka(world)
    bought = [order(world, 1, {1: 1}) for _ in range(3)]
    wait_until(lambda: all(status(world, o) == ("COMPLETED", None) for o in bought))
    completed = 'onrush_payments_total{outcome="OK"}'
    wait_until(lambda: metric(world, completed, "payment-worker") == 3)
    assert metric(world, "onrush_keeper_settled_total") == 0
    check_truths(world)


def test_events_are_sent_later_and_later(world):
    """Without anybody who settles, an order is not asked for again and again."""
    account(world, 1, 5000)
    product(world, 1)
    world.start("keeper")
    meets_kafka(world)
    bought = order(world, 1, {1: 1})
    wait_until(lambda: len(records(world, "PAYMENT_REQUESTED")) >= 2)
    event = records(world, "PAYMENT_REQUESTED")[0]
    ((request_id,),) = world.sql("select request_id from orders.orders")
    assert event["eventId"] == str(request_id)
    assert event["payload"] == {"kind": "ORDER", "orderId": bought, "userId": 1}
    ((waits, waited),) = world.sql(
        "select due_at - now(), now() - created_at from orders.unsettled"
    )
    assert waits < waited
    world.sql(
        "update orders.unsettled set created_at = now() - interval '5 minutes', due_at = now()"
    )
    wait_until(
        lambda: (
            world.sql("select due_at > now() + interval '4 minutes' from orders.unsettled")
            == [(True,)]
        )
    )


def test_orders_are_settled_while_kafka_is_away(make_world):
    world = make_world(kafka=True)
    account(world, 1, 5000)
    product(world, 1, stock=2)
    world.start("keeper")
    world.kafka.kill()
    wait_until(lambda: any("Kafka" in line["msg"] for line in world.logs("keeper")))
    bought = [order(world, 1, {1: n}) for n in (1, 3, 1)]
    wait_until(lambda: world.sql("select count(*) from orders.unsettled") == [(0,)])
    assert [status(world, o) for o in bought] == [
        ("COMPLETED", None),
        ("FAILED", "OUT_OF_STOCK"),
        ("COMPLETED", None),
    ]
    wait_until(lambda: metric(world, "onrush_keeper_settled_total") == 3)
    assert len(outbox(world, "ORDER_COMPLETED")) == 2
    check_truths(world)
    world.kafka.start()
    wait_until(lambda: world.sql("select count(*) from orders.outbox") == [(0,)], 60)
    assert sorted(told(world, "ORDER_COMPLETED")) == [bought[0], bought[2]]


def test_orders_are_settled_while_kafka_stands_still(make_world):
    """It takes records and does not answer."""
    world = make_world(kafka=True)
    account(world, 1, 5000)
    product(world, 1)
    world.start("keeper")
    wait_until(lambda: leads(world, "keeper"))
    world.kafka.pause()
    bought = order(world, 1, {1: 1})
    wait_until(lambda: status(world, bought) == ("COMPLETED", None), 30)
    wait_until(lambda: metric(world, "onrush_keeper_settled_total") == 1)
    world.kafka.resume()
    wait_until(lambda: outbox(world, "ORDER_COMPLETED") == [], 60)
    assert set(told(world, "ORDER_COMPLETED")) == {bought}
    check_truths(world)


def test_an_order_that_cannot_be_settled_holds_up_only_itself(make_world):
    world = make_world(kafka=True)
    world.expect_error("cannot be settled")
    account(world, 1, 5000)
    account(world, 2, 5000)
    product(world, 1)
    sick, well = order(world, 2, {1: 1}), order(world, 1, {1: 1})
    world.sql(
        "alter table orders.balances add constraint sick check (user_id <> 2 or amount > 4999)"
    )
    world.kafka.kill()
    world.start("keeper")
    wait_until(lambda: status(world, well) == ("COMPLETED", None), 20)
    assert status(world, sick) == ("PENDING", None)
    world.sql("alter table orders.balances drop constraint sick")
    world.sql("update orders.unsettled set due_at = now()")
    wait_until(lambda: status(world, sick) == ("COMPLETED", None))


def test_orders_expire(world):
    account(world, 1, 5000)
    product(world, 1)
    late, fresh = order(world, 1, {1: 1}), order(world, 1, {1: 1})
    world.sql("update orders.unsettled set due_at = now() + interval '1 hour'")
    world.sql(
        "update orders.unsettled set created_at = now() - interval '15 minutes'"
        " where order_id = %s",
        [late],
    )
    world.start("keeper")
    wait_until(lambda: status(world, late) == ("FAILED", "ORDER_EXPIRED"))
    assert status(world, fresh) == ("PENDING", None)
    wait_until(lambda: told(world, "ORDER_FAILED") == [late])
    assert (balance(world, 1), stock(world, 1)) == (5000, 10)
    assert metric(world, "onrush_keeper_expired_total") == 1
    check_truths(world)


# --- facts ------------------------------------------------------------------------------


def test_facts_arrive_in_order(world):
    for topic in ("ORDER_COMPLETED", "ORDER_FAILED", "ORDER_CANCELLED"):
        for i in range(20):
            world.sql(
                "insert into orders.outbox (batch_id, topic, records) values (%s, %s, %s)",
                [
                    uuid.UUID(int=i),
                    topic,
                    json.dumps(
                        [
                            {"key": "7", "value": {"payload": {"orderId": 10 * i + n}}}
                            for n in range(3)
                        ]
                    ),
                ],
            )
    world.start("keeper")
    wait_until(lambda: world.sql("select count(*) from orders.outbox") == [(0,)])
    expected = [10 * i + n for i in range(20) for n in range(3)]
    for topic in ("ORDER_COMPLETED", "ORDER_FAILED", "ORDER_CANCELLED"):
        assert told(world, topic) == expected


def test_transactions_that_commit_out_of_order(world):
    """Rows of older transactions appear behind those that were already delivered."""
    world.start("keeper")
    dsn = world.pg.dsn("onrush", world.database)
    connections = [psycopg.connect(dsn) for _ in range(10)]
    for i, connection in enumerate(connections):
        tell(world, "ORDER_COMPLETED", i, connection=connection)
    for i in (9, 0, 5, 1, 8, 3, 2, 7, 6, 4):
        connections[i].commit()
        connections[i].close()
        wait_until(lambda: world.sql("select count(*) from orders.outbox") == [(0,)])
    assert sorted(told(world, "ORDER_COMPLETED")) == list(range(10))


def test_facts_wait_for_kafka(make_world):
    world = make_world(kafka=True)
    world.start("keeper")
    wait_until(lambda: leads(world, "keeper"))
    world.kafka.kill()
    for i in range(30):
        tell(world, "ORDER_COMPLETED", i)
    wait_until(lambda: metric(world, 'onrush_keeper_oldest_seconds{what="order facts"}') > 0)
    assert len(outbox(world, "ORDER_COMPLETED")) == 30
    world.kafka.start()
    wait_until(lambda: outbox(world, "ORDER_COMPLETED") == [], 60)
    assert set(told(world, "ORDER_COMPLETED")) == set(range(30))
    wait_until(lambda: metric(world, 'onrush_keeper_oldest_seconds{what="order facts"}') == 0)


def test_coupons_are_told_of(world):
    world.start("coupon-publisher", "coupon", "keeper")
    campaign(world, 1, perUserLimit=2)
    campaign(world, 2)
    receipts = [
        ask(world, user, coupon_id).data["receipt"]
        for user, coupon_id in ((1, 1), (1, 2), (2, 1), (1, 1))
    ]
    wait_until(lambda: world.sql("select count(*) from coupon.outbox") == [(0,)])
    events = records(world, "COUPON_PUBLISHED")
    assert {e["type"] for e in events} == {"COUPON_PUBLISHED"}
    assert len({e["eventId"] for e in events}) == 4
    for receipt in receipts:
        receipt.pop("head")
    found = [e["payload"]["receipt"] for e in events]
    assert sorted(found, key=lambda r: r["hash"]) == sorted(receipts, key=lambda r: r["hash"])


def test_coupons_that_were_decided_one_by_one(world):
    """Each has a row of its own, and there are more than one run takes."""
    world.start("coupon-publisher", "coupon")
    campaign(world, 1, 140)
    ranks = [ask(world, user, 1).data["rank"] for user in range(1, 141)]
    assert world.sql("select count(*) from coupon.outbox") == [(140,)]
    world.start("keeper")
    wait_until(lambda: world.sql("select count(*) from coupon.outbox") == [(0,)])
    events = records(world, "COUPON_PUBLISHED")
    assert [e["payload"]["receipt"]["rank"] for e in events] == ranks


# --- life -------------------------------------------------------------------------------


def test_it_waits_for_the_database(make_world):
    world = make_world(pg=True)
    world.expect_error(r"connection|terminat|database|PostgreSQL")
    world.start("keeper")
    wait_until(lambda: leads(world, "keeper"))
    world.pg.kill()
    wait_until(lambda: not world["keeper"].ready())
    world.pg.start()
    wait_until(lambda: world["keeper"].ready() and leads(world, "keeper"), 30)
    tell(world, "ORDER_FAILED", 1)
    wait_until(lambda: outbox(world, "ORDER_FAILED") == [])
