/*
 * Calls that wait for a connection. Each priority has a FIFO. A call goes before those of
 * higher priority that came more than its handicap later: a part of the longest wait, so
 * that nobody waits for ever behind people who are more important. In a full queue the
 * last that came of a lower priority makes room.
 */
#include "http/httpc_impl.h"

/* First those that are refused last. */
static const enum httpc_priority by_rank[HTTPC_PRIORITIES] = { HTTPC_HIGH, HTTPC_NORMAL,
	HTTPC_LOW };

static int rank_of(enum httpc_priority priority);

void
queue_init(struct httpc *c)
{
	for (int i = 0; i < HTTPC_PRIORITIES; i++)
		TAILQ_INIT(&c->queues[i]);
}

void
queue_put(struct httpc *c, struct call *call, bool first)
{
	struct call_list *queue = &c->queues[call->request.priority];

	if (first)
		TAILQ_INSERT_HEAD(queue, call, link);
	else
		TAILQ_INSERT_TAIL(queue, call, link);
	c->queue_count++;
	loop_wait_start(c->queue_waits, &call->wait);
}

void
queue_remove(struct httpc *c, struct call *call)
{
	TAILQ_REMOVE(&c->queues[call->request.priority], call, link);
	c->queue_count--;
}

/* When it is due to be served; one that was taken back from a connection is, at once. */
static int64_t
turn_us(const struct httpc *c, const struct call *call)
{
	int64_t handicap_us = c->conf.queue_us / 4 * rank_of(call->request.priority);

	return call->again ? 0 : call->wait.due_us + handicap_us;
}

struct call *
queue_next(const struct httpc *c)
{
	struct call *next = NULL;

	for (int i = 0; i < HTTPC_PRIORITIES; i++) {
		struct call *call = TAILQ_FIRST(&c->queues[by_rank[i]]);

		if (call != NULL && (next == NULL || turn_us(c, call) < turn_us(c, next)))
			next = call;
	}
	return next;
}

struct call *
queue_least(const struct httpc *c, enum httpc_priority than)
{
	for (int i = HTTPC_PRIORITIES - 1; i > rank_of(than); i--) {
		struct call *last = TAILQ_LAST(&c->queues[by_rank[i]], call_list);

		if (last != NULL)
			return last;
	}
	return NULL;
}

static int
rank_of(enum httpc_priority priority)
{
	switch (priority) {
	case HTTPC_HIGH: return 0;
	case HTTPC_NORMAL: return 1;
	case HTTPC_LOW: return 2;
	}
	UNREACHABLE();
}
