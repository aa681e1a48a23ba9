/*
 * What a request shows of who it is from, without I/O: a token or an API key, found in
 * the one place where each may be. Nothing of it is believed here.
 *
 *   Authorization: Bearer <token>          programs, and pages that call with fetch
 *   Cookie: onrush_token=<token>           pages that navigate and follow events
 *   X-Api-Key: <key>                       partners' programs
 *
 * A cookie comes along whoever made the browser ask (CSRF). So a call that changes
 * something is taken with it only if the browser says that a page of our own made it
 * (Sec-Fetch-Site: same-origin, which no page can set).
 */
#ifndef ONRUSH_GATEWAY_IDENTITY_IDENTITY_RULES_H
#define ONRUSH_GATEWAY_IDENTITY_IDENTITY_RULES_H

#include "http/http_parse.h"

/* What a route wants to know of a caller. */
enum identity_want {
	IDENTITY_NONE,
	IDENTITY_USER,    /* a token of the user that acts */
	IDENTITY_API_KEY, /* an API key with the route's scope */
};

enum identity_shown {
	SHOWN_NO_TOKEN,
	SHOWN_TOKEN,
	SHOWN_TWICE, /* two fields that could hold one: others might read the other */
	SHOWN_ELSE,  /* another scheme, or an empty field */
	SHOWN_ASTRAY /* only a cookie, and perhaps some other site made the call */
};

/* The token of a request, in *token if there is one; borrowed from the head. */
enum identity_shown identity_find_token(const struct http_head *head, str *token);

/* The only X-Api-Key; the same for keys, without SHOWN_ELSE and SHOWN_ASTRAY. */
enum identity_shown identity_find_key(const struct http_head *head, str *key);

/* The first cookie of this name; p == NULL if there is none. */
str identity_cookie(const struct http_head *head, str name);

#endif
