/*
 * A blocking HTTP client for one request: connect, write, read to the end, close. Never
 * keeps a connection, never follows anything, never waits beyond its deadline.
 */
#include "http/http_blocking.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "http/http_parse.h"

enum {
	ANSWER_MAX = 16 << 20, /* bytes; a list of campaigns is far below */
	READ_SIZE = 16384,
};

struct exchange {
	struct arena *arena; /* borrowed */
	const struct http_call *call;
	int fd;
	int64_t due_us; /* monotonic */
	struct buf in;  /* what was received */
	const char *why;
};

static enum err give_up(struct exchange *x, enum err err, const char *what);

/* Waits until the socket is ready; false when the time is over. */
static bool
wait_for(struct exchange *x, short events)
{
	struct pollfd p = { .fd = x->fd, .events = events };
	int n = 0;

	do {
		int64_t left_us = x->due_us - clock_mono_us();

		if (left_us <= 0)
			break;
		n = poll(&p, 1, (int)(left_us / CLOCK_US_PER_MS) + 1);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0;
}

/* "host:port" into its parts, in the arena; false when it is not that. */
static bool
split_address(struct arena *arena, const char *address, char **host, char **port)
{
	const char *colon = strrchr(address, ':');
	str name;

	if (colon == NULL || colon == address || colon[1] == '\0')
		return false;
	name = (str){ address, (size_t)(colon - address) };
	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = (str){ name.p + 1, name.n - 2 };
	*host = arena_strdup(arena, name);
	*port = arena_strdup(arena, str_of(colon + 1));
	return true;
}

static bool
connect_one(struct exchange *x, const struct addrinfo *ai)
{
	int error = 0;
	socklen_t size = sizeof(error);

	x->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (x->fd < 0)
		return false;
	if (connect(x->fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return true;
	if (errno == EINPROGRESS && wait_for(x, POLLOUT) &&
	    getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0) {
		errno = error;
		if (error == 0)
			return true;
	}
	error = errno;
	close(x->fd);
	x->fd = -1;
	errno = error;
	return false;
}

static enum err
dial(struct exchange *x)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	char *host, *port;
	int rc;

	if (!split_address(x->arena, x->call->address, &host, &port)) {
		x->why =
		    arena_printf(x->arena, "\"%s\" is not host:port", x->call->address);
		return ERR_UNAVAILABLE;
	}
	rc = getaddrinfo(host, port, &hints, &list);
	if (rc != 0) {
		x->why =
		    arena_printf(x->arena, "%s: %s", x->call->address, gai_strerror(rc));
		return ERR_UNAVAILABLE;
	}
	for (const struct addrinfo *ai = list; ai != NULL && x->fd < 0; ai = ai->ai_next)
		if (!connect_one(x, ai))
			give_up(x, ERR_UNAVAILABLE, "connect");
	freeaddrinfo(list);
	return x->fd >= 0 ? ERR_OK : ERR_UNAVAILABLE;
}

static enum err
give_up(struct exchange *x, enum err err, const char *what)
{
	x->why =
	    arena_printf(x->arena, "%s: %s: %s", x->call->address, what, strerror(errno));
	return err;
}

static void
put_request(struct buf *out, const struct http_call *call)
{
	buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n",
	    call->method, call->target, call->address);
	if (call->bearer != NULL)
		buf_printf(out, "Authorization: Bearer %s\r\n", call->bearer);
	if (call->key != NULL)
		buf_printf(out, "Idempotency-Key: %s\r\n", call->key);
	if (call->body.p != NULL)
		buf_printf(out,
		    "Content-Type: application/json\r\n"
		    "Content-Length: %zu\r\n",
		    call->body.n);
	buf_add_str(out, STR("\r\n"));
	if (call->body.p != NULL)
		buf_add_str(out, call->body);
}

static enum err
send_request(struct exchange *x)
{
	struct buf out = { 0 };
	enum err err = ERR_OK;

	put_request(&out, x->call);
	while (buf_size(&out) > 0 && err == ERR_OK) {
		str left = buf_str(&out);
		ssize_t n = send(x->fd, left.p, left.n, MSG_NOSIGNAL);

		if (n >= 0)
			buf_consume(&out, (size_t)n);
		else if (errno != EINTR && (errno != EAGAIN || !wait_for(x, POLLOUT)))
			err = give_up(x, ERR_UNKNOWN_OUTCOME, "send");
	}
	buf_fini(&out);
	return err;
}

/* Appends what the peer sends next; *end when it closed. */
static enum err
receive(struct exchange *x, bool *end)
{
	ssize_t n;

	do
		n = recv(x->fd, buf_reserve(&x->in, READ_SIZE), READ_SIZE, 0);
	while (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for(x, POLLIN))));
	if (n < 0)
		return give_up(x, ERR_UNKNOWN_OUTCOME, "no answer");
	buf_grew(&x->in, (size_t)n);
	*end = n == 0;
	if (buf_size(&x->in) <= ANSWER_MAX)
		return ERR_OK;
	x->why = "the answer is too large";
	return ERR_BAD_GATEWAY;
}

/* Reads until the head of the final answer is complete. */
static enum err
read_head(struct exchange *x, struct http_head *head)
{
	enum http_method method =
	    strcmp(x->call->method, "POST") == 0 ? HTTP_POST : HTTP_GET;
	size_t scanned = 0;
	bool end = false;
	enum err err = ERR_OK, bad;

	while (err == ERR_OK) {
		switch (
		    http_parse_response(buf_str(&x->in), &scanned, method, head, &bad)) {
		case HTTP_PARSE_DONE:
			buf_consume(&x->in, head->head_size);
			if (head->status >= 200)
				return ERR_OK;
			scanned = 0;
			break;
		case HTTP_PARSE_MORE:
			x->why = "the connection was closed before an answer came";
			err = end ? ERR_UNKNOWN_OUTCOME : receive(x, &end);
			break;
		case HTTP_PARSE_BAD:
			x->why = "the answer is not HTTP/1.1";
			return ERR_BAD_GATEWAY;
		}
	}
	return err;
}

static enum err
read_body(struct exchange *x, const struct http_head *head, struct buf *body)
{
	struct http_body decoder;
	bool end = false;
	enum err err = ERR_OK;

	http_body_init(&decoder, head);
	while (err == ERR_OK) {
		size_t used;
		str data;
		enum http_parse got =
		    http_body_decode(&decoder, buf_str(&x->in), &used, &data);

		if (data.n > 0)
			buf_add_str(body, data);
		buf_consume(&x->in, used);
		if (got == HTTP_PARSE_DONE ||
		    (end && head->framing == HTTP_BODY_UNTIL_CLOSE))
			return ERR_OK;
		if (got == HTTP_PARSE_MORE && used > 0)
			continue;
		x->why = "the answer ended too early or is not HTTP/1.1";
		err =
		    end || got == HTTP_PARSE_BAD ? ERR_UNKNOWN_OUTCOME : receive(x, &end);
	}
	return err;
}

enum err
http_blocking(struct arena *arena, const struct http_call *call,
    struct http_answer *answer, const char **why)
{
	struct exchange x = { .arena = arena, .call = call, .fd = -1 };
	struct http_head head;
	struct buf body = { 0 };
	enum err err;

	x.due_us = clock_mono_us() + call->timeout_us;
	err = dial(&x);
	if (err == ERR_OK)
		err = send_request(&x);
	if (err == ERR_OK)
		err = read_head(&x, &head);
	if (err == ERR_OK)
		err = read_body(&x, &head, &body);
	if (err == ERR_OK) {
		answer->status = head.status;
		answer->body = arena_str(arena, buf_str(&body));
	}
	*why = err == ERR_OK ? "" : x.why;
	if (x.fd >= 0)
		close(x.fd);
	buf_fini(&x.in);
	buf_fini(&body);
	return err;
}

const char *
http_url_address(struct arena *arena, const char *url)
{
	str rest = str_of(url), scheme = STR("http://");

	if (!str_starts(rest, scheme))
		return NULL;
	rest = (str){ rest.p + scheme.n, rest.n - scheme.n };
	if (rest.n > 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	if (rest.n == 0 || memchr(rest.p, '/', rest.n) != NULL)
		return NULL;
	if (strrchr(url, ']') == NULL ? memchr(rest.p, ':', rest.n) == NULL
				      : url[strlen(url) - 1] == ']')
		return arena_printf(arena, "%.*s:80", STR_ARG(rest));
	return arena_strdup(arena, rest);
}
