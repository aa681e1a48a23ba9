/* Settings: where a value comes from, what it may be, and the sentences when it may not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/conf.h"
#include "base/die.h"

struct settings {
	const char *text, *key, *dsn;
	int64_t number, wait_us, size;
	double share;
	bool on;
};

static const struct conf_item items[] = {
	{ "ONRUSH_T_TEXT", CONF_STRING, offsetof(struct settings, text), "hello", 0, 0,
	    "A text." },
	{ "ONRUSH_T_KEY", CONF_SECRET, offsetof(struct settings, key), "", 0, 0,
	    "A secret." },
	{ "ONRUSH_T_DSN", CONF_STRING, offsetof(struct settings, dsn), NULL, 0, 0,
	    "A required text." },
	{ "ONRUSH_T_NUMBER", CONF_INT, offsetof(struct settings, number), "4", -1, 256,
	    "A number." },
	{ "ONRUSH_T_WAIT_MS", CONF_MS, offsetof(struct settings, wait_us), "250", 10,
	    60000, "A time." },
	{ "ONRUSH_T_SIZE", CONF_BYTES, offsetof(struct settings, size), "64K", 1024,
	    1 << 30, "A size." },
	{ "ONRUSH_T_SHARE", CONF_RATIO, offsetof(struct settings, share), "0.25", 0, 0,
	    "A share." },
	{ "ONRUSH_T_ON", CONF_BOOL, offsetof(struct settings, on), "false", 0, 0,
	    "A switch." },
};

static char dir[] = "/tmp/onrush-test-conf-XXXXXX";
static char path_a[64], path_b[64];
static struct settings s;
static char err[256];

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path_a, sizeof(path_a), "%s/a.env", dir);
	snprintf(path_b, sizeof(path_b), "%s/b.env", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int
begin(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		unsetenv(items[i].name);
	unsetenv("ONRUSH_T_KEY_FILE");
	setenv("ONRUSH_T_DSN", "db", 1);
	conf_free(items, ARRAY_LEN(items), &s);
	memset(&s, 0, sizeof(s));
	err[0] = '\0';
	return 0;
}

static int
end(void **state)
{
	(void)state;
	conf_free(items, ARRAY_LEN(items), &s);
	unlink(path_a);
	unlink(path_b);
	return 0;
}

static void
write_bytes(const char *path, const char *bytes, size_t size)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void
write_text(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

static bool
load(size_t files)
{
	const char *const paths[] = { path_a, path_b };

	conf_free(items, ARRAY_LEN(items), &s);
	return conf_load(items, ARRAY_LEN(items), &s, paths, files, err, sizeof(err));
}

/* Loading fails with this sentence, and leaves nothing to free. */
static void
assert_refused(size_t files, const char *sentence)
{
	assert_false(load(files));
	assert_string_equal(err, sentence);
	assert_null(s.text);
	assert_null(s.key);
	assert_null(s.dsn);
}

static void
test_defaults(void **state)
{
	(void)state;
	assert_true(load(0));
	assert_string_equal(s.text, "hello");
	assert_string_equal(s.key, "");
	assert_string_equal(s.dsn, "db");
	assert_int_equal(s.number, 4);
	assert_int_equal(s.wait_us, 250000);
	assert_int_equal(s.size, 65536);
	assert_true(s.share > 0.2499 && s.share < 0.2501);
	assert_false(s.on);
}

static void
test_environment_then_last_file_then_first(void **state)
{
	(void)state;
	write_text(path_a, "ONRUSH_T_TEXT=a\nONRUSH_T_NUMBER=1\nONRUSH_T_SIZE=2K\n");
	write_text(path_b, "ONRUSH_T_NUMBER=2\nONRUSH_T_SIZE=3K\nONRUSH_T_SIZE=4K");
	setenv("ONRUSH_T_NUMBER", "3", 1);
	assert_true(load(2));
	assert_string_equal(s.text, "a");
	assert_int_equal(s.number, 3);
	assert_int_equal(s.size, 4096);
}

static void
test_the_form_of_a_file(void **state)
{
	(void)state;
	write_text(path_a, "# a comment\r\n"
			   "\n"
			   "  \t \n"
			   "  ONRUSH_T_TEXT = a = \"b\" # c \r\n"
			   "ONRUSH_T_DSN=\n"
			   "SOMETHING_ELSE=1\n"
			   "ONRUSH_T_KEY=");
	assert_true(load(1));
	assert_string_equal(s.text, "a = \"b\" # c");
	assert_string_equal(s.key, "");
	assert_string_equal(s.dsn, "db"); /* the environment's */
}

static void
test_bad_files(void **state)
{
	(void)state;
	static char large[70000];
	char want[256];

	snprintf(
	    want, sizeof(want), "%s: cannot be read: No such file or directory.", path_a);
	assert_refused(1, want);

	write_text(path_a, "A=1\nB\n");
	snprintf(want, sizeof(want), "%s line 2: must be KEY=VALUE.", path_a);
	assert_refused(1, want);

	write_text(path_a, "=1\n");
	snprintf(want, sizeof(want), "%s line 1: must be KEY=VALUE.", path_a);
	assert_refused(1, want);

	write_bytes(path_a, "A=1\0B=2\n", 8);
	snprintf(want, sizeof(want), "%s: must be text, but has a NUL byte.", path_a);
	assert_refused(1, want);

	memset(large, '#', sizeof(large));
	write_bytes(path_a, large, sizeof(large));
	snprintf(want, sizeof(want), "%s: must be smaller than 65536 bytes.", path_a);
	assert_refused(1, want);
}

static void
test_a_directory_is_no_file(void **state)
{
	(void)state;
	const char *const paths[] = { dir };

	assert_false(conf_load(items, ARRAY_LEN(items), &s, paths, 1, err, sizeof(err)));
	assert_non_null(strstr(err, "Is a directory"));
}

/* Every type: what it takes. */
static void
test_good_values(void **state)
{
	(void)state;
	static const char *const yes[] = { "true", "1", "yes", "on", "TRUE", "On" };
	static const char *const no[] = { "false", "0", "no", "off", "No" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		setenv("ONRUSH_T_ON", yes[i], 1);
		assert_true(load(0) && s.on);
	}
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		setenv("ONRUSH_T_ON", no[i], 1);
		assert_true(load(0) && !s.on);
	}
	setenv("ONRUSH_T_NUMBER", "-1", 1);
	setenv("ONRUSH_T_WAIT_MS", "60000", 1);
	setenv("ONRUSH_T_SIZE", "1G", 1);
	setenv("ONRUSH_T_SHARE", "1", 1);
	setenv("ONRUSH_T_TEXT", "", 1);
	assert_true(load(0));
	assert_int_equal(s.number, -1);
	assert_int_equal(s.wait_us, 60000000);
	assert_int_equal(s.size, 1 << 30);
	assert_true(s.share == 1.0);
	assert_string_equal(s.text, "");
	setenv("ONRUSH_T_SIZE", "1024", 1);
	setenv("ONRUSH_T_SHARE", "0.0", 1);
	assert_true(load(0));
	assert_int_equal(s.size, 1024);
	assert_true(s.share == 0.0);
	setenv("ONRUSH_T_SIZE", "3M", 1);
	assert_true(load(0));
	assert_int_equal(s.size, 3 << 20);
}

/* Every type: what it refuses, and in which words. */
static void
test_bad_values(void **state)
{
	(void)state;
	static const struct {
		const char *name, *words;
		const char *values[12];
	} cases[] = {
		{ "ONRUSH_T_NUMBER", "a whole number from -1 to 256",
		    { "abc", "", "-2", "257", "1.5", "0x1", " 1", "1 ", "+1", "01",
			"99999999999999999999" } },
		{ "ONRUSH_T_WAIT_MS", "a whole number of milliseconds from 10 to 60000",
		    { "9", "60001", "1s", "", "-10" } },
		{ "ONRUSH_T_SIZE",
		    "a number of bytes such as 4096, 64K, 16M or 1G, from 1K to 1G",
		    { "", "K", "1023", "2G", "1T", "64k", "1.5M", "-1K",
			"9223372036854775807G" } },
		{ "ONRUSH_T_SHARE", "a number from 0 to 1",
		    { "", "1.1", "-0.1", ".5", "1.", "0x0", "1e-1", "nan", "0,5", "0.5.5",
			" 0" } },
		{ "ONRUSH_T_ON", "true or false", { "", "2", "y", "truee", " true" } },
	};
	char want[256];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(state);
		for (size_t v = 0; cases[i].values[v] != NULL; v++) {
			setenv(cases[i].name, cases[i].values[v], 1);
			snprintf(want, sizeof(want), "%s=%s: must be %s.", cases[i].name,
			    cases[i].values[v], cases[i].words);
			assert_refused(0, want);
		}
	}
}

static void
test_required(void **state)
{
	(void)state;
	unsetenv("ONRUSH_T_DSN");
	assert_refused(0, "ONRUSH_T_DSN: must be set; it has no default.");
	setenv("ONRUSH_T_DSN", "", 1);
	assert_refused(0, "ONRUSH_T_DSN: must be set; it has no default.");
	unsetenv("ONRUSH_T_DSN");
	write_text(path_a, "ONRUSH_T_DSN=x");
	assert_true(load(1));
	assert_string_equal(s.dsn, "x");
}

static void
test_a_secret_from_a_file(void **state)
{
	(void)state;
	char line[128], want[256];

	write_text(path_b, "s3cret with = and # \n");
	setenv("ONRUSH_T_KEY_FILE", path_b, 1);
	assert_true(load(0));
	assert_string_equal(s.key, "s3cret with = and # ");

	/* A settings file can name it as well; the environment wins. */
	unsetenv("ONRUSH_T_KEY_FILE");
	snprintf(line, sizeof(line), "ONRUSH_T_KEY_FILE=%s\n", path_b);
	write_text(path_a, line);
	assert_true(load(1));
	assert_string_equal(s.key, "s3cret with = and # ");
	setenv("ONRUSH_T_KEY", "open", 1);
	assert_true(load(1));
	assert_string_equal(s.key, "open");

	/* A file without a secret, or with more than one line, is a mistake. */
	begin(state);
	setenv("ONRUSH_T_KEY_FILE", path_b, 1);
	snprintf(want, sizeof(want),
	    "ONRUSH_T_KEY_FILE=%s: must name a file with the secret on one line.",
	    path_b);
	write_text(path_b, "\n");
	assert_refused(0, want);
	write_text(path_b, "one\ntwo\n");
	assert_refused(0, want);
}

/* The end of a very long value is left out; the sentence is whole. */
static void
test_a_long_value_does_not_hide_the_words(void **state)
{
	(void)state;
	char value[1000];

	memset(value, '9', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	setenv("ONRUSH_T_NUMBER", value, 1);
	assert_false(load(0));
	assert_non_null(strstr(err, "must be a whole number from -1 to 256."));
}

/* What fn prints on stdout, in out[size]. */
static void
capture(void (*fn)(void), char *out, size_t size)
{
	FILE *f = tmpfile();
	int saved;
	size_t n;

	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	assert_true(f != NULL && saved >= 0);
	dup2(fileno(f), STDOUT_FILENO);
	fn();
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(f);
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	fclose(f);
}

static void
print_values(void)
{
	conf_print_values(items, ARRAY_LEN(items), &s);
}

static void
print_help(void)
{
	conf_print_help(items, ARRAY_LEN(items));
}

static void
print_markdown(void)
{
	conf_print_markdown(items, ARRAY_LEN(items));
}

static void
test_prints_what_is_in_force(void **state)
{
	(void)state;
	char out[4096];

	setenv("ONRUSH_T_KEY", "s3cret", 1);
	assert_true(load(0));
	capture(print_values, out, sizeof(out));
	assert_string_equal(out, "ONRUSH_T_TEXT=hello\n"
				 "ONRUSH_T_KEY=***\n"
				 "ONRUSH_T_DSN=db\n"
				 "ONRUSH_T_NUMBER=4\n"
				 "ONRUSH_T_WAIT_MS=250\n"
				 "ONRUSH_T_SIZE=64K\n"
				 "ONRUSH_T_SHARE=0.25\n"
				 "ONRUSH_T_ON=false\n");
}

/* What was printed is what could be loaded again. */
static void
test_values_there_and_back(void **state)
{
	(void)state;
	char out[4096], again[4096];

	setenv("ONRUSH_T_NUMBER", "200", 1);
	setenv("ONRUSH_T_SIZE", "1025", 1);
	setenv("ONRUSH_T_ON", "yes", 1);
	assert_true(load(0));
	capture(print_values, out, sizeof(out));
	begin(state);
	write_text(path_a, out);
	assert_true(load(1));
	capture(print_values, again, sizeof(again));
	assert_string_equal(again, out);
}

static void
test_prints_what_there_is(void **state)
{
	(void)state;
	char out[4096];

	capture(print_help, out, sizeof(out));
	assert_non_null(
	    strstr(out, "  ONRUSH_T_DSN (required)\n      A required text.\n"));
	assert_non_null(strstr(out, "  ONRUSH_T_NUMBER=4\n      A number.\n"
				    "      Takes a whole number from -1 to 256.\n"));
	capture(print_markdown, out, sizeof(out));
	assert_non_null(strstr(out,
	    "| `ONRUSH_T_SIZE` | `64K` | a number of bytes such as 4096, 64K, 16M or 1G, "
	    "from 1K to 1G | A size. |\n"));
	assert_non_null(strstr(out, "| `ONRUSH_T_DSN` | required | text | "));
	assert_non_null(strstr(out,
	    "| `ONRUSH_T_KEY` | empty | text, or a file's name in ONRUSH_T_KEY_FILE"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_environment_then_last_file_then_first),
		TEST(test_the_form_of_a_file),
		TEST(test_bad_files),
		TEST(test_a_directory_is_no_file),
		TEST(test_good_values),
		TEST(test_bad_values),
		TEST(test_required),
		TEST(test_a_secret_from_a_file),
		TEST(test_a_long_value_does_not_hide_the_words),
		TEST(test_prints_what_is_in_force),
		TEST(test_values_there_and_back),
		TEST(test_prints_what_there_is),
	};
	return cmocka_run_group_tests_name("conf", tests, make_dir, remove_dir);
}
