"""What the coupon tests share: making campaigns, asking for coupons, looking at the truth."""

import time
from datetime import UTC, datetime, timedelta

PROGRAMS = ("coupon-publisher", "coupon")


def instant(**delta):
    """A time so far from now, as the API takes it."""
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


def campaign(world, coupon_id=1, quantity=10, **more):
    """An open campaign; `more` as in the API, None leaves a member out."""
    body = {
        "couponId": coupon_id,
        "name": f"coupon {coupon_id}",
        "quantity": quantity,
        "discountRate": 0.3,
        "expiresAt": instant(days=7),
        "open": True,
    } | more
    body = {key: value for key, value in body.items() if value is not None}
    return world.admin("coupon").post("/admin/coupons", body)


def ask(world, user, coupon_id=1, **headers):
    """POST /coupons; underscores in header names stand for dashes."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"userId": user, "couponId": coupon_id}
    return world.client("coupon").post("/coupons", body, headers=names)


def issued(world, coupon_id=1):
    """(rank, user) of all that were issued, by rank."""
    return world.sql(
        "select rank, user_id from coupon.issued where coupon_id = %s order by rank", [coupon_id]
    )


def wait_until(true, seconds=10):
    """Until something that must become true is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.02)
