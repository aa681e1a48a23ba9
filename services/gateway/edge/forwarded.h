/*
 * Proxies in front of the gateway, and what it tells services of the way a request came:
 * X-Forwarded-For, X-Forwarded-Proto and Forwarded (RFC 7239). What clients send of these
 * goes nowhere, unless they are proxies on the list of those that are trusted: then the
 * gateway appends itself, and takes their word for who the client is, in rq->peer, for
 * limits and the access log too.
 */
#ifndef ONRUSH_GATEWAY_EDGE_FORWARDED_H
#define ONRUSH_GATEWAY_EDGE_FORWARDED_H

#include "app/conf.h"
#include "http/rq.h"

/* Put FORWARDED_CONF_ITEMS in the program's table. */
struct forwarded_settings {
	const char *trusted; /* owned by conf */
};

#define FORWARDED_CONF_ITEMS(type, member)                                               \
	{                                                                                \
		"ONRUSH_TRUSTED_PROXIES", CONF_STRING, offsetof(type, member.trusted),   \
		    "", 0, 0,                                                            \
		    "Networks of proxies whose X-Forwarded-For, X-Forwarded-Proto and "  \
		    "Forwarded are believed, such as \"10.0.0.0/8, ::1\"; empty: none."  \
	}

struct visit;

/* The fields for the service; all in the request's arena or static. */
struct forwarded {
	str addresses; /* X-Forwarded-For */
	str proto;     /* X-Forwarded-Proto */
	str field;     /* Forwarded */
};

/* Takes the settings, before the workers start. False with a sentence in err[err_size].
 */
bool
forwarded_read(const struct forwarded_settings *settings, char *err, size_t err_size);

/* When a visit begins: notes whom we speak with, and puts the client into rq->peer. */
void forwarded_admit(struct rq *rq, struct visit *v);

void forwarded_fields(const struct rq *rq, const struct visit *v, struct forwarded *out);

#endif
