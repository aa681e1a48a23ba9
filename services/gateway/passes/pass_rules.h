/*
 * Whether somebody may pass, without I/O and without a clock: from what was shown and the
 * numbers of the line that it is of. Who shows nothing is judged by the general line.
 */
#ifndef ONRUSH_GATEWAY_PASSES_PASS_RULES_H
#define ONRUSH_GATEWAY_PASSES_PASS_RULES_H

#include "crypto/pass.h"
#include "queue/line_rules.h"

enum {
	PASS_GENERAL_LINE = 0,
};

enum pass_ruling {
	RULING_ADMITTED, /* with a pass that is served, or where nobody needs one */
	RULING_MISSING,  /* no pass was shown */
	RULING_FORGED,
	RULING_EXPIRED,
	RULING_WAITING,  /* the pass is good, but its place is not served yet */
	RULING_OVER,     /* its time is over, or it was given up or revoked */
	RULING_BORROWED, /* it is of another user than the token that came with it */
	RULING_BLIND,    /* the line's numbers are too old to decide with */
	RULING_COUNT
};

/* What a client showed, as far as it can be judged without the line. */
enum pass_shown {
	SHOWN_NOTHING,
	SHOWN_FORGED,
	SHOWN_EXPIRED,
	SHOWN_BORROWED,
	SHOWN_PASS,
};

/* v is NULL when nothing may be decided with what is known of the line; *position is the
 * place's of who waits, 0 while nobody knows it: before the opening of a random line. */
enum pass_ruling pass_rule(enum pass_shown shown, const struct pass *pass,
    const struct line_view *v, int64_t *position);

#endif
