/* Migration files: what is read, and what is refused with which sentence. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "onrush/migrations.h"

/* A folder of services; its name has what a pattern would take for its own. */
struct tree {
	char root[64];
	struct arena *arena;
};

static void
make_dir(const char *root, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int
set_up(void **state)
{
	static struct tree tree;

	snprintf(tree.root, sizeof(tree.root), "/tmp/test_[a]*.XXXXXX");
	assert_non_null(mkdtemp(tree.root));
	tree.arena = arena_new();
	make_dir(tree.root, "coupon");
	make_dir(tree.root, "coupon/migrations");
	make_dir(tree.root, "order");
	make_dir(tree.root, "order/migrations");
	*state = &tree;
	return 0;
}

static int
remove_one(const char *path, const struct stat *st UNUSED, int kind UNUSED,
    struct FTW *ftw UNUSED)
{
	return remove(path);
}

static int
tear_down(void **state)
{
	struct tree *tree = *state;

	arena_free(tree->arena);
	return nftw(tree->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
put(const struct tree *tree, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", tree->root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
assert_refused(const struct tree *tree, const char *what)
{
	struct migrations files;
	const char *why = "";

	assert_false(migrations_load(tree->arena, tree->root, &files, &why));
	if (strstr(why, what) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, what);
}

static void
test_files_in_order(void **state)
{
	struct tree *tree = *state;
	struct migrations files;
	const char *why;

	put(tree, "order/migrations/0001_orders.sql", "-- migrate:up\nselect 3;\n");
	put(tree, "coupon/migrations/0002_more.sql", "-- migrate:up\nselect 2;\n");
	put(tree, "coupon/migrations/0001_first.sql",
	    "-- a word before\n-- migrate:up\nselect 1;\n-- migrate:down\nselect -1;\n");
	put(tree, "coupon/migrations/readme.txt", "not a migration");
	assert_true(migrations_load(tree->arena, tree->root, &files, &why));
	assert_int_equal(files.count, 3);
	assert_string_equal(files.list[0].version, "coupon/0001_first");
	assert_string_equal(files.list[0].up, "\nselect 1;\n");
	assert_string_equal(files.list[1].version, "coupon/0002_more");
	assert_string_equal(files.list[2].version, "order/0001_orders");
	assert_int_equal(strlen(files.list[0].sha256), 64);
	assert_string_not_equal(files.list[0].sha256, files.list[1].sha256);
}

static void
test_nothing_there(void **state)
{
	assert_refused(*state, "there is no ");
}

static void
test_same_number(void **state)
{
	put(*state, "coupon/migrations/0001_a.sql", "-- migrate:up\n");
	put(*state, "coupon/migrations/0001_b.sql", "-- migrate:up\n");
	assert_refused(*state, "coupon/0001_a and coupon/0001_b have the same number");
}

static void
test_names(void **state)
{
	put(*state, "coupon/migrations/Campaigns.sql", "-- migrate:up\n");
	assert_refused(*state, "the name must be like");
}

static void
test_name_without_number(void **state)
{
	put(*state, "coupon/migrations/campaigns.sql", "-- migrate:up\n");
	assert_refused(*state, "the name must be like");
}

static void
test_not_text(void **state)
{
	put(*state, "coupon/migrations/0001_a.sql", "-- migrate:up\nselect '\xff';\n");
	assert_refused(*state, "is not UTF-8 text");
}

static void
test_markers(void **state)
{
	struct tree *tree = *state;
	const char *why;

	assert_null(migration_up(tree->arena, STR("select 1;\n"), &why));
	assert_string_equal(why, "has no \"-- migrate:up\" line");
	assert_null(migration_up(
	    tree->arena, STR("-- migrate:up\n-- migrate:up\nselect 1;\n"), &why));
	assert_string_equal(why, "has two \"-- migrate:up\" lines");
	assert_null(migration_up(
	    tree->arena, STR("-- migrate:up transaction:false\nselect 1;\n"), &why));
	assert_non_null(strstr(why, "always one transaction"));
	assert_null(migration_up(
	    tree->arena, STR("-- migrate:down\nselect 1;\n-- migrate:up\n"), &why));
	assert_string_equal(migration_up(tree->arena, STR("-- migrate:up"), &why), "");
	assert_string_equal(
	    migration_up(tree->arena, STR("-- migrate:up  \nx"), &why), "\nx");
}

int
main(void)
{
#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_files_in_order),
		TREE_TEST(test_nothing_there),
		TREE_TEST(test_same_number),
		TREE_TEST(test_names),
		TREE_TEST(test_name_without_number),
		TREE_TEST(test_not_text),
		TREE_TEST(test_markers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
