/*
 * Bodies in pieces: between a connection that reads them and the step's follower, who may
 * stop the reading, and with it the client.
 *
 *   conn (CONN_FLOW) ──exchange_flow_piece, _end──> exchange ──ops──> follower
 *        <──asker's flow: FLOW_OPEN, FLOW_PAUSED───── flow <──rq_body_follow, _pause, …
 *
 * At most what one read brings, 64 KB, is held. A flow that breaks closes its connection
 * after the answer: what follows on it is not known to be a request.
 */
#include "base/clock.h"
#include "http/httpd_impl.h"

static void
turn(struct exchange *x, enum flow flow)
{
	x->flow = flow;
	if (x->asker != NULL)
		x->asker->ops->flow(x->asker, x);
}

void
exchange_flow_begin(struct exchange *x)
{
	const struct http_head *head = &x->head;
	struct rq *rq = &x->rq;

	x->flow = FLOW_CLOSED;
	x->received = rq->body.n;
	rq->body_streams = true;
	rq->body_length =
	    head->framing == HTTP_BODY_LENGTH ? (int64_t)head->content_length : -1;
}

bool
rq_body_follow(struct rq *rq, const struct rq_body_ops *ops)
{
	struct exchange *x = exchange_of(rq);

	if (x->state != RQ_STARTED || x->flow != FLOW_CLOSED)
		return false;
	exchange_stop_deadline(x);
	x->follower = ops;
	rq->body = STR_NULL;
	turn(x, FLOW_OPEN);
	return true;
}

void
rq_body_pause(struct rq *rq)
{
	struct exchange *x = exchange_of(rq);

	if (x->flow == FLOW_OPEN)
		turn(x, FLOW_PAUSED);
}

void
rq_body_resume(struct rq *rq)
{
	struct exchange *x = exchange_of(rq);

	if (x->flow == FLOW_PAUSED)
		turn(x, FLOW_OPEN);
}

void
exchange_flow_piece(struct exchange *x, str bytes)
{
	ASSERT(x->flow == FLOW_OPEN && !x->in_step);
	x->received += bytes.n;
	if (bytes.n > 0)
		x->follower->piece(&x->rq, bytes);
}

/* The body is complete: its connection is one like others again, and the time that the
 * request may take begins. */
static void
complete(struct exchange *x)
{
	struct rq *rq = &x->rq;
	int64_t given_us = rq->deadline_us - rq->start_us;

	turn(x, FLOW_NONE);
	rq->start_us = clock_mono_us();
	rq->deadline_us = rq->start_us + given_us;
	exchange_start_deadline(x);
}

void
exchange_flow_end(struct exchange *x, enum err err)
{
	ASSERT(!x->in_step);
	if (x->flow == FLOW_BROKEN)
		return; /* was told already */
	if (err == ERR_OK)
		complete(x);
	else
		turn(x, FLOW_BROKEN);
	if (x->follower != NULL)
		x->follower->end(&x->rq, err);
}
