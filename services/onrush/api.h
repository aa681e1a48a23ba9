/* Calls of the gateway's API, for the operator: JSON in, JSON out. */
#ifndef ONRUSH_ONRUSH_API_H
#define ONRUSH_ONRUSH_API_H

#include "http/json.h"
#include "onrush/ctl.h"

struct api_answer {
	struct json_reader reader; /* closed by api_close */
	const struct json *data;   /* of the reader */
	str text;                  /* the whole answer; in the arena */
};

/*
 * GET, or with a body POST with a fresh Idempotency-Key. CTL_OK with *answer open; or
 * the exit status after a complaint, which has the API's own sentence.
 */
int api_call(
    struct ctl *ctl, const char *target, str body, struct api_answer *answer) MUST_USE;
void api_close(struct api_answer *answer);

/* The "message" of an error's answer, or the text itself; printable, in the arena. */
const char *api_message(struct arena *arena, str text);

#endif
