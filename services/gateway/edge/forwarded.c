#include "gateway/edge/forwarded.h"

#include "gateway/edge/forwarded_rules.h"
#include "gateway/forward/visit.h"

static struct address_list trusted; /* filled before the workers start */

bool
forwarded_read(const struct forwarded_settings *settings, char *err, size_t err_size)
{
	return address_setting_read(
	    "ONRUSH_TRUSTED_PROXIES", settings->trusted, &trusted, err, err_size);
}

/* Of several fields the last: proxies append. */
static str
last_field(const struct http_head *head, str name)
{
	for (size_t i = head->header_count; i > 0; i--)
		if (str_eq_nocase(head->headers[i - 1].name, name))
			return head->headers[i - 1].value;
	return STR_NULL;
}

void
forwarded_admit(struct rq *rq, struct visit *v)
{
	struct address peer;

	v->hop = rq->peer;
	if (trusted.count == 0 || !address_parse(rq->peer, &peer) ||
	    !address_list_has(&trusted, &peer))
		return;
	v->proxied = true;
	rq->peer = forwarded_client(
	    last_field(rq->head, STR("x-forwarded-for")), &trusted, rq->peer);
}

/* What was said before, a comma, and ours. */
static str
append(struct arena *arena, str before, str own)
{
	char *start, *end;

	if (before.n == 0)
		return own;
	start = arena_alloc(arena, before.n + 2 + own.n);
	end = mempcpy(start, before.p, before.n);
	end = mempcpy(end, ", ", 2);
	end = mempcpy(end, own.p, own.n);
	return (str){ start, (size_t)(end - start) };
}

static str
own_hop(const struct rq *rq, const struct visit *v)
{
	str host = http_header(rq->head, STR("host"));
	char *start = arena_alloc(rq->arena, FORWARDED_HOP_MAX + host.n);
	char *end = forwarded_hop(start, v->hop, rq->secure, host);

	return (str){ start, (size_t)(end - start) };
}

void
forwarded_fields(const struct rq *rq, const struct visit *v, struct forwarded *out)
{
	str before;

	out->addresses = v->hop;
	out->proto = rq->secure ? STR("https") : STR("http");
	out->field = own_hop(rq, v);
	if (!v->proxied)
		return;
	before = last_field(rq->head, STR("x-forwarded-proto"));
	if (str_eq(before, STR("https")) || str_eq(before, STR("http")))
		out->proto = before;
	before = forwarded_sound_end(last_field(rq->head, STR("x-forwarded-for")));
	out->addresses = append(rq->arena, before, out->addresses);
	before = last_field(rq->head, STR("forwarded"));
	if (forwarded_is_sound(before))
		out->field = append(rq->arena, before, out->field);
}
