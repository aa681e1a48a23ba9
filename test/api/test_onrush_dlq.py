"""onrush dlq: what could not be processed is found, understood and put back."""

import json
import uuid

import pytest
from api.coupons import PROGRAMS, campaign, instant, issued, wait_until
from confluent_kafka import Producer

TOPIC = "COUPON_PUBLISH_REQUESTED"


def produce(world, topic, key, value, headers=None):
    producer = Producer({"bootstrap.servers": world.kafka.brokers()})
    producer.produce(world.prefix + topic, key=key, value=value, headers=headers)
    assert producer.flush(10) == 0


def dead_letters(world):
    done = world.onrush("dlq", "show", TOPIC, "-o", "json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def depth(world):
    lines = world.onrush("dlq", "list").stdout.splitlines()
    return {line.split()[0]: int(line.split()[1]) for line in lines[1:]}


def event(coupon_id, user):
    return json.dumps(
        {
            "eventId": str(uuid.uuid4()),
            "type": TOPIC,
            "occurredAt": instant(),
            "traceparent": "",
            "payload": {"couponId": coupon_id, "userId": user},
        }
    )


@pytest.fixture
def shop(world):
    world.start(*PROGRAMS)
    return world


def test_nothing_there(world):
    assert set(depth(world).values()) == {0}
    assert world.prefix + TOPIC in depth(world)
    assert world.onrush("dlq", "show", TOPIC).stdout == "There are no dead letters.\n"
    assert world.onrush("dlq", "replay", TOPIC, "--all").stdout == "0 replayed\n"


def test_poison_is_shown_with_its_history(shop):
    shop.expect_error(".*")
    produce(shop, TOPIC, b"1", b"\xff not JSON \x1b[2J")
    wait_until(lambda: depth(shop)[shop.prefix + TOPIC] == 1, 30)
    (letter,) = dead_letters(shop)
    assert bytes.fromhex(letter["valueHex"]) == b"\xff not JSON \x1b[2J"
    assert letter["key"] == "1"
    assert letter["headers"]["dlq-topic"] == shop.prefix + TOPIC
    assert letter["headers"]["dlq-error"] == "UNDECODABLE"
    text = shop.onrush("dlq", "show", f"{TOPIC}.dlq").stdout
    assert "dlq-reason: " in text
    assert "\x1b" not in text


def test_replay(shop):
    campaign(shop, 1)
    for user in (5, 6, 7):
        produce(shop, TOPIC + ".dlq", b"1", event(1, user), {"dlq-error": "INTERNAL"})
    first = dead_letters(shop)[0]
    place = f"{first['partition']}:{first['offset']}"
    assert place in shop.onrush("dlq", "replay", TOPIC, "--offset", place).stdout
    wait_until(lambda: len(issued(shop)) == 1)
    assert issued(shop) == [(1, json.loads(first["value"])["payload"]["userId"])]
    # All of them, of which the first for the second time, which does no harm.
    assert "3 replayed" in shop.onrush("dlq", "replay", TOPIC, "--all").stdout
    wait_until(lambda: len(issued(shop)) == 3)
    assert sorted(user for _, user in issued(shop)) == [5, 6, 7]
    assert len(dead_letters(shop)) == 3
    shop.onrush("verify", 1)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["replay", TOPIC], 2),
        (["replay", TOPIC, "--all", "--offset", "0:0"], 2),
        (["replay", TOPIC, "--offset", "0"], 2),
        (["replay", TOPIC, "--offset", "0:99"], 1),
        (["show", "NO_SUCH_TOPIC"], 3),
        (["show"], 2),
    ],
)
def test_misuse(module_world, arguments, status):
    done = module_world.onrush("dlq", *arguments, check=False)
    assert done.returncode == status
    assert done.stderr.startswith("onrush: ")
