/* What charges come to, every branch. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "order/balance_rules.h"

enum {
	ALICE = 1,
	BOB = 2,
	CAROL = 3,
};

struct fixture {
	struct arena *arena;
	struct charge charges[CHARGE_BATCH_MAX];
	struct charge *list[CHARGE_BATCH_MAX];
	size_t count;
	struct charge_plan plan;
};

static int
set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .arena = arena_new() };
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	arena_free(f->arena);
	return 0;
}

static struct charge *
add(struct fixture *f, int64_t user, int64_t amount, bool keyed)
{
	struct charge *c = &f->charges[f->count];

	*c = (struct charge){ .user_id = user, .amount = amount, .keyed = keyed };
	f->list[f->count++] = c;
	return c;
}

static void
plan(struct fixture *f)
{
	charge_plan_make(&f->plan, f->arena, f->list, f->count);
}

/* Asks for the rest; the flag is `together`. */
static void
assert_rest(struct fixture *f, size_t count, bool together)
{
	bool all;

	assert_int_equal(charge_plan_rest(&f->plan, &all), count);
	assert_int_equal(all, together);
}

static void
assert_decided(const struct charge *c, enum err outcome, int64_t balance)
{
	assert_true(c->decided);
	assert_int_equal(c->outcome, outcome);
	assert_int_equal(c->balance, balance);
}

static void
test_users_are_taken_in_order_and_once(void **state)
{
	struct fixture *f = *state;
	const struct charge_plan *p = &f->plan;

	add(f, BOB, 5, false);
	add(f, ALICE, 1, false);
	add(f, BOB, 7, false);
	add(f, CAROL, 9, false);
	plan(f);
	assert_int_equal(p->count, 4);
	assert_int_equal(p->user_count, 3);
	assert_int_equal(p->keyed_count, 0);
	for (int64_t i = 0; i < 3; i++)
		assert_int_equal(p->users[i], ALICE + i);
	assert_int_equal(p->totals[1], 12);
	assert_int_equal(p->firsts[1], 2);
	assert_int_equal(p->lasts[1], 3);
	assert_int_equal(p->firsts[2], 4);
	assert_int_equal(p->lasts[2], 4);
	assert_int_equal(p->uptos[1], p->charges[1]->amount);
	assert_int_equal(p->uptos[2], 12);
	assert_int_equal(p->uptos[3], 9);
}

static void
test_each_charge_has_its_own_balance(void **state)
{
	struct fixture *f = *state;
	struct charge *alone = add(f, BOB, 5, false);
	struct charge *one = add(f, ALICE, 10, false), *two = add(f, ALICE, 10, false);

	plan(f);
	charge_plan_charge(&f->plan, 0, 100);
	charge_plan_charge(&f->plan, 1, 0);
	charge_plan_end(&f->plan);
	assert_rest(f, 0, false);
	assert_decided(alone, ERR_OK, 5);
	assert_int_equal(one->balance + two->balance, 110 + 120);
	assert_int_not_equal(one->balance, two->balance);
	assert_false(one->replayed);
}

static void
test_a_user_without_an_account(void **state)
{
	struct fixture *f = *state;
	struct charge *known = add(f, ALICE, 1, false);
	struct charge *one = add(f, BOB, 1, false), *two = add(f, BOB, 1, false);

	plan(f);
	charge_plan_charge(&f->plan, 0, 0);
	charge_plan_end(&f->plan);
	assert_rest(f, 0, false);
	assert_decided(known, ERR_OK, 1);
	assert_decided(one, ERR_USER_UNKNOWN, 0);
	assert_decided(two, ERR_USER_UNKNOWN, 0);
}

static void
test_an_earlier_request_is_repeated_and_the_others_go_again(void **state)
{
	struct fixture *f = *state;
	struct charge *other = add(f, CAROL, 3, false), *fresh = add(f, ALICE, 3, true);
	struct charge *same = add(f, ALICE, 4, true), *changed = add(f, BOB, 5, true);

	plan(f);
	assert_int_equal(f->plan.keyed_count, 3);
	for (size_t i = 0; i < 3; i++) {
		if (f->plan.keyed[i] == same)
			charge_plan_repeat(&f->plan, i, 4, 44);
		if (f->plan.keyed[i] == changed)
			charge_plan_repeat(&f->plan, i, 6, 66);
	}
	charge_plan_end(&f->plan);
	assert_decided(same, ERR_OK, 44);
	assert_true(same->replayed);
	assert_decided(changed, ERR_KEY_REUSED, 66);
	assert_false(changed->replayed);
	assert_false(other->decided);
	assert_rest(f, 2, true);
	assert_ptr_equal(f->plan.charges[0], fresh);
	assert_ptr_equal(f->plan.charges[1], other);
}

static void
test_the_limit_of_a_balance(void **state)
{
	struct fixture *f = *state;
	struct charge *fits = add(f, ALICE, 2, false), *over = add(f, BOB, 2, false);

	plan(f);
	charge_plan_charge(&f->plan, 0, BALANCE_MAX - 2);
	charge_plan_charge(&f->plan, 1, BALANCE_MAX - 1);
	charge_plan_end(&f->plan);
	assert_rest(f, 0, false);
	assert_decided(fits, ERR_OK, BALANCE_MAX);
	assert_decided(over, ERR_BALANCE_LIMIT, 0);
}

static void
test_too_much_only_as_a_sum_goes_again_alone(void **state)
{
	struct fixture *f = *state;
	struct charge *known = add(f, ALICE, 1, false);

	add(f, BOB, 2, false);
	add(f, BOB, 1, false);
	plan(f);
	charge_plan_charge(&f->plan, 0, 0);
	charge_plan_charge(&f->plan, 1, BALANCE_MAX - 2);
	charge_plan_end(&f->plan);
	assert_true(known->decided);
	assert_rest(f, 2, false);
	assert_int_equal(f->plan.charges[0]->user_id, BOB);
	assert_int_equal(f->plan.charges[1]->user_id, BOB);
}

static void
test_the_largest_batch_does_not_overflow(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < CHARGE_BATCH_MAX; i++)
		add(f, ALICE, CHARGE_MAX, false);
	plan(f);
	assert_int_equal(f->plan.totals[0], CHARGE_BATCH_MAX * CHARGE_MAX);
	charge_plan_charge(&f->plan, 0, BALANCE_MAX);
	assert_rest(f, CHARGE_BATCH_MAX, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_users_are_taken_in_order_and_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_each_charge_has_its_own_balance, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_user_without_an_account, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_an_earlier_request_is_repeated_and_the_others_go_again, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    test_the_limit_of_a_balance, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_too_much_only_as_a_sum_goes_again_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_the_largest_batch_does_not_overflow, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
