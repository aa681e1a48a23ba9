/*
 * Batching. What waits is a ring of borrowed requests, flushed by a job at the end of the
 * turn; a run takes the oldest. A request that is answered by its deadline stays in its
 * place: it is resumed like the others and dropped then.
 */
#include "http/batch.h"

#include <stdlib.h>

#include "app/loop.h"

/* One that waits. */
struct joined {
	struct rq *rq; /* borrowed */
	void *item;    /* borrowed */
};

struct batch {
	struct batch_conf conf;
	struct loop *loop;      /* borrowed */
	struct loop_job job;    /* flushes */
	struct joined *waiting; /* owned; a ring of conf.max_queue */
	size_t first, count;    /* of those that wait */
	size_t runs;            /* under way */
};

static void on_job(struct loop_job *job);

struct batch *
batch_new(struct loop *loop, const struct batch_conf *conf)
{
	struct batch *b = xcalloc(1, sizeof(*b));

	ASSERT(conf->max_size > 0 && conf->max_runs > 0 && conf->max_queue > 0);
	b->conf = *conf;
	b->loop = loop;
	b->job.run = on_job;
	b->waiting = xcalloc(conf->max_queue, sizeof(*b->waiting));
	return b;
}

void
batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	ASSERT(b->count == 0 && b->runs == 0 && !b->job.queued);
	free(b->waiting);
	free(b);
}

rq_next
rq_join(struct rq *rq, rq_step *next, struct batch *b, void *item)
{
	if (b->count == b->conf.max_queue)
		return rq_not_started(rq, next, ERR_OVERLOAD);
	b->waiting[(b->first + b->count) % b->conf.max_queue] =
	    (struct joined){ rq, item };
	b->count++;
	if (b->runs < b->conf.max_runs)
		loop_defer(b->loop, &b->job);
	return rq_started(rq, next);
}

/* Takes the oldest into a run. */
static struct batch_run *
new_run(struct batch *b)
{
	struct batch_run *run = xcalloc(1, sizeof(*run));

	run->batch = b;
	run->arg = b->conf.arg;
	run->count = b->count < b->conf.max_size ? b->count : b->conf.max_size;
	run->rqs = xcalloc(run->count, sizeof(struct rq *));
	run->items = xcalloc(run->count, sizeof(void *));
	for (size_t i = 0; i < run->count; i++) {
		run->rqs[i] = b->waiting[b->first].rq;
		run->items[i] = b->waiting[b->first].item;
		b->first = (b->first + 1) % b->conf.max_queue;
	}
	b->count -= run->count;
	b->runs++;
	return run;
}

static void
on_job(struct loop_job *job)
{
	struct batch *b = CONTAINER_OF(job, struct batch, job);

	while (b->count > 0 && b->runs < b->conf.max_runs)
		b->conf.flush(new_run(b));
}

void
batch_end(struct batch_run *run)
{
	struct batch *b = run->batch;

	ASSERT(b->runs > 0);
	b->runs--;
	free(run->rqs);
	free(run->items);
	free(run);
	if (b->count > 0)
		loop_defer(b->loop, &b->job);
}
