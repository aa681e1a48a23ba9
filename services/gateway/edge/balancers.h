/*
 * Balancers in front of the gateway that pass connections on with the PROXY protocol
 * (http/proxy_protocol.h): who they are.
 */
#ifndef ONRUSH_GATEWAY_EDGE_BALANCERS_H
#define ONRUSH_GATEWAY_EDGE_BALANCERS_H

#include "app/conf.h"
#include "http/httpd.h"

struct balancers_settings {
	const char *networks; /* owned by conf */
};

#define BALANCERS_CONF_ITEMS(type, member)                                               \
	{                                                                                \
		"ONRUSH_PROXY_PROTOCOL", CONF_STRING, offsetof(type, member.networks),   \
		    "", 0, 0,                                                            \
		    "Networks of balancers; connections are taken from these only, and " \
		    "must begin with a PROXY header, version 1 or 2; empty: off."        \
	}

/* Takes the setting, before anything else. False with a sentence in err[err_size]. */
bool
balancers_read(const struct balancers_settings *settings, char *err, size_t err_size);
/* Once, before the workers start: has the server's connections begin so, if there are
 * any. */
void balancers_start(struct httpd_opening *opening);

#endif
