/*
 * POST /coupons and POST /users/{userId}/coupons: someone wants a coupon.
 *
 * What may refuse before PostgreSQL decides: our copy of the campaign while it is fresh,
 * and the filter. Everything else is decided by the coupon-publisher, or by the direct
 * road while Kafka is away; a decision that does not come in time is a 202 with the
 * address where it will be.
 */
#include "coupon/answers.h"
#include "coupon/campaigns.h"
#include "coupon/coupon_rules.h"
#include "coupon/coupon_store.h"
#include "coupon/direct.h"
#include "coupon/filter.h"
#include "coupon/flights.h"
#include "http/caller.h"
#include "http/idempotency.h"
#include "http/json.h"

/* What outlives a step. */
struct issue {
	struct flight flight;
	struct campaign campaign; /* as we knew it when the request came */
	struct filter_query query;
	enum err refusal; /* to be checked against what the key did before */
	bool keyed;       /* has an Idempotency-Key */
	bool async;       /* Prefer: respond-async */
	bool direct;      /* the direct road was taken */
};

static rq_step known, judge, filtered, replay, publish, decided, direct;

static rq_next begin(struct rq *rq, struct issue *issue, struct json_reader *r);
static rq_next refuse(struct rq *rq, enum err refusal);
static rq_next answer(struct rq *rq);
static rq_next undecided(struct rq *rq, enum err why);

rq_next
coupon_issue(struct rq *rq)
{
	struct issue *issue = ARENA_NEW(rq->arena, struct issue);
	struct json_reader r;

	json_open(&r, rq->arena, rq->body);
	issue->flight.request.user_id = json_i64(&r, r.root, "userId", 1, INT64_MAX);
	return begin(rq, issue, &r);
}

rq_next
coupon_issue_for_user(struct rq *rq)
{
	struct issue *issue = ARENA_NEW(rq->arena, struct issue);
	struct json_reader r;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &issue->flight.request.user_id))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "The user's id must be a positive integer.");
	json_open(&r, rq->arena, rq->body);
	return begin(rq, issue, &r);
}

static bool
identify(struct rq *rq, struct issue *issue)
{
	struct coupon_request *request = &issue->flight.request;
	str key;

	if (!idempotency_key(rq, &key))
		return false;
	request->requested_us = clock_wall_us();
	request->id = idempotency_id(STR("onrush-coupon-key-v1"), request->user_id, key);
	issue->keyed = key.p != NULL;
	return true;
}

static rq_next
begin(struct rq *rq, struct issue *issue, struct json_reader *r)
{
	struct service *s = rq->service;
	struct coupon_request *request = &issue->flight.request;
	enum err err;

	rq->ctx = issue;
	request->coupon_id = json_i64(r, r->root, "couponId", 1, INT64_MAX);
	json_close(r);
	if (r->err != ERR_OK)
		return rq_fail_because(rq, r->err, "%s", r->why);
	if ((err = caller_check(rq, request->user_id)) != ERR_OK)
		return rq_fail(rq, err);
	if (!identify(rq, issue))
		return idempotency_refuse(rq);
	issue->async =
	    str_eq_nocase(http_header(rq->head, STR("Prefer")), STR("respond-async"));
	if (!pgpool_is_up(s->pg))
		return rq_fail(rq, ERR_UNAVAILABLE);
	return rq_goto(rq, known);
}

/* A fresh copy of the campaign is in memory while people ask for it; otherwise it is
 * read: what an old one says, and the marks that it names, may refuse nobody. */
static rq_next
known(struct rq *rq)
{
	struct service *s = rq->service;
	struct issue *issue = rq->ctx;
	bool fresh;

	(void)campaigns_find(s->campaigns, issue->flight.request.coupon_id, &fresh);
	if (!fresh)
		return campaigns_read(
		    rq, judge, s->campaigns, &issue->flight.request.coupon_id);
	return rq_goto(rq, judge);
}

static rq_next
judge(struct rq *rq)
{
	struct service *s = rq->service;
	struct issue *issue = rq->ctx;
	const struct coupon_request *request = &issue->flight.request;
	bool fresh;
	const struct campaign *c =
	    campaigns_find(s->campaigns, request->coupon_id, &fresh);
	enum err verdict;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (c == NULL)
		return rq_fail(rq, ERR_COUPON_UNKNOWN);
	issue->campaign = *c;
	if (!fresh) /* reading it took longer than it holds */
		return rq_goto(rq, publish);
	verdict = coupon_judge(c, request->requested_us);
	if (verdict != ERR_OK)
		return refuse(rq, verdict);
	issue->query = (struct filter_query){
		.campaign = &issue->campaign,
		.user_id = request->user_id,
	};
	if (s->redis == NULL || !redis_is_up(s->redis))
		return rq_goto(rq, publish);
	return filter_ask(rq, filtered, s->filter, &issue->query);
}

static rq_next
filtered(struct rq *rq)
{
	struct issue *issue = rq->ctx;

	switch (issue->query.verdict) {
	case FILTER_PASS: return rq_goto(rq, publish);
	case FILTER_ISSUED: return refuse(rq, ERR_COUPON_ALREADY_ISSUED);
	case FILTER_SOLD_OUT: return refuse(rq, ERR_COUPON_SOLD_OUT);
	case FILTER_CLOSED: return refuse(rq, ERR_COUPON_NOT_OPEN);
	case FILTER_IN_FLIGHT: return refuse(rq, ERR_IN_PROGRESS);
	}
	UNREACHABLE();
}

/* A refusal is final unless the key shows that this very request was decided before. */
static rq_next
refuse(struct rq *rq, enum err refusal)
{
	struct service *s = rq->service;
	struct issue *issue = rq->ctx;

	if (!issue->keyed)
		return rq_fail(rq, refusal);
	issue->refusal = refusal;
	return answers_find(rq, replay, s->pg, issue->flight.request.id);
}

static rq_next
replay(struct rq *rq)
{
	struct issue *issue = rq->ctx;
	const struct coupon_request *request = &issue->flight.request;
	struct coupon_stored found;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0)
		return rq_fail(rq, issue->refusal);
	coupon_stored_from_row(&found, rq->pg, 0, 0);
	if (found.coupon_id != request->coupon_id || found.user_id != request->user_id)
		return rq_fail(rq, ERR_KEY_REUSED);
	found.decision.replayed = true;
	return answers_decision(rq, &found.decision, NULL);
}

/* The request stops waiting. */
static void
forget(struct rq *rq)
{
	struct service *s = rq->service;
	struct issue *issue = rq->ctx;

	flights_remove(s->flights, &issue->flight);
}

static rq_next
publish(struct rq *rq)
{
	struct service *s = rq->service;
	struct issue *issue = rq->ctx;

	issue->flight.rq = rq;
	issue->flight.wake_on_delivery = issue->async;
	if (inbox_partition(s->inbox) < 0 ||
	    !breaker_allow(&s->kafka, loop_now_us(s->worker->loop)))
		return rq_goto(rq, direct);
	if (flights_add(s->flights, &issue->flight) != ERR_OK)
		return rq_fail(rq, ERR_OVERLOAD);
	flights_send(s->flights, &issue->flight);
	return rq_wait(rq, decided, s->settings->patience_us, forget);
}

/*
 * Woken by a decision, by a delivery report, or by patience that ran out. Without a
 * report by then Kafka is taken for dead; with one, the decision will come, and only the
 * request's deadline ends the wait.
 */
static rq_next
decided(struct rq *rq)
{
	struct service *s = rq->service;
	struct issue *issue = rq->ctx;
	struct flight *flight = &issue->flight;
	int64_t now_us = loop_now_us(s->worker->loop);
	enum delivery delivery = flight->delivery;

	if (rq->err == ERR_OK && uuid_eq(flight->decision.request_id, flight->request.id))
		return answer(rq);
	forget(rq);
	if (rq->err == ERR_OK || issue->direct || now_us >= rq->deadline_us)
		return undecided(rq, ERR_UNKNOWN_OUTCOME);
	if (delivery == DELIVERY_DONE && producer_is_up(s->producer)) {
		if (flights_add(s->flights, flight) != ERR_OK)
			return undecided(rq, ERR_OVERLOAD);
		return rq_wait(rq, decided, 0, forget);
	}
	if (delivery == DELIVERY_PENDING)
		breaker_trip(&s->kafka, now_us);
	return rq_goto(rq, direct);
}

/* Kafka is away: the same decision on this instance's own thread. */
static rq_next
direct(struct rq *rq)
{
	struct service *s = rq->service;
	struct issue *issue = rq->ctx;

	issue->direct = true;
	if (flights_add(s->flights, &issue->flight) != ERR_OK)
		return undecided(rq, ERR_OVERLOAD);
	if (direct_decide(s->direct, &issue->flight.request) != ERR_OK) {
		forget(rq);
		return undecided(rq, ERR_OVERLOAD);
	}
	return rq_wait(rq, decided, 0, forget);
}

/* --- answers ------------------------------------------------------------------- */

static rq_next
answer(struct rq *rq)
{
	struct service *s = rq->service;
	struct issue *issue = rq->ctx;
	const struct flight *flight = &issue->flight;
	enum err outcome = flight->decision.outcome;

	/* Before the answer, so that a repetition meets the decision, not the flight. */
	if (s->redis != NULL)
		filter_land(s->filter, &issue->campaign, flight->request.user_id);
	if (!err_info(outcome)->ack)
		return undecided(rq, outcome);
	return answers_decision(
	    rq, &flight->decision, flight->head.rank > 0 ? &flight->head : NULL);
}

/*
 * An event that is in Kafka will be decided: 202, and here is where to ask. What may be
 * in Kafka, or not, is said to be so. Only what never got there can be told for certain
 * why it was not decided.
 */
static rq_next
undecided(struct rq *rq, enum err why)
{
	struct issue *issue = rq->ctx;

	switch (issue->flight.delivery) {
	case DELIVERY_DONE: return answers_accepted(rq, &issue->flight.request);
	case DELIVERY_PENDING:
	case DELIVERY_UNKNOWN: return rq_fail(rq, ERR_UNKNOWN_OUTCOME);
	case DELIVERY_NONE: return rq_fail(rq, why);
	}
	UNREACHABLE();
}
