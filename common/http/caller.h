/*
 * Who a request is from, as far as the gateway has proven it: X-Onrush-User is the user
 * of the token, or of the waiting line's pass, that came with the request; X-Onrush-Line
 * the pass's line. The gateway lets nobody else write these fields. Without them, where
 * identity is off, a request is believed.
 *
 * A handler that acts for a user asks caller_check before it does anything.
 */
#ifndef ONRUSH_HTTP_CALLER_H
#define ONRUSH_HTTP_CALLER_H

#include "http/rq.h"

/* May the request act for this user? ERR_OK, or what to answer: ERR_PASS_BORROWED when it
 * came with a pass, else ERR_FORBIDDEN. */
enum err caller_check(const struct rq *rq, int64_t user_id) MUST_USE;

/* The pass's line; false when the request came without one. */
bool caller_line(const struct rq *rq, int64_t *line_id) MUST_USE;

#endif
