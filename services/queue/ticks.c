/*
 * The lines' side in Redis.
 *
 *   tick ──> Redis: moves the line, reads the numbers
 *     │
 *     ├─ shuffled, and PostgreSQL knows ──> Redis: opened
 *     └─ lost ──> PostgreSQL: a new block of tickets ──> Redis: made again ──> tick
 *
 * Whatever fails changes nothing: the copy gets old and is not acted on, and the next
 * tick tries again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "base/clock.h"
#include "queue/line_script.h"
#include "queue/lines_impl.h"
#include "queue/shop.h"

#define TICK_US (100 * CLOCK_US_PER_MS)

enum {
	TICK_ARGS = 16,
	RESTORE_ARGS = 10,
	REVOKED_MAX = 10000,
	SEEN_MAX = 65536, /* in one tick */
};

/* The answer of a tick. */
enum {
	AT_NEXT,
	AT_SERVING,
	AT_FLOOR,
	AT_BOUND,
	AT_SHUFFLED,
	AT_OPEN,
	AT_VERSION,
	AT_HOLES,
	AT_PACES,
	AT_GONE_FROM,
	AT_GONE,
	ANSWER_COUNT,
};

/* $1 the line, $2 block, $3 how many. Every restoration has a block of its own. */
static const struct pg_stmt take_block = { "queue_take_block",
	"update queue.lines set ticket_bound = ticket_bound + $2 where line_id = $1"
	" returning " LINE_COLUMNS ", array(select r.ticket from queue.revoked r"
	" where r.line_id = $1 order by r.ticket desc limit $3)::text" };

static void on_met(void *arg, enum err err, const struct redis_reply *reply);
static void on_ticked(void *arg, enum err err, const struct redis_reply *reply);
static void on_early(void *arg, enum err err, const struct redis_reply *reply);
static void on_opened(void *arg, enum err err, const struct redis_reply *reply);
static void
on_block(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);
static void on_restored(void *arg, enum err err, const struct redis_reply *reply);

static struct redis *
redis_of(const struct line *line)
{
	return line->lines->service->redis;
}

static str
number(struct arena *arena, int64_t value)
{
	return str_of(arena_printf(arena, "%" PRId64, value));
}

/* --- which Redis ------------------------------------------------------------------- */

void
lines_meet_redis(struct lines *lines)
{
	static const str info[] = { STR_INIT("INFO"), STR_INIT("server") };

	lines->run[0] = '\0';
	redis_command(lines->service->redis, ARRAY_LEN(info), info, on_met, lines);
}

str
lines_run(const struct lines *lines)
{
	return str_of(lines->run);
}

static void
on_met(void *arg, enum err err, const struct redis_reply *reply)
{
	static const char field[] = "\nrun_id:";
	struct lines *lines = arg;
	str text = redis_str(reply);
	const char *at;

	if (err != ERR_OK || text.n == 0)
		return; /* the connection is gone; the next one asks again */
	at = memmem(text.p, text.n, field, sizeof(field) - 1);
	if (at == NULL || sscanf(at + sizeof(field) - 1, "%40[0-9a-f]", lines->run) != 1)
		log_error("Redis does not tell its run_id; no line can be served");
}

/* --- tick -------------------------------------------------------------------------- */

static void
send_tick(struct line *line)
{
	struct arena *arena = arena_new();
	const struct service *s = line->lines->service;
	size_t seen = line->seen_count < SEEN_MAX ? line->seen_count : SEEN_MAX;
	str key = line_key(arena, line);
	str *args = arena_alloc(arena, (TICK_ARGS + seen) * sizeof(*args));
	const int64_t values[TICK_ARGS - 1] = { line->view.next, line->view.serving,
		line->view.floor, line->bound, line->shuffled, line->version,
		(int64_t)line->view.mode, line->rate, line->max_active, line->active_ms,
		line->no_show_ms, line->idle_ms, line->opens_us / CLOCK_US_PER_MS,
		shop_health(s->shop), line_is_sold_out(line) };

	args[0] = lines_run(line->lines);
	for (size_t i = 1; i < TICK_ARGS; i++)
		args[i] = number(arena, values[i - 1]);
	for (size_t i = 0; i < seen; i++)
		args[TICK_ARGS + i] = number(arena, line->seen[i]);
	line->seen_sent = seen;
	line->asking = true;
	line->sent_us = clock_mono_us();
	redis_eval(
	    redis_of(line), &line_tick, 1, &key, TICK_ARGS + seen, args, on_ticked, line);
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

void
lines_on_tick(void *arg)
{
	struct lines *lines = arg;
	struct line *line;

	loop_timer_set(lines->tick, TICK_US);
	observe(lines);
	if (lines->run[0] == '\0')
		return;
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
take_gone(struct line *line, const struct redis_reply *reply)
{
	struct line_view *v = &line->view;
	str gone = redis_str(redis_at(reply, AT_GONE));

	buf_clear(&line->gone);
	buf_add_str(&line->gone, gone);
	v->gone = (const uint8_t *)buf_str(&line->gone).p;
	v->gone_size = gone.n;
	v->gone_from = redis_i64(redis_at(reply, AT_GONE_FROM));
}

static void
take_numbers(struct line *line, const struct redis_reply *reply)
{
	struct line_view *v = &line->view;
	int64_t now_us = clock_wall_us();

	line_note_given(line, redis_i64(redis_at(reply, AT_NEXT)));
	line_note_numbers(line, redis_i64(redis_at(reply, AT_SERVING)),
	    redis_i64(redis_at(reply, AT_FLOOR)));
	v->shuffled = redis_i64(redis_at(reply, AT_SHUFFLED));
	v->open = redis_i64(redis_at(reply, AT_OPEN)) == 1;
	v->opens_s = v->open || line->opens_us <= now_us
			 ? 0
			 : (line->opens_us - now_us) / CLOCK_US_PER_SEC + 1;
	line_note_paces(line, redis_str(redis_at(reply, AT_PACES)));
	if (!line_pairs_parse(redis_str(redis_at(reply, AT_HOLES)), &v->holes))
		log_error(
		    "line %" PRId64 " has holes that nobody understands", line->line_id);
	take_gone(line, reply);
	line->read_us = line->sent_us;
}

/* --- the opening ---------------------------------------------------------------------
 */

/* The bits of `early` are those of tickets; from now on they are those of places. */
static void
ask_early(struct line *line)
{
	struct arena *arena = arena_new();
	str key = line_key(arena, line);
	const str args[] = { STR("GET"),
		str_of(arena_printf(arena, "%.*s:early", STR_ARG(key))) };

	line->asking = true;
	redis_command(redis_of(line), ARRAY_LEN(args), args, on_early, line);
	arena_free(arena);
}

static uint8_t
bit_of(int64_t n)
{
	return (uint8_t)(0x80 >> n % 8);
}

static str
places_of(struct arena *arena, const struct line_view *v, str early)
{
	struct line_view opened = *v;
	int64_t last = (int64_t)early.n * 8 - 1;
	size_t size = (size_t)(last > v->shuffled ? last : v->shuffled) / 8 + 1;
	uint8_t *gone = arena_alloc(arena, size);

	opened.open = true;
	memset(gone, 0, size);
	for (int64_t ticket = 1; ticket <= last; ticket++)
		if ((uint8_t)early.p[ticket / 8] & bit_of(ticket)) {
			int64_t place = line_place(&opened, ticket);

			gone[place / 8] |= bit_of(place);
		}
	return (str){ (const char *)gone, size };
}

static void
on_early(void *arg, enum err err, const struct redis_reply *reply)
{
	struct line *line = arg;
	struct arena *arena;
	str key, args[3];

	line->asking = false;
	if (err != ERR_OK)
		return;
	arena = arena_new();
	key = line_key(arena, line);
	args[0] = lines_run(line->lines);
	args[1] = number(arena, line->view.shuffled);
	args[2] = places_of(arena, &line->view, redis_str(reply));
	line->asking = true;
	redis_eval(
	    redis_of(line), &line_open, 1, &key, ARRAY_LEN(args), args, on_opened, line);
	arena_free(arena);
}

static void
on_opened(void *arg, enum err err UNUSED, const struct redis_reply *reply UNUSED)
{
	struct line *line = arg;

	line->asking = false;
}

/* --- a line that was lost ------------------------------------------------------------
 */

static void
restore(struct line *line)
{
	struct arena *arena = arena_new();
	struct pg_params p;

	line->asking = true;
	pg_params_init(&p, arena);
	pg_add_i64(&p, line->line_id);
	pg_add_i64(&p, LINE_BLOCK);
	pg_add_i64(&p, REVOKED_MAX);
	pgpool_exec(line->lines->service->pg, &take_block, &p, on_block, line);
	arena_free(arena);
}

static void
on_ticked(void *arg, enum err err, const struct redis_reply *reply)
{
	struct line *line = arg;
	const struct line_view *v = &line->view;

	line->asking = false;
	if (err != ERR_OK)
		return;
	if (redis_count(reply) != ANSWER_COUNT) {
		restore(line);
		return;
	}
	forget_seen(line);
	take_numbers(line, reply);
	line_compare_samples(line);
	if (line->bound - v->next < LINE_BLOCK / 2 ||
	    (v->shuffled >= 0 && line->shuffled < 0))
		lines_sync(line->lines);
	if (!v->open && v->shuffled >= 0 && v->shuffled == line->shuffled)
		ask_early(line);
}

/* "{3,2,1}", newest first: how many there are, in *places as Redis marks them. */
static size_t
read_revoked(struct arena *arena, const struct line_view *v, str text, str **places)
{
	size_t count = 0;
	char *end, *at = arena_printf(arena, "%.*s", STR_ARG(text));

	*places = arena_alloc(arena, REVOKED_MAX * sizeof(**places));
	while (count < REVOKED_MAX && (at = strpbrk(at, "0123456789")) != NULL) {
		int64_t ticket = strtoll(at, &end, 10);

		(*places)[count++] =
		    number(arena, v->open ? line_place(v, ticket) : ticket);
		at = end;
	}
	return count;
}

/* Tickets begin again at the block that is ours alone; those that may have been given
 * since we last knew are a hole. */
static void
add_hole(struct line_view *v, int64_t last)
{
	struct line_pairs *holes = &v->holes;

	if (last <= v->next)
		return;
	if (holes->count == LINE_PAIRS_MAX) {
		holes->count--;
		memmove(&holes->at[0], &holes->at[1], holes->count * sizeof(*holes->at));
	}
	holes->at[holes->count].after = v->next;
	holes->at[holes->count++].value = last;
}

/* `v` is the line as it is to be made, with tickets after `first`. */
static void
send_restore(struct line *line, const struct line_view *v, int64_t first, str revoked)
{
	struct arena *arena = arena_new();
	char holes[LINE_PAIRS_TEXT_MAX], paces[LINE_PAIRS_TEXT_MAX];
	str key = line_key(arena, line), *places, *args;
	size_t count = read_revoked(arena, v, revoked, &places);

	line_pairs_print(&v->holes, holes);
	line_pairs_print(&v->paces, paces);
	args = arena_alloc(arena, (RESTORE_ARGS + count) * sizeof(*args));
	args[0] = lines_run(line->lines);
	args[1] = number(arena, first);
	args[2] = number(arena, first + LINE_BLOCK);
	args[3] = number(arena, v->serving);
	args[4] = number(arena, v->floor);
	args[5] = number(arena, v->shuffled);
	args[6] = str_of(holes);
	args[7] = str_of(paces);
	args[8] = number(arena, v->gone_from);
	args[9] = buf_str(&line->gone);
	for (size_t i = 0; i < count; i++)
		args[RESTORE_ARGS + i] = places[i];
	line->asking = true;
	redis_eval(redis_of(line), &line_restore, 1, &key, RESTORE_ARGS + count, args,
	    on_restored, line);
	arena_free(arena);
}

static void
on_block(
    void *arg, enum err err, const struct pg_result *rows, const char *sqlstate UNUSED)
{
	struct line *line = arg;
	struct line_view v;
	int64_t first;

	line->asking = false;
	if (err != ERR_OK || pg_rows(rows) != 1)
		return;
	lines_take_row(line->lines, rows, 0);
	first = pg_i64(rows, 0, LINE_COLUMN_BOUND) - LINE_BLOCK;
	v = line->view;
	v.open = line->shuffled >= 0;
	v.shuffled = line->shuffled;
	add_hole(&v, first);
	send_restore(line, &v, first, pg_str(rows, 0, LINE_COLUMN_COUNT));
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
