#include "coupon/uses_rules.h"

#include "coupon/uses.h"

static enum err
judge(const struct use_facts *f)
{
	if (!f->known)
		return ERR_COUPON_UNKNOWN;
	if (!f->owned)
		return ERR_COUPON_NOT_OWNED;
	if (!f->valid)
		return ERR_COUPON_EXPIRED;
	return f->taken_rank != 0 ? ERR_OK : ERR_COUPON_USED;
}

void
use_decide(struct use *use, const struct use_facts *f)
{
	use->raced = false;
	if (f->earlier_coupon == 0) {
		use->outcome = judge(f);
		use->rank = use->outcome == ERR_OK ? f->taken_rank : 0;
		use->raced = use->outcome == ERR_COUPON_USED && f->free_rank != 0;
		return;
	}
	use->rank = f->earlier_rank;
	use->outcome =
	    f->earlier_coupon == use->coupon_id && f->earlier_user == use->user_id
		? ERR_OK
		: ERR_ORDER_STATE;
}
