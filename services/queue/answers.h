/* What the queue service says, as JSON; shared by its calls. */
#ifndef ONRUSH_QUEUE_ANSWERS_H
#define ONRUSH_QUEUE_ANSWERS_H

#include "http/json.h"
#include "queue/lines.h"

/* The line of "?line=N", 0 without a query; false when the query is anything else. */
bool answers_line_of_query(const struct rq *rq, int64_t *line_id) MUST_USE;

/* The holder of the ticket is there and is told where it stands: who is active has shown
 * up, and what is promised to who waits is compared with what happens. */
void answers_note(struct line *line, int64_t ticket);

/* Where the ticket stands: the members of an open object. */
void answers_put_standing(
    struct json_writer *w, const struct line *line, int64_t user_id, int64_t ticket);

/* The user's pass and where it stands. */
rq_next
answers_token(struct rq *rq, struct line *line, int64_t user_id, int64_t ticket) MUST_USE;
rq_next answers_left(struct rq *rq, const struct line *line, int64_t user_id) MUST_USE;

/* Settings and numbers of a line, for the operator: the members of an open object. */
void line_put(struct json_writer *w, const struct line *line);

/* Ends a JSON text: moves it to the request's arena. */
str answers_finish(struct rq *rq, struct buf *text);

#endif
