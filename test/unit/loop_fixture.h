/* What the tests of the loop share: a loop, a trace of what was called, a run that ends.
 */
#ifndef ONRUSH_TEST_LOOP_FIXTURE_H
#define ONRUSH_TEST_LOOP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "app/loop.h"
#include "base/clock.h"

#define MS(n) ((n)*CLOCK_US_PER_MS)

static struct loop *loop;
static char trace[256]; /* what was called, a letter each */

static inline int
begin(void **state)
{
	(void)state;
	loop = loop_new();
	trace[0] = '\0';
	return 0;
}

static inline int
end(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static inline void
note(char letter)
{
	size_t n = strlen(trace);

	assert_true(n + 1 < sizeof(trace));
	trace[n] = letter;
	trace[n + 1] = '\0';
}

static inline void
stop_soon(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Runs the loop for about this long. */
static inline void
run_for(int64_t us)
{
	struct loop_timer *t = loop_timer_new(loop, stop_soon, NULL);

	loop_timer_set(t, us);
	loop_run(loop);
	loop_timer_free(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
