/*
 * The reservation service's inside: what one worker owns. Nothing is shared between
 * workers but settings.
 *
 *   api ──> lists (concerts, dates, free seats: copies) ──┐
 *    ├────> holding (seats for users) ──batches───────────┼──> PostgreSQL
 *    │         └── taken (what it refused lately)         │
 *    └────> payments ─────────────────────────────────────┘
 *              └──> PAYMENT_REQUESTED ──> Kafka ──> payment-worker
 */
#ifndef ONRUSH_RESERVATION_SERVICE_H
#define ONRUSH_RESERVATION_SERVICE_H

#include "app/app.h"
#include "bus/producer.h"
#include "http/httpd.h"
#include "store/pgpool.h"

enum {
	TOPIC_MAX = 256,
};

struct reservation_settings {
	struct app_settings app;
	struct httpd_settings httpd;
	const char *pg_dsn, *brokers, *topic_prefix;
	int64_t hold_us; /* how long seats are held for who has not paid */
};

struct lists;
struct holding;

struct service {
	const struct reservation_settings *settings; /* borrowed for ever */
	struct worker *worker;                       /* borrowed */
	struct httpd *httpd;                         /* owned */
	struct pgpool *pg;                           /* owned */
	struct producer *producer;                   /* owned */
	struct lists *lists;                         /* owned */
	struct holding *holding;                     /* owned */
	char payments[TOPIC_MAX];                    /* the topic PAYMENT_REQUESTED */
};

/* First steps, in lists_api.c … */
rq_step concerts_list, dates_list, seats_list;
/* … in hold_api.c … */
rq_step seats_hold;
/* … in left_api.c … */
rq_step concert_left;
/* … in reservations_api.c … */
rq_step reservation_show, reservation_cancel;
/* … in payments_api.c … */
rq_step payment_request, payment_show;
/* … and in concerts_admin.c. */
rq_step concert_create, date_create, seats_create;

#endif
