"""Concerts and seats: lists, holds, limits, giving back, and every bad input."""

import pytest
from api.coupons import instant, wait_until
from api.patience import decided_crowd
from api.seats import check_truths, concert, free, hold, more_seats
from harness.crowd import post

HUGE = 2**63 - 1


@pytest.fixture
def hall(world):
    """A concert with five seats, 100 to 104, on date 11."""
    world.start("reservation")
    concert(world)
    return world


def short(world, **settings):
    """The same with holds that soon end."""
    world.start("reservation", ONRUSH_HOLD_MS=100, **settings)
    concert(world)
    return world


# --- the operator's calls, and the lists ----------------------------------------------------


def test_lists_show_what_there_is(world):
    world.start("reservation")
    client = world.client("reservation")
    assert client.get("/concerts").data == {"concerts": []}
    concert(world, 1, seats=2)
    concert(world, 2, 21, 200, seats=1, limit=1, line=5)
    more_seats(world, 1, 10, 300, 1)
    wait_until(lambda: len(client.get("/concerts").data["concerts"]) == 2)
    assert client.get("/concerts").data["concerts"] == [
        {"id": 1, "name": "concert 1", "perUserLimit": 4, "line": 0},
        {"id": 2, "name": "concert 2", "perUserLimit": 1, "line": 5},
    ]
    dates = client.get("/concerts/1/available-dates").data["concerts"]
    assert [(d["id"], d["concertId"]) for d in dates] == [(10, 1), (11, 1)]
    assert dates[0]["date"] < dates[1]["date"]
    assert client.get("/concerts/11/available-seats").data["seats"] == [
        {"seatId": 100, "seatNo": 1, "price": 1000},
        {"seatId": 101, "seatNo": 2, "price": 1000},
    ]


def test_lists_of_what_is_not_there(hall):
    client = hall.client("reservation")
    assert client.get("/concerts/9/available-dates").error == "CONCERT_NOT_FOUND"
    assert client.get("/concerts/9/available-seats").error == "DATE_NOT_FOUND"
    for wrong in ("0", "-1", "x", "1.5", str(HUGE + 1)):
        for what in ("dates", "seats"):
            answer = client.get(f"/concerts/{wrong}/available-{what}")
            assert (answer.status, answer.error) == (400, "BAD_PARAMETER")
    hall.admin("reservation").post("/admin/concerts", {"id": 3, "name": "no dates yet"})
    assert client.get("/concerts/3/available-dates").data == {"concerts": []}


def test_what_is_there_is_not_made_again(hall):
    admin = hall.admin("reservation")
    again = {"id": 1, "name": "another"}
    assert admin.post("/admin/concerts", again).error == "CONCERT_EXISTS"
    date = {"id": 11, "date": instant(days=1)}
    assert admin.post("/admin/concerts/1/dates", date).error == "CONCERT_EXISTS"
    assert admin.post("/admin/concerts/9/dates", date | {"id": 9}).error == "CONCERT_NOT_FOUND"
    seats = {"firstSeatId": 104, "count": 2, "price": 5}
    # One of the two is there: none is made.
    assert admin.post("/admin/dates/11/seats", seats).error == "CONCERT_EXISTS"
    seats["firstSeatId"] = 900
    assert admin.post("/admin/dates/11/seats", seats).error == "CONCERT_EXISTS"  # numbers 1, 2
    assert admin.post("/admin/dates/9/seats", seats).error == "DATE_NOT_FOUND"
    made = admin.post("/admin/dates/11/seats", seats | {"firstSeatNo": 6}).data
    assert made == {"seats": 2, "firstSeatId": 900, "lastSeatId": 901}
    assert hall.sql("select count(*) from reservation.seats") == [(7,)]


def test_as_many_seats_as_one_call_makes(world):
    world.start("reservation")
    concert(world, seats=10_000)
    assert len(free(world)) == 10_000


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/admin/concerts", {"id": 0, "name": "x"}),
        ("/admin/concerts", {"id": 5, "name": ""}),
        ("/admin/concerts", {"id": 5, "name": "x" * 121}),
        ("/admin/concerts", {"id": 5, "name": "x", "perUserLimit": 0}),
        ("/admin/concerts", {"id": 5, "name": "x", "perUserLimit": 1001}),
        ("/admin/concerts", {"id": 5, "name": "x", "line": -1}),
        ("/admin/concerts/x/dates", {"id": 5, "date": "2026-12-24T19:30:00Z"}),
        ("/admin/concerts/1/dates", {"id": 5}),
        ("/admin/concerts/1/dates", {"id": 5, "date": "tomorrow"}),
        ("/admin/dates/0/seats", {"firstSeatId": 1, "count": 1, "price": 1}),
        ("/admin/dates/11/seats", {"firstSeatId": 1, "count": 0, "price": 1}),
        ("/admin/dates/11/seats", {"firstSeatId": 1, "count": 10001, "price": 1}),
        ("/admin/dates/11/seats", {"firstSeatId": HUGE, "count": 1, "price": 1}),
        ("/admin/dates/11/seats", {"firstSeatId": 1, "count": 1, "price": -1}),
        ("/admin/dates/11/seats", {"firstSeatId": 1, "count": 1, "price": 10**10 + 1}),
    ],
)
def test_operators_mistakes_are_refused(module_hall, path, body):
    answer = module_hall.admin("reservation").post(path, body)
    assert (answer.status, answer.error) == (400, "BAD_PARAMETER")


@pytest.fixture(scope="module")
def module_hall(module_world):
    module_world.start("reservation")
    concert(module_world)
    return module_world


# --- holding ----------------------------------------------------------------------------


def test_a_seat_is_held_once(hall):
    held = hold(hall, 7, 100).data
    assert held["status"] == "HELD"
    assert (held["userId"], held["seatIds"], held["amount"]) == (7, [100], 1000)
    assert held["heldUntil"] > instant()[:19]
    for user in (8, 7):
        refused = hold(hall, user, 100)
        assert (refused.status, refused.error) == (409, "SEAT_TAKEN")
    wait_until(lambda: free(hall) == [101, 102, 103, 104])
    shown = hall.client("reservation").get(f"/reservations/{held['reservationId']}").data
    assert shown["status"] == "HELD"
    assert shown["heldUntil"] == held["heldUntil"]
    check_truths(hall)


def test_several_seats_are_all_or_nothing(hall):
    assert hold(hall, 7, 102).status == 200
    assert hold(hall, 8, 101, 102, 103).error == "SEAT_TAKEN"
    assert hold(hall, 8, 101, 999).error == "SEAT_NOT_FOUND"
    held = hold(hall, 8, 103, 101).data
    assert (held["seatIds"], held["amount"]) == ([101, 103], 2000)
    check_truths(hall)


def test_seats_of_two_concerts_are_two_requests(hall):
    concert(hall, 2, 21, 200)
    refused = hold(hall, 7, 100, 200)
    assert (refused.status, refused.error) == (400, "BAD_PARAMETER")
    more_seats(hall, 1, 12, 300, 2)
    assert hold(hall, 7, 100, 300).status == 200  # two dates of one concert


def test_the_limit_is_over_all_reservations_of_a_concert(hall):
    more_seats(hall, 1, 12, 300, 5)
    concert(hall, 2, 21, 200)
    first = hold(hall, 7, 100, 101, 102).data
    assert hold(hall, 7, 300, 301).error == "SEAT_LIMIT_REACHED"
    assert hold(hall, 7, 300).status == 200
    refused = hold(hall, 7, 301)
    assert (refused.status, refused.error) == (409, "SEAT_LIMIT_REACHED")
    assert hold(hall, 7, 200).status == 200  # another concert
    assert hold(hall, 8, 301).status == 200  # another user
    cancel(hall, first["reservationId"], 7)
    assert hold(hall, 7, 302).status == 200
    check_truths(hall)


def test_requests_at_the_same_moment_keep_the_limit(hall):
    requests = [
        post("/concerts/reserve-seat", {"userId": 7, "seatId": seat})
        for seat in range(100, 105)
        for _ in range(8)
    ]
    answers = decided_crowd(hall.port("reservation"), requests, 40)
    assert sum(status == 200 for status, _ in answers) == 4
    check_truths(hall)


def test_one_of_many_gets_the_seat(hall):
    hall.start("reservation-2")
    half = [post("/concerts/reserve-seat", {"userId": u, "seatId": 104}) for u in range(1, 201)]
    answers = decided_crowd(hall.port("reservation"), half, 100)
    answers += decided_crowd(hall.port("reservation-2"), half, 100)
    assert sum(status == 200 for status, _ in answers) == 1
    assert {status for status, _ in answers} == {200, 409}
    check_truths(hall)


def test_an_expired_hold_is_free_at_once(world):
    hall = short(world)
    first = hold(hall, 7, 100).data
    wait_until(lambda: hold(hall, 8, 100).status == 200)
    shown = hall.client("reservation").get(f"/reservations/{first['reservationId']}").data
    assert shown["status"] == "EXPIRED"
    check_truths(hall)


def test_an_expired_hold_does_not_count_for_the_limit(world):
    hall = short(world)
    assert hold(hall, 7, 100, 101, 102, 103).status == 200
    wait_until(lambda: hold(hall, 7, 104).status == 200)


def test_expired_seats_return_to_the_list(world):
    hall = short(world)
    assert hold(hall, 7, 100).status == 200
    wait_until(lambda: free(hall) == [100, 101, 102, 103, 104])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"userId": 7},
        {"seatId": 100},
        {"userId": 0, "seatId": 100},
        {"userId": 7, "seatId": 0},
        {"userId": 7, "seatId": -1},
        {"userId": 7, "seatId": 1.5},
        {"userId": 7, "seatId": "x"},
        {"userId": 7, "seatId": [100]},
        {"userId": 7, "seatIds": 100},
        {"userId": 7, "seatIds": []},
        {"userId": 7, "seatIds": [100, 100]},
        {"userId": 7, "seatIds": [100, 0]},
        {"userId": 7, "seatIds": ["x"]},
        {"userId": 7, "seatIds": list(range(1, 22))},
        {"userId": 7, "seatIds": [100], "seatId": 100},
    ],
)
def test_bad_wishes_are_refused(module_hall, body):
    answer = module_hall.client("reservation").post("/concerts/reserve-seat", body)
    assert (answer.status, answer.error) == (400, "BAD_PARAMETER")


def test_unknown_seats(module_hall):
    refused = hold(module_hall, 7, 999)
    assert (refused.status, refused.error) == (404, "SEAT_NOT_FOUND")
    assert hold(module_hall, 7, str(HUGE)).error == "SEAT_NOT_FOUND"
    answer = module_hall.client("reservation").post("/concerts/reserve-seat", b"{")
    assert (answer.status, answer.error) == (400, "BAD_JSON")


def test_a_borrowed_pass_holds_nothing(hall):
    client = hall.client("reservation")
    body = {"userId": 7, "seatId": 100}
    for owner in ("8", "x", "", "7x"):
        headers = {"X-Onrush-User": owner, "X-Onrush-Line": "0"}
        answer = client.post("/concerts/reserve-seat", body, headers=headers)
        assert (answer.status, answer.error) == (403, "PASS_BORROWED"), owner
    held = client.post("/concerts/reserve-seat", body, headers={"X-Onrush-User": "7"}).data
    path = f"/reservations/{held['reservationId']}"
    assert client.get(path, headers={"X-Onrush-User": "8"}).error == "RESERVATION_NOT_FOUND"
    assert client.get(path, headers={"X-Onrush-User": "7"}).status == 200


def test_a_pass_opens_the_concerts_of_its_line(hall):
    """Hall's own concert has the general line."""
    concert(hall, 2, 21, 200, seats=3, line=5)

    def ask(seats, line=None):
        headers = {"X-Onrush-User": "7"}
        if line is not None:
            headers["X-Onrush-Line"] = str(line)
        body = {"userId": 7, "seatIds": seats}
        return hall.client("reservation").post("/concerts/reserve-seat", body, headers=headers)

    assert (ask([200], 0).status, ask([200], 0).error) == (403, "PASS_OF_OTHER_LINE")
    assert ask([100], 5).error == "PASS_OF_OTHER_LINE"
    assert ask([200, 201], 6).error == "PASS_OF_OTHER_LINE"
    assert ask([999], 5).error == "SEAT_NOT_FOUND"
    assert ask([200], 5).status == 200
    assert ask([100], 0).status == 200
    assert ask([201]).status == 200  # where nobody needs a pass


# --- the same request again -------------------------------------------------------------


def test_the_same_key_is_the_same_hold(hall):
    first = hold(hall, 7, 100, 101, key="a")
    again = hold(hall, 7, 101, 100, key="a")
    assert again.data == first.data
    assert again.headers["idempotent-replayed"] == "true"
    assert hold(hall, 7, 102, key="a").error == "IDEMPOTENCY_KEY_REUSED"
    assert hold(hall, 8, 100, key="a").error == "SEAT_TAKEN"
    assert hold(hall, 7, 100, key="x" * 256).error == "BAD_PARAMETER"
    assert hall.sql("select count(*) from reservation.reservations") == [(1,)]


def test_the_same_key_at_the_same_moment(hall):
    hall.start("reservation-2")
    body = {"userId": 7, "seatIds": [100, 101]}
    requests = [post("/concerts/reserve-seat", body, {"Idempotency-Key": "k"})] * 60
    answers = decided_crowd(hall.port("reservation"), requests, 30)
    answers += decided_crowd(hall.port("reservation-2"), requests, 30)
    assert {status for status, _ in answers} == {200}
    assert len({answer["data"]["reservationId"] for _, answer in answers}) == 1
    check_truths(hall)


# --- giving back ------------------------------------------------------------------------


def cancel(world, reservation, user):
    path = f"/reservations/{reservation}/cancel"
    return world.client("reservation").post(path, {"userId": user})


def test_a_hold_is_given_back(hall):
    first = hold(hall, 7, 100, 101).data["reservationId"]
    assert hold(hall, 8, 100).error == "SEAT_TAKEN"
    given = cancel(hall, first, 7).data
    assert (given["status"], given["seatIds"]) == ("CANCELLED", [100, 101])
    assert cancel(hall, first, 7).data == given
    wait_until(lambda: hold(hall, 8, 100).status == 200)
    assert cancel(hall, first, 7).data == given
    assert hold(hall, 9, 100).error == "SEAT_TAKEN"
    check_truths(hall)


def test_other_peoples_holds_are_not_there(hall):
    first = hold(hall, 7, 100).data["reservationId"]
    refused = cancel(hall, first, 8)
    assert (refused.status, refused.error) == (404, "RESERVATION_NOT_FOUND")
    assert cancel(hall, first + 1, 7).error == "RESERVATION_NOT_FOUND"
    assert cancel(hall, "x", 7).error == "BAD_PARAMETER"
    assert cancel(hall, first, 0).error == "BAD_PARAMETER"
    client = hall.client("reservation")
    assert client.get("/reservations/999").error == "RESERVATION_NOT_FOUND"
    assert client.get("/reservations/x").error == "BAD_PARAMETER"
    assert hold(hall, 8, 100).error == "SEAT_TAKEN"


# --- without the database ---------------------------------------------------------------


def test_without_postgresql_nothing_is_granted(make_world):
    world = make_world(pg=True)
    world.start("reservation")
    concert(world)
    assert hold(world, 7, 100).status == 200
    world.pg.stop()
    wait_until(lambda: hold(world, 7, 101).status == 503)
    wait_until(lambda: world.client("reservation").get("/concerts").status == 503)
    world.pg.start()
    wait_until(lambda: hold(world, 7, 102).status == 200, 30)
    assert hold(world, 8, 100).error == "SEAT_TAKEN"
    check_truths(world)
