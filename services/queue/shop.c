#include "queue/shop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "app/metrics.h"
#include "base/clock.h"
#include "http/httpc.h"
#include "http/json.h"

#define LOOK_US (1 * CLOCK_US_PER_SEC)

enum {
	CONNS = 4,
	RESPONSE_MAX = 4096,
};

struct shop {
	struct service *service;  /* borrowed */
	struct httpc *client;     /* owned; NULL without a shop */
	struct loop_timer *timer; /* owned */
	struct gauge *gauge;      /* owned by metrics */
	int64_t health;
	int64_t asked_us; /* monotonic; of the look that is under way, 0: none */
};

static void on_timer(void *arg);
static void on_ready(void *arg, enum err err, const struct httpc_response *response);
static void on_left(void *arg, enum err err, const struct httpc_response *response);

struct shop *
shop_new(struct service *s, const char *address)
{
	struct shop *shop = xcalloc(1, sizeof(*shop));

	shop->service = s;
	shop->health = LINE_HEALTHY;
	shop->gauge = gauge_new("onrush_queue_shop_health_thousandths",
	    "The health of the shop, which slows the lines.", NULL);
	gauge_set(shop->gauge, shop->health);
	if (address[0] == '\0')
		return shop;
	shop->client = httpc_new(s->worker->loop, &(struct httpc_conf){
						      .address = address,
						      .max_conns = CONNS,
						      .max_queue = LINES_MAX,
						      .queue_us = LOOK_US,
						      .connect_us = LOOK_US,
						      .response_us = LOOK_US,
						      .idle_us = 20 * CLOCK_US_PER_SEC,
						      .max_response = RESPONSE_MAX,
						  });
	if (shop->client == NULL) {
		free(shop);
		return NULL;
	}
	shop->timer = loop_timer_new(s->worker->loop, on_timer, shop);
	loop_timer_set(shop->timer, 0);
	return shop;
}

void
shop_free(struct shop *shop)
{
	if (shop == NULL)
		return;
	loop_timer_free(shop->timer);
	httpc_free(shop->client);
	free(shop);
}

int64_t
shop_health(const struct shop *shop)
{
	return shop->health;
}

/* The target must stay until the answer. */
static void
ask(struct shop *shop, const char *target, httpc_cb *cb, void *arg)
{
	httpc_send(shop->client,
	    &(struct httpc_request){
		.method = HTTP_GET,
		.target = str_of(target),
		.repeatable = true,
	    },
	    cb, arg);
}

static void
ask_left(struct shop *shop, struct line *line)
{
	line->looking = true;
	snprintf(line->left_target, LINE_TARGET_MAX,
	    "/internal/concerts/%" PRId64 "/left", line->concert_id);
	ask(shop, line->left_target, on_left, line);
}

static void
on_timer(void *arg)
{
	struct shop *shop = arg;
	struct line *line;

	loop_timer_set(shop->timer, LOOK_US);
	if (shop->asked_us != 0)
		return;
	shop->asked_us = clock_mono_us();
	ask(shop, "/readyz", on_ready, shop);
	LIST_FOREACH (line, lines_all(shop->service->lines), link)
		if (line->concert_id > 0 && !line->looking)
			ask_left(shop, line);
}

static void
on_ready(void *arg, enum err err, const struct httpc_response *response)
{
	struct shop *shop = arg;
	bool ready = err == ERR_OK && response->head->status == 200;
	int64_t was = shop->health;

	if (err == ERR_DRAINING)
		return;
	shop->health = line_health(was, ready, clock_mono_us() - shop->asked_us);
	shop->asked_us = 0;
	gauge_set(shop->gauge, shop->health);
	if (was == LINE_HEALTHY && shop->health < was)
		log_warn("the shop is unwell; the lines go slower");
	if (was < LINE_HEALTHY && shop->health == LINE_HEALTHY)
		log_info("the shop is well again");
}

/* All owned: none is free and none is held by somebody who may not pay. */
static void
on_left(void *arg, enum err err, const struct httpc_response *response)
{
	struct line *line = arg;
	struct arena *arena;
	struct json_reader r;
	const struct json *data;
	int64_t seats, left;

	line->looking = false;
	if (err != ERR_OK || response->head->status != 200)
		return;
	arena = arena_new();
	json_open(&r, arena, response->body);
	data = json_object(&r, r.root, "data");
	seats = json_i64(&r, data, "seats", 0, INT64_MAX);
	left =
	    json_i64(&r, data, "free", 0, seats) + json_i64(&r, data, "held", 0, seats);
	json_close(&r);
	if (r.err == ERR_OK)
		line->all_owned = seats > 0 && left == 0;
	arena_free(arena);
}
