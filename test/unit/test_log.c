/* The log: whole lines of valid JSON whatever is logged, and not too many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/log.h"
#include "base/clock.h"

static int saved_stderr, reader;
static char out[1 << 20]; /* what was written since begin() */
static int64_t began_us;  /* wall clock */

/* From here on stderr goes into a pipe. */
static int
begin(void **state)
{
	(void)state;
	int fds[2];

	if (pipe(fds) != 0)
		return -1;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fcntl(fds[1], F_SETPIPE_SZ, sizeof(out));
	saved_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	reader = fds[0];
	log_init("test", LOG_DEBUG);
	began_us = clock_wall_us();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(reader);
	return 0;
}

static const char *
written(void)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(reader, out + n, sizeof(out) - 1 - n)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	return out;
}

static size_t
count_lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

/* The one line that was written, behind its time. */
static const char *
after_time(void)
{
	const char *line = written();
	int64_t us;

	assert_int_equal(count_lines(line), 1);
	assert_true(strncmp(line, "{\"ts\":\"", 7) == 0);
	assert_true(clock_parse_iso((str){ line + 7, 27 }, &us));
	assert_in_range(us, began_us, clock_wall_us());
	return line + 7 + 27;
}

static void
test_the_form_of_a_line(void **state)
{
	(void)state;
	log_info("%d requests", 3);
	assert_string_equal(after_time(),
	    "\",\"level\":\"info\",\"svc\":\"test\",\"msg\":\"3 requests\"}\n");
	log_write(LOG_ERROR, STR("r-1"), "no \"answer\"");
	assert_string_equal(after_time(),
	    "\",\"level\":\"error\",\"svc\":\"test\",\"id\":\"r-1\","
	    "\"msg\":\"no \\\"answer\\\"\"}\n");
}

static void
test_levels(void **state)
{
	(void)state;
	enum log_level level = LOG_ERROR;

	assert_true(log_level_parse("debug", &level) && level == LOG_DEBUG);
	assert_true(log_level_parse("info", &level) && level == LOG_INFO);
	assert_true(log_level_parse("warn", &level) && level == LOG_WARN);
	assert_true(log_level_parse("error", &level) && level == LOG_ERROR);
	assert_false(log_level_parse("INFO", &level));
	assert_false(log_level_parse("", &level));
	log_init("test", LOG_WARN);
	log_debug("no");
	log_info("no");
	assert_string_equal(written(), "");
	log_warn("yes");
	log_error("yes");
	assert_int_equal(count_lines(written()), 2);
}

/* Nobody can make a second line or leave the string, whatever he sends. */
static void
test_escapes_everything(void **state)
{
	(void)state;
	log_warn("%s", "a\"b\\c\nd\te\x01\x1f\x7f");
	assert_non_null(strstr(after_time(),
	    "\"msg\":\"a\\\"b\\\\c\\u000ad\\u0009e\\u0001\\u001f\\u007f\"}\n"));
	log_warn("%s", "é€😀");
	assert_non_null(strstr(after_time(), "\"msg\":\"é€😀\"}\n"));
	log_warn("%s", "<\xff\xc3|\xed\xa0\x80|\xe2\x82>");
	assert_non_null(strstr(after_time(),
	    "\"msg\":\"<\uFFFD\uFFFD|\uFFFD\uFFFD\uFFFD|\uFFFD\uFFFD>\"}\n"));
	log_write(LOG_WARN, STR("i\"\n\xff\0d"), "id");
	assert_non_null(strstr(after_time(), "\"id\":\"i\\\"\\u000a\uFFFD\\u0000d\""));
}

/* A line fits into PIPE_BUF, so that it arrives in one piece; it stays valid. */
static void
test_cuts_long_messages(void **state)
{
	(void)state;
	static const char *const pieces[] = { "x", "\n", "€", "\xff", "\"" };
	static char message[20000];

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		const char *line;

		message[0] = '\0';
		while (strlen(message) < sizeof(message) - 10)
			strcat(message + strlen(message), pieces[i]);
		log_warn("%s", message);
		line = written();
		assert_true(strlen(line) <= PIPE_BUF);
		assert_true(strlen(line) > PIPE_BUF - 20);
		assert_true(str_is_utf8(str_of(line)));
		assert_string_equal(line + strlen(line) - 6, "…\"}\n");
	}
}

static void
test_keeps_errno(void **state)
{
	(void)state;
	errno = ENOENT;
	log_warn("open: %s", strerror(errno));
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(after_time(), "open: No such file or directory"));
	close(STDERR_FILENO); /* nobody reads the log: the program goes on */
	errno = EAGAIN;
	log_warn("nobody hears this");
	assert_int_equal(errno, EAGAIN);
}

static void
sleep_us(int64_t us)
{
	struct timespec ts = { .tv_sec = (time_t)(us / CLOCK_US_PER_SEC),
		.tv_nsec = (us % CLOCK_US_PER_SEC) * 1000 };

	nanosleep(&ts, NULL);
}

static void
noisy(int i)
{
	log_warn("noise %d", i);
}

/* How many were held back, by what has been written. */
static size_t
count_dropped(const char *text)
{
	static const char name[] = "\"dropped\":";
	size_t n = 0;

	for (; (text = strstr(text, name)) != NULL; text++)
		n += strtoul(text + sizeof(name) - 1, NULL, 10);
	return n;
}

static void
test_limits_each_message(void **state)
{
	(void)state;
	int64_t start_us = clock_mono_us();
	char want[128], dropped[32] = "";
	size_t lines, held;
	const char *line;

	for (int i = 0; i < 100; i++)
		noisy(i);
	line = written();
	lines = count_lines(line);
	/* 20, unless we were kept waiting for a second and more. */
	assert_in_range(
	    lines, 20, 20 * (1 + (clock_mono_us() - start_us) / CLOCK_US_PER_SEC));
	held = 100 - lines - count_dropped(line);
	if (held > 0)
		snprintf(dropped, sizeof(dropped), "\"dropped\":%zu,", held);
	log_warn("another message is not held back");
	assert_int_equal(count_lines(written()), 1);

	sleep_us(CLOCK_US_PER_SEC + 10000);
	noisy(100);
	line = after_time();
	snprintf(want, sizeof(want),
	    "\",\"level\":\"warn\",\"svc\":\"test\",%s\"msg\":\"noise 100\"}\n", dropped);
	assert_string_equal(line, want);
	noisy(101);
	assert_null(strstr(after_time(), "dropped"));
}

/* What is below the lowest level does not use up the limit. */
static void
test_hidden_lines_do_not_count(void **state)
{
	(void)state;
	log_init("test", LOG_WARN);
	for (int i = 0; i < 100; i++)
		log_write(i < 99 ? LOG_DEBUG : LOG_WARN, STR_NULL, "mostly hidden");
	assert_non_null(strstr(after_time(), "mostly hidden"));
}

enum {
	THREADS = 4
};

static void *
log_much(void *arg)
{
	char text[500];

	(void)arg;
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 300; i++) {
		log_info("one %s", text);
		log_warn("two %s", text);
		log_error("three %s", text);
	}
	return NULL;
}

static void
test_threads_do_not_mix_lines(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	char *line, *rest;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_much, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	written();
	assert_true(count_lines(out) >= 60);
	for (rest = out; (line = strsep(&rest, "\n")) != NULL && rest != NULL;) {
		assert_true(strncmp(line, "{\"ts\":\"", 7) == 0);
		assert_string_equal(line + strlen(line) - 5, "yyy\"}");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_form_of_a_line),
		TEST(test_levels),
		TEST(test_escapes_everything),
		TEST(test_cuts_long_messages),
		TEST(test_keeps_errno),
		TEST(test_limits_each_message),
		TEST(test_hidden_lines_do_not_count),
		TEST(test_threads_do_not_mix_lines),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
