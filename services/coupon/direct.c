/*
 *   loop ──direct_decide──> queue ──> thread: decider_decide ──> result ──loop_post──>
 * loop
 *
 * The queue is the only thing that both threads touch, under its lock.
 */
#include "coupon/direct.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "app/metrics.h"
#include "base/clock.h"
#include "coupon/decider.h"
#include "coupon/flights.h"

enum {
	QUEUE_MAX = 4096,
};

#define DATABASE_US (2 * CLOCK_US_PER_SEC)

struct direct {
	struct service *service;   /* borrowed */
	struct decider *decider;   /* owned; the thread's */
	struct counter *decisions; /* owned by metrics */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
	size_t queued;
	struct coupon_request queue[QUEUE_MAX];
};

/* A decided batch on its way to the loop. */
struct result {
	struct loop_job job;
	struct service *service; /* borrowed */
	size_t count, head_count;
	struct coupon_decision decisions[COUPON_BATCH_MAX];
	struct chain_head heads[COUPON_BATCH_MAX];
};

static void *run(void *arg);

struct direct *
direct_new(struct service *s)
{
	struct direct *d = xcalloc(1, sizeof(*d));

	d->service = s;
	d->decisions = counter_new("onrush_coupon_direct_decisions_total",
	    "Requests that were decided without Kafka.", NULL);
	d->decider = decider_new(&(struct decider_conf){
	    .pg_dsn = s->settings->pg_dsn,
	    .redis_url = s->settings->redis_url,
	    .note = "coupon-direct",
	    .key = s->key,
	    .timeout_us = DATABASE_US,
	});
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->wake, NULL);
	ASSERT(pthread_create(&d->thread, NULL, run, d) == 0);
	return d;
}

void
direct_free(struct direct *d)
{
	if (d == NULL)
		return;
	pthread_mutex_lock(&d->lock);
	d->stopping = true;
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	decider_free(d->decider);
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

enum err
direct_decide(struct direct *d, const struct coupon_request *request)
{
	enum err err = ERR_OVERLOAD;

	pthread_mutex_lock(&d->lock);
	if (d->queued < QUEUE_MAX) {
		d->queue[d->queued++] = *request;
		pthread_cond_signal(&d->wake);
		err = ERR_OK;
	}
	pthread_mutex_unlock(&d->lock);
	return err;
}

/* Waits for requests and takes the oldest, at most a batch; 0: the thread should end. */
static size_t
take(struct direct *d, struct coupon_request *requests)
{
	size_t n;

	pthread_mutex_lock(&d->lock);
	while (d->queued == 0 && !d->stopping)
		pthread_cond_wait(&d->wake, &d->lock);
	n = d->stopping ? 0 : d->queued;
	if (n > COUPON_BATCH_MAX)
		n = COUPON_BATCH_MAX;
	memcpy(requests, d->queue, n * sizeof(*requests));
	d->queued -= n;
	memmove(d->queue, d->queue + n, d->queued * sizeof(*requests));
	pthread_mutex_unlock(&d->lock);
	return n;
}

/* --- the thread ---------------------------------------------------------------- */

/* Appends what came of these requests to the result. */
static enum err
decide(struct direct *d, const struct coupon_request *requests, size_t count,
    struct result *result)
{
	struct decided decided;
	enum err err = decider_decide(d->decider, requests, count, &decided);

	if (err != ERR_OK)
		return err;
	memcpy(result->decisions + result->count, decided.decisions,
	    count * sizeof(*decided.decisions));
	memcpy(result->heads + result->head_count, decided.heads,
	    decided.head_count * sizeof(*decided.heads));
	result->count += count;
	result->head_count += decided.head_count;
	return ERR_OK;
}

static void
fail(struct result *result, const struct coupon_request *requests, size_t count,
    enum err err)
{
	for (size_t i = 0; i < count; i++)
		result->decisions[result->count++] = (struct coupon_decision){
			.request_id = requests[i].id,
			.outcome = err,
		};
}

static void
land(struct loop_job *job)
{
	struct result *result = CONTAINER_OF(job, struct result, job);

	flights_land(result->service->flights, result->decisions, result->count,
	    result->heads, result->head_count);
	free(result);
}

static void
decide_batch(struct direct *d, const struct coupon_request *requests, size_t count)
{
	struct result *result = xcalloc(1, sizeof(*result));
	enum err err = decide(d, requests, count, result);

	result->service = d->service;
	result->job.run = land;
	for (size_t i = 0; err == ERR_INTERNAL && i < count; i++) {
		enum err alone = decide(d, requests + i, 1, result);

		if (alone != ERR_OK) {
			log_error("request refused by the database: %s",
			    decider_message(d->decider));
			fail(result, requests + i, 1, alone);
		}
	}
	if (err != ERR_OK && err != ERR_INTERNAL) {
		log_warn("direct decision failed: %s", decider_message(d->decider));
		fail(result, requests, count, err);
	}
	counter_add(d->decisions, count);
	loop_post(d->service->worker->loop, &result->job);
	if (err == ERR_OK)
		decider_mark(d->decider);
}

static void *
run(void *arg)
{
	struct direct *d = arg;
	struct coupon_request *requests = xcalloc(COUPON_BATCH_MAX, sizeof(*requests));
	size_t n;

	while ((n = take(d, requests)) > 0)
		decide_batch(d, requests, n);
	free(requests);
	return NULL;
}
