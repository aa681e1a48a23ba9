/* The file of pass keys, changed while a program has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/pass_file.h"

#define SECRET_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SECRET_B "ff112233445566778899aabbccddeeff00112233445566778899aabbccddee00"

static char directory[] = "/tmp/pass_file.XXXXXX";
static char path[64], fresh[64];
static char err[160];

static int
start(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/pass.keys", directory);
	snprintf(fresh, sizeof(fresh), "%s/new", directory);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

/* As an operator should: the file is always whole. */
static void
replace(const char *text)
{
	FILE *file = fopen(fresh, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(fresh, path), 0);
}

static struct pass_file *
open_with(const char *text)
{
	struct pass_file *file;

	replace(text);
	file = pass_file_open(path, err, sizeof(err));
	assert_non_null(file);
	return file;
}

/* Whether what the first key of this text signs is valid with the file's keys. */
static bool
accepts(const struct pass_file *file, const char *text)
{
	static const struct pass pass = { .user_id = 1, .ticket = 1, .expires_s = 2 };
	struct pass_keys *keys = pass_keys_parse(str_of(text), err, sizeof(err));
	char token[PASS_TEXT_MAX];
	struct pass out;
	size_t n = pass_write(keys, &pass, token);

	pass_keys_free(keys);
	return pass_check(pass_file_keys(file), (str){ token, n }, 1, &out) == PASS_VALID;
}

static void
test_keys_change_with_the_file(void **state)
{
	struct pass_file *file = open_with("a " SECRET_A "\n");

	(void)state;
	assert_int_equal(pass_file_look(file, err, sizeof(err)), PASS_FILE_SAME);
	assert_true(accepts(file, "a " SECRET_A));
	replace("b " SECRET_B "\na " SECRET_A "\n");
	assert_int_equal(pass_file_look(file, err, sizeof(err)), PASS_FILE_CHANGED);
	assert_int_equal(pass_file_look(file, err, sizeof(err)), PASS_FILE_SAME);
	assert_true(accepts(file, "a " SECRET_A));
	assert_true(accepts(file, "b " SECRET_B));
	replace("b " SECRET_B "\n");
	assert_int_equal(pass_file_look(file, err, sizeof(err)), PASS_FILE_CHANGED);
	assert_false(accepts(file, "a " SECRET_A));
	pass_file_free(file);
}

static void
test_what_cannot_be_used_is_said_once_and_changes_nothing(void **state)
{
	struct pass_file *file = open_with("a " SECRET_A "\n");

	(void)state;
	replace("nonsense\n");
	assert_int_equal(pass_file_look(file, err, sizeof(err)), PASS_FILE_BROKEN);
	assert_non_null(strstr(err, "has a line"));
	assert_int_equal(pass_file_look(file, err, sizeof(err)), PASS_FILE_SAME);
	unlink(path);
	assert_int_equal(pass_file_look(file, err, sizeof(err)), PASS_FILE_BROKEN);
	assert_non_null(strstr(err, "cannot be read"));
	assert_int_equal(pass_file_look(file, err, sizeof(err)), PASS_FILE_SAME);
	assert_true(accepts(file, "a " SECRET_A));
	replace("b " SECRET_B "\n");
	assert_int_equal(pass_file_look(file, err, sizeof(err)), PASS_FILE_CHANGED);
	assert_true(accepts(file, "b " SECRET_B));
	pass_file_free(file);
}

static void
test_without_keys_there_is_no_file(void **state)
{
	(void)state;
	replace("");
	assert_null(pass_file_open(path, err, sizeof(err)));
	assert_non_null(strstr(err, "has no key"));
	assert_null(pass_file_open("/nonexistent/keys", err, sizeof(err)));
	pass_file_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_change_with_the_file),
		cmocka_unit_test(
		    test_what_cannot_be_used_is_said_once_and_changes_nothing),
		cmocka_unit_test(test_without_keys_there_is_no_file),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
