/* Metrics and the Prometheus text format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/metrics.h"
#include "base/clock.h"

static struct buf out;

static const char *
print(void)
{
	buf_clear(&out);
	metrics_print(&out);
	buf_add(&out, "", 1); /* the NUL */
	return out.p;
}

static int
fini(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static void
test_counters_and_gauges(void **state)
{
	(void)state;
	struct counter *c = counter_new("onrush_t_requests_total", "Requests.", NULL);
	struct gauge *g = gauge_new("onrush_t_waiting", "Waiting\nnow \\o/.", NULL);

	counter_add(c, 3);
	counter_add(c, UINT64_C(1) << 40);
	gauge_set(g, 5);
	gauge_add(g, -7);
	assert_true(counter_value(c) == (UINT64_C(1) << 40) + 3);
	assert_int_equal(gauge_value(g), -2);
	assert_non_null(strstr(print(), "# HELP onrush_t_requests_total Requests.\n"
					"# TYPE onrush_t_requests_total counter\n"
					"onrush_t_requests_total 1099511627779\n"));
	assert_non_null(strstr(print(), "# HELP onrush_t_waiting Waiting\\nnow \\\\o/.\n"
					"# TYPE onrush_t_waiting gauge\n"
					"onrush_t_waiting -2\n"));
}

/* One HELP and TYPE for a name, its lines together, whatever came between. */
static void
test_metrics_of_a_name_stand_together(void **state)
{
	(void)state;
	struct counter *a =
	    counter_new("onrush_t_by_code_total", "By code.", "code=\"200\"");

	counter_new("onrush_t_between_total", "Between.", NULL);
	counter_add(counter_new("onrush_t_by_code_total", "By code.", "code=\"503\""), 2);
	counter_add(a, 1);
	assert_ptr_equal(
	    counter_new("onrush_t_by_code_total", "By code.", "code=\"200\""), a);
	assert_non_null(strstr(print(), "# HELP onrush_t_by_code_total By code.\n"
					"# TYPE onrush_t_by_code_total counter\n"
					"onrush_t_by_code_total{code=\"200\"} 1\n"
					"onrush_t_by_code_total{code=\"503\"} 2\n"));
	assert_int_equal(count(print(), "TYPE onrush_t_by_code_total "), 1);
}

/* A registered name is a copy: its maker's strings may go. */
static void
test_strings_are_copied(void **state)
{
	(void)state;
	char *name = strdup("onrush_t_copied_total"), *labels = strdup("a=\"b\"");

	counter_new(name, name, labels);
	free(name);
	free(labels);
	assert_non_null(strstr(print(), "\nonrush_t_copied_total{a=\"b\"} 0\n"));
}

static void
test_histograms(void **state)
{
	(void)state;
	struct histogram *h =
	    histogram_new("onrush_t_wait_seconds", "Wait.", "route=\"/x\"");

	histogram_observe_us(h, -1);
	histogram_observe_us(h, 500);
	histogram_observe_us(h, 501);
	histogram_observe_us(h, 10 * CLOCK_US_PER_SEC);
	histogram_observe_us(h, 3600 * CLOCK_US_PER_SEC);
	assert_non_null(strstr(print(),
	    "# TYPE onrush_t_wait_seconds histogram\n"
	    "onrush_t_wait_seconds_bucket{route=\"/x\",le=\"0.0005\"} 2\n"
	    "onrush_t_wait_seconds_bucket{route=\"/x\",le=\"0.001\"} 3\n"));
	assert_non_null(
	    strstr(print(), "onrush_t_wait_seconds_bucket{route=\"/x\",le=\"5\"} 3\n"
			    "onrush_t_wait_seconds_bucket{route=\"/x\",le=\"10\"} 4\n"
			    "onrush_t_wait_seconds_bucket{route=\"/x\",le=\"+Inf\"} 5\n"
			    "onrush_t_wait_seconds_sum{route=\"/x\"} 3610.001001\n"
			    "onrush_t_wait_seconds_count{route=\"/x\"} 5\n"));
	histogram_observe_us(histogram_new("onrush_t_bare_seconds", "Bare.", NULL), 1);
	assert_non_null(
	    strstr(print(), "\nonrush_t_bare_seconds_bucket{le=\"0.0005\"} 1\n"));
	assert_non_null(strstr(print(), "\nonrush_t_bare_seconds_sum 0.000001\n"));
}

/* The value of a metric without labels. */
static double
value_of(const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\n%s ", name);
	at = strstr(print(), key);
	assert_non_null(at);
	return strtod(at + strlen(key), NULL);
}

static void
test_the_process_itself(void **state)
{
	(void)state;
	double now = (double)clock_wall_us() / 1e6, before = value_of("process_open_fds");
	FILE *f = fopen("/dev/null", "re");

	assert_non_null(f);
	assert_true(value_of("process_open_fds") == before + 1);
	fclose(f);
	assert_true(value_of("process_cpu_seconds_total") > 0);
	assert_true(value_of("process_resident_memory_bytes") > 500e3);
	/* The test began a moment ago; the kernel counts in hundredths of a second. */
	assert_true(value_of("process_start_time_seconds") > now - 60);
	assert_true(value_of("process_start_time_seconds") < now + 0.05);
}

/* Every line is a comment of a known form or `name{labels} value`. */
static void
test_every_line_has_the_form(void **state)
{
	(void)state;
	char *line, *rest;

	print();
	assert_int_equal(out.p[out.len - 2], '\n');
	for (rest = out.p; (line = strsep(&rest, "\n")) != NULL && line[0] != '\0';) {
		char *end, *value = strrchr(line, ' ');

		if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0)
			continue;
		assert_true(line[0] >= 'a' && line[0] <= 'z');
		assert_non_null(value);
		strtod(value + 1, &end);
		assert_true(end > value + 1 && *end == '\0');
	}
}

enum {
	THREADS = 4,
	ADDS = 50000
};

static void *
add_much(void *arg)
{
	struct counter *c = counter_new("onrush_t_shared_total", "Shared.", NULL);
	struct histogram *h = histogram_new("onrush_t_shared_seconds", "Shared.", NULL);

	(void)arg;
	for (int i = 0; i < ADDS; i++) {
		counter_add(c, 1);
		histogram_observe_us(h, i);
		if (i % (ADDS / 10) == 0) {
			struct buf text = { 0 };

			metrics_print(&text);
			buf_fini(&text);
		}
	}
	return NULL;
}

static void
test_threads_count_together(void **state)
{
	(void)state;
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_much, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(value_of("onrush_t_shared_total") == THREADS * ADDS);
	assert_true(value_of("onrush_t_shared_seconds_count") == THREADS * ADDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters_and_gauges),
		cmocka_unit_test(test_metrics_of_a_name_stand_together),
		cmocka_unit_test(test_strings_are_copied),
		cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_the_process_itself),
		cmocka_unit_test(test_threads_count_together),
		cmocka_unit_test(test_every_line_has_the_form),
	};
	return cmocka_run_group_tests_name("metrics", tests, NULL, fini);
}
