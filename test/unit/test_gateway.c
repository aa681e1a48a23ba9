/* The gateway's routes and what it tells a client that got no answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gateway/gateway.h"
#include "gateway/pages.h"

static const struct route *
find(enum http_method method, const char *pattern)
{
	size_t count;
	const struct route *routes = routes_table(&count);

	for (size_t i = 0; i < count; i++) {
		if (routes[i].method == method && strcmp(routes[i].pattern, pattern) == 0)
			return &routes[i];
	}
	fail_msg("no route %s", pattern);
	return NULL;
}

static void
assert_target(const char *pattern, const char *param, const char *query, const char *want)
{
	struct arena *arena = arena_new();
	const str params[RQ_MAX_PARAMS] = { str_of(param) };
	str target = routes_target(
	    routes_find(find(HTTP_GET, pattern)), params, str_of(query), arena);

	assert_int_equal(target.n, strlen(want));
	assert_memory_equal(target.p, want, target.n);
	arena_free(arena);
}

static void
test_paths_are_rewritten(void **state)
{
	(void)state;
	assert_target("/api/v1/users/{userId}/coupons", "7", NULL, "/users/7/coupons");
	assert_target("/points/{userId}", "12", "", "/users/12/balance");
	assert_target("/api/v1/api/v0/products/ranks", NULL, NULL, "/products/ranks");
	assert_target("/concerts/{concertId}/available-dates", "1", NULL,
	    "/concerts/1/available-dates");
}

static void
test_the_query_goes_along(void **state)
{
	(void)state;
	assert_target("/concerts", NULL, "page=2&size=3", "/concerts?page=2&size=3");
	assert_target("/api/v1/coupons/{couponId}", "8", "a=%20", "/coupons/8?a=%20");
}

/* A param was unescaped to be matched; nothing in it may become a part of the path. */
static void
test_params_are_escaped_anew(void **state)
{
	(void)state;
	assert_target("/points/{userId}", "../../admin", NULL,
	    "/users/%2E%2E%2F%2E%2E%2Fadmin/balance");
	assert_target("/points/{userId}", "1?x=2#y z%", NULL,
	    "/users/1%3Fx%3D2%23y%20z%25/balance");
	assert_target(
	    "/points/{userId}", "\r\n\x7f\xff", NULL, "/users/%0D%0A%7F%FF/balance");
	assert_target("/api/v1/coupons/{couponId}", "aZ09-_~", NULL, "/coupons/aZ09-_~");
}

static void
test_two_params_keep_their_order(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	const str params[RQ_MAX_PARAMS] = { STR_INIT("8"), STR_INIT("r-1") };
	const struct route *route =
	    find(HTTP_GET, "/api/v1/coupons/{couponId}/requests/{requestId}");
	str target = routes_target(routes_find(route), params, STR_NULL, arena);

	assert_true(str_eq(target, STR("/coupons/8/requests/r-1")));
	arena_free(arena);
}

/* The names between braces, one after the other. */
static void
names_of(const char *path, char *out)
{
	bool inside = false;

	for (; *path != '\0'; path++) {
		inside = inside ? *path != '}' : *path == '{';
		if (inside)
			*out++ = *path;
	}
	*out = '\0';
}

static void
test_the_table_is_sound(void **state)
{
	(void)state;
	size_t count;
	const struct route *routes = routes_table(&count);
	char in_pattern[128], in_target[128];

	for (size_t i = 0; i < count; i++) {
		if (routes[i].first != pages_show) {
			names_of(routes[i].pattern, in_pattern);
			names_of(routes_find(&routes[i])->target, in_target);
			assert_true(
			    strncmp(in_pattern, in_target, strlen(in_target)) == 0);
		}
		assert_true(routes[i].deadline_us > 0);
		for (size_t j = 0; j < i; j++)
			assert_false(routes[i].method == routes[j].method &&
				     strcmp(routes[i].pattern, routes[j].pattern) == 0);
	}
}

static void
test_an_unknown_outcome_is_called_unknown(void **state)
{
	(void)state;
	assert_int_equal(gateway_outcome(ERR_TIMEOUT, false), ERR_UNKNOWN_OUTCOME);
	assert_int_equal(gateway_outcome(ERR_BAD_GATEWAY, false), ERR_UNKNOWN_OUTCOME);
	assert_int_equal(gateway_outcome(ERR_TIMEOUT, true), ERR_TIMEOUT);
	assert_int_equal(gateway_outcome(ERR_BAD_GATEWAY, true), ERR_BAD_GATEWAY);
	assert_int_equal(gateway_outcome(ERR_UNAVAILABLE, false), ERR_UNAVAILABLE);
	assert_int_equal(gateway_outcome(ERR_OVERLOAD, false), ERR_OVERLOAD);
	assert_int_equal(gateway_outcome(ERR_DRAINING, false), ERR_DRAINING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths_are_rewritten),
		cmocka_unit_test(test_the_query_goes_along),
		cmocka_unit_test(test_params_are_escaped_anew),
		cmocka_unit_test(test_two_params_keep_their_order),
		cmocka_unit_test(test_the_table_is_sound),
		cmocka_unit_test(test_an_unknown_outcome_is_called_unknown),
	};
	return cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
}
