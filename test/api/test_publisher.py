"""The coupon-publisher against the real log: what it acknowledges, what it does not, what it
puts aside, and that no repetition changes anything.
"""

import json
import uuid
from datetime import UTC, datetime

import pytest
from api.coupons import ask, campaign, issued, wait_until
from api.kafka_log import Log

TOPIC = "COUPON_PUBLISH_REQUESTED"


@pytest.fixture
def log(world):
    return Log(world, TOPIC, "COUPON")


def event(user, coupon_id=1, **more):
    return json.dumps(
        {
            "eventId": str(uuid.uuid4()),
            "type": TOPIC,
            "occurredAt": datetime.now(UTC).isoformat(),
            "payload": {"couponId": coupon_id, "userId": user},
        }
        | more
    )


def test_events_of_others_are_decided(world, log):
    world.start("coupon-publisher", "coupon")
    campaign(world, quantity=2)
    log.write(event(1), event(2), event(3))
    wait_until(log.is_settled)
    assert issued(world) == [(1, 1), (2, 2)]
    refused = world.sql("select user_id, outcome from coupon.refusals")
    assert refused == [(3, "COUPON_SOLD_OUT")]


def test_what_cannot_be_read_is_put_aside(world, log):
    world.expect_error("put aside")
    world.start("coupon-publisher", "coupon")
    campaign(world)
    garbage = [b"", b"\xff\x00", b"{}", b"[" * 100, event(5, type="SOMETHING_ELSE").encode()]
    log.write(event(1), *garbage, event(2))
    wait_until(log.is_settled)
    assert issued(world) == [(1, 1), (2, 2)]
    found = log.dead_letters()
    assert [value or b"" for value, _ in found] == garbage
    for _, headers in found:
        assert headers["dlq-topic"] == world.prefix + TOPIC
        assert headers["dlq-error"] == "UNDECODABLE"
        assert headers["dlq-reason"]
    assert ask(world, 3).status == 200


def test_what_the_database_refuses_is_put_aside_after_five_attempts(world, log):
    """Its neighbours are decided all the same, and it can be replayed when it is mended."""
    world.expect_error("put aside")
    world.start("coupon-publisher", "coupon")
    campaign(world)
    world.sql("alter table coupon.issued add constraint sick check (user_id <> 666)")
    log.write(event(1), event(666), event(2))
    wait_until(log.is_settled, 30)
    assert [user for _, user in issued(world)] == [1, 2]
    ((_, headers),) = log.dead_letters()
    assert headers["dlq-error"] == "INTERNAL"
    assert int(headers["dlq-attempts"]) >= 4
    world.sql("alter table coupon.issued drop constraint sick")
    world.onrush("dlq", "replay", TOPIC, "--all")
    wait_until(lambda: len(issued(world)) == 3)
    world.onrush("verify", 1)


def test_nothing_is_acknowledged_while_the_database_is_away(make_world):
    world = make_world(pg=True)
    world.expect_error(r"connection|terminat|database|PostgreSQL")
    world.start("coupon-publisher", "coupon")
    campaign(world, quantity=20)
    log = Log(world, TOPIC, "COUPON")
    world.pg.kill()
    log.write(*(event(user) for user in range(1, 21)))
    wait_until(
        lambda: any(
            "onrush_consumer_retries_total" in k and v > 0
            for k, v in world.client("coupon-publisher").metrics().items()
        )
    )
    assert not log.is_settled()
    world.pg.start()
    wait_until(log.is_settled, 60)
    assert issued(world) == [(rank, rank) for rank in range(1, 21)]
    assert log.dead_letters() == []


def test_the_whole_log_again_changes_nothing(world, log):
    world.start("coupon")
    world.start("coupon-publisher", ONRUSH_INSTANCE="")
    campaign(world, quantity=5)
    events = [event(user) for user in range(1, 11)]
    log.write(*events)
    wait_until(log.is_settled)
    before = world.sql("select * from coupon.issued order by rank")
    refusals = world.sql("select request_id, outcome from coupon.refusals order by 1")
    log.write(*events)  # every event a second time
    wait_until(log.is_settled)
    world.stop("coupon-publisher")
    log.rewind()  # and all of them again
    world.start("coupon-publisher", ONRUSH_INSTANCE="")
    wait_until(log.is_settled)
    assert world.sql("select * from coupon.issued order by rank") == before
    assert world.sql("select request_id, outcome from coupon.refusals order by 1") == refusals
    world.onrush("verify", 1)


def test_a_second_process_with_the_same_name_ends(world):
    """Static membership: the newcomer takes over, the old one says so and ends."""
    world.expect_error("cannot go on|fenced")
    first = world.start("coupon-publisher-0")
    world.start("coupon-publisher-1", ONRUSH_INSTANCE="coupon-publisher-0")
    wait_until(lambda: not first.alive(), 30)
    del world.processes["coupon-publisher-0"]  # it may have ended


def test_more_copies_than_partitions_are_all_ready(world):
    names = [f"coupon-publisher-{i}" for i in range(4)]
    world.start(*names, "coupon")
    campaign(world)
    assert ask(world, 1).status == 200
