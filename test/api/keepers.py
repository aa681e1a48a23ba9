"""What the keeper's tests share: its metrics, and the outbox of orders at both ends."""

import json
import uuid

from api.coupons import wait_until
from api.kafka_log import Log
from api.orders import outbox


def metric(world, name, keeper="keeper"):
    return world.client(keeper).metrics()[name]


def leads(world, keeper):
    return metric(world, "onrush_keeper_leader", keeper) == 1


def records(world, topic):
    return [json.loads(value) for value, _ in Log(world, topic, "nobody").records()]


def tell(world, topic, *order_ids, connection=None):
    """A row of the outbox, as a transaction of the order service writes it."""
    facts = [{"key": str(o), "value": {"payload": {"orderId": o}}} for o in order_ids]
    query = "insert into orders.outbox (batch_id, topic, records) values (%s, %s, %s)"
    row = [uuid.uuid4(), topic, json.dumps(facts)]
    if connection:
        connection.execute(query, row)
    else:
        world.sql(query, row)


def meets_kafka(world):
    """Until it does not settle what is due by itself."""
    tell(world, "ORDER_CANCELLED", 0)
    wait_until(lambda: outbox(world, "ORDER_CANCELLED") == [])


def told(world, topic):
    """The orders that the topic's facts are about."""
    return [record["payload"]["orderId"] for record in records(world, topic)]
