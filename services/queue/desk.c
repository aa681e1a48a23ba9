#include "queue/desk.h"

#include <inttypes.h>
#include <stdlib.h>

#include "http/batch.h"
#include "queue/line_script.h"

enum {
	RUN_MAX = 256,
	RUNS_MAX = 4,
	QUEUE_MAX = 16384,
	BUCKET = 100, /* users in one small hash: it stays a listpack */
	HEAD_ARGS = 3,
	ARGS = 5,        /* for each user */
	HEAD_ANSWER = 3, /* serving, floor and paces */
};

struct desk {
	struct service *service; /* borrowed */
	struct batch *asks;      /* owned */
};

/* The asks of one run that are about one line: one call of the script. */
struct call {
	struct desk *desk;     /* borrowed */
	struct batch_run *run; /* borrowed until the run's last answer */
	size_t *left;          /* of the run: calls without an answer */
	size_t *members;       /* indices in the run */
	size_t count;
	enum err *errs; /* of the run, by index */
};

static void flush(struct batch_run *run);
static void on_answer(void *arg, enum err err, const struct redis_reply *reply);

struct desk *
desk_new(struct service *s)
{
	struct desk *desk = xcalloc(1, sizeof(*desk));

	desk->service = s;
	desk->asks = batch_new(s->worker->loop, &(struct batch_conf){
						    .max_size = RUN_MAX,
						    .max_runs = RUNS_MAX,
						    .max_queue = QUEUE_MAX,
						    .flush = flush,
						    .arg = desk,
						});
	return desk;
}

void
desk_free(struct desk *desk)
{
	if (desk == NULL)
		return;
	batch_free(desk->asks);
	free(desk);
}

int64_t
desk_place(const struct line *line, int64_t ticket)
{
	return line->view.open ? line_place(&line->view, ticket) : ticket;
}

rq_next
desk_send(struct rq *rq, rq_step *next, struct desk *desk, struct desk_ask *a)
{
	a->result = 0;
	return rq_join(rq, next, desk->asks, a);
}

static const struct desk_ask *
ask_of(const struct call *c, size_t i)
{
	return c->run->items[c->members[i]];
}

static void
send_call(struct call *c, struct arena *arena)
{
	const struct line *line = ask_of(c, 0)->line;
	str *args = arena_alloc(arena, (HEAD_ARGS + ARGS * c->count) * sizeof(*args)),
	    *out = args;
	str key = line_key(arena, line);

	*out++ = lines_run(line->lines);
	*out++ = str_of(arena_printf(arena, "%" PRId64, line->view.next));
	*out++ = line->view.open ? STR("1") : STR("0");
	for (size_t i = 0; i < c->count; i++) {
		const struct desk_ask *a = ask_of(c, i);
		char *wish = arena_alloc(arena, 1);

		*wish = (char)a->wish;
		*out++ = str_of(arena_printf(arena, "%" PRId64, a->user_id / BUCKET));
		*out++ = str_of(arena_printf(arena, "%" PRId64, a->user_id % BUCKET));
		*out++ = (str){ wish, 1 };
		*out++ = str_of(arena_printf(arena, "%" PRId64, a->ticket));
		*out++ = str_of(arena_printf(arena, "%" PRId64, a->place));
	}
	redis_eval(c->desk->service->redis, &line_ask, 1, &key, (size_t)(out - args),
	    args, on_answer, c);
}

static void
flush(struct batch_run *run)
{
	struct arena *arena = run->rqs[0]->arena;
	bool *taken = arena_alloc(arena, run->count * sizeof(*taken));
	enum err *errs = arena_alloc(arena, run->count * sizeof(*errs));
	size_t *left = ARENA_NEW(arena, size_t);

	for (size_t i = 0; i < run->count; i++) {
		const struct desk_ask *first = run->items[i];
		struct call *c;

		if (taken[i])
			continue;
		c = ARENA_NEW(arena, struct call);
		*c = (struct call){
			.desk = run->arg, .run = run, .left = left, .errs = errs
		};
		c->members = arena_alloc(arena, (run->count - i) * sizeof(*c->members));
		for (size_t j = i; j < run->count; j++) {
			const struct desk_ask *a = run->items[j];

			if (taken[j] || a->line != first->line)
				continue;
			taken[j] = true;
			c->members[c->count++] = j;
		}
		++*left;
		send_call(c, arena);
	}
}

/* The line first: what is said to one user must not be older than what another instance
 * has said before. */
static void
take_answer(const struct call *c, const struct redis_reply *reply)
{
	struct line *line = ask_of(c, 0)->line;

	line_note_numbers(
	    line, redis_i64(redis_at(reply, 0)), redis_i64(redis_at(reply, 1)));
	line_note_paces(line, redis_str(redis_at(reply, 2)));
	for (size_t i = 0; i < c->count; i++) {
		struct desk_ask *a = c->run->items[c->members[i]];

		a->result = redis_i64(redis_at(reply, HEAD_ANSWER + i));
		line_note_given(line, a->result);
	}
}

static void
on_answer(void *arg, enum err err, const struct redis_reply *reply)
{
	struct call *c = arg;
	struct batch_run *run = c->run;
	enum err *errs = c->errs;

	if (err == ERR_OK && redis_count(reply) != HEAD_ANSWER + c->count)
		err = ERR_UNAVAILABLE; /* lost; the next tick makes it again */
	for (size_t i = 0; i < c->count; i++)
		errs[c->members[i]] = err;
	if (err == ERR_OK)
		take_answer(c, reply);
	if (--*c->left > 0)
		return;
	/* The arena goes with the first request, so that one is answered last. */
	for (size_t i = run->count; i-- > 0;)
		rq_resume(run->rqs[i], errs[i]);
	batch_end(run);
}
