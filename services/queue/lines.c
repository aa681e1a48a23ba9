/*
 * The list of the lines, and their side in PostgreSQL: a sync notes the numbers, extends
 * the bound and reads the settings. All numbers only grow, so whichever of two sources
 * knows more is right, and any number of workers may do this at once.
 */
#include "queue/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"
#include "queue/lines_impl.h"

#define SYNC_US (1 * CLOCK_US_PER_SEC)

/* $1 lines, $2 given, $3 serving, $4 floor, $5 shuffled or -1, $6 holes, $7 block. Who
 * knows of more tickets knows the holes better. */
static const struct pg_stmt sync_lines = { "queue_sync",
	"with moved as (update queue.lines l set given = greatest(l.given, k.given),"
	" serving = greatest(l.serving, k.serving), floor = greatest(l.floor, k.floor),"
	" shuffled = coalesce(l.shuffled, nullif(k.shuffled, -1)),"
	" holes = case when k.given >= l.given then k.holes else l.holes end,"
	" ticket_bound = case when l.ticket_bound - k.given >= $7::bigint / 2"
	" then l.ticket_bound else greatest(l.ticket_bound, k.given + $7) end"
	" from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],"
	" $5::bigint[], $6::text[]) k (line_id, given, serving, floor, shuffled, holes)"
	" where l.line_id = k.line_id and (l.given < k.given or l.serving < k.serving"
	" or l.floor < k.floor or (l.shuffled is null and k.shuffled >= 0)"
	" or (l.holes <> k.holes and k.given >= l.given)"
	" or l.ticket_bound - k.given < $7 / 2) returning l.*)"
	" select " LINE_COLUMNS " from moved union all (select " LINE_COLUMNS
	" from queue.lines where line_id <> all (array(select line_id from moved))"
	" order by line_id limit 64)" };

static void on_sync_timer(void *arg);
static void
on_synced(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);

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
	lines->kept = histogram_new("onrush_queue_wait_to_promise_ratio",
	    "What people waited, in what they were promised: 1 is as promised, less is "
	    "sooner.",
	    NULL);
	lines->tick = loop_timer_new(s->worker->loop, lines_on_tick, lines);
	lines->sync = loop_timer_new(s->worker->loop, on_sync_timer, lines);
	loop_timer_set(lines->tick, 0);
	loop_timer_set(lines->sync, 0);
	return lines;
}

void
lines_free(struct lines *lines)
{
	struct line *line;

	if (lines == NULL)
		return;
	loop_timer_free(lines->tick);
	loop_timer_free(lines->sync);
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

bool
line_is_sold_out(const struct line *line)
{
	return line->sold_out || line->all_owned;
}

void
line_note_seen(struct line *line, int64_t place)
{
	if (line->no_show_ms < 0 && line->idle_ms < 0)
		return;
	if (line->seen_count == line->seen_cap) {
		line->seen_cap = line->seen_cap == 0 ? 256 : 2 * line->seen_cap;
		line->seen = xrealloc(line->seen, line->seen_cap * sizeof(*line->seen));
	}
	line->seen[line->seen_count++] = place;
}

static void
raise_to(int64_t *value, int64_t at_least)
{
	if (*value < at_least)
		*value = at_least;
}

void
line_note_numbers(struct line *line, int64_t serving, int64_t floor)
{
	raise_to(&line->view.serving, serving);
	raise_to(&line->view.floor, floor);
}

void
line_note_paces(struct line *line, str text)
{
	if (!line_pairs_parse(text, &line->view.paces))
		log_error(
		    "line %" PRId64 " has paces that nobody understands", line->line_id);
}

void
line_note_given(struct line *line, int64_t ticket)
{
	raise_to(&line->view.next, ticket);
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

static struct line *
add_line(struct lines *lines, int64_t line_id)
{
	struct line *line;

	if (lines->count == LINES_MAX)
		return NULL;
	line = xcalloc(1, sizeof(*line));
	line->lines = lines;
	line->line_id = line_id;
	line->concert_id = -1;
	LIST_INSERT_HEAD(&lines->list, line, link);
	lines->count++;
	return line;
}

static void
take_settings(struct line *line, const struct pg_result *rows, int row)
{
	str name = pg_str(rows, row, 1);

	snprintf(line->name, sizeof(line->name), "%.*s", STR_ARG(name));
	line->version = pg_i64(rows, row, 2);
	ASSERT(line_mode_parse(pg_str(rows, row, 3), &line->view.mode));
	line->rate = i64_or(rows, row, 4, -1);
	line->max_active = pg_i64(rows, row, 5);
	line->active_ms = pg_i64(rows, row, 6);
	line->no_show_ms = i64_or(rows, row, 7, -1);
	line->idle_ms = i64_or(rows, row, 8, -1);
	line->opens_us = pg_time_us(rows, row, 9);
	line->closes_us = pg_time_us(rows, row, 10);
	line->sold_out = pg_bool(rows, row, 11);
	if (line->concert_id != i64_or(rows, row, 12, -1))
		line->all_owned = false; /* nobody has looked at this one */
	line->concert_id = i64_or(rows, row, 12, -1);
	ASSERT(pg_bytes(rows, row, 13, line->view.seed, LINE_SEED_SIZE));
}

struct line *
lines_take_row(struct lines *lines, const struct pg_result *rows, int row)
{
	struct line *line = lines_find(lines, pg_i64(rows, row, 0));

	if (line == NULL && (line = add_line(lines, pg_i64(rows, row, 0))) == NULL)
		return NULL;
	raise_to(&line->bound, pg_i64(rows, row, 15));
	line_note_given(line, pg_i64(rows, row, 16));
	line_note_numbers(line, pg_i64(rows, row, 17), pg_i64(rows, row, 18));
	line->shuffled = i64_or(rows, row, 14, -1);
	if (line->read_us == 0) /* later Redis knows them better */
		ASSERT(line_pairs_parse(pg_str(rows, row, 19), &line->view.holes));
	if (line->version > pg_i64(rows, row, 2))
		return line; /* two queries crossed */
	take_settings(line, rows, row);
	return line;
}

static str
pairs_text(struct arena *arena, const struct line_pairs *pairs)
{
	char *text = arena_alloc(arena, LINE_PAIRS_TEXT_MAX);

	line_pairs_print(pairs, text);
	return str_of(text);
}

void
lines_sync(struct lines *lines)
{
	struct arena *arena;
	struct pg_params p;
	struct line *line;
	int64_t v[5][LINES_MAX];
	str holes[LINES_MAX];
	size_t n = 0;

	if (lines->syncing) {
		lines->sync_again = true;
		return;
	}
	lines->syncing = true;
	arena = arena_new();
	LIST_FOREACH (line, &lines->list, link) {
		if (line->read_us == 0)
			continue; /* its numbers are not known yet */
		v[0][n] = line->line_id;
		v[1][n] = line->view.next;
		v[2][n] = line->view.serving;
		v[3][n] = line->view.floor;
		v[4][n] = line->view.shuffled;
		holes[n++] = pairs_text(arena, &line->view.holes);
	}
	pg_params_init(&p, arena);
	for (int i = 0; i < 5; i++)
		pg_add_i64_array(&p, v[i], n);
	pg_add_str_array(&p, holes, n);
	pg_add_i64(&p, LINE_BLOCK);
	pgpool_exec(lines->service->pg, &sync_lines, &p, on_synced, lines);
	arena_free(arena);
}

static void
on_sync_timer(void *arg)
{
	struct lines *lines = arg;

	loop_timer_set(lines->sync, SYNC_US);
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
