/* onrush topics: creates the Kafka topics that do not exist yet. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bus/topics.h"
#include "coupon/coupon.h"
#include "onrush/commands.h"
#include "onrush/topic_table.h"
#include "order/order_events.h"

enum {
	MAX_TOPICS = 32
};

/* Events that are decided about must outlive any outage of their consumers. */
static const char *const keep_week[] = { "retention.ms", "604800000", NULL };
/* A dead letter waits for a person. */
static const char *const keep_quarter[] = { "retention.ms", "7776000000", NULL };
/* A reply is of use for as long as a request waits. Segments are small and short-lived
 * because only closed ones are deleted. */
static const char *const keep_minutes[] = { "retention.ms", "600000", "segment.ms",
	"300000", "segment.bytes", "67108864", NULL };

const struct topic_row TOPIC_TABLE[] = {
	{ COUPON_TOPIC_REQUESTED, COUPON_GROUP, keep_week },
	{ PAYMENT_TOPIC_REQUESTED, PAYMENT_GROUP, keep_week },
	{ COUPON_TOPIC_PUBLISHED, NULL, keep_week },
	{ ORDER_TOPIC_COMPLETED, NULL, keep_week },
	{ ORDER_TOPIC_FAILED, NULL, keep_week },
	{ ORDER_TOPIC_CANCELLED, NULL, keep_week },
	{ "SEAT_CONFIRMED", NULL, keep_week },
	{ COUPON_TOPIC_REPLIES, NULL, keep_minutes },
};
const size_t TOPIC_TABLE_COUNT = ARRAY_LEN(TOPIC_TABLE);

/* The topic's settings, and with three copies or more: two must have a record before it
 * counts, so that losing one broker neither loses records nor stops us. */
static const char *const *
with_safety(struct arena *arena, const char *const *config, int replication)
{
	const char **out;
	size_t n = 0;

	if (replication < 3)
		return config;
	while (config[n] != NULL)
		n++;
	out = arena_alloc(arena, (n + 3) * sizeof(*out));
	memcpy(out, config, n * sizeof(*out));
	out[n] = "min.insync.replicas";
	out[n + 1] = "2";
	return out;
}

static size_t
fill(struct ctl *ctl, struct topic_spec specs[MAX_TOPICS])
{
	int replication = (int)ctl_int(ctl, "--replication");
	size_t n = 0;

	ASSERT(2 * TOPIC_TABLE_COUNT <= MAX_TOPICS);
	for (size_t i = 0; i < TOPIC_TABLE_COUNT; i++) {
		const struct topic_row *row = &TOPIC_TABLE[i];

		specs[n++] = (struct topic_spec){
			.name = ctl_topic(ctl, row->name),
			.partitions = (int)ctl_int(ctl, "--partitions"),
			.replication = replication,
			.config = with_safety(ctl->arena, row->config, replication),
		};
		if (row->group == NULL)
			continue;
		specs[n] = specs[n - 1];
		specs[n].name =
		    arena_printf(ctl->arena, "%s%s", specs[n - 1].name, TOPIC_DLQ_SUFFIX);
		specs[n++].config = with_safety(ctl->arena, keep_quarter, replication);
	}
	return n;
}

static int
run(struct ctl *ctl)
{
	int64_t timeout_us = ctl_int(ctl, "--timeout") * CLOCK_US_PER_SEC;
	const char *brokers = ctl->settings.kafka_brokers;
	struct topic_spec specs[MAX_TOPICS];
	size_t count = fill(ctl, specs);
	char why[512];

	if (!topics_reachable(brokers, timeout_us))
		return ctl_fail(CTL_UNREACHABLE,
		    "Kafka (ONRUSH_KAFKA_BROKERS=%s) is not reachable", brokers);
	if (!topics_ensure(brokers, specs, count, timeout_us, why, sizeof(why)))
		return ctl_fail(CTL_FAILED, "%s", why);
	printf("%zu topics are there\n", count);
	return CTL_OK;
}

static const struct ctl_option options[] = {
	{ "--partitions", "N", "3", 1, 1000, NULL,
	    "Partitions of each topic; never lowered." },
	{ "--replication", "N", "1", 1, 16, NULL,
	    "Copies of each record, for topics that are created. From 3 on, "
	    "min.insync.replicas is 2." },
	{ "--timeout", "SECONDS", "30", 1, 600, NULL, "How long Kafka may take." },
};

const struct ctl_command CMD_TOPICS = {
	.name = "topics",
	.summary = "Create the Kafka topics",
	.text = "Creates the topics of the events, a topic NAME.dlq for the dead\n"
		"letters of each that is consumed, and the topic of the replies. Events\n"
		"are kept for seven days, dead letters for ninety, replies for ten\n"
		"minutes. Topics that exist keep their settings; partitions are added\n"
		"when they have too few. Do that between sales: a campaign may move to\n"
		"another partition, and its order is that of its partition. All names\n"
		"begin with ONRUSH_TOPIC_PREFIX.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
