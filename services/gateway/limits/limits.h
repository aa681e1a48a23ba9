/*
 * Rate limits: of every client address, by the settings, and those that the route file
 * gives to routes.
 *
 *   visit ──limits_check──> bucket of this worker (limit_table.h) ──> visit_go_on
 *                                │                     └────────────> 429
 *                                └── what was taken is told to others (limit_share.h)
 *
 * A request that is refused by one limit costs nothing under another.
 */
#ifndef ONRUSH_GATEWAY_LIMITS_LIMITS_H
#define ONRUSH_GATEWAY_LIMITS_LIMITS_H

#include "app/app.h"
#include "gateway/routes/route_file.h"
#include "http/rq.h"

struct limits;

/* Put LIMITS_CONF_ITEMS in the program's table. */
struct limits_settings {
	int64_t address_rate, address_burst; /* rate 0: there is no such limit */
	const char *trusted;                 /* networks; owned by conf */
	const char *redis_url;               /* owned by conf */
};

#define LIMITS_CONF_ITEMS(type, member)                                                  \
	{ "ONRUSH_ADDRESS_RATE", CONF_INT, offsetof(type, member.address_rate), "1000",  \
		0, 1000000,                                                              \
		"Requests per second that one client address may send to services; 0: "  \
		"as many as it likes." },                                                \
	    { "ONRUSH_ADDRESS_BURST", CONF_INT, offsetof(type, member.address_burst),    \
		    "5000", 1, 1000000,                                                  \
		    "Requests that it may send at once after a pause." },                \
	    { "ONRUSH_ADDRESS_TRUSTED", CONF_STRING, offsetof(type, member.trusted),     \
		    "127.0.0.0/8, ::1, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, "      \
		    "fc00::/7",                                                          \
		    0, 0, "Networks whose addresses no limit per address counts." },     \
	{                                                                                \
		"ONRUSH_REDIS_URL", CONF_SECRET, offsetof(type, member.redis_url), "",   \
		    0, 0,                                                                \
		    "Redis, through which gateways share the limits of the route file, " \
		    "as redis://[user:password@]host:port[/db]; empty: each counts for " \
		    "itself."                                                            \
	}

/* Takes the settings, before anything else. False with a sentence in err[err_size]. */
bool limits_read(const struct limits_settings *settings, char *err, size_t err_size);

/* Once, before routes are made and workers start. */
void limits_start(const struct limits_settings *settings, int workers);

/* Makes the classes of a row, whose limits the file has given it. */
void limits_resolve(struct route_row *row);

/* What one worker has; owned by the caller. A malformed URL of Redis ends the program. */
struct limits *limits_new(const struct limits_settings *settings, struct worker *w);
void limits_free(struct limits *limits); /* after the server; NULL is fine */
/* Brings the metrics up to date; every second or so. */
void limits_observe(struct limits *limits);

/* The guards: before the pass is looked at, and, for what counts by user, after it. */
rq_step limits_check;
rq_step limits_check_user;

#endif
