/* The envelope of events; see event.h. */
#include "bus/event.h"

#include "base/clock.h"

enum {
	TYPE_MAX = 64,        /* bytes */
	TIME_MAX = 40,        /* RFC 3339 with an offset */
	TRACEPARENT_MAX = 64, /* version 00 has 55 */
};

void
event_begin(struct json_writer *w, struct buf *out, uuid id, const char *type,
    int64_t time_us, str traceparent)
{
	char text[UUID_TEXT_SIZE];

	uuid_format(id, text);
	*w = (struct json_writer){ .out = out };
	json_begin_object(w, NULL);
	json_put_str(w, "eventId", str_of(text));
	json_put_str(w, "type", str_of(type));
	json_put_time(w, "occurredAt", time_us);
	if (traceparent.n > 0)
		json_put_str(w, "traceparent", traceparent);
	json_begin_object(w, "payload");
}

void
event_end(struct json_writer *w)
{
	json_end_object(w);
	json_end_object(w);
}

static void
refuse(struct json_reader *r, const char *why)
{
	if (r->err == ERR_OK) {
		r->err = ERR_BAD_PARAMETER;
		r->why = why;
	}
}

void
event_open(struct event *e, struct json_reader *r, struct arena *arena, str text)
{
	str id, time;

	*e = (struct event){ 0 };
	json_open(r, arena, text);
	id = json_str(r, r->root, "eventId", UUID_TEXT_SIZE - 1);
	e->type = json_str(r, r->root, "type", TYPE_MAX);
	time = json_str(r, r->root, "occurredAt", TIME_MAX);
	e->traceparent = json_str_or(r, r->root, "traceparent", TRACEPARENT_MAX, STR(""));
	e->payload = json_object(r, r->root, "payload");
	if (!uuid_parse(id, &e->id))
		refuse(r, "eventId must be a UUID.");
	if (!clock_parse_iso(time, &e->time_us))
		refuse(r, "occurredAt must be a time as in RFC 3339.");
}
