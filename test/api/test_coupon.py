"""A first-come coupon: what the service answers, and what PostgreSQL holds afterwards."""

import concurrent.futures
import itertools
import json
import time
import uuid

import psycopg
import pytest
from api.coupons import PROGRAMS, ask, campaign, instant, issued, wait_until
from harness.crowd import crowd, post


@pytest.fixture
def shop(world):
    world.start(*PROGRAMS)
    return world


def test_a_coupon_with_rank_and_receipt(shop):
    assert campaign(shop).status == 200
    first, second = ask(shop, 42), ask(shop, 43)
    data = first.data
    assert first.json["message"] == "OK"
    assert (data["couponId"], data["userId"], data["rank"]) == (1, 42, 1)
    assert data["status"] == "ISSUED"
    assert data["receipt"]["rank"] == 1
    assert second.data["receipt"]["previousHash"] == data["receipt"]["hash"]
    assert issued(shop) == [(1, 42), (2, 43)]


def test_one_for_each_user(shop):
    campaign(shop)
    assert ask(shop, 1).status == 200
    again = ask(shop, 1)
    assert (again.status, again.error) == (409, "COUPON_ALREADY_ISSUED")
    assert issued(shop) == [(1, 1)]


def test_as_many_as_the_limit_for_each_user(shop):
    campaign(shop, perUserLimit=3)
    assert [ask(shop, 1).status for _ in range(4)] == [200, 200, 200, 409]
    assert len(issued(shop)) == 3


def test_exactly_as_many_as_there_are(shop):
    campaign(shop, quantity=50)
    requests = [post("/coupons", {"userId": u, "couponId": 1}) for u in range(1, 301)]
    answers = crowd(shop.port("coupon"), requests, 64)
    assert [status for status, _ in answers].count(200) == 50
    assert {body["error"] for status, body in answers if status == 409} == {"COUPON_SOLD_OUT"}
    granted = sorted(
        (body["data"]["rank"], body["data"]["userId"]) for status, body in answers if status == 200
    )
    assert granted == issued(shop)
    assert [rank for rank, _ in granted] == list(range(1, 51))
    assert "clean" in shop.onrush("verify", 1).stdout.lower()


def test_many_at_once_by_one_user_give_one(shop):
    campaign(shop, quantity=50)
    answers = crowd(shop.port("coupon"), [post("/coupons", {"userId": 7, "couponId": 1})] * 50, 50)
    assert [status for status, _ in answers].count(200) == 1
    assert {status for status, _ in answers} == {200, 409}
    assert issued(shop) == [(1, 7)]


def test_unlimited_within_its_time(shop):
    campaign(shop, kind="UNLIMITED", quantity=None, closesAt=instant(minutes=5))
    assert [ask(shop, user).status for user in range(1, 6)] == [200] * 5
    assert "remaining" not in shop.client("coupon").get("/coupons/1").data


@pytest.mark.parametrize(
    "window",
    [
        {"opensAt": instant(hours=1)},
        {"opensAt": instant(hours=-2), "closesAt": instant(hours=-1)},
        {"expiresAt": instant(seconds=-1)},
        {"open": False},
    ],
    ids=["not yet", "over", "expired", "draft"],
)
def test_outside_its_time_nothing_is_issued(shop, window):
    campaign(shop, **window)
    for _ in range(2):
        refused = ask(shop, 1)
        assert (refused.status, refused.error) == (409, "COUPON_NOT_OPEN")
    assert issued(shop) == []


def test_an_unknown_coupon(shop):
    refused = ask(shop, 1, coupon_id=99)
    assert (refused.status, refused.error) == (404, "COUPON_NOT_FOUND")


def test_the_older_path(shop):
    campaign(shop)
    answer = shop.client("coupon").post("/users/12/coupons", {"couponId": 1})
    assert (answer.data["userId"], answer.data["rank"]) == (12, 1)


# --- the same request again -------------------------------------------------------------


def test_a_key_repeats_the_answer(shop):
    campaign(shop)
    first = ask(shop, 1, Idempotency_Key="a")
    again = ask(shop, 1, Idempotency_Key="a")
    assert first.status == again.status == 200
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.data["rank"] == first.data["rank"]
    assert again.data["receipt"]["hash"] == first.data["receipt"]["hash"]
    assert ask(shop, 1, Idempotency_Key="b").error == "COUPON_ALREADY_ISSUED"


def test_a_key_repeats_the_answer_when_all_are_gone(shop):
    campaign(shop, quantity=1)
    first = ask(shop, 1, Idempotency_Key="a")
    assert ask(shop, 2).error == "COUPON_SOLD_OUT"
    assert ask(shop, 1, Idempotency_Key="a").data["rank"] == first.data["rank"]


def test_a_key_for_another_coupon_is_refused(shop):
    campaign(shop, 1)
    campaign(shop, 2)
    assert ask(shop, 1, 1, Idempotency_Key="a").status == 200
    refused = ask(shop, 1, 2, Idempotency_Key="a")
    assert (refused.status, refused.error) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert issued(shop, 2) == []


def test_keys_of_different_users_are_different(shop):
    campaign(shop)
    assert ask(shop, 1, Idempotency_Key="a").status == 200
    assert ask(shop, 2, Idempotency_Key="a").data["rank"] == 2


# --- later ------------------------------------------------------------------------------

# Below the 3 s after which a request is answered at any rate.
PATIENCE_MS = 2500


def test_asked_for_later(world):
    """The publisher comes afterwards: it may decide before Kafka has confirmed the request."""
    world.start("coupon", ONRUSH_KAFKA_PATIENCE_MS=PATIENCE_MS)
    campaign(world)
    began = time.monotonic()
    accepted = ask(world, 1, Prefer="respond-async")
    assert time.monotonic() - began < PATIENCE_MS / 1000  # it did not wait for a decision
    assert accepted.status == 202
    assert accepted.headers["retry-after"]
    path = accepted.headers["location"].removeprefix("/api/v1")
    world.start("coupon-publisher")
    wait_until(lambda: world.client("coupon").get(path).status == 200)
    found = world.client("coupon").get(path).data
    assert (found["userId"], found["rank"]) == (1, 1)
    assert issued(world) == [(1, 1)]


def test_nobody_decides_in_time(world):
    """Without a publisher the request is accepted, and decided when one comes."""
    world.start("coupon", ONRUSH_KAFKA_PATIENCE_MS=PATIENCE_MS)
    campaign(world)
    accepted = ask(world, 5)
    assert accepted.status == 202
    path = accepted.headers["location"].removeprefix("/api/v1")
    assert world.client("coupon").get(path).status == 202
    world.start("coupon-publisher")
    wait_until(lambda: world.client("coupon").get(path).status == 200)
    assert issued(world) == [(1, 5)]


def test_a_refusal_can_be_asked_for(shop):
    campaign(shop, quantity=0, open=False)
    accepted = ask(shop, 1)
    assert accepted.error == "COUPON_NOT_OPEN"
    unknown = shop.client("coupon").get(f"/coupons/1/requests/{uuid.uuid4()}")
    assert unknown.status == 202  # it may be on its way


# --- looking up -------------------------------------------------------------------------


def test_the_campaign_and_what_is_left(shop):
    campaign(shop, quantity=3)
    ask(shop, 1)
    data = shop.client("coupon").get("/coupons/1").data
    assert (data["quantity"], data["issued"], data["remaining"]) == (3, 1, 2)
    assert (data["kind"], data["status"], data["discountRate"]) == ("LIMITED", "PUBLISHABLE", 0.3)
    assert shop.client("coupon").get("/coupons/77").error == "COUPON_NOT_FOUND"


def test_the_coupons_of_a_user(shop):
    for coupon_id in (1, 2, 3):
        campaign(shop, coupon_id)
    for coupon_id in (1, 3):
        ask(shop, 9, coupon_id)
    found = shop.client("coupon").get("/users/9/coupons").data["coupons"]
    assert [c["couponId"] for c in found] == [3, 1]
    assert found[0]["name"] == "coupon 3"
    assert shop.client("coupon").get("/users/10/coupons").data["coupons"] == []


def test_a_receipt_is_proven_offline(shop, tmp_path):
    campaign(shop, quantity=100)
    requests = [post("/coupons", {"userId": u, "couponId": 1}) for u in range(1, 101)]
    answers = [body["data"] for _, body in crowd(shop.port("coupon"), requests, 32)]
    key = tmp_path / "receipt.pub"
    key.write_text(shop.client("coupon").get("/receipts/key").data["publicKey"])
    for data in (answers[0], answers[50], answers[99]):
        path = f"/coupons/1/requests/{data['receipt']['requestId']}"
        receipt = shop.client("coupon").get(path).data["receipt"]
        file = tmp_path / f"{data['rank']}.json"
        file.write_text(json.dumps(receipt))
        verify = ("verify", "--receipt", file, "--key", key)
        assert shop.onrush(*verify, check=False).returncode == 0
        receipt["userId"] += 1
        file.write_text(json.dumps(receipt))
        assert shop.onrush(*verify, check=False).returncode == 1


# --- the operator -----------------------------------------------------------------------


def test_admin_needs_the_key(shop):
    client = shop.client("coupon")
    assert client.post("/admin/coupons", {}).status == 401
    wrong = {"Authorization": "Bearer wrong"}
    assert client.get("/admin/coupons", headers=wrong).status in (401, 403)


def test_create_and_list(shop):
    assert campaign(shop, 5, quantity=7).data["remaining"] == 7
    assert campaign(shop, 5).error == "CAMPAIGN_EXISTS"
    listed = shop.admin("coupon").get("/admin/coupons").data["coupons"]
    assert [c["couponId"] for c in listed] == [5]


@pytest.mark.parametrize(
    "change",
    [
        {"couponId": 0},
        {"couponId": None},
        {"name": ""},
        {"name": "x" * 121},
        {"quantity": -1},
        {"quantity": None},
        {"kind": "SOME"},
        {"perUserLimit": 0},
        {"discountRate": 1.5},
        {"expiresAt": None},
        {"expiresAt": "tomorrow"},
        {"opensAt": instant(hours=2), "closesAt": instant(hours=1)},
    ],
    ids=str,
)
def test_a_bad_campaign_is_refused(shop, change):
    assert campaign(shop, **change).error in ("BAD_PARAMETER", "BAD_JSON")
    assert shop.sql("select 1 from coupon.campaigns") == []


def test_open_and_close(shop):
    admin = shop.admin("coupon")
    campaign(shop, open=False)
    assert ask(shop, 1).error == "COUPON_NOT_OPEN"
    assert admin.post("/admin/coupons/1/open").data["status"] == "PUBLISHABLE"
    assert ask(shop, 1).status == 200
    assert admin.post("/admin/coupons/1/open").status == 200  # it is open already
    assert admin.post("/admin/coupons/1/close").data["status"] == "CLOSED"
    assert ask(shop, 2).error == "COUPON_NOT_OPEN"
    assert admin.post("/admin/coupons/9/open").error == "COUPON_NOT_FOUND"


def test_restock_ends_sold_out_at_once(shop):
    admin = shop.admin("coupon")
    campaign(shop, quantity=1)
    assert ask(shop, 1).status == 200
    for user in range(2, 12):
        assert ask(shop, user).error == "COUPON_SOLD_OUT"
    assert admin.post("/admin/coupons/1/restock", {"quantity": 2}).data["remaining"] == 2
    answers = [ask(shop, user) for user in (2, 3, 4)]
    assert [a.status for a in answers] == [200, 200, 409], [a.body for a in answers]
    assert len(issued(shop)) == 3


def test_restock_with_a_key_adds_once(shop):
    admin = shop.admin("coupon")
    campaign(shop, quantity=1)
    key = {"Idempotency-Key": "delivery 7"}
    for _ in range(2):
        answer = admin.post("/admin/coupons/1/restock", {"quantity": 5}, headers=key)
        assert answer.data["quantity"] == 6
    campaign(shop, 2, kind="UNLIMITED", quantity=None)
    refused = admin.post("/admin/coupons/2/restock", {"quantity": 5})
    assert refused.error == "CAMPAIGN_STATE_CONFLICT"
    assert admin.post("/admin/coupons/1/restock", {"quantity": 0}).error == "BAD_PARAMETER"


# --- the switch in Redis ----------------------------------------------------------------


@pytest.fixture
def redis(shop):
    """Coupons are issued without it, too: whoever needs it waits until the service has it."""
    ready = "Redis connection ready"
    wait_until(lambda: any(line["msg"] == ready for line in shop.logs("coupon")))
    return shop.redis_client()


def test_the_switch_is_kept_in_step(shop, redis):
    campaign(shop)
    assert redis.get("coupon_avaliable:1") == "true"
    shop.admin("coupon").post("/admin/coupons/1/close")
    assert redis.get("coupon_avaliable:1") == "false"
    shop.admin("coupon").post("/admin/coupons/1/open")
    assert redis.get("coupon_avaliable:1") == "true"


def test_the_switch_closes_at_once(shop, redis):
    campaign(shop, quantity=1000)
    users = itertools.count(1)

    def is_refused():
        """A user who came while Redis was slow has a coupon."""
        answer = ask(shop, next(users))
        return answer.status == 409 and answer.error == "COUPON_NOT_OPEN"

    redis.set("coupon_avaliable:1", "false")
    wait_until(is_refused)
    redis.set("coupon_avaliable:1", "true")
    assert ask(shop, next(users)).status == 200


def test_all_keys_expire_with_their_campaign(shop, redis):
    campaign(shop, quantity=1)

    def is_marked():
        """Marks that Redis was too slow for are written again with the next ask."""
        ask(shop, 1)
        ask(shop, 2)
        keys = list(redis.scan_iter("*"))
        return all(any(kind in key for key in keys) for kind in ("issued", "sold_out"))

    wait_until(is_marked)
    left = {key: redis.pttl(key) for key in redis.scan_iter("*")}
    assert all(ms != -1 and ms <= 8 * 86_400_000 for ms in left.values()), left


def test_marks_of_an_earlier_generation_refuse_nobody(shop):
    """The campaign begins anew, as `onrush seed --reset` does; the service's copy is old."""
    campaign(shop, quantity=1)
    assert ask(shop, 1).status == 200
    assert ask(shop, 2).error == "COUPON_SOLD_OUT"
    time.sleep(0.3)  # longer than a copy of the campaign may refuse
    shop.sql("delete from coupon.issued; delete from coupon.heads; delete from coupon.outbox")
    shop.sql(
        "update coupon.campaigns set issued = 0, head_hash = null,"
        " generation = gen_random_uuid(), version = version + 1"
    )
    assert ask(shop, 1).status == 200


# --- bad input --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"userId": 1}',
        '{"userId": 0, "couponId": 1}',
        '{"userId": -1, "couponId": 1}',
        '{"userId": 1.5, "couponId": 1}',
        '{"userId": "x", "couponId": 1}',
        '{"userId": true, "couponId": 1}',
        '{"userId": null, "couponId": 1}',
        '{"userId": 1e3, "couponId": 1}',
        '{"userId": 9007199254740993, "couponId": 1}',
        '{"userId": 9223372036854775808, "couponId": 1}',
        '{"userId": "9223372036854775808", "couponId": 1}',
        '{"userId": 1, "userId": 2, "couponId": 1}',
        '{"userId": 1, "couponId": 1} x',
        '{"userId": 1, "couponId": 1, "note": "\\u0000"}',
        b'{"userId": 1, "couponId": 1, "note": "\xff"}',
        "[" * 1000,
    ],
)
def test_a_body_that_is_not_right(module_world, body):
    world = module_world
    if "coupon" not in world.processes:
        world.start("coupon")
    answer = world.client("coupon").post("/coupons", body)
    assert answer.status == 400
    assert answer.error in ("BAD_JSON", "BAD_PARAMETER")
    assert world.client("coupon").post("/coupons", b"x" * 5000).status == 413


def test_ids_beyond_two_to_the_53_are_text(shop):
    campaign(shop)
    user = "9223372036854775807"
    answer = ask(shop, user)
    assert answer.data["userId"] == user
    assert issued(shop) == [(1, 9223372036854775807)]


def test_asking_in_parallel_on_several_campaigns(shop):
    for coupon_id in range(1, 5):
        campaign(shop, coupon_id, quantity=25)
    requests = [
        post("/coupons", {"userId": user, "couponId": user % 4 + 1}) for user in range(1, 201)
    ]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        halves = list(
            pool.map(
                lambda part: crowd(shop.port("coupon"), part, 32), (requests[:100], requests[100:])
            )
        )
    answers = halves[0] + halves[1]
    assert [status for status, _ in answers].count(200) == 100
    for coupon_id in range(1, 5):
        assert [rank for rank, _ in issued(shop, coupon_id)] == list(range(1, 26))
        shop.onrush("verify", coupon_id)


def test_stopped_while_its_copy_is_read_anew(shop):
    campaign(shop, open=False)
    for _ in range(200):
        ask(shop, 1)
    with psycopg.connect(shop.tcp_dsn()) as connection:
        connection.execute("lock table coupon.campaigns in access exclusive mode")
        end = time.monotonic() + 0.07  # of the 100 ms that the copy is fresh
        while time.monotonic() < end:
            ask(shop, 1)
        shop.stop("coupon")
