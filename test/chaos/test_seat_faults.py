"""Faults in the middle of a sale: 4,000 people want 100 seats, hold them for a moment, pay
in time, too late, twice, or not at all. In the end exactly 100 seats are owned, each by one
person who paid for it once, and every 200 that a client saw is true.
"""

import random
import time
from collections import Counter

from api.coupons import wait_until
from api.kafka_log import Log
from api.keepers import leads, records
from api.lines import BUSY, patient
from api.orders import GROUP, TOPIC
from api.seats import check_truths, concert
from chaos.storm import Storm
from harness.crowd import crowd, post

SEATS = range(1, 101)
PRICE, RICH = 1000, 10_000
USERS = range(1, 4001)  # the even ones are poor: they hold seats and cannot pay
WORKERS = ("payment-worker-0", "payment-worker-1")
KEEPERS = ("keeper-0", "keeper-1")
HOLD = {"ONRUSH_HOLD_MS": 1500}
UNKNOWN = {0, *BUSY}  # no answer, or numbers of the line that are too old to give one
RESERVE = "/concerts/reserve-seat"


def is_rich(user):
    return user % 2 == 1


class SeatStorm(Storm):
    """Reservations of one seat or two, cancellations, and payments of what was reserved just
    now (so that somebody else pays for it at the same time) or long ago. What a request is
    depends on its number, and on what had been granted until then. Purchases are held back,
    so that there are seats to sell until the end: `sales` may be begun."""

    def __init__(self, port, seed, passes, **more):
        super().__init__(port, **more)
        self.seed, self.passes = seed, passes
        self.sales = 0
        self.held = []  # (reservation, user), in the order in which they were granted
        self.plans = {}  # {number: (kind, …)}

    def plan(self, number):
        """("reserve", user, seats), ("pay", user, reservation) or ("cancel", …) as that."""
        if number not in self.plans:
            self.plans[number] = self._make(random.Random(self.seed * 1_000_003 + number))
        return self.plans[number]

    def _make(self, dice):
        kind = dice.choices(("reserve", "pay", "cancel"), (4, 4, 1))[0]
        if kind != "reserve" and self.held:
            reservation, user = dice.choice(self.held[-dice.choice((40, 400)) :])
            if kind == "pay" and is_rich(user):
                if self.sales > 0:
                    self.sales -= 1
                    return kind, user, reservation
            elif self.sales < 1000:  # the last sale goes on without those who only disturb it
                return kind, user, reservation
        seats = sorted(dice.sample(SEATS, dice.choice((1, 1, 2))))
        return "reserve", dice.choice(USERS), tuple(seats)

    def request(self, number):
        kind, user, what = self.plan(number)
        if kind == "reserve":
            return RESERVE, {"userId": user, "seatIds": what}
        if kind == "pay":
            return "/payments", {"userId": user, "reservationId": what}
        return f"/reservations/{what}/cancel", {"userId": user}

    def headers(self, number):
        kind, user, _ = self.plan(number)
        return {"Authorization": f"Bearer {self.passes[user]}"} if kind == "reserve" else {}

    def result(self, number, data):
        kind, user, _ = self.plan(number)
        if kind == "pay":
            return data["paymentId"]
        if kind == "cancel":
            return data["status"]
        self.held.append((data["reservationId"], user))
        return data["reservationId"]

    def promised(self, kind):
        """[(user, what, result)] of all that clients saw a 200 for."""
        plans = ((self.plan(n), result) for n, result in self.granted.items())
        return [(user, what, result) for (k, user, what), result in plans if k == kind]


def open_sale(world):
    """The hall, people with and without money, and a pass for each. Gives the passes."""
    world.sql(
        "insert into orders.balances select u, case when u %% 2 = 1 then %s else %s end"
        " from generate_series(1, 4000) u",
        [RICH, PRICE - 1],
    )
    world.sql(
        "insert into orders.transfers (transfer_id, debit, credit, amount, kind, balance)"
        " select gen_random_uuid(), 0, user_id, amount, 'OPENING', amount from orders.balances"
    )
    world.start(*WORKERS, wait=False)
    world.start("reservation", "queue", "gateway", **HOLD)
    world.start(*KEEPERS)
    for name in WORKERS:
        world[name].wait()
    concert(world, first_seat=SEATS[0], seats=len(SEATS), price=PRICE)
    return take_passes(world)


def take_passes(world):
    """Everybody is served at once. A token is the same on every ask, so whoever got none asks
    again."""
    unlimited = {"rate": -1, "maxActive": 1_000_000, "noShowMs": -1}
    assert world.admin("queue").call("PUT", "/admin/queue/lines/0", unlimited).status == 200
    passes = {}

    def all_have_one():
        users = [user for user in USERS if user not in passes]
        requests = (post("/queue/tokens", {"userId": user}) for user in users)
        answers = crowd(world.port("gateway"), requests, 32)
        assert {status for status, _ in answers} <= {200} | UNKNOWN
        told = zip(users, answers, strict=True)
        passes.update({u: body["data"]["token"] for u, (code, body) in told if code == 200})
        return len(passes) == len(USERS)

    wait_until(all_have_one, 30)
    status, get = f"/queue/tokens/status/{USERS[-1]}", world.client("queue").get
    wait_until(lambda: patient(get, status).data["status"] == "ACTIVE", 20)
    return passes


def settled(world):
    query = "select count(*) from reservation.payments where status <> 'PENDING'"
    return world.sql(query)[0][0]


def owned(world):
    """How many seats."""
    query = "select count(*) from reservation.seats where held_until = 'infinity'"
    return world.sql(query)[0][0]


def goes_on(world, storm, seconds=30):
    """Seats are held, payments are settled, and a few seats are sold."""
    held, paid = len(storm.held), settled(world)
    storm.sales += 4
    wait_until(lambda: len(storm.held) > held + 50, seconds)
    wait_until(lambda: settled(world) > paid + 30, seconds)


def sell_out(world, storm):
    assert owned(world) < len(SEATS), "the sale was over before the faults were"
    storm.sales = 1_000_000
    wait_until(lambda: owned(world) == len(SEATS), 60)


def check(world, storm):
    """The truth about a storm: what its clients were told against what PostgreSQL holds."""
    pending = "select 1 from reservation.payments where status = 'PENDING' limit 1"
    wait_until(lambda: world.sql(pending) == [], 60)
    wait_until(lambda: world.sql("select 1 from orders.outbox limit 1") == [], 60)
    log = Log(world, TOPIC, GROUP)
    wait_until(log.is_settled, 60)
    assert log.dead_letters() == []
    assert not storm.twice
    assert not storm.unresolved, storm.answers
    check_truths(world)
    check_owners(world)
    check_reservations(world, storm.promised("reserve"))
    check_payments(world, storm)
    check_cancellations(world, storm.promised("cancel"))
    assert sum(leads(world, name) for name in KEEPERS) == 1


def check_owners(world):
    """Every seat has one owner, and others are told of each sale."""
    sales = world.sql(
        "select reservation_id, user_id, seat_ids from reservation.reservations"
        " where status = 'OWNED'"
    )
    assert Counter(seat for _, _, seats in sales for seat in seats) == Counter(SEATS)
    assert all(is_rich(user) for _, user, _ in sales)
    told = {
        record["eventId"]: (p["reservationId"], p["userId"], tuple(p["seatIds"]))
        for record in records(world, "SEAT_CONFIRMED")
        for p in [record["payload"]]
    }
    assert Counter(told.values()) == Counter((r, u, tuple(seats)) for r, u, seats in sales)


def check_reservations(world, promised):
    rows = world.sql("select reservation_id, user_id, seat_ids from reservation.reservations")
    found = {(user, tuple(seats), reservation) for reservation, user, seats in rows}
    assert len(promised) == len(rows) > len(SEATS)
    assert set(promised) == found


def check_payments(world, storm):
    """A payment that was answered is there; the storm has met each way to end."""
    rows = world.sql(
        "select payment_id, user_id, reservation_id, status, reason from reservation.payments"
    )
    found = {(user, reservation, payment) for payment, user, reservation, *_ in rows}
    assert set(storm.promised("pay")) == found
    ends = Counter((status, reason) for *_, status, reason in rows)
    assert ends["COMPLETED", None] > 0
    assert ends["FAILED", "INSUFFICIENT_BALANCE"] > 0
    assert ends["REFUNDED", "SEAT_TAKEN"] > 0, "nobody paid too late"
    assert storm.answers["PAYMENT_EXISTS"] > 0, "nobody paid twice"


def check_cancellations(world, promised):
    """What was cancelled stays so."""
    assert {status for *_, status in promised} == {"CANCELLED"}
    query = "select reservation_id from reservation.reservations where status = 'CANCELLED'"
    assert {row[0] for row in world.sql(query)} == {what for _, what, _ in promised}


def test_programs_are_killed(make_world):
    world = make_world()
    passes = open_sale(world)
    with SeatStorm(world.port("gateway"), seed=11, passes=passes) as storm:
        for name in ("gateway", "reservation", *WORKERS, "queue", *KEEPERS):
            goes_on(world, storm)
            world.kill(name)
            time.sleep(0.3)
            world.start(name, **(HOLD if name == "reservation" else {}))
        goes_on(world, storm)
        sell_out(world, storm)
    check(world, storm)


def test_servers_die(make_world):
    """Redis, Kafka and PostgreSQL, one after the other, in the middle of one sale."""
    world = make_world(redis=True, kafka=True, pg=True)
    world.expect_error(r"connection|terminat|database|PostgreSQL")
    passes = open_sale(world)
    with SeatStorm(world.port("gateway"), seed=12, passes=passes) as storm:
        goes_on(world, storm)
        world.redis_client().flushall()
        goes_on(world, storm)
        world.redis.kill()
        time.sleep(1)
        world.redis.start()
        goes_on(world, storm)
        world.kafka.kill()
        goes_on(world, storm, 60)
        world.kafka.start()
        goes_on(world, storm, 60)
        world.pg.kill()
        time.sleep(1)
        world.pg.start()
        goes_on(world, storm, 60)
        sell_out(world, storm)
    check(world, storm)
