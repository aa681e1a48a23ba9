/*
 * onrush dlq list, show, replay: the records that could not be processed. A record stays
 * in its dead letter queue until its time is over, also after it was replayed; consumers
 * know a request by its id, so replaying it twice does no harm.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bus/producer.h"
#include "bus/topics.h"
#include "http/json.h"
#include "onrush/commands.h"
#include "onrush/table.h"
#include "onrush/topic_table.h"

#define TIMEOUT_US (30 * CLOCK_US_PER_SEC)

enum {
	MAX_PARTITIONS = 1024,
	QUEUE_MAX = 10000,
	REPLAY_BATCH = 1000, /* records that wait for delivery at once */
};

/* The name as it was given, with or without ".dlq", as the topic's own. */
static const char *
topic_of(const struct ctl *ctl, const char *name)
{
	str text = str_of(name), suffix = STR(TOPIC_DLQ_SUFFIX);

	if (text.n > suffix.n &&
	    str_eq((str){ text.p + text.n - suffix.n, suffix.n }, suffix))
		text.n -= suffix.n;
	return ctl_topic(ctl, arena_strdup(ctl->arena, text));
}

static const char *
dlq_of(const struct ctl *ctl, const char *topic)
{
	return arena_printf(ctl->arena, "%s%s", topic, TOPIC_DLQ_SUFFIX);
}

static str
header(const struct topic_record *record, const char *name)
{
	for (size_t i = 0; i < record->header_count; i++)
		if (str_eq(record->headers[i].name, str_of(name)))
			return record->headers[i].value;
	return STR_NULL;
}

/* --- list ------------------------------------------------------------------- */

int64_t
dlq_depth(const struct ctl *ctl, const char *topic, char *why, size_t why_size)
{
	struct topic_lag *rows = arena_alloc(ctl->arena, MAX_PARTITIONS * sizeof(*rows));
	int64_t records = 0;
	int n = topics_lag(ctl->settings.kafka_brokers, ctl_topic(ctl, "onrush"),
	    dlq_of(ctl, topic), rows, MAX_PARTITIONS, TIMEOUT_US, why, why_size);

	for (int i = 0; i < n; i++)
		records += rows[i].high - rows[i].low;
	return n < 0 ? -1 : records;
}

static int
list(struct ctl *ctl)
{
	static const char *const heads[] = { "TOPIC", ">DEAD LETTERS" };
	struct table *t = table_new(ctl->arena, heads, ARRAY_LEN(heads));
	char why[512];

	for (size_t i = 0; i < TOPIC_TABLE_COUNT; i++) {
		const char *topic = ctl_topic(ctl, TOPIC_TABLE[i].name);
		int64_t records;

		if (TOPIC_TABLE[i].group == NULL)
			continue;
		records = dlq_depth(ctl, topic, why, sizeof(why));
		if (records < 0)
			return ctl_fail(CTL_UNREACHABLE, "%s: %s", topic, why);
		table_cell(t, "%s", topic);
		table_cell(t, "%" PRId64, records);
	}
	table_print(t, 0);
	return CTL_OK;
}

/* --- show ------------------------------------------------------------------- */

static void
print_text(struct arena *arena, const struct topic_record *record)
{
	char time[CLOCK_ISO_SIZE];

	clock_format_iso(record->time_ms * CLOCK_US_PER_MS, time);
	printf("%" PRId32 ":%" PRId64 "  %s  key %s\n", record->partition, record->offset,
	    time, printable(arena, record->key));
	for (size_t i = 0; i < record->header_count; i++)
		printf("  %s: %s\n", printable(arena, record->headers[i].name),
		    printable(arena, record->headers[i].value));
	printf("  %s\n\n", printable(arena, record->value));
}

/* What is not UTF-8 cannot be JSON text: it is given as hex. */
static void
put_bytes(struct json_writer *w, const char *name, const char *hex_name, str bytes)
{
	if (str_is_utf8(bytes))
		json_put_str(w, name, bytes);
	else
		json_put_hex(w, hex_name, bytes.p, bytes.n);
}

static void
print_json(struct arena *arena, const struct topic_record *record)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };

	json_begin_object(&w, NULL);
	json_put_i64(&w, "partition", record->partition);
	json_put_i64(&w, "offset", record->offset);
	json_put_time(&w, "time", record->time_ms * CLOCK_US_PER_MS);
	put_bytes(&w, "key", "keyHex", record->key);
	json_begin_object(&w, "headers");
	for (size_t i = 0; i < record->header_count; i++)
		json_put_str(&w, printable(arena, record->headers[i].name),
		    str_of(printable(arena, record->headers[i].value)));
	json_end_object(&w);
	put_bytes(&w, "value", "valueHex", record->value);
	json_end_object(&w);
	printf("%.*s\n", STR_ARG(buf_str(&text)));
	buf_fini(&text);
}

/* What a scan is for. */
struct scan {
	struct ctl *ctl;           /* borrowed */
	struct arena *arena;       /* owned; one record */
	struct producer *producer; /* owned; of a replay */
	const char *topic;         /* where replayed records go */
	bool all;
	int64_t partition, offset; /* the one that is replayed, unless all */
	size_t seen, waiting, delivered, failed;
};

static bool
show_record(void *arg, const struct topic_record *record)
{
	struct scan *s = arg;

	arena_reset(s->arena);
	if (ctl_json(s->ctl))
		print_json(s->arena, record);
	else
		print_text(s->arena, record);
	s->seen++;
	return true;
}

static int
run_scan(struct scan *s, bool (*cb)(void *, const struct topic_record *))
{
	const char *dlq;
	char why[512];
	bool ok;

	s->topic = topic_of(s->ctl, s->ctl->operands[0]);
	dlq = dlq_of(s->ctl, s->topic);
	s->arena = arena_new();
	ok = topics_scan(
	    s->ctl->settings.kafka_brokers, dlq, cb, s, TIMEOUT_US, why, sizeof(why));
	arena_free(s->arena);
	if (!ok)
		return ctl_fail(CTL_UNREACHABLE, "%s: %s", dlq, why);
	return CTL_OK;
}

static int
show(struct ctl *ctl)
{
	struct scan s = { .ctl = ctl };
	int status = run_scan(&s, show_record);

	if (status == CTL_OK && s.seen == 0 && !ctl_json(ctl))
		printf("There are no dead letters.\n");
	return status;
}

/* --- replay ----------------------------------------------------------------- */

static void
on_delivery(void *arg, enum err err)
{
	struct scan *s = arg;

	s->waiting--;
	if (err == ERR_OK)
		s->delivered++;
	else
		s->failed++;
}

static bool
replay_record(void *arg, const struct topic_record *record)
{
	struct scan *s = arg;
	str error = header(record, "dlq-error");

	if (!s->all && (record->partition != s->partition || record->offset != s->offset))
		return true;
	arena_reset(s->arena);
	printf("%" PRId32 ":%" PRId64 " to %s (%s)\n", record->partition, record->offset,
	    s->topic, printable(s->arena, error));
	s->seen++;
	s->waiting++;
	producer_send(s->producer,
	    &(struct record){ .topic = s->topic,
		.partition = -1,
		.key = record->key,
		.value = record->value },
	    on_delivery, s);
	while (s->waiting >= REPLAY_BATCH && s->failed == 0)
		producer_poll(s->producer, CLOCK_US_PER_SEC);
	return s->all && s->failed == 0;
}

static bool
parse_place(struct scan *s, const char *text)
{
	str offset, partition;

	offset = str_cut(str_of(text), ':', &partition);
	return str_to_i64(partition, 0, INT32_MAX, &s->partition) &&
	       str_to_i64(offset, 0, INT64_MAX, &s->offset);
}

static int
report_replay(const struct scan *s)
{
	if (s->failed > 0 || s->waiting > 0)
		return ctl_fail(CTL_FAILED,
		    "%zu delivered, %zu certainly or perhaps not; replaying again does "
		    "no harm",
		    s->delivered, s->failed + s->waiting);
	if (s->seen == 0 && !s->all)
		return ctl_fail(CTL_FAILED, "there is no dead letter at that place");
	printf("%zu replayed\n", s->delivered);
	return CTL_OK;
}

static int
replay(struct ctl *ctl)
{
	const char *place = ctl_text(ctl, "--offset");
	struct scan s = { .ctl = ctl, .all = ctl_flag(ctl, "--all") };
	int status;

	if (s.all == (place != NULL))
		return ctl_fail(CTL_USAGE, "dlq replay needs either --offset or --all");
	if (place != NULL && !parse_place(&s, place))
		return ctl_fail(CTL_USAGE,
		    "--offset is \"%s\"; allowed: PARTITION:OFFSET as dlq show prints it",
		    place);
	s.producer = producer_new(
	    NULL, &(struct producer_conf){ .brokers = ctl->settings.kafka_brokers,
		      .client_id = "onrush-dlq",
		      .linger_us = 500,
		      .timeout_us = TIMEOUT_US,
		      .max_queue = QUEUE_MAX });
	if (s.producer == NULL)
		return ctl_fail(CTL_FAILED, "the settings of Kafka are not accepted");
	status = run_scan(&s, replay_record);
	producer_flush(s.producer, TIMEOUT_US);
	if (status == CTL_OK)
		status = report_replay(&s);
	producer_free(s.producer);
	return status;
}

/* --- the table -------------------------------------------------------------- */

static const struct ctl_option show_options[] = { CTL_OUTPUT_OPTION };

static const struct ctl_option replay_options[] = {
	{ "--offset", "P:O", NULL, 0, 0, NULL,
	    "The one dead letter at this partition and offset, as dlq show prints it." },
	{ "--all", NULL, NULL, 0, 0, NULL, "All of them, in their order." },
};

const struct ctl_command CMD_DLQ_LIST = {
	.name = "dlq list",
	.summary = "Count the dead letters of each topic",
	.run = list,
};

const struct ctl_command CMD_DLQ_SHOW = {
	.name = "dlq show",
	.operands = "TOPIC",
	.min_operands = 1,
	.max_operands = 1,
	.summary = "Print a topic's dead letters with their history",
	.text = "TOPIC is the topic's own name, without ONRUSH_TOPIC_PREFIX. The\n"
		"headers dlq-… say where a record came from, how often it was tried,\n"
		"and why it failed.\n",
	.options = show_options,
	.option_count = ARRAY_LEN(show_options),
	.run = show,
};

const struct ctl_command CMD_DLQ_REPLAY = {
	.name = "dlq replay",
	.operands = "TOPIC",
	.min_operands = 1,
	.max_operands = 1,
	.summary = "Put dead letters back into their topic",
	.text = "Key and value are produced to TOPIC as they were, and each delivery is\n"
		"waited for. The record also stays among the dead letters until its\n"
		"ninety days are over; consumers know requests by their id, so\n"
		"replaying one twice does no harm.\n",
	.options = replay_options,
	.option_count = ARRAY_LEN(replay_options),
	.run = replay,
};
