/*
 * Websockets through the gateway: a handshake that is checked on both sides, then bytes
 * both ways. Each side waits for the other; what is on the way is all that is held.
 *
 *   client <──rq_stream_write── tunnel <──piece── service
 *          ──from_client──────>  (rq)  ──httpc_write──>
 *
 * A tunnel ends when either side ends, when nothing has passed for a while, or when the
 * gateway drains.
 */
#ifndef ONRUSH_GATEWAY_FORWARD_TUNNEL_H
#define ONRUSH_GATEWAY_FORWARD_TUNNEL_H

#include "app/conf.h"
#include "app/loop.h"

struct tunnel_settings {
	int64_t idle_us;
};

#define TUNNEL_CONF_ITEMS(type, member)                                                  \
	{                                                                                \
		"ONRUSH_TUNNEL_IDLE_MS", CONF_MS, offsetof(type, member.idle_us),        \
		    "300000", 10, 86400000,                                              \
		    "How long a websocket may be silent, both ways, before it is "       \
		    "closed."                                                            \
	}

/* What a worker's tunnels share. */
struct tunnels;

struct tunnels *tunnels_new(struct loop *loop, const struct tunnel_settings *settings);
/* After the last of them has ended; NULL is fine. */
void tunnels_free(struct tunnels *t);

#endif
