/*
 * Reads a campaign from PostgreSQL in pages by rank, all in one read-only snapshot: what
 * is issued meanwhile is not seen, and the count fits the rows.
 */
#include <inttypes.h>
#include <string.h>

#include "coupon/coupon_store.h"
#include "onrush/campaign_sink.h"
#include "store/pgsync.h"

enum {
	PAGE_ROWS = 5000
};

static const struct pg_stmt begin = { "campaign_begin",
	"begin isolation level repeatable read read only" };
/* A sink may be slow: a pipe into a pager. */
static const struct pg_stmt be_patient = { "campaign_be_patient",
	"set local idle_in_transaction_session_timeout = 0" };
static const struct pg_stmt read_campaign = { "campaign_read",
	"select " COUPON_CAMPAIGN_COLUMNS
	" from coupon.campaigns where coupon_id = $1::bigint" };
static const struct pg_stmt read_page = { "campaign_page",
	"select rank, user_id, nth, request_id, issued_at, hash from coupon.issued"
	" where coupon_id = $1::bigint and rank > $2::bigint order by rank limit 5000" };
/* Heads after one rank and up to another. */
static const struct pg_stmt read_heads = { "campaign_heads",
	"select rank, hash, key_id, signature from coupon.heads"
	" where coupon_id = $1::bigint and rank > $2::bigint and rank <= $3::bigint"
	" order by rank" };

struct reading {
	struct pgsync *pg;                /* borrowed */
	struct arena *page;               /* owned; one page's parameters */
	const struct campaign_sink *sink; /* borrowed */
	int64_t coupon_id;
	int64_t last; /* rank up to which all was passed on */
	bool done;
};

static enum err
run_with_ranks(
    struct reading *r, const struct pg_stmt *stmt, const int64_t *values, size_t count)
{
	struct pg_params p;

	pg_params_init(&p, r->page);
	for (size_t i = 0; i < count; i++)
		pg_add_i64(&p, values[i]);
	pgsync_queue(r->pg, stmt, &p);
	return pgsync_run(r->pg);
}

static void
receipt_from_row(struct receipt *out, int64_t *nth, const struct pg_result *rows, int row)
{
	out->rank = pg_i64(rows, row, 0);
	out->user_id = pg_i64(rows, row, 1);
	*nth = pg_i64(rows, row, 2);
	ASSERT(uuid_parse(pg_str(rows, row, 3), &out->request_id));
	out->issued_us = pg_time_us(rows, row, 4);
	ASSERT(pg_bytes(rows, row, 5, out->hash.b, SHA256_SIZE));
}

static void
head_from_row(struct chain_head *out, const struct pg_result *rows, int row)
{
	str key_id = pg_str(rows, row, 2);

	out->rank = pg_i64(rows, row, 0);
	ASSERT(pg_bytes(rows, row, 1, out->hash.b, SHA256_SIZE));
	snprintf(out->key_id, sizeof(out->key_id), "%.*s", STR_ARG(key_id));
	ASSERT(pg_bytes(rows, row, 3, out->signature, SIGN_SIZE));
}

/* A page's receipts, in the arena; the result they came in goes with the next query. */
struct page {
	struct receipt *receipts;
	int64_t *nths;
	int count;
};

static void
copy_page(struct reading *r, struct page *page)
{
	const struct pg_result *rows = pgsync_result(r->pg, 0);

	page->count = pg_rows(rows);
	page->receipts =
	    arena_alloc(r->page, (size_t)page->count * sizeof(*page->receipts));
	page->nths = arena_alloc(r->page, (size_t)page->count * sizeof(*page->nths));
	for (int i = 0; i < page->count; i++) {
		page->receipts[i].coupon_id = r->coupon_id;
		receipt_from_row(&page->receipts[i], &page->nths[i], rows, i);
	}
}

/* Passes on the heads from *next on whose rank is at most `rank`. */
static bool
pass_heads(struct reading *r, const struct pg_result *heads, int *next, int64_t rank)
{
	for (; *next < pg_rows(heads) && pg_i64(heads, *next, 0) <= rank; ++*next) {
		struct chain_head head = { .coupon_id = r->coupon_id };

		head_from_row(&head, heads, *next);
		if (!r->sink->head(r->sink->arg, &head))
			return false;
	}
	return true;
}

static bool
pass_page(struct reading *r, const struct page *page, int64_t upto)
{
	const struct pg_result *heads = pgsync_result(r->pg, 0);
	int next = 0;

	for (int i = 0; i < page->count; i++) {
		const struct receipt *receipt = &page->receipts[i];

		if (!pass_heads(r, heads, &next, receipt->rank - 1) ||
		    !r->sink->issued(r->sink->arg, receipt, page->nths[i]) ||
		    !pass_heads(r, heads, &next, receipt->rank))
			return false;
	}
	return pass_heads(r, heads, &next, upto);
}

static enum campaign_end
read_next_page(struct reading *r)
{
	struct page page;
	int64_t upto;

	arena_reset(r->page);
	if (run_with_ranks(r, &read_page, (int64_t[]){ r->coupon_id, r->last }, 2) !=
	    ERR_OK)
		return CAMPAIGN_BROKEN;
	copy_page(r, &page);
	r->done = page.count < PAGE_ROWS;
	upto = r->done ? INT64_MAX : page.receipts[page.count - 1].rank;
	if (run_with_ranks(
		r, &read_heads, (int64_t[]){ r->coupon_id, r->last, upto }, 3) != ERR_OK)
		return CAMPAIGN_BROKEN;
	if (!pass_page(r, &page, upto))
		return CAMPAIGN_STOPPED;
	r->last = upto;
	return CAMPAIGN_COMPLETE;
}

static enum campaign_end
read_all(struct reading *r)
{
	enum campaign_end end = CAMPAIGN_COMPLETE;
	struct campaign c;

	pgsync_queue(r->pg, &begin, NULL);
	pgsync_queue(r->pg, &be_patient, NULL);
	if (pgsync_run(r->pg) != ERR_OK ||
	    run_with_ranks(r, &read_campaign, &r->coupon_id, 1) != ERR_OK)
		return CAMPAIGN_BROKEN;
	if (pg_rows(pgsync_result(r->pg, 0)) == 0)
		return CAMPAIGN_UNKNOWN;
	coupon_campaign_from_row(&c, pgsync_result(r->pg, 0), 0);
	if (!r->sink->begin(r->sink->arg, &c))
		return CAMPAIGN_STOPPED;
	while (end == CAMPAIGN_COMPLETE && !r->done)
		end = read_next_page(r);
	return end;
}

enum campaign_end
campaign_read_pg(struct pgsync *pg, struct arena *arena, int64_t coupon_id,
    const struct campaign_sink *sink, const char **why)
{
	struct reading r = {
		.pg = pg,
		.page = arena_new(),
		.sink = sink,
		.coupon_id = coupon_id,
	};
	enum campaign_end end = read_all(&r);

	if (end == CAMPAIGN_BROKEN) {
		*why = arena_strdup(arena, str_of(pgsync_message(pg)));
	} else {
		pgsync_queue(pg, &PGSYNC_ROLLBACK, NULL);
		if (pgsync_run(pg) != ERR_OK && end == CAMPAIGN_COMPLETE)
			end = CAMPAIGN_BROKEN, *why = "the snapshot was lost";
	}
	arena_free(r.page);
	return end;
}
