/*
 * Tokens: POST /queue/tokens, GET /queue/tokens/status/{userId}, GET
 * /queue/events/{userId}, DELETE /queue/tokens/{userId}. A token is a pass
 * (crypto/pass.h): a function of line, user and ticket, so it is the same on every ask.
 * Who shows a pass keeps its ticket, whatever Redis knows.
 */
#include <string.h>

#include "base/clock.h"
#include "http/caller.h"
#include "http/json.h"
#include "queue/answers.h"
#include "queue/desk.h"
#include "queue/events.h"

static rq_step taken, looked_up, found_for_events, found, left;

/* --- what is asked for ---------------------------------------------------------------
 */

/* Whose, and of which line; ERR_OK, or what to answer with *why. */
static enum err
begin(struct rq *rq, int64_t user_id, int64_t line_id)
{
	struct service *s = rq->service;
	struct desk_ask *a = rq->ctx = ARENA_NEW(rq->arena, struct desk_ask);

	a->user_id = user_id;
	a->line = lines_find(s->lines, line_id);
	if (a->line == NULL)
		return lines_ready(s->lines) ? ERR_LINE_UNKNOWN : ERR_UNAVAILABLE;
	return line_is_fresh(a->line) ? ERR_OK : ERR_UNAVAILABLE;
}

/* The same from the address. */
static enum err
begin_at(struct rq *rq)
{
	int64_t user_id, line_id;
	enum err err;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &user_id) ||
	    !answers_line_of_query(rq, &line_id))
		return ERR_BAD_PARAMETER;
	err = caller_check(rq, user_id);
	return err != ERR_OK ? err : begin(rq, user_id, line_id);
}

/* Looks at a pass that was shown. A valid one that is not over is what we ask about. */
static enum err
look_at_pass(struct rq *rq)
{
	struct service *s = rq->service;
	struct desk_ask *a = rq->ctx;
	str text = pass_of_authorization(http_header(rq->head, STR("authorization")));
	struct pass pass;
	int64_t place;

	if (text.p == NULL)
		return ERR_OK;
	switch (pass_check(
	    pass_watch_keys(s->keys), text, clock_wall_us() / CLOCK_US_PER_SEC, &pass)) {
	case PASS_FORGED: return ERR_PASS_INVALID;
	case PASS_EXPIRED: return ERR_PASS_EXPIRED;
	case PASS_VALID: break;
	}
	if (pass.user_id != a->user_id || pass.line != a->line->line_id)
		return ERR_PASS_INVALID;
	place = line_place(&a->line->view, pass.ticket);
	if (line_status_of(&a->line->view, place) == LINE_EXPIRED)
		return ERR_OK;
	a->wish = DESK_SHOW;
	a->ticket = pass.ticket;
	a->place = desk_place(a->line, pass.ticket);
	return ERR_OK;
}

static rq_next
send(struct rq *rq, rq_step *next)
{
	struct service *s = rq->service;

	return desk_send(rq, next, s->desk, rq->ctx);
}

/* Begins a call about the user of the address: asks for the ticket. */
static rq_next
ask_for_ticket(struct rq *rq, rq_step *next)
{
	struct desk_ask *a;
	enum err err = begin_at(rq);

	if (err != ERR_OK)
		return rq_fail(rq, err);
	a = rq->ctx;
	a->wish = DESK_GET;
	if ((err = look_at_pass(rq)) != ERR_OK)
		return rq_fail(rq, err);
	return send(rq, next);
}

/* Whether there is one. */
static enum err
ticket_found(const struct rq *rq)
{
	const struct desk_ask *a = rq->ctx;

	if (rq->err != ERR_OK)
		return rq->err;
	if (a->result < 0)
		return ERR_OVERLOAD;
	return a->result == 0 ? ERR_TOKEN_UNKNOWN : ERR_OK;
}

/* --- POST /queue/tokens --------------------------------------------------------------
 */

static enum desk_wish
wish_for_ticket(const struct desk_ask *a)
{
	return a->line->view.mode == LINE_CLOSED ? DESK_GET : DESK_TAKE;
}

rq_next
token_take(struct rq *rq)
{
	struct json_reader r;
	struct desk_ask *a;
	int64_t user_id, line_id;
	enum err err;

	json_open(&r, rq->arena, rq->body);
	user_id = json_i64(&r, r.root, "userId", 1, INT64_MAX);
	line_id = json_i64_or(&r, r.root, "line", 0, INT64_MAX, 0);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	if ((err = caller_check(rq, user_id)) != ERR_OK ||
	    (err = begin(rq, user_id, line_id)) != ERR_OK)
		return rq_fail(rq, err);
	a = rq->ctx;
	a->wish = wish_for_ticket(a);
	if ((err = look_at_pass(rq)) != ERR_OK)
		return rq_fail(rq, err);
	return send(rq, taken);
}

/* Asks for a new ticket in place of this one, which is over; 0: in place of none. */
static rq_next
take_instead(struct rq *rq, int64_t ticket)
{
	struct desk_ask *a = rq->ctx;

	a->wish = wish_for_ticket(a);
	a->ticket = ticket;
	a->place = 0;
	if (a->wish == DESK_GET)
		return rq_fail(rq, ERR_LINE_CLOSED);
	return send(rq, taken);
}

static rq_next
taken(struct rq *rq)
{
	struct desk_ask *a = rq->ctx;
	int64_t place;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (a->result < 0)
		return rq_fail(rq, ERR_OVERLOAD);
	if (a->result == 0)
		return take_instead(rq, 0);
	place = line_place(&a->line->view, a->result);
	if (line_status_of(&a->line->view, place) == LINE_EXPIRED &&
	    !(a->wish == DESK_TAKE && a->ticket == a->result))
		return take_instead(rq, a->result);
	return answers_token(rq, a->line, a->user_id, a->result);
}

/* --- GET /queue/tokens/status/{userId} -----------------------------------------------
 */

rq_next
token_status(struct rq *rq)
{
	return ask_for_ticket(rq, looked_up);
}

static rq_next
looked_up(struct rq *rq)
{
	const struct desk_ask *a = rq->ctx;
	enum err err = ticket_found(rq);

	if (err != ERR_OK)
		return rq_fail(rq, err);
	return answers_token(rq, a->line, a->user_id, a->result);
}

/* --- GET /queue/events/{userId} ------------------------------------------------------
 */

/* What a client says of the last event it saw changes nothing: each stream begins with
 * how things are. */
rq_next
token_events(struct rq *rq)
{
	struct service *s = rq->service;

	if (!events_have_room(s->events))
		return rq_fail(rq, ERR_OVERLOAD);
	return ask_for_ticket(rq, found_for_events);
}

static rq_next
found_for_events(struct rq *rq)
{
	struct service *s = rq->service;
	enum err err = ticket_found(rq);

	if (err == ERR_OK && !events_have_room(s->events))
		err = ERR_OVERLOAD;
	return err == ERR_OK ? events_begin(rq, s->events, rq->ctx) : rq_fail(rq, err);
}

/* --- DELETE /queue/tokens/{userId} ---------------------------------------------------
 */

rq_next
token_leave(struct rq *rq)
{
	return ask_for_ticket(rq, found);
}

static rq_next
found(struct rq *rq)
{
	struct desk_ask *a = rq->ctx;
	enum err err = ticket_found(rq);

	if (err != ERR_OK)
		return rq_fail(rq, err);
	a->wish = DESK_LEAVE;
	a->ticket = a->result;
	a->place = desk_place(a->line, a->ticket);
	return send(rq, left);
}

static rq_next
left(struct rq *rq)
{
	const struct desk_ask *a = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (a->result < 0)
		return rq_fail(rq, ERR_OVERLOAD);
	return answers_left(rq, a->line, a->user_id);
}
