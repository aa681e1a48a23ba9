/* One HTTP request on a connection of its own, for programs that may block. */
#ifndef ONRUSH_HTTP_HTTP_BLOCKING_H
#define ONRUSH_HTTP_HTTP_BLOCKING_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Strings are borrowed for the call. */
struct http_call {
	const char *address; /* "127.0.0.1:8080", "[::1]:8080" */
	const char *method;  /* "GET", "POST" or "PUT" */
	const char *target;  /* "/readyz" */
	const char *bearer;  /* NULL: no Authorization */
	const char *key;     /* NULL: no Idempotency-Key */
	str body;            /* JSON; p == NULL: none */
	int64_t timeout_us;  /* for all of it */
};

struct http_answer {
	int status;
	str body; /* in the arena */
};

/*
 * ERR_OK: there is an answer, whatever its status. ERR_UNAVAILABLE: it was not sent.
 * ERR_UNKNOWN_OUTCOME: sent, but no complete answer came. ERR_BAD_GATEWAY: what came is
 * not HTTP. *why is then a sentence in the arena.
 */
enum err http_blocking(struct arena *arena, const struct http_call *call,
    struct http_answer *answer, const char **why) MUST_USE;

/* Splits "http://host:port" or "http://host" into the address, in the arena; NULL when
 * it is not that. */
const char *http_url_address(struct arena *arena, const char *url);

#endif
