/*
 * The demo's waiting lines: settings of the general one (0) that let a few people walk in
 * at once and make thousands wait a little, and one for an event (1) that opens five
 * minutes from now and shuffles who came before.
 *
 * A line's numbers only grow, so a reset changes settings and nothing else.
 */
#include <stdio.h>

#include "onrush/seed.h"

/* The general line is there from the start; its first version is as nobody wanted it. So
 * many may be active because a stack that is restarted, without Redis's data, takes
 * places for active that nobody has. */
#define GENERAL                                                                          \
	"rate = 1000, max_active = 1000000, active_ms = 600000, no_show_ms = 60000"
#define EVENT "rate = 50, max_active = 200, active_ms = 300000, no_show_ms = 60000"

static const struct pg_stmt adopt_general = { "seed_line_general",
	"with made as (update queue.lines set " GENERAL ", version = version + 1"
	" where line_id = 0 and version = 1 returning line_id)"
	" insert into onrush.demo (kind, id) select 'line', line_id from made"
	" on conflict do nothing" };

static const struct pg_stmt add_event = { "seed_line_event",
	"with made as (insert into queue.lines (line_id, name, mode, rate, max_active,"
	" active_ms, no_show_ms, opens_at, closes_at, seed)"
	" values (1, 'A night of strings', 'random', 50, 200, 300000, 60000,"
	" now() + interval '5 minutes', '2099-12-31 00:00:00+00',"
	" sha256(gen_random_uuid()::text::bytea)) on conflict do nothing returning "
	"line_id)"
	" insert into onrush.demo (kind, id) select 'line', line_id from made"
	" on conflict do nothing" };

static const struct pg_stmt reset_general = { "seed_line_reset_0",
	"update queue.lines set mode = 'fifo', " GENERAL ", version = version + 1"
	" from onrush.demo where kind = 'line' and id = line_id and line_id = 0" };
static const struct pg_stmt reset_event = { "seed_line_reset_1",
	"update queue.lines set mode = 'random', " EVENT ", version = version + 1"
	" from onrush.demo where kind = 'line' and id = line_id and line_id = 1" };

int
seed_lines(const struct seeding *s)
{
	enum err err;

	if (s->id_count > 0) /* those are campaigns */
		return CTL_OK;
	pgsync_queue(s->pg, &PGSYNC_BEGIN, NULL);
	pgsync_queue(s->pg, &adopt_general, NULL);
	pgsync_queue(s->pg, &add_event, NULL);
	if (s->reset) {
		pgsync_queue(s->pg, &reset_general, NULL);
		pgsync_queue(s->pg, &reset_event, NULL);
	}
	pgsync_queue(s->pg, &PGSYNC_COMMIT, NULL);
	if ((err = pgsync_run(s->pg)) != ERR_OK)
		return seed_fail(s, err);
	if (pg_affected(pgsync_result(s->pg, 2)) > 0)
		printf("lines 0 and 1: line 1 opens in five minutes\n");
	else
		printf("lines 0 and 1: are there\n");
	if (s->reset)
		printf("lines 0 and 1: work as they did; nobody lost a place\n");
	return CTL_OK;
}
