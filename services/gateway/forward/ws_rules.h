/*
 * What the gateway has to know of websockets (RFC 6455): who asks for one, whether the
 * answer to that is the right one, and where a frame ends. Pure.
 */
#ifndef ONRUSH_GATEWAY_FORWARD_WS_RULES_H
#define ONRUSH_GATEWAY_FORWARD_WS_RULES_H

#include "base/die.h"
#include "http/http_parse.h"

enum ws_ask {
	WS_NOT_ASKED,
	WS_ASKED,
	WS_OTHER_VERSION, /* than 13 (RFC 6455, 4.4) */
	WS_MALFORMED,
};

/* Does this GET ask for a websocket, and as RFC 6455, 4.1 has it? */
enum ws_ask ws_ask(const struct http_head *request);

/* Does this 101 answer the request with that Sec-WebSocket-Key (RFC 6455, 4.2.2)? */
bool ws_accepts(const struct http_head *response, str key) MUST_USE;

/* Where one direction of a tunnel is among its frames; all zero is the beginning. */
struct ws_frames {
	uint64_t left;    /* bytes of the frame's payload and mask that are to come */
	uint64_t length;  /* of the payload, as far as it has been read */
	unsigned to_come; /* bytes of the head, beside its first two */
	unsigned mask;    /* 4 or 0 */
	unsigned head_at; /* bytes of the head that have passed */
};

/* These bytes have passed. */
void ws_frames_pass(struct ws_frames *f, str bytes);

/* Has all of what began ended? Then a frame of our own fits in. */
static inline bool
ws_frames_at_edge(const struct ws_frames *f)
{
	return f->left == 0 && f->head_at == 0;
}

#endif
