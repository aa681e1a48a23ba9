"""What the tests of seats share: a concert to sell, asking for seats and for payments, and
the truths that always hold.
"""

from api.coupons import instant


def concert(world, concert_id=1, option=11, first_seat=100, seats=5, price=1000, limit=4, line=0):
    """A concert with one date and its seats first_seat, first_seat + 1, …"""
    admin = world.admin("reservation")
    body = {"id": concert_id, "name": f"concert {concert_id}", "perUserLimit": limit, "line": line}
    assert admin.post("/admin/concerts", body).status == 200
    more_seats(world, concert_id, option, first_seat, seats, price)


def more_seats(world, concert_id, option, first_seat, seats, price=1000):
    """Another date of the concert."""
    admin = world.admin("reservation")
    body = {"id": option, "date": instant(days=option)}
    assert admin.post(f"/admin/concerts/{concert_id}/dates", body).status == 200
    body = {"firstSeatId": first_seat, "count": seats, "price": price}
    assert admin.post(f"/admin/dates/{option}/seats", body).status == 200


def hold(world, user, *seats, key=None, name="reservation"):
    """POST /concerts/reserve-seat; one seat or several."""
    body = {"userId": user} | (
        {"seatId": seats[0]} if len(seats) == 1 else {"seatIds": list(seats)}
    )
    headers = {"Idempotency-Key": key} if key is not None else {}
    return world.client(name).post("/concerts/reserve-seat", body, headers=headers)


def pay(world, reservation, user, key=None, name="reservation"):
    headers = {"Idempotency-Key": key} if key is not None else {}
    body = {"reservationId": reservation, "userId": user}
    return world.client(name).post("/payments", body, headers=headers)


def free(world, option=11, name="reservation"):
    """The ids of the free seats as everybody sees them."""
    answer = world.client(name).get(f"/concerts/{option}/available-seats")
    return [seat["seatId"] for seat in answer.data["seats"]]


def check_truths(world):
    """Each owned seat is of one owned reservation that names it and was paid once; money is
    conserved; nobody has more than the limit."""
    assert not world.sql(
        "select s.seat_id from reservation.seats s left join reservation.reservations r"
        " on r.reservation_id = s.reservation_id and r.status = 'OWNED'"
        " and s.seat_id = any(r.seat_ids)"
        " where s.held_until = 'infinity' and r.reservation_id is null"
    )
    assert not world.sql(
        "select r.reservation_id from reservation.reservations r where r.status = 'OWNED'"
        " and cardinality(r.seat_ids) <> (select count(*) from reservation.seats s"
        " where s.reservation_id = r.reservation_id and s.held_until = 'infinity')"
    )
    ((owned, paid),) = world.sql(
        "select (select count(*) from reservation.reservations where status = 'OWNED'),"
        " (select count(*) from reservation.payments where status = 'COMPLETED')"
    )
    assert owned == paid
    assert not world.sql(
        "select r.user_id from reservation.reservations r join reservation.concerts c"
        " using (concert_id) where r.status = 'OWNED' or r.held_until > now()"
        " and r.status = 'HELD' group by r.user_id, c.concert_id, c.per_user_limit"
        " having sum(cardinality(r.seat_ids)) > c.per_user_limit"
    )
    assert not world.sql(
        "select b.user_id from orders.balances b where b.amount <> (select"
        " coalesce(sum(case when t.credit = b.user_id then t.amount else -t.amount end), 0)"
        " from orders.transfers t where b.user_id in (t.credit, t.debit))"
    )
    ((taken, of_paid),) = world.sql(
        "select (select coalesce(sum(case kind when 'PAYMENT' then amount else -amount end), 0)"
        " from orders.transfers where kind in ('PAYMENT', 'REFUND') and order_id is null),"
        " (select coalesce(sum(amount), 0) from reservation.payments"
        " where status = 'COMPLETED')"
    )
    assert taken == of_paid
