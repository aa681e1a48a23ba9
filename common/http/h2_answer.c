/*
 * An answer on a stream of HTTP/2: the stream as an exchange's asker.
 *
 *   exchange ──answer, or head, write…, end──> out ──give()──> the session, as windows
 *                                                              and wire allow
 *
 * The body waits in `out` until the client's windows let it go: a whole one, or of one in
 * pieces CONN_STREAM_HIGH and a piece. A client that does not open the window of a stream
 * has the server's write time-out for each H2_STEP of it; then the stream is reset, and
 * the others go on.
 */
#include <string.h>

#include "http/h2_impl.h"

enum {
	FIELDS_MAX = 64, /* of an answer */
};

/* --- the head of the answer ----------------------------------------------------------
 */

/* A list of fields that is being made. */
struct fields {
	nghttp2_nv list[FIELDS_MAX];
	size_t count;
	size_t size; /* of all names and values */
};

static void
add(struct fields *f, str name, str value)
{
	ASSERT(f->count < FIELDS_MAX);
	/* The library only reads what it is given. */
	f->list[f->count++] = (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name.p,
		.value = (uint8_t *)(uintptr_t)value.p,
		.namelen = name.n,
		.valuelen = value.n,
	};
	f->size += name.n + value.n;
}

static str
lower(char *to, str name)
{
	for (size_t i = 0; i < name.n; i++)
		to[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 0x20)
							     : name.p[i];
	return (str){ to, name.n };
}

/* The "Name: value" lines that steps added. */
static void
add_lines(struct fields *f, struct exchange *x)
{
	struct buf *names = &x->httpd->out;
	str rest = buf_str(&x->headers), line, name, value;
	char *to;

	if (rest.n == 0)
		return;
	buf_clear(names);
	to = buf_reserve(names, rest.n);
	while (rest.n > 0) {
		rest = str_cut(rest, '\n', &line);
		value = str_cut((str){ line.p, line.n - 1 }, ':', &name);
		name = lower(to, name);
		to += name.n;
		add(f, name, str_trim(value));
	}
}

static ssize_t give(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg);

/* Gives the head to the session; `body`: give() has more. The size of its fields. */
static size_t
submit(struct h2_stream *s, struct exchange *x, const struct answer *a, bool body)
{
	nghttp2_data_provider from = { .source.ptr = s, .read_callback = give };
	struct fields f = { .count = 0 };
	char status[STR_DECIMAL_MAX], length[STR_DECIMAL_MAX];

	add(&f, STR(":status"), str_decimal((uint64_t)a->status, status));
	add(&f, STR("server"), STR("onrush"));
	add(&f, STR("date"), answer_date(x->httpd));
	if (status_has_body(a->status)) {
		if (a->type.n > 0)
			add(&f, STR("content-type"), a->type);
		if (a->length >= 0)
			add(&f, STR("content-length"),
			    str_decimal((uint64_t)a->length, length));
	}
	add(&f, STR("x-request-id"), x->rq.id);
	add_lines(&f, x);
	s->answering = true;
	/* It fails on a stream that is being closed; on_close follows. */
	(void)nghttp2_submit_response(
	    s->h2->session, s->id, f.list, f.count, body ? &from : NULL);
	conn_h2_later(s->h2->conn);
	return f.size;
}

void
h2_stream_ask_for_body(struct h2_stream *s)
{
	struct fields f = { .count = 0 };

	add(&f, STR(":status"), STR("100"));
	(void)nghttp2_submit_headers(
	    s->h2->session, NGHTTP2_FLAG_NONE, s->id, NULL, f.list, f.count, NULL);
}

/* --- its body ------------------------------------------------------------------------
 */

/* The client has its time for what waits now. */
static void
start_waiting(struct h2_stream *s)
{
	size_t size = buf_size(&s->out);

	s->owed = size < H2_STEP ? size : H2_STEP;
	s->given_before = s->h2->given;
	if (s->owed > 0)
		loop_wait_start(s->h2->host->writes, &s->wait);
	else
		loop_wait_stop(&s->wait);
}

static void
on_given(struct h2_stream *s, size_t n)
{
	size_t left = buf_size(&s->out);

	s->h2->given += n;
	if (n >= s->owed || left == 0)
		start_waiting(s);
	else
		s->owed -= n;
	if (!s->full || left > CONN_STREAM_LOW || s->x == NULL)
		return;
	s->full = false;
	s->roomy = true;
	h2_stream_be_due(s);
}

/* The session takes the next bytes into a frame. */
static ssize_t
give(nghttp2_session *session UNUSED, int32_t id UNUSED, uint8_t *to, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg UNUSED)
{
	struct h2_stream *s = source->ptr;
	str bytes = buf_str(&s->out);
	size_t n = bytes.n < room ? bytes.n : room;

	if (n > 0) {
		memcpy(to, bytes.p, n);
		buf_consume(&s->out, n);
		on_given(s, n);
	}
	if (n == bytes.n && s->ended) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	} else if (n == 0) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)n;
}

/* There is more in `out`, or its end. */
static void
go_on(struct h2_stream *s)
{
	if (s->wait.waits == NULL)
		start_waiting(s);
	if (s->deferred)
		(void)nghttp2_session_resume_data(s->h2->session, s->id);
	s->deferred = false;
	conn_h2_later(s->h2->conn);
}

/* Does a client that takes nothing of this stream take what others send? Then it is their
 * turn, and this one's will come. */
static bool
is_behind_others(const struct h2_stream *s)
{
	return nghttp2_session_get_stream_remote_window_size(s->h2->session, s->id) > 0 &&
	       s->h2->given - s->given_before >= H2_STEP;
}

void
h2_stream_on_write_wait(struct loop_wait *w)
{
	struct h2_stream *s = CONTAINER_OF(w, struct h2_stream, wait);

	if (is_behind_others(s)) {
		start_waiting(s);
		return;
	}
	counter_add(s->h2->conn->httpd->metrics.timeout_write, 1);
	(void)nghttp2_submit_rst_stream(
	    s->h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
	h2_stream_abandon(s);
	conn_h2_later(s->h2->conn);
}

/* --- the stream as an asker ----------------------------------------------------------
 */

static struct h2_stream *
stream_of(struct asker *asker)
{
	return CONTAINER_OF(asker, struct h2_stream, asker);
}

static size_t
answer(struct asker *asker, struct exchange *x, const struct answer *a)
{
	struct h2_stream *s = stream_of(asker);
	size_t size;

	s->x = NULL;
	s->ended = true;
	if (x->head.method != HTTP_HEAD && status_has_body(a->status))
		for (size_t i = 0; i < a->count; i++)
			buf_add_str(&s->out, a->parts[i]);
	size = buf_size(&s->out);
	start_waiting(s);
	return size + submit(s, x, a, size > 0);
}

static void
begin_pieces(struct asker *asker, struct exchange *x, const struct answer *a)
{
	struct h2_stream *s = stream_of(asker);
	bool body = x->head.method != HTTP_HEAD;

	if (!body)
		s->x = NULL;
	loop_wait_stop(&s->wait);
	submit(s, x, a, body);
}

static bool
write_piece(struct asker *asker, str bytes)
{
	struct h2_stream *s = stream_of(asker);

	buf_add_str(&s->out, bytes);
	go_on(s);
	s->full = buf_size(&s->out) > CONN_STREAM_HIGH;
	return !s->full;
}

static void
end_pieces(struct asker *asker, bool whole)
{
	struct h2_stream *s = stream_of(asker);

	s->x = NULL;
	s->ended = true;
	if (!whole)
		(void)nghttp2_submit_rst_stream(
		    s->h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_INTERNAL_ERROR);
	go_on(s);
}

const struct asker_ops h2_stream_asker = {
	answer,
	begin_pieces,
	write_piece,
	h2_stream_on_flow,
	end_pieces,
};
