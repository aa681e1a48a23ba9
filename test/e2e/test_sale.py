"""Many people, few coupons, the whole system: what everyone was told, what PostgreSQL
holds, and what `onrush verify` makes of it.

Clients do as the API asks: each request has an Idempotency-Key, and what was not decided
(no answer, 202, 503, 504, in progress) is asked again with the same key.
"""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from harness.crowd import crowd, post

EVERYTHING = (
    "coupon-publisher-0",
    "coupon-publisher-1",
    "coupon-publisher-2",
    "coupon",
    "gateway",
)
COUPON = 1
FINAL = {200, 409}


def open_campaign(world, quantity):
    answer = world.admin().post(
        "/admin/coupons",
        {
            "couponId": COUPON,
            "name": "the sale",
            "quantity": quantity,
            "discountRate": 0.3,
            "expiresAt": (datetime.now(UTC) + timedelta(days=7)).isoformat(),
            "open": True,
        },
    )
    assert answer.status == 200, answer.body


def rush(port, users, connections, seconds=60):
    """What each of the users 1..N was told at last: (status, body)."""
    requests = {
        user: post(
            "/api/v1/coupons",
            {"userId": user, "couponId": COUPON},
            {"Idempotency-Key": f"sale-{user}"},
        )
        for user in range(1, users + 1)
    }
    told = {}
    deadline = time.monotonic() + seconds
    while len(told) < users:
        assert time.monotonic() < deadline, f"{users - len(told)} users were never told"
        waiting = [user for user in requests if user not in told]
        answers = crowd(port, (requests[user] for user in waiting), connections)
        told |= {u: a for u, a in zip(waiting, answers, strict=True) if is_final(*a)}
    return told


def is_final(status, body):
    return status in FINAL and body.get("error") != "REQUEST_IN_PROGRESS"


@pytest.mark.parametrize(
    ("quantity", "users"), [(1000, 10_000), (3000, 3000)], ids=["few", "one_each"]
)
def test_exactly_as_many_as_there_are(world, quantity, users):
    world.start(*EVERYTHING)
    open_campaign(world, quantity)
    told = rush(world.port("gateway"), users, 400)

    granted = {u: body["data"]["rank"] for u, (status, body) in told.items() if status == 200}
    refusals = {body["error"] for status, body in told.values() if status == 409}
    held = dict(world.sql("select user_id, rank from coupon.issued where coupon_id = %s", [COUPON]))
    assert granted == held
    assert sorted(held.values()) == list(range(1, min(quantity, users) + 1))
    assert refusals <= {"COUPON_SOLD_OUT"}

    remaining = world.client().get(f"/api/v1/coupons/{COUPON}").data["remaining"]
    assert remaining == quantity - len(held)

    seen = world.dir / "seen.jsonl"
    lines = ({"couponId": COUPON, "userId": u, "rank": rank} for u, rank in granted.items())
    seen.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    world.onrush("verify", COUPON, "--seen", seen)
