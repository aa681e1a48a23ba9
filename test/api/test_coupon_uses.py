"""Coupons that orders take: reserved once, used or given back, and seen by their owner."""

import concurrent.futures

import pytest
from api.coupons import PROGRAMS, ask, campaign, instant
from api.patience import decided_crowd
from harness.crowd import crowd, post

PATH = "/internal/uses"


@pytest.fixture
def shop(world):
    world.start(*PROGRAMS)
    return world


def wish(order, user=1, coupon_id=1):
    return {"orderId": order, "userId": user, "couponId": coupon_id}


def take(world, order, user=1, coupon_id=1):
    return world.client("coupon").post(PATH, wish(order, user, coupon_id))


def tell(world, **states):
    """tell(world, o7="USED") says that order 7 used its coupon."""
    uses = [{"orderId": int(order[1:]), "state": state} for order, state in states.items()]
    answer = world.client("coupon").put(PATH, {"uses": uses})
    assert answer.status == 200, answer.body


def uses(world):
    return world.sql(
        "select coupon_id, rank, user_id, order_id, state from coupon.uses order by 1, 2"
    )


def shown(world, user=1):
    """What the user sees of each coupon."""
    coupons = world.client("coupon").get(f"/users/{user}/coupons").data["coupons"]
    return sorted((c["couponId"], c["rank"], c["status"], c.get("usedBy")) for c in coupons)


def test_a_coupon_for_one_order(shop):
    expires = instant(days=3)
    campaign(shop, discountRate=0.125, expiresAt=expires)
    ask(shop, 2)
    ask(shop, 1)
    answer = take(shop, 7).data
    assert (answer["rank"], answer["discountRateThousandths"]) == (2, 125)
    assert answer["expiresAt"][:19] == expires[:19]
    assert uses(shop) == [(1, 2, 1, 7, "RESERVED")]
    assert take(shop, 8).error == "COUPON_USED"
    assert take(shop, 9, user=2).data["rank"] == 1


def test_the_owner_sees_what_became_of_it(shop):
    campaign(shop, perUserLimit=3)
    for _ in range(3):
        ask(shop, 1)
    take(shop, 7)
    take(shop, 8)
    tell(shop, o7="USED")
    assert shown(shop) == [(1, 1, "USED", 7), (1, 2, "RESERVED", 8), (1, 3, "ISSUED", None)]


def test_the_lowest_free_rank_goes_first(shop):
    campaign(shop, perUserLimit=3)
    for _ in range(3):
        ask(shop, 1)
    assert [take(shop, order).data["rank"] for order in (11, 12, 13)] == [1, 2, 3]
    assert take(shop, 14).error == "COUPON_USED"
    tell(shop, o12="RELEASED")
    assert take(shop, 14).data["rank"] == 2


def test_the_same_order_again(shop):
    campaign(shop, perUserLimit=2)
    ask(shop, 1)
    ask(shop, 1)
    first = take(shop, 7).data
    assert take(shop, 7).data == first
    tell(shop, o7="USED")
    assert take(shop, 7).data == first
    assert len(uses(shop)) == 1


def test_an_order_has_one_coupon(shop):
    campaign(shop, 1)
    campaign(shop, 2)
    for user, coupon_id in ((1, 1), (1, 2), (2, 1)):
        ask(shop, user, coupon_id)
    take(shop, 7)
    for other in (take(shop, 7, coupon_id=2), take(shop, 7, user=2)):
        assert (other.status, other.error) == (409, "ORDER_STATE_CONFLICT")
    assert len(uses(shop)) == 1


def test_refusals(shop):
    campaign(shop, 1)
    campaign(shop, 2)
    ask(shop, 1, 1)
    ask(shop, 1, 2)
    shop.sql("update coupon.campaigns set expires_at = now() where coupon_id = 2")
    unknown, foreign, expired = take(shop, 7, 1, 99), take(shop, 7, 2, 1), take(shop, 7, 1, 2)
    assert (unknown.status, unknown.error) == (404, "COUPON_NOT_FOUND")
    assert (foreign.status, foreign.error) == (409, "COUPON_NOT_OWNED")
    assert (expired.status, expired.error) == (409, "COUPON_EXPIRED")
    assert uses(shop) == []


def test_a_closed_campaign_s_coupons_are_good(shop):
    campaign(shop)
    ask(shop, 1)
    shop.admin("coupon").post("/admin/coupons/1/close")
    assert take(shop, 7).status == 200


def test_many_orders_at_once_for_few_coupons(shop):
    """Exactly as many are taken as there are, each by one order."""
    campaign(shop, perUserLimit=5)
    for _ in range(5):
        ask(shop, 1)
    shop.start("coupon-1")
    requests = [post(PATH, wish(order)) for order in range(1, 41)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        halves = (requests[:20], requests[20:])
        ports = (shop.port("coupon"), shop.port("coupon-1"))
        answers = [a for half in pool.map(decided_crowd, ports, halves, (20, 20)) for a in half]
    taken = [body["data"]["rank"] for status, body in answers if status == 200]
    assert sorted(taken) == [1, 2, 3, 4, 5]
    assert {body["error"] for status, body in answers if status != 200} == {"COUPON_USED"}
    assert [rank for _, rank, *_ in uses(shop)] == [1, 2, 3, 4, 5]


def test_one_order_many_times_at_once(shop):
    campaign(shop, perUserLimit=5)
    for _ in range(5):
        ask(shop, 1)
    answers = crowd(shop.port("coupon"), [post(PATH, wish(7))] * 30, 30)
    assert {status for status, _ in answers} == {200}
    ((_, rank, *_),) = uses(shop)
    assert {body["data"]["rank"] for _, body in answers} == {rank}


# --- what became of the order -----------------------------------------------------------


def test_telling_again_changes_nothing(shop):
    campaign(shop)
    ask(shop, 1)
    take(shop, 7)
    for _ in range(2):
        tell(shop, o7="USED", o8="USED", o9="RELEASED")
        assert uses(shop) == [(1, 1, 1, 7, "USED")]
    for _ in range(2):
        tell(shop, o7="RELEASED")
        assert uses(shop) == []


def test_late_news_do_not_take_a_coupon_again(shop):
    """Paid and cancelled, told in the wrong order: it is free, and another's stays."""
    campaign(shop)
    ask(shop, 1)
    take(shop, 7)
    tell(shop, o7="RELEASED")
    take(shop, 8)
    tell(shop, o7="USED")
    assert uses(shop) == [(1, 1, 1, 8, "RESERVED")]


def test_paid_and_cancelled_in_one_call(shop):
    campaign(shop)
    ask(shop, 1)
    take(shop, 7)
    both = [{"orderId": 7, "state": state} for state in ("USED", "RELEASED")]
    assert shop.client("coupon").put(PATH, {"uses": both}).status == 200
    assert uses(shop) == []


def test_a_thousand_in_one_call(shop):
    many = [{"orderId": order, "state": "USED"} for order in range(1, 1001)]
    assert shop.client("coupon").put(PATH, {"uses": many}).status == 200
    assert shop.client("coupon").put(PATH, {"uses": [*many, many[0]]}).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"uses": []},
        {"uses": [{"orderId": 1}]},
        {"uses": [{"orderId": 1, "state": "EATEN"}]},
        {"uses": [{"orderId": 0, "state": "USED"}]},
        {"uses": [7]},
    ],
)
def test_what_is_not_a_change(shop, body):
    answer = shop.client("coupon").put(PATH, body)
    assert answer.status == 400
    assert answer.error in ("BAD_JSON", "BAD_PARAMETER")


@pytest.mark.parametrize("missing", ["orderId", "userId", "couponId"])
def test_what_is_not_a_wish(shop, missing):
    body = wish(7)
    del body[missing]
    assert shop.client("coupon").post(PATH, body).status == 400


def test_clients_do_not_get_there(shop):
    shop.start("gateway")
    for call in (shop.client("gateway").post, shop.client("gateway").put):
        for path in (PATH, f"/api/v1{PATH}"):
            assert call(path, wish(7)).status == 404
