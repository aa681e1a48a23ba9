/*
 * Names to addresses without blocking the loop: getaddrinfo may take seconds when the
 * name server is gone together with the server, which is when others need the loop most.
 * So a name is resolved by a thread of its own; numeric addresses need none. There is no
 * deadline: getaddrinfo has one, and another thread would not be faster.
 */
#ifndef ONRUSH_STORE_RESOLVE_H
#define ONRUSH_STORE_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#include "http/net.h"

struct resolve;

enum {
	RESOLVE_MAX = 8,          /* addresses of one name */
	RESOLVE_POLL_US = 5000,   /* how often to ask whether it is done */
	RESOLVE_ADDRESS_MAX = 272 /* with the NUL */
};

/* "host:port", copied. */
struct resolve *resolve_start(const char *address);
bool resolve_done(const struct resolve *r);
/* Once it is done: how many addresses there are, borrowed until resolve_free; none with a
 * sentence in *why. */
size_t
resolve_result(const struct resolve *r, const struct net_addr **addrs, const char **why);
/* At any time, also while the thread is at work; NULL is fine. */
void resolve_free(struct resolve *r);

#endif
