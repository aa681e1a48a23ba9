#include "order/order_ids.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"

/* As much as the sequence goes up by. */
#define BLOCK INT64_C(10000)

#define RETRY_US (100 * CLOCK_US_PER_MS)

struct order_ids {
	struct pgpool *pg;        /* borrowed */
	struct loop_timer *retry; /* owned */
	int64_t next, end;        /* [next, end) is left of the block in use … */
	int64_t spare; /* … and this one begins when it is used up; 0: none */
	bool asking;
	atomic_bool ready; /* all the rest belongs to the loop */
};

static const struct pg_stmt next_block = { "order_ids",
	"select nextval('orders.order_ids')" };

static void ask(void *arg);
static void
on_block(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);

struct order_ids *
order_ids_new(struct loop *loop, struct pgpool *pg)
{
	struct order_ids *ids = xcalloc(1, sizeof(*ids));

	ids->pg = pg;
	ids->retry = loop_timer_new(loop, ask, ids);
	ask(ids);
	return ids;
}

void
order_ids_free(struct order_ids *ids)
{
	if (ids == NULL)
		return;
	loop_timer_free(ids->retry);
	free(ids);
}

static void
ask(void *arg)
{
	struct order_ids *ids = arg;

	ids->asking = true;
	pgpool_exec(ids->pg, &next_block, NULL, on_block, ids);
}

static void
on_block(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate)
{
	struct order_ids *ids = arg;

	ids->asking = false;
	if (err == ERR_DRAINING)
		return;
	if (err != ERR_OK) {
		if (err == ERR_INTERNAL)
			log_error(
			    "no ids for orders (SQLSTATE %s); is the database migrated?",
			    sqlstate);
		ids->asking = true; /* until the timer asks again */
		loop_timer_set(ids->retry, RETRY_US);
		return;
	}
	ids->spare = pg_i64(rows, 0, 0);
	atomic_store(&ids->ready, true);
}

int64_t
order_ids_take(struct order_ids *ids)
{
	if (ids->next == ids->end && ids->spare != 0) {
		ids->next = ids->spare;
		ids->end = ids->spare + BLOCK;
		ids->spare = 0;
	}
	if (ids->spare == 0 && !ids->asking && ids->end - ids->next < BLOCK / 2)
		ask(ids);
	if (ids->next == ids->end) {
		atomic_store(&ids->ready, false);
		return 0;
	}
	return ids->next++;
}

bool
order_ids_ready(const struct order_ids *ids)
{
	return atomic_load(&ids->ready);
}
