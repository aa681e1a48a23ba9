/* onrush coupon export: a whole campaign as a file, for checking it elsewhere. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "onrush/campaign_sink.h"
#include "onrush/commands.h"
#include "store/pgsync.h"

#define TIMEOUT_US (60 * CLOCK_US_PER_SEC)
#define CONNECT_US (5 * CLOCK_US_PER_SEC)

static int
finish(struct campaign_writer *w, enum campaign_end end, int64_t id, const char *why)
{
	if (end == CAMPAIGN_BROKEN)
		return ctl_fail(CTL_UNREACHABLE, "PostgreSQL: %s", why);
	if (end == CAMPAIGN_UNKNOWN)
		return ctl_fail(CTL_FAILED, "there is no campaign %" PRId64, id);
	/* main says that the output could not be written. */
	return end == CAMPAIGN_COMPLETE && campaign_writer_end(w) ? CTL_OK : CTL_FAILED;
}

static int
run(struct ctl *ctl)
{
	struct campaign_writer *w;
	struct campaign_sink sink;
	struct pgsync *pg;
	const char *why = "";
	int64_t id;
	int status;

	if (!ctl_operand_id(ctl, 0, &id))
		return CTL_USAGE;
	pg = ctl_connect(ctl, CONNECT_US);
	if (pg == NULL)
		return CTL_UNREACHABLE;
	pgsync_free(pg);
	pg = pgsync_new(ctl->settings.pg_dsn, "export", TIMEOUT_US);
	w = campaign_writer_new(stdout);
	campaign_writer_sink(w, &sink);
	status = finish(w, campaign_read_pg(pg, ctl->arena, id, &sink, &why), id, why);
	campaign_writer_free(w);
	pgsync_free(pg);
	return status;
}

const struct ctl_command CMD_COUPON_EXPORT = {
	.name = "coupon export",
	.operands = "ID",
	.min_operands = 1,
	.max_operands = 1,
	.summary =
	    "Write a whole campaign to the standard output, for onrush verify --from",
	.text = "JSON lines, from one snapshot of the database: the campaign, its\n"
		"receipts in the order of their ranks, each signed head after the\n"
		"receipt that it signs, and a last line with a sum over all before it.\n"
		"\n"
		"  onrush coupon export 1 > 1.jsonl\n",
	.run = run,
};
