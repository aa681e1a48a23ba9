/*
 * The keeper: what must happen although nobody asks for it. Any number of copies run; one
 * of them leads and works.
 */
#include <pthread.h>

#include "app/log.h"
#include "keeper/deliveries.h"
#include "keeper/jobs.h"
#include "keeper/leader.h"
#include "order/settler.h"
#include "store/redsync.h"

#define PROGRAM     "keeper"
#define DATABASE_US (5 * CLOCK_US_PER_SEC)
#define CARE_US     (120 * CLOCK_US_PER_SEC) /* of the second thread: checks read all */
#define REDIS_US    CLOCK_US_PER_SEC

static struct keeper_settings settings;

static const struct conf_item conf[] = {
	APP_CONF_ITEMS("1"),
	HTTPD_CONF_ITEMS(struct keeper_settings, httpd, "127.0.0.1:8097"),
	{ "ONRUSH_PG_DSN", CONF_SECRET, offsetof(struct keeper_settings, pg_dsn), NULL, 0,
	    0, "PostgreSQL, as libpq's connection string." },
	{ "ONRUSH_REDIS_URL", CONF_SECRET, offsetof(struct keeper_settings, redis_url),
	    "", 0, 0,
	    "Redis, as redis://[user:password@]host:port[/db]; empty: no rankings." },
	{ "ONRUSH_KAFKA_BROKERS", CONF_STRING, offsetof(struct keeper_settings, brokers),
	    NULL, 0, 0, "Kafka brokers, as host:port,host:port." },
	{ "ONRUSH_TOPIC_PREFIX", CONF_STRING,
	    offsetof(struct keeper_settings, topic_prefix), "", 0, 0,
	    "Put before the name of every topic and group." },
	{ "ONRUSH_INSTANCE", CONF_STRING, offsetof(struct keeper_settings, instance),
	    PROGRAM, 0, 0, "Name of this copy in the database's list of sessions." },
	{ "ONRUSH_COUPON_URL", CONF_STRING,
	    offsetof(struct keeper_settings, coupon_address), NULL, 0, 0,
	    "The coupon service, as host:port." },
	{ "ONRUSH_ORDER_EXPIRY_MS", CONF_MS, offsetof(struct keeper_settings, expiry_us),
	    "900000", 1000, 86400000,
	    "An order that was not settled for so long is given up." },
	{ "ONRUSH_RESERVATION_MS", CONF_MS,
	    offsetof(struct keeper_settings, reservation_us), "60000", 1000, 86400000,
	    "A coupon reserved for so long, for an order that was never written, is free "
	    "again." },
	{ "ONRUSH_CHECK_MS", CONF_MS, offsetof(struct keeper_settings, check_us), "30000",
	    100, 86400000,
	    "Between two rounds of checks, each of which reads all orders "
	    "and transfers." },
};

#define MS CLOCK_US_PER_MS

/* What others wait for. */
static struct job relays[] = {
	{ .name = "payments", .period_us = 250 * MS, .run = payments_relay },
	{ .name = "coupon uses", .period_us = 100 * MS, .run = coupons_tell },
	{ .name = "order facts", .period_us = 100 * MS, .run = facts_relay },
	{ .name = "coupon facts", .period_us = 100 * MS, .run = facts_relay_published },
	{ .name = "expiry", .period_us = 1000 * MS, .run = payments_expire },
	{ .name = "reservations", .period_us = 1000 * MS, .run = coupons_give_back },
	{ .name = "seat payments", .period_us = 500 * MS, .run = seats_settle },
	{ .name = "seat holds", .period_us = 1000 * MS, .run = seats_expire },
};

/* What may take long. */
static struct job cares[] = {
	{ .name = "missing rankings", .period_us = 1000 * MS, .run = rankings_restore },
	{ .name = "ranking of today", .period_us = 10000 * MS, .run = rankings_refresh },
	{ .name = "old refusals", .period_us = 60000 * MS, .run = care_purge },
	{ .name = "ages", .period_us = 1000 * MS, .run = checks_ages },
	{ .name = "checks", .run = checks_run },
};

static struct {
	struct app *app;       /* borrowed */
	struct leader *leader; /* owned */
	struct keeper main, second;
} keeper;

/* --- life ---------------------------------------------------------------------- */

static void
make(struct keeper *k, int64_t timeout_us)
{
	k->settings = &settings;
	k->leader = keeper.leader;
	k->pg = pgsync_new(settings.pg_dsn, settings.instance, timeout_us);
	k->arena = arena_new();
	k->why = "";
}

static void
unmake(struct keeper *k)
{
	pgsync_free(k->pg);
	arena_free(k->arena);
	deliveries_free(k->deliveries);
	settler_free(k->settler);
	redsync_free(k->redis);
}

static bool
is_connected(void *arg UNUSED)
{
	return leader_is_connected(keeper.leader);
}

static bool
start(struct app *app)
{
	keeper.app = app;
	keeper.leader = leader_new(settings.pg_dsn, settings.instance);
	jobs_register(relays, ARRAY_LEN(relays));
	jobs_register(cares, ARRAY_LEN(cares));
	payments_register();
	facts_register();
	coupons_register();
	seats_register();
	checks_register();
	cares[ARRAY_LEN(cares) - 1].period_us = settings.check_us;
	make(&keeper.main, DATABASE_US);
	make(&keeper.second, CARE_US);
	if (settings.redis_url[0] != '\0')
		keeper.second.redis = redsync_new(settings.redis_url, REDIS_US);
	keeper.main.settler = settler_new(&(struct settler_conf){
	    .pg_dsn = settings.pg_dsn,
	    .redis_url = settings.redis_url,
	    .note = settings.instance,
	    .timeout_us = DATABASE_US,
	});
	keeper.main.deliveries = deliveries_new(settings.brokers, PROGRAM);
	ready_add(app, "postgresql", is_connected, NULL);
	return keeper.main.deliveries != NULL;
}

static void
stop(struct app *app UNUSED)
{
	unmake(&keeper.main);
	unmake(&keeper.second);
	leader_free(keeper.leader);
}

/* --- the two threads ----------------------------------------------------------- */

static bool
hold(struct keeper *k)
{
	return leader_hold(k->leader);
}

static bool
holds(struct keeper *k)
{
	return leader_holds(k->leader);
}

static void *
care(void *arg UNUSED)
{
	jobs_loop(
	    keeper.app, &keeper.second, cares, ARRAY_LEN(cares), holds, checks_forget);
	return NULL;
}

static void
run(struct app *app)
{
	pthread_t second;

	ASSERT(pthread_create(&second, NULL, care, NULL) == 0);
	jobs_loop(app, &keeper.main, relays, ARRAY_LEN(relays), hold, NULL);
	pthread_join(second, NULL);
}

/* --- the server ---------------------------------------------------------------- */

static bool
worker_start(struct worker *w)
{
	w->state = httpd_new(w, &(struct httpd_conf){ .settings = &settings.httpd });
	return w->state != NULL;
}

static void
worker_drain(struct worker *w)
{
	httpd_drain(w->state);
}

static void
worker_stop(struct worker *w)
{
	httpd_free(w->state);
}

int
main(int argc, char **argv)
{
	static const struct app_desc desc = {
		.name = PROGRAM,
		.summary = "Delivers, repairs and checks what nobody asks for.",
		.conf = conf,
		.conf_count = ARRAY_LEN(conf),
		.settings = &settings,
		.start = start,
		.worker_start = worker_start,
		.worker_drain = worker_drain,
		.worker_stop = worker_stop,
		.run = run,
		.stop = stop,
	};

	return app_main(argc, argv, &desc);
}
