/* The envelope: what is written is read back; what is not an envelope is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "bus/event.h"

#define ID    "01a1fc2e-8a5b-7c3d-8e4f-0123456789ab"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void
test_round_trip(void **state)
{
	static const char want[] =
	    "{\"eventId\":\"" ID "\",\"type\":\"SEAT_CONFIRMED\","
	    "\"occurredAt\":\"2026-11-21T03:04:05.123456Z\",\"traceparent\":\"" TRACE
	    "\",\"payload\":{\"seatId\":7}}";
	struct arena *arena = arena_new();
	struct buf out = { 0 };
	struct json_reader r;
	struct json_writer w;
	int64_t time_us;
	struct event e;
	uuid id;

	(void)state;
	assert_true(uuid_parse(STR(ID), &id));
	assert_true(clock_parse_iso(STR("2026-11-21T03:04:05.123456Z"), &time_us));
	event_begin(&w, &out, id, "SEAT_CONFIRMED", time_us, STR(TRACE));
	json_put_i64(&w, "seatId", 7);
	event_end(&w);
	assert_true(str_eq(buf_str(&out), STR(want)));

	event_open(&e, &r, arena, buf_str(&out));
	assert_int_equal(r.err, ERR_OK);
	assert_true(uuid_eq(e.id, id));
	assert_true(str_eq(e.type, STR("SEAT_CONFIRMED")));
	assert_int_equal(e.time_us, time_us);
	assert_true(str_eq(e.traceparent, STR(TRACE)));
	assert_int_equal(json_i64(&r, e.payload, "seatId", 1, 10), 7);
	assert_int_equal(r.err, ERR_OK);
	json_close(&r);
	buf_fini(&out);
	arena_free(arena);
}

static void
test_without_traceparent(void **state)
{
	struct arena *arena = arena_new();
	struct buf out = { 0 };
	struct json_reader r;
	struct json_writer w;
	struct event e;

	(void)state;
	event_begin(&w, &out, uuid_new(), "T", 0, STR(""));
	event_end(&w);
	assert_null(memmem(out.p, out.len, "traceparent", 11));
	event_open(&e, &r, arena, buf_str(&out));
	assert_int_equal(r.err, ERR_OK);
	assert_int_equal(e.traceparent.n, 0);
	assert_non_null(e.payload);
	json_close(&r);
	buf_fini(&out);
	arena_free(arena);
}

#define REST "\"occurredAt\":\"2026-11-21T03:04:05Z\",\"payload\":{}}"

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"eventId\":\"" ID "\",\"type\":\"T\"",
		"{\"eventId\":\"" ID "\",\"type\":\"T\"," REST "x",
		"{\"type\":\"T\"," REST,
		"{\"eventId\":\"0\",\"type\":\"T\"," REST,
		"{\"eventId\":\"zza1fc2e-8a5b-7c3d-8e4f-0123456789ab\",\"type\":"
		"\"T\"," REST,
		"{\"eventId\":\"" ID "\"," REST,
		"{\"eventId\":\"" ID "\",\"type\":7," REST,
		"{\"eventId\":\"" ID "\",\"type\":\"T\",\"payload\":{}}",
		"{\"eventId\":\"" ID "\",\"type\":\"T\",\"occurredAt\":\"today\","
		"\"payload\":{}}",
		"{\"eventId\":\"" ID "\",\"type\":\"T\","
		"\"occurredAt\":\"2026-11-21T03:04:05Z\"}",
		"{\"eventId\":\"" ID "\",\"type\":\"T\","
		"\"occurredAt\":\"2026-11-21T03:04:05Z\",\"payload\":[]}",
		"{\"eventId\":\"" ID "\",\"type\":\"T\",\"traceparent\":7," REST,
	};
	struct arena *arena = arena_new();
	struct json_reader r;
	struct event e;

	(void)state;
	event_open(&e, &r, arena, STR("{\"eventId\":\"" ID "\",\"type\":\"T\"," REST));
	assert_int_equal(r.err, ERR_OK);
	json_close(&r);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		event_open(&e, &r, arena, str_of(bad[i]));
		assert_int_not_equal(r.err, ERR_OK);
		assert_non_null(r.why);
		json_close(&r);
	}
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_without_traceparent),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
