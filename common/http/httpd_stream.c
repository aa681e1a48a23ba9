/*
 * Answers in pieces. A piece goes into a buffer of whoever asked, and what gathered there
 * in one turn leaves with one write; so nothing of a connection's fate is told before
 * rq_stream_write has returned.
 *
 *   RUNNING ──rq_stream──> STREAM ──┬── rq_stream_end ──> the rest is sent, the next
 *                                   │                      request may come
 *                                   └── the client leaves ──> gone
 *
 * At most CONN_STREAM_HIGH and one piece wait in a buffer, whatever the answer's size.
 */
#include "base/clock.h"
#include "http/httpd_impl.h"

static const rq_next next_token;

static void
begin(struct exchange *x, const struct answer *answer, const struct rq_stream_ops *ops)
{
	struct rq *rq = &x->rq;

	ASSERT(x->state == RQ_RUNNING);
	x->state = RQ_STREAM;
	x->stream = ops;
	x->status = answer->status;
	route_count(x, answer->status, clock_mono_us() - rq->start_us);
	exchange_uncount(x);
	if (x->asker != NULL)
		x->asker->ops->head(x->asker, x, answer);
	if (x->head.method == HTTP_HEAD)
		x->asker = NULL;
	if (x->asker == NULL)
		loop_defer(rq->worker->loop, &x->job); /* tells that it is gone */
}

rq_next
rq_stream(struct rq *rq, int status, str content_type, int64_t length,
    const struct rq_stream_ops *ops)
{
	const struct answer answer = {
		.status = status, .type = content_type, .length = length
	};
	struct exchange *x = exchange_of(rq);

	ASSERT(status_has_body(status));
	if (x->flow != FLOW_NONE)
		x->flow = FLOW_BROKEN; /* the answer ends the body */
	begin(x, &answer, ops);
	return next_token;
}

rq_next
rq_tunnel(struct rq *rq, str protocol, const struct rq_stream_ops *ops,
    const struct rq_body_ops *from_client)
{
	const struct answer answer = { .status = 101, .protocol = protocol };
	struct exchange *x = exchange_of(rq);

	ASSERT(x->flow == FLOW_NONE && rq->head->minor > 0 &&
	       (rq->route->flags & ROUTE_TUNNEL));
	x->follower = from_client;
	x->flow = FLOW_OPEN;
	begin(x, &answer, ops);
	return next_token;
}

bool
rq_stream_write(struct rq *rq, str bytes)
{
	struct exchange *x = exchange_of(rq);

	ASSERT(x->state == RQ_STREAM);
	if (x->asker == NULL || bytes.n == 0)
		return true;
	x->streamed += bytes.n;
	return x->asker->ops->write(x->asker, bytes);
}

static void
end(struct exchange *x, enum err err)
{
	log_answer(x, x->status, err, clock_mono_us() - x->rq.start_us, x->streamed);
	x->state = RQ_ANSWERED;
	x->asker = NULL;
	if (!x->in_step && !x->job.queued)
		exchange_put(x);
}

void
rq_stream_end(struct rq *rq, bool whole)
{
	struct exchange *x = exchange_of(rq);

	ASSERT(x->state == RQ_STREAM);
	if (x->asker != NULL)
		x->asker->ops->end(x->asker, whole);
	end(x, whole ? ERR_OK : ERR_BAD_GATEWAY);
}

void
exchange_gone(struct exchange *x)
{
	ASSERT(x->state == RQ_STREAM && !x->in_step);
	x->stream->gone(&x->rq);
	end(x, ERR_OK);
}

void
exchange_room(struct exchange *x)
{
	ASSERT(x->state == RQ_STREAM);
	x->stream->room(&x->rq);
}

void
streams_drain(struct httpd *httpd)
{
	struct exchange *x, *next;

	for (x = LIST_FIRST(&httpd->live); x != NULL; x = next) {
		next = LIST_NEXT(x, link);
		if (x->state == RQ_STREAM && x->stream->drain != NULL)
			x->stream->drain(&x->rq);
	}
}
