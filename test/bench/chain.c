/*
 * onrush-bench-chain: the bare chain, without HTTP. It asks for coupons through Kafka as
 * the coupon service does and waits for the decisions, a given number in flight:
 *
 *   slot ──COUPON_PUBLISH_REQUESTED──> coupon-publisher ──> PostgreSQL
 *    └──────────── onrush.replies <───────────┘
 *
 * A request's id ends with the number of its slot, so that a decision finds it.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "app/loop.h"
#include "base/clock.h"
#include "bus/inbox.h"
#include "bus/producer.h"
#include "coupon/coupon_events.h"
#include "load.h"

#define TICK_US   (1 * CLOCK_US_PER_MS)
#define LINGER_US (15 * CLOCK_US_PER_SEC) /* for the last decisions */

enum {
	NAME_SIZE = 128,
};

struct slot {
	uuid id;
	bool busy;
	int64_t started_us;
};

struct chain {
	/* What to do. */
	const char *brokers, *prefix; /* borrowed from argv */
	int64_t coupon_id, next_user;
	int64_t in_flight, warmup_us, run_us, max_requests;
	/* How. */
	struct loop *loop; /* owned, as are the next three */
	struct loop_timer *tick;
	struct producer *producer;
	struct inbox *inbox;
	struct arena *arena; /* owned; one reply */
	struct buf text;     /* the event that is being written */
	char topic[NAME_SIZE], replies[NAME_SIZE], instance[NAME_SIZE], key[24];
	struct slot *slots;         /* owned; in_flight of them */
	int64_t measure_us, end_us; /* 0: not started, the reply partition is unknown */
	int64_t sent, under_way;
	struct load_tally tally;
};

static void on_tick(void *arg);
static void on_reply(void *arg, str value);
static void on_report(void *arg, enum err err);
static bool over(const struct chain *c, int64_t now_us);
static void ask(struct chain *c, size_t index);

static const char usage[] = "usage: onrush-bench-chain [options] BROKERS\n"
			    "  --prefix P      of the topics\n"
			    "  --coupon N      1\n"
			    "  --in-flight N   256\n"
			    "  --warmup S      seconds before measuring, 1\n"
			    "  --seconds S     measured seconds, 10\n"
			    "  --requests N    end after so many\n"
			    "  --first-user N  1\n";

static const struct option options[] = {
	{ "prefix", required_argument, NULL, 'p' },
	{ "coupon", required_argument, NULL, 'c' },
	{ "in-flight", required_argument, NULL, 'i' },
	{ "warmup", required_argument, NULL, 'w' },
	{ "seconds", required_argument, NULL, 's' },
	{ "requests", required_argument, NULL, 'r' },
	{ "first-user", required_argument, NULL, 'u' },
	{ NULL, 0, NULL, 0 },
};

static int64_t
integer(const char *text, int64_t max)
{
	int64_t value;

	if (!str_to_i64(str_of(text), 0, max, &value)) {
		fprintf(
		    stderr, "onrush-bench-chain: not a number: \"%s\"\n%s", text, usage);
		exit(2);
	}
	return value;
}

static void
parse(struct chain *c, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'p': c->prefix = optarg; break;
		case 'c': c->coupon_id = integer(optarg, INT64_MAX); break;
		case 'i': c->in_flight = integer(optarg, 65536); break;
		case 'w': c->warmup_us = integer(optarg, 3600) * CLOCK_US_PER_SEC; break;
		case 's': c->run_us = integer(optarg, 3600) * CLOCK_US_PER_SEC; break;
		case 'r': c->max_requests = integer(optarg, INT64_MAX); break;
		case 'u': c->next_user = integer(optarg, INT64_MAX); break;
		default: fputs(usage, stderr); exit(2);
		}
	}
	if (optind != argc - 1 || c->in_flight == 0) {
		fputs(usage, stderr);
		exit(2);
	}
	c->brokers = argv[optind];
}

static void
connect_kafka(struct chain *c)
{
	char id[UUID_TEXT_SIZE];

	uuid_format(uuid_new(), id);
	snprintf(c->instance, sizeof(c->instance), "bench-%s", id);
	snprintf(c->topic, sizeof(c->topic), "%s" COUPON_TOPIC_REQUESTED, c->prefix);
	snprintf(c->replies, sizeof(c->replies), "%s" COUPON_TOPIC_REPLIES, c->prefix);
	snprintf(c->key, sizeof(c->key), "%" PRId64, c->coupon_id);

	c->producer = producer_new(c->loop, &(struct producer_conf){
						.brokers = c->brokers,
						.client_id = "onrush-bench",
						.linger_us = 500,
						.timeout_us = 5 * CLOCK_US_PER_SEC,
						.max_queue = 100000,
					    });
	c->inbox = inbox_new(c->loop, &(struct inbox_conf){
					  .brokers = c->brokers,
					  .client_id = "onrush-bench",
					  .topic = c->replies,
					  .instance = c->instance,
					  .on_reply = on_reply,
					  .arg = c,
				      });
	const char *const topics[] = { c->topic };
	if (c->producer == NULL || c->inbox == NULL ||
	    !producer_warm(c->producer, topics, 1, 10 * CLOCK_US_PER_SEC))
		die("Kafka at %s cannot be used", c->brokers);
}

int
main(int argc, char **argv)
{
	static struct chain chain = {
		.prefix = "",
		.coupon_id = 1,
		.next_user = 1,
		.in_flight = 256,
		.warmup_us = 1 * CLOCK_US_PER_SEC,
		.run_us = 10 * CLOCK_US_PER_SEC,
	};
	struct chain *c = &chain;

	log_init("bench", LOG_WARN);
	parse(c, argc, argv);
	c->loop = loop_new();
	c->arena = arena_new();
	c->slots = xcalloc((size_t)c->in_flight, sizeof(*c->slots));
	c->tick = loop_timer_new(c->loop, on_tick, c);
	connect_kafka(c);

	loop_timer_set(c->tick, TICK_US);
	loop_run(c->loop);
	tally_print(&c->tally);

	loop_timer_free(c->tick);
	inbox_free(c->inbox);
	producer_free(c->producer);
	buf_fini(&c->text);
	arena_free(c->arena);
	loop_free(c->loop);
	free(c->slots);
	return 0;
}

/* Starts when replies can arrive, ends when the last decision has. */
static void
on_tick(void *arg)
{
	struct chain *c = arg;
	int64_t now_us = clock_mono_us();

	if (c->end_us == 0 && inbox_partition(c->inbox) >= 0) {
		c->measure_us = now_us + c->warmup_us;
		c->end_us = c->measure_us + c->run_us;
		for (size_t i = 0; i < (size_t)c->in_flight; i++)
			ask(c, i);
	}
	if (c->end_us > 0 && over(c, now_us) &&
	    (c->under_way == 0 || now_us > c->end_us + LINGER_US)) {
		c->tally.lost = c->under_way;
		c->tally.first_us = c->measure_us;
		c->tally.last_us = now_us < c->end_us ? now_us : c->end_us;
		loop_stop(c->loop);
		return;
	}
	loop_timer_set(c->tick, TICK_US);
}

static bool
over(const struct chain *c, int64_t now_us)
{
	return now_us >= c->end_us || (c->max_requests > 0 && c->sent >= c->max_requests);
}

static void
ask(struct chain *c, size_t index)
{
	struct slot *slot = &c->slots[index];

	slot->busy = false;
	slot->started_us = clock_mono_us();
	if (over(c, slot->started_us))
		return;

	const uint32_t number = (uint32_t)index;
	slot->busy = true;
	slot->id = uuid_new();
	memcpy(slot->id.b + sizeof(slot->id.b) - sizeof(number), &number, sizeof(number));
	const struct coupon_requested event = {
		.request = {
			.id = slot->id,
			.coupon_id = c->coupon_id,
			.user_id = c->next_user++,
			.requested_us = clock_wall_us(),
		},
		.reply_partition = inbox_partition(c->inbox),
		.reply_instance = str_of(c->instance),
	};
	buf_clear(&c->text);
	coupon_requested_encode(&c->text, &event, STR_NULL);
	c->sent++;
	c->under_way++;
	producer_send(c->producer,
	    &(struct record){
		.topic = c->topic,
		.partition = -1,
		.key = str_of(c->key),
		.value = buf_str(&c->text),
	    },
	    on_report, c);
}

static void
on_report(void *arg, enum err err)
{
	(void)arg;
	if (err != ERR_OK)
		log_warn("a request was not delivered: %s", err_info(err)->code);
}

static void
on_decision(struct chain *c, const struct coupon_decision *d)
{
	int64_t now_us = clock_mono_us();
	uint32_t number;

	memcpy(&number, d->request_id.b + sizeof(d->request_id.b) - sizeof(number),
	    sizeof(number));
	if (number >= c->in_flight)
		return;
	struct slot *slot = &c->slots[number];
	if (!slot->busy || !uuid_eq(slot->id, d->request_id))
		return;

	const struct err_info *info = err_info(d->outcome);
	if (now_us >= c->measure_us && now_us <= c->end_us)
		tally_answer(&c->tally, info->status, str_of(info->code),
		    now_us - slot->started_us);
	c->tally.answers++;
	c->tally.granted += d->outcome == ERR_OK;
	c->under_way--;
	ask(c, number);
}

static void
on_reply(void *arg, str value)
{
	struct chain *c = arg;
	struct coupon_decided decided;
	const char *why;

	arena_reset(c->arena);
	if (!coupon_decided_decode(&decided, c->arena, value, &why))
		die("a reply cannot be read: %s", why);
	for (size_t i = 0; i < decided.count; i++)
		on_decision(c, &decided.decisions[i]);
}
