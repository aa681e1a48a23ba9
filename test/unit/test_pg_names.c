/* The hosts of PostgreSQL connection strings and their addresses. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>

#include "store/pg_names.h"

static bool
look_up(struct pg_names *n, const char *dsn, const char **why)
{
	pg_names_init(n, dsn);
	pg_names_start(n);
	while (!pg_names_done(n))
		poll(NULL, 0, 1);
	return pg_names_take(n, why);
}

static void
hosts_get_their_addresses(void **state)
{
	static const struct {
		const char *dsn, *host, *hostaddr, *port;
	} cases[] = {
		{ "host=127.0.0.1", "127.0.0.1", "", "" },
		{ "host=::1 port=7", "::1", "", "7" },
		{ "host=/run/postgresql port=5433", "/run/postgresql", "", "5433" },
		{ "postgresql://u:p@10.0.0.1:5,10.0.0.2:6/db", "10.0.0.1,10.0.0.2", ",",
		    "5,6" },
		{ "host=10.0.0.1,/tmp,::1 port=9", "10.0.0.1,/tmp,::1", ",,", "9,9,9" },
		{ "host=10.0.0.1,10.0.0.2 port=,8", "10.0.0.1,10.0.0.2", ",", ",8" },
		/* One that is not found is left out, with its port. */
		{ "host=10.0.0.1,not..a..name,10.0.0.3 port=1,2,3", "10.0.0.1,10.0.0.3",
		    ",", "1,3" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pg_names n;
		const char *why;

		assert_true(look_up(&n, cases[i].dsn, &why));
		assert_string_equal(n.host.p, cases[i].host);
		assert_string_equal(n.hostaddr.p, cases[i].hostaddr);
		assert_string_equal(n.port.p, cases[i].port);
		pg_names_fini(&n);
	}
}

static void
a_name_becomes_an_address(void **state)
{
	struct pg_names n;
	const char *why;
	bool known;

	(void)state;
	assert_true(look_up(&n, "host=localhost dbname=x", &why));
	assert_string_equal(n.host.p, "localhost");
	known = str_eq(str_of(n.hostaddr.p), STR("127.0.0.1")) ||
		str_eq(str_of(n.hostaddr.p), STR("::1"));
	assert_true(known);
	pg_names_fini(&n);
}

static void
no_address_at_all_is_a_failure(void **state)
{
	struct pg_names n;
	const char *why = NULL;

	(void)state;
	assert_false(look_up(&n, "host=not..a..name", &why));
	assert_non_null(why);
	pg_names_fini(&n);
}

static void
some_strings_are_left_to_libpq(void **state)
{
	static const char *const cases[] = { "", "dbname=x",
		"host=name hostaddr=10.0.0.1", "host=a,b,c,d,e,f,g,h,i" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pg_names n;
		const char *why;

		assert_true(look_up(&n, cases[i], &why));
		assert_int_equal(n.count, 0);
		pg_names_fini(&n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_get_their_addresses),
		cmocka_unit_test(a_name_becomes_an_address),
		cmocka_unit_test(no_address_at_all_is_a_failure),
		cmocka_unit_test(some_strings_are_left_to_libpq),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
