#include "gateway/passes/passes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "app/metrics.h"
#include "app/pass_watch.h"
#include "base/clock.h"
#include "gateway/gateway.h"
#include "gateway/passes/line_copies.h"
#include "gateway/passes/pages.h"
#include "gateway/passes/pass_rules.h"
#include "gateway/forward/visit.h"

struct passes {
	struct pass_watch *keys;    /* owned */
	struct line_copies *copies; /* owned */
};

/* What a request shows; in its arena. */
struct check {
	struct line_wait wait; /* first: see line_copies.h */
	struct visit *visit;   /* in the arena */
	enum pass_shown shown;
	struct pass pass;       /* of SHOWN_PASS */
	int64_t line_id;        /* whose numbers decide */
	struct line_copy *copy; /* borrowed; NULL: there are too many lines */
};

static const char *const ruling_names[RULING_COUNT] = {
	[RULING_ADMITTED] = "admitted",
	[RULING_MISSING] = "missing",
	[RULING_FORGED] = "forged",
	[RULING_EXPIRED] = "expired",
	[RULING_WAITING] = "waiting",
	[RULING_OVER] = "over",
	[RULING_BORROWED] = "borrowed",
	[RULING_BLIND] = "blind",
};

static struct counter *rulings[RULING_COUNT];

static rq_step judge_again;

/* --- life --------------------------------------------------------------------------
 */

static bool
is_complete(const struct passes_settings *settings, const struct line_sources *queues)
{
	if (settings->keys_path[0] == '\0') {
		log_error("ONRUSH_PASS_KEYS is not set: name the file of keys that the "
			  "queue service has, or set ONRUSH_PASSES=off to let "
			  "everybody pass");
		return false;
	}
	if (queues->count == 0) {
		log_error("ONRUSH_QUEUE_URL is not set: passes are checked with the "
			  "numbers of the queue service; set ONRUSH_PASSES=off to let "
			  "everybody pass");
		return false;
	}
	return true;
}

bool
passes_start(const struct passes_settings *settings, const struct line_sources *queues)
{
	char labels[64];

	line_copies_register();
	for (int i = 0; i < RULING_COUNT; i++) {
		snprintf(labels, sizeof(labels), "ruling=\"%s\"", ruling_names[i]);
		rulings[i] = counter_new("onrush_gateway_passes_total",
		    "Requests for what the waiting line guards, by what was decided.",
		    labels);
	}
	if (!settings->on) {
		log_warn("ONRUSH_PASSES is off: nobody needs a pass of the waiting line");
		return true;
	}
	return is_complete(settings, queues);
}

struct passes *
passes_new(const struct passes_settings *settings, const struct line_sources *queues,
    struct worker *w, bool *failed)
{
	struct passes *passes;

	*failed = false;
	if (!settings->on)
		return NULL;
	passes = xcalloc(1, sizeof(*passes));
	passes->keys = pass_watch_new(w, settings->keys_path);
	passes->copies = line_copies_new(w->loop, queues);
	*failed = passes->keys == NULL || passes->copies == NULL;
	return passes;
}

void
passes_free(struct passes *passes)
{
	if (passes == NULL)
		return;
	line_copies_free(passes->copies);
	pass_watch_free(passes->keys);
	free(passes);
}

/* --- what is shown -------------------------------------------------------------------
 */

/* The pass that was sent, by a browser that navigates in a cookie; p == NULL if none.
 * False when there are two fields that could hold one: services might read the other.
 * Beside a token, Authorization is the token's. */
static bool
find_pass(const struct http_head *head, bool identified, str *text)
{
	int found = 0;

	*text = STR_NULL;
	for (size_t i = 0; i < head->header_count; i++) {
		const struct http_header *h = &head->headers[i];

		if (str_eq_nocase(h->name, STR("x-onrush-pass"))) {
			*text = h->value;
			found++;
		} else if (!identified && str_eq_nocase(h->name, STR("authorization"))) {
			*text = pass_of_authorization(h->value);
			found++;
		}
	}
	if (found == 0)
		*text = pages_pass(head);
	return found <= 1;
}

static enum pass_shown
look_at_pass(const struct rq *rq, const struct visit *v, const struct pass_keys *keys,
    struct pass *pass)
{
	str text;

	if (!find_pass(rq->head, v->identified, &text))
		return SHOWN_FORGED;
	if (text.p == NULL)
		return SHOWN_NOTHING;
	switch (pass_check(keys, text, clock_wall_us() / CLOCK_US_PER_SEC, pass)) {
	case PASS_FORGED: return SHOWN_FORGED;
	case PASS_EXPIRED: return SHOWN_EXPIRED;
	case PASS_VALID: break;
	}
	if (v->identified && pass->user_id != v->user_id)
		return SHOWN_BORROWED;
	return SHOWN_PASS;
}

/* --- refusals ------------------------------------------------------------------------
 */

/* A 401 with its challenge (RFC 6750, 3): why, for programs. */
static rq_next
challenge(struct rq *rq, enum err err, str why)
{
	rq_header(rq, STR("WWW-Authenticate"), why);
	return rq_fail(rq, err);
}

static void
put_number(struct rq *rq, str name, int64_t value)
{
	rq_header(rq, name, str_of(arena_printf(rq->arena, "%" PRId64, value)));
}

/* Told when to ask again, not when the place is served: that may be sooner than was
 * promised, and then the time runs. */
static rq_next
refuse_waiting(struct rq *rq, const struct line_view *v, int64_t position)
{
	const struct check *c = rq->ctx;
	int64_t remaining_s = position == 0
				  ? v->opens_s
				  : line_remaining_s(v, line_place(v, c->pass.ticket));

	put_number(rq, STR("Retry-After"), line_ask_again_ms(remaining_s) / 1000);
	if (position == 0)
		return rq_fail_because(rq, ERR_PASS_WAITING,
		    "The line is not open yet; the place is known when it opens.");
	put_number(rq, STR("X-Onrush-Position"), position);
	return rq_fail_because(rq, ERR_PASS_WAITING,
	    "It is not this pass's turn yet: its position is %" PRId64
	    ", to be served within %" PRId64 " seconds.",
	    position, remaining_s);
}

static rq_next
refuse(
    struct rq *rq, enum pass_ruling ruling, const struct line_view *v, int64_t position)
{
	const struct check *c = rq->ctx;

	if (ruling == RULING_BLIND)
		return rq_fail_because(rq, ERR_UNAVAILABLE,
		    "Where the waiting line stands is not known at the moment; the "
		    "place in it is kept.");
	if (pages_wanted(rq->head) && ruling != RULING_BORROWED)
		return pages_send_to_line(rq, c->line_id);
	switch (ruling) {
	case RULING_MISSING:
		return challenge(
		    rq, ERR_PASS_MISSING, STR("Bearer realm=\"waiting line\""));
	case RULING_FORGED:
		return challenge(rq, ERR_PASS_INVALID,
		    STR("Bearer realm=\"waiting line\", error=\"invalid_token\""));
	case RULING_EXPIRED:
		return challenge(rq, ERR_PASS_EXPIRED,
		    STR("Bearer realm=\"waiting line\", error=\"invalid_token\", "
			"error_description=\"expired\""));
	case RULING_WAITING: return refuse_waiting(rq, v, position);
	case RULING_OVER: return rq_fail(rq, ERR_PASS_OVER);
	case RULING_BORROWED: return rq_fail(rq, ERR_PASS_BORROWED);
	case RULING_BLIND:
	case RULING_ADMITTED:
	case RULING_COUNT: break;
	}
	UNREACHABLE();
}

/* --- the check -----------------------------------------------------------------------
 */

static rq_next
conclude(
    struct rq *rq, enum pass_ruling ruling, const struct line_view *v, int64_t position)
{
	struct check *c = rq->ctx;

	counter_add(rulings[ruling], 1);
	if (ruling != RULING_ADMITTED)
		return refuse(rq, ruling, v, position);
	rq->ctx = c->visit;
	if (c->shown == SHOWN_PASS) {
		line_copy_note_seen(c->copy, line_place(v, c->pass.ticket));
		c->visit->pass = &c->pass;
		if (c->visit->user_id == 0)
			c->visit->user_id = c->pass.user_id;
	}
	return visit_go_on(rq);
}

/*
 * Before somebody is told to wait, newer numbers are looked at: whoever was told a moment
 * ago to be served knows more than our copy does.
 */
static rq_next
judge(struct rq *rq, bool may_wait)
{
	struct check *c = rq->ctx;
	const struct line_view *v = c->copy == NULL ? NULL : line_copy_view(c->copy);
	int64_t position;
	enum pass_ruling ruling = pass_rule(c->shown, &c->pass, v, &position);

	if (may_wait && c->copy != NULL && line_copy_is_coming(c->copy) &&
	    (ruling == RULING_BLIND || ruling == RULING_WAITING))
		return line_copy_wait(rq, judge_again, c->copy);
	return conclude(rq, ruling, v, position);
}

rq_next
passes_check(struct rq *rq)
{
	struct gateway *gw = rq->service;
	struct passes *passes = gw->passes;
	struct check *c;

	if (passes == NULL)
		return visit_go_on(rq);
	c = ARENA_NEW(rq->arena, struct check);
	c->visit = rq->ctx;
	rq->ctx = c;
	c->shown = look_at_pass(rq, c->visit, pass_watch_keys(passes->keys), &c->pass);
	c->line_id = c->shown == SHOWN_NOTHING || c->shown == SHOWN_FORGED
			 ? PASS_GENERAL_LINE
			 : c->pass.line;
	if (c->shown == SHOWN_NOTHING || c->shown == SHOWN_PASS)
		c->copy = line_copies_use(passes->copies, c->line_id);
	return judge(rq, true);
}

static rq_next
judge_again(struct rq *rq)
{
	return judge(rq, false);
}
