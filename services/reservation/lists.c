#include "reservation/lists.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "http/batch.h"
#include "http/json.h"

enum {
	BUCKETS = 1024,
	QUEUE_MAX = 8192,
	READ_MAX = 64, /* lists in one query */
};

/* A list. What it is of is never deleted, so lists are not either. */
struct entry {
	LIST_ENTRY(entry) link;
	int64_t id;
	struct buf text; /* owned */
	int64_t read_us; /* monotonic, when its query was sent */
};

LIST_HEAD(bucket, entry);

/* The rows of a kind: the id that was asked for, then its members; null when it has none.
 */
struct kind {
	struct pg_stmt read;
	const char *member; /* the name of the array */
	void (*put)(struct json_writer *w, const struct pg_result *rows, int row);
};

/* All lists of one kind. */
struct shelf {
	struct lists *lists;     /* borrowed */
	const struct kind *kind; /* static */
	struct batch *reads;     /* owned */
	struct loop_job job;     /* begins the query in the background */
	int64_t stale[READ_MAX]; /* the lists that it reads */
	size_t stale_count;
	bool running;
	int64_t sent_us;
	struct bucket buckets[BUCKETS]; /* entries are owned */
};

struct lists {
	struct service *service; /* borrowed */
	struct shelf shelves[LIST_KINDS];
};

static void put_concert(struct json_writer *w, const struct pg_result *rows, int row);
static void put_date(struct json_writer *w, const struct pg_result *rows, int row);
static void put_seat(struct json_writer *w, const struct pg_result *rows, int row);

static const struct kind kinds[LIST_KINDS] = {
	[LIST_CONCERTS] = { { "list_concerts",
				"select w.id, c.concert_id, c.name, c.per_user_limit,"
				" c.line_id"
				" from unnest($1::bigint[]) w (id)"
				" left join reservation.concerts c on true"
				" order by w.id, c.concert_id" },
	    "concerts", put_concert },
	[LIST_DATES] = { { "list_dates",
			     "select c.concert_id, o.option_id, o.starts_at"
			     " from reservation.concerts c"
			     " left join reservation.options o using (concert_id)"
			     " where c.concert_id = any($1::bigint[])"
			     " order by c.concert_id, o.starts_at, o.option_id" },
	    "concerts", put_date },
	[LIST_SEATS] = { { "list_seats",
			     "select o.option_id, s.seat_id, s.seat_no, s.price"
			     " from reservation.options o left join reservation.seats s"
			     " on s.option_id = o.option_id and s.held_until <= now()"
			     " where o.option_id = any($1::bigint[])"
			     " order by o.option_id, s.seat_no" },
	    "seats", put_seat },
};

static void flush_reads(struct batch_run *run);
static void
on_read(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);
static void start_refresh(struct loop_job *job);
static void
on_refresh(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);

struct lists *
lists_new(struct service *s)
{
	struct lists *l = xcalloc(1, sizeof(*l));

	l->service = s;
	for (size_t i = 0; i < LIST_KINDS; i++) {
		struct shelf *shelf = &l->shelves[i];

		shelf->lists = l;
		shelf->kind = &kinds[i];
		shelf->job.run = start_refresh;
		shelf->reads = batch_new(s->worker->loop, &(struct batch_conf){
							      .max_size = READ_MAX,
							      .max_runs = 1,
							      .max_queue = QUEUE_MAX,
							      .flush = flush_reads,
							      .arg = shelf,
							  });
	}
	return l;
}

static void
free_entries(struct shelf *shelf)
{
	struct entry *e;

	for (size_t i = 0; i < BUCKETS; i++)
		while ((e = LIST_FIRST(&shelf->buckets[i])) != NULL) {
			LIST_REMOVE(e, link);
			buf_fini(&e->text);
			free(e);
		}
}

void
lists_free(struct lists *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < LIST_KINDS; i++) {
		batch_free(l->shelves[i].reads);
		free_entries(&l->shelves[i]);
	}
	free(l);
}

/* --- the texts ----------------------------------------------------------------- */

static struct bucket *
bucket_of(struct shelf *shelf, int64_t id)
{
	return &shelf->buckets[(uint64_t)id % BUCKETS];
}

static struct entry *
find(struct shelf *shelf, int64_t id)
{
	struct entry *e;

	LIST_FOREACH (e, bucket_of(shelf, id), link)
		if (e->id == id)
			return e;
	return NULL;
}

static void
put_concert(struct json_writer *w, const struct pg_result *rows, int row)
{
	json_put_i64(w, "id", pg_i64(rows, row, 1));
	json_put_str(w, "name", pg_str(rows, row, 2));
	json_put_i64(w, "perUserLimit", pg_i64(rows, row, 3));
	json_put_i64(w, "line", pg_i64(rows, row, 4));
}

static void
put_date(struct json_writer *w, const struct pg_result *rows, int row)
{
	json_put_i64(w, "id", pg_i64(rows, row, 1));
	json_put_i64(w, "concertId", pg_i64(rows, row, 0));
	json_put_time(w, "date", pg_time_us(rows, row, 2));
}

static void
put_seat(struct json_writer *w, const struct pg_result *rows, int row)
{
	json_put_i64(w, "seatId", pg_i64(rows, row, 1));
	json_put_i64(w, "seatNo", pg_i64(rows, row, 2));
	json_put_i64(w, "price", pg_i64(rows, row, 3));
}

/* The rows from..to-1, which are of one list, as its text. */
static void
put_list(struct buf *out, const struct kind *kind, const struct pg_result *rows, int from,
    int to)
{
	struct json_writer w = { .out = out };

	buf_clear(out);
	json_begin_object(&w, NULL);
	json_begin_array(&w, kind->member);
	for (int i = from; i < to && !pg_is_null(rows, i, 1); i++) {
		json_begin_object(&w, NULL);
		kind->put(&w, rows, i);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
}

static void
store_list(
    struct shelf *shelf, const struct pg_result *rows, int from, int to, int64_t sent_us)
{
	int64_t id = pg_i64(rows, from, 0);
	struct entry *e = find(shelf, id);

	if (e == NULL) {
		e = xcalloc(1, sizeof(*e));
		e->id = id;
		LIST_INSERT_HEAD(bucket_of(shelf, id), e, link);
	}
	if (sent_us < e->read_us)
		return; /* two queries crossed; keep the later one's */
	e->read_us = sent_us;
	put_list(&e->text, shelf->kind, rows, from, to);
}

static void
store_rows(struct shelf *shelf, const struct pg_result *rows, int64_t sent_us)
{
	int count = pg_rows(rows);

	for (int from = 0, to; from < count; from = to) {
		int64_t id = pg_i64(rows, from, 0);

		for (to = from + 1; to < count && pg_i64(rows, to, 0) == id; to++)
			continue;
		store_list(shelf, rows, from, to, sent_us);
	}
}

static void
read_ids(struct shelf *shelf, const int64_t *ids, size_t count, pgpool_cb *cb, void *arg)
{
	struct arena *arena = arena_new();
	struct pg_params p;

	pg_params_init(&p, arena);
	pg_add_i64_array(&p, ids, count);
	pgpool_exec(shelf->lists->service->pg, &shelf->kind->read, &p, cb, arg);
	arena_free(arena);
}

/* --- in the background --------------------------------------------------------- */

static void
ask_refresh(struct shelf *shelf, int64_t id)
{
	if (shelf->running || shelf->stale_count == READ_MAX)
		return;
	for (size_t i = 0; i < shelf->stale_count; i++)
		if (shelf->stale[i] == id)
			return;
	shelf->stale[shelf->stale_count++] = id;
	loop_defer(shelf->lists->service->worker->loop, &shelf->job);
}

static void
start_refresh(struct loop_job *job)
{
	struct shelf *shelf = CONTAINER_OF(job, struct shelf, job);

	shelf->running = true;
	shelf->sent_us = clock_mono_us();
	read_ids(shelf, shelf->stale, shelf->stale_count, on_refresh, shelf);
}

/* A refresh that failed changes nothing: the lists get too old, and then who asks waits
 * and is told. */
static void
on_refresh(
    void *arg, enum err err, const struct pg_result *rows, const char *sqlstate UNUSED)
{
	struct shelf *shelf = arg;

	if (err == ERR_OK)
		store_rows(shelf, rows, shelf->sent_us);
	shelf->running = false;
	shelf->stale_count = 0;
}

str
lists_find(struct lists *l, enum list_kind kind, int64_t id)
{
	struct shelf *shelf = &l->shelves[kind];
	struct entry *e = find(shelf, id);
	int64_t age_us;

	if (e == NULL)
		return STR_NULL;
	age_us = clock_mono_us() - e->read_us;
	if (age_us >= LISTS_LEASE_US)
		return STR_NULL;
	if (age_us >= LISTS_FRESH_US)
		ask_refresh(shelf, id);
	return buf_str(&e->text);
}

/* --- while a request waits ----------------------------------------------------- */

/* One query for all that wait. */
struct read {
	struct batch_run *run; /* borrowed until batch_end */
	int64_t sent_us;
};

rq_next
lists_read(
    struct rq *rq, rq_step *next, struct lists *l, enum list_kind kind, const int64_t *id)
{
	return rq_join(rq, next, l->shelves[kind].reads, (void *)(uintptr_t)id);
}

static size_t
distinct_ids(const struct batch_run *run, int64_t *ids)
{
	size_t n = 0;

	for (size_t i = 0; i < run->count; i++) {
		int64_t id = *(const int64_t *)run->items[i];
		size_t j = 0;

		while (j < n && ids[j] != id)
			j++;
		if (j == n)
			ids[n++] = id;
	}
	return n;
}

static void
flush_reads(struct batch_run *run)
{
	struct read *read = ARENA_NEW(run->rqs[0]->arena, struct read);
	int64_t ids[READ_MAX];
	size_t count = distinct_ids(run, ids);

	*read = (struct read){ run, clock_mono_us() };
	read_ids(run->arg, ids, count, on_read, read);
}

static void
on_read(
    void *arg, enum err err, const struct pg_result *rows, const char *sqlstate UNUSED)
{
	struct read *read = arg;
	struct batch_run *run = read->run;

	if (err == ERR_OK)
		store_rows(run->arg, rows, read->sent_us);
	for (size_t i = 0; i < run->count; i++)
		rq_resume(run->rqs[i], err);
	batch_end(run);
}
