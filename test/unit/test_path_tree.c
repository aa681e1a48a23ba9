/* Which patterns a path fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "http/path_tree.h"

static struct path_tree *tree;
static str params[PATH_MAX_PARAMS];
static char visited[256]; /* the values, in order */
static size_t wanted;     /* the value that is taken; SIZE_MAX: none */

static int
begin(void **state)
{
	(void)state;
	tree = path_tree_new();
	wanted = SIZE_MAX;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	path_tree_free(tree);
	return 0;
}

static bool
visit(void *arg, size_t value)
{
	char *at = arg;

	sprintf(at + strlen(at), "%zu ", value);
	return value == wanted;
}

static const char *
find(const char *path)
{
	bool found;

	visited[0] = '\0';
	found = path_tree_find(tree, str_of(path), params, visit, visited);
	assert_true(found == (wanted != SIZE_MAX));
	return visited;
}

static void
add_all(const char *const *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		path_tree_add(tree, patterns[i], i);
}

static void
assert_param(size_t i, const char *want)
{
	assert_true(str_eq(params[i], str_of(want)));
	assert_true((params[i].p == NULL) == (want == NULL));
}

static void
test_exact_before_one_before_the_rest(void **state)
{
	(void)state;
	const char *const patterns[] = { "/a/{x}", "/a/b", "/a/{rest...}", "/a/{x}/c",
		"/a/b/{y}", "/{all...}", "/a/b" };

	add_all(patterns, ARRAY_LEN(patterns));
	assert_string_equal(find("/a/b"), "1 6 0 2 5 ");
	assert_string_equal(find("/a/x"), "0 2 5 ");
	assert_string_equal(find("/a/b/c"), "4 3 2 5 ");
	assert_string_equal(find("/a/b/c/d"), "2 5 ");
	assert_string_equal(find("/z"), "5 ");
}

static void
test_segments_are_whole(void **state)
{
	(void)state;
	const char *const patterns[] = { "/", "/a", "/a/", "/a/{x}", "/ab" };

	add_all(patterns, ARRAY_LEN(patterns));
	assert_string_equal(find("/"), "0 ");
	assert_string_equal(find("/a"), "1 ");
	assert_string_equal(find("/a/"), "2 "); /* {x} is not empty */
	assert_string_equal(find("/ab"), "4 ");
	assert_string_equal(find("/abc"), "");
	assert_string_equal(find("/a/b/"), "");
	assert_string_equal(find("//"), "");
	assert_string_equal(find(""), "");
	assert_string_equal(find("*"), "");
	assert_string_equal(find("a"), "");
}

static void
test_params_are_those_of_the_pattern_that_is_taken(void **state)
{
	(void)state;
	const char *const patterns[] = { "/{a}/{b}/x", "/1/{c}/{d}", "/{e}/2/3/4",
		"/f/{g}/{rest...}" };

	add_all(patterns, ARRAY_LEN(patterns));
	wanted = 0;
	assert_string_equal(find("/1/2/x"), "1 0 ");
	assert_param(0, "1");
	assert_param(1, "2");
	assert_param(2, NULL);
	wanted = 2;
	find("/1/2/3/4");
	assert_param(0, "1");
	assert_param(1, NULL);
	wanted = 3;
	find("/f/x/y/%20z/");
	assert_param(0, "x");
	assert_param(1, "y/%20z/");
	assert_param(2, NULL);
}

static void
test_the_rest_leads_nowhere_else(void **state)
{
	(void)state;
	const char *const bad[] = { "/f/..", "/f/a/../b", "/f/.", "/f/a/.", "/f/%2e%2E/b",
		"/f/.%2e", "/f/a%2fb", "/f/..%2F..", "/f/" };
	const char *const good[] = { "/f/...", "/f/.a", "/f/a..", "/f/%2", "/f/%2ea",
		"/f//", "/f/a//b" };

	path_tree_add(tree, "/f/{rest...}", 7);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_string_equal(find(bad[i]), "");
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_string_equal(find(good[i]), "7 ");
}

static void
test_patterns_that_are_wrong(void **state)
{
	(void)state;
	const char *const wrong[] = { "", "a", "{a}", "/{}", "/a{b}", "/{a}b", "/{a",
		"/a}", "/{{a}}", "/{a}{b}", "/{...}", "/{a...}/b", "/{a..}", "/{a.b}",
		"/{a}/{b}/{c}/{d}/{e}" };
	const char *const right[] = { "/", "/a", "/a/", "/{a}", "/{a...}", "//",
		"/{a}/{b}/{c}/{d...}" };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_non_null(path_pattern_check(str_of(wrong[i])));
	for (size_t i = 0; i < ARRAY_LEN(right); i++)
		assert_null(path_pattern_check(str_of(right[i])));
}

static void
test_many_are_found(void **state)
{
	(void)state;
	char path[64];

	for (size_t i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/p/%zu/{x}/%zu", i * 7919 % 1000, i);
		path_tree_add(tree, path, i);
	}
	for (size_t i = 0; i < 1000; i++) {
		wanted = i;
		snprintf(path, sizeof(path), "/p/%zu/it/%zu", i * 7919 % 1000, i);
		find(path);
		assert_param(0, "it");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_exact_before_one_before_the_rest),
		TEST(test_segments_are_whole),
		TEST(test_params_are_those_of_the_pattern_that_is_taken),
		TEST(test_the_rest_leads_nowhere_else),
		TEST(test_patterns_that_are_wrong),
		TEST(test_many_are_found),
	};
	return cmocka_run_group_tests_name("path_tree", tests, NULL, NULL);
}
