/* Routes that are replaced while requests are under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"

static struct rig rig;
static atomic_int unused;

struct table {
	struct route route;
	const char *host;
	const char *answer;
	int64_t wait_us;
};

static rq_step answer;

static rq_next
begin_answer(struct rq *rq)
{
	const struct table *t =
	    CONTAINER_OF((struct route *)(uintptr_t)rq->route, struct table, route);

	return t->wait_us != 0 ? rig_io(rq, answer, t->wait_us, ERR_OK) : answer(rq);
}

static rq_next
answer(struct rq *rq)
{
	const struct table *t =
	    CONTAINER_OF((struct route *)(uintptr_t)rq->route, struct table, route);

	return rq_reply(rq, 200, STR("text/plain"), str_of(t->answer));
}

static bool
host_fits(const struct route *route, const struct http_head *head)
{
	const struct table *t =
	    CONTAINER_OF((struct route *)(uintptr_t)route, struct table, route);

	return str_eq(http_header(head, STR("host")), str_of(t->host));
}

static struct table tables[] = {
	{ { HTTP_GET, "/x", begin_answer, 5000000, 0, 0 }, "one", "first", 0 },
	{ { HTTP_GET, "/x", begin_answer, 6000000, 0, 0 }, "two", "second", 0 },
	{ { HTTP_GET, "/slow", begin_answer, 7000000, 0, 0 }, "one", "slow", RIG_HELD },
	{ { HTTP_GET, "/f/{all...}", begin_answer, 7000000, 0, 0 }, "one", "rest", 0 },
};

static void
on_unused(void *arg)
{
	assert_ptr_equal(arg, &tables);
	unused++;
}

static void
use(void *arg)
{
	struct table *t = arg;
	const struct route *const list[] = { &t->route };
	const struct httpd_routes routes = {
		.routes = list,
		.count = 1,
		.fits = host_fits,
		.unused = on_unused,
		.arg = tables,
	};

	httpd_set_routes(rig.httpd, &routes);
}

static int
begin(void **state)
{
	(void)state;
	unused = 0;
	rig_init(&rig);
	rig_start(&rig, NULL, 0, NULL);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static int
get(struct reply *r, const char *path, const char *host)
{
	char request[128];

	snprintf(
	    request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host);
	return rig_ask(&rig, r, request);
}

static void
test_the_next_request_has_the_new_routes(void **state)
{
	(void)state;
	static struct reply r;

	assert_int_equal(get(&r, "/x", "one"), 404);
	rig_call(&rig, use, &tables[0]);
	assert_int_equal(get(&r, "/x", "one"), 200);
	assert_string_equal(r.text + r.body, "first");
	rig_call(&rig, use, &tables[1]);
	RIG_UNTIL(unused == 1);
	assert_int_equal(get(&r, "/x", "one"), 404); /* of another host */
	assert_int_equal(get(&r, "/x", "two"), 200);
	assert_string_equal(r.text + r.body, "second");
	assert_int_equal(get(&r, "/healthz", "anything"), 200);
}

static void
test_a_request_keeps_its_routes(void **state)
{
	(void)state;
	static struct reply r;
	int fd;

	rig_call(&rig, use, &tables[2]);
	fd = rig_dial(&rig);
	rig_put(fd, "GET /slow HTTP/1.1\r\nHost: one\r\n\r\n");
	RIG_UNTIL(rig_ios == 1);
	rig_call(&rig, use, &tables[0]);
	assert_int_equal(get(&r, "/slow", "one"), 404);
	assert_int_equal(unused, 0);
	rig_let_go = true;
	rig_read(fd, &r);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.text + r.body, "slow");
	RIG_UNTIL(unused == 1);
	close(fd);
}

/* Nobody leaves a request behind that still has them. */
static void
test_the_server_may_end_first(void **state)
{
	(void)state;
	int fd;

	rig_call(&rig, use, &tables[2]);
	fd = rig_dial(&rig);
	rig_put(fd, "GET /slow HTTP/1.1\r\nHost: one\r\n\r\n");
	RIG_UNTIL(rig_ios == 1);
	rig_call(&rig, rig_free_now, &rig);
	assert_int_equal(unused, 0);
	rig_let_go = true;
	RIG_UNTIL(unused == 1);
	close(fd);
}

static void
test_the_rest_is_not_unescaped(void **state)
{
	(void)state;
	static struct reply r;

	rig_call(&rig, use, &tables[3]);
	assert_int_equal(get(&r, "/f/a/%20b", "one"), 200);
	assert_int_equal(get(&r, "/f/a/%2e%2e/b", "one"), 404);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_next_request_has_the_new_routes),
		TEST(test_a_request_keeps_its_routes),
		TEST(test_the_server_may_end_first),
		TEST(test_the_rest_is_not_unescaped),
	};
	return cmocka_run_group_tests_name("httpd_routes", tests, NULL, NULL);
}
