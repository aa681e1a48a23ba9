"""A topic as any other program sees it: written to, read from, and what its group has
acknowledged. With a client that shares no code with ours.
"""

import uuid

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

PARTITIONS = range(3)


class Log:
    """Topic and group of a world, both without the prefix."""

    def __init__(self, world, topic, group):
        self.topic, self.group = world.prefix + topic, world.prefix + group
        self.servers = {"bootstrap.servers": world.kafka.brokers()}
        self.admin = AdminClient(self.servers)

    def write(self, *values, key="1"):
        self.write_keyed((key, value) for value in values)

    def write_keyed(self, records):
        """Pairs of key and value."""
        producer = Producer(self.servers | {"linger.ms": 1})
        for key, value in records:
            producer.produce(self.topic, value, key)
            producer.poll(0)
        assert producer.flush(10) == 0

    def is_settled(self):
        """Every record is acknowledged."""
        committed = self._committed()
        reader = Consumer(self.servers | {"group.id": "looks-only"})
        try:
            ends = {
                p: reader.get_watermark_offsets(TopicPartition(self.topic, p), 5)[1]
                for p in PARTITIONS
            }
        finally:
            reader.close()
        return all(end == 0 or committed.get(p) == end for p, end in ends.items())

    def _committed(self):
        wanted = [ConsumerGroupTopicPartitions(self.group)]
        future = self.admin.list_consumer_group_offsets(wanted)[self.group]
        return {p.partition: p.offset for p in future.result().topic_partitions}

    def rewind(self):
        """Every record comes again. The group must have no members, and one with a name
        (ONRUSH_INSTANCE) stays one for a while after it has ended."""
        beginning = [TopicPartition(self.topic, p, 0) for p in PARTITIONS]
        wanted = [ConsumerGroupTopicPartitions(self.group, beginning)]
        done = self.admin.alter_consumer_group_offsets(wanted)[self.group].result()
        assert not [p for p in done.topic_partitions if p.error], done.topic_partitions

    def records(self):
        """(value, headers) of all that is in it."""
        return self._read(self.topic)

    def dead_letters(self):
        """(value, headers) of all that were put aside."""
        return self._read(f"{self.topic}.dlq")

    def _read(self, topic):
        own = {"group.id": f"reads-{uuid.uuid4()}", "enable.partition.eof": True}
        reader = Consumer(self.servers | own | {"auto.offset.reset": "earliest"})
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
                    headers = {k: v.decode() for k, v in message.headers() or []}
                    found.append((message.value(), headers))
        finally:
            reader.close()
        return found
