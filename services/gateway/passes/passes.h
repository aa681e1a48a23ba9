/*
 * Passes of the waiting line, checked without a call: the signature with keys that the
 * gateway has, the place with a copy of the line's numbers (line_copies.h).
 *
 *   route ──passes_check──> look at the pass ──> [newer numbers] ──> visit_go_on
 *                                 │                     │
 *                                 └──────── 401 ────────┴── 403, 503
 */
#ifndef ONRUSH_GATEWAY_PASSES_PASSES_H
#define ONRUSH_GATEWAY_PASSES_PASSES_H

#include "app/app.h"
#include "gateway/routes/routes.h"
#include "http/rq.h"

/* Put PASSES_CONF_ITEMS in the program's table. */
struct passes_settings {
	bool on;
	const char *keys_path; /* owned by conf */
};

#define PASSES_CONF_ITEMS(type, member)                                                  \
	{ "ONRUSH_PASSES", CONF_BOOL, offsetof(type, member.on), "on", 0, 0,             \
		"Whether the calls that the waiting line guards need its pass." },       \
	{                                                                                \
		"ONRUSH_PASS_KEYS", CONF_STRING, offsetof(type, member.keys_path), "",   \
		    0, 0,                                                                \
		    "File with the keys of passes (onrush passkey); needed while "       \
		    "ONRUSH_PASSES is on."                                               \
	}

struct line_sources;
struct passes;

/* Registers the metrics and sees that passes can be checked; once, before the workers
 * start. False, with an error logged, when they cannot. */
bool
passes_start(const struct passes_settings *settings, const struct line_sources *queues);

/* What one worker has; owned by the caller. NULL when ONRUSH_PASSES is off; *failed, with
 * an error logged, when it could not be made. */
struct passes *passes_new(const struct passes_settings *settings,
    const struct line_sources *queues, struct worker *w, bool *failed);
void passes_free(struct passes *passes); /* after the server; NULL is fine */

/* The guard of the routes that need a pass of the waiting line. Of who is admitted the
 * visit has the pass, or NULL where nobody needs one. */
rq_step passes_check;

#endif
