/*
 * The queue service's inside: what one worker owns. Nothing is shared between workers but
 * settings.
 *
 *   api ──> lines (copies, ≤ 400 ms old) ──tick, every 100 ms──> Redis: the live lines
 *    │        ├────────sync, every second──────> PostgreSQL: settings, bounds
 *    │        └──────> shop ──every second─────> reservation: its health, what is left
 *    ├────> desk (who has which ticket) ──one script a turn──> Redis
 *    └────> events (who is told instead of asking)
 */
#ifndef ONRUSH_QUEUE_SERVICE_H
#define ONRUSH_QUEUE_SERVICE_H

#include "app/app.h"
#include "app/pass_watch.h"
#include "http/httpd.h"
#include "queue/line_rules.h"
#include "store/pgpool.h"
#include "store/redis.h"

struct queue_settings {
	struct app_settings app;
	struct httpd_settings httpd;
	const char *pg_dsn, *redis_url, *pass_keys, *shop_address;
};

enum {
	SERVING_BODY_MAX = 1 << 20, /* bytes of what a gateway tells */
};

struct lines;
struct desk;
struct shop;
struct events;

struct service {
	const struct queue_settings *settings; /* borrowed for ever */
	struct worker *worker;                 /* borrowed */
	struct pass_watch *keys;               /* owned */
	struct httpd *httpd;                   /* owned */
	struct pgpool *pg;                     /* owned */
	struct redis *redis;                   /* owned */
	struct lines *lines;                   /* owned */
	struct desk *desk;                     /* owned */
	struct shop *shop;                     /* owned */
	struct events *events;                 /* owned */
};

/* First steps, in token_api.c … */
rq_step token_take, token_status, token_events, token_leave;
/* … in serving_api.c … */
rq_step serving_show, serving_note_seen;
/* … in admin_api.c … */
rq_step line_create, line_change, line_list_all;
/* … and in revoke_api.c. */
rq_step line_revoke;

#endif
