#include "coupon/filter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coupon/marks.h"

enum {
	RUN_MAX = 256,
	RUNS_MAX = 2,
	QUEUE_MAX = 8192,
	FLIGHT_MS = 3000, /* as long as a request waits for its decision */
};

struct filter {
	struct service *service; /* borrowed */
	struct batch *asks;      /* owned */
};

/*
 * KEYS: switch, sold_out, issued, prefix of flight keys. ARGV: the campaign's version,
 * milliseconds that a flight lasts (0: several at once are fine), users. The answer has a
 * letter for the switch (m: it is missing) and one for each user.
 */
static struct redis_script ask_script = {
	.lua = "local switch = redis.call('GET', KEYS[1])\n"
	       "local out = { switch and 'k' or 'm' }\n"
	       "local all = nil\n"
	       "if switch == 'false' then all = 'C'\n"
	       "elseif redis.call('GET', KEYS[2]) == ARGV[1] then all = 'S' end\n"
	       "local users = {}\n"
	       "for i = 3, #ARGV do users[i - 2] = ARGV[i] end\n"
	       "local issued = redis.call('SMISMEMBER', KEYS[3], unpack(users))\n"
	       "for i, user in ipairs(users) do\n"
	       "  if issued[i] == 1 then out[i + 1] = 'I'\n"
	       "  elseif all then out[i + 1] = all\n"
	       "  elseif ARGV[2] ~= '0' and not redis.call('SET', KEYS[4] .. user, '1', "
	       "'NX',\n"
	       "      'PX', ARGV[2]) then out[i + 1] = 'F'\n"
	       "  else out[i + 1] = 'P' end\n"
	       "end\n"
	       "return table.concat(out)\n",
};

static void flush_asks(struct batch_run *run);
static void on_answer(void *arg, enum err err, const struct redis_reply *reply);

struct filter *
filter_new(struct service *s)
{
	struct filter *f = xcalloc(1, sizeof(*f));

	f->service = s;
	f->asks = batch_new(s->worker->loop, &(struct batch_conf){
						 .max_size = RUN_MAX,
						 .max_runs = RUNS_MAX,
						 .max_queue = QUEUE_MAX,
						 .flush = flush_asks,
						 .arg = f,
					     });
	return f;
}

void
filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	batch_free(f->asks);
	free(f);
}

rq_next
filter_ask(struct rq *rq, rq_step *next, struct filter *f, struct filter_query *q)
{
	q->verdict = FILTER_PASS;
	return rq_join(rq, next, f->asks, q);
}

/* The queries of one run that are about one campaign: one call of the script. */
struct ask {
	struct filter *filter; /* borrowed */
	struct batch_run *run; /* borrowed until the run's last answer */
	size_t *left;          /* of the run: calls without an answer */
	size_t *members;       /* indices in the run */
	size_t count;
};

static void
send_ask(struct ask *a, struct arena *arena)
{
	const struct filter_query *first = a->run->items[a->members[0]];
	const struct campaign *c = first->campaign;
	str *args = arena_alloc(arena, (a->count + 2) * sizeof(*args));
	str keys[] = { marks_switch_key(arena, c->coupon_id),
		marks_key(arena, c, "sold_out"), marks_key(arena, c, "issued"),
		marks_key(arena, c, "flight:") };

	args[0] = str_of(arena_printf(arena, "%" PRId64, c->version));
	args[1] =
	    str_of(arena_printf(arena, "%d", c->per_user_limit == 1 ? FLIGHT_MS : 0));
	for (size_t i = 0; i < a->count; i++) {
		const struct filter_query *q = a->run->items[a->members[i]];

		args[2 + i] = str_of(arena_printf(arena, "%" PRId64, q->user_id));
	}
	redis_eval(a->filter->service->redis, &ask_script, ARRAY_LEN(keys), keys,
	    a->count + 2, args, on_answer, a);
}

static void
flush_asks(struct batch_run *run)
{
	struct arena *arena = run->rqs[0]->arena;
	bool *asked = arena_alloc(arena, run->count * sizeof(*asked));
	size_t *left = ARENA_NEW(arena, size_t);

	for (size_t i = 0; i < run->count; i++) {
		const struct filter_query *first = run->items[i];
		struct ask *a;

		if (asked[i])
			continue;
		a = ARENA_NEW(arena, struct ask);
		*a = (struct ask){ .filter = run->arg, .run = run, .left = left };
		a->members = arena_alloc(arena, (run->count - i) * sizeof(*a->members));
		for (size_t j = i; j < run->count; j++) {
			const struct filter_query *q = run->items[j];

			if (asked[j] ||
			    q->campaign->coupon_id != first->campaign->coupon_id ||
			    q->campaign->version != first->campaign->version)
				continue;
			asked[j] = true;
			a->members[a->count++] = j;
		}
		++*left;
		send_ask(a, arena);
	}
}

static enum filter_verdict
verdict_of(char letter)
{
	switch (letter) {
	case 'I': return FILTER_ISSUED;
	case 'S': return FILTER_SOLD_OUT;
	case 'C': return FILTER_CLOSED;
	case 'F': return FILTER_IN_FLIGHT;
	default: return FILTER_PASS;
	}
}

/* A switch that Redis lost comes back as PostgreSQL has it; one that an operator moved in
 * the meantime stays. */
static void
restore_switch(struct filter *f, const struct campaign *c)
{
	struct arena *arena = arena_new();

	redis_command(f->service->redis, 6,
	    (str[]){ STR("SET"), marks_switch_key(arena, c->coupon_id),
		c->state == COUPON_PUBLISHABLE ? STR("true") : STR("false"), STR("EXAT"),
		marks_expire_at(arena, c), STR("NX") },
	    NULL, NULL);
	arena_free(arena);
}

static void
on_answer(void *arg, enum err err, const struct redis_reply *reply)
{
	struct ask *a = arg;
	struct batch_run *run = a->run;
	str letters = err == ERR_OK ? redis_str(reply) : STR_NULL;
	bool known = letters.n == a->count + 1;
	const struct filter_query *first = run->items[a->members[0]];

	for (size_t i = 0; known && i < a->count; i++) {
		struct filter_query *q = run->items[a->members[i]];

		q->verdict = verdict_of(letters.p[i + 1]);
	}
	if (known && letters.p[0] == 'm')
		restore_switch(a->filter, first->campaign);
	if (--*a->left > 0)
		return;
	for (size_t i = 0; i < run->count; i++)
		rq_resume(run->rqs[i], ERR_OK);
	batch_end(run);
}

void
filter_land(struct filter *f, const struct campaign *c, int64_t user_id)
{
	struct arena *arena = arena_new();
	str prefix = marks_key(arena, c, "flight:");

	redis_command(f->service->redis, 2,
	    (str[]){ STR("UNLINK"),
		str_of(arena_printf(arena, "%.*s%" PRId64, STR_ARG(prefix), user_id)) },
	    NULL, NULL);
	arena_free(arena);
}

void
filter_set_switch(struct filter *f, const struct campaign *c)
{
	struct arena *arena = arena_new();

	redis_command(f->service->redis, 5,
	    (str[]){ STR("SET"), marks_switch_key(arena, c->coupon_id),
		c->state == COUPON_PUBLISHABLE ? STR("true") : STR("false"), STR("EXAT"),
		marks_expire_at(arena, c) },
	    NULL, NULL);
	arena_free(arena);
}
