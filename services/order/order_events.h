/*
 * What orders tell through Kafka: the topics, and their records both ways.
 *
 *   order service ──PAYMENT_REQUESTED──> payment-worker ──> orders.outbox ──> ORDER_…
 *
 * The facts (ORDER_COMPLETED, ORDER_FAILED, ORDER_CANCELLED; key orderId) and what the
 * coupon service has to be told (COUPON_USES, which is no topic) go through the table
 * orders.outbox, as JSON in its column `records`, and are delivered by the keeper.
 */
#ifndef ONRUSH_ORDER_ORDER_EVENTS_H
#define ONRUSH_ORDER_ORDER_EVENTS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "http/json.h"

#define PAYMENT_TOPIC_REQUESTED "PAYMENT_REQUESTED"
#define PAYMENT_GROUP           "PAYMENT"
#define ORDER_TOPIC_COMPLETED   "ORDER_COMPLETED"
#define ORDER_TOPIC_FAILED      "ORDER_FAILED"
#define ORDER_TOPIC_CANCELLED   "ORDER_CANCELLED"
/* In the outbox's column `topic`: for the coupon service, by HTTP. */
#define ORDER_OUTBOX_COUPON_USES "COUPON_USES"

/* What a payment is for; more kinds share the topic. */
enum payment_kind {
	PAYMENT_ORDER, /* "ORDER": the order `id` */
	PAYMENT_SEAT,  /* "SEAT": the payment `id` of a reservation of seats */
};

/* PAYMENT_REQUESTED, key userId: {"kind": "ORDER", "orderId": …, "userId": …}, or
 * {"kind": "SEAT", "paymentId": …, "userId": …}. */
struct payment_requested {
	uuid event_id; /* the request_id of the order, or of the payment */
	enum payment_kind kind;
	int64_t id; /* of what is to be paid, by its kind */
	int64_t user_id;
	int64_t requested_us; /* wall */
};

void payment_requested_encode(
    struct buf *out, const struct payment_requested *e, str traceparent);
/* False with a sentence in *why (static or in the arena) when it is not that. */
bool payment_requested_decode(struct payment_requested *e, struct arena *arena, str text,
    const char **why) MUST_USE;

struct order_fact_line {
	int64_t product_id, quantity;
	int64_t price; /* of one, won */
};

/* Something that has become of an order. */
struct order_fact {
	const char *topic; /* static; also its type */
	int64_t order_id, user_id;
	int64_t amount, discount;            /* won; totalAmount is the difference */
	int64_t coupon_id;                   /* 0: none */
	enum err reason;                     /* of a failure; ERR_OK: none */
	int64_t at_us;                       /* wall */
	const struct order_fact_line *lines; /* borrowed */
	size_t line_count;
};

/*
 * The column `records` of one outbox row, as JSON:
 *
 *	order_records_begin(&w, &text);
 *	for (…)
 *		order_records_put_fact(&w, &fact);
 *	order_records_end(&w);
 *
 * gives [{"key": "42", "value": {eventId, type, occurredAt, payload}}, …] with payload
 * {orderId, userId, amount, discount, totalAmount, couponId?, reason?, lines: [{id,
 * quantity, price}]}. A row has facts of one topic only.
 */
void order_records_begin(struct json_writer *w, struct buf *out);
void order_records_put_fact(struct json_writer *w, const struct order_fact *fact);
/* In rows for ORDER_OUTBOX_COUPON_USES: {"orderId": …, "state": "USED" or "RELEASED"}. */
void order_records_put_use(struct json_writer *w, int64_t order_id, bool used);
void order_records_end(struct json_writer *w);

#endif
