/* The export of a campaign: what is written is read back the same, and a file that was
 * changed anywhere is known as such. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupon/receipt.h"
#include "onrush/campaign_sink.h"

#define NOON INT64_C(1800000000000000)

enum {
	ISSUED = 3
};

/* What was written or read. */
struct content {
	struct campaign campaign;
	struct receipt receipts[ISSUED];
	int64_t nths[ISSUED];
	struct chain_head heads[ISSUED];
	int begun, receipt_count, head_count;
	int stop_at; /* the sink refuses the receipt of this rank; 0: none */
};

static bool
on_begin(void *arg, const struct campaign *c)
{
	struct content *content = arg;

	content->campaign = *c;
	content->begun++;
	return true;
}

static bool
on_issued(void *arg, const struct receipt *r, int64_t nth)
{
	struct content *content = arg;

	assert_true(content->receipt_count < ISSUED);
	content->nths[content->receipt_count] = nth;
	content->receipts[content->receipt_count++] = *r;
	return r->rank != content->stop_at;
}

static bool
on_head(void *arg, const struct chain_head *h)
{
	struct content *content = arg;

	assert_true(content->head_count < ISSUED);
	content->heads[content->head_count++] = *h;
	return true;
}

static void
fill(struct content *c)
{
	struct sha256 head = receipt_chain_start(INT64_MAX);

	memset(c, 0, sizeof(*c));
	c->campaign = (struct campaign){ .coupon_id = INT64_MAX,
		.name = "\"Ein\" Gutschein \\ 쿠폰",
		.generation = uuid_new(),
		.kind = COUPON_LIMITED,
		.state = COUPON_CLOSED,
		.quantity = INT64_MAX,
		.issued = ISSUED,
		.per_user_limit = 2,
		.discount_rate = 0.125,
		.opens_us = NOON + 1,
		.closes_us = INT64_MAX,
		.expires_us = NOON + 86400000001 };
	for (int i = 0; i < ISSUED; i++) {
		struct receipt *r = &c->receipts[i];

		r->coupon_id = INT64_MAX;
		r->rank = i + 1;
		r->user_id = INT64_MAX - i;
		r->issued_us = NOON + i;
		r->request_id = uuid_new();
		receipt_seal(r, &head);
		head = r->hash;
		c->nths[i] = 1;
	}
	c->campaign.head = head;
	c->heads[0] = (struct chain_head){ .coupon_id = INT64_MAX,
		.rank = ISSUED,
		.hash = head,
		.key_id = "0123456789abcdef",
		.signature = { 1, 2, 3 } };
}

/* The whole export as text; the caller frees it. */
static char *
write_all(const struct content *c, size_t *size)
{
	struct campaign_sink sink;
	struct campaign_writer *w;
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	w = campaign_writer_new(f);
	campaign_writer_sink(w, &sink);
	assert_true(sink.begin(sink.arg, &c->campaign));
	for (int i = 0; i < ISSUED; i++)
		assert_true(sink.issued(sink.arg, &c->receipts[i], c->nths[i]));
	assert_true(sink.head(sink.arg, &c->heads[0]));
	assert_true(campaign_writer_end(w));
	campaign_writer_free(w);
	assert_int_equal(fclose(f), 0);
	return text;
}

static enum campaign_end
read_text(char *text, size_t size, struct content *into, char why[256])
{
	struct campaign_sink sink = { on_begin, on_issued, on_head, into };
	struct arena *arena = arena_new();
	FILE *f = fmemopen(text, size, "r");
	const char *reason;
	enum campaign_end end;

	assert_non_null(f);
	end = campaign_read_file(f, arena, &sink, &reason);
	snprintf(why, 256, "%s", reason == NULL ? "" : reason);
	fclose(f);
	arena_free(arena);
	return end;
}

static void
test_round_trip(void **state UNUSED)
{
	struct content written, read = { 0 };
	char why[256], *text;
	size_t size;

	fill(&written);
	text = write_all(&written, &size);
	assert_int_equal(read_text(text, size, &read, why), CAMPAIGN_COMPLETE);
	free(text);
	assert_int_equal(read.begun, 1);
	assert_string_equal(read.campaign.name, written.campaign.name);
	assert_true(uuid_eq(read.campaign.generation, written.campaign.generation));
	assert_int_equal(read.campaign.quantity, INT64_MAX);
	assert_int_equal(read.campaign.opens_us, written.campaign.opens_us);
	assert_int_equal(read.campaign.closes_us, INT64_MAX);
	assert_int_equal(read.campaign.state, COUPON_CLOSED);
	assert_memory_equal(&read.campaign.head, &written.campaign.head, SHA256_SIZE);
	assert_int_equal(read.receipt_count, ISSUED);
	for (int i = 0; i < ISSUED; i++) {
		memset(&written.receipts[i].previous, 0, SHA256_SIZE); /* is not stored */
		assert_memory_equal(
		    &read.receipts[i], &written.receipts[i], sizeof(struct receipt));
	}
	assert_int_equal(read.head_count, 1);
	assert_memory_equal(&read.heads[0], &written.heads[0], sizeof(struct chain_head));
}

/* Every byte but the line ends, which do not count. */
static void
test_every_byte_counts(void **state UNUSED)
{
	struct content written;
	char why[256], *text;
	size_t size;

	fill(&written);
	text = write_all(&written, &size);
	for (size_t i = 0; i + 1 < size; i++) {
		struct content read = { 0 };
		char kept = text[i];

		text[i] = kept == '1' ? '2' : '1';
		if (read_text(text, size, &read, why) == CAMPAIGN_COMPLETE)
			fail_msg("a changed byte %zu was not noticed", i);
		text[i] = kept;
	}
	free(text);
}

static void
test_cut_anywhere(void **state UNUSED)
{
	struct content written;
	char why[256], *text;
	size_t size;

	fill(&written);
	text = write_all(&written, &size);
	for (size_t cut = 1; cut + 1 < size; cut++) {
		struct content read = { 0 };

		assert_int_equal(read_text(text, cut, &read, why), CAMPAIGN_BROKEN);
	}
	free(text);
}

static void
assert_broken(const char *text, const char *expected)
{
	struct content read = { 0 };
	char why[256], *copy = strdup(text);

	assert_non_null(copy);
	assert_int_equal(read_text(copy, strlen(copy), &read, why), CAMPAIGN_BROKEN);
	if (strstr(why, expected) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, expected);
	free(copy);
}

static void
test_sentences(void **state UNUSED)
{
	assert_broken("\n", "line 1: ");
	assert_broken("{\"type\":\"issued\"}\n", "line 1: the campaign must stand");
	assert_broken("{\"type\":\"campaign\",\"format\":2}\n", "line 1: ");
	assert_broken("{\"type\":\"campaign\"}", "line 1: ");
	assert_broken("nonsense", "line 1: ");
}

static void
test_more_after_the_end(void **state UNUSED)
{
	struct content written, read = { 0 };
	char why[256], *text, *longer;
	size_t size;

	fill(&written);
	text = write_all(&written, &size);
	longer = calloc(1, size + 32);
	assert_non_null(longer);
	snprintf(longer, size + 32, "%s{\"type\":\"head\"}\n", text);
	assert_int_equal(read_text(longer, strlen(longer), &read, why), CAMPAIGN_BROKEN);
	assert_string_equal(why, "line 7: there is more after the end");
	free(longer);
	free(text);
}

static void
test_sink_stops(void **state UNUSED)
{
	struct content written, read = { .stop_at = 2 };
	char why[256], *text;
	size_t size;

	fill(&written);
	text = write_all(&written, &size);
	assert_int_equal(read_text(text, size, &read, why), CAMPAIGN_STOPPED);
	assert_int_equal(read.receipt_count, 2);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_more_after_the_end),
		cmocka_unit_test(test_sink_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
