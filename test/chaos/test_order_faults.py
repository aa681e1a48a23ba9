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
from api.keepers import leads, records
from api.orders import (
    GROUP,
    TOPIC,
    account,
    check_truths,
    product,
)
from chaos.storm import Storm, check_refused, timed_calls

USERS, PRODUCTS = range(1, 41), range(1, 11)
OPENING = 10_000
WORKERS = ("payment-worker-0", "payment-worker-1", "payment-worker-2")
KEEPERS = ("keeper-0", "keeper-1")
SHOP = (*WORKERS, *KEEPERS, "coupon", "order", "gateway")
OFTEN = {"ONRUSH_CHECK_MS": 500}  # only keepers know it
# What is told while nothing is wrong: a cancellation may come too late, and a worker of a busy
# machine hold a lock for too long.
UNTROUBLED = {200, "ORDER_STATE_CONFLICT", "TRY_AGAIN"}
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
    world.start("coupon", "order", "gateway")
    world.start(*KEEPERS, **OFTEN)
    for name in WORKERS:
        world[name].wait()


def settle_all(world):
    """Every order is settled, also those whose events were lost, and others have been told."""
    wait_until(lambda: world.sql("select 1 from orders.unsettled limit 1") == [], 60)
    wait_until(lambda: world.sql("select 1 from orders.outbox limit 1") == [], 60)
    log = Log(world, TOPIC, GROUP)
    wait_until(log.is_settled, 60)
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
    check_keepers(world)


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
    """Others are told of what became of each order, and the truth; of one thing perhaps
    twice, with the same eventId."""
    told = {
        record["eventId"]: (topic, record["payload"]["orderId"])
        for topic in FACTS
        for record in records(world, topic)
    }
    wanted = world.sql("""
        select 'ORDER_' || status, order_id from orders.orders
        union all
        select 'ORDER_COMPLETED', order_id from orders.transfers where kind = 'REFUND'""")
    assert Counter(told.values()) == Counter(wanted)


def check_keepers(world):
    """One leads, and what it checks itself, anew since the storm, is as it must be."""
    ended = time.time()
    wait_until(lambda: keeper_metrics(world)["onrush_check_timestamp_seconds"] > ended)
    found = keeper_metrics(world)
    wrong = {k: v for k, v in found.items() if k.endswith("_difference") and v != 0}
    assert not wrong
    assert sum(leads(world, name) for name in KEEPERS) == 1


def keeper_metrics(world):
    """Of the one that leads."""
    leader = [name for name in KEEPERS if leads(world, name)]
    return world.client(leader[0] if leader else KEEPERS[0]).metrics()


def settled_count(world):
    return world.sql("select count(*) from orders.orders where status <> 'PENDING'")[0][0]


def goes_on(world, storm, seconds=30):
    """Requests are granted and orders are settled again."""
    granted, settled = len(storm.granted), settled_count(world)
    wait_until(lambda: len(storm.granted) > granted + 500, seconds)
    wait_until(lambda: settled_count(world) > settled + 200, seconds)


@pytest.mark.parametrize("victim", ["gateway", "order", "payment-worker", "keeper"])
def test_a_program_is_killed(make_world, victim):
    world = make_world()
    open_shop(world)
    with OrderStorm(world.port("gateway"), seed=1) as storm:
        goes_on(world, storm)
        for name in [n for n in SHOP if n.startswith(victim)]:
            world.kill(name)
            time.sleep(0.3)
            world.start(name, **OFTEN)
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
        body = {"userId": 1, "products": [{"id": 1, "quantity": 1}]}
        refused = timed_calls(world.client(), "/api/v1/orders", body)
        world.pg.start()
        goes_on(world, storm, 60)
    check_refused(refused)
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
