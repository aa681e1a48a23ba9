/*
 * What is believed of one server: pure rules; times are monotonic and the caller's.
 *
 *            `fall` checks in a row fail           `failures` calls in a row fail
 *   DOWN <─────────────────────────────── usable ─────────────────────────────────>
 * ejected └──── `rise` checks in a row pass ───> ^ <──── its time is over; longer each
 * time ──┘
 *
 * Checks are made by us (GET /readyz); calls are the clients'. An ejection ends by
 * itself, so that a server without checks comes back too; one that stays good for as long
 * as it was out is forgiven. A server that comes (back) starts with a tenth of its weight
 * and has all of it after the slow start.
 */
#ifndef ONRUSH_GATEWAY_UPSTREAM_SERVER_RULES_H
#define ONRUSH_GATEWAY_UPSTREAM_SERVER_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/die.h"

struct server_limits {
	int64_t rise, fall;    /* checks in a row */
	int64_t failures;      /* calls in a row */
	int64_t eject_us;      /* the first time; doubles each time */
	int64_t eject_max_us;  /* but is not longer than this */
	int64_t slow_start_us; /* 0: none */
};

/* All zero but since_us: up, and as if it had always been there. */
struct server_belief {
	bool down;
	int64_t streak;   /* checks in a row that speak against `down` */
	int64_t failures; /* calls in a row */
	int ejections;    /* not yet forgiven */
	int64_t ejected_until_us;
	int64_t forgiven_us; /* when the ejections are forgotten */
	int64_t since_us;    /* usable since then */
};

/* What a check gave; true: `down` has changed. */
bool server_checked(struct server_belief *s, const struct server_limits *limits, bool ok,
    int64_t now_us) MUST_USE;

/* How a call ended. server_failed is true when it ejects the server, which `may_eject`
 * has to allow: others are there to take its load. */
void server_succeeded(struct server_belief *s, int64_t now_us);
bool server_failed(struct server_belief *s, const struct server_limits *limits,
    bool may_eject, int64_t now_us) MUST_USE;

bool server_is_ejected(const struct server_belief *s, int64_t now_us);
bool server_is_usable(const struct server_belief *s, int64_t now_us);

/* May one more be ejected when `ejected` of `all` are? Never more than half. */
bool server_may_eject(size_t ejected, size_t all);

/* Its weight's part at this moment, within 0.1 and 1. */
double server_warmth(
    const struct server_belief *s, const struct server_limits *limits, int64_t now_us);

#endif
