/*
 *   sync ──> PostgreSQL: notes the numbers, extends the bound, reads the settings
 *   tick ──> Redis: moves the line, reads the numbers
 *             └─ lost ──> PostgreSQL: a new block of tickets ──> Redis: made again ──>
 * tick
 *
 * All numbers only grow, so whichever of two sources knows more is right, and any number
 * of workers may do all of this at once.
 */
#include "queue/lines.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "app/metrics.h"
#include "base/clock.h"
#include "queue/line_script.h"

#define TICK_US (100 * CLOCK_US_PER_MS)
#define SYNC_US (1 * CLOCK_US_PER_SEC)

enum {
	TICK_ARGS = 13,
	ANSWER_COUNT = 10,
	SEEN_MAX = 65536, /* in one tick */
};

struct lines {
	struct service *service; /* borrowed */
	struct line_list list;   /* owned */
	size_t count;
	struct loop_timer *tick;  /* owned */
	struct loop_timer *timer; /* owned; of the next sync */
	bool syncing, sync_again;
	atomic_bool ready;
	struct counter *restored; /* owned by metrics, like the next */
	struct gauge *waiting, *active;
	int64_t waiting_was, active_was;
};

/* $1 lines, $2 given, $3 serving, $4 floor, $5 shuffled or -1, $6 block. */
static const struct pg_stmt sync_lines = { "queue_sync",
	"with moved as (update queue.lines l set given = greatest(l.given, k.given),"
	" serving = greatest(l.serving, k.serving), floor = greatest(l.floor, k.floor),"
	" shuffled = coalesce(l.shuffled, nullif(k.shuffled, -1)),"
	" ticket_bound = case when l.ticket_bound - k.given >= $6::bigint / 2"
	" then l.ticket_bound else greatest(l.ticket_bound, k.given + $6) end"
	" from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],"
	" $5::bigint[]) k (line_id, given, serving, floor, shuffled)"
	" where l.line_id = k.line_id and (l.given < k.given or l.serving < k.serving"
	" or l.floor < k.floor or (l.shuffled is null and k.shuffled >= 0)"
	" or l.ticket_bound - k.given < $6 / 2) returning l.*)"
	" select " LINE_COLUMNS " from moved union all (select " LINE_COLUMNS
	" from queue.lines where line_id <> all (array(select line_id from moved))"
	" order by line_id limit 64)" };

/* $1 the line, $2 block. Every restoration has a block of its own. */
static const struct pg_stmt take_block = { "queue_take_block",
	"update queue.lines set ticket_bound = ticket_bound + $2 where line_id = $1"
	" returning " LINE_COLUMNS };

static void on_tick_timer(void *arg);
static void on_sync_timer(void *arg);
static void
on_synced(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);
static void on_ticked(void *arg, enum err err, const struct redis_reply *reply);
static void
on_block(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);
static void on_restored(void *arg, enum err err, const struct redis_reply *reply);

struct lines *
lines_new(struct service *s)
{
	struct lines *lines = xcalloc(1, sizeof(*lines));

	lines->service = s;
	LIST_INIT(&lines->list);
	lines->restored = counter_new("onrush_queue_restorations_total",
	    "Lines that Redis had lost and that were made again.", NULL);
	lines->waiting =
	    gauge_new("onrush_queue_waiting", "Tickets that are not served yet.", NULL);
	lines->active =
	    gauge_new("onrush_queue_served", "Tickets between floor and serving.", NULL);
	lines->tick = loop_timer_new(s->worker->loop, on_tick_timer, lines);
	lines->timer = loop_timer_new(s->worker->loop, on_sync_timer, lines);
	loop_timer_set(lines->tick, 0);
	loop_timer_set(lines->timer, 0);
	return lines;
}

void
lines_free(struct lines *lines)
{
	struct line *line;

	if (lines == NULL)
		return;
	loop_timer_free(lines->tick);
	loop_timer_free(lines->timer);
	while ((line = LIST_FIRST(&lines->list)) != NULL) {
		LIST_REMOVE(line, link);
		buf_fini(&line->gone);
		free(line->seen);
		free(line);
	}
	free(lines);
}

struct line *
lines_find(struct lines *lines, int64_t line_id)
{
	struct line *line;

	LIST_FOREACH (line, &lines->list, link)
		if (line->line_id == line_id)
			return line;
	return NULL;
}

const struct line_list *
lines_all(const struct lines *lines)
{
	return &lines->list;
}

bool
line_is_fresh(const struct line *line)
{
	return line->read_us != 0 &&
	       loop_now_us(line->lines->service->worker->loop) - line->read_us <=
		   LINE_COPY_US;
}

bool
lines_ready(void *arg)
{
	struct lines *lines = arg;

	return atomic_load(&lines->ready);
}

void
line_note_seen(struct line *line, int64_t place)
{
	if (line->no_show_ms < 0)
		return;
	if (line->seen_count == line->seen_cap) {
		line->seen_cap = line->seen_cap == 0 ? 256 : 2 * line->seen_cap;
		line->seen = xrealloc(line->seen, line->seen_cap * sizeof(*line->seen));
	}
	line->seen[line->seen_count++] = place;
}

str
line_key(struct arena *arena, const struct line *line)
{
	return str_of(arena_printf(arena, "q:{%" PRId64 "}", line->line_id));
}

/* --- PostgreSQL -------------------------------------------------------------------- */

static int64_t
i64_or(const struct pg_result *rows, int row, int col, int64_t absent)
{
	return pg_is_null(rows, row, col) ? absent : pg_i64(rows, row, col);
}

static void
raise_to(int64_t *value, int64_t at_least)
{
	if (*value < at_least)
		*value = at_least;
}

static struct line *
add_line(struct lines *lines, int64_t line_id)
{
	struct line *line;

	if (lines->count == LINES_MAX)
		return NULL;
	line = xcalloc(1, sizeof(*line));
	line->lines = lines;
	line->line_id = line_id;
	line->view.pace = 1;
	LIST_INSERT_HEAD(&lines->list, line, link);
	lines->count++;
	return line;
}

struct line *
lines_take_row(struct lines *lines, const struct pg_result *rows, int row)
{
	struct line *line = lines_find(lines, pg_i64(rows, row, 0));
	str name = pg_str(rows, row, 1);

	if (line == NULL && (line = add_line(lines, pg_i64(rows, row, 0))) == NULL)
		return NULL;
	raise_to(&line->bound, pg_i64(rows, row, 12));
	raise_to(&line->view.next, pg_i64(rows, row, 13));
	raise_to(&line->view.serving, pg_i64(rows, row, 14));
	raise_to(&line->view.floor, pg_i64(rows, row, 15));
	line->shuffled = i64_or(rows, row, 11, -1);
	if (line->version > pg_i64(rows, row, 2))
		return line; /* two queries crossed */
	snprintf(line->name, sizeof(line->name), "%.*s", STR_ARG(name));
	line->version = pg_i64(rows, row, 2);
	ASSERT(line_mode_parse(pg_str(rows, row, 3), &line->view.mode));
	line->rate = i64_or(rows, row, 4, -1);
	line->max_active = pg_i64(rows, row, 5);
	line->active_ms = pg_i64(rows, row, 6);
	line->no_show_ms = i64_or(rows, row, 7, -1);
	line->opens_us = pg_time_us(rows, row, 8);
	line->closes_us = pg_time_us(rows, row, 9);
	ASSERT(pg_bytes(rows, row, 10, line->view.seed, LINE_SEED_SIZE));
	return line;
}

void
lines_sync(struct lines *lines)
{
	struct arena *arena;
	struct pg_params p;
	struct line *line;
	int64_t v[5][LINES_MAX];
	size_t n = 0;

	if (lines->syncing) {
		lines->sync_again = true;
		return;
	}
	lines->syncing = true;
	LIST_FOREACH (line, &lines->list, link) {
		if (line->read_us == 0)
			continue; /* its numbers are not known yet */
		v[0][n] = line->line_id;
		v[1][n] = line->view.next;
		v[2][n] = line->view.serving;
		v[3][n] = line->view.floor;
		v[4][n++] = line->view.shuffled;
	}
	arena = arena_new();
	pg_params_init(&p, arena);
	for (int i = 0; i < 5; i++)
		pg_add_i64_array(&p, v[i], n);
	pg_add_i64(&p, LINE_BLOCK);
	pgpool_exec(lines->service->pg, &sync_lines, &p, on_synced, lines);
	arena_free(arena);
}

static void
on_sync_timer(void *arg)
{
	struct lines *lines = arg;

	loop_timer_set(lines->timer, SYNC_US);
	lines_sync(lines);
}

/* Without PostgreSQL the lines go on for as long as there are tickets below the bound. */
static void
on_synced(
    void *arg, enum err err, const struct pg_result *rows, const char *sqlstate UNUSED)
{
	struct lines *lines = arg;

	lines->syncing = false;
	for (int i = 0; err == ERR_OK && i < pg_rows(rows); i++)
		if (lines_take_row(lines, rows, i) == NULL)
			log_error("there are more lines than %d; the rest has no service",
			    LINES_MAX);
	if (lines->sync_again && err == ERR_OK) {
		lines->sync_again = false;
		lines_sync(lines);
	}
}

/* --- Redis ---------------------------------------------------------------------------
 */

static str
number(struct arena *arena, int64_t value)
{
	return str_of(arena_printf(arena, "%" PRId64, value));
}

static void
send_tick(struct line *line)
{
	struct arena *arena = arena_new();
	size_t seen = line->seen_count < SEEN_MAX ? line->seen_count : SEEN_MAX;
	str key = line_key(arena, line);
	str *args = arena_alloc(arena, (TICK_ARGS + seen) * sizeof(*args));
	const int64_t values[TICK_ARGS] = { line->view.next, line->view.serving,
		line->view.floor, line->view.pace, line->bound, line->shuffled,
		line->version, (int64_t)line->view.mode, line->rate, line->max_active,
		line->active_ms, line->no_show_ms, line->opens_us / CLOCK_US_PER_MS };

	for (size_t i = 0; i < TICK_ARGS; i++)
		args[i] = number(arena, values[i]);
	for (size_t i = 0; i < seen; i++)
		args[TICK_ARGS + i] = number(arena, line->seen[i]);
	line->seen_sent = seen;
	line->asking = true;
	line->sent_us = clock_mono_us();
	redis_eval(line->lines->service->redis, &line_tick, 1, &key, TICK_ARGS + seen,
	    args, on_ticked, line);
	arena_free(arena);
}

static void
observe(struct lines *lines)
{
	int64_t waiting = 0, active = 0;
	bool ready = !LIST_EMPTY(&lines->list);
	struct line *line;

	LIST_FOREACH (line, &lines->list, link) {
		waiting += line->view.next - line->view.serving;
		active += line->view.serving - line->view.floor;
		ready = ready && line_is_fresh(line);
	}
	atomic_store(&lines->ready, ready);
	gauge_add(lines->waiting, waiting - lines->waiting_was);
	gauge_add(lines->active, active - lines->active_was);
	lines->waiting_was = waiting;
	lines->active_was = active;
}

static void
on_tick_timer(void *arg)
{
	struct lines *lines = arg;
	struct line *line;

	loop_timer_set(lines->tick, TICK_US);
	observe(lines);
	LIST_FOREACH (line, &lines->list, link)
		if (!line->asking)
			send_tick(line);
}

static void
forget_seen(struct line *line)
{
	if (line->seen_sent == 0)
		return;
	line->seen_count -= line->seen_sent;
	memmove(line->seen, line->seen + line->seen_sent,
	    line->seen_count * sizeof(*line->seen));
}

static void
take_numbers(struct line *line, const struct redis_reply *reply)
{
	struct line_view *v = &line->view;
	str gone = redis_str(redis_at(reply, 9));
	int64_t now_us = clock_wall_us();

	v->next = redis_i64(redis_at(reply, 0));
	v->serving = redis_i64(redis_at(reply, 1));
	v->floor = redis_i64(redis_at(reply, 2));
	raise_to(&v->pace, redis_i64(redis_at(reply, 3)));
	v->shuffled = redis_i64(redis_at(reply, 5));
	v->open = redis_i64(redis_at(reply, 6)) == 1;
	v->opens_s = v->open || line->opens_us <= now_us
			 ? 0
			 : (line->opens_us - now_us) / CLOCK_US_PER_SEC + 1;
	buf_clear(&line->gone);
	buf_add_str(&line->gone, gone);
	v->gone = (const uint8_t *)buf_str(&line->gone).p;
	v->gone_size = gone.n;
	v->gone_from = redis_i64(redis_at(reply, 8));
	line->read_us = line->sent_us;
}

static void
restore(struct line *line)
{
	struct arena *arena = arena_new();
	struct pg_params p;

	line->asking = true;
	pg_params_init(&p, arena);
	pg_add_i64(&p, line->line_id);
	pg_add_i64(&p, LINE_BLOCK);
	pgpool_exec(line->lines->service->pg, &take_block, &p, on_block, line);
	arena_free(arena);
}

/* A tick that failed changes nothing: the copy gets old and is not acted on. */
static void
on_ticked(void *arg, enum err err, const struct redis_reply *reply)
{
	struct line *line = arg;

	line->asking = false;
	if (err != ERR_OK)
		return;
	if (redis_count(reply) != ANSWER_COUNT) {
		restore(line);
		return;
	}
	forget_seen(line);
	take_numbers(line, reply);
	if (line->bound - line->view.next < LINE_BLOCK / 2 ||
	    (line->view.shuffled >= 0 && line->shuffled < 0))
		lines_sync(line->lines);
}

static void
on_block(
    void *arg, enum err err, const struct pg_result *rows, const char *sqlstate UNUSED)
{
	struct line *line = arg;
	const struct line_view *v = &line->view;
	struct arena *arena;
	str key, args[6];

	line->asking = false;
	if (err != ERR_OK || pg_rows(rows) != 1)
		return; /* the next tick finds it lost again */
	lines_take_row(line->lines, rows, 0);
	arena = arena_new();
	key = line_key(arena, line);
	args[0] = number(arena, pg_i64(rows, 0, 12) - LINE_BLOCK);
	args[1] = number(arena, pg_i64(rows, 0, 12));
	args[2] = number(arena, v->serving);
	args[3] = number(arena, v->floor);
	args[4] = number(arena, v->pace);
	args[5] = number(arena, v->next);
	line->asking = true;
	redis_eval(line->lines->service->redis, &line_restore, 1, &key, ARRAY_LEN(args),
	    args, on_restored, line);
	arena_free(arena);
}

static void
on_restored(void *arg, enum err err, const struct redis_reply *reply)
{
	struct line *line = arg;

	line->asking = false;
	if (err != ERR_OK || redis_i64(reply) != 1)
		return; /* or somebody else has made it */
	counter_add(line->lines->restored, 1);
	log_warn("Redis did not know line %" PRId64 "; it was made again", line->line_id);
	send_tick(line);
}
