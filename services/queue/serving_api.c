/*
 * GET /queue/serving?line=N: the numbers of a line, the same for everybody, so that it
 * may be cached for a second for people. Gateways ask for it every 100 ms and decide with
 * it who may pass; "gone" are the bits from byte "goneFrom" on, as base64url.
 *
 * POST /internal/lines/{line}/seen {seenFrom, seen}: the same for a gateway, which tells
 * in the same form which places it has let in.
 */
#include "base/base64.h"
#include "base/clock.h"
#include "queue/answers.h"

static void
put_gone(struct rq *rq, struct json_writer *w, const struct line_view *v)
{
	char *text = arena_alloc(rq->arena, base64_text_size(v->gone_size) + 1);

	json_put_i64(w, "goneFrom", v->gone_from);
	json_put_str(w, "gone",
	    (str){ text,
		v->gone_size == 0 ? 0 : base64_encode(v->gone, v->gone_size, text) });
}

static void
put_holes(struct json_writer *w, const struct line_view *v)
{
	char text[LINE_PAIRS_TEXT_MAX];

	line_pairs_print(&v->holes, text);
	json_put_str(w, "holes", str_of(text));
}

/* A line whose numbers may be told; NULL with why. */
static struct line *
find(const struct rq *rq, int64_t line_id, enum err *err)
{
	struct service *s = rq->service;
	struct line *line = lines_find(s->lines, line_id);

	*err = line == NULL && lines_ready(s->lines) ? ERR_LINE_UNKNOWN : ERR_UNAVAILABLE;
	return line == NULL || !line_is_fresh(line) ? NULL : line;
}

static rq_next
show(struct rq *rq, const struct line *line)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };

	json_begin_object(&w, NULL);
	line_put(&w, line);
	json_put_i64(&w, "pace", line_pace(&line->view, line->view.next + 1));
	put_holes(&w, &line->view);
	put_gone(rq, &w, &line->view);
	json_end_object(&w);
	rq_header(rq, STR("Cache-Control"), STR("public, max-age=1"));
	return rq_ok(rq, answers_finish(rq, &text));
}

rq_next
serving_show(struct rq *rq)
{
	struct line *line;
	int64_t line_id;
	enum err err;

	if (!answers_line_of_query(rq, &line_id))
		return rq_fail(rq, ERR_BAD_PARAMETER);
	line = find(rq, line_id, &err);
	return line == NULL ? rq_fail(rq, err) : show(rq, line);
}

/* --- from gateways -------------------------------------------------------------------
 */

/* Only who is active can have been let in; others are a gateway's old news. */
static void
note_bits(struct line *line, int64_t from, const uint8_t *bits, size_t size)
{
	for (size_t i = 0; i < size; i++)
		for (int bit = 0; bits[i] != 0 && bit < 8; bit++) {
			int64_t place = (from + (int64_t)i) * 8 + bit;

			if ((bits[i] & 0x80 >> bit) != 0 &&
			    line_status_of(&line->view, place) == LINE_ACTIVE &&
			    place <= line->view.serving)
				line_note_seen(line, place);
		}
}

rq_next
serving_note_seen(struct rq *rq)
{
	struct json_reader r;
	struct line *line;
	int64_t line_id, from;
	uint8_t *bits;
	size_t size;
	enum err err;
	str text;

	if (!str_to_i64(rq->params[0], 0, INT64_MAX, &line_id))
		return rq_fail(rq, ERR_BAD_PARAMETER);
	line = find(rq, line_id, &err);
	if (line == NULL)
		return rq_fail(rq, err);
	json_open(&r, rq->arena, rq->body);
	from = json_i64(&r, r.root, "seenFrom", 0, INT64_MAX / 16);
	text = json_str(&r, r.root, "seen", SERVING_BODY_MAX);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	bits = arena_alloc(rq->arena, text.n + 1);
	if (!base64_decode(text, bits, text.n, &size))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "\"seen\" must be base64url.");
	note_bits(line, from, bits, size);
	return show(rq, line);
}
