#include "gateway/upstream.h"

#include <stdio.h>

/* How calls end, as the metric says it. */
enum outcome {
	ANSWERED,
	UNREACHABLE_SERVICE,
	NO_ROOM,
	NO_ANSWER,
	BAD_ANSWER,
	OUTCOME_COUNT
};

static const char *const outcome_names[OUTCOME_COUNT] = {
	"answered",
	"unreachable",
	"overload",
	"timeout",
	"bad_answer",
};

struct upstream_metrics {
	struct counter *calls[OUTCOME_COUNT];
	struct histogram *seconds;
	struct gauge *conns, *busy, *queued;
};

static const char *const names[UPSTREAM_COUNT] = {
	"coupon",
	"order",
	"reservation",
	"queue",
};

static struct upstream_metrics metrics[UPSTREAM_COUNT];

void
upstream_register(void)
{
	char labels[96];

	for (int id = 0; id < UPSTREAM_COUNT; id++) {
		struct upstream_metrics *m = &metrics[id];
		for (int i = 0; i < OUTCOME_COUNT; i++) {
			snprintf(labels, sizeof(labels), "upstream=\"%s\",outcome=\"%s\"",
			    names[id], outcome_names[i]);
			m->calls[i] = counter_new("onrush_gateway_upstream_calls_total",
			    "Calls to the services behind, by how they ended.", labels);
		}
		snprintf(labels, sizeof(labels), "upstream=\"%s\"", names[id]);
		m->seconds = histogram_new("onrush_gateway_upstream_seconds",
		    "Time from a call's start, queue included, to its answer.", labels);
		m->conns = gauge_new("onrush_gateway_upstream_connections",
		    "Open connections to the services behind.", labels);
		m->busy = gauge_new("onrush_gateway_upstream_busy_connections",
		    "Connections that wait for an answer.", labels);
		m->queued = gauge_new("onrush_gateway_upstream_queued_calls",
		    "Calls that wait for a connection.", labels);
	}
}

static size_t
share(int64_t total, int workers)
{
	return total > workers ? (size_t)(total / workers) : 1;
}

bool
upstream_init(struct upstream *up, enum upstream_id id,
    const struct upstream_settings *settings, struct loop *loop, int workers)
{
	*up = (struct upstream){
		.name = names[id],
		.address = settings->addresses[id],
		.metrics = &metrics[id],
	};
	if (up->address[0] == '\0')
		return true;

	const struct httpc_conf conf = {
		.address = up->address,
		.max_conns = share(settings->max_conns, workers),
		.max_queue = share(settings->max_queue, workers),
		.queue_us = settings->queue_us,
		.connect_us = settings->connect_us,
		.response_us = settings->response_us,
		.stream_us = UPSTREAM_STREAM_US,
		.idle_us = UPSTREAM_IDLE_US,
		.max_response = UPSTREAM_MAX_RESPONSE,
	};
	up->pool = httpc_new(loop, &conf);
	return up->pool != NULL;
}

void
upstream_fini(struct upstream *up)
{
	httpc_free(up->pool);
	up->pool = NULL;
}

static enum outcome
outcome_of(enum err err)
{
	if (err == ERR_OK)
		return ANSWERED;
	if (err == ERR_OVERLOAD)
		return NO_ROOM;
	if (err == ERR_TIMEOUT)
		return NO_ANSWER;
	if (err == ERR_BAD_GATEWAY)
		return BAD_ANSWER;
	return UNREACHABLE_SERVICE;
}

void
upstream_count(struct upstream *up, enum err err, int64_t took_us)
{
	counter_add(up->metrics->calls[outcome_of(err)], 1);
	if (err == ERR_OK)
		histogram_observe_us(up->metrics->seconds, took_us);
}

static void
move(struct gauge *gauge, size_t *from, size_t to)
{
	gauge_add(gauge, (int64_t)to - (int64_t)*from);
	*from = to;
}

void
upstream_observe(struct upstream *up)
{
	size_t conns, busy, queued;

	if (up->pool == NULL)
		return;
	httpc_stats(up->pool, &conns, &busy, &queued);
	move(up->metrics->conns, &up->conns, conns);
	move(up->metrics->busy, &up->busy, busy);
	move(up->metrics->queued, &up->queued, queued);
}
