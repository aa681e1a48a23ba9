"""Payments of seats: one for each hold, late ones, refused ones, and what is told of them."""

import json

import pytest
from api.coupons import wait_until
from api.kafka_log import Log
from api.orders import account
from api.patience import decided_crowd
from api.seats import check_truths, concert, free, hold, pay
from harness.crowd import post


@pytest.fixture
def hall(world):
    """A concert with five seats at 1,000 won, and two users with money."""
    world.start("payment-worker", "reservation")
    furnish(world)
    return world


def furnish(world):
    concert(world)
    for user in (7, 8):
        account(world, user, 10_000)


def payment(world, payment_id):
    return world.client("reservation").get(f"/payments/{payment_id}").data


def settled(world, asked):
    """The payment when it is not PENDING any more."""
    assert asked.data["status"] == "PENDING"
    number = asked.data["paymentId"]
    wait_until(lambda: payment(world, number)["status"] != "PENDING")
    return payment(world, number)


def balance(world, user):
    return world.sql("select amount from orders.balances where user_id = %s", [user])[0][0]


def status(world, reservation):
    return world.client("reservation").get(f"/reservations/{reservation}").data["status"]


def test_paying_makes_a_hold_ones_own(hall):
    held = hold(hall, 7, 100, 101).data
    paid = settled(hall, pay(hall, held["reservationId"], 7))
    assert (paid["status"], paid["amount"], paid["userId"]) == ("COMPLETED", 2000, 7)
    assert "reason" not in paid
    assert balance(hall, 7) == 8000
    assert status(hall, held["reservationId"]) == "OWNED"
    assert hold(hall, 8, 100).error == "SEAT_TAKEN"
    wait_until(lambda: free(hall) == [102, 103, 104])
    path = f"/reservations/{held['reservationId']}/cancel"
    answer = hall.client("reservation").post(path, {"userId": 7})
    assert (answer.status, answer.error) == (409, "RESERVATION_STATE_CONFLICT")
    check_truths(hall)


def test_two_payments_of_one_hold(hall):
    held = hold(hall, 7, 100).data["reservationId"]
    first = pay(hall, held, 7)
    refused = pay(hall, held, 7)
    assert (refused.status, refused.error) == (409, "PAYMENT_EXISTS")
    settled(hall, first)
    assert pay(hall, held, 7).error == "PAYMENT_EXISTS"
    assert balance(hall, 7) == 9000
    check_truths(hall)


def test_many_payments_of_one_hold_at_the_same_moment(hall):
    held = hold(hall, 7, 100).data["reservationId"]
    requests = [post("/payments", {"reservationId": held, "userId": 7})] * 40
    answers = decided_crowd(hall.port("reservation"), requests, 40)
    assert sorted(s for s, _ in answers) == [200] + [409] * 39
    wait_until(lambda: status(hall, held) == "OWNED")
    assert balance(hall, 7) == 9000
    check_truths(hall)


def test_the_same_key_is_the_same_payment(hall):
    held = hold(hall, 7, 100).data["reservationId"]
    other = hold(hall, 7, 101).data["reservationId"]
    first = pay(hall, held, 7, key="p")
    again = pay(hall, held, 7, key="p")
    assert again.data["paymentId"] == first.data["paymentId"]
    assert again.headers["idempotent-replayed"] == "true"
    assert pay(hall, other, 7, key="p").error == "IDEMPOTENCY_KEY_REUSED"
    settled(hall, first)
    assert pay(hall, held, 7, key="p").data["status"] == "COMPLETED"
    check_truths(hall)


def test_other_peoples_holds_cannot_be_paid(hall):
    held = hold(hall, 7, 100).data["reservationId"]
    for reservation, user in ((held, 8), (held + 9, 7)):
        refused = pay(hall, reservation, user)
        assert (refused.status, refused.error) == (404, "RESERVATION_NOT_FOUND")
    body = {"reservationId": held, "userId": 7}
    client = hall.client("reservation")
    refused = client.post("/payments", body, headers={"X-Onrush-User": "8"})
    assert (refused.status, refused.error) == (403, "FORBIDDEN")
    for wrong in ({}, {"reservationId": held}, {"userId": 7}, body | {"userId": 0}):
        assert client.post("/payments", wrong).error == "BAD_PARAMETER"
    assert client.get("/payments/9").error == "PAYMENT_NOT_FOUND"
    assert client.get("/payments/x").error == "BAD_PARAMETER"
    assert hall.sql("select count(*) from reservation.payments") == [(0,)]


def test_who_cannot_pay_may_try_again(hall):
    account(hall, 9, 500)
    held = hold(hall, 9, 100).data["reservationId"]
    failed = settled(hall, pay(hall, held, 9))
    assert (failed["status"], failed["reason"]) == ("FAILED", "INSUFFICIENT_BALANCE")
    assert status(hall, held) == "HELD"
    stranger = hold(hall, 55, 101).data["reservationId"]
    failed = settled(hall, pay(hall, stranger, 55))
    assert (failed["status"], failed["reason"]) == ("FAILED", "USER_NOT_FOUND")
    hall.sql("update orders.balances set amount = 1000 where user_id = 9")
    hall.sql(
        "insert into orders.transfers (transfer_id, debit, credit, amount, kind, balance)"
        " values (gen_random_uuid(), 0, 9, 500, 'CHARGE', 1000)"
    )
    assert settled(hall, pay(hall, held, 9))["status"] == "COMPLETED"
    check_truths(hall)


# --- late, and cancelled ----------------------------------------------------------------


@pytest.fixture
def hasty(world):
    """The same with holds that end after a tenth of a second."""
    world.start("payment-worker")
    world.start("reservation", ONRUSH_HOLD_MS=100)
    furnish(world)
    return world


def expired(world, user, *seats):
    held = hold(world, user, *seats).data["reservationId"]
    wait_until(lambda: status(world, held) == "EXPIRED")
    return held


def test_a_late_payment_of_free_seats_is_good(hasty):
    held = expired(hasty, 7, 100)
    paid = settled(hasty, pay(hasty, held, 7))
    assert paid["status"] == "COMPLETED"
    assert status(hasty, held) == "OWNED"
    assert hold(hasty, 8, 100).error == "SEAT_TAKEN"
    check_truths(hasty)


def test_a_late_payment_of_taken_seats_costs_nothing(hasty):
    late = expired(hasty, 7, 100, 101)
    quick = hold(hasty, 8, 101).data["reservationId"]
    assert settled(hasty, pay(hasty, quick, 8))["status"] == "COMPLETED"
    refunded = settled(hasty, pay(hasty, late, 7))
    assert (refunded["status"], refunded["reason"]) == ("REFUNDED", "SEAT_TAKEN")
    assert (balance(hasty, 7), balance(hasty, 8)) == (10_000, 9000)
    assert hold(hasty, 8, 100).status == 200  # it took neither of the two
    check_truths(hasty)


def test_a_late_payment_keeps_the_limit(hasty):
    late = expired(hasty, 7, 100, 101)
    more = hold(hasty, 7, 102, 103, 104).data["reservationId"]
    assert settled(hasty, pay(hasty, more, 7))["status"] == "COMPLETED"
    refunded = settled(hasty, pay(hasty, late, 7))
    assert (refunded["status"], refunded["reason"]) == ("REFUNDED", "SEAT_LIMIT_REACHED")
    assert balance(hasty, 7) == 7000
    check_truths(hasty)


def test_a_cancelled_hold_is_not_paid(world):
    world.start("reservation")
    furnish(world)
    held = hold(world, 7, 100).data["reservationId"]
    asked = pay(world, held, 7)
    world.client("reservation").post(f"/reservations/{held}/cancel", {"userId": 7})
    assert pay(world, held, 7, key="later").error == "PAYMENT_EXISTS"
    world.start("payment-worker")
    failed = settled(world, asked)
    assert (failed["status"], failed["reason"]) == ("FAILED", "RESERVATION_STATE_CONFLICT")
    assert pay(world, held, 7).error == "RESERVATION_STATE_CONFLICT"
    assert balance(world, 7) == 10_000
    check_truths(world)


# --- events, and the keeper -------------------------------------------------------------


def test_an_event_that_comes_again_does_nothing(hall):
    held = hold(hall, 7, 100).data["reservationId"]
    paid = settled(hall, pay(hall, held, 7))
    log = Log(hall, "PAYMENT_REQUESTED", "PAYMENT")
    (event,) = [json.loads(value) for value, _ in log.records()]
    assert event["payload"] == {"kind": "SEAT", "paymentId": paid["paymentId"], "userId": 7}
    for _ in range(5):
        log.write(json.dumps(event))
    wait_until(log.is_settled)
    assert balance(hall, 7) == 9000
    assert hall.sql("select count(*) from orders.outbox") == [(1,)]
    check_truths(hall)


def test_the_keeper_settles_what_nobody_asked_for(world):
    world.start("reservation", "coupon", "keeper")
    furnish(world)
    held = hold(world, 7, 100).data["reservationId"]
    assert settled(world, pay(world, held, 7))["status"] == "COMPLETED"
    ((value, _),) = told(world)
    event = json.loads(value)
    assert event["type"] == "SEAT_CONFIRMED"
    payload = event["payload"]
    assert (payload["reservationId"], payload["userId"]) == (held, 7)
    assert (payload["seatIds"], payload["amount"], payload["concertId"]) == ([100], 1000, 1)
    wait_until(lambda: world.sql("select count(*) from orders.outbox") == [(0,)])
    check_truths(world)


def told(world):
    log, found = Log(world, "SEAT_CONFIRMED", "nobody"), []
    wait_until(lambda: found.extend(log.records()) or found, 20)
    return found


def test_the_keeper_marks_what_expired(world):
    world.start("coupon", "keeper")
    world.start("reservation", ONRUSH_HOLD_MS=100)
    furnish(world)
    held = hold(world, 7, 100).data["reservationId"]
    query = "select status from reservation.reservations where reservation_id = %s"
    wait_until(lambda: world.sql(query, [held]) == [("EXPIRED",)])
    world.start("payment-worker")
    assert settled(world, pay(world, held, 7))["status"] == "COMPLETED"
    check_truths(world)
