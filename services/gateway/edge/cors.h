/*
 * Pages of other origins that may call the gateway (CORS). Preflights are answered here
 * and reach no service; other calls get the fields that let a browser show the answer to
 * the page. What is not from a page is not touched: CORS guards readers, and nothing here
 * takes the place of a token.
 *
 *   OPTIONS with Origin ──> cors_preflight ──> 204, 403
 *   others ──> visit ──cors_mark──> the fields, in whatever is answered
 */
#ifndef ONRUSH_GATEWAY_EDGE_CORS_H
#define ONRUSH_GATEWAY_EDGE_CORS_H

#include "app/conf.h"
#include "http/httpd.h"

/* Put CORS_CONF_ITEMS in the program's table. */
struct cors_settings {
	const char *origins; /* owned by conf */
	bool credentials;
};

#define CORS_CONF_ITEMS(type, member)                                                    \
	{ "ONRUSH_CORS_ORIGINS", CONF_STRING, offsetof(type, member.origins), "", 0, 0,  \
		"Origins whose pages may call, such as \"https://shop.example\", "       \
		"separated by commas; empty: none but the gateway's own." },             \
	{                                                                                \
		"ONRUSH_CORS_CREDENTIALS", CONF_BOOL,                                    \
		    offsetof(type, member.credentials), "off", 0, 0,                     \
		    "Whether cookies may come along with calls from there."              \
	}

/* Takes the settings, before the workers start; they are borrowed. False with a sentence
 * in err[err_size]. */
bool cors_read(const struct cors_settings *settings, char *err, size_t err_size);

/* What answers preflights; NULL: there are none to answer. */
const struct route *cors_route(void);

/* Puts the fields on the answer to come. */
void cors_mark(struct rq *rq);

#endif
