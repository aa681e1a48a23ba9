#include "coupon/campaigns.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "app/log.h"
#include "coupon/coupon_store.h"

enum {
	BUCKETS = 256,
	QUEUE_MAX = 8192,
	READ_MAX = 256, /* campaigns in one query */
};

/* A copy. Campaigns are never deleted, so copies are not either. */
struct entry {
	LIST_ENTRY(entry) link;
	struct campaign campaign;
	int64_t read_us; /* monotonic, when its query was sent */
};

LIST_HEAD(bucket, entry);

/* One background query: the campaigns that are about to get old. */
struct refresh {
	struct loop_job job; /* at the end of the turn in which the first was asked for */
	int64_t ids[READ_MAX];
	size_t count;
	bool running;
	int64_t sent_us;
};

struct campaigns {
	struct service *service; /* borrowed */
	struct batch *reads;     /* owned */
	struct refresh refresh;
	struct bucket buckets[BUCKETS]; /* entries are owned */
};

static const struct pg_stmt read_campaigns = { "coupon_campaigns",
	"select " COUPON_CAMPAIGN_COLUMNS
	" from coupon.campaigns where coupon_id = any($1::bigint[])" };

static void flush_reads(struct batch_run *run);
static void
on_read(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);
static void start_refresh(struct loop_job *job);
static void
on_refresh(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);

struct campaigns *
campaigns_new(struct service *s)
{
	struct campaigns *c = xcalloc(1, sizeof(*c));

	c->service = s;
	c->refresh.job.run = start_refresh;
	c->reads = batch_new(s->worker->loop, &(struct batch_conf){
						  .max_size = READ_MAX,
						  .max_runs = 1,
						  .max_queue = QUEUE_MAX,
						  .flush = flush_reads,
						  .arg = c,
					      });
	return c;
}

void
campaigns_free(struct campaigns *c)
{
	struct entry *e;

	if (c == NULL)
		return;
	batch_free(c->reads);
	for (size_t i = 0; i < BUCKETS; i++)
		while ((e = LIST_FIRST(&c->buckets[i])) != NULL) {
			LIST_REMOVE(e, link);
			free(e);
		}
	free(c);
}

static struct bucket *
bucket_of(struct campaigns *c, int64_t coupon_id)
{
	return &c->buckets[(uint64_t)coupon_id % BUCKETS];
}

static struct entry *
find(struct campaigns *c, int64_t coupon_id)
{
	struct entry *e;

	LIST_FOREACH (e, bucket_of(c, coupon_id), link)
		if (e->campaign.coupon_id == coupon_id)
			return e;
	return NULL;
}

static void
store_rows(struct campaigns *c, const struct pg_result *rows, int64_t sent_us)
{
	for (int i = 0; i < pg_rows(rows); i++) {
		struct campaign campaign;
		struct entry *e;

		coupon_campaign_from_row(&campaign, rows, i);
		if ((e = find(c, campaign.coupon_id)) == NULL) {
			e = xcalloc(1, sizeof(*e));
			LIST_INSERT_HEAD(bucket_of(c, campaign.coupon_id), e, link);
		}
		if (sent_us < e->read_us)
			continue; /* two queries crossed; keep the later one's */
		e->campaign = campaign;
		e->read_us = sent_us;
	}
}

static struct pg_params *
ids_params(struct arena *arena, const int64_t *ids, size_t count)
{
	struct pg_params *p = ARENA_NEW(arena, struct pg_params);

	pg_params_init(p, arena);
	pg_add_i64_array(p, ids, count);
	return p;
}

/* --- in the background --------------------------------------------------------- */

static void
ask_refresh(struct campaigns *c, int64_t coupon_id)
{
	struct refresh *r = &c->refresh;

	if (r->running || r->count == READ_MAX)
		return;
	for (size_t i = 0; i < r->count; i++)
		if (r->ids[i] == coupon_id)
			return;
	r->ids[r->count++] = coupon_id;
	loop_defer(c->service->worker->loop, &r->job);
}

static void
start_refresh(struct loop_job *job)
{
	struct campaigns *c = CONTAINER_OF(job, struct campaigns, refresh.job);
	struct arena *arena = arena_new();

	c->refresh.running = true;
	c->refresh.sent_us = clock_mono_us();
	pgpool_exec(c->service->pg, &read_campaigns,
	    ids_params(arena, c->refresh.ids, c->refresh.count), on_refresh, c);
	arena_free(arena);
}

/* A refresh that failed changes nothing: copies get old and refuse nobody. */
static void
on_refresh(
    void *arg, enum err err, const struct pg_result *rows, const char *sqlstate UNUSED)
{
	struct campaigns *c = arg;

	if (err == ERR_OK)
		store_rows(c, rows, c->refresh.sent_us);
	c->refresh.running = false;
	c->refresh.count = 0;
}

const struct campaign *
campaigns_find(struct campaigns *c, int64_t coupon_id, bool *fresh)
{
	struct entry *e = find(c, coupon_id);
	int64_t age_us;

	*fresh = false;
	if (e == NULL)
		return NULL;
	age_us = clock_mono_us() - e->read_us;
	*fresh = age_us < CAMPAIGNS_LEASE_US;
	if (age_us >= CAMPAIGNS_LEASE_US / 2)
		ask_refresh(c, coupon_id);
	return &e->campaign;
}

/* --- while a request waits ----------------------------------------------------- */

/* One query for all that wait. */
struct read {
	struct batch_run *run; /* borrowed until batch_end */
	int64_t sent_us;
};

rq_next
campaigns_read(
    struct rq *rq, rq_step *next, struct campaigns *c, const int64_t *coupon_id)
{
	return rq_join(rq, next, c->reads, (void *)(uintptr_t)coupon_id);
}

static void
flush_reads(struct batch_run *run)
{
	struct campaigns *c = run->arg;
	struct arena *arena = run->rqs[0]->arena;
	struct read *read = ARENA_NEW(arena, struct read);
	int64_t *ids = arena_alloc(arena, run->count * sizeof(*ids));

	for (size_t i = 0; i < run->count; i++)
		ids[i] = *(const int64_t *)run->items[i];
	*read = (struct read){ run, clock_mono_us() };
	pgpool_exec(c->service->pg, &read_campaigns, ids_params(arena, ids, run->count),
	    on_read, read);
}

static void
on_read(
    void *arg, enum err err, const struct pg_result *rows, const char *sqlstate UNUSED)
{
	struct read *read = arg;
	struct batch_run *run = read->run;

	if (err == ERR_OK)
		store_rows(run->arg, rows, read->sent_us);
	for (size_t i = 0; i < run->count; i++)
		rq_resume(run->rqs[i], err);
	batch_end(run);
}
