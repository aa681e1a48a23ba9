/*
 * Instances of librdkafka: made with one table of settings, logging through ours, and
 * destroyed within a bound. Nothing here knows what an instance is used for.
 */
#include "bus/kafka.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/log.h"
#include "base/clock.h"

enum {
	PAUSE_US = 50000 /* between a question that failed and the next */
};

static void on_log(const rd_kafka_t *rk, int level, const char *fac, const char *text);
static void destroy(void *rk);

/*
 * Sparse connections are off: every broker stays connected, so that the first record for
 * a leader does not wait for a connection and "no broker is reachable" is known without
 * traffic. The default back-off of up to 10 s between connection attempts would delay
 * even the reports of records whose time is over.
 */
static const struct kafka_setting common_settings[] = {
	{ "socket.nagle.disable", "true" },
	{ "socket.keepalive.enable", "true" },
	{ "socket.timeout.ms", "10000" },
	{ "socket.connection.setup.timeout.ms", "3000" },
	{ "reconnect.backoff.ms", "50" },
	{ "reconnect.backoff.max.ms", "500" },
	{ "enable.sparse.connections", "false" },
	{ "topic.metadata.refresh.interval.ms", "30000" },
	{ "allow.auto.create.topics", "false" },
	{ "log.connection.close", "false" },
	{ NULL, NULL },
};

/* librdkafka's ERROR is what we cope with: a broker that is gone, a topic to come. */
static void
on_log(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
	if (level <= 4) /* syslog's: emergency .. warning */
		log_warn("kafka %s: %s: %s", rd_kafka_name(rk), fac, text);
	else
		log_debug("kafka %s: %s: %s", rd_kafka_name(rk), fac, text);
}

void
kafka_log_error(
    const char *what, const char *name, rd_kafka_resp_err_t err, const char *reason)
{
	if (err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__RESOLVE)
		log_debug("kafka %s %s: %s", what, name, reason);
	else
		log_warn(
		    "kafka %s %s: %s: %s", what, name, rd_kafka_err2name(err), reason);
}

static bool
set_all(rd_kafka_conf_t *conf, const struct kafka_setting *s, char err[KAFKA_ERROR_SIZE])
{
	for (; s->name != NULL; s++)
		if (rd_kafka_conf_set(conf, s->name, s->value, err, KAFKA_ERROR_SIZE) !=
		    RD_KAFKA_CONF_OK)
			return false;
	return true;
}

rd_kafka_t *
kafka_new(rd_kafka_type_t type, const char *brokers, const char *client_id,
    const struct kafka_setting *settings, rd_kafka_conf_t *conf,
    char err[KAFKA_ERROR_SIZE])
{
	const struct kafka_setting own[] = {
		{ "bootstrap.servers", brokers },
		{ "client.id", client_id },
		{ NULL, NULL },
	};
	rd_kafka_t *rk = NULL;

	if (conf == NULL)
		conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, on_log);
	if (set_all(conf, common_settings, err) && set_all(conf, own, err) &&
	    set_all(conf, settings, err))
		rk = rd_kafka_new(type, conf, err, KAFKA_ERROR_SIZE);
	if (rk == NULL) {
		err[strcspn(err, "\n")] = '\0'; /* some of its sentences end with one */
		rd_kafka_conf_destroy(conf);
	}
	return rk;
}

int
kafka_ms(int64_t us)
{
	return us <= 0 ? 0 : (int)((us + CLOCK_US_PER_MS - 1) / CLOCK_US_PER_MS);
}

int
kafka_ms_until(int64_t deadline_us)
{
	return kafka_ms(deadline_us - clock_mono_us());
}

pthread_t
kafka_thread(void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	pthread_t thread;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ASSERT(!failed);
	return thread;
}

/* Shared by the thread that works and the one that waits; the last one frees it. */
struct errand {
	void (*work)(void *arg);
	void *arg; /* borrowed by the worker until it is done */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done, abandoned;
};

static void
errand_free(struct errand *e)
{
	pthread_mutex_destroy(&e->lock);
	pthread_cond_destroy(&e->changed);
	free(e);
}

static void *
errand_run(void *arg)
{
	struct errand *e = arg;
	bool abandoned;

	e->work(e->arg);
	pthread_mutex_lock(&e->lock);
	e->done = true;
	abandoned = e->abandoned;
	pthread_cond_signal(&e->changed);
	pthread_mutex_unlock(&e->lock);
	if (abandoned)
		errand_free(e);
	return NULL;
}

static struct errand *
errand_new(void (*work)(void *arg), void *arg)
{
	struct errand *e = xcalloc(1, sizeof(*e));
	pthread_condattr_t attr;

	e->work = work;
	e->arg = arg;
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->changed, &attr);
	pthread_condattr_destroy(&attr);
	return e;
}

bool
kafka_run_bounded(void (*work)(void *arg), void *arg, int64_t timeout_us)
{
	int64_t until_us = clock_mono_us() + timeout_us;
	struct timespec until = { .tv_sec = until_us / CLOCK_US_PER_SEC,
		.tv_nsec = until_us % CLOCK_US_PER_SEC * 1000 };
	struct errand *e = errand_new(work, arg);
	pthread_t thread;
	bool done;

	thread = kafka_thread(errand_run, e);
	pthread_mutex_lock(&e->lock);
	while (!e->done &&
	       pthread_cond_timedwait(&e->changed, &e->lock, &until) != ETIMEDOUT)
		;
	done = e->done;
	e->abandoned = !done;
	pthread_mutex_unlock(&e->lock);
	if (!done) {
		pthread_detach(thread);
		return false;
	}
	pthread_join(thread, NULL);
	errand_free(e);
	return true;
}

static void
destroy(void *rk)
{
	rd_kafka_destroy(rk);
}

void
kafka_destroy(rd_kafka_t *rk, int64_t timeout_us)
{
	if (rk != NULL && !kafka_run_bounded(destroy, rk, timeout_us))
		log_warn("kafka: an instance took too long to end and was left alone");
}

/* All partitions have leaders: their number, otherwise 0. */
static int
count_led(const rd_kafka_metadata_topic_t *t)
{
	if (t->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	for (int i = 0; i < t->partition_cnt; i++)
		if (t->partitions[i].leader < 0)
			return 0;
	return t->partition_cnt;
}

int
kafka_partition_count(rd_kafka_t *rk, const char *topic, int timeout_ms)
{
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	const rd_kafka_metadata_t *md;
	int count = 0;

	if (rkt == NULL)
		return 0;
	if (rd_kafka_metadata(rk, 0, rkt, &md, timeout_ms) ==
	    RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (md->topic_cnt == 1)
			count = count_led(&md->topics[0]);
		rd_kafka_metadata_destroy(md);
	}
	rd_kafka_topic_destroy(rkt);
	return count;
}

bool
kafka_pause(int64_t until_us)
{
	const struct timespec pause = { .tv_nsec = PAUSE_US * 1000 };

	if (clock_mono_us() + PAUSE_US >= until_us)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

rd_kafka_resp_err_t
kafka_ends(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t *low,
    int64_t *high, int64_t until_us)
{
	rd_kafka_resp_err_t err;

	do
		err = rd_kafka_query_watermark_offsets(
		    rk, topic, partition, low, high, kafka_ms_until(until_us));
	while (err != RD_KAFKA_RESP_ERR_NO_ERROR && kafka_pause(until_us));
	return err;
}
