/* The records of orders: what is written is read again; anything else is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus/event.h"
#include "order/order_events.h"

#define NOON     INT64_C(1800000000123456)
#define BIG      INT64_C(9007199254740993)
#define BIG_TEXT "9007199254740993"

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
test_payment(void **state UNUSED)
{
	struct payment_requested in = { uuid_new(), PAYMENT_ORDER, BIG, 7, NOON }, out;
	struct buf text = { 0 };
	const char *why;

	payment_requested_encode(
	    &text, &in, STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
	assert_true(payment_requested_decode(&out, arena, buf_str(&text), &why));
	assert_true(uuid_eq(in.event_id, out.event_id));
	assert_int_equal(out.kind, PAYMENT_ORDER);
	assert_int_equal(out.id, BIG);
	assert_int_equal(out.user_id, 7);
	assert_int_equal(out.requested_us, NOON);

	/* Cut anywhere it is not an event, and says so. */
	for (size_t n = 0; n < buf_size(&text); n++) {
		why = NULL;
		assert_false(
		    payment_requested_decode(&out, arena, (str){ text.p, n }, &why));
		assert_non_null(why);
	}
	buf_fini(&text);
}

#define ENVELOPE(type, payload)                                                          \
	"{\"eventId\":\"0193a5b0-0000-7000-8000-000000000001\",\"type\":\"" type         \
	"\",\"occurredAt\":\"2026-11-21T00:00:00Z\",\"payload\":" payload "}"
#define PAYMENT(payload) ENVELOPE(PAYMENT_TOPIC_REQUESTED, payload)

static void
test_payment_refuses(void **state UNUSED)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[1]",
		PAYMENT("{}"),
		PAYMENT("[1,2]"),
		PAYMENT("{\"orderId\":1,\"userId\":1}"),
		PAYMENT("{\"kind\":\"SEAT\",\"orderId\":1,\"userId\":1}"),
		PAYMENT("{\"kind\":\"order\",\"orderId\":1,\"userId\":1}"),
		PAYMENT("{\"kind\":1,\"orderId\":1,\"userId\":1}"),
		PAYMENT("{\"kind\":\"ORDER\",\"orderId\":0,\"userId\":1}"),
		PAYMENT("{\"kind\":\"ORDER\",\"orderId\":1,\"userId\":0}"),
		PAYMENT("{\"kind\":\"ORDER\",\"orderId\":1.5,\"userId\":1}"),
		PAYMENT("{\"kind\":\"ORDER\",\"userId\":1}"),
		PAYMENT("{\"kind\":\"ORDER\",\"orderId\":1}"),
		ENVELOPE("ELSE", "{\"kind\":\"ORDER\",\"orderId\":1,\"userId\":1}"),
	};
	struct payment_requested out;
	const char *why;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		why = NULL;
		assert_false(payment_requested_decode(&out, arena, str_of(bad[i]), &why));
		assert_non_null(why);
	}
	assert_true(payment_requested_decode(&out, arena,
	    STR(PAYMENT("{\"kind\":\"ORDER\",\"orderId\":\"" BIG_TEXT "\",\"userId\":1,"
			"\"more\":[]}")),
	    &why));
	assert_int_equal(out.id, BIG);
}

/* The first record of the text of a row; the reader is left open. */
static const struct json *
open_records(struct json_reader *r, const struct buf *text)
{
	json_open(r, arena, buf_str(text));
	assert_int_equal(r->err, ERR_OK);
	return json_first(r->root);
}

static void
assert_i64(
    struct json_reader *r, const struct json *object, const char *name, int64_t wanted)
{
	assert_int_equal(json_i64(r, object, name, INT64_MIN, INT64_MAX), wanted);
}

static void
test_completed(void **state UNUSED)
{
	static const struct order_fact_line lines[] = { { 3, 2, 500 }, { BIG, 1, 0 } };
	struct order_fact fact = { ORDER_TOPIC_COMPLETED, BIG, 7, 1000, 300, 4, ERR_OK,
		NOON, lines, 2 };
	struct json_writer w;
	struct json_reader r;
	struct buf text = { 0 };
	const struct json *record, *value, *payload, *line;

	order_records_begin(&w, &text);
	order_records_put_fact(&w, &fact);
	order_records_put_fact(&w, &fact);
	order_records_end(&w);
	record = open_records(&r, &text);
	assert_true(str_eq(json_str(&r, record, "key", 64), STR(BIG_TEXT)));
	value = json_object(&r, record, "value");
	assert_true(str_eq(json_str(&r, value, "type", 64), STR("ORDER_COMPLETED")));
	assert_true(str_eq(
	    json_str(&r, value, "occurredAt", 64), STR("2027-01-15T08:00:00.123456Z")));
	assert_int_equal(json_str(&r, value, "eventId", 64).n, 36);
	payload = json_object(&r, value, "payload");
	assert_i64(&r, payload, "orderId", BIG);
	assert_i64(&r, payload, "userId", 7);
	assert_i64(&r, payload, "amount", 1000);
	assert_i64(&r, payload, "discount", 300);
	assert_i64(&r, payload, "totalAmount", 700);
	assert_i64(&r, payload, "couponId", 4);
	assert_false(json_has(payload, "reason"));
	line = json_first(json_array(&r, payload, "lines", 2, 2));
	assert_i64(&r, line, "id", 3);
	assert_i64(&r, line, "quantity", 2);
	assert_i64(&r, line, "price", 500);
	assert_i64(&r, json_next(line), "id", BIG);
	assert_non_null(json_next(record));
	assert_null(json_next(json_next(record)));
	assert_int_equal(r.err, ERR_OK);
	json_close(&r);
	buf_fini(&text);
}

static void
test_failed(void **state UNUSED)
{
	struct order_fact fact = { .topic = ORDER_TOPIC_FAILED,
		.order_id = 1,
		.user_id = 2,
		.reason = ERR_OUT_OF_STOCK,
		.at_us = NOON };
	struct json_writer w;
	struct json_reader r;
	struct buf text = { 0 };
	const struct json *payload;

	order_records_begin(&w, &text);
	order_records_put_fact(&w, &fact);
	order_records_end(&w);
	payload =
	    json_object(&r, json_object(&r, open_records(&r, &text), "value"), "payload");
	assert_true(str_eq(json_str(&r, payload, "reason", 64), STR("OUT_OF_STOCK")));
	assert_false(json_has(payload, "couponId"));
	assert_non_null(json_array(&r, payload, "lines", 0, 0));
	assert_int_equal(r.err, ERR_OK);
	json_close(&r);
	buf_fini(&text);
}

static void
test_uses(void **state UNUSED)
{
	struct json_writer w;
	struct buf text = { 0 };

	order_records_begin(&w, &text);
	order_records_put_use(&w, 5, true);
	order_records_put_use(&w, 6, false);
	order_records_end(&w);
	assert_true(
	    str_eq(buf_str(&text), STR("[{\"orderId\":5,\"state\":\"USED\"},"
				       "{\"orderId\":6,\"state\":\"RELEASED\"}]")));
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_payment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_payment_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_completed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
