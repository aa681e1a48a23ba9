#include "coupon/flights.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupon/coupon_events.h"

enum {
	BUCKETS = 4096,
};

LIST_HEAD(bucket, flight);

struct flights {
	struct service *service; /* borrowed */
	size_t count;
	struct buf text; /* owned; scratch of encoding */
	struct bucket buckets[BUCKETS];
};

/* A delivery report that is under way. It outlives its flight when the decision (or the
 * request's end) comes first; then its flight is NULL. */
struct report {
	struct flights *flights; /* borrowed */
	struct flight *flight;   /* borrowed; NULL when nobody cares any more */
};

struct flights *
flights_new(struct service *s)
{
	struct flights *f = xcalloc(1, sizeof(*f));

	f->service = s;
	return f;
}

void
flights_free(struct flights *f)
{
	if (f == NULL)
		return;
	buf_fini(&f->text);
	free(f);
}

static struct bucket *
bucket_of(struct flights *f, uuid id)
{
	uint32_t hash;

	memcpy(&hash, id.b + 12, sizeof(hash)); /* random in every version that we make */
	return &f->buckets[hash % BUCKETS];
}

enum err
flights_add(struct flights *f, struct flight *flight)
{
	if (f->count >= (size_t)f->service->settings->max_waiting)
		return ERR_OVERLOAD;
	LIST_INSERT_HEAD(bucket_of(f, flight->request.id), flight, link);
	f->count++;
	return ERR_OK;
}

void
flights_remove(struct flights *f, struct flight *flight)
{
	if (flight->report != NULL) {
		flight->report->flight = NULL;
		flight->report = NULL;
	}
	if (flight->link.le_prev == NULL)
		return;
	LIST_REMOVE(flight, link);
	flight->link.le_prev = NULL;
	f->count--;
}

/* --- sending ------------------------------------------------------------------- */

static void
on_report(void *arg, enum err err)
{
	struct report *report = arg;
	struct flight *flight = report->flight;
	struct service *s = report->flights->service;

	free(report);
	if (err == ERR_OK)
		breaker_success(&s->kafka);
	else
		breaker_failure(&s->kafka, loop_now_us(s->worker->loop));
	if (flight == NULL)
		return;
	flight->report = NULL;
	flight->delivery = err == ERR_OK                ? DELIVERY_DONE
			   : err == ERR_UNKNOWN_OUTCOME ? DELIVERY_UNKNOWN
							: DELIVERY_NONE;
	if (err != ERR_OK || flight->wake_on_delivery)
		rq_wake(flight->rq, err == ERR_OK ? ERR_OK : ERR_UNAVAILABLE, NULL);
}

void
flights_send(struct flights *f, struct flight *flight)
{
	struct service *s = f->service;
	struct report *report = xcalloc(1, sizeof(*report));
	char key[24];
	int key_size = snprintf(key, sizeof(key), "%" PRId64, flight->request.coupon_id);

	*report = (struct report){ f, flight };
	flight->report = report;
	flight->delivery = DELIVERY_PENDING;
	buf_clear(&f->text);
	coupon_requested_encode(&f->text,
	    &(struct coupon_requested){
		.request = flight->request,
		.reply_partition = inbox_partition(s->inbox),
		.reply_instance = str_of(s->instance),
	    },
	    flight->rq->traceparent);
	producer_send(s->producer,
	    &(struct record){
		.topic = s->topic,
		.partition = -1,
		.key = { key, (size_t)key_size },
		.value = buf_str(&f->text),
	    },
	    on_report, report);
}

/* --- landing ------------------------------------------------------------------- */

static const struct chain_head *
head_of(const struct chain_head *heads, size_t count, int64_t coupon_id)
{
	for (size_t i = 0; i < count; i++)
		if (heads[i].coupon_id == coupon_id)
			return &heads[i];
	return NULL;
}

void
flights_land(struct flights *f, const struct coupon_decision *decisions, size_t count,
    const struct chain_head *heads, size_t head_count)
{
	for (size_t i = 0; i < count; i++) {
		const struct coupon_decision *d = &decisions[i];
		struct flight *flight, *next;

		for (flight = LIST_FIRST(bucket_of(f, d->request_id)); flight != NULL;
		     flight = next) {
			const struct chain_head *head = NULL;

			next = LIST_NEXT(flight, link);
			if (!uuid_eq(flight->request.id, d->request_id))
				continue;
			if (d->outcome == ERR_OK && !d->replayed)
				head = head_of(heads, head_count, d->receipt.coupon_id);
			flight->decision = *d;
			if (head != NULL)
				flight->head = *head;
			flights_remove(f, flight);
			rq_wake(flight->rq, ERR_OK, NULL);
		}
	}
}
