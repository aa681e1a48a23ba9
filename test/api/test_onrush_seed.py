"""onrush seed: demo data that is there once, and may begin anew."""

import time

from api.coupons import PROGRAMS, ask, issued, wait_until

DEMO = [1, 8, 9, 10, 11, 12, 13, 20, 21]


def campaigns(world):
    return world.sql("select * from coupon.campaigns order by coupon_id")


def generation(world, coupon_id):
    return world.sql("select generation from coupon.campaigns where coupon_id = %s", [coupon_id])


def test_what_is_there(world):
    assert world.onrush("seed").stdout.count("created") == len(DEMO)
    rows = world.sql(
        "select coupon_id, kind, quantity, state, extract(days from expires_at - now())::int"
        " from coupon.campaigns order by coupon_id"
    )
    assert [row[0] for row in rows] == DEMO
    assert rows[0] == (1, "LIMITED", 10000, "PUBLISHABLE", 6)
    assert rows[7] == (20, "LIMITED", 1000, "PUBLISHABLE", 6)
    assert rows[8][1:4] == ("UNLIMITED", None, "PUBLISHABLE")
    (rate,) = world.sql("select discount_rate::float from coupon.campaigns where coupon_id = 1")[0]
    assert rate == 0.3
    redis = world.redis_client()
    assert [redis.get(f"coupon_avaliable:{id}") for id in DEMO] == ["true"] * len(DEMO)
    assert 6 * 86400 < redis.ttl("coupon_avaliable:1") < 9 * 86400


def test_twice_is_once(world):
    world.onrush("seed")
    before = campaigns(world)
    world.redis_client().set("coupon_avaliable:8", "false")
    assert "created" not in world.onrush("seed").stdout
    assert campaigns(world) == before
    assert world.redis_client().get("coupon_avaliable:8") == "false"


def test_what_is_over_gets_a_new_time(world):
    world.onrush("seed")
    world.sql(
        "update coupon.campaigns set opens_at = now() - interval '1 hour',"
        " closes_at = now() - interval '1 minute', issued = 7 where coupon_id = 21"
    )
    untouched = campaigns(world)[:-1]
    assert "coupon 21: its time was over; renewed" in world.onrush("seed").stdout
    rows = world.sql(
        "select closes_at > now() + interval '4 minutes', opens_at <= now(), issued"
        " from coupon.campaigns where coupon_id = 21"
    )
    assert rows == [(True, True, 7)]
    assert campaigns(world)[:-1] == untouched


def test_reset_under_load_begins_anew(world):
    world.onrush("seed")
    world.start(*PROGRAMS)
    for user in range(1, 31):
        assert ask(world, user, 20).status == 200
    old = generation(world, 20)
    assert "coupon 20: begins anew" in world.onrush("seed", "--reset", 20).stdout
    assert generation(world, 20) != old
    assert issued(world, 20) == []
    for table in ("heads", "refusals"):
        assert world.sql(f"select 1 from coupon.{table} where coupon_id = 20") == []
    # The programs have noticed when a user who had one may have one again.
    began = time.monotonic()
    wait_until(lambda: ask(world, 1, 20).status == 200)
    assert time.monotonic() - began < 1
    assert issued(world, 20) == [(1, 1)]
    world.onrush("verify", 20)


def test_a_sold_out_campaign_sells_again_after_a_reset(world):
    world.onrush("seed")
    world.start(*PROGRAMS)
    world.sql("update coupon.campaigns set quantity = 2, version = version + 1 where coupon_id = 1")
    wait_until(lambda: ask(world, int(time.monotonic() * 1e6), 1).status == 409)
    world.onrush("seed", "--reset", 1)
    wait_until(lambda: ask(world, 5, 1).status == 200)
    assert world.sql("select quantity from coupon.campaigns where coupon_id = 1") == [(10000,)]
    world.onrush("verify", 1)


def test_what_others_made_is_left_alone(world):
    world.sql(
        "insert into coupon.campaigns (coupon_id, name, kind, quantity, discount_rate, expires_at)"
        " values (8, 'mine', 'LIMITED', 5, 0, now() - interval '1 day')"
    )
    world.onrush("seed")
    mine = world.sql("select * from coupon.campaigns where coupon_id = 8")
    refused = world.onrush("seed", "--reset", check=False)
    assert refused.returncode == 1
    assert "coupon 8 was not made by onrush seed" in refused.stderr
    assert world.sql("select * from coupon.campaigns where coupon_id = 8") == mine
    refused = world.onrush("seed", "--reset", 99, check=False)
    assert refused.returncode == 1
    assert world.onrush("seed", 1, check=False).returncode == 2


def test_without_redis(world):
    done = world.onrush("seed", ONRUSH_REDIS_URL="redis://127.0.0.1:1")
    assert "Redis (ONRUSH_REDIS_URL) is not reachable" in done.stderr
    assert len(campaigns(world)) == len(DEMO)
    assert world.onrush("seed", ONRUSH_REDIS_URL="").stderr == ""
