/* One receipt, its path and a signed head: together they prove, changed they do not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "verify_rig.h"

/* A receipt with its way to the head of its batch. */
struct proof {
	struct receipt receipt;
	struct sha256 path[BATCH];
	size_t path_count;
	struct chain_head head;
};

static void
make_proof(struct proof *p, const struct record *r, int i)
{
	p->receipt = r->receipts[i];
	p->head = r->heads[i / BATCH];
	p->path_count = 0;
	for (int64_t rank = i + 2; rank <= p->head.rank; rank++)
		p->path[p->path_count++] = receipt_entry(&r->receipts[rank - 1]);
}

static bool
is_valid(const struct proof *p)
{
	char why[128] = "";
	bool valid = verify_receipt(
	    &p->receipt, p->path, p->path_count, &p->head, &checker, 1, why, sizeof(why));

	assert_true(valid == (why[0] == '\0'));
	return valid;
}

static void
test_every_receipt_has_a_proof(void **state UNUSED)
{
	struct record r;
	struct proof p;

	make_record(&r);
	for (int i = 0; i < ISSUED; i++) {
		make_proof(&p, &r, i);
		assert_true(is_valid(&p));
	}
}

static void
change(struct proof *p, const struct record *r, int field)
{
	switch (field) {
	case 0: p->receipt.coupon_id++; break;
	case 1: p->receipt.rank++; break;
	case 2: p->receipt.rank = p->head.rank + 1; break;
	case 3: p->receipt.user_id++; break;
	case 4: p->receipt.issued_us++; break;
	case 5: flip(p->receipt.request_id.b, sizeof(p->receipt.request_id.b)); break;
	case 6: flip(p->receipt.previous.b, SHA256_SIZE); break;
	case 7: flip(p->receipt.hash.b, SHA256_SIZE); break;
	case 8: flip(p->path, p->path_count * SHA256_SIZE); break;
	case 9: p->path_count--; break;
	case 10: p->head.rank++; break;
	case 11: p->head.coupon_id++; break;
	case 12: flip(p->head.hash.b, SHA256_SIZE); break;
	case 13: flip(p->head.signature, SIGN_SIZE); break;
	case 14: p->head.key_id[3] ^= 1; break;
	case 15: p->head = r->heads[HEADS - 1]; break;
	}
}

static void
test_every_change_is_noticed(void **state UNUSED)
{
	struct record r;
	struct proof p;

	make_record(&r);
	for (int i = 0; i < BATCH - 1; i++)
		for (int field = 0; field <= 15; field++) {
			make_proof(&p, &r, i);
			change(&p, &r, field);
			if (is_valid(&p))
				fail_msg(
				    "change %d of rank %d was not noticed", field, i + 1);
		}
}

/* The last of a batch is signed itself; it needs no path and takes none. */
static void
test_the_head_itself(void **state UNUSED)
{
	struct record r;
	struct proof p;

	make_record(&r);
	make_proof(&p, &r, BATCH - 1);
	assert_int_equal(p.path_count, 0);
	assert_true(is_valid(&p));
	p.path[p.path_count++] = receipt_entry(&r.receipts[BATCH]);
	assert_false(is_valid(&p));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_receipt_has_a_proof),
		cmocka_unit_test(test_every_change_is_noticed),
		cmocka_unit_test(test_the_head_itself),
	};

	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
