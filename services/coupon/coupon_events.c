#include "coupon/coupon_events.h"

#include "base/clock.h"
#include "bus/event.h"
#include "coupon/coupon_json.h"

#define DECIDED_TYPE "COUPON_DECIDED"

enum {
	INSTANCE_MAX = 64, /* bytes */
	CODE_MAX = 64,
};

static void
refuse(struct json_reader *r, const char *why)
{
	if (r->err != ERR_OK)
		return;
	r->err = ERR_BAD_PARAMETER;
	r->why = why;
}

/* --- COUPON_PUBLISH_REQUESTED -------------------------------------------------- */

void
coupon_requested_encode(
    struct buf *out, const struct coupon_requested *e, str traceparent)
{
	struct json_writer w;

	event_begin(&w, out, e->request.id, COUPON_TOPIC_REQUESTED,
	    e->request.requested_us, traceparent);
	json_put_i64(&w, "couponId", e->request.coupon_id);
	json_put_i64(&w, "userId", e->request.user_id);
	if (e->reply_partition >= 0) {
		json_begin_object(&w, "replyTo");
		json_put_i64(&w, "partition", e->reply_partition);
		json_put_str(&w, "instance", e->reply_instance);
		json_end_object(&w);
	}
	event_end(&w);
}

bool
coupon_requested_decode(
    struct coupon_requested *e, struct arena *arena, str text, const char **why)
{
	struct json_reader r;
	struct event event;

	*e = (struct coupon_requested){ .reply_partition = -1 };
	event_open(&event, &r, arena, text);
	if (r.err == ERR_OK && !str_eq(event.type, STR(COUPON_TOPIC_REQUESTED)))
		refuse(&r, "the type is not " COUPON_TOPIC_REQUESTED);
	e->request.coupon_id = json_i64(&r, event.payload, "couponId", 1, INT64_MAX);
	e->request.user_id = json_i64(&r, event.payload, "userId", 1, INT64_MAX);
	if (r.err == ERR_OK && json_has(event.payload, "replyTo")) {
		const struct json *to = json_object(&r, event.payload, "replyTo");

		e->reply_partition = (int32_t)json_i64(&r, to, "partition", 0, INT32_MAX);
		e->reply_instance = json_str(&r, to, "instance", INSTANCE_MAX);
	}
	e->request.id = event.id;
	e->request.requested_us = event.time_us;
	*why = r.why;
	json_close(&r);
	return r.err == ERR_OK;
}

/* --- COUPON_PUBLISHED ---------------------------------------------------------- */

void
coupon_published_encode(struct buf *out, const struct receipt *r)
{
	struct json_writer w;

	event_begin(&w, out, uuid_from_hash(r->hash.b), COUPON_TOPIC_PUBLISHED,
	    r->issued_us, STR_NULL);
	receipt_put(&w, "receipt", r, NULL, NULL, 0);
	event_end(&w);
}

/* --- COUPON_DECIDED ------------------------------------------------------------ */

static void
put_decision(struct json_writer *w, const struct coupon_decision *d)
{
	json_begin_object(w, NULL);
	json_put_uuid(w, "requestId", d->request_id);
	json_put_str(w, "outcome", str_of(err_info(d->outcome)->code));
	if (d->replayed)
		json_put_bool(w, "replayed", true);
	if (d->outcome == ERR_OK)
		receipt_put(w, "receipt", &d->receipt, NULL, NULL, 0);
	json_end_object(w);
}

void
coupon_decided_encode(struct buf *out, const struct coupon_decided *e)
{
	struct json_writer w;

	event_begin(&w, out, uuid_new(), DECIDED_TYPE, clock_wall_us(), STR_NULL);
	json_begin_array(&w, "decisions");
	for (size_t i = 0; i < e->count; i++)
		put_decision(&w, &e->decisions[i]);
	json_end_array(&w);
	json_begin_array(&w, "heads");
	for (size_t i = 0; i < e->head_count; i++)
		head_put(&w, NULL, &e->heads[i]);
	json_end_array(&w);
	event_end(&w);
}

static void
get_decision(struct json_reader *r, const struct json *object, struct coupon_decision *d)
{
	str code = json_str(r, object, "outcome", CODE_MAX);

	d->request_id = json_get_uuid(r, object, "requestId");
	d->replayed = json_bool_or(r, object, "replayed", false);
	if (r->err != ERR_OK)
		return;
	d->outcome = err_from_code(code.p);
	if (d->outcome == ERR_COUNT)
		refuse(r, "an outcome is not in err.def");
	else if (d->outcome == ERR_OK)
		receipt_get(r, json_object(r, object, "receipt"), &d->receipt);
}

static size_t
length(const struct json *array)
{
	size_t n = 0;

	for (const struct json *e = json_first(array); e != NULL; e = json_next(e))
		n++;
	return n;
}

bool
coupon_decided_decode(
    struct coupon_decided *e, struct arena *arena, str text, const char **why)
{
	struct json_reader r;
	struct event event;
	const struct json *decisions, *heads;

	event_open(&event, &r, arena, text);
	if (r.err == ERR_OK && !str_eq(event.type, STR(DECIDED_TYPE)))
		refuse(&r, "the type is not " DECIDED_TYPE);
	decisions = json_array(&r, event.payload, "decisions", 0, COUPON_BATCH_MAX);
	heads = json_array(&r, event.payload, "heads", 0, COUPON_BATCH_MAX);
	*e = (struct coupon_decided){
		.decisions =
		    arena_alloc(arena, length(decisions) * sizeof(*e->decisions)),
		.heads = arena_alloc(arena, length(heads) * sizeof(*e->heads)),
	};
	for (const struct json *d = json_first(decisions); d != NULL; d = json_next(d))
		get_decision(&r, d, &e->decisions[e->count++]);
	for (const struct json *h = json_first(heads); h != NULL; h = json_next(h))
		head_get(&r, h, &e->heads[e->head_count++]);
	*why = r.why;
	json_close(&r);
	return r.err == ERR_OK;
}
