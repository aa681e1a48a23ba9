/* Demo data. Each service's part is a function in a seed_<service>.c and a row of the
 * table in cmd_seed.c. */
#ifndef ONRUSH_ONRUSH_SEED_H
#define ONRUSH_ONRUSH_SEED_H

#include "onrush/ctl.h"
#include "store/pgsync.h"

/* What a part is called with; all borrowed. */
struct seeding {
	struct ctl *ctl;
	struct pgsync *pg;
	bool reset;         /* put demo data back to its beginning … */
	const int64_t *ids; /* … only these coupons, */
	size_t id_count;    /* or all when it is 0 */
};

/* Each prints what it did and gives the exit status. */
int seed_coupons(const struct seeding *s);
int seed_shop(const struct seeding *s);
int seed_concerts(const struct seeding *s);
int seed_lines(const struct seeding *s);

/* For the parts: says what the database has against it, and gives the exit status. */
int seed_fail(const struct seeding *s, enum err err);

#endif
