/* Lists of servers as settings have them, and what the look-up makes of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gateway/upstream/dns.h"

#define NAME_OF_27  "abcdefghijklmnopqrstuvwxyz_"
#define NAME_OF_108 NAME_OF_27 NAME_OF_27 NAME_OF_27 NAME_OF_27

static struct server_entry entries[SERVER_LIST_MAX];
static size_t count;
static char err[512];

static bool
parse(const char *text)
{
	err[0] = '\0';
	return server_list_parse(str_of(text), entries, &count, err, sizeof(err));
}

static void
test_lists_that_are_right(void **state)
{
	(void)state;
	assert_true(parse(""));
	assert_int_equal(count, 0);
	assert_true(parse("coupon:8081"));
	assert_int_equal(count, 1);
	assert_string_equal(entries[0].name, "coupon:8081");
	assert_int_equal(entries[0].weight, 1);
	assert_true(parse(" a:1 ,b:2  weight=7,srv:_x._tcp.example, [::1]:80 "));
	assert_int_equal(count, 4);
	assert_string_equal(entries[1].name, "b:2");
	assert_int_equal(entries[1].weight, 7);
	assert_true(entries[2].srv && !entries[1].srv);
	assert_string_equal(entries[2].name, "_x._tcp.example");
	assert_string_equal(entries[3].name, "[::1]:80");
	assert_true(parse("unix:/run/coupon.sock weight=3"));
	assert_string_equal(entries[0].name, "unix:/run/coupon.sock");
	assert_int_equal(entries[0].weight, 3);
}

static void
test_lists_that_are_wrong(void **state)
{
	(void)state;
	const char *const wrong[] = { "nonsense", "a:", ":80", "a:0", "a:65536", "a:080",
		"a:1,,b:2", ",a:1", "a:1 weight=0", "a:1 weight=1001", "a:1 weight=x",
		"a:1 heavy=2", "a:1 weight", "srv:", "srv:x weight=2", "a:-1",
		"unix:", "unix:relative", "unix:/" NAME_OF_108 };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_false(parse(wrong[i]));
		assert_true(strlen(err) > 10);
	}
}

static void
test_the_longest_name_and_list(void **state)
{
	(void)state;
	char text[400];

	memset(text, 'a', sizeof(text));
	strcpy(text + SERVER_NAME_SIZE - 3, ":1");
	assert_true(parse(text));
	memset(text, 'a', sizeof(text));
	strcpy(text + SERVER_NAME_SIZE - 2, ":1");
	assert_false(parse(text));
	text[0] = '\0';
	for (int i = 0; i < SERVER_LIST_MAX; i++)
		strcat(text, i == 0 ? "a:1" : ",a:1");
	assert_true(parse(text));
	assert_int_equal(count, SERVER_LIST_MAX);
	strcat(text, ",a:1");
	assert_false(parse(text));
}

static void
test_digits_are_addresses(void **state)
{
	(void)state;
	struct dns_server servers[DNS_MAX];
	size_t found = 0;

	assert_true(parse("127.0.0.1:8081 weight=3,[::1]:8082,127.0.0.1:8081"));
	for (size_t i = 0; i < count; i++)
		assert_true(
		    dns_lookup(&entries[i], "", servers, &found, err, sizeof(err)));
	assert_int_equal(found, 2); /* each once */
	assert_string_equal(servers[0].address, "127.0.0.1:8081");
	assert_string_equal(servers[0].host, "127.0.0.1:8081");
	assert_int_equal(servers[0].weight, 3);
	assert_string_equal(servers[1].address, "[::1]:8082");
	assert_true(parse("no.such.host.invalid:80"));
	assert_false(dns_lookup(&entries[0], "", servers, &found, err, sizeof(err)));
	assert_non_null(strstr(err, "no.such.host.invalid"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_that_are_right),
		cmocka_unit_test(test_lists_that_are_wrong),
		cmocka_unit_test(test_the_longest_name_and_list),
		cmocka_unit_test(test_digits_are_addresses),
	};
	return cmocka_run_group_tests_name("server_list", tests, NULL, NULL);
}
