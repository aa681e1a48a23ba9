/*
 *   rq_join ──> flush ──> send(all) ──> on_result ──(all are decided)──> finish
 *                              └──<── each alone, when the database refused them all
 */
#include "reservation/holding.h"

#include <stdlib.h>

#include "app/log.h"
#include "app/metrics.h"
#include "http/batch.h"
#include "reservation/taken.h"

enum {
	BATCH_MAX = 256,
	RUNS_MAX = 2,
	QUEUE_MAX = 8192,
};

struct holding {
	struct service *service;                /* borrowed */
	struct batch *batch;                    /* owned */
	struct taken *taken;                    /* owned */
	struct counter *held, *refused, *known; /* owned by metrics */
};

/* A statement under way: some or all requests of a run, in its arena. */
struct sending {
	struct batch_run *run;          /* borrowed until the run's last one is decided */
	size_t *undecided;              /* of the run */
	struct hold_request **requests; /* in the arena */
	size_t count;
	int64_t sent_us; /* monotonic */
};

static const struct pg_stmt hold = { "reservation_hold",
	"select nth, outcome, replayed, reservation_id, until, amount from"
	" reservation.hold($1::uuid[], $2::bigint[], $3::bigint[], $4::int[], $5::int[],"
	" $6::bigint[], $7::bigint[], $8::bigint)" };

static void flush(struct batch_run *run);
static void send(struct batch_run *run, size_t *undecided, struct hold_request **requests,
    size_t count);
static void
on_result(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);
static void finish(struct batch_run *run);

static struct counter *
count_holds(const char *labels)
{
	return counter_new(
	    "onrush_holds_total", "Requests for seats, by what became of them.", labels);
}

struct holding *
holding_new(struct service *s)
{
	struct holding *h = xcalloc(1, sizeof(*h));

	h->service = s;
	h->taken = taken_new();
	h->held = count_holds("outcome=\"held\"");
	h->refused = count_holds("outcome=\"refused\"");
	h->known = count_holds("outcome=\"refused from memory\"");
	h->batch = batch_new(s->worker->loop, &(struct batch_conf){
						  .max_size = BATCH_MAX,
						  .max_runs = RUNS_MAX,
						  .max_queue = QUEUE_MAX,
						  .flush = flush,
						  .arg = h,
					      });
	return h;
}

void
holding_free(struct holding *h)
{
	if (h == NULL)
		return;
	batch_free(h->batch);
	taken_free(h->taken);
	free(h);
}

rq_next
holding_hold(
    struct rq *rq, rq_step *next, struct holding *h, struct hold_request *request)
{
	return rq_join(rq, next, h->batch, request);
}

bool
holding_refuses(const struct holding *h, const struct hold_request *request)
{
	int64_t now_us = clock_mono_us();

	if (request->keyed)
		return false;
	for (size_t i = 0; i < request->seats.count; i++)
		if (taken_has(h->taken, request->seats.ids[i], now_us)) {
			counter_add(h->known, 1);
			return true;
		}
	return false;
}

/* --- a run --------------------------------------------------------------------- */

static void
flush(struct batch_run *run)
{
	struct arena *arena = run->rqs[0]->arena;
	struct hold_request **requests =
	    arena_alloc(arena, run->count * sizeof(struct hold_request *));
	size_t *undecided = ARENA_NEW(arena, size_t);

	for (size_t i = 0; i < run->count; i++) {
		struct hold_request *r = run->items[i];

		/* What was learned while it waited spares the question. */
		if (holding_refuses(run->arg, r))
			r->outcome = ERR_SEAT_TAKEN;
		else
			requests[(*undecided)++] = r;
	}
	if (*undecided > 0)
		send(run, undecided, requests, *undecided);
	else
		finish(run);
}

static void
add_seats(struct pg_params *p, struct arena *arena, struct hold_request **requests,
    const int64_t *lines, size_t count)
{
	int64_t *firsts = arena_alloc(arena, 2 * count * sizeof(*firsts));
	int64_t *lasts = firsts + count;
	int64_t *wanted = arena_alloc(arena, count * HOLD_SEATS_MAX * sizeof(*wanted));
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		firsts[i] = (int64_t)n + 1;
		for (size_t j = 0; j < requests[i]->seats.count; j++)
			wanted[n++] = requests[i]->seats.ids[j];
		lasts[i] = (int64_t)n;
	}
	pg_add_i64_array(p, firsts, count);
	pg_add_i64_array(p, lasts, count);
	pg_add_i64_array(p, lines, count);
	pg_add_i64_array(p, wanted, n);
}

static void
send(struct batch_run *run, size_t *undecided, struct hold_request **requests,
    size_t count)
{
	struct holding *h = run->arg;
	struct arena *arena = run->rqs[0]->arena;
	struct sending *s = ARENA_NEW(arena, struct sending);
	uuid *ids = arena_alloc(arena, count * sizeof(*ids));
	int64_t *hashes = arena_alloc(arena, 3 * count * sizeof(*hashes));
	int64_t *users = hashes + count, *lines = users + count;
	struct pg_params p;

	*s = (struct sending){ run, undecided, requests, count, clock_mono_us() };
	for (size_t i = 0; i < count; i++) {
		ids[i] = requests[i]->id;
		hashes[i] = requests[i]->hash;
		users[i] = requests[i]->user_id;
		lines[i] = requests[i]->line_id;
	}
	pg_params_init(&p, arena);
	pg_add_uuid_array(&p, ids, count);
	pg_add_i64_array(&p, hashes, count);
	pg_add_i64_array(&p, users, count);
	add_seats(&p, arena, requests, lines, count);
	pg_add_i64(&p, h->service->settings->hold_us / CLOCK_US_PER_MS);
	pgpool_exec(h->service->pg, &hold, &p, on_result, s);
}

/* --- the result ---------------------------------------------------------------- */

/* Of one seat it is known which one is taken; of several it is not. */
static void
remember(struct sending *s, const struct hold_request *r, int64_t until_us)
{
	struct holding *h = s->run->arg;
	int64_t lease_us = s->sent_us + HOLDING_LEASE_US, left_us;

	if (r->seats.count > 1)
		return;
	if (until_us != INT64_MAX) {
		left_us = until_us - clock_wall_us();
		if (clock_mono_us() + left_us < lease_us)
			lease_us = clock_mono_us() + left_us;
	}
	taken_put(h->taken, r->seats.ids[0], lease_us);
}

static void
take_row(struct sending *s, const struct pg_result *rows, int i)
{
	struct holding *h = s->run->arg;
	struct hold_request *r = s->requests[pg_i64(rows, i, 0) - 1];
	str code = pg_str(rows, i, 1);

	r->outcome =
	    err_from_code(arena_printf(s->run->rqs[0]->arena, "%.*s", STR_ARG(code)));
	r->replayed = pg_bool(rows, i, 2);
	r->reservation_id = pg_i64(rows, i, 3);
	r->held_until_us = pg_time_us(rows, i, 4);
	r->amount = pg_i64(rows, i, 5);
	if (r->outcome == ERR_SEAT_TAKEN)
		remember(s, r, r->held_until_us);
	if (!r->replayed)
		counter_add(r->outcome == ERR_OK ? h->held : h->refused, 1);
}

static void
finish(struct batch_run *run)
{
	for (size_t i = 0; i < run->count; i++)
		rq_resume(run->rqs[i], ERR_OK);
	batch_end(run);
}

static void
on_result(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate)
{
	struct sending *s = arg;

	if (err == ERR_INTERNAL && s->count > 1) {
		for (size_t i = 0; i < s->count; i++)
			send(s->run, s->undecided, &s->requests[i], 1);
		return;
	}
	if (err == ERR_INTERNAL)
		log_error("a hold was refused by the database: %s", sqlstate);
	for (size_t i = 0; i < s->count; i++)
		s->requests[i]->outcome = err;
	if (err == ERR_OK)
		for (int i = 0; i < pg_rows(rows); i++)
			take_row(s, rows, i);
	*s->undecided -= s->count;
	if (*s->undecided == 0)
		finish(s->run);
}
