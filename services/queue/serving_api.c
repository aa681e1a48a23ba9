/*
 * GET /queue/serving?line=N: the numbers of a line, the same for everybody, so that it
 * may be cached for a second for people. Gateways ask for it every 100 ms and decide with
 * it who may pass; "gone" are the bits from byte "goneFrom" on, as base64url.
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

rq_next
serving_show(struct rq *rq)
{
	struct service *s = rq->service;
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	struct line *line;
	int64_t line_id;

	if (!answers_line_of_query(rq, &line_id))
		return rq_fail(rq, ERR_BAD_PARAMETER);
	line = lines_find(s->lines, line_id);
	if (line == NULL && lines_ready(s->lines))
		return rq_fail(rq, ERR_LINE_UNKNOWN);
	if (line == NULL || !line_is_fresh(line))
		return rq_fail(rq, ERR_UNAVAILABLE);
	json_begin_object(&w, NULL);
	line_put(&w, line);
	json_put_i64(&w, "pace", line_pace(&line->view, line->view.next + 1));
	put_holes(&w, &line->view);
	put_gone(rq, &w, &line->view);
	json_end_object(&w);
	rq_header(rq, STR("Cache-Control"), STR("public, max-age=1"));
	return rq_ok(rq, answers_finish(rq, &text));
}
