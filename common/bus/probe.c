/* See probe.h. A metadata answer counts only if no loss was reported since the question:
 * otherwise it may have been sent by the connection that is gone. */
#include "bus/probe.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "bus/kafka.h"

enum {
	ASK_MS = 500,  /* how long one question may take */
	PAUSE_MS = 50, /* between a question that failed and the next */
};

struct probe {
	rd_kafka_t *rk;         /* borrowed */
	atomic_bool *up;        /* borrowed; NULL after probe_stop */
	unsigned losses;        /* how often probe_lost was called */
	pthread_mutex_t lock;   /* of all members but rk */
	pthread_cond_t changed; /* *up or up did */
	pthread_t thread;
};

static bool
ask(rd_kafka_t *rk)
{
	const rd_kafka_metadata_t *md;

	if (rd_kafka_metadata(rk, 0, NULL, &md, ASK_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return false;
	rd_kafka_metadata_destroy(md);
	return true;
}

/* With the lock held. */
static void
pause_between(struct probe *p)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += PAUSE_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

static void *
run(void *arg)
{
	struct probe *p = arg;
	unsigned losses;
	bool answered;

	pthread_mutex_lock(&p->lock);
	while (p->up != NULL) {
		if (atomic_load(p->up)) {
			pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		losses = p->losses;
		pthread_mutex_unlock(&p->lock);
		answered = ask(p->rk);
		pthread_mutex_lock(&p->lock);
		if (!answered)
			pause_between(p);
		else if (p->up != NULL && p->losses == losses)
			atomic_store(p->up, true);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct probe *
probe_new(rd_kafka_t *rk, atomic_bool *up)
{
	struct probe *p = xcalloc(1, sizeof(*p));
	pthread_condattr_t attr;

	atomic_store(up, false);
	p->rk = rk;
	p->up = up;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	p->thread = kafka_thread(run, p);
	return p;
}

void
probe_stop(struct probe *p)
{
	pthread_mutex_lock(&p->lock);
	p->up = NULL;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void
probe_free(struct probe *p)
{
	probe_stop(p);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void
probe_lost(struct probe *p)
{
	pthread_mutex_lock(&p->lock);
	p->losses++;
	if (p->up != NULL)
		atomic_store(p->up, false);
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void
probe_found(struct probe *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->up != NULL)
		atomic_store(p->up, true);
	pthread_mutex_unlock(&p->lock);
}
