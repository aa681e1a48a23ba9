/* Connections are dealt out evenly among the servers of one group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http_site.h"

enum {
	EACH = 5 /* connections of a server, when all is even */
};

static const struct route routes[] = {
	{ HTTP_GET, "/ok", ok, 10 * CLOCK_US_PER_SEC, 0, 0 },
};
static struct rig other; /* of rig's group: the second worker */
static int clients[4 * EACH];
static size_t client_count;

/* --- its life ------------------------------------------------------------------------
 */

/* Two ports instead of one, so that the test says who accepts a connection. */
static int
init(void **state)
{
	(void)state;
	const struct httpd_conf conf = {
		.settings = &rig.settings, .routes = routes, .route_count = 1
	};

	client_count = 0;
	rig_init(&rig);
	rig_init(&other);
	rig.settings.idle_timeout_us = 60 * CLOCK_US_PER_SEC; /* longer than any test */
	rig_open(&rig, &conf);
	rig_open(&other, &conf);
	rig_run(&rig);
	return 0;
}

static void
hang_up(size_t count)
{
	while (count-- > 0)
		close(clients[--client_count]);
}

static int
end(void **state)
{
	rig_stop(&other);
	hang_up(client_count);
	return stop(state);
}

static void
dial(const struct rig *to, int count)
{
	while (count-- > 0)
		clients[client_count++] = rig_dial(to);
}

static void
put_all(void)
{
	for (size_t i = 0; i < client_count; i++)
		rig_put(clients[i], "GET /ok HTTP/1.1\r\n" HOST "\r\n");
}

static void
read_all(void)
{
	for (size_t i = 0; i < client_count; i++) {
		rig_read(clients[i], &reply);
		assert_int_equal(reply.status, 200);
	}
}

/* Each of them is answered. */
static void
ask_all(void)
{
	put_all();
	read_all();
}

struct load {
	struct rig *rig;
	size_t conns, requests;
};

static void
take_load(void *arg)
{
	struct load *load = arg;

	httpd_load(load->rig->httpd, &load->conns, &load->requests);
}

static size_t
conns_of(struct rig *of)
{
	struct load load = { .rig = of };

	rig_call(of, take_load, &load);
	return load.conns;
}

/* --- the tests -----------------------------------------------------------------------
 */

static void
test_connections_are_dealt_out(void **state)
{
	(void)state;
	rig_run(&other);
	dial(&rig, 2 * EACH);
	ask_all();
	assert_int_equal(conns_of(&rig), EACH);
	assert_int_equal(conns_of(&other), EACH);
	dial(&other, 2 * EACH);
	ask_all();
	assert_int_equal(conns_of(&rig), 2 * EACH);
	assert_int_equal(conns_of(&other), 2 * EACH);
}

static void
test_who_lost_some_gets_the_next(void **state)
{
	(void)state;
	rig_run(&other);
	dial(&rig, 2 * EACH);
	ask_all();
	hang_up(client_count);
	RIG_UNTIL(conns_of(&rig) + conns_of(&other) == 0);
	dial(&other, 2 * EACH);
	ask_all();
	assert_int_equal(conns_of(&rig), EACH);
	assert_int_equal(conns_of(&other), EACH);
}

static void
test_who_drains_is_given_nothing(void **state)
{
	(void)state;
	rig_run(&other);
	rig_call(&other, rig_drain_now, &other);
	RIG_UNTIL(other.drained);
	dial(&rig, EACH);
	ask_all();
	assert_int_equal(conns_of(&rig), EACH);
}

static void
test_what_was_given_before_the_drain_is_served(void **state)
{
	(void)state;
	/* The other's loop has not begun: gifts wait there. The last is our own, so that
	 * all have been dealt out when it is there. */
	dial(&rig, 2 * EACH - 1);
	RIG_UNTIL(conns_of(&rig) == EACH);
	put_all(); /* before it runs: it does not keep idle connections for long */
	httpd_drain(other.httpd);
	rig_run(&other);
	read_all();
	RIG_UNTIL(other.drained);
	assert_int_equal(conns_of(&rig), EACH);
}

static void
test_what_nobody_takes_is_closed(void **state)
{
	(void)state;
	dial(&rig, 3); /* the second is given away, see above */
	RIG_UNTIL(conns_of(&rig) == 2);
	httpd_free(other.httpd);
	loop_free(other.worker.loop);
	rig_read(clients[1], &reply);
	assert_int_equal(reply.status, 0);
	close(clients[1]);
	clients[1] = clients[--client_count];
	ask_all();
	hang_up(client_count);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_connections_are_dealt_out, init, end),
		cmocka_unit_test_setup_teardown(
		    test_who_lost_some_gets_the_next, init, end),
		cmocka_unit_test_setup_teardown(
		    test_who_drains_is_given_nothing, init, end),
		cmocka_unit_test_setup_teardown(
		    test_what_was_given_before_the_drain_is_served, init, end),
		cmocka_unit_test_setup_teardown(
		    test_what_nobody_takes_is_closed, init, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
