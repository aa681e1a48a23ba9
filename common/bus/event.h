/*
 * The envelope of every event: eventId (UUIDv7), type, occurredAt, traceparent, payload;
 * as JSON, described in docs/api/asyncapi.yaml. What is in the payload belongs to the
 * service that owns the type.
 */
#ifndef ONRUSH_BUS_EVENT_H
#define ONRUSH_BUS_EVENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/uuid.h"
#include "http/json.h"

struct event {
	uuid id;
	str type;                   /* "COUPON_PUBLISH_REQUESTED" */
	int64_t time_us;            /* wall */
	str traceparent;            /* may be empty */
	const struct json *payload; /* an object, of the reader */
};

/* Writes the envelope and leaves the payload object open; the caller puts its members and
 * calls event_end. */
void event_begin(struct json_writer *w, struct buf *out, uuid id, const char *type,
    int64_t time_us, str traceparent);
void event_end(struct json_writer *w);

/* Reads an envelope; the payload is read with r. r->err is ERR_OK or what was wrong; the
 * caller closes r in both cases. */
void event_open(struct event *e, struct json_reader *r, struct arena *arena, str text);

#endif
