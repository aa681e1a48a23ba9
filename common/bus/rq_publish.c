/* The step that waits for a delivery report; apart from producer.c because blocking
 * programs have no requests. */
#include "bus/producer.h"

static void
on_delivered(void *arg, enum err err)
{
	rq_resume(arg, err);
}

rq_next
rq_publish(struct rq *rq, rq_step *next, struct producer *p, const struct record *record)
{
	producer_send(p, record, on_delivered, rq);
	return rq_started(rq, next);
}
