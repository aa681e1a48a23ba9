"""The coupon-publisher against the real log: what it acknowledges, what it does not, what it
puts aside, and that no repetition changes anything.
"""

import json
import uuid
from datetime import UTC, datetime

import pytest
from api.coupons import ask, campaign, issued, wait_until
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

TOPIC, GROUP = "COUPON_PUBLISH_REQUESTED", "COUPON"


@pytest.fixture
def log(world):
    """Writes records as any other program might."""
    producer = Producer({"bootstrap.servers": world.kafka.brokers(), "linger.ms": 0})

    def write(*values, key="1"):
        for value in values:
            producer.produce(world.prefix + TOPIC, value, key)
        assert producer.flush(10) == 0

    return write


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


def settled(world):
    """Every record of the topic is acknowledged."""
    admin = AdminClient({"bootstrap.servers": world.kafka.brokers()})
    group = world.prefix + GROUP
    future = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
    committed = {p.partition: p.offset for p in future.result().topic_partitions}
    reader = Consumer({"bootstrap.servers": world.kafka.brokers(), "group.id": "looks-only"})
    try:
        ends = {
            p: reader.get_watermark_offsets(TopicPartition(world.prefix + TOPIC, p), 5)[1]
            for p in range(3)
        }
    finally:
        reader.close()
    return all(end == 0 or committed.get(p) == end for p, end in ends.items())


def rewind(world):
    """Every record comes again."""
    admin = AdminClient({"bootstrap.servers": world.kafka.brokers()})
    group = world.prefix + GROUP
    beginning = [TopicPartition(world.prefix + TOPIC, p, 0) for p in range(3)]
    wanted = [ConsumerGroupTopicPartitions(group, beginning)]
    admin.alter_consumer_group_offsets(wanted)[group].result()


def dead_letters(world):
    """(value, headers) of all that were put aside."""
    reader = Consumer(
        {
            "bootstrap.servers": world.kafka.brokers(),
            "group.id": f"reads-{uuid.uuid4()}",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    topic = f"{world.prefix}{TOPIC}.dlq"
    partitions = reader.list_topics(topic, 10).topics[topic].partitions
    reader.assign([TopicPartition(topic, p, 0) for p in partitions])
    found, ends = [], 0
    try:
        while ends < len(partitions):
            message = reader.poll(10)
            assert message is not None
            if message.error():
                ends += 1
            else:
                headers = {k: v.decode() for k, v in message.headers()}
                found.append((message.value(), headers))
    finally:
        reader.close()
    return found


def test_events_of_others_are_decided(world, log):
    world.start("coupon-publisher", "coupon")
    campaign(world, quantity=2)
    log(event(1), event(2), event(3))
    wait_until(lambda: settled(world))
    assert issued(world) == [(1, 1), (2, 2)]
    refused = world.sql("select user_id, outcome from coupon.refusals")
    assert refused == [(3, "COUPON_SOLD_OUT")]


def test_what_cannot_be_read_is_put_aside(world, log):
    world.expect_error("put aside")
    world.start("coupon-publisher", "coupon")
    campaign(world)
    garbage = [b"", b"\xff\x00", b"{}", b"[" * 100, event(5, type="SOMETHING_ELSE").encode()]
    log(event(1), *garbage, event(2))
    wait_until(lambda: settled(world))
    assert issued(world) == [(1, 1), (2, 2)]
    found = dead_letters(world)
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
    log(event(1), event(666), event(2))
    wait_until(lambda: settled(world), 30)
    assert [user for _, user in issued(world)] == [1, 2]
    ((_, headers),) = dead_letters(world)
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
    producer = Producer({"bootstrap.servers": world.kafka.brokers()})
    world.pg.kill()
    for user in range(1, 21):
        producer.produce(world.prefix + TOPIC, event(user), "1")
    assert producer.flush(10) == 0
    wait_until(
        lambda: any(
            "onrush_consumer_retries_total" in k and v > 0
            for k, v in world.client("coupon-publisher").metrics().items()
        )
    )
    assert not settled(world)
    world.pg.start()
    wait_until(lambda: settled(world), 60)
    assert issued(world) == [(rank, rank) for rank in range(1, 21)]
    assert dead_letters(world) == []


def test_the_whole_log_again_changes_nothing(world, log):
    world.start("coupon-publisher", "coupon")
    campaign(world, quantity=5)
    events = [event(user) for user in range(1, 11)]
    log(*events)
    wait_until(lambda: settled(world))
    before = world.sql("select * from coupon.issued order by rank")
    refusals = world.sql("select request_id, outcome from coupon.refusals order by 1")
    log(*events)  # every event a second time
    wait_until(lambda: settled(world))
    world.stop("coupon-publisher")
    rewind(world)  # and all of them again
    world.start("coupon-publisher")
    wait_until(lambda: settled(world))
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
