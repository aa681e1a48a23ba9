/*
 * From a request to one that may run, however it came: its id, its route, its deadline,
 * and the bound on how many are under way.
 */
#include "base/clock.h"
#include "http/httpd_impl.h"

void
exchange_introduce(struct exchange *x, struct asker *asker, const struct conn *c)
{
	x->asker = asker;
	/* A copy, since the request may outlive the connection. */
	x->rq.peer = arena_str(x->rq.arena, str_of(c->peer));
	x->rq.secure = c->secure;
	x->rq.start_us = clock_mono_us();
}

enum err
exchange_open(struct exchange *x)
{
	const struct http_head *head = &x->head;
	enum err err;

	log_identify(x);
	err = route_find(x);
	if (err == ERR_OK && head->framing == HTTP_BODY_LENGTH &&
	    head->content_length > x->rq.route->body_limit)
		err = ERR_TOO_LARGE;
	return err;
}

/* The route's, or less when who asks waits less. */
static int64_t
patience_of(const struct exchange *x)
{
	str field = http_header(&x->head, STR("X-Request-Deadline-Ms"));
	int64_t ms, own_us = x->rq.route->deadline_us;

	if (!str_to_i64(field, 1, own_us / CLOCK_US_PER_MS, &ms))
		return own_us;
	return ms * CLOCK_US_PER_MS;
}

void
exchange_run(struct exchange *x)
{
	struct httpd *httpd = x->httpd;

	x->rq.deadline_us = x->rq.start_us + patience_of(x);
	if (httpd->under_way < (size_t)httpd->conf.settings->max_requests ||
	    x->slot->always) {
		exchange_begin(x, x->slot->first);
	} else {
		counter_add(httpd->metrics.refused_requests, 1);
		exchange_refuse(x, ERR_OVERLOAD);
	}
}

void
exchange_refuse_malformed(struct exchange *x, enum err err)
{
	x->head.method = HTTP_OTHER;
	x->head.minor = 1;
	x->head.header_count = 0;
	x->unlogged = true;
	route_miss(x);
	log_identify(x);
	x->close_after = true;
	exchange_refuse(x, err);
}
