/* The limits of a route file: what is taken, what is refused, and which a route has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gateway/limits/limit_class.h"
#include "gateway/limits/limits.h"

static char err[1024];

static const char *
setting(const char *name)
{
	(void)name;
	return NULL;
}

/* A file with these limits, and one route with these members. */
static struct route_file *
parse(const char *limits, const char *members)
{
	static char text[65536];

	snprintf(text, sizeof(text),
	    "{\"services\":{\"a\":{\"servers\":\"h:1\"}},\"limits\":%s,\"routes\":"
	    "[{\"method\":\"GET\",\"path\":\"/\",\"service\":\"a\"%s}]}",
	    limits, members);
	return route_file_parse(str_of(text), setting, err, sizeof(err));
}

#define EACH "\"each\":{\"per\":\"address\",\"rate\":5,\"burst\":9}"
#define USER "\"user\":{\"per\":\"user\",\"rate\":1,\"burst\":1}"
#define ALL  "\"all\":{\"//\":\"x\",\"per\":\"route\",\"rate\":1000000,\"burst\":1000000}"

static void
test_limits_are_taken(void **state)
{
	(void)state;
	struct route_file *f =
	    parse("{\"//\":\"\"," EACH "," USER "," ALL "}", ",\"limit\":\"each\"");

	assert_non_null(f);
	assert_int_equal(f->limit_count, 3);
	assert_string_equal(f->limits[0].name, "each");
	assert_int_equal(f->limits[0].per, LIMIT_PER_ADDRESS);
	assert_int_equal(f->limits[0].rate, 5);
	assert_int_equal(f->limits[0].burst, 9);
	assert_int_equal(f->limits[1].per, LIMIT_PER_USER);
	assert_int_equal(f->limits[2].per, LIMIT_PER_ROUTE);
	assert_int_equal(f->rows[0].limit_count, 1);
	assert_ptr_equal(f->rows[0].limits[0], &f->limits[0]);
	route_file_free(f);
	f = parse("{}", "");
	assert_non_null(f);
	assert_int_equal(f->rows[0].limit_count, 0);
	route_file_free(f);
}

/* Those that count users are looked at after the pass, which says who it is. */
static void
test_a_row_knows_its_limits_in_order(void **state)
{
	(void)state;
	struct route_file *f = parse(
	    "{" EACH "," USER "," ALL "}", ",\"limit\":[\"user\",\"all\",\"each\"]");
	struct route_row *row = &f->rows[0];
	struct limit_class *kept;

	limits_resolve(row);
	assert_int_equal(row->early_count, 2);
	assert_int_equal(row->class_count, 3);
	assert_string_equal(row->classes[0]->is.name, "all");
	assert_string_equal(row->classes[1]->is.name, "each");
	assert_string_equal(row->classes[2]->is.name, "user");
	kept = (struct limit_class *)(uintptr_t)row->classes[0];
	route_file_free(f);

	/* The same limit in another file is the same; with other figures it is not. */
	f = parse("{" ALL "}", ",\"limit\":\"all\"");
	limits_resolve(&f->rows[0]);
	assert_ptr_equal(f->rows[0].classes[0], kept);
	route_file_free(f);
	f = parse("{\"all\":{\"per\":\"route\",\"rate\":1000000,\"burst\":1}}",
	    ",\"limit\":\"all\"");
	limits_resolve(&f->rows[0]);
	assert_ptr_not_equal(f->rows[0].classes[0], kept);
	assert_int_not_equal(f->rows[0].classes[0]->id, kept->id);
	route_file_free(f);
}

static void
test_what_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *limits, *members, *why;
	} bad[] = {
		{ "7", "", "limits" },
		{ "{\"a\":7}", "", "per" },
		{ "{\"A\":{\"per\":\"user\",\"rate\":1,\"burst\":1}}", "", "name" },
		{ "{\"a\":{\"rate\":1,\"burst\":1}}", "", "per" },
		{ "{\"a\":{\"per\":\"host\",\"rate\":1,\"burst\":1}}", "", "per" },
		{ "{\"a\":{\"per\":\"user\",\"burst\":1}}", "", "rate" },
		{ "{\"a\":{\"per\":\"user\",\"rate\":0,\"burst\":1}}", "", "rate" },
		{ "{\"a\":{\"per\":\"user\",\"rate\":1000001,\"burst\":1}}", "", "rate" },
		{ "{\"a\":{\"per\":\"user\",\"rate\":1}}", "", "burst" },
		{ "{\"a\":{\"per\":\"user\",\"rate\":1,\"burst\":0}}", "", "burst" },
		{ "{\"a\":{\"per\":\"user\",\"rate\":1,\"burst\":1,\"x\":1}}", "", "x" },
		{ "{" EACH "}", ",\"limit\":\"other\"", "other" },
		{ "{" EACH "}", ",\"limit\":7", "limit" },
		{ "{" EACH "}", ",\"limit\":[]", "limit" },
		{ "{" EACH "}", ",\"limit\":[7]", "element" },
		{ "{" EACH "}", ",\"limit\":[\"each\",\"each\"]", "twice" },
		{ "{" EACH "}", ",\"limit\":[\"1\",\"2\",\"3\",\"4\",\"5\"]", "limit" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(parse(bad[i].limits, bad[i].members));
		if (strstr(err, bad[i].why) == NULL || strncmp(err, "line ", 5) != 0)
			fail_msg("%s: %s", bad[i].limits, err);
	}
}

static void
test_there_are_at_most_so_many(void **state)
{
	(void)state;
	char limits[8192] = "{";
	struct route_file *f;
	size_t at = 1;

	for (int i = 0; i < ROUTE_FILE_LIMITS; i++)
		at += (size_t)snprintf(limits + at, sizeof(limits) - at,
		    "\"l%d\":{\"per\":\"user\",\"rate\":1,\"burst\":1},", i);
	snprintf(limits + at - 1, sizeof(limits) - at, "}");
	f = parse(limits, "");
	assert_non_null(f);
	assert_int_equal(f->limit_count, ROUTE_FILE_LIMITS);
	route_file_free(f);
	snprintf(limits + at - 1, sizeof(limits) - at, "," EACH "}");
	assert_null(parse(limits, ""));
	assert_non_null(strstr(err, "at most 32"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits_are_taken),
		cmocka_unit_test(test_a_row_knows_its_limits_in_order),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_there_are_at_most_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
