/* Takes away what nobody needs any more: answers to refused requests for coupons, which
 * are promised for a day. */
#include "keeper/jobs.h"

#define KEPT_US  (24 * 3600 * CLOCK_US_PER_SEC)
#define SLICE_US (60 * CLOCK_US_PER_SEC) /* how much longer the last ones are kept */

enum {
	PURGE_MAX = 5000, /* in one transaction */
};

/* Between two times, so that a run does not walk over what earlier ones have deleted. */
static const struct pg_stmt purge = { "keeper_purge",
	"delete from coupon.refusals where request_id = any(array("
	"select request_id from coupon.refusals where decided_at >= $1::timestamptz"
	" and decided_at < $2::timestamptz limit $3))" };

enum err
care_purge(struct keeper *k)
{
	struct pg_params *p = keeper_params(k);
	int64_t until_us = clock_wall_us() - KEPT_US;
	enum err err;

	pg_add_time(p, k->purged_us);
	pg_add_time(p, until_us);
	pg_add_i64(p, PURGE_MAX);
	pgsync_queue(k->pg, &purge, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	k->more = pg_affected(pgsync_result(k->pg, 0)) == PURGE_MAX;
	/* A transaction that took long may have left its rows behind. */
	if (!k->more)
		k->purged_us = until_us - SLICE_US;
	return ERR_OK;
}
