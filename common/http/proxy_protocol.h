/*
 * The header with which a balancer says whom a connection is from: the PROXY protocol,
 * versions 1 and 2 (haproxy.org/download/2.9/doc/proxy-protocol.txt). Pure.
 */
#ifndef ONRUSH_HTTP_PROXY_PROTOCOL_H
#define ONRUSH_HTTP_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/die.h"
#include "base/str.h"

enum {
	PROXY_MAX = 4096, /* of a header; version 1 has at most 107 bytes */
};

enum proxy_parse {
	PROXY_MORE, /* so far it is one */
	PROXY_DONE,
	PROXY_BAD,
};

struct proxy_header {
	size_t size; /* bytes; what follows is the client's */
	/* False: the connection's own address stands, since the balancer asks for itself
	 * (LOCAL, to see whether we live) or does not know (UNKNOWN). */
	bool has_source;
	struct sockaddr_storage source; /* AF_INET or AF_INET6, with the port */
	bool secure;                    /* the client came to the balancer by TLS */
};

/* Sets *header when it is DONE. `in` begins with the connection's first byte. */
enum proxy_parse proxy_parse(str in, struct proxy_header *header) MUST_USE;

#endif
