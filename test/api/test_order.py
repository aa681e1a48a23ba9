"""Orders through the real programs: placed, settled, looked up, cancelled, refused; the same
request again; coupons that go with them.
"""

import concurrent.futures
import uuid

import pytest
from api.coupons import ask, campaign, wait_until
from api.orders import account, balance, check_truths, product, status, stock
from api.patience import decided, insist
from api.rankings import ranked, was_told

PROGRAMS = ("order", "payment-worker")


def buy(world, user=1, products=None, **more):
    """POST /orders for {product: quantity}; `key` is the Idempotency-Key."""
    key = more.pop("key", None)
    body = {
        "userId": user,
        "products": [{"id": p, "quantity": n} for p, n in (products or {1: 1}).items()],
    } | more
    headers = {"Idempotency-Key": key} if key else {}
    return world.client("order").post("/orders", body, headers=headers)


def placed(world, *args, **more):
    """The id of an order that was taken."""
    answer = buy(world, *args, **more)
    assert answer.status == 200, answer
    return answer.data["orderId"]


def cancel(world, order_id, key=None, **body):
    headers = {"Idempotency-Key": key} if key else {}
    return world.client("order").post(f"/orders/{order_id}/cancel", body, headers=headers)


def show(world, order_id):
    return world.client("order").get(f"/orders/{order_id}")


def settled(world, order_id):
    """(status, reason) when the payment-worker is done with it."""
    wait_until(lambda: status(world, order_id)[0] != "PENDING")
    return status(world, order_id)


@pytest.fixture
def shop(world):
    """Users 1 and 2 with 100,000 each, products 1 to 3 at 1,000, 200 and 30."""
    world.start(*PROGRAMS)
    for user in (1, 2):
        account(world, user, 100_000)
    for p, price in ((1, 1000), (2, 200), (3, 30)):
        product(world, p, price=price, stock=10)
    return world


@pytest.fixture
def coupon_shop(shop):
    """The same with a coupon of 30 % that user 1 has once."""
    shop.start("coupon", "coupon-publisher")
    assert campaign(shop, 7).status == 200
    assert ask(shop, 1, 7).status == 200
    return shop


# --- the way of an order -----------------------------------------------------------------


def test_an_order_is_taken_and_completed(shop):
    answer = buy(shop, 1, {1: 2, 3: 4})
    assert answer.status == 200
    assert answer.data | {"orderId": 0} == {
        "orderId": 0,
        "userId": 1,
        "status": "PENDING",
        "amount": 2120,
        "discount": 0,
        "totalAmount": 2120,
    }
    order_id = answer.data["orderId"]
    assert settled(shop, order_id) == ("COMPLETED", None)
    data = show(shop, order_id).data
    assert data["status"] == "COMPLETED"
    assert data["products"] == [
        {"id": 1, "quantity": 2, "price": 1000},
        {"id": 3, "quantity": 4, "price": 30},
    ]
    assert data["createdAt"] <= data["settledAt"]
    assert "reason" not in data and "cancelledAt" not in data
    assert balance(shop, 1) == 100_000 - 2120
    check_truths(shop)


def test_many_at_once_each_get_their_own_order(shop):
    account(shop, 3, 10**9)
    product(shop, 9, price=7, stock=1000)
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        ids = list(pool.map(lambda n: placed(shop, 3, {9: n % 5 + 1}), range(200)))
    assert len(set(ids)) == 200
    wait_until(lambda: shop.sql("select count(*) from orders.unsettled") == [(0,)])
    assert stock(shop, 9) == 1000 - sum(n % 5 + 1 for n in range(200))
    check_truths(shop)


def test_the_price_is_the_one_of_the_moment(shop):
    order_id = placed(shop, 1, {1: 1})
    shop.sql("update orders.products set price = 5000 where product_id = 1")
    assert show(shop, order_id).data["products"][0]["price"] == 1000
    assert buy(shop, 1, {1: 1}).data["amount"] == 5000


@pytest.mark.parametrize(
    ("products", "reason"),
    [({1: 11}, "OUT_OF_STOCK"), ({1: 10, 2: 10, 3: 10}, None), ({2: 11}, "OUT_OF_STOCK")],
)
def test_stock_decides_when_it_is_paid(shop, products, reason):
    order_id = placed(shop, 1, products)
    assert settled(shop, order_id) == ("FAILED" if reason else "COMPLETED", reason)
    assert show(shop, order_id).data.get("reason") == reason
    check_truths(shop)


def test_who_cannot_pay(shop):
    account(shop, 3, 999)
    order_id = placed(shop, 3, {1: 1})
    assert settled(shop, order_id) == ("FAILED", "INSUFFICIENT_BALANCE")
    assert balance(shop, 3) == 999
    check_truths(shop)


def test_a_user_without_an_account(shop):
    assert settled(shop, placed(shop, 404, {1: 1})) == ("FAILED", "USER_NOT_FOUND")


# --- refused before anything is written ------------------------------------------------------


def line(**changes):
    return {"products": [{"id": 1, "quantity": 1} | changes]}


BAD = {
    "no user": {"userId": None},
    "user 0": {"userId": 0},
    "negative user": {"userId": -1},
    "user is text": {"userId": "one"},
    "no lines": {"products": None},
    "empty lines": {"products": []},
    "lines are no array": {"products": {"id": 1, "quantity": 1}},
    "a line is a number": {"products": [1]},
    "duplicate line": {"products": [{"id": 1, "quantity": 1}, {"id": 1, "quantity": 2}]},
    "101 lines": {"products": [{"id": n + 1, "quantity": 1} for n in range(101)]},
    "no quantity": line(quantity=None),
    "quantity 0": line(quantity=0),
    "negative quantity": line(quantity=-1),
    "half a piece": line(quantity=0.5),
    "too many pieces": line(quantity=10_001),
    "overflowing quantity": line(quantity=2**63),
    "product 0": line(id=0),
    "negative product": line(id=-5),
    "overflowing product": line(id=2**64),
    "coupon 0": {"couponId": 0},
    "coupon is text": {"couponId": "seven"},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_bad_orders(shop, change):
    body = {"userId": 1, "products": [{"id": 1, "quantity": 1}]} | change
    body = {k: v for k, v in body.items() if v is not None}
    answer = shop.client("order").post("/orders", body)
    assert (answer.status, answer.error) in {(400, "BAD_PARAMETER"), (400, "BAD_JSON")}
    assert shop.sql("select count(*) from orders.orders") == [(0,)]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"userId":1,"userId":1}', b"\xff"])
def test_bodies_that_are_no_order(shop, text):
    answer = shop.client("order").post("/orders", text)
    assert answer.status == 400


def test_unknown_and_stopped_products(shop):
    shop.sql("update orders.products set status = 'STOPPED' where product_id = 2")
    unknown, stopped = buy(shop, 1, {1: 1, 99: 1}), buy(shop, 1, {1: 1, 2: 1})
    assert (unknown.status, unknown.error) == (404, "PRODUCT_NOT_FOUND")
    assert "99" in unknown.json["message"]
    assert (stopped.status, stopped.error) == (409, "PRODUCT_NOT_FOR_SALE")
    assert shop.sql("select count(*) from orders.orders") == [(0,)]


def test_an_amount_beyond_what_accounts_hold(shop):
    for p in range(10, 22):
        product(shop, p, price=10**10, stock=10**6)
    answer = buy(shop, 1, dict.fromkeys(range(10, 22), 10000))
    assert (answer.status, answer.error) == (400, "BAD_PARAMETER")


def test_a_refused_one_does_not_spoil_its_batch(shop):
    """Many at once are one statement; each has its own outcome."""
    wishes = [{1: 1}, {99: 1}, {2: 1}, {98: 1}, {3: 1}] * 8
    product(shop, 50, stock=1000)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda w: buy(shop, 1, w).status, wishes))
    assert answers == [404 if set(w) & {98, 99} else 200 for w in wishes]


# --- the same request again -------------------------------------------------------------------


def test_a_key_repeats_the_answer(shop):
    key = str(uuid.uuid4())
    first, again = buy(shop, 1, {1: 1}, key=key), buy(shop, 1, {1: 1}, key=key)
    assert first.headers.get("idempotent-replayed") is None
    assert again.headers["idempotent-replayed"] == "true"
    assert again.data == first.data
    settled(shop, first.data["orderId"])
    assert buy(shop, 1, {1: 1}, key=key).data == first.data
    assert shop.sql("select count(*) from orders.orders") == [(1,)]


@pytest.mark.parametrize(
    "other", [{"products": {1: 2}}, {"products": {2: 1}}, {"products": {1: 1, 2: 1}}]
)
def test_a_key_with_another_order(shop, other):
    assert buy(shop, 1, {1: 1}, key="k").status == 200
    answer = buy(shop, 1, other["products"], key="k")
    assert (answer.status, answer.error) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_keys_are_each_user_s_own(shop):
    assert placed(shop, 1, {1: 1}, key="k") != placed(shop, 2, {1: 1}, key="k")


def test_one_key_many_times_at_once(shop):
    """One order; whoever is not told its id is told to come again."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: buy(shop, 1, {1: 1}, key="k"), range(64)))
    ids = {a.data["orderId"] for a in answers if a.status == 200}
    others = {(a.status, a.error) for a in answers if a.status != 200}
    assert len(ids) == 1
    assert others <= {(409, "REQUEST_IN_PROGRESS")}
    assert all(int(a.headers["retry-after"]) >= 1 for a in answers if a.status == 409)
    assert shop.sql("select count(*) from orders.orders") == [(1,)]


def test_one_key_at_two_instances(shop):
    """Both write the same order at the same moment: one of them finds the other's."""
    shop.start("order-1")
    for n in range(20):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(
                    lambda name, n=n: insist(
                        shop.client(name).call,
                        "POST",
                        "/orders",
                        {"userId": 1, "products": [{"id": 1, "quantity": 1}]},
                        {"Idempotency-Key": f"k{n}"},
                    ),
                    ("order", "order-1"),
                )
            )
        assert [a.status for a in answers] == [200, 200]
        assert answers[0].data == answers[1].data
    assert shop.sql("select count(*) from orders.orders") == [(20,)]


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_keys_that_are_none(shop, key):
    answer = shop.client("order").post(
        "/orders",
        {"userId": 1, "products": [{"id": 1, "quantity": 1}]},
        headers={"Idempotency-Key": key},
    )
    assert answer.status == 400


# --- looking it up ----------------------------------------------------------------------------


def test_orders_that_are_not_there(shop):
    assert (show(shop, 12345).status, show(shop, 12345).error) == (404, "ORDER_NOT_FOUND")
    assert show(shop, "abc").status == 400
    assert show(shop, 0).status == 400
    assert cancel(shop, 12345).error == "ORDER_NOT_FOUND"
    assert cancel(shop, "-1").status == 400


# --- cancelling -------------------------------------------------------------------------------


def test_everything_comes_back(shop):
    order_id = placed(shop, 1, {1: 2, 2: 3})
    assert settled(shop, order_id)[0] == "COMPLETED"
    answer = cancel(shop, order_id)
    assert answer.status == 200
    assert answer.data["status"] == "CANCELLED"
    assert answer.data["settledAt"] <= answer.data["cancelledAt"]
    assert balance(shop, 1) == 100_000
    assert (stock(shop, 1), stock(shop, 2)) == (10, 10)
    assert shop.sql("select sum(sold) from orders.daily_sales") == [(0,)]
    refunds = shop.sql(
        "select debit, credit, amount, balance, order_id from orders.transfers"
        " where kind = 'REFUND'"
    )
    assert refunds == [(-1, 1, 2600, 100_000, order_id)]
    check_truths(shop)


def test_others_are_told_of_it(shop):
    order_id = placed(shop, 1, {1: 2})
    settled(shop, order_id)
    assert cancel(shop, order_id).status == 200
    ((records,),) = shop.sql("select records from orders.outbox where topic = 'ORDER_CANCELLED'")
    (record,) = records
    assert record["key"] == str(order_id)
    assert record["value"]["type"] == "ORDER_CANCELLED"
    assert record["value"]["payload"]["orderId"] == order_id
    assert record["value"]["payload"]["lines"] == [{"id": 1, "quantity": 2, "price": 1000}]
    assert shop.sql("select 1 from orders.outbox where topic = 'COUPON_USES'") == []


def test_the_ranking_goes_down(shop):
    product(shop, 9, price=1, stock=1000)
    orders = []

    def goes_up():
        for order_id in [placed(shop, 1, {9: 2}) for _ in range(3)]:
            assert settled(shop, order_id)[0] == "COMPLETED"
            orders.append(order_id)
        return was_told(shop)

    def goes_down():
        assert cancel(shop, orders.pop()).status == 200
        return was_told(shop)

    for changes in (goes_up, goes_down):
        wait_until(changes)
        assert list(ranked(shop).values()) == [2 * len(orders)]


def test_cancel_twice(shop):
    order_id = placed(shop, 1, {1: 1})
    settled(shop, order_id)
    first, other = cancel(shop, order_id, key="a"), cancel(shop, order_id, key="b")
    again = cancel(shop, order_id, key="a")
    assert first.status == 200
    assert (other.status, other.error) == (409, "ORDER_STATE_CONFLICT")
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.data == first.data
    assert cancel(shop, order_id).error == "ORDER_STATE_CONFLICT"
    assert balance(shop, 1) == 100_000
    check_truths(shop)


def test_a_failed_order_is_not_cancelled(shop):
    order_id = placed(shop, 1, {1: 11})
    settled(shop, order_id)
    assert cancel(shop, order_id).error == "ORDER_STATE_CONFLICT"
    assert status(shop, order_id)[0] == "FAILED"


def test_cancelled_before_it_is_paid(shop):
    shop.stop("payment-worker")
    order_id = placed(shop, 1, {1: 1})
    assert cancel(shop, order_id).status == 200
    shop.start("payment-worker")
    later = placed(shop, 1, {2: 1})
    assert settled(shop, later)[0] == "COMPLETED"
    assert status(shop, order_id) == ("CANCELLED", None)
    assert balance(shop, 1) == 100_000 - 200
    check_truths(shop)


def test_cancelled_while_it_is_being_paid(shop):
    """Whoever is first decides; money and stock are right either way."""
    account(shop, 3, 10**6)
    product(shop, 9, price=100, stock=1000)

    def place_and_cancel(_):
        order_id = decided(buy, shop, 3, {9: 1}).data["orderId"]
        return decided(cancel, shop, order_id).status

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(place_and_cancel, range(100))) == {200}
    assert balance(shop, 3) == 10**6
    assert stock(shop, 9) == 1000
    check_truths(shop)


def test_cancelled_many_times_at_once(shop):
    order_id = placed(shop, 1, {1: 1})
    settled(shop, order_id)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: decided(cancel, shop, order_id).status, range(32)))
    assert sorted(answers) == [200] + [409] * 31
    assert balance(shop, 1) == 100_000
    check_truths(shop)


def test_other_people_s_orders(shop):
    order_id = placed(shop, 1, {1: 1})
    settled(shop, order_id)
    assert cancel(shop, order_id, userId=2).error == "ORDER_NOT_FOUND"
    assert cancel(shop, order_id, userId=1).status == 200


# --- coupons ----------------------------------------------------------------------------------


def test_a_coupon_takes_its_share(coupon_shop):
    answer = buy(coupon_shop, 1, {1: 1, 3: 1}, couponId=7)
    assert answer.status == 200
    assert (answer.data["discount"], answer.data["totalAmount"]) == (309, 721)
    assert answer.data["couponId"] == 7
    assert settled(coupon_shop, answer.data["orderId"])[0] == "COMPLETED"
    assert balance(coupon_shop, 1) == 100_000 - 721
    assert show(coupon_shop, answer.data["orderId"]).data["couponRank"] == 1
    check_truths(coupon_shop)


def test_a_coupon_pays_once(coupon_shop):
    placed(coupon_shop, 1, {1: 1}, couponId=7)
    answer = buy(coupon_shop, 1, {2: 1}, couponId=7)
    assert (answer.status, answer.error) == (409, "COUPON_USED")


def test_other_people_s_coupons(coupon_shop):
    answer = buy(coupon_shop, 2, {1: 1}, couponId=7)
    assert (answer.status, answer.error) == (409, "COUPON_NOT_OWNED")
    assert buy(coupon_shop, 2, {1: 1}, couponId=8).error == "COUPON_NOT_FOUND"


def test_a_key_with_a_coupon(coupon_shop):
    first = buy(coupon_shop, 1, {1: 1}, couponId=7, key="k")
    again = buy(coupon_shop, 1, {1: 1}, couponId=7, key="k")
    assert first.status == 200
    assert (again.data, again.headers["idempotent-replayed"]) == (first.data, "true")
    assert buy(coupon_shop, 1, {1: 1}, couponId=8, key="k").error == "IDEMPOTENCY_KEY_REUSED"
    assert buy(coupon_shop, 1, {1: 1}, key="k").error == "IDEMPOTENCY_KEY_REUSED"


def test_a_key_with_a_coupon_many_times_at_once(coupon_shop):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda _: buy(coupon_shop, 1, {1: 1}, couponId=7, key="k"), range(48))
        )
    assert len({a.data["orderId"] for a in answers if a.status == 200}) == 1
    assert {a.error for a in answers if a.status != 200} <= {"REQUEST_IN_PROGRESS"}
    assert coupon_shop.sql("select count(*) from coupon.uses") == [(1,)]


def test_the_coupon_service_is_away(coupon_shop):
    coupon_shop.kill("coupon")
    answer = buy(coupon_shop, 1, {1: 1}, couponId=7)
    assert (answer.status, answer.error) == (503, "DEPENDENCY_UNAVAILABLE")
    assert buy(coupon_shop, 1, {1: 1}).status == 200
