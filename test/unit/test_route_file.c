/* The route file: what is taken, what is refused and where, what a route makes of a path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gateway/gateway.h"

static char err[1024];

static const char *
setting(const char *name)
{
	if (strcmp(name, "SERVERS") == 0)
		return "a:1,b:2 weight=2";
	return strcmp(name, "NONE") == 0 ? "" : NULL;
}

static struct route_file *
parse(const char *text)
{
	return route_file_parse(str_of(text), setting, err, sizeof(err));
}

/* A file with this list of routes. */
static struct route_file *
parse_routes(const char *routes)
{
	static char text[8192];

	snprintf(text, sizeof(text),
	    "{\n\"services\":{\"coupon\":{\"servers\":\"$SERVERS\"},\"order\":"
	    "{\"servers\":\"$NONE\"}},\n\"routes\":[%s]}",
	    routes);
	return parse(text);
}

static void
test_members_have_defaults(void **state)
{
	(void)state;
	struct route_file *f =
	    parse_routes("{\"method\":\"GET\",\"path\":\"/a\",\"service\":\"coupon\"},"
			 "{\"method\":\"POST\",\"path\":\"/b\",\"service\":\"order\"}");

	assert_non_null(f);
	assert_int_equal(f->service_count, 2);
	assert_string_equal(f->services[0].name, "coupon");
	assert_string_equal(f->services[0].servers, "a:1,b:2 weight=2");
	assert_string_equal(f->services[1].servers, "");
	assert_int_equal(f->row_count, 2);
	assert_int_equal(f->rows[0].route.method, HTTP_GET);
	assert_int_equal(f->rows[0].route.deadline_us, 5000000);
	assert_int_equal(f->rows[0].route.body_limit, 0);
	assert_true(f->rows[0].retry);
	assert_int_equal(f->rows[0].priority, HTTPC_NORMAL);
	assert_int_equal(f->rows[0].key, -1);
	assert_int_equal(f->rows[0].host.n, 0);
	assert_true(str_eq(f->rows[0].target[0].text, STR("/a")));
	assert_int_equal(f->rows[1].service, 1);
	assert_string_equal(f->rows[1].service_name, "order");
	assert_int_equal(f->rows[1].route.deadline_us, 30000000);
	assert_int_equal(f->rows[1].route.body_limit, 4096);
	route_file_free(f);
}

static void
test_members_are_taken(void **state)
{
	(void)state;
	struct route_file *f = parse_routes(
	    "{\"//\":\"why\",\"method\":\"PATCH\",\"path\":\"/a/{x}/{y...}\",\"host\":"
	    "\"h\",\"service\":\"order\",\"target\":\"/b/{x}-{x}\",\"deadline_ms\":7,"
	    "\"body_bytes\":9,\"key\":\"x\",\"retry\":false}");

	assert_null(f); /* a {…} is a whole segment of a target too */
	f = parse_routes(
	    "{\"//\":\"why\",\"method\":\"PATCH\",\"path\":\"/a/{x}/{y...}\",\"host\":"
	    "\"h\",\"service\":\"order\",\"target\":\"/b/{x}/{y...}\",\"deadline_ms\":7,"
	    "\"body_bytes\":9,\"key\":\"x\",\"retry\":false,\"pass\":true,"
	    "\"identity\":\"api-key\",\"scope\":\"a.b:c\","
	    "\"compress\":false}");
	assert_non_null(f);
	assert_int_equal(f->rows[0].route.method, HTTP_PATCH);
	assert_string_equal(f->rows[0].route.pattern, "/a/{x}/{y...}");
	assert_true(str_eq(f->rows[0].host, STR("h")));
	assert_int_equal(f->rows[0].route.deadline_us, 7000);
	assert_int_equal(f->rows[0].route.body_limit, 9);
	assert_int_equal(f->rows[0].key, 0);
	assert_int_equal(f->rows[0].rest, 1);
	assert_false(f->rows[0].retry);
	assert_true(f->rows[0].pass);
	assert_int_equal(f->rows[0].identity, IDENTITY_API_KEY);
	assert_true(str_eq(f->rows[0].scope, STR("a.b:c")));
	assert_false(f->rows[0].compress);
	route_file_free(f);
}

static void
test_priorities_have_names(void **state)
{
	(void)state;
	static const struct {
		const char *member;
		enum httpc_priority priority;
	} all[] = {
		{ ",\"priority\":\"high\"", HTTPC_HIGH },
		{ ",\"priority\":\"normal\"", HTTPC_NORMAL },
		{ ",\"priority\":\"low\"", HTTPC_LOW },
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct route_file *f;

		snprintf(text, sizeof(text),
		    "{\"method\":\"GET\",\"path\":\"/\",\"service\":\"order\"%s}",
		    all[i].member);
		f = parse_routes(text);
		assert_non_null(f);
		assert_int_equal(f->rows[0].priority, all[i].priority);
		route_file_free(f);
	}
}

#define ROW "\"method\":\"GET\",\"path\":\"/a/{x}\",\"service\":\"coupon\""

static void
test_routes_that_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *routes, *why;
	} bad[] = {
		{ "", "routes" },
		{ "7", "method" },
		{ "{}", "method" },
		{ "{\"method\":\"get\",\"path\":\"/\",\"service\":\"coupon\"}",
		    "method" },
		{ "{\"method\":\"HEAD\",\"path\":\"/\",\"service\":\"coupon\"}",
		    "method" },
		{ "{\"method\":\"GET\",\"path\":\"a\",\"service\":\"coupon\"}", "path" },
		{ "{\"method\":\"GET\",\"path\":\"/a?b\",\"service\":\"coupon\"}",
		    "path" },
		{ "{\"method\":\"GET\",\"path\":\"/%41\",\"service\":\"coupon\"}",
		    "path" },
		{ "{\"method\":\"GET\",\"path\":\"/\xc3\xa9\",\"service\":\"coupon\"}",
		    "path" },
		{ "{\"method\":\"GET\",\"path\":\"/{\",\"service\":\"coupon\"}", "path" },
		{ "{\"method\":\"GET\",\"path\":\"/{a...}/b\",\"service\":\"coupon\"}",
		    "path" },
		{ "{\"method\":\"GET\",\"service\":\"coupon\"}", "path" },
		{ "{\"method\":\"GET\",\"path\":\"/\"}", "service" },
		{ "{\"method\":\"GET\",\"path\":\"/\",\"service\":\"seats\"}", "seats" },
		{ "{" ROW ",\"target\":\"/b/{y}\"}", "{y}" },
		{ "{" ROW ",\"target\":\"b\"}", "target" },
		{ "{" ROW ",\"target\":7}", "target" },
		{ "{" ROW ",\"key\":\"y\"}", "key" },
		{ "{" ROW ",\"identity\":\"users\"}", "identity" },
		{ "{" ROW ",\"identity\":true}", "identity" },
		{ "{" ROW ",\"identity\":\"api-key\"}", "scope" },
		{ "{" ROW ",\"identity\":\"user\",\"scope\":\"x\"}", "scope" },
		{ "{" ROW ",\"scope\":\"x\"}", "scope" },
		{ "{" ROW ",\"identity\":\"api-key\",\"scope\":\"x,y\"}", "scope" },
		{ "{" ROW ",\"deadline_ms\":0}", "deadline_ms" },
		{ "{" ROW ",\"deadline_ms\":600001}", "deadline_ms" },
		{ "{" ROW ",\"body_bytes\":-1}", "body_bytes" },
		{ "{" ROW ",\"body_bytes\":1099511627777}", "body_bytes" },
		{ "{" ROW ",\"upgrade\":\"h2c\"}", "must be \"websocket\"" },
		{ "{" ROW ",\"upgrade\":true}", "upgrade" },
		{ "{" ROW ",\"retry\":1}", "retry" },
		{ "{" ROW ",\"priority\":\"urgent\"}", "priority" },
		{ "{" ROW ",\"priority\":1}", "priority" },
		{ "{" ROW ",\"host\":1}", "host" },
		{ "{" ROW ",\"deadline\":1}", "deadline" },
		{ "{" ROW
		  "},{\"method\":\"GET\",\"path\":\"/a/{z}\",\"service\":\"order\"}",
		    "route 1" },
		{ "{" ROW ",\"host\":\"H\"},{" ROW ",\"host\":\"h\"}", "route 1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(parse_routes(bad[i].routes));
		if (strstr(err, bad[i].why) == NULL || strncmp(err, "line ", 5) != 0)
			fail_msg("%s: %s", bad[i].routes, err);
	}
}

static void
test_files_that_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "{}", "[]", "{\"services\":{}}", "nonsense",
		"{\"services\":7,\"routes\":[]}",
		"{\"services\":{\"a\":7},\"routes\":[]}",
		"{\"services\":{\"A\":{\"servers\":\"x:1\"}},\"routes\":[]}",
		"{\"services\":{\"\":{\"servers\":\"x:1\"}},\"routes\":[]}",
		"{\"services\":{\"a\":{\"servers\":\"x\"}},\"routes\":[]}",
		"{\"services\":{\"a\":{\"servers\":\"$OTHER\"}},\"routes\":[]}",
		"{\"services\":{\"a\":{\"server\":\"x:1\"}},\"routes\":[]}",
		"{\"services\":{\"a\":{\"servers\":\"x:1\"}},\"routes\":{}}",
		"{\"services\":{\"a\":{\"servers\":\"x:1\"}},\"routes\":[],\"more\":1}",
		"{\"services\":{\"a\":{\"servers\":\"x:1\"}},\"routes\":[],\"routes\":[]}"
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(parse(bad[i]));
		if (strncmp(err, "line ", 5) != 0)
			fail_msg("%s: %s", bad[i], err);
	}
}

static void
assert_place(const char *routes, const char *place)
{
	assert_null(parse_routes(routes));
	if (strncmp(err, place, strlen(place)) != 0)
		fail_msg("%s: %s", routes, err);
}

static void
test_the_place_is_told(void **state)
{
	(void)state;
	assert_place("\n {" ROW "},\n  {" ROW ",\"retry\":1}", "line 5, column 3: ");
	assert_place("{" ROW "},{}", "line 3, column 63: ");
	assert_place("\n {\"//\":\"},{]\\\"\", " ROW "}\n , {\"x\":[[1,2],{\"a\":3}]}",
	    "line 5, column 4: ");
	assert_place("\n\n  {\"method\" 7}", "line 5, column ");
	assert_place("1,2", "line 3, column 11: ");
	assert_null(parse("{ \"routes\":[1],\n\"services\":{\"//\":1,\n\n \"a\":{}}}"));
	assert_true(strncmp(err, "line 4, column 2: ", 18) == 0);
}

/* --- what a route makes of a path ----------------------------------------------------
 */

static void
assert_target(const char *path, const char *target, const char *const *values,
    const char *query, const char *want)
{
	struct arena *arena = arena_new();
	str params[RQ_MAX_PARAMS] = { 0 }, got;
	char routes[512];
	struct route_file *f;

	snprintf(routes, sizeof(routes),
	    "{\"method\":\"GET\",\"path\":\"%s\",\"service\":\"coupon\",\"target\":\"%"
	    "s\"}",
	    path, target);
	f = parse_routes(routes);
	assert_non_null(f);
	for (size_t i = 0; values[i] != NULL; i++)
		params[i] = str_of(values[i]);
	got = routes_target(&f->rows[0], params, str_of(query), arena);
	if (!str_eq(got, str_of(want)))
		fail_msg("%.*s is not %s", STR_ARG(got), want);
	route_file_free(f);
	arena_free(arena);
}

static void
test_paths_are_rewritten(void **state)
{
	(void)state;
	const char *const none[] = { NULL };
	const char *const two[] = { "7", "r-1", NULL };

	assert_target("/api/v1/x", "/x", none, NULL, "/x");
	assert_target("/api/v1/x", "/x", none, "a=%20&b", "/x?a=%20&b");
	assert_target("/a/{x}/b/{y}", "/{x}/{y}", two, NULL, "/7/r-1");
	assert_target("/a/{x}/b/{y}", "/{y}/c/{x}/d", two, "q", "/r-1/c/7/d?q");
	assert_target("/a/{x}/b/{y}", "/{y}/{y}/e", two, NULL, "/r-1/r-1/e");
	assert_target("/a/{x}/b/{y}", "/only", two, NULL, "/only");
}

/* A param was unescaped to be matched; nothing in it may become a part of the path. */
static void
test_params_are_escaped_anew(void **state)
{
	(void)state;
	const char *const up[] = { "../../admin", NULL };
	const char *const query[] = { "1?x=2#y z%", NULL };
	const char *const control[] = { "\r\n\x7f\xff", NULL };
	const char *const plain[] = { "aZ09-_~", NULL };

	assert_target("/{x}", "/u/{x}/b", up, NULL, "/u/%2E%2E%2F%2E%2E%2Fadmin/b");
	assert_target("/{x}", "/u/{x}/b", query, NULL, "/u/1%3Fx%3D2%23y%20z%25/b");
	assert_target("/{x}", "/u/{x}/b", control, NULL, "/u/%0D%0A%7F%FF/b");
	assert_target("/{x}", "/u/{x}/b", plain, NULL, "/u/aZ09-_~/b");
}

/* The rest was not. */
static void
test_the_rest_goes_along_as_it_came(void **state)
{
	(void)state;
	const char *const rest[] = { "a%20b", "c/%20d", NULL };

	assert_target("/{x}/{r...}", "/f/{x}/{r...}", rest, NULL, "/f/a%2520b/c/%20d");
}

static struct http_head
head_of(const char *host)
{
	struct http_head head = { 0 };

	http_head_add(&head, (struct http_header){ STR("Host"), str_of(host) });
	return head;
}

static void
test_hosts_fit(void **state)
{
	(void)state;
	struct route_file *f = parse_routes(
	    "{" ROW ",\"host\":\"Shop.example\"},{" ROW "},{" ROW ",\"host\":\"[::1]\"}");
	static const struct {
		const char *host;
		bool fits[3];
	} hosts[] = {
		{ "shop.example", { true, true, false } },
		{ "SHOP.EXAMPLE:8080", { true, true, false } },
		{ "shop.example.", { false, true, false } },
		{ "other", { false, true, false } },
		{ "[::1]", { false, true, true } },
		{ "[::1]:80", { false, true, true } },
	};

	assert_non_null(f);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct http_head head = head_of(hosts[i].host);

		for (size_t j = 0; j < 3; j++)
			assert_int_equal(
			    routes_fit(&f->rows[j].route, &head), hosts[i].fits[j]);
	}
	route_file_free(f);
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
		cmocka_unit_test(test_members_have_defaults),
		cmocka_unit_test(test_members_are_taken),
		cmocka_unit_test(test_priorities_have_names),
		cmocka_unit_test(test_routes_that_are_refused),
		cmocka_unit_test(test_files_that_are_refused),
		cmocka_unit_test(test_the_place_is_told),
		cmocka_unit_test(test_paths_are_rewritten),
		cmocka_unit_test(test_params_are_escaped_anew),
		cmocka_unit_test(test_the_rest_goes_along_as_it_came),
		cmocka_unit_test(test_hosts_fit),
		cmocka_unit_test(test_an_unknown_outcome_is_called_unknown),
	};
	return cmocka_run_group_tests_name("route_file", tests, NULL, NULL);
}
