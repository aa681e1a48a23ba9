/*
 * One batch, two round trips to PostgreSQL:
 *
 *   begin; lock the campaigns' rows; read what these requests and users have already
 *      └─ coupon_decide(): the rules, in memory
 *   insert coupons, heads and refusals; move the campaigns on; commit
 *
 * The reads are statements of their own after the lock: at READ COMMITTED each sees what
 * the lock's last holder committed, which the locking statement itself would not.
 */
#include "coupon/decider.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "coupon/coupon_rules.h"
#include "coupon/coupon_store.h"
#include "coupon/marks.h"
#include "coupon/receipt.h"
#include "store/pgsync.h"
#include "store/redsync.h"

/* A Redis that hangs may not hold up the next batch for longer. */
#define REDIS_TIMEOUT_US (50 * CLOCK_US_PER_MS)

struct decider {
	struct pgsync *pg;     /* owned */
	struct redsync *redis; /* owned; NULL when no marks are kept */
	struct sign_key *key;  /* borrowed until the decider is freed */
	struct arena *arena;   /* owned; one batch */

	/* The batch that is being decided; all in the arena. */
	const struct coupon_request *requests; /* borrowed for the call */
	size_t count;
	struct campaign *campaigns; /* those that exist, sorted */
	int64_t *issued_before;     /* of each campaign */
	size_t campaign_count;
	struct coupon_history *history;
	struct coupon_decision *decisions;
	int64_t *nths;
	int64_t now_us;
	struct chain_head *heads;
	int64_t *firsts; /* of each head: the rank after the head before it */
	size_t head_count;
};

static enum err read_state(struct decider *d);
static void decide(struct decider *d);
static enum err write_state(struct decider *d);

struct decider *
decider_new(const struct decider_conf *conf)
{
	struct decider *d = xcalloc(1, sizeof(*d));

	d->pg = pgsync_new(conf->pg_dsn, conf->note, conf->timeout_us);
	if (conf->redis_url[0] != '\0')
		d->redis = redsync_new(conf->redis_url, REDIS_TIMEOUT_US);
	d->key = conf->key;
	d->arena = arena_new();
	return d;
}

void
decider_free(struct decider *d)
{
	if (d == NULL)
		return;
	pgsync_free(d->pg);
	redsync_free(d->redis);
	arena_free(d->arena);
	free(d);
}

const char *
decider_message(const struct decider *d)
{
	return pgsync_message(d->pg);
}

bool
decider_is_healthy(struct decider *d)
{
	static const struct pg_stmt ping = { "decider_ping", "select 1" };

	pgsync_queue(d->pg, &ping, NULL);
	return pgsync_run(d->pg) == ERR_OK;
}

enum err
decider_decide(struct decider *d, const struct coupon_request *requests, size_t count,
    struct decided *out)
{
	enum err err;

	ASSERT(count > 0 && count <= COUPON_BATCH_MAX);
	arena_reset(d->arena);
	d->requests = requests;
	d->count = count;
	if ((err = read_state(d)) != ERR_OK)
		return err;
	decide(d);
	if ((err = write_state(d)) != ERR_OK)
		return err;
	*out = (struct decided){ d->decisions, d->heads, d->head_count };
	return ERR_OK;
}

/* --- reading ------------------------------------------------------------------- */

static const struct pg_stmt lock_campaigns = { "decider_lock",
	"select " COUPON_CAMPAIGN_COLUMNS " from coupon.campaigns"
	" where coupon_id = any($1::bigint[]) order by coupon_id for update" };

static const struct pg_stmt find_held = { "decider_held",
	"select r.ord, count(*)"
	" from unnest($1::bigint[], $2::bigint[]) with ordinality r (coupon_id, user_id, "
	"ord)"
	" join coupon.issued i using (user_id, coupon_id) group by r.ord" };

static const struct pg_stmt find_earlier = { "decider_earlier",
	"select r.ord, " COUPON_STORED_ISSUED
	" from unnest($1::uuid[]) with ordinality r (request_id, ord)"
	" join coupon.issued i using (request_id)" COUPON_STORED_PREVIOUS
	" union all select r.ord, " COUPON_STORED_REFUSED
	" from unnest($1::uuid[]) with ordinality r (request_id, ord)"
	" join coupon.refusals f using (request_id)" };

static int
compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The different campaigns of the batch, sorted: the order in which they are locked. */
static size_t
distinct_coupons(const struct decider *d, int64_t *ids)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++)
		ids[i] = d->requests[i].coupon_id;
	qsort(ids, d->count, sizeof(*ids), compare_i64);
	for (size_t i = 0; i < d->count; i++)
		if (n == 0 || ids[n - 1] != ids[i])
			ids[n++] = ids[i];
	return n;
}

static void
queue_reads(struct decider *d)
{
	int64_t *ids = arena_alloc(d->arena, d->count * sizeof(*ids));
	int64_t *users = arena_alloc(d->arena, d->count * sizeof(*users));
	uuid *requests = arena_alloc(d->arena, d->count * sizeof(*requests));
	struct pg_params *p = arena_alloc(d->arena, 3 * sizeof(*p));

	pg_params_init(&p[0], d->arena);
	pg_add_i64_array(&p[0], ids, distinct_coupons(d, ids));
	for (size_t i = 0; i < d->count; i++) {
		ids[i] = d->requests[i].coupon_id;
		users[i] = d->requests[i].user_id;
		requests[i] = d->requests[i].id;
	}
	pg_params_init(&p[1], d->arena);
	pg_add_i64_array(&p[1], ids, d->count);
	pg_add_i64_array(&p[1], users, d->count);
	pg_params_init(&p[2], d->arena);
	pg_add_uuid_array(&p[2], requests, d->count);

	pgsync_queue(d->pg, &PGSYNC_BEGIN, NULL);
	pgsync_queue(d->pg, &lock_campaigns, &p[0]);
	pgsync_queue(d->pg, &find_held, &p[1]);
	pgsync_queue(d->pg, &find_earlier, &p[2]);
}

static void
take_campaigns(struct decider *d, const struct pg_result *rows)
{
	d->campaign_count = (size_t)pg_rows(rows);
	d->campaigns = arena_alloc(d->arena, d->campaign_count * sizeof(*d->campaigns));
	d->issued_before =
	    arena_alloc(d->arena, d->campaign_count * sizeof(*d->issued_before));
	for (size_t i = 0; i < d->campaign_count; i++) {
		coupon_campaign_from_row(&d->campaigns[i], rows, (int)i);
		d->issued_before[i] = d->campaigns[i].issued;
	}
}

static void
take_held(struct decider *d, const struct pg_result *rows)
{
	for (int i = 0; i < pg_rows(rows); i++)
		d->history[pg_i64(rows, i, 0) - 1].held = pg_i64(rows, i, 1);
}

static void
take_earlier(struct decider *d, const struct pg_result *rows)
{
	for (int i = 0; i < pg_rows(rows); i++) {
		struct coupon_history *h = &d->history[pg_i64(rows, i, 0) - 1];

		h->decided = true;
		coupon_stored_from_row(&h->stored, rows, i, 1);
	}
}

static enum err
read_state(struct decider *d)
{
	enum err err;

	queue_reads(d);
	if ((err = pgsync_run(d->pg)) != ERR_OK)
		return err;
	d->history = arena_alloc(d->arena, d->count * sizeof(*d->history));
	take_campaigns(d, pgsync_result(d->pg, 1));
	take_held(d, pgsync_result(d->pg, 2));
	take_earlier(d, pgsync_result(d->pg, 3));
	return ERR_OK;
}

/* --- deciding ------------------------------------------------------------------ */

static void
decide(struct decider *d)
{
	d->decisions = arena_alloc(d->arena, d->count * sizeof(*d->decisions));
	d->nths = arena_alloc(d->arena, d->count * sizeof(*d->nths));
	d->heads = arena_alloc(d->arena, d->campaign_count * sizeof(*d->heads));
	d->firsts = arena_alloc(d->arena, d->campaign_count * sizeof(*d->firsts));
	d->head_count = 0;
	d->now_us = clock_wall_us();
	coupon_decide(d->campaigns, d->campaign_count, d->requests, d->history, d->count,
	    d->now_us, d->decisions, d->nths);
	for (size_t i = 0; i < d->campaign_count; i++) {
		const struct campaign *c = &d->campaigns[i];
		struct chain_head *head;

		if (c->issued == d->issued_before[i])
			continue;
		d->firsts[d->head_count] = d->issued_before[i] + 1;
		head = &d->heads[d->head_count++];
		*head = (struct chain_head){
			.coupon_id = c->coupon_id,
			.rank = c->issued,
			.hash = c->head,
		};
		receipt_sign_head(head, d->key);
	}
}

/* --- writing ------------------------------------------------------------------- */

static const struct pg_stmt insert_issued = { "decider_issue",
	"insert into coupon.issued"
	" (coupon_id, rank, user_id, nth, request_id, issued_at, hash)"
	" select c, r, u, n, q, $6::timestamptz, h from unnest($1::bigint[], "
	"$2::bigint[],"
	" $3::bigint[], $4::int[], $5::uuid[], $7::bytea[]) t (c, r, u, n, q, h)" };

static const struct pg_stmt insert_heads = { "decider_heads",
	"with heads as (insert into coupon.heads"
	" (coupon_id, rank, hash, key_id, signature, signed_at)"
	" select c, r, h, $4, s, $6::timestamptz from"
	" unnest($1::bigint[], $2::bigint[], $3::bytea[], $5::bytea[]) t (c, r, h, s)"
	" returning coupon_id, rank, hash), untold as (insert into coupon.outbox"
	" (coupon_id, first_rank, last_rank)"
	" select * from unnest($1::bigint[], $7::bigint[], $2::bigint[]))"
	" update coupon.campaigns c set issued = h.rank, head_hash = h.hash"
	" from heads h where c.coupon_id = h.coupon_id" };

static const struct pg_stmt insert_refusals = { "decider_refuse",
	"insert into coupon.refusals (request_id, coupon_id, user_id, outcome)"
	" select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[])" };

static void
queue_issued(struct decider *d)
{
	int64_t *coupons = arena_alloc(d->arena, 4 * d->count * sizeof(*coupons));
	int64_t *ranks = coupons + d->count, *users = ranks + d->count;
	int64_t *nths = users + d->count;
	uuid *requests = arena_alloc(d->arena, d->count * sizeof(*requests));
	struct sha256 *hashes = arena_alloc(d->arena, d->count * sizeof(*hashes));
	struct pg_params *p = ARENA_NEW(d->arena, struct pg_params);
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++) {
		const struct receipt *r = &d->decisions[i].receipt;

		if (d->nths[i] == 0)
			continue;
		coupons[n] = r->coupon_id;
		ranks[n] = r->rank;
		users[n] = r->user_id;
		nths[n] = d->nths[i];
		requests[n] = r->request_id;
		hashes[n++] = r->hash;
	}
	if (n == 0)
		return;
	pg_params_init(p, d->arena);
	pg_add_i64_array(p, coupons, n);
	pg_add_i64_array(p, ranks, n);
	pg_add_i64_array(p, users, n);
	pg_add_i64_array(p, nths, n);
	pg_add_uuid_array(p, requests, n);
	pg_add_time(p, d->now_us);
	pg_add_bytes_array(p, hashes, SHA256_SIZE, n);
	pgsync_queue(d->pg, &insert_issued, p);
}

static void
queue_heads(struct decider *d)
{
	int64_t *coupons = arena_alloc(d->arena, d->head_count * sizeof(*coupons));
	int64_t *ranks = arena_alloc(d->arena, d->head_count * sizeof(*ranks));
	struct sha256 *hashes = arena_alloc(d->arena, d->head_count * sizeof(*hashes));
	uint8_t *signatures = arena_alloc(d->arena, d->head_count * SIGN_SIZE);
	struct pg_params *p = ARENA_NEW(d->arena, struct pg_params);

	if (d->head_count == 0)
		return;
	for (size_t i = 0; i < d->head_count; i++) {
		coupons[i] = d->heads[i].coupon_id;
		ranks[i] = d->heads[i].rank;
		hashes[i] = d->heads[i].hash;
		memcpy(signatures + i * SIGN_SIZE, d->heads[i].signature, SIGN_SIZE);
	}
	pg_params_init(p, d->arena);
	pg_add_i64_array(p, coupons, d->head_count);
	pg_add_i64_array(p, ranks, d->head_count);
	pg_add_bytes_array(p, hashes, SHA256_SIZE, d->head_count);
	pg_add_str(p, str_of(sign_key_id(d->key)));
	pg_add_bytes_array(p, signatures, SIGN_SIZE, d->head_count);
	pg_add_time(p, d->now_us);
	pg_add_i64_array(p, d->firsts, d->head_count);
	pgsync_queue(d->pg, &insert_heads, p);
}

/* A refusal is recorded where its request id is not yet taken by anything. */
static bool
is_new_refusal(const struct decider *d, size_t i)
{
	return d->decisions[i].outcome != ERR_OK && !d->decisions[i].replayed &&
	       d->decisions[i].outcome != ERR_KEY_REUSED;
}

static void
queue_refusals(struct decider *d)
{
	int64_t *coupons = arena_alloc(d->arena, d->count * sizeof(*coupons));
	int64_t *users = arena_alloc(d->arena, d->count * sizeof(*users));
	uuid *requests = arena_alloc(d->arena, d->count * sizeof(*requests));
	str *outcomes = arena_alloc(d->arena, d->count * sizeof(*outcomes));
	struct pg_params *p = ARENA_NEW(d->arena, struct pg_params);
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (!is_new_refusal(d, i))
			continue;
		coupons[n] = d->requests[i].coupon_id;
		users[n] = d->requests[i].user_id;
		requests[n] = d->requests[i].id;
		outcomes[n++] = str_of(err_info(d->decisions[i].outcome)->code);
	}
	if (n == 0)
		return;
	pg_params_init(p, d->arena);
	pg_add_uuid_array(p, requests, n);
	pg_add_i64_array(p, coupons, n);
	pg_add_i64_array(p, users, n);
	pg_add_str_array(p, outcomes, n);
	pgsync_queue(d->pg, &insert_refusals, p);
}

static enum err
write_state(struct decider *d)
{
	queue_issued(d);
	queue_heads(d);
	queue_refusals(d);
	pgsync_queue(d->pg, &PGSYNC_COMMIT, NULL);
	return pgsync_run(d->pg);
}

/* --- telling the filter -------------------------------------------------------- */

/* Users of this campaign who are known to have all they may have. */
static size_t
full_users(const struct decider *d, const struct campaign *c, int64_t *users)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (d->requests[i].coupon_id != c->coupon_id)
			continue;
		if (d->nths[i] >= c->per_user_limit ||
		    d->decisions[i].outcome == ERR_COUPON_ALREADY_ISSUED)
			users[n++] = d->requests[i].user_id;
	}
	return n;
}

void
decider_mark(struct decider *d)
{
	int64_t *users = arena_alloc(d->arena, d->count * sizeof(*users));

	if (d->redis == NULL)
		return;
	for (size_t i = 0; i < d->campaign_count; i++) {
		const struct campaign *c = &d->campaigns[i];

		marks_queue(d->redis, d->arena, c, users, full_users(d, c, users));
	}
	/* What is lost here is decided by PostgreSQL again: slower, never wrong. */
	(void)redsync_start(d->redis);
}
