/* The command line of every program. */
#include "app_fixture.h"

static bool
start(struct app *app)
{
	(void)app;
	note('(');
	return true;
}

static struct app_desc
describe(void)
{
	return (struct app_desc){
		.name = "test",
		.summary = "Is tested.",
		.conf = conf,
		.conf_count = ARRAY_LEN(conf),
		.settings = &settings,
		.start = start,
	};
}

static void
assert_answers(const char *option, const char *want)
{
	const struct app_desc desc = describe();

	rewind(out);
	assert_int_equal(ftruncate(fileno(out), 0), 0);
	assert_int_equal(status_of(launch(&desc, option, NULL)), 0);
	assert_non_null(strstr(printed(out), want));
	assert_string_equal(printed(err), "");
	assert_int_equal(trace->size, 0);
}

static void
test_options_that_only_ask(void **state)
{
	(void)state;
	setenv("ONRUSH_T_KEY", "s3cret", 1);
	assert_answers("--version", "onrush-test " ONRUSH_VERSION "\n");
	assert_answers("--check", "ok\n");
	assert_answers("--settings", "ONRUSH_T_KEY=***\n");
	assert_answers("--settings-markdown", "| `ONRUSH_WORKERS` | `2` |");
	assert_answers("--help", "ONRUSH_DRAIN_MS=10000\n");
	/* Only what needs the settings fails with them. */
	setenv("ONRUSH_WORKERS", "many", 1);
	assert_answers("--help", "ONRUSH_DRAIN_MS=10000\n");
}

static void
assert_fails(const char *arg1, const char *arg2, const char *want)
{
	const struct app_desc desc = describe();

	rewind(err);
	assert_int_equal(ftruncate(fileno(err), 0), 0);
	assert_int_equal(status_of(launch(&desc, arg1, arg2)), 1);
	assert_non_null(strstr(printed(err), want));
	assert_string_equal(printed(out), "");
	assert_int_equal(trace->size, 0);
}

static void
test_wrong_options_and_settings(void **state)
{
	(void)state;
	assert_fails("--nonsense", NULL, "unrecognized option '--nonsense'");
	assert_fails("extra", NULL, "takes options only, not \"extra\"");
	assert_fails("--config", NULL, "requires an argument");
	assert_fails("--config", "/nonexistent", "/nonexistent: cannot be read");
	setenv("ONRUSH_WORKERS", "abc", 1);
	assert_fails(
	    NULL, NULL, "ONRUSH_WORKERS=abc: must be a whole number from 0 to 256.\n");
	assert_fails("--check", NULL,
	    "ONRUSH_WORKERS=abc: must be a whole number from 0 to 256.\n");
	unsetenv("ONRUSH_WORKERS");
	setenv("ONRUSH_LOG_LEVEL", "loud", 1);
	assert_fails(
	    NULL, NULL, "ONRUSH_LOG_LEVEL=loud: must be debug, info, warn or error.\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_options_that_only_ask),
		TEST(test_wrong_options_and_settings),
	};
	return cmocka_run_group_tests_name("app args", tests, NULL, NULL);
}
