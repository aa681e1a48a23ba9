/* The records of orders, as JSON; see order_events.h. */
#include "order/order_events.h"

#include <inttypes.h>
#include <stdio.h>

#include "bus/event.h"

enum {
	KIND_MAX = 32, /* bytes */
};

/* By enum payment_kind: its name, and the member that says what is paid. */
static const struct {
	str name;
	const char *id;
} kinds[] = {
	[PAYMENT_ORDER] = { STR_INIT("ORDER"), "orderId" },
	[PAYMENT_SEAT] = { STR_INIT("SEAT"), "paymentId" },
};

static void
refuse(struct json_reader *r, const char *why)
{
	if (r->err != ERR_OK)
		return;
	r->err = ERR_BAD_PARAMETER;
	r->why = why;
}

/* --- PAYMENT_REQUESTED --------------------------------------------------------- */

void
payment_requested_encode(
    struct buf *out, const struct payment_requested *e, str traceparent)
{
	struct json_writer w;

	event_begin(
	    &w, out, e->event_id, PAYMENT_TOPIC_REQUESTED, e->requested_us, traceparent);
	json_put_str(&w, "kind", kinds[e->kind].name);
	json_put_i64(&w, kinds[e->kind].id, e->id);
	json_put_i64(&w, "userId", e->user_id);
	event_end(&w);
}

/* ORDER when it is not a kind, which is then the reader's error. */
static enum payment_kind
read_kind(struct json_reader *r, const struct json *payload)
{
	str name = json_str(r, payload, "kind", KIND_MAX);

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(name, kinds[i].name))
			return (enum payment_kind)i;
	refuse(r, "payments of this kind are not known here");
	return PAYMENT_ORDER;
}

bool
payment_requested_decode(
    struct payment_requested *e, struct arena *arena, str text, const char **why)
{
	struct json_reader r;
	struct event event;
	enum payment_kind kind;

	event_open(&event, &r, arena, text);
	if (r.err == ERR_OK && !str_eq(event.type, STR(PAYMENT_TOPIC_REQUESTED)))
		refuse(&r, "the type is not " PAYMENT_TOPIC_REQUESTED);
	kind = read_kind(&r, event.payload);
	*e = (struct payment_requested){
		.event_id = event.id,
		.kind = kind,
		.id = json_i64(&r, event.payload, kinds[kind].id, 1, INT64_MAX),
		.user_id = json_i64(&r, event.payload, "userId", 1, INT64_MAX),
		.requested_us = event.time_us,
	};
	*why = r.why;
	json_close(&r);
	return r.err == ERR_OK;
}

/* --- rows of the outbox -------------------------------------------------------- */

void
order_records_begin(struct json_writer *w, struct buf *out)
{
	*w = (struct json_writer){ .out = out };
	json_begin_array(w, NULL);
}

static void
put_lines(struct json_writer *w, const struct order_fact *fact)
{
	json_begin_array(w, "lines");
	for (size_t i = 0; i < fact->line_count; i++) {
		json_begin_object(w, NULL);
		json_put_i64(w, "id", fact->lines[i].product_id);
		json_put_i64(w, "quantity", fact->lines[i].quantity);
		json_put_i64(w, "price", fact->lines[i].price);
		json_end_object(w);
	}
	json_end_array(w);
}

static void
put_event(struct buf *out, const struct order_fact *fact)
{
	struct json_writer w;

	event_begin(&w, out, uuid_new(), fact->topic, fact->at_us, STR_NULL);
	json_put_i64(&w, "orderId", fact->order_id);
	json_put_i64(&w, "userId", fact->user_id);
	json_put_i64(&w, "amount", fact->amount);
	json_put_i64(&w, "discount", fact->discount);
	json_put_i64(&w, "totalAmount", fact->amount - fact->discount);
	if (fact->coupon_id != 0)
		json_put_i64(&w, "couponId", fact->coupon_id);
	if (fact->reason != ERR_OK)
		json_put_str(&w, "reason", str_of(err_info(fact->reason)->code));
	put_lines(&w, fact);
	event_end(&w);
}

void
order_records_put_fact(struct json_writer *w, const struct order_fact *fact)
{
	char key[24];
	struct buf event = { 0 };

	snprintf(key, sizeof(key), "%" PRId64, fact->order_id);
	put_event(&event, fact);
	json_begin_object(w, NULL);
	json_put_str(w, "key", str_of(key));
	json_put_raw(w, "value", buf_str(&event));
	json_end_object(w);
	buf_fini(&event);
}

void
order_records_put_use(struct json_writer *w, int64_t order_id, bool used)
{
	json_begin_object(w, NULL);
	json_put_i64(w, "orderId", order_id);
	json_put_str(w, "state", used ? STR("USED") : STR("RELEASED"));
	json_end_object(w);
}

void
order_records_end(struct json_writer *w)
{
	json_end_array(w);
}
