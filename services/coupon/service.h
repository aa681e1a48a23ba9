/*
 * The coupon service's inside: what one worker owns. Nothing is shared between workers
 * but settings and the receipt key's public half.
 *
 *   api ──> campaigns (what PostgreSQL said lately) ──> filter (Redis) ──> flights
 *                                                                           │
 *                       Kafka: request ──> publisher ──> reply ─────────────┤
 *                       direct: the same decider on a thread of its own ────┘
 */
#ifndef ONRUSH_COUPON_SERVICE_H
#define ONRUSH_COUPON_SERVICE_H

#include "app/app.h"
#include "base/breaker.h"
#include "bus/inbox.h"
#include "bus/producer.h"
#include "coupon/coupon.h"
#include "http/batch.h"
#include "http/httpd.h"
#include "store/pgpool.h"
#include "store/redis.h"

enum {
	TOPIC_MAX = 256,
	INSTANCE_SIZE = 48,
};

struct coupon_settings {
	struct app_settings app;
	struct httpd_settings httpd;
	const char *pg_dsn, *redis_url, *brokers, *topic_prefix, *receipt_key;
	int64_t patience_us; /* without a delivery report the direct road is taken */
	int64_t max_waiting; /* requests per worker that wait for a decision */
};

struct campaigns;
struct filter;
struct flights;
struct direct;
struct uses;

struct service {
	const struct coupon_settings *settings; /* borrowed for ever */
	struct worker *worker;                  /* borrowed */
	struct sign_key *key;                   /* owned; the direct road signs with it */
	struct httpd *httpd;                    /* owned */
	struct pgpool *pg;                      /* owned */
	struct redis *redis;                    /* owned; NULL without ONRUSH_REDIS_URL */
	struct producer *producer;              /* owned */
	struct inbox *inbox;                    /* owned */
	struct campaigns *campaigns;            /* owned */
	struct filter *filter;                  /* owned; NULL without Redis */
	struct flights *flights;                /* owned */
	struct direct *direct;                  /* owned */
	struct uses *uses;                      /* owned */
	struct breaker kafka;                   /* open: the direct road */
	char topic[TOPIC_MAX], replies[TOPIC_MAX];
	char instance[INSTANCE_SIZE]; /* whom replies are for */
};

/* First steps, in coupon_api.c … */
rq_step coupon_issue, coupon_issue_for_user;
/* … in lookup_api.c … */
rq_step coupon_of_user, coupon_campaign, coupon_request_status, coupon_receipt_key;
/* … in admin_api.c … */
rq_step admin_create, admin_list, admin_open, admin_close, admin_restock;
/* … and in uses_api.c. */
rq_step uses_take, uses_change;

#endif
