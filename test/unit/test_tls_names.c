/* Which certificate fits which name; which keys of tickets there are, and for how long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/tls_names.h"
#include "crypto/tls_ticket_ring.h"

static void
names_fit_exactly_or_by_a_wildcard(void **state)
{
	static const struct {
		const char *certified, *asked;
		enum tls_fit fit;
	} rows[] = {
		{ "shop.example", "shop.example", TLS_FIT_EXACT },
		{ "shop.example", "SHOP.Example", TLS_FIT_EXACT },
		{ "shop.example", "shop.example.", TLS_FIT_EXACT },
		{ "shop.example", "shop.example..", TLS_FIT_NOT },
		{ "shop.example", "a.shop.example", TLS_FIT_NOT },
		{ "shop.example", "", TLS_FIT_NOT },
		{ "shop.example", ".", TLS_FIT_NOT },
		{ "*.shop.example", "a.shop.example", TLS_FIT_WILDCARD },
		{ "*.SHOP.example", "a.shop.EXAMPLE.", TLS_FIT_WILDCARD },
		{ "*.shop.example", "a.b.shop.example", TLS_FIT_NOT },
		{ "*.shop.example", "shop.example", TLS_FIT_NOT },
		{ "*.shop.example", ".shop.example", TLS_FIT_NOT },
		{ "*.shop.example", "*.shop.example", TLS_FIT_EXACT },
		{ "*.example", "shop.example", TLS_FIT_NOT },
		{ "a*.shop.example", "ab.shop.example", TLS_FIT_NOT },
		{ "*", "localhost", TLS_FIT_NOT },
		{ "*.", "localhost.", TLS_FIT_NOT },
		{ "localhost", "localhost", TLS_FIT_EXACT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum tls_fit fit =
		    tls_name_fit(str_of(rows[i].certified), str_of(rows[i].asked));

		if (fit != rows[i].fit)
			fail_msg("%s for %s: %d", rows[i].certified, rows[i].asked, fit);
	}
}

/* A key that can be told from others by its first byte. */
static struct ticket_key
key(unsigned char n)
{
	struct ticket_key k = { 0 };

	k.name[0] = n;
	return k;
}

static bool
knows(const struct ticket_ring *ring, unsigned char n)
{
	struct ticket_key wanted = key(n);
	const struct ticket_key *found = ticket_ring_find(ring, wanted.name);

	return found != NULL && found->name[0] == n;
}

static void
turn(struct ticket_ring *ring, unsigned char n, int64_t now_us)
{
	struct ticket_key fresh = key(n);

	assert_true(ticket_ring_due(ring, now_us, 100));
	ticket_ring_turn(ring, &fresh, now_us, 100);
	assert_false(ticket_ring_due(ring, now_us, 100));
	assert_false(ticket_ring_due(ring, now_us + 99, 100));
	assert_int_equal(ring->keys[0].name[0], n);
}

static void
a_key_of_tickets_lasts_for_two_terms(void **state)
{
	struct ticket_ring ring = { 0 };

	(void)state;
	assert_false(knows(&ring, 0));
	turn(&ring, 1, 1000);
	assert_true(knows(&ring, 1));
	turn(&ring, 2, 1100);
	assert_true(knows(&ring, 1));
	assert_true(knows(&ring, 2));
	turn(&ring, 3, 1250);
	assert_false(knows(&ring, 1));
	assert_true(knows(&ring, 2));
	assert_true(knows(&ring, 3));
}

static void
a_key_that_nobody_asked_for_in_time_is_forgotten(void **state)
{
	static const struct ticket_key nothing;
	struct ticket_ring ring = { 0 };

	(void)state;
	turn(&ring, 1, 1000);
	turn(&ring, 2, 1199);
	assert_true(knows(&ring, 1));
	turn(&ring, 3, 1399);
	assert_false(knows(&ring, 1));
	assert_false(knows(&ring, 2));
	assert_true(knows(&ring, 3));
	assert_memory_equal(&ring.keys[1], &nothing, sizeof(nothing));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_fit_exactly_or_by_a_wildcard),
		cmocka_unit_test(a_key_of_tickets_lasts_for_two_terms),
		cmocka_unit_test(a_key_that_nobody_asked_for_in_time_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
