/*
 *   events ─> stream ─> stream …      each in its request's arena
 *               └─ rq: ends by itself (EXPIRED), with its client, or with the server
 *
 * Twice a second every stream is compared with what its client was told last. "place"
 * says where the user stands, when the status changes or the position by enough to be
 * seen; "end" asks the client to come again, here or at another instance. Between, a
 * comment keeps the connection alive. A client that does not take what it is sent gets
 * nothing more until it has, and then how things are by then.
 *
 * Streams never ask Redis: a ticket's place is a matter of the line's numbers.
 */
#include "queue/events.h"

#include <stdlib.h>

#include "app/metrics.h"
#include "base/clock.h"
#include "queue/answers.h"

#define LOOK_US      (500 * CLOCK_US_PER_MS)
#define HEARTBEAT_US (10 * CLOCK_US_PER_SEC)

enum {
	STREAMS_MAX = 20000,
};

/* What a client was told: another "place" is due when this differs. */
struct told {
	enum line_status status;
	int64_t step; /* of the position */
	bool open, closed, sold_out;
};

struct stream {
	LIST_ENTRY(stream) link;
	struct events *events; /* borrowed */
	struct rq *rq;         /* borrowed: it is this stream's own request */
	struct line *line;     /* borrowed; never freed before the server */
	int64_t user_id, ticket;
	struct told told;
	int64_t last_hole; /* as it was when the client came, with its pass or without */
	int64_t sent_us;
	bool full; /* the client has to take something first */
};

struct events {
	struct service *service; /* borrowed */
	LIST_HEAD(, stream) streams;
	size_t count;
	struct loop_timer *timer; /* owned */
	struct buf text;          /* owned; of one event, used again */
	struct gauge *gauge;      /* owned by metrics */
};

static void on_timer(void *arg);
static void on_room(struct rq *rq);
static void on_gone(struct rq *rq);
static void on_drain(struct rq *rq);

static const struct rq_stream_ops ops = { on_room, on_gone, on_drain };

struct events *
events_new(struct service *s)
{
	struct events *events = xcalloc(1, sizeof(*events));

	events->service = s;
	LIST_INIT(&events->streams);
	events->gauge =
	    gauge_new("onrush_queue_streams", "Clients who are told by events.", NULL);
	events->timer = loop_timer_new(s->worker->loop, on_timer, events);
	loop_timer_set(events->timer, LOOK_US);
	return events;
}

void
events_free(struct events *events)
{
	if (events == NULL)
		return;
	ASSERT(LIST_EMPTY(&events->streams));
	loop_timer_free(events->timer);
	buf_fini(&events->text);
	free(events);
}

bool
events_have_room(const struct events *events)
{
	return events->count < STREAMS_MAX;
}

/* --- one stream ----------------------------------------------------------------------
 */

static void
forget(struct stream *s)
{
	LIST_REMOVE(s, link);
	s->events->count--;
	gauge_add(s->events->gauge, -1);
}

static void
end(struct stream *s)
{
	struct rq *rq = s->rq;

	forget(s);
	rq_stream_end(rq, true);
}

static void
write_text(struct stream *s, str text)
{
	s->sent_us = loop_now_us(s->events->service->worker->loop);
	s->full = !rq_stream_write(s->rq, text);
}

static struct told
standing(const struct stream *s)
{
	const struct line_view *v = &s->line->view;
	int64_t place = line_place(v, s->ticket);

	return (struct told){
		.status = line_status_of(v, place),
		.step = line_step(line_position(v, place)),
		.open = v->open,
		.closed = v->mode == LINE_CLOSED,
		.sold_out = line_is_sold_out(s->line),
	};
}

static bool
is_told(const struct told *a, const struct told *b)
{
	return a->status == b->status && a->step == b->step && a->open == b->open &&
	       a->closed == b->closed && a->sold_out == b->sold_out;
}

static void
tell(struct stream *s, struct told now)
{
	struct buf *text = &s->events->text;
	struct json_writer w = { .out = text };

	answers_note(s->line, s->ticket);
	buf_clear(text);
	buf_add_str(text, STR("event: place\ndata: "));
	json_begin_object(&w, NULL);
	answers_put_standing(&w, s->line, s->user_id, s->ticket);
	json_end_object(&w);
	buf_add_str(text, STR("\n\n"));
	s->told = now;
	write_text(s, buf_str(text));
}

static void
ask_to_come_again(struct stream *s)
{
	write_text(s, STR("event: end\ndata: {}\n\n"));
	end(s);
}

static int64_t
last_hole(const struct line_view *v)
{
	return v->holes.count == 0 ? 0 : v->holes.at[v->holes.count - 1].value;
}

/* Redis was lost, and with it perhaps this ticket: who shows the pass gets it back. */
static bool
must_show_pass(const struct stream *s)
{
	const struct line_view *v = &s->line->view;

	return last_hole(v) != s->last_hole &&
	       line_in_hole(v, v->open ? line_place(v, s->ticket) : s->ticket);
}

static void
look(struct stream *s)
{
	int64_t now_us = loop_now_us(s->events->service->worker->loop);
	struct told now;

	if (s->full)
		return;
	if (line_is_fresh(s->line) && must_show_pass(s)) {
		ask_to_come_again(s);
		return;
	}
	now = standing(s);
	if (line_is_fresh(s->line) && !is_told(&s->told, &now)) {
		tell(s, now);
		if (now.status == LINE_EXPIRED)
			end(s);
	} else if (now_us - s->sent_us >= HEARTBEAT_US) {
		answers_note(s->line, s->ticket); /* whoever listens is there */
		write_text(s, STR(":\n\n"));
	}
}

/* --- all of them ---------------------------------------------------------------------
 */

static void
on_timer(void *arg)
{
	struct events *events = arg;
	struct stream *s, *next;

	loop_timer_set(events->timer, LOOK_US);
	for (s = LIST_FIRST(&events->streams); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		look(s);
	}
}

static void
on_room(struct rq *rq)
{
	struct stream *s = rq->ctx;

	s->full = false;
}

static void
on_gone(struct rq *rq)
{
	forget(rq->ctx);
}

static void
on_drain(struct rq *rq)
{
	ask_to_come_again(rq->ctx);
}

rq_next
events_begin(struct rq *rq, struct events *events, const struct desk_ask *a)
{
	struct stream *s = ARENA_NEW(rq->arena, struct stream);
	rq_next next;

	*s = (struct stream){
		.events = events,
		.rq = rq,
		.line = a->line,
		.user_id = a->user_id,
		.ticket = a->result,
		.last_hole = last_hole(&a->line->view),
	};
	rq->ctx = s;
	LIST_INSERT_HEAD(&events->streams, s, link);
	events->count++;
	gauge_add(events->gauge, 1);
	rq_header(rq, STR("Cache-Control"), STR("no-store"));
	next = rq_stream(rq, 200, STR("text/event-stream"), -1, &ops);
	write_text(s, STR("retry: 2000\n\n"));
	tell(s, standing(s));
	if (s->told.status == LINE_EXPIRED)
		end(s);
	return next;
}
