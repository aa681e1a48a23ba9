/*
 *   rq_join ──> flush ──> send(all) ──> on_result ──(all are decided)──> finish
 *                             └──<── what is left: together, or each alone
 *
 * The statement locks the balances in the order of user_id, looks for transfers that were
 * made by an earlier request with the same key, and changes nothing if it finds one: its
 * sums would be wrong. A key that another process is using at this moment violates the
 * transfers' primary key; the charges of such a batch are made one by one, and then that
 * one finds the other's transfer.
 */
#include "order/charges.h"

#include <stdlib.h>
#include <string.h>

#include "app/log.h"

enum {
	RUNS_MAX = 2,
	QUEUE_MAX = 8192,
	TRIES_MAX = 3, /* alone; a repeated key needs two */
};

struct charges {
	struct service *service; /* borrowed */
	struct batch *batch;     /* owned */
};

/* A statement under way: some or all charges of a run, in its arena. */
struct sending {
	struct batch_run *run; /* borrowed until the run's last charge is decided */
	size_t *undecided;     /* of the run */
	struct charge_plan plan;
	int tries; /* of one that is alone */
};

/*
 * $1 ids that may have been used. Of each user: $2 id, $3 sum, $4 first and $5 last of
 * the user's charges. Of each charge: $6 id, $7 amount, $8 sum up to here. The rows are
 * earlier transfers, (f, index in $1, amount, balance), or the balances before, (t, index
 * in $2, balance, 0). 1000000000000000 is BALANCE_MAX.
 */
static const struct pg_stmt make_charges = { "order_charge",
	"with earlier as materialized ("
	" select k.ord, t.amount, t.balance"
	" from unnest($1::uuid[]) with ordinality k (id, ord)"
	" join orders.transfers t on t.transfer_id = k.id"
	"), held as materialized ("
	" select u.*, b.amount from"
	" unnest($2::bigint[], $3::bigint[], $4::int[], $5::int[]) with ordinality"
	" u (user_id, total, first, last, ord)"
	" join orders.balances b on b.user_id = u.user_id"
	" where not exists (select from earlier)"
	" order by b.user_id for update of b"
	"), paid as ("
	" update orders.balances b set amount = b.amount + h.total from held h"
	" where b.user_id = h.user_id and h.total <= 1000000000000000 - h.amount"
	"), made as ("
	" insert into orders.transfers"
	" (transfer_id, debit, credit, amount, kind, balance)"
	" select c.id, 0, h.user_id, c.amount, 'CHARGE', h.amount + c.upto"
	" from held h, unnest(($6::uuid[])[h.first:h.last],"
	" ($7::bigint[])[h.first:h.last], ($8::bigint[])[h.first:h.last])"
	" c (id, amount, upto) where h.total <= 1000000000000000 - h.amount)"
	" select false, ord, amount, balance from earlier"
	" union all select true, ord, amount, 0 from held" };

static void flush(struct batch_run *run);
static void send(struct sending *s, struct charge **charges, size_t count);
static void
on_result(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);
static void finish(struct batch_run *run);

struct charges *
charges_new(struct service *s)
{
	struct charges *c = xcalloc(1, sizeof(*c));

	c->service = s;
	c->batch = batch_new(s->worker->loop, &(struct batch_conf){
						  .max_size = CHARGE_BATCH_MAX,
						  .max_runs = RUNS_MAX,
						  .max_queue = QUEUE_MAX,
						  .flush = flush,
						  .arg = c,
					      });
	return c;
}

void
charges_free(struct charges *c)
{
	if (c == NULL)
		return;
	batch_free(c->batch);
	free(c);
}

rq_next
charges_make(
    struct rq *rq, rq_step *next, struct charges *c, struct charge_request *request)
{
	return rq_join(rq, next, c->batch, request);
}

static struct sending *
new_sending(struct batch_run *run, size_t *undecided)
{
	struct sending *s = ARENA_NEW(run->rqs[0]->arena, struct sending);

	s->run = run;
	s->undecided = undecided;
	return s;
}

/* A key that is being worked on is refused; another is, from now on. */
static bool
take_key(struct charges *c, struct charge_request *r)
{
	if (!r->charge.keyed)
		return true;
	if (running_has(c->service->running, r->charge.id)) {
		r->charge.outcome = ERR_IN_PROGRESS;
		return false;
	}
	r->key.id = r->charge.id;
	r->running = true;
	running_begin(c->service->running, &r->key);
	return true;
}

static void
flush(struct batch_run *run)
{
	struct arena *arena = run->rqs[0]->arena;
	struct charge **charges = arena_alloc(arena, run->count * sizeof(*charges));
	size_t *undecided = ARENA_NEW(arena, size_t);

	for (size_t i = 0; i < run->count; i++) {
		struct charge_request *r = run->items[i];

		if (take_key(run->arg, r))
			charges[(*undecided)++] = &r->charge;
	}
	if (*undecided > 0)
		send(new_sending(run, undecided), charges, *undecided);
	else
		finish(run);
}

static void
send(struct sending *s, struct charge **charges, size_t count)
{
	struct charges *c = s->run->arg;
	struct arena *arena = s->run->rqs[0]->arena;
	struct charge_plan *plan = &s->plan;
	uuid *ids = arena_alloc(arena, 2 * count * sizeof(*ids)), *keys = ids + count;
	int64_t *amounts = arena_alloc(arena, count * sizeof(*amounts));
	struct pg_params p;

	charge_plan_make(plan, arena, charges, count);
	for (size_t i = 0; i < plan->keyed_count; i++)
		keys[i] = plan->keyed[i]->id;
	for (size_t i = 0; i < count; i++) {
		ids[i] = plan->charges[i]->id;
		amounts[i] = plan->charges[i]->amount;
	}
	pg_params_init(&p, arena);
	pg_add_uuid_array(&p, keys, plan->keyed_count);
	pg_add_i64_array(&p, plan->users, plan->user_count);
	pg_add_i64_array(&p, plan->totals, plan->user_count);
	pg_add_i64_array(&p, plan->firsts, plan->user_count);
	pg_add_i64_array(&p, plan->lasts, plan->user_count);
	pg_add_uuid_array(&p, ids, count);
	pg_add_i64_array(&p, amounts, count);
	pg_add_i64_array(&p, plan->uptos, count);
	pgpool_exec(c->service->pg, &make_charges, &p, on_result, s);
}

/* The keys before the answers: a repetition right after its answer finds the transfer. */
static void
finish(struct batch_run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		struct charge_request *r = run->items[i];

		if (r->running)
			running_end(&r->key);
	}
	for (size_t i = 0; i < run->count; i++)
		rq_resume(run->rqs[i], ERR_OK);
	batch_end(run);
}

static void
count_decided(struct sending *s, size_t decided)
{
	*s->undecided -= decided;
	if (decided > 0 && *s->undecided == 0)
		finish(s->run);
}

/* Not decided: all have this outcome. */
static void
give_up(struct sending *s, enum err err)
{
	for (size_t i = 0; i < s->plan.count; i++) {
		s->plan.charges[i]->decided = true;
		s->plan.charges[i]->outcome = err;
	}
	count_decided(s, s->plan.count);
}

static void
send_alone(struct sending *s, struct charge **charges, size_t count, int tries)
{
	for (size_t i = 0; i < count; i++) {
		struct sending *alone = new_sending(s->run, s->undecided);

		alone->tries = tries;
		send(alone, &charges[i], 1);
	}
}

static void
take_rows(struct charge_plan *plan, const struct pg_result *rows)
{
	for (int i = 0; i < pg_rows(rows); i++) {
		size_t at = (size_t)pg_i64(rows, i, 1) - 1;

		if (pg_bool(rows, i, 0))
			charge_plan_charge(plan, at, pg_i64(rows, i, 2));
		else
			charge_plan_repeat(
			    plan, at, pg_i64(rows, i, 2), pg_i64(rows, i, 3));
	}
	charge_plan_end(plan);
}

/* One of the charges made the database refuse them all. */
static void
on_refused(struct sending *s, const char *sqlstate)
{
	struct charge_plan *plan = &s->plan;

	if (plan->count == 1 && s->tries >= TRIES_MAX) {
		log_error("a charge was refused by the database: %s", sqlstate);
		give_up(s, ERR_INTERNAL);
		return;
	}
	send_alone(s, plan->charges, plan->count, s->tries + 1);
}

static void
on_result(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate)
{
	struct sending *s = arg;
	struct charge_plan *plan = &s->plan;
	size_t count = plan->count, rest;
	bool together;

	if (err == ERR_INTERNAL) {
		on_refused(s, sqlstate);
		return;
	}
	if (err != ERR_OK) {
		give_up(s, err);
		return;
	}
	take_rows(plan, rows);
	rest = charge_plan_rest(plan, &together);
	if (rest > 0 && together)
		send(new_sending(s->run, s->undecided), plan->charges, rest);
	else
		send_alone(s, plan->charges, rest, 1);
	count_decided(s, count - rest);
}
