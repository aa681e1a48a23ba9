/*
 * From bytes to a request that may run, or to the error that is answered instead. What
 * was read lives in the worker's scratch buffer, which the next read overwrites: so a
 * message is copied into its request's arena once, before anything looks at it.
 */
#include <string.h>

#include "app/log.h"
#include "base/clock.h"
#include "http/httpd_impl.h"

static size_t take_head(struct conn *c, str in);
static size_t take_body(struct conn *c, str in);
static size_t take_flow(struct conn *c, str in);
static size_t begin(struct conn *c, struct exchange *x, str in);
static void run(struct conn *c);
static void malformed(struct conn *c, enum err err);

size_t
conn_take(struct conn *c, str in)
{
	size_t used = 0, n;

	c->taking = true;
	do {
		str rest = { in.p + used, in.n - used };

		n = 0;
		if (rest.n == 0)
			break;
		if (c->state == CONN_IDLE || c->state == CONN_HEAD)
			n = take_head(c, rest);
		else if (c->state == CONN_BODY)
			n = take_body(c, rest);
		else if (c->state == CONN_FLOW && c->x->flow == FLOW_OPEN)
			n = take_flow(c, rest);
		else if (c->state == CONN_LINGER || c->state == CONN_CLOSED)
			n = rest.n; /* nobody will ever look at it */
		used += n;
	} while (n > 0);
	c->taking = false;
	return used;
}

/* May this be, or become, the preface of HTTP/2 by a client that knows that it is spoken
 * here (RFC 9113, 3.3)? By TLS it would have said so before. */
static bool
may_be_h2(const struct conn *c, str in)
{
	str preface = conn_h2_preface;

	return !c->plain && !c->secure && c->httpd->h2 != NULL &&
	       memcmp(in.p, preface.p, in.n < preface.n ? in.n : preface.n) == 0;
}

static size_t
take_head(struct conn *c, str in)
{
	struct exchange *x;
	enum err err;

	if (may_be_h2(c, in) && in.n >= conn_h2_preface.n) {
		conn_h2_begin(c);
		conn_h2_take(c, in);
		return in.n;
	}
	if (may_be_h2(c, in)) {
		if (c->state == CONN_IDLE)
			conn_enter(c, CONN_HEAD);
		return 0;
	}
	c->plain = true;
	x = exchange_take(c->httpd);
	switch (http_parse_request(in, &c->scanned, &x->head, &err)) {
	case HTTP_PARSE_DONE: c->scanned = 0; return begin(c, x, in);
	case HTTP_PARSE_MORE:
		exchange_put(x);
		/* The time-out is absolute: more bytes do not start it again. */
		if (c->state == CONN_IDLE)
			conn_enter(c, CONN_HEAD);
		return 0;
	case HTTP_PARSE_BAD:
		exchange_put(x);
		malformed(c, err);
		return in.n;
	}
	UNREACHABLE();
}

static void
attach(struct conn *c, struct exchange *x)
{
	c->x = x;
	exchange_introduce(x, &c->asker, c);
}

static void
move(str *s, const char *from, const char *to)
{
	if (s->p != NULL)
		s->p = to + (s->p - from);
}

/* Copies the first `size` bytes of the message and points the head to the copy. */
static void
pin(struct exchange *x, str in, size_t size)
{
	struct http_head *head = &x->head;
	const char *copy = arena_str(x->rq.arena, (str){ in.p, size }).p;

	move(&head->method_text, in.p, copy);
	move(&head->target, in.p, copy);
	move(&head->path, in.p, copy);
	move(&head->query, in.p, copy);
	for (size_t i = 0; i < head->header_count; i++) {
		move(&head->headers[i].name, in.p, copy);
		move(&head->headers[i].value, in.p, copy);
	}
	x->rq.path = head->path;
	if (size > head->head_size)
		x->rq.body = (str){ copy + head->head_size, size - head->head_size };
}

/* A head is complete: decides whether its request may run, and runs it if all of its
 * body is here. */
static size_t
begin(struct conn *c, struct exchange *x, str in)
{
	const struct http_head *head = &x->head;
	size_t size = head->head_size;
	bool whole = head->framing == HTTP_BODY_NONE;
	enum err err;

	if (head->framing == HTTP_BODY_LENGTH && head->content_length <= in.n - size) {
		size += (size_t)head->content_length;
		whole = true;
	}
	attach(c, x);
	pin(x, in, size);
	err = exchange_open(x);
	if (err == ERR_OK && whole) {
		run(c);
	} else if (err == ERR_OK) {
		http_body_init(&x->decoder, head);
		conn_enter(c, CONN_BODY);
		if (head->expect_continue && size == in.n)
			conn_continue(c);
	} else {
		x->close_after = !whole;
		exchange_refuse(x, err);
	}
	return size;
}

/* Decodes all of `in` into x->body, which may grow by `room` bytes; *used is how many it
 * took. */
static enum err
decode(struct exchange *x, str in, uint64_t room, size_t *used, enum http_parse *state)
{
	size_t n;
	str data;

	*used = 0;
	do {
		*state = http_body_decode(
		    &x->decoder, (str){ in.p + *used, in.n - *used }, &n, &data);
		*used += n;
		if (data.n > room)
			return ERR_TOO_LARGE;
		room -= data.n;
		buf_add_str(&x->body, data);
	} while (*state == HTTP_PARSE_MORE && n > 0);
	return *state == HTTP_PARSE_BAD ? ERR_BAD_REQUEST : ERR_OK;
}

static size_t
take_body(struct conn *c, str in)
{
	struct exchange *x = c->x;
	const struct route *route = x->rq.route;
	enum http_parse state;
	enum err err;
	size_t used;

	err = decode(x, in, route->body_limit - buf_size(&x->body), &used, &state);
	if (err != ERR_OK) {
		if (err == ERR_BAD_REQUEST)
			malformed(c, err);
		else
			conn_refuse(c, err);
		return in.n;
	}
	x->rq.body = buf_str(&x->body);
	if (state == HTTP_PARSE_MORE && (route->flags & ROUTE_STREAM) &&
	    x->rq.body.n >= HTTPD_BODY_WHOLE) {
		exchange_flow_begin(x);
		run(c);
	} else if (state == HTTP_PARSE_DONE) {
		run(c);
	}
	return used;
}

/* What one read brought of the body is one piece, however many chunks it came in. */
static size_t
take_flow(struct conn *c, str in)
{
	struct exchange *x = c->x;
	enum http_parse state;
	enum err err;
	size_t used;

	buf_clear(&x->body);
	err = decode(x, in, x->rq.route->body_limit - x->received, &used, &state);
	if (err == ERR_OK && used > 0)
		conn_enter(c, CONN_FLOW); /* the client has until the next piece */
	if (err == ERR_OK)
		exchange_flow_piece(x, buf_str(&x->body));
	if (err != ERR_OK)
		exchange_flow_end(x, err);
	else if (state == HTTP_PARSE_DONE)
		exchange_flow_end(x, ERR_OK);
	return err == ERR_OK ? used : in.n;
}

static void
run(struct conn *c)
{
	if (c->state == CONN_BODY)
		c->x->rq.start_us = clock_mono_us(); /* now it is complete */
	conn_enter(c, c->x->rq.body_streams ? CONN_FLOW : CONN_BUSY);
	exchange_run(c->x);
}

static void
malformed(struct conn *c, enum err err)
{
	counter_add(c->httpd->metrics.malformed, 1);
	if (c->x == NULL) /* else the access log tells */
		log_info("malformed request from %s: %s", c->peer, err_info(err)->code);
	conn_refuse(c, err);
}

void
conn_refuse(struct conn *c, enum err err)
{
	struct exchange *x = c->x;

	if (x == NULL) {
		x = exchange_take(c->httpd);
		attach(c, x);
		exchange_refuse_malformed(x, err);
	} else {
		x->close_after = true;
		exchange_refuse(x, err);
	}
}
