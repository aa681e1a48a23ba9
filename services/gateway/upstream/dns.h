/*
 * What a name stands for: the addresses of "host:port", or the servers of SRV records. A
 * path stands for itself.
 * Blocks, a few seconds at most with a name server of our own choice; for threads that
 * may wait (directory.h).
 *
 * Without a name server of its own the system's resolver is asked (the hosts file first,
 * then what resolv.conf names); SRV records always come from a name server.
 */
#ifndef ONRUSH_GATEWAY_UPSTREAM_DNS_H
#define ONRUSH_GATEWAY_UPSTREAM_DNS_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/upstream/server_list.h"
#include "http/net.h"

enum {
	DNS_ADDRESS_SIZE = SERVER_PATH_MAX + 1, /* longer than "[…]:65535", too */
	DNS_MAX = 64,                           /* servers of one service */
};

struct dns_server {
	char address[DNS_ADDRESS_SIZE]; /* of digits: nothing is left to look up */
	char host[SERVER_NAME_SIZE]; /* what its Host header says: the name and port, of a
				      * path "localhost" */
	int weight;
};

/*
 * Appends to servers[*count], up to DNS_MAX; an address that is there already is left
 * out. `name_server` is "127.0.0.1:53" (an IPv4 address), or empty for the system's. Of a
 * host that has addresses of both families those of IPv4 are used: a service that listens
 * on one family only is rarely one of IPv6. False with a sentence in err[err_size].
 */
bool dns_lookup(const struct server_entry *entry, const char *name_server,
    struct dns_server servers[DNS_MAX], size_t *count, char *err,
    size_t err_size) MUST_USE;

#endif
