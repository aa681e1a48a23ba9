/*
 * Addresses that are paths: sockets between programs of one host, which cost about a
 * third less than TCP over loopback. A path has no SO_REUSEPORT: the workers of a process
 * listen with copies of one descriptor.
 *
 * For net.c only; what everybody else calls is in net.h.
 */
#ifndef ONRUSH_HTTP_NET_UNIX_H
#define ONRUSH_HTTP_NET_UNIX_H

#include "http/net.h"

/* Does it begin with "unix:"? */
bool net_unix_is(const char *address) MUST_USE;

/* False with a sentence in err[err_size] when the path is not absolute or too long. */
bool net_unix_resolve(
    const char *address, struct net_addr *out, char *err, size_t err_size) MUST_USE;

/* A socket at the path. What a process that is gone has left there is replaced; -1 and
 * EADDRINUSE when another one listens. */
int net_unix_listen(const struct net_addr *addr, int backlog);

/* Have two addresses of this kind the same path? */
bool net_unix_same(const struct net_addr *a, const struct net_addr *b) MUST_USE;

#endif
