/*
 * Ranks, chain and heads are looked at as they pass by. What needs all rows of one user
 * or of one request together goes into two spills and is looked at in the end; sightings
 * of clients go to their user's rows.
 */
#include "onrush/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupon/receipt.h"
#include "onrush/spill.h"

enum {
	SPILL_MEMORY = 32 << 20 /* bytes of each of the two */
};

/* What a user has, or (nth 0) what a client of the user saw. */
struct holding {
	int64_t user_id, rank, nth;
	bool has_request;
	uuid request_id;
};

struct grant {
	uuid request_id;
	int64_t rank;
};

struct verify {
	struct verify_key *const *keys; /* borrowed */
	size_t key_count;
	struct campaign campaign;
	int64_t issued, head_count, seen;
	int64_t last_rank;       /* of the receipts */
	struct sha256 last_hash; /* as the last receipt says */
	int64_t last_head;       /* rank of the last head */
	struct spill *holdings;  /* owned; of struct holding, by user */
	struct spill *grants;    /* owned; of struct grant, by request */
	struct verify_finding findings[VERIFY_CHECK_COUNT];
};

static const char *const keys_of_checks[] = {
#define X(name, key, sentence) key,
	VERIFY_CHECKS(X)
#undef X
};
static const char *const sentences_of_checks[] = {
#define X(name, key, sentence) sentence,
	VERIFY_CHECKS(X)
#undef X
};

const char *
verify_check_key(enum verify_check check)
{
	return keys_of_checks[check];
}

const char *
verify_check_sentence(enum verify_check check)
{
	return sentences_of_checks[check];
}

static void
find(struct verify *v, enum verify_check check, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
find(struct verify *v, enum verify_check check, const char *fmt, ...)
{
	struct verify_finding *f = &v->findings[check];
	va_list ap;

	if (f->wrong++ >= VERIFY_EXAMPLES)
		return;
	va_start(ap, fmt);
	vsnprintf(f->examples[f->wrong - 1], VERIFY_EXAMPLE_SIZE, fmt, ap);
	va_end(ap);
}

struct verify *
verify_new(struct verify_key *const *keys, size_t key_count)
{
	struct verify *v = xcalloc(1, sizeof(*v));

	v->keys = keys;
	v->key_count = key_count;
	v->holdings = spill_new(sizeof(struct holding), SPILL_MEMORY);
	v->grants = spill_new(sizeof(struct grant), SPILL_MEMORY);
	return v;
}

void
verify_free(struct verify *v)
{
	if (v == NULL)
		return;
	spill_free(v->holdings);
	spill_free(v->grants);
	free(v);
}

void
verify_begin(struct verify *v, const struct campaign *c)
{
	v->campaign = *c;
	v->last_hash = receipt_chain_start(c->coupon_id);
}

/* --- pieces ----------------------------------------------------------------- */

static void
check_rank(struct verify *v, int64_t rank)
{
	if (rank == v->last_rank + 1)
		return;
	if (rank <= v->last_rank)
		find(v, VERIFY_RANKS, "rank %" PRId64 " comes after rank %" PRId64, rank,
		    v->last_rank);
	else
		find(v, VERIFY_RANKS, "after rank %" PRId64 " comes rank %" PRId64,
		    v->last_rank, rank);
}

static void
keep_for_the_end(struct verify *v, const struct receipt *r, int64_t nth)
{
	struct holding holding;
	struct grant grant;
	uint64_t key;

	/* Padding is written to files: it must not be what was on the stack. */
	memset(&holding, 0, sizeof(holding));
	holding.user_id = r->user_id;
	holding.rank = r->rank;
	holding.nth = nth;
	holding.has_request = true;
	holding.request_id = r->request_id;
	spill_add(v->holdings, (uint64_t)r->user_id, &holding);
	memset(&grant, 0, sizeof(grant));
	grant.request_id = r->request_id;
	grant.rank = r->rank;
	memcpy(&key, r->request_id.b + sizeof(key), sizeof(key));
	spill_add(v->grants, key, &grant);
}

void
verify_issued(struct verify *v, const struct receipt *r, int64_t nth)
{
	struct receipt sealed = *r;

	check_rank(v, r->rank);
	receipt_seal(&sealed, &v->last_hash);
	if (!digest_equal(sealed.hash.b, r->hash.b, SHA256_SIZE))
		find(v, VERIFY_CHAIN,
		    "the hash of rank %" PRId64 " does not fit it and its predecessor",
		    r->rank);
	if (nth < 1)
		find(v, VERIFY_LIMIT, "rank %" PRId64 " is its user's coupon %" PRId64,
		    r->rank, nth);
	keep_for_the_end(v, r, nth);
	v->issued++;
	v->last_rank = r->rank;
	v->last_hash = r->hash;
}

static struct verify_key *
find_key(struct verify_key *const *keys, size_t count, const char *key_id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(verify_key_id(keys[i]), key_id) == 0)
			return keys[i];
	return NULL;
}

void
verify_head(struct verify *v, const struct chain_head *h)
{
	struct verify_key *key = find_key(v->keys, v->key_count, h->key_id);

	if (h->rank <= v->last_head)
		find(v, VERIFY_HEADS,
		    "the head of rank %" PRId64 " comes after that of rank %" PRId64,
		    h->rank, v->last_head);
	else if (h->rank != v->last_rank)
		find(v, VERIFY_HEADS, "there is a head but no coupon of rank %" PRId64,
		    h->rank);
	else if (!digest_equal(h->hash.b, v->last_hash.b, SHA256_SIZE))
		find(v, VERIFY_HEADS,
		    "the head of rank %" PRId64 " has another hash than the coupon",
		    h->rank);
	if (key == NULL)
		find(v, VERIFY_SIGNATURES,
		    "the head of rank %" PRId64 " is signed with key %.16s, which was "
		    "not given",
		    h->rank, h->key_id);
	else if (!receipt_check_head(h, key))
		find(v, VERIFY_SIGNATURES,
		    "the signature of the head of rank %" PRId64 " is not valid",
		    h->rank);
	v->head_count++;
	v->last_head = h->rank;
}

void
verify_seen(struct verify *v, const struct verify_sighting *s)
{
	struct holding holding;

	memset(&holding, 0, sizeof(holding));
	holding.user_id = s->user_id;
	holding.rank = s->rank;
	holding.has_request = s->has_request;
	holding.request_id = s->request_id;
	spill_add(v->holdings, (uint64_t)s->user_id, &holding);
	v->seen++;
}

/* --- the whole -------------------------------------------------------------- */

static int
compare_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* By user, then rank; a sighting before the coupon that it is of. */
static int
compare_holdings(const void *a, const void *b)
{
	const struct holding *x = a, *y = b;
	int order = compare_i64(x->user_id, y->user_id);

	if (order == 0)
		order = compare_i64(x->rank, y->rank);
	return order != 0 ? order : compare_i64(x->nth, y->nth);
}

static int
compare_grants(const void *a, const void *b)
{
	const struct grant *x = a, *y = b;
	int order = memcmp(x->request_id.b, y->request_id.b, sizeof(x->request_id.b));

	return order != 0 ? order : compare_i64(x->rank, y->rank);
}

/* The coupon that a sighting is of stands right behind all sightings of its rank. */
static void
check_sighting(struct verify *v, const struct holding *seen, const struct holding *end)
{
	const struct holding *coupon = seen;

	while (coupon < end && coupon->nth == 0 && coupon->rank == seen->rank)
		coupon++;
	if (coupon == end || coupon->rank != seen->rank)
		find(v, VERIFY_SEEN,
		    "user %" PRId64 " was told rank %" PRId64 ", which is not theirs",
		    seen->user_id, seen->rank);
	else if (seen->has_request && !uuid_eq(seen->request_id, coupon->request_id))
		find(v, VERIFY_SEEN,
		    "user %" PRId64 " was told rank %" PRId64 " for another request",
		    seen->user_id, seen->rank);
}

static void
check_user(struct verify *v, const struct holding *list, size_t count)
{
	int64_t held = 0;

	for (size_t i = 0; i < count; i++) {
		if (list[i].nth == 0) {
			check_sighting(v, &list[i], list + count);
			continue;
		}
		held++;
		if (list[i].nth != held)
			find(v, VERIFY_LIMIT,
			    "rank %" PRId64 " is coupon %" PRId64 " of user %" PRId64
			    ", not %" PRId64,
			    list[i].rank, held, list[i].user_id, list[i].nth);
	}
	if (held > v->campaign.per_user_limit)
		find(v, VERIFY_LIMIT,
		    "user %" PRId64 " has %" PRId64 ", one may have %" PRId64,
		    list[0].user_id, held, v->campaign.per_user_limit);
}

static void
check_users(void *arg, const void *records, size_t count)
{
	const struct holding *list = records;

	for (size_t first = 0, next = 0; first < count; first = next) {
		while (next < count && list[next].user_id == list[first].user_id)
			next++;
		check_user(arg, list + first, next - first);
	}
}

static void
check_grants(void *arg, const void *records, size_t count)
{
	const struct grant *list = records;
	char text[UUID_TEXT_SIZE];

	for (size_t i = 1; i < count; i++) {
		if (!uuid_eq(list[i - 1].request_id, list[i].request_id))
			continue;
		uuid_format(list[i].request_id, text);
		find(arg, VERIFY_REQUESTS,
		    "request %s was granted rank %" PRId64 " and rank %" PRId64, text,
		    list[i - 1].rank, list[i].rank);
	}
}

static void
check_totals(struct verify *v)
{
	const struct campaign *c = &v->campaign;
	bool limited = c->kind == COUPON_LIMITED;
	int64_t most = v->issued > c->issued ? v->issued : c->issued;

	if (c->issued != v->issued)
		find(v, VERIFY_COUNT,
		    "the campaign counts %" PRId64 ", there are %" PRId64, c->issued,
		    v->issued);
	if (!digest_equal(c->head.b, v->last_hash.b, SHA256_SIZE))
		find(v, VERIFY_COUNT,
		    "the campaign's own hash is not that of its last coupon");
	if (limited && most > c->quantity)
		find(v, VERIFY_QUANTITY, "%" PRId64 " of %" PRId64 " were issued", most,
		    c->quantity);
	if (v->last_head != v->last_rank)
		find(v, VERIFY_HEADS,
		    "the last signed head is of rank %" PRId64
		    ", the last coupon of rank %" PRId64,
		    v->last_head, v->last_rank);
}

bool
verify_end(struct verify *v)
{
	check_totals(v);
	return spill_each(v->holdings, compare_holdings, check_users, v) &&
	       spill_each(v->grants, compare_grants, check_grants, v);
}

bool
verify_is_clean(const struct verify *v)
{
	for (size_t i = 0; i < VERIFY_CHECK_COUNT; i++)
		if (v->findings[i].wrong > 0)
			return false;
	return true;
}

const struct verify_finding *
verify_result(const struct verify *v, enum verify_check check)
{
	return &v->findings[check];
}

const struct campaign *
verify_campaign(const struct verify *v)
{
	return &v->campaign;
}

int64_t
verify_issued_count(const struct verify *v)
{
	return v->issued;
}

int64_t
verify_head_count(const struct verify *v)
{
	return v->head_count;
}

int64_t
verify_seen_count(const struct verify *v)
{
	return v->seen;
}

/* --- one receipt ------------------------------------------------------------ */

static const char *
what_is_wrong(const struct receipt *r, const struct sha256 *path, size_t path_count,
    const struct chain_head *head, struct verify_key *key)
{
	struct receipt sealed = *r;
	struct sha256 hash;

	receipt_seal(&sealed, &r->previous);
	if (!digest_equal(sealed.hash.b, r->hash.b, SHA256_SIZE))
		return "its hash does not fit its fields";
	if (head->coupon_id != r->coupon_id || head->rank < r->rank ||
	    (uint64_t)(head->rank - r->rank) != path_count)
		return "its path does not lead from its rank to the head's";
	hash = r->hash;
	for (size_t i = 0; i < path_count; i++)
		hash = receipt_link(&hash, &path[i]);
	if (!digest_equal(hash.b, head->hash.b, SHA256_SIZE))
		return "its path does not lead to the head's hash";
	if (key == NULL)
		return "the head is signed with a key that was not given";
	return receipt_check_head(head, key) ? NULL : "the head's signature is not valid";
}

bool
verify_receipt(const struct receipt *r, const struct sha256 *path, size_t path_count,
    const struct chain_head *head, struct verify_key *const *keys, size_t key_count,
    char *why, size_t why_size)
{
	const char *wrong = what_is_wrong(
	    r, path, path_count, head, find_key(keys, key_count, head->key_id));

	if (wrong != NULL)
		snprintf(why, why_size, "%s", wrong);
	return wrong == NULL;
}
