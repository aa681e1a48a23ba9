"""Faults in the middle of orders, cancellations and charges: every 200 that a client saw is
true, money and pieces are neither made nor lost, and every order is settled once.
"""

import json
import random
import time
from collections import Counter

import pytest
from api.coupons import wait_until
from api.kafka_log import Log
from api.orders import (
    GROUP,
    TOPIC,
    account,
    check_truths,
    payment_requested,
    product,
)
from chaos.storm import Storm

USERS, PRODUCTS = range(1, 41), range(1, 11)
OPENING = 10_000
WORKERS = ("payment-worker-0", "payment-worker-1", "payment-worker-2")
SHOP = (*WORKERS, "order", "gateway")
# What is told while nothing is wrong: a cancellation may come too late.
UNTROUBLED = {200, "ORDER_STATE_CONFLICT"}
FACTS = ("ORDER_COMPLETED", "ORDER_FAILED", "ORDER_CANCELLED")


class OrderStorm(Storm):
    """Orders, charges, and cancellations of what was ordered before. What a request is depends
    on its number alone; which order a cancellation is of, on what had been granted."""

    def __init__(self, port, seed, **more):
        super().__init__(port, **more)
        self.seed = seed
        self.ordered = []  # ids
        self.plans = {}  # {number: (kind, …)}

    def plan(self, number):
        """("charge", user, won), ("order", user, {product: quantity}) or ("cancel", order)."""
        if number not in self.plans:
            dice = random.Random(self.seed * 1_000_003 + number)
            user, kind = dice.choice(USERS), dice.choice(("charge", "order", "order", "cancel"))
            if kind == "charge":
                self.plans[number] = kind, user, dice.randint(1, 3000)
            elif kind == "cancel" and self.ordered:
                self.plans[number] = kind, dice.choice(self.ordered)
            else:
                chosen = dice.sample(PRODUCTS, dice.randint(1, 3))
                self.plans[number] = "order", user, {p: dice.randint(1, 3) for p in chosen}
        return self.plans[number]

    def request(self, number):
        kind, who, *what = self.plan(number)
        if kind == "charge":
            return f"/api/v1/users/{who}/balance/charge", {"amount": what[0]}
        if kind == "cancel":
            return f"/api/v1/orders/{who}/cancel", {}
        products = [{"id": p, "quantity": n} for p, n in what[0].items()]
        return "/api/v1/orders", {"userId": who, "products": products}

    def result(self, number, data):
        kind = self.plan(number)[0]
        if kind == "charge":
            return data["amount"]
        if kind == "cancel":
            return data["status"]
        self.ordered.append(data["orderId"])
        return data["orderId"]

    def promised(self, kind):
        """[(what of the plan, its result)] of all that clients saw a 200 for."""
        plans = {n: self.plan(n) for n in self.granted}
        return [(plan[1:], self.granted[n]) for n, plan in plans.items() if plan[0] == kind]


def open_shop(world, **workers):
    """Some products sell out while it goes on, some users run out of money. `workers` are
    settings of the payment-workers."""
    for user in USERS:
        account(world, user, OPENING)
    for p in PRODUCTS:
        product(world, p, price=100 * p, stock=50 if p % 3 else 100_000)
    world.start(*WORKERS, wait=False, **workers)
    world.start("order", "gateway")
    for name in WORKERS:
        world[name].wait()


def unsettled(world):
    query = "select order_id, user_id from orders.unsettled join orders.orders using (order_id)"
    return world.sql(query)


def settle_all(world):
    """Every order is settled; what was lost on the way to Kafka is asked for once more."""
    log = Log(world, TOPIC, GROUP)
    wait_until(log.is_settled, 60)
    log.write_keyed((str(user), payment_requested(o, user)) for o, user in unsettled(world))
    wait_until(lambda: not unsettled(world), 60)
    assert log.dead_letters() == []


def check(world, storm):
    """The truth about a storm: what its clients were told against what PostgreSQL holds."""
    settle_all(world)
    check_truths(world)
    assert not storm.twice
    assert not storm.unresolved, storm.answers
    check_orders(world, storm.promised("order"))
    check_charges(world, storm.promised("charge"))
    check_cancellations(world, storm.promised("cancel"))
    check_facts(world)


def check_orders(world, promised):
    rows = world.sql("""
        select order_id, user_id, jsonb_object_agg(product_id, quantity)
          from orders.orders join orders.lines using (order_id) group by 1, 2""")
    found = {o: (user, {int(p): n for p, n in lines.items()}) for o, user, lines in rows}
    wanted = {order_id: plan for plan, order_id in promised}
    assert len(wanted) == len(promised) > 0
    untrue = {o: (plan, found.get(o)) for o, plan in wanted.items() if found.get(o) != plan}
    assert not untrue, f"{len(untrue)} of {len(wanted)} promised orders are not true: {untrue}"
    assert set(found) == set(wanted), "there is an order whose client was never told"
    states = dict(world.sql("select status, count(*) from orders.orders group by 1"))
    assert set(states) == {"COMPLETED", "FAILED", "CANCELLED"}, "the storm must meet every end"


def check_charges(world, promised):
    moved = world.sql("select credit, amount, balance from orders.transfers where kind = 'CHARGE'")
    assert Counter(moved) == Counter((*plan, after) for plan, after in promised)


def check_cancellations(world, promised):
    assert {status for _, status in promised} == {"CANCELLED"}
    cancelled = world.sql("select order_id from orders.orders where status = 'CANCELLED'")
    assert Counter(cancelled) == Counter(plan for plan, _ in promised)


def check_facts(world):
    """Others are told of each settled order once, and the truth."""
    rows = world.sql("select topic, records from orders.outbox where topic = any(%s)", [[*FACTS]])
    told = [(topic, r["value"]["payload"]["orderId"]) for topic, records in rows for r in records]
    wanted = world.sql("""
        select 'ORDER_' || status, order_id from orders.orders
        union all
        select 'ORDER_COMPLETED', order_id from orders.transfers where kind = 'REFUND'""")
    assert Counter(told) == Counter(wanted)


def settled_count(world):
    return world.sql("select count(*) from orders.orders where status <> 'PENDING'")[0][0]


def goes_on(world, storm, seconds=30):
    """Requests are granted and orders are settled again."""
    granted, settled = len(storm.granted), settled_count(world)
    wait_until(lambda: len(storm.granted) > granted + 50, seconds)
    wait_until(lambda: settled_count(world) > settled + 20, seconds)


@pytest.mark.parametrize("victim", ["gateway", "order", "payment-worker"])
def test_a_program_is_killed(make_world, victim):
    world = make_world()
    open_shop(world)
    with OrderStorm(world.port("gateway"), seed=1) as storm:
        goes_on(world, storm)
        for name in [n for n in SHOP if n.startswith(victim)]:
            world.kill(name)
            time.sleep(0.3)
            world.start(name)
            goes_on(world, storm)
    check(world, storm)


def test_redis_is_wiped_and_dies(make_world):
    world = make_world(redis=True)
    open_shop(world)
    with OrderStorm(world.port("gateway"), seed=2) as storm:
        goes_on(world, storm)
        world.redis_client().flushall()
        goes_on(world, storm)
        world.redis.kill()
        goes_on(world, storm)
        world.redis.start()
        goes_on(world, storm)
    check(world, storm)
    assert set(storm.answers) <= UNTROUBLED, storm.answers


def test_kafka_stops_for_ten_seconds(make_world):
    """Orders are taken all the same, and paid when it is back."""
    world = make_world(kafka=True)
    open_shop(world)
    with OrderStorm(world.port("gateway"), seed=3) as storm:
        goes_on(world, storm)
        world.kafka.kill()
        until = time.monotonic() + 10
        while time.monotonic() < until:
            granted = len(storm.granted)
            wait_until(lambda before=granted: len(storm.granted) > before + 50, 20)
        world.kafka.start()
        goes_on(world, storm, 60)
    check(world, storm)
    assert set(storm.answers) <= UNTROUBLED, storm.answers


def test_postgresql_dies(make_world):
    world = make_world(pg=True)
    world.expect_error(r"connection|terminat|database|PostgreSQL")
    open_shop(world)
    with OrderStorm(world.port("gateway"), seed=4) as storm:
        goes_on(world, storm)
        world.pg.kill()
        time.sleep(1)
        began = time.monotonic()
        refused = world.client().post(
            "/api/v1/orders", {"userId": 1, "products": [{"id": 1, "quantity": 1}]}
        )
        took = time.monotonic() - began
        world.pg.start()
        goes_on(world, storm, 60)
    assert refused.status == 503, refused
    assert refused.headers["retry-after"]
    assert took < 0.5, "a refusal must be fast"
    check(world, storm)


def test_every_event_comes_many_times(make_world):
    """While orders go on: each event that was written is written again, and then the whole
    topic comes from its beginning."""
    world = make_world()
    open_shop(world, ONRUSH_INSTANCE="")
    log = Log(world, TOPIC, GROUP)
    with OrderStorm(world.port("gateway"), seed=5) as storm:
        goes_on(world, storm)
        written = [value for value, _ in log.records()]
        log.write_keyed((str(json.loads(v)["payload"]["userId"]), v) for v in written)
        goes_on(world, storm)
        for name in WORKERS:
            world.stop(name)
        log.rewind()
        world.start(*WORKERS, ONRUSH_INSTANCE="")
        goes_on(world, storm)
    check(world, storm)
    repeated = 'onrush_payments_total{outcome="ORDER_STATE_CONFLICT"}'
    assert sum(world.client(n).metrics()[repeated] for n in WORKERS) > 100
