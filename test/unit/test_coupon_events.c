/* The coupon service's records: what is written is read again; anything else is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "bus/event.h"
#include "coupon/coupon_events.h"
#include "coupon/coupon_json.h"
#include "coupon/receipt.h"
#include "http/json.h"

static struct arena *arena;

static int
setup(void **state UNUSED)
{
	arena = arena_new();
	return 0;
}

static int
teardown(void **state UNUSED)
{
	arena_free(arena);
	return 0;
}

static void
test_requested(void **state UNUSED)
{
	struct coupon_requested in = {
		.request = { uuid_new(), 7, INT64_C(9007199254740993), 1800000000123456 },
		.reply_partition = 2,
		.reply_instance = STR("coupon-x"),
	};
	struct coupon_requested out;
	struct buf text = { 0 };
	const char *why;

	coupon_requested_encode(
	    &text, &in, STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
	assert_true(coupon_requested_decode(&out, arena, buf_str(&text), &why));
	assert_true(uuid_eq(in.request.id, out.request.id));
	assert_int_equal(out.request.coupon_id, 7);
	assert_int_equal(out.request.user_id, INT64_C(9007199254740993));
	assert_int_equal(out.request.requested_us, 1800000000123456);
	assert_int_equal(out.reply_partition, 2);
	assert_true(str_eq(out.reply_instance, STR("coupon-x")));

	/* Cut anywhere it is not an event, and says so. */
	for (size_t n = 0; n < buf_size(&text); n++) {
		assert_false(
		    coupon_requested_decode(&out, arena, (str){ text.p, n }, &why));
		assert_non_null(why);
	}
	buf_fini(&text);
}

static void
test_requested_without_reply(void **state UNUSED)
{
	struct coupon_requested in = { .request = { uuid_new(), 1, 2, 3000000 },
		.reply_partition = -1 };
	struct coupon_requested out;
	struct buf text = { 0 };
	const char *why;

	coupon_requested_encode(&text, &in, STR_NULL);
	assert_true(coupon_requested_decode(&out, arena, buf_str(&text), &why));
	assert_int_equal(out.reply_partition, -1);
	buf_fini(&text);
}

#define ENVELOPE(type, payload)                                                          \
	"{\"eventId\":\"0193a5b0-0000-7000-8000-000000000001\",\"type\":\"" type         \
	"\",\"occurredAt\":\"2026-11-21T00:00:00Z\",\"payload\":" payload "}"

static void
test_requested_refuses(void **state UNUSED)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"eventId\":1}",
		ENVELOPE("COUPON_PUBLISH_REQUESTED", "{}"),
		ENVELOPE("COUPON_PUBLISH_REQUESTED", "{\"couponId\":0,\"userId\":1}"),
		ENVELOPE("COUPON_PUBLISH_REQUESTED", "{\"couponId\":1,\"userId\":-1}"),
		ENVELOPE("COUPON_PUBLISH_REQUESTED", "{\"couponId\":1.5,\"userId\":1}"),
		ENVELOPE("COUPON_PUBLISH_REQUESTED", "[1,2]"),
		ENVELOPE("SOMETHING_ELSE", "{\"couponId\":1,\"userId\":1}"),
		ENVELOPE("COUPON_PUBLISH_REQUESTED",
		    "{\"couponId\":1,\"userId\":1,\"replyTo\":{\"partition\":-4}}"),
	};
	struct coupon_requested out;
	const char *why;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		why = NULL;
		assert_false(coupon_requested_decode(&out, arena, str_of(bad[i]), &why));
		assert_non_null(why);
	}
	assert_true(coupon_requested_decode(&out, arena,
	    STR(ENVELOPE("COUPON_PUBLISH_REQUESTED", "{\"couponId\":1,\"userId\":1}")),
	    &why));
}

static void
test_decided(void **state UNUSED)
{
	struct sha256 start = receipt_chain_start(7);
	struct coupon_decision decisions[2] = {
		{ .request_id = uuid_new(),
		    .receipt = { .coupon_id = 7,
			.rank = 1,
			.user_id = 9,
			.issued_us = 1800000000123456 } },
		{ .request_id = uuid_new(),
		    .outcome = ERR_COUPON_SOLD_OUT,
		    .replayed = true },
	};
	struct chain_head head = { .coupon_id = 7, .rank = 1 };
	struct coupon_decided out;
	struct buf text = { 0 };
	const char *why;

	decisions[0].receipt.request_id = decisions[0].request_id;
	receipt_seal(&decisions[0].receipt, &start);
	head.hash = decisions[0].receipt.hash;
	memset(head.signature, 0xab, sizeof(head.signature));
	snprintf(head.key_id, sizeof(head.key_id), "0123456789abcdef");
	coupon_decided_encode(&text, &(struct coupon_decided){ decisions, 2, &head, 1 });
	assert_true(coupon_decided_decode(&out, arena, buf_str(&text), &why));
	assert_int_equal(out.count, 2);
	assert_int_equal(out.head_count, 1);
	assert_int_equal(out.decisions[0].outcome, ERR_OK);
	assert_memory_equal(&out.decisions[0].receipt, &decisions[0].receipt,
	    sizeof(decisions[0].receipt));
	assert_int_equal(out.decisions[1].outcome, ERR_COUPON_SOLD_OUT);
	assert_true(out.decisions[1].replayed);
	assert_true(uuid_eq(out.decisions[1].request_id, decisions[1].request_id));
	assert_memory_equal(out.heads[0].hash.b, head.hash.b, SHA256_SIZE);
	assert_memory_equal(out.heads[0].signature, head.signature, SIGN_SIZE);
	assert_string_equal(out.heads[0].key_id, head.key_id);

	for (size_t n = 0; n < buf_size(&text); n++)
		assert_false(
		    coupon_decided_decode(&out, arena, (str){ text.p, n }, &why));
	buf_fini(&text);
}

static void
test_decided_refuses(void **state UNUSED)
{
	static const char *const bad[] = {
		ENVELOPE("COUPON_DECIDED", "{}"),
		ENVELOPE("COUPON_DECIDED", "{\"decisions\":[1],\"heads\":[]}"),
		ENVELOPE("COUPON_DECIDED",
		    "{\"decisions\":[{\"requestId\":\"0193a5b0-0000-7000-8000-"
		    "000000000001\","
		    "\"outcome\":\"NO_SUCH_CODE\"}],\"heads\":[]}"),
		ENVELOPE("COUPON_DECIDED", "{\"decisions\":[{\"requestId\":\"0193a5b0-"
					   "0000-7000-8000-000000000001\","
					   "\"outcome\":\"OK\"}],\"heads\":[]}"),
	};
	struct coupon_decided out;
	const char *why;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(coupon_decided_decode(&out, arena, str_of(bad[i]), &why));
}

static void
test_published(void **state UNUSED)
{
	struct receipt in = { .coupon_id = 7,
		.rank = 3,
		.user_id = 42,
		.issued_us = 1800000000123456,
		.request_id = uuid_new(),
		.previous = receipt_chain_start(7) };
	struct receipt out = { 0 };
	struct buf text = { 0 }, again = { 0 };
	struct json_reader r;
	struct event event;

	in.hash = sha256_of((str[]){ STR("a receipt's") }, 1);
	coupon_published_encode(&text, &in);
	event_open(&event, &r, arena, buf_str(&text));
	receipt_get(&r, json_object(&r, event.payload, "receipt"), &out);
	assert_int_equal(r.err, ERR_OK);
	assert_true(str_eq(event.type, STR("COUPON_PUBLISHED")));
	assert_int_equal(event.time_us, in.issued_us);
	assert_memory_equal(&in, &out, sizeof(in));
	json_close(&r);
	/* Told again, it is the same event. */
	coupon_published_encode(&again, &in);
	assert_true(str_eq(buf_str(&text), buf_str(&again)));
	buf_fini(&text);
	buf_fini(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requested, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_requested_without_reply, setup, teardown),
		cmocka_unit_test_setup_teardown(test_requested_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_decided, setup, teardown),
		cmocka_unit_test_setup_teardown(test_decided_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_published, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
