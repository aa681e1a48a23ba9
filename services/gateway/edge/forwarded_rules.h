/*
 * What proxies say of the client, without I/O: X-Forwarded-For, and Forwarded (RFC 7239).
 * Each proxy appends whom it was called by, so the end of a list is as true as the proxy
 * that we know, and what is before the first untrusted address anybody may have written.
 */
#ifndef ONRUSH_GATEWAY_EDGE_FORWARDED_RULES_H
#define ONRUSH_GATEWAY_EDGE_FORWARDED_RULES_H

#include "gateway/edge/address_rules.h"

enum {
	FORWARDED_HOPS = 16,   /* of a list that are looked at */
	FORWARDED_BYTES = 1024 /* of a field that is passed on */
};

/* The end of an X-Forwarded-For list in which all are addresses; may be empty. */
str forwarded_sound_end(str list);

/* Who the client is by a list that a trusted proxy sent: the last address of it that is
 * no trusted proxy itself, else the first; `proxy` when the list is empty. */
str forwarded_client(str list, const struct address_list *trusted, str proxy);

/* Is it a Forwarded field as RFC 7239, 4 has it, of at most FORWARDED_BYTES? */
bool forwarded_is_sound(str field);

/* Writes "for=…;proto=…;host=…" to out, which has room for FORWARDED_HOP_MAX bytes and
 * the host; the end of what was written. `peer` is an address, or what net_text gives for
 * a peer without one. */
#define FORWARDED_HOP_MAX 96
char *forwarded_hop(char *out, str peer, bool secure, str host);

#endif
