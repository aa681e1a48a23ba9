/*
 * POST /concerts/reserve-seat {seatId or seatIds, userId}: the seats are held for the
 * user until heldUntil, all of them or none. Paying makes them the user's own.
 */
#include "http/caller.h"
#include "http/idempotency.h"
#include "http/json.h"
#include "reservation/holding.h"

static rq_step held;

static void
read_seats(struct json_reader *r, struct hold_seats *seats)
{
	const struct json *ids;

	if (!json_has(r->root, "seatIds")) {
		seats->ids[seats->count++] = json_i64(r, r->root, "seatId", 1, INT64_MAX);
		return;
	}
	ids = json_array(r, r->root, "seatIds", 1, HOLD_SEATS_MAX);
	for (const struct json *e = ids == NULL ? NULL : json_first(ids); e != NULL;
	     e = json_next(e))
		seats->ids[seats->count++] = json_element_i64(r, e, 1, INT64_MAX);
}

static enum err
read_request(struct rq *rq, struct hold_request *h, const char **why)
{
	struct json_reader r;
	bool both;

	json_open(&r, rq->arena, rq->body);
	h->user_id = json_i64(&r, r.root, "userId", 1, INT64_MAX);
	read_seats(&r, &h->seats);
	both =
	    r.err == ERR_OK && json_has(r.root, "seatId") && json_has(r.root, "seatIds");
	json_close(&r);
	*why = r.why;
	if (r.err != ERR_OK)
		return r.err;
	if (both) {
		*why = "Give \"seatId\" or \"seatIds\", not both.";
		return ERR_BAD_PARAMETER;
	}
	if (!hold_seats_sort(&h->seats)) {
		*why = "\"seatIds\" must name each seat once.";
		return ERR_BAD_PARAMETER;
	}
	return ERR_OK;
}

rq_next
seats_hold(struct rq *rq)
{
	struct service *s = rq->service;
	struct hold_request *h = ARENA_NEW(rq->arena, struct hold_request);
	const char *why;
	enum err err = read_request(rq, h, &why);
	str key;

	rq->ctx = h;
	if (err != ERR_OK)
		return rq_fail_because(rq, err, "%s", why);
	if ((err = caller_check(rq, h->user_id)) != ERR_OK)
		return rq_fail(rq, err);
	if (!caller_line(rq, &h->line_id))
		h->line_id = HOLD_NO_LINE;
	if (!idempotency_key(rq, &key))
		return idempotency_refuse(rq);
	h->keyed = key.p != NULL;
	h->id = idempotency_id(STR("onrush-hold-key-v1"), h->user_id, key);
	h->hash = hold_content_hash(h->user_id, &h->seats);
	if (holding_refuses(s->holding, h))
		return rq_fail(rq, ERR_SEAT_TAKEN);
	return holding_hold(rq, held, s->holding, h);
}

static rq_next
held(struct rq *rq)
{
	const struct hold_request *h = rq->ctx;
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (h->outcome == ERR_BAD_PARAMETER)
		return rq_fail_because(rq, ERR_BAD_PARAMETER,
		    "The seats of one request must be of one concert.");
	if (h->outcome != ERR_OK)
		return rq_fail(rq, h->outcome);
	if (h->replayed)
		rq_header(rq, STR("Idempotent-Replayed"), STR("true"));
	json_begin_object(&w, NULL);
	json_put_i64(&w, "reservationId", h->reservation_id);
	json_put_i64(&w, "userId", h->user_id);
	json_put_str(&w, "status", STR("HELD"));
	json_put_time(&w, "heldUntil", h->held_until_us);
	json_put_i64(&w, "amount", h->amount);
	json_begin_array(&w, "seatIds");
	for (size_t i = 0; i < h->seats.count; i++)
		json_put_i64(&w, NULL, h->seats.ids[i]);
	json_end_array(&w);
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}
