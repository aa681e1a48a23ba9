/* onrush seed: fills in the demo data, one part for each service. */
#include <stdio.h>

#include "base/clock.h"
#include "onrush/commands.h"
#include "onrush/seed.h"

#define TIMEOUT_US (60 * CLOCK_US_PER_SEC)
#define CONNECT_US (5 * CLOCK_US_PER_SEC)

enum {
	MAX_IDS = 64
};

static int (*const parts[])(const struct seeding *) = {
	seed_coupons,
	seed_concerts, /* before the shop: what a reset gives back comes first */
	seed_shop,
	seed_lines,
};

int
seed_fail(const struct seeding *s, enum err err)
{
	bool away = err == ERR_UNAVAILABLE || err == ERR_UNKNOWN_OUTCOME;

	return ctl_fail(
	    away ? CTL_UNREACHABLE : CTL_FAILED, "seed: %s", pgsync_message(s->pg));
}

static int
run(struct ctl *ctl)
{
	int64_t ids[MAX_IDS];
	struct seeding s = {
		.ctl = ctl,
		.reset = ctl_flag(ctl, "--reset"),
		.ids = ids,
		.id_count = (size_t)ctl->operand_count,
	};
	int status = CTL_OK;

	if (!s.reset && s.id_count > 0)
		return ctl_fail(CTL_USAGE, "ids go with --reset only");
	for (int i = 0; i < ctl->operand_count; i++)
		if (!ctl_operand_id(ctl, i, &ids[i]))
			return CTL_USAGE;
	s.pg = ctl_connect(ctl, CONNECT_US);
	if (s.pg == NULL)
		return CTL_UNREACHABLE;
	pgsync_free(s.pg);
	s.pg = pgsync_new(ctl->settings.pg_dsn, "seed", TIMEOUT_US);
	for (size_t i = 0; i < ARRAY_LEN(parts) && status == CTL_OK; i++)
		status = parts[i](&s);
	pgsync_free(s.pg);
	return status;
}

static const struct ctl_option options[] = {
	{ "--reset", NULL, NULL, 0, 0, NULL,
	    "Put demo data back to its beginning; what campaigns issued is deleted." },
};

const struct ctl_command CMD_SEED = {
	.name = "seed",
	.operands = "ID…",
	.max_operands = MAX_IDS,
	.summary = "Fill in the demo data",
	.text =
	    "Campaigns: 1 (10,000 pieces, 30 % off), 8 to 13 (100,000 each), 20\n"
	    "(1,000) and 21 (unlimited for five minutes from now), all open and\n"
	    "valid for seven days. Products 1 to 10000, 1,000 pieces of each for\n"
	    "1,000 won; accounts of users 1 to 10000 with 1,000,000 won; and sales\n"
	    "of today and the two days before, for the ranks. Concerts 1 to 100 with\n"
	    "two dates each: date 1 has seats 1 to 100, the others 50 each, for\n"
	    "10,000 won. The general line (0) serves 1,000 people a second; line 1\n"
	    "opens after five minutes.\n"
	    "\n"
	    "Running it again changes nothing that is there, with one exception: a\n"
	    "demo campaign whose time is over gets a new time (21 opens for another\n"
	    "five minutes) and keeps what it issued. With --reset, the given\n"
	    "campaigns (without ids: all of the demo) begin anew: their coupons are\n"
	    "deleted and they get a new generation. Programs notice within a\n"
	    "second. Campaigns that were not made by this command are refused.\n"
	    "Without ids, seats of the demo become free (who has paid gets the money\n"
	    "back), products and accounts are refilled to what they began with, and\n"
	    "lines work as they did; orders and transfers stay, and so does the\n"
	    "place of everyone in a line.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
