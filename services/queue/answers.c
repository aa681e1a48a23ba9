#include "queue/answers.h"

#include "base/clock.h"
#include "crypto/digest.h"
#include "queue/estimates.h"

static const str status_names[] = {
	[LINE_WAITING] = STR_INIT("WAITING"),
	[LINE_ACTIVE] = STR_INIT("ACTIVE"),
	[LINE_EXPIRED] = STR_INIT("EXPIRED"),
};

bool
answers_line_of_query(const struct rq *rq, int64_t *line_id)
{
	static const str name = STR_INIT("line=");
	str query = rq->head->query;

	*line_id = 0;
	if (query.n == 0)
		return true;
	return str_starts(query, name) &&
	       str_to_i64(
		   (str){ query.p + name.n, query.n - name.n }, 0, INT64_MAX, line_id);
}

str
answers_finish(struct rq *rq, struct buf *text)
{
	str data = arena_str(rq->arena, buf_str(text));

	buf_fini(text);
	return data;
}

static str
pass_text(struct rq *rq, const struct line *line, int64_t user_id, int64_t ticket)
{
	struct service *s = rq->service;
	const struct pass pass = {
		.line = line->line_id,
		.user_id = user_id,
		.ticket = ticket,
		.expires_s = line->closes_us / CLOCK_US_PER_SEC,
	};
	char *text = arena_alloc(rq->arena, PASS_TEXT_MAX);

	return (str){ text, pass_write(pass_watch_keys(s->keys), &pass, text) };
}

/* Before a random opening nobody has a place, so nobody is promised a time. */
static void
put_place(struct json_writer *w, const struct line_view *v, int64_t place)
{
	int64_t position = line_position(v, place);
	int64_t remaining_s = line_remaining_s(v, place);

	if (place == 0) {
		json_put_null(w, "queueOrder");
		json_put_null(w, "remainingTime");
		remaining_s = v->opens_s;
	} else {
		json_put_i64(w, "queueOrder", position);
		json_put_i64(w, "remainingTime", remaining_s);
	}
	json_put_i64(w, "opensIn", v->opens_s);
	json_put_i64(w, "askAgainMs", line_ask_again_ms(remaining_s));
}

void
answers_note(struct line *line, int64_t ticket)
{
	const struct line_view *v = &line->view;
	int64_t place = line_place(v, ticket);

	switch (line_status_of(v, place)) {
	case LINE_ACTIVE:
		if (place > 0 && place <= v->serving)
			line_note_seen(line, place);
		break;
	case LINE_WAITING: estimates_note(line, place, line_remaining_s(v, place)); break;
	case LINE_EXPIRED: break;
	}
}

void
answers_put_standing(
    struct json_writer *w, const struct line *line, int64_t user_id, int64_t ticket)
{
	const struct line_view *v = &line->view;
	int64_t place = line_place(v, ticket);
	enum line_status status = line_status_of(v, place);

	json_put_str(w, "status", status_names[status]);
	put_place(w, v, status == LINE_WAITING ? place : v->serving);
	json_put_i64(w, "userId", user_id);
	json_put_i64(w, "line", line->line_id);
	json_put_bool(w, "closed", v->mode == LINE_CLOSED);
	json_put_bool(w, "soldOut", line_is_sold_out(line));
}

rq_next
answers_token(struct rq *rq, struct line *line, int64_t user_id, int64_t ticket)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };

	answers_note(line, ticket);
	json_begin_object(&w, NULL);
	json_put_str(&w, "token", pass_text(rq, line, user_id, ticket));
	answers_put_standing(&w, line, user_id, ticket);
	json_end_object(&w);
	return rq_ok(rq, answers_finish(rq, &text));
}

rq_next
answers_left(struct rq *rq, const struct line *line, int64_t user_id)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };

	json_begin_object(&w, NULL);
	json_put_i64(&w, "userId", user_id);
	json_put_i64(&w, "line", line->line_id);
	json_put_bool(&w, "left", true);
	json_end_object(&w);
	return rq_ok(rq, answers_finish(rq, &text));
}

static void
put_or_null(struct json_writer *w, const char *name, int64_t value)
{
	if (value < 0)
		json_put_null(w, name);
	else
		json_put_i64(w, name, value);
}

void
line_put(struct json_writer *w, const struct line *line)
{
	const struct line_view *v = &line->view;
	const str seed = { (const char *)v->seed, LINE_SEED_SIZE };
	struct sha256 hash = sha256_of(&seed, 1);

	json_put_i64(w, "line", line->line_id);
	json_put_str(w, "name", str_of(line->name));
	json_put_str(w, "mode", str_of(line_mode_name(v->mode)));
	put_or_null(w, "rate", line->rate);
	json_put_i64(w, "maxActive", line->max_active);
	json_put_i64(w, "activeMs", line->active_ms);
	put_or_null(w, "noShowMs", line->no_show_ms);
	put_or_null(w, "idleMs", line->idle_ms);
	put_or_null(w, "concertId", line->concert_id);
	json_put_bool(w, "soldOut", line_is_sold_out(line));
	if (line->opens_us > 0)
		json_put_time(w, "opensAt", line->opens_us);
	json_put_time(w, "closesAt", line->closes_us);
	json_put_bool(w, "open", v->open);
	json_put_hex(w, "seedHash", hash.b, SHA256_SIZE);
	if (v->open)
		json_put_hex(w, "seed", v->seed, LINE_SEED_SIZE);
	put_or_null(w, "shuffled", v->shuffled);
	json_put_i64(w, "given", v->next);
	json_put_i64(w, "serving", v->serving);
	json_put_i64(w, "floor", v->floor);
}
