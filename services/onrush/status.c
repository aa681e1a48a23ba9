#include "onrush/status.h"

#include <stdlib.h>

#include "base/clock.h"
#include "coupon/coupon_store.h"
#include "onrush/topic_table.h"
#include "store/pgsync.h"

#define LOOK_US (2 * CLOCK_US_PER_SEC)
#define READ_US (10 * CLOCK_US_PER_SEC)

static const struct pg_stmt read_campaigns = { "status_campaigns",
	"select " COUPON_CAMPAIGN_COLUMNS
	" from coupon.campaigns order by coupon_id limit 1000" };

static bool
is_ready(const struct status *s, enum target_kind kind)
{
	for (size_t i = 0; i < s->target_count; i++)
		if (s->targets[i].kind == kind)
			return s->sights[i].ready;
	return false;
}

static void
gather_campaigns(struct ctl *ctl, struct status *s)
{
	struct pgsync *pg = pgsync_new(ctl->settings.pg_dsn, "status", READ_US);

	pgsync_queue(pg, &read_campaigns, NULL);
	if (pgsync_run(pg) == ERR_OK) {
		const struct pg_result *rows = pgsync_result(pg, 0);

		s->campaign_count = (size_t)pg_rows(rows);
		s->campaigns =
		    arena_alloc(ctl->arena, s->campaign_count * sizeof(*s->campaigns));
		for (int i = 0; i < pg_rows(rows); i++)
			coupon_campaign_from_row(&s->campaigns[i], rows, i);
	} else {
		ctl_complain("campaigns: %s", pgsync_message(pg));
	}
	pgsync_free(pg);
}

static int
by_partition(const void *a, const void *b)
{
	const struct topic_lag *x = a, *y = b;

	return (x->partition > y->partition) - (x->partition < y->partition);
}

static void
gather_lag(struct ctl *ctl, struct status *s, const struct topic_row *row)
{
	struct topic_lag *rows = arena_alloc(ctl->arena, STATUS_MAX_LAGS * sizeof(*rows));
	const char *topic = ctl_topic(ctl, row->name),
		   *group = ctl_topic(ctl, row->group);
	char why[512];
	int n = topics_lag(ctl->settings.kafka_brokers, group, topic, rows,
	    STATUS_MAX_LAGS, READ_US, why, sizeof(why));

	if (n < 0)
		ctl_complain("%s: %s", topic, why);
	else
		qsort(rows, (size_t)n, sizeof(*rows), by_partition);
	for (int i = 0; i < n && s->lag_count < STATUS_MAX_LAGS; i++)
		s->lags[s->lag_count++] = (struct status_lag){ topic, group, rows[i] };
}

static void
gather_topics(struct ctl *ctl, struct status *s)
{
	char why[512];

	s->lags = arena_alloc(ctl->arena, STATUS_MAX_LAGS * sizeof(*s->lags));
	s->dlqs = arena_alloc(ctl->arena, TOPIC_TABLE_COUNT * sizeof(*s->dlqs));
	for (size_t i = 0; i < TOPIC_TABLE_COUNT; i++) {
		struct status_dlq *dlq = &s->dlqs[s->dlq_count];

		if (TOPIC_TABLE[i].group == NULL)
			continue;
		gather_lag(ctl, s, &TOPIC_TABLE[i]);
		dlq->topic = ctl_topic(ctl, TOPIC_TABLE[i].name);
		dlq->records = dlq_depth(ctl, dlq->topic, why, sizeof(why));
		if (dlq->records < 0)
			ctl_complain("%s: %s", dlq->topic, why);
		s->dlq_count++;
	}
}

bool
status_gather(struct ctl *ctl, struct status *s)
{
	if (!targets_default(ctl, s->targets, &s->target_count))
		return false;
	for (size_t i = 0; i < s->target_count; i++)
		target_look(ctl, &s->targets[i], LOOK_US, &s->sights[i]);
	if (is_ready(s, TARGET_POSTGRES))
		gather_campaigns(ctl, s);
	if (is_ready(s, TARGET_KAFKA))
		gather_topics(ctl, s);
	return true;
}
