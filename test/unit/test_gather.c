/* When messages leave together: the trials and what they decide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/gather.h"

static long waits;
static int asked;

static long
count(void)
{
	asked++;
	return waits;
}

/* Sends `messages` one by one, of which each `every`-th makes the thread wait (0: none).
 */
static void
send_all(struct gather *g, int messages, int every)
{
	for (int i = 1; i <= messages; i++) {
		if (every > 0 && i % every == 0)
			waits++;
		gather_sent(g, 1, count);
	}
}

/* To the beginning of the first trial. */
static void
begin(struct gather *g)
{
	asked = 0;
	waits = 1000; /* of the time before */
	gather_init(g);
	assert_true(g->together);
	send_all(g, GATHER_SPAN - 1, 1);
	assert_true(g->together);
	assert_int_equal(asked, 0);
	send_all(g, 1, 0);
	assert_false(g->together);
}

static void
test_who_is_never_made_to_wait_sends_singly(void **state)
{
	struct gather g;

	(void)state;
	begin(&g);
	for (int i = 0; i < 300; i++) {
		send_all(&g, GATHER_TRIAL, 32); /* so many are no more than so many */
		assert_false(g.together);
	}
	assert_int_equal(asked, 301);
}

static void
test_who_is_made_to_wait_sends_together(void **state)
{
	struct gather g;

	(void)state;
	begin(&g);
	for (int i = 0; i < 3; i++) {
		send_all(&g, GATHER_TRIAL, 8);
		assert_true(g.together);
		send_all(&g, GATHER_SPAN - 1, 0);
		assert_true(g.together);
		send_all(&g, 1, 0); /* and tries again */
		assert_false(g.together);
	}
}

/* What happened while they left together says nothing about the trial. */
static void
test_only_the_trial_decides(void **state)
{
	struct gather g;

	(void)state;
	begin(&g);
	send_all(&g, GATHER_TRIAL, 8);
	send_all(&g, GATHER_SPAN, 2);
	send_all(&g, GATHER_TRIAL, 0);
	assert_false(g.together);
	send_all(&g, GATHER_TRIAL, 28);
	assert_true(g.together);
}

/* As a queue does: what leaves at once may be more than what is left of a trial. */
static void
test_many_at_once(void **state)
{
	struct gather g;

	(void)state;
	begin(&g);
	gather_sent(&g, GATHER_TRIAL - 1, count);
	waits += GATHER_WAITS + 1;
	assert_false(g.together);
	gather_sent(&g, 128, count);
	assert_true(g.together);
	assert_int_equal(g.left, GATHER_SPAN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_never_made_to_wait_sends_singly),
		cmocka_unit_test(test_who_is_made_to_wait_sends_together),
		cmocka_unit_test(test_only_the_trial_decides),
		cmocka_unit_test(test_many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
