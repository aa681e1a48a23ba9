/*
 * The order service's inside: what one worker owns. Nothing is shared between workers but
 * settings.
 *
 *   api ──> placing (orders), charges (balances) ──batches──> PostgreSQL
 *    │         └──> PAYMENT_REQUESTED ──> Kafka ──> payment-worker
 *    ├──> coupon service (a coupon is reserved for an order)
 *    └──> ranks (what is sold most, a copy)
 */
#ifndef ONRUSH_ORDER_SERVICE_H
#define ONRUSH_ORDER_SERVICE_H

#include "app/app.h"
#include "bus/producer.h"
#include "http/batch.h"
#include "http/httpc.h"
#include "http/httpd.h"
#include "store/pgpool.h"
#include "store/redis.h"

enum {
	TOPIC_MAX = 256,
};

struct order_settings {
	struct app_settings app;
	struct httpd_settings httpd;
	const char *pg_dsn, *redis_url, *brokers, *topic_prefix, *coupon_address;
	int64_t ranks_count; /* products that the ranks show */
};

struct running;
struct order_ids;
struct placing;
struct charges;
struct ranks;

struct service {
	const struct order_settings *settings; /* borrowed for ever */
	struct worker *worker;                 /* borrowed */
	struct httpd *httpd;                   /* owned */
	struct pgpool *pg;                     /* owned */
	struct redis *redis;                   /* owned; NULL without ONRUSH_REDIS_URL */
	struct producer *producer;             /* owned */
	struct httpc *coupon;                  /* owned: the coupon service */
	struct running *running;               /* owned */
	struct order_ids *ids;                 /* owned */
	struct placing *placing;               /* owned */
	struct charges *charges;               /* owned */
	struct ranks *ranks;                   /* owned */
	char payments[TOPIC_MAX];              /* the topic PAYMENT_REQUESTED */
};

/* First steps, in order_api.c … */
rq_step order_place;
/* … in lookup_api.c … */
rq_step order_show;
/* … in cancel_api.c … */
rq_step order_cancel;
/* … in balance_api.c and accounts_api.c … */
rq_step balance_charge, balance_charge_points, balance_read, accounts_open;
/* … in products_api.c … */
rq_step product_read, product_create, product_restock, product_stop, product_sell,
    product_price;
/* … and in ranks.c. */
rq_step ranks_read;

#endif
