/* Which keys are taken, and what their ids depend on. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "http/idempotency.h"

/* The key of a request whose header has this many bytes; false if it is refused. */
static bool
take(size_t size, str *key)
{
	static char value[IDEMPOTENCY_KEY_MAX + 1];
	struct http_head head = { 0 };
	const struct rq rq = { .head = &head };

	memset(value, 'k', sizeof(value));
	http_head_add(
	    &head, (struct http_header){ STR("idempotency-key"), { value, size } });
	return idempotency_key(&rq, key);
}

static void
test_keys(void **state)
{
	struct http_head head = { 0 };
	const struct rq rq = { .head = &head };
	str key;

	(void)state;
	assert_true(idempotency_key(&rq, &key));
	assert_null(key.p);
	assert_false(take(0, &key));
	assert_true(take(1, &key));
	assert_int_equal(key.n, 1);
	assert_true(take(IDEMPOTENCY_KEY_MAX, &key));
	assert_int_equal(key.n, IDEMPOTENCY_KEY_MAX);
	assert_false(take(IDEMPOTENCY_KEY_MAX + 1, &key));
}

static void
test_ids(void **state)
{
	const uuid id = idempotency_id(STR("call"), 7, STR("k"));

	(void)state;
	assert_true(uuid_eq(id, idempotency_id(STR("call"), 7, STR("k"))));
	assert_false(uuid_eq(id, idempotency_id(STR("other"), 7, STR("k"))));
	assert_false(uuid_eq(id, idempotency_id(STR("call"), 8, STR("k"))));
	assert_false(uuid_eq(id, idempotency_id(STR("call"), 7, STR("K"))));
	assert_int_equal(id.b[6] >> 4, 8);
}

static void
test_without_a_key_ids_are_new(void **state)
{
	const uuid one = idempotency_id(STR("call"), 7, STR_NULL);
	const uuid two = idempotency_id(STR("call"), 7, STR_NULL);

	(void)state;
	assert_false(uuid_eq(one, two));
	assert_int_equal(one.b[6] >> 4, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_without_a_key_ids_are_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
