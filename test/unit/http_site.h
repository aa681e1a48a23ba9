/*
 * A server under test with a client beside it, and steps that more than one test has
 * routes to: what is alike in the tests of the HTTP server. Include it after cmocka.h.
 */
#ifndef ONRUSH_TEST_HTTP_SITE_H
#define ONRUSH_TEST_HTTP_SITE_H

#include "http_rig.h"

#define HOST "Host: test\r\n"

static struct rig rig;
static struct reply reply;

/* --- steps ---------------------------------------------------------------------------
 */

static inline rq_next
echo(struct rq *rq)
{
	return rq_reply(rq, 200, STR("text/plain"), rq->body);
}

static inline rq_next
params(struct rq *rq)
{
	char *text = arena_printf(rq->arena, "%.*s|%.*s|%.*s", STR_ARG(rq->params[0]),
	    STR_ARG(rq->params[1]), STR_ARG(rq->head->query));

	return rq_reply(rq, 200, STR("text/plain"), str_of(text));
}

static inline rq_next
ok(struct rq *rq)
{
	rq_header(rq, STR("X-Extra"), STR("yes"));
	return rq_ok(rq, STR("{\"n\":1}"));
}

/* --- its life ------------------------------------------------------------------------
 */

static inline void
site_start(const struct route *routes, size_t count)
{
	rig_init(&rig);
	rig_start(&rig, routes, count, NULL);
}

static inline int
stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static inline int
ask(const char *request)
{
	return rig_ask(&rig, &reply, request);
}

static inline void
expect_body(const char *want)
{
	assert_string_equal(reply.text + reply.body, want);
}

#endif
