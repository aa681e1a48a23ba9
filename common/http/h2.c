/*
 * A session of HTTP/2 (RFC 9113): what its frames do, what a client may not do too often,
 * and its end. Bytes come and go through buffers; what a request is, is h2_stream.c's.
 */
#include <stdlib.h>

#include "app/log.h"
#include "http/h2_impl.h"

enum {
	NOTICE_US = 250000, /* from asking for no more requests to the last one */
	CREDIT = 4,         /* idle frames that a request, or a frame of data, is worth */
};

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg);
static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *f, void *arg);
static int
on_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name,
    size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *arg);
static int
on_invalid_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name,
    size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *arg);
static int on_frame(nghttp2_session *session, const nghttp2_frame *f, void *arg);
static int
on_invalid_frame(nghttp2_session *session, const nghttp2_frame *f, int why, void *arg);
static int on_data(nghttp2_session *session, uint8_t flags, int32_t id,
    const uint8_t *bytes, size_t size, void *arg);
static int on_sent(nghttp2_session *session, const nghttp2_frame *f, void *arg);
static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg);
static void on_notice(struct loop_wait *w);

/* --- what all sessions of a server share ---------------------------------------------
 */

/* Fails only without memory. */
static void
must(int result)
{
	ASSERT(result == 0);
}

static void
set_callbacks(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
	    cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
}

struct h2_host *
h2_host_new(struct httpd *httpd)
{
	const struct httpd_settings *settings = httpd->conf.settings;
	struct loop *loop = httpd->worker->loop;
	struct h2_host *host = xcalloc(1, sizeof(*host));

	host->bodies =
	    loop_waits_new(loop, settings->body_timeout_us, h2_stream_on_body_wait);
	host->writes =
	    loop_waits_new(loop, settings->write_timeout_us, h2_stream_on_write_wait);
	host->notices = loop_waits_new(loop, NOTICE_US, on_notice);
	must(nghttp2_option_new(&host->option));
	/* What has come counts against the windows until it is used. */
	nghttp2_option_set_no_auto_window_update(host->option, 1);
	must(nghttp2_session_callbacks_new(&host->callbacks));
	set_callbacks(host->callbacks);
	LIST_INIT(&host->spares);
	host->conns = counter_new("onrush_http2_connections_total",
	    "Client connections that spoke HTTP/2.", NULL);
	host->floods = counter_new("onrush_http2_floods_total",
	    "Connections that were ended for too many frames without use.", NULL);
	return host;
}

void
h2_host_free(struct h2_host *host)
{
	struct h2_stream *s;

	if (host == NULL)
		return;
	while ((s = LIST_FIRST(&host->spares)) != NULL) {
		LIST_REMOVE(s, link);
		h2_stream_free(s);
	}
	loop_waits_free(host->bodies);
	loop_waits_free(host->writes);
	loop_waits_free(host->notices);
	nghttp2_option_del(host->option);
	nghttp2_session_callbacks_del(host->callbacks);
	free(host);
}

/* --- life ----------------------------------------------------------------------------
 */

struct h2 *
h2_new(struct conn *c)
{
	static const nghttp2_settings_entry entries[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_MAX_STREAMS },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_MAX_HEAD },
	};
	struct h2 *h2 = xcalloc(1, sizeof(*h2));

	h2->conn = c;
	h2->host = c->httpd->h2;
	LIST_INIT(&h2->streams);
	TAILQ_INIT(&h2->due);
	must(nghttp2_session_server_new2(
	    &h2->session, h2->host->callbacks, h2, h2->host->option));
	must(nghttp2_submit_settings(
	    h2->session, NGHTTP2_FLAG_NONE, entries, ARRAY_LEN(entries)));
	must(nghttp2_session_set_local_window_size(
	    h2->session, NGHTTP2_FLAG_NONE, 0, H2_CONN_WINDOW));
	counter_add(h2->host->conns, 1);
	if (c->httpd->draining)
		h2_drain(h2);
	return h2;
}

void
h2_abandon(struct h2 *h2)
{
	struct h2_stream *s;

	loop_wait_stop(&h2->notice);
	LIST_FOREACH (s, &h2->streams, link)
		h2_stream_abandon(s);
}

void
h2_free(struct h2 *h2)
{
	if (h2 == NULL)
		return;
	h2_abandon(h2);
	while (!LIST_EMPTY(&h2->streams))
		h2_stream_close(LIST_FIRST(&h2->streams));
	nghttp2_session_del(h2->session);
	h2_head_fini(&h2->head);
	free(h2);
}

bool
h2_has_more(const struct h2 *h2)
{
	return nghttp2_session_want_write(h2->session) != 0;
}

bool
h2_is_over(const struct h2 *h2)
{
	return !h2_has_more(h2) && nghttp2_session_want_read(h2->session) == 0;
}

bool
h2_is_idle(const struct h2 *h2)
{
	return LIST_EMPTY(&h2->streams);
}

void
h2_end(struct h2 *h2, uint32_t code)
{
	loop_wait_stop(&h2->notice);
	h2->leaving = H2_LEAVES;
	must(nghttp2_session_terminate_session(h2->session, code));
}

void
h2_drain(struct h2 *h2)
{
	if (h2->leaving != H2_STAYS)
		return;
	h2->leaving = H2_NOTICED;
	must(nghttp2_submit_shutdown_notice(h2->session));
	loop_wait_start(h2->host->notices, &h2->notice);
}

static void
on_notice(struct loop_wait *w)
{
	struct h2 *h2 = CONTAINER_OF(w, struct h2, notice);

	h2->leaving = H2_LEAVES;
	must(nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR, NULL,
	    0));
	conn_h2_later(h2->conn);
}

/* --- bytes ---------------------------------------------------------------------------
 */

bool
h2_take(struct h2 *h2, str bytes)
{
	ssize_t n =
	    nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.p, bytes.n);

	/* Without PAUSE, which is not used, it takes all. */
	return n >= 0;
}

void
h2_fill(struct h2 *h2, struct buf *out)
{
	const uint8_t *bytes;
	struct h2_stream *s;
	ssize_t n;

	while (buf_size(out) < H2_OUT_HIGH &&
	       (n = nghttp2_session_mem_send(h2->session, &bytes)) > 0)
		buf_add(out, bytes, (size_t)n);
	while ((s = TAILQ_FIRST(&h2->due)) != NULL) {
		TAILQ_REMOVE(&h2->due, s, due_link);
		s->due = false;
		h2_stream_tell(s);
	}
}

/* --- floods --------------------------------------------------------------------------
 */

static void
count(struct h2 *h2, struct h2_pace *pace, const struct h2_rate *rate)
{
	int64_t now_us = loop_now_us(h2->conn->httpd->worker->loop);

	if (h2_pace_take(pace, rate, now_us) || h2->leaving == H2_LEAVES)
		return;
	counter_add(h2->host->floods, 1);
	log_info("too many HTTP/2 frames without use from %s: closing", h2->conn->peer);
	h2_end(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

void
h2_count_reset(struct h2 *h2)
{
	count(h2, &h2->resets, &h2_rate_resets);
}

static void
count_idle(struct h2 *h2)
{
	count(h2, &h2->idle_frames, &h2_rate_idle_frames);
}

/* --- what comes ----------------------------------------------------------------------
 */

static struct h2_stream *
find(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static bool
is_request(const nghttp2_frame *f)
{
	return f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST;
}

/* Ids only go up (RFC 9113, 5.1.1), which the library does not insist on. It remembers
 * the streams that have ended lately, which a client may still send trailers for. */
static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct h2 *h2 = arg;

	if (hd->type != NGHTTP2_HEADERS)
		return 0;
	if (hd->stream_id > h2->last_id)
		h2->last_id = hd->stream_id;
	else if (nghttp2_session_find_stream(session, hd->stream_id) == NULL)
		h2_end(h2, NGHTTP2_PROTOCOL_ERROR);
	return 0;
}

static int
on_begin_headers(nghttp2_session *session UNUSED, const nghttp2_frame *f, void *arg)
{
	struct h2 *h2 = arg;

	h2->in_head = h2->begun = true;
	if (is_request(f))
		h2_head_clear(&h2->head);
	return 0;
}

static int
on_header(nghttp2_session *session UNUSED, const nghttp2_frame *f, const uint8_t *name,
    size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags UNUSED,
    void *arg)
{
	struct h2 *h2 = arg;
	str n = { (const char *)name, name_size };
	str v = { (const char *)value, value_size };

	if (is_request(f))
		h2_head_field(&h2->head, n, v);
	else if (!h2_head_is_trailer(n, v))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

/* Not ignored, as the library would: the message is malformed. */
static int
on_invalid_header(nghttp2_session *session UNUSED, const nghttp2_frame *f UNUSED,
    const uint8_t *name UNUSED, size_t name_size UNUSED, const uint8_t *value UNUSED,
    size_t value_size UNUSED, uint8_t flags UNUSED, void *arg UNUSED)
{
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void
on_headers(struct h2 *h2, const nghttp2_frame *f)
{
	bool end = (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct h2_stream *s;

	h2->in_head = false;
	if (is_request(f)) {
		h2_pace_give(&h2->idle_frames, &h2_rate_idle_frames, CREDIT);
		h2_stream_begin(h2, f->hd.stream_id, end);
	} else if ((s = find(h2->session, f->hd.stream_id)) != NULL && end) {
		h2_stream_arrived(s);
	}
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	bool end = (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct h2 *h2 = arg;
	struct h2_stream *s;

	switch (f->hd.type) {
	case NGHTTP2_HEADERS: on_headers(h2, f); break;
	case NGHTTP2_DATA:
		s = find(session, f->hd.stream_id);
		if (end && s != NULL)
			h2_stream_arrived(s);
		else if (f->hd.length == f->data.padlen) /* nothing but padding */
			count_idle(h2);
		break;
	case NGHTTP2_RST_STREAM: break; /* on_close tells */
	default: count_idle(h2); break;
	}
	return 0;
}

static int
on_invalid_frame(
    nghttp2_session *session UNUSED, const nghttp2_frame *f, int why, void *arg)
{
	struct h2 *h2 = arg;

	if (f->hd.type == NGHTTP2_HEADERS) {
		h2->in_head = false;
		counter_add(h2->conn->httpd->metrics.malformed, 1);
	}
	log_debug("a frame of %s was refused: %s", h2->conn->peer, nghttp2_strerror(why));
	h2_count_reset(h2);
	return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags UNUSED, int32_t id, const uint8_t *bytes,
    size_t size, void *arg UNUSED)
{
	struct h2_stream *s = find(session, id);

	if (s != NULL)
		h2_stream_body(s, (str){ (const char *)bytes, size });
	else
		must(nghttp2_session_consume(session, id, size));
	return 0;
}

/* --- what leaves ---------------------------------------------------------------------
 */

/* A complete answer to a request that is not complete: the rest is not wanted (RFC 9113,
 * 8.1). */
static int
on_sent(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *s;

	if (f->hd.type == NGHTTP2_DATA)
		h2_pace_give(&h2->idle_frames, &h2_rate_idle_frames, CREDIT);
	if (f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS)
		return 0;
	s = find(session, f->hd.stream_id);
	if (s != NULL && !s->arrived && (f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		must(nghttp2_submit_rst_stream(
		    session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR));
	return 0;
}

static int
on_close(nghttp2_session *session, int32_t id, uint32_t code UNUSED, void *arg)
{
	struct h2_stream *s = find(session, id);
	struct h2 *h2 = arg;

	if (s == NULL)
		return 0;
	if (s->x != NULL)
		h2_count_reset(h2);
	h2_stream_close(s);
	return 0;
}
