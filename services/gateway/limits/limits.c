#include "gateway/limits/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/metrics.h"
#include "base/clock.h"
#include "gateway/edge/address_rules.h"
#include "gateway/gateway.h"
#include "gateway/limits/limit_share.h"
#include "gateway/forward/visit.h"

#define NS_PER_US INT64_C(1000)

enum {
	BUCKETS = 1 << 16, /* of a worker: 1.5 MB when all were used */
};

struct limits {
	struct loop *loop;         /* borrowed */
	struct limit_table *table; /* owned */
	struct limit_share *share; /* owned; NULL: nobody to share with */
	bool wide;                 /* as last counted into the gauge */
};

static struct address_list trusted;             /* filled before the workers start */
static const struct limit_class *every_address; /* for ever; NULL: no such limit */
static struct gauge *wide;

static rq_next check(struct rq *rq, size_t first, size_t end);

/* --- life ----------------------------------------------------------------------------
 */

bool
limits_read(const struct limits_settings *settings, char *err, size_t err_size)
{
	return address_setting_read(
	    "ONRUSH_ADDRESS_TRUSTED", settings->trusted, &trusted, err, err_size);
}

void
limits_start(const struct limits_settings *settings, int workers)
{
	const struct route_limit each = { "every-address", LIMIT_PER_ADDRESS,
		settings->address_rate, settings->address_burst };

	if (settings->address_rate > 0)
		every_address = limit_class_get(&each, false);
	wide = gauge_new("onrush_gateway_limits_shared",
	    "Workers that share the route file's limits with other gateways, through "
	    "Redis, now.",
	    NULL);
	limit_share_start(workers);
}

void
limits_resolve(struct route_row *row)
{
	size_t count = 0;

	if (every_address != NULL)
		row->classes[count++] = every_address;
	for (size_t i = 0; i < row->limit_count; i++)
		if (row->limits[i]->per != LIMIT_PER_USER)
			row->classes[count++] = limit_class_get(row->limits[i], true);
	row->early_count = count;
	for (size_t i = 0; i < row->limit_count; i++)
		if (row->limits[i]->per == LIMIT_PER_USER)
			row->classes[count++] = limit_class_get(row->limits[i], true);
	row->class_count = count;
}

struct limits *
limits_new(const struct limits_settings *settings, struct worker *w)
{
	struct limits *limits = xcalloc(1, sizeof(*limits));

	limits->loop = w->loop;
	limits->table = limit_table_new(BUCKETS);
	limits->share = limit_share_new(w->loop, limits->table, settings->redis_url);
	return limits;
}

void
limits_free(struct limits *limits)
{
	if (limits == NULL)
		return;
	gauge_add(wide, -(int64_t)limits->wide);
	limit_share_free(limits->share);
	limit_table_free(limits->table);
	free(limits);
}

void
limits_observe(struct limits *limits)
{
	bool now = limit_share_is_wide(limits->share);

	gauge_add(wide, (int64_t)now - (int64_t)limits->wide);
	limits->wide = now;
}

/* --- whose bucket --------------------------------------------------------------------
 */

/* False: the address is trusted, or is none, like that of a Unix socket. */
static bool
address_counts(const struct rq *rq, uint64_t *subject)
{
	struct address address;

	if (!address_parse(rq->peer, &address) || address_list_has(&trusted, &address))
		return false;
	*subject = address_subject(&address);
	return true;
}

/* Whose bucket the request takes from; false: it does not count. */
static bool
subject_of(const struct rq *rq, const struct limit_class *class, uint64_t *subject)
{
	const struct visit *v = rq->ctx;

	switch (class->is.per) {
	case LIMIT_PER_ADDRESS: return address_counts(rq, subject);
	case LIMIT_PER_USER: *subject = (uint64_t)v->user_id; return v->user_id != 0;
	case LIMIT_PER_ROUTE: *subject = 0; return true;
	}
	UNREACHABLE();
}

/* --- the check -----------------------------------------------------------------------
 */

/* With the fields of draft-ietf-httpapi-ratelimit-headers-10. */
static rq_next
refuse(struct rq *rq, const struct limit_class *class, int64_t wait_ns)
{
	static const char *const for_whom[] = {
		[LIMIT_PER_ADDRESS] = "from one address",
		[LIMIT_PER_USER] = "of one user",
		[LIMIT_PER_ROUTE] = "in all",
	};
	const struct route_limit *is = &class->is;
	int64_t wait_s = limit_seconds(wait_ns);

	counter_add(class->refused, 1);
	rq_header(
	    rq, STR("Retry-After"), str_of(arena_printf(rq->arena, "%" PRId64, wait_s)));
	rq_header(rq, STR("RateLimit-Policy"),
	    str_of(arena_printf(rq->arena, "\"%s\";q=%" PRId64 ";w=%" PRId64, is->name,
		is->burst, limit_seconds(class->rate.depth_ns))));
	rq_header(rq, STR("RateLimit"),
	    str_of(arena_printf(rq->arena, "\"%s\";r=0;t=%" PRId64, is->name, wait_s)));
	return rq_fail_because(rq, ERR_RATE_LIMITED,
	    "Too many requests: %" PRId64 " per second are taken %s; slow down.",
	    is->rate, for_whom[is->per]);
}

/* What the request took from the classes first..end-1 before it was refused. */
static void
give_back(struct rq *rq, struct limits *limits, size_t first, size_t end)
{
	const struct route_row *row = ((const struct visit *)rq->ctx)->row;
	uint64_t subject;

	for (size_t i = first; i < end; i++) {
		const struct limit_class *class = row->classes[i];
		struct limit_bucket *bucket = NULL;

		if (subject_of(rq, class, &subject))
			bucket = limit_table_find(limits->table, class->id, subject);
		if (bucket == NULL)
			continue;
		limit_give_back(&class->rate, &bucket->full_ns);
		bucket->taken -= bucket->taken > 0;
	}
}

static rq_next
check(struct rq *rq, size_t first, size_t end)
{
	struct limits *limits = ((const struct gateway *)rq->service)->limits;
	const struct route_row *row = ((const struct visit *)rq->ctx)->row;
	int64_t now_ns = loop_now_us(limits->loop) * NS_PER_US;
	uint64_t subject;

	for (size_t i = first; i < end; i++) {
		const struct limit_class *class = row->classes[i];
		struct limit_bucket *bucket;

		if (!subject_of(rq, class, &subject))
			continue;
		bucket = limit_table_use(
		    limits->table, class->id, subject, now_ns, class->rate.depth_ns);
		if (!limit_take(&class->rate, now_ns, &bucket->full_ns)) {
			give_back(rq, limits, 0, i);
			return refuse(rq, class,
			    limit_wait_ns(&class->rate, now_ns, bucket->full_ns));
		}
		limit_share_note(limits->share, class, bucket);
	}
	return visit_go_on(rq);
}

rq_next
limits_check(struct rq *rq)
{
	const struct visit *v = rq->ctx;

	return check(rq, 0, v->row->early_count);
}

rq_next
limits_check_user(struct rq *rq)
{
	const struct visit *v = rq->ctx;

	return check(rq, v->row->early_count, v->row->class_count);
}
