"""The shop behind the lines: slower while it is unwell, and everybody knows when all is
sold.
"""

import itertools
import time

import pytest
from api.fake_service import FakeService, response
from api.lines import UNLIMITED, Line, until
from api.orders import account
from api.seats import concert, hold, pay

HEALTH = "onrush_queue_shop_health_thousandths"
WELL = response(200, b"{}")
UNWELL = response(503, b"{}")


class Shop:
    """Says how well it is and what is left, as the test wants it."""

    def __init__(self, port):
        self.ready, self.left = WELL, response(404)
        self.service = FakeService(port, self.answer)

    def answer(self, request):
        return self.ready if request.target == "/readyz" else self.left

    def is_well_now_and_then(self):
        """Every other time that it is asked, so that it never gets better by two steps."""
        says = itertools.cycle((WELL, UNWELL))
        self.service.behave = lambda r: next(says) if r.target == "/readyz" else self.left

    def is_well(self):
        self.ready, self.service.behave = WELL, self.answer

    def has(self, seats, free, held):
        body = f'{{"code":200,"data":{{"seats":{seats},"free":{free},"held":{held}}}}}'
        self.left = response(200, body.encode())


@pytest.fixture
def shop(world):
    shop = Shop(world.port("reservation"))
    with shop.service:
        world.start("queue", ONRUSH_RESERVATION_URL=f"127.0.0.1:{world.port('reservation')}")
        yield shop


def health(world):
    return world.client("queue").metrics()[HEALTH]


def test_a_line_stops_while_the_shop_is_unwell(shop, world):
    line = Line(world, 1, maxActive=4, **UNLIMITED)
    shop.ready = UNWELL
    until(lambda: health(world) == 0)
    for user in range(1, 7):
        line.take(user)
    assert line.status(1).data["status"] == "WAITING"
    # It comes back in steps.
    shop.is_well_now_and_then()
    until(lambda: line.serving()["serving"] == 1)
    shop.is_well()
    until(lambda: line.serving()["serving"] == 4)
    until(lambda: health(world) == 1000)
    assert line.active(range(1, 7)) == [1, 2, 3, 4]


def test_a_slow_shop_is_half_well(shop, world):
    def slow(request):
        time.sleep(0.55 if request.target == "/readyz" else 0)
        return WELL

    shop.service.behave = slow
    until(lambda: 200 < health(world) < 700)
    shop.service.behave = shop.answer
    until(lambda: health(world) == 1000)


def test_no_shop_at_all_serves_nobody(world):
    world.start("queue", ONRUSH_RESERVATION_URL=f"127.0.0.1:{world.port('reservation')}")
    line = Line(world, 1, maxActive=4, **UNLIMITED)
    until(lambda: health(world) == 0)
    line.take(1)
    assert line.status(1).data["status"] == "WAITING"


def test_nobody_is_served_when_the_operator_says_that_all_is_sold(world):
    world.start("queue")
    line = Line(world, 1, maxActive=0, **UNLIMITED)
    token = line.take(1).data
    assert token["soldOut"] is False
    line.change(soldOut=True, maxActive=10)
    for told in (line.take(1).data, line.status(1).data, line.serving()):
        assert told["soldOut"] is True
    assert line.status(1).data["status"] == "WAITING"
    line.change(soldOut=False)
    until(lambda: line.status(1).data["status"] == "ACTIVE")
    assert line.status(1).data["token"] == token["token"]


def test_what_the_shop_says_of_seats(shop, world):
    line = Line(world, 1, maxActive=1, concertId=7, **UNLIMITED)

    def sold_out():
        return line.serving()["soldOut"]

    shop.has(100, 0, 3)  # held, and perhaps not paid
    until(lambda: any(r.target == "/internal/concerts/7/left" for r in shop.service.requests))
    assert not sold_out()
    shop.has(100, 0, 0)
    until(sold_out)
    shop.left = response(500)  # what it said stays
    asked = len(shop.service.requests)
    until(lambda: len(shop.service.requests) > asked + 4)
    assert sold_out()
    shop.has(100, 1, 0)  # somebody's payment came too late
    until(lambda: not sold_out())
    shop.has(0, 0, 0)  # nothing to sell yet
    asked = len(shop.service.requests)
    until(lambda: len(shop.service.requests) > asked + 4)
    assert not sold_out()
    shop.has(100, 0, 0)
    until(sold_out)
    line.change(concertId=-1)
    until(lambda: not sold_out())
    targets = {r.target for r in shop.service.requests}
    assert targets == {"/readyz", "/internal/concerts/7/left"}


def test_a_concert_is_sold_to_the_last_seat(world):
    world.start("payment-worker", "reservation", "queue")
    concert(world, concert_id=1, option=11, first_seat=100, seats=2)
    line = Line(world, 1, maxActive=0, concertId=1)
    left = world.client("reservation").get("/internal/concerts/1/left")
    assert left.data == {"seats": 2, "free": 2, "held": 0}
    account(world, 7, 10_000)
    held = [hold(world, 7, seat).data["reservationId"] for seat in (100, 101)]
    left = world.client("reservation").get("/internal/concerts/1/left")
    assert left.data == {"seats": 2, "free": 0, "held": 2}
    assert line.serving()["soldOut"] is False
    for reservation in held:
        assert pay(world, reservation, 7).status == 200
    until(lambda: line.serving()["soldOut"])
    assert line.take(5).data["soldOut"] is True
    unknown = world.client("reservation").get("/internal/concerts/9/left")
    assert unknown.error == "CONCERT_NOT_FOUND"
    assert world.client("reservation").get("/internal/concerts/x/left").status == 400
