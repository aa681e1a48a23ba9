/* The HTTP server's requests whose body comes in pieces: who gets them, pausing, answers
 * before the end, ends of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"

enum {
	LIMIT = 10 << 20,
	LONG = 100000,
};

static struct rig rig;
static struct reply reply;
static char bytes[LIMIT];

/* What one request does with its body, and what it saw of it. */
static struct {
	bool late;  /* follows when the client has left, or its time is over */
	bool pause; /* after each piece, for a moment */
	bool ended;
	enum err err;
	size_t first, size;
	int64_t length;
	int pieces;
	struct loop_timer *timer; /* of the request that is under way */
	struct rq *rq;
} seen;

static atomic_int followed, ends, refused;

static void
resume(void *arg)
{
	rq_body_resume(arg);
}

static void
on_piece(struct rq *rq, str piece)
{
	assert_int_equal(seen.ended, false);
	assert_in_range(piece.n, 1, 65536);
	seen.size += piece.n;
	seen.pieces++;
	if (seen.pause) {
		rq_body_pause(rq);
		loop_timer_set(seen.timer, 1000);
	}
}

static void
over(struct rq *rq, enum err err)
{
	loop_timer_free(seen.timer);
	seen.timer = NULL;
	rq_resume(rq, err);
}

static void
on_end(struct rq *rq, enum err err)
{
	assert_int_equal(seen.ended, false);
	seen.ended = true;
	seen.err = err;
	ends++;
	/* Not now: the connection is still looking at what came. */
	loop_timer_free(seen.timer);
	seen.rq = rq;
	seen.timer = NULL;
	loop_defer(rq->worker->loop, rq->ctx);
}

static const struct rq_body_ops ops = { on_piece, on_end };

struct ending {
	struct loop_job job;
};

static void
end_now(struct loop_job *job)
{
	(void)job;
	over(seen.rq, seen.err);
}

static void
follow(void *arg)
{
	struct rq *rq = arg;

	loop_timer_free(seen.timer);
	seen.timer = loop_timer_new(rq->worker->loop, resume, rq);
	if (rq_body_follow(rq, &ops)) {
		followed++;
		return;
	}
	refused++;
	over(rq, ERR_BAD_GATEWAY);
}

static rq_next
taken(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	return rq_ok(rq,
	    str_of(arena_printf(rq->arena, "\"%zu then %zu\"", seen.first, seen.size)));
}

static rq_next
take(struct rq *rq)
{
	struct ending *e = rq->ctx = ARENA_NEW(rq->arena, struct ending);

	e->job.run = end_now;
	seen.first = rq->body.n;
	seen.size = 0;
	seen.pieces = 0;
	seen.ended = false;
	seen.length = rq->body_length;
	if (!rq->body_streams)
		return taken(rq);
	seen.timer = loop_timer_new(rq->worker->loop, follow, rq);
	loop_timer_set(seen.timer, seen.late ? 100000 : 1);
	return rq_started(rq, taken);
}

static rq_next
deny(struct rq *rq)
{
	return rq_fail(rq, ERR_FORBIDDEN);
}

static const struct route routes[] = {
	{ HTTP_POST, "/take", take, 5000000, LIMIT, ROUTE_STREAM },
	{ HTTP_POST, "/soon", take, 50000, LIMIT, ROUTE_STREAM },
	{ HTTP_POST, "/deny", deny, 5000000, LIMIT, ROUTE_STREAM },
	{ HTTP_POST, "/whole", deny, 5000000, LIMIT, 0 },
};

static int
init(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	followed = ends = refused = 0;
	rig_init(&rig);
	return 0;
}

static void
start(void)
{
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
}

static int
fini(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

/* In one piece with the first bytes of the body, so that these are not late. */
static void
send_head_and(int fd, const char *path, size_t length, size_t size)
{
	static char text[200 + LONG];
	int n = snprintf(text, sizeof(text),
	    "POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n", path, length);

	assert_true((size_t)n + size <= sizeof(text));
	memcpy(text + n, bytes, size);
	rig_send(fd, text, (size_t)n + size);
}

static void
send_head(int fd, const char *path, size_t length)
{
	send_head_and(fd, path, length, 0);
}

static void
send_chunk(int fd, size_t size)
{
	char line[20];

	snprintf(line, sizeof(line), "%zx\r\n", size);
	rig_put(fd, line);
	rig_send(fd, bytes, size);
	rig_put(fd, "\r\n");
}

static void
send_chunked_head(int fd)
{
	rig_put(
	    fd, "POST /take HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void
test_a_short_body_is_whole(void **state)
{
	int fd;

	(void)state;
	start();
	fd = rig_dial(&rig);
	send_head(fd, "/take", HTTPD_BODY_WHOLE - 1);
	rig_send(fd, bytes, HTTPD_BODY_WHOLE - 1);
	rig_read(fd, &reply);
	assert_non_null(strstr(reply.text, "16383 then 0"));
	send_chunked_head(fd);
	for (int i = 0; i < 3; i++)
		send_chunk(fd, 5000);
	rig_put(fd, "0\r\n\r\n");
	rig_read(fd, &reply);
	assert_non_null(strstr(reply.text, "15000 then 0"));
	close(fd);
}

/* Both framings on one connection, and a request behind them. */
static void
test_long_ones_come_in_pieces(void **state)
{
	int fd;

	(void)state;
	start();
	fd = rig_dial(&rig);
	for (int i = 0; i < 2; i++) {
		send_head(fd, "/take", LONG);
		rig_send(fd, bytes, LONG);
		send_chunked_head(fd);
		send_chunk(fd, LONG / 2);
		send_chunk(fd, LONG / 2);
		rig_put(fd, "0\r\n\r\n");
		rig_read(fd, &reply);
		assert_int_equal(reply.status, 200);
		assert_true(seen.first >= HTTPD_BODY_WHOLE);
		rig_read(fd, &reply);
		assert_int_equal(seen.first + seen.size, LONG);
		assert_int_equal(seen.length, -1);
	}
	assert_int_equal(ends, 4);
	rig_put(fd, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	close(fd);
}

static void
test_the_client_waits_while_it_is_paused(void **state)
{
	int fd;

	(void)state;
	seen.pause = true;
	start();
	fd = rig_dial(&rig);
	send_head(fd, "/take", 2 << 20);
	rig_send(fd, bytes, 2 << 20);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	assert_int_equal(seen.first + seen.size, 2 << 20);
	assert_int_equal(seen.length, 2 << 20);
	close(fd);
}

static void
test_a_client_that_leaves(void **state)
{
	int fd;

	(void)state;
	start();
	fd = rig_dial(&rig);
	send_head(fd, "/take", LONG);
	rig_send(fd, bytes, LONG / 2);
	RIG_UNTIL(followed == 1);
	close(fd);
	RIG_UNTIL(ends == 1);
	assert_int_equal(seen.err, ERR_BAD_REQUEST);
}

static void
test_bad_framing_on_the_way(void **state)
{
	int fd;

	(void)state;
	start();
	fd = rig_dial(&rig);
	send_chunked_head(fd);
	send_chunk(fd, LONG);
	RIG_UNTIL(seen.first + seen.size == LONG);
	rig_put(fd, "nonsense\r\nGET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 400);
	assert_string_equal(rig_header(&reply, "Connection"), "close");
	rig_expect_end(fd);
	assert_int_equal(ends, 1);
}

static void
test_too_much_of_it(void **state)
{
	int fd;

	(void)state;
	start();
	fd = rig_dial(&rig);
	send_chunked_head(fd);
	send_chunk(fd, LIMIT);
	RIG_UNTIL(seen.first + seen.size == LIMIT);
	send_chunk(fd, 1);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 413);
	rig_expect_end(fd);
}

static void
test_too_slow(void **state)
{
	int fd;

	(void)state;
	rig.settings.body_timeout_us = 50000;
	start();
	fd = rig_dial(&rig);
	send_head_and(fd, "/take", LONG, LONG / 2); /* enough to be given on */
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 408);
	rig_expect_end(fd);
	assert_int_equal(seen.err, ERR_TIMEOUT_REQUEST);
}

static void
test_an_answer_before_the_end(void **state)
{
	int fd;

	(void)state;
	start();
	fd = rig_dial(&rig);
	send_head(fd, "/deny", LONG);
	rig_send(fd, bytes, LONG / 2);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 403);
	assert_string_equal(rig_header(&reply, "Connection"), "close");
	rig_expect_end(fd);
	assert_int_equal(ends, 0);
}

static void
test_nobody_follows_in_time(void **state)
{
	int fd;

	(void)state;
	seen.late = true;
	start();
	fd = rig_dial(&rig);
	send_head(fd, "/soon", LONG);
	rig_send(fd, bytes, LONG / 2);
	rig_read(fd, &reply);
	assert_non_null(strstr(reply.text, "OUTCOME_UNKNOWN"));
	rig_expect_end(fd);
	RIG_UNTIL(refused == 1);
	assert_int_equal(ends, 0);
}

static void
test_other_routes_get_it_whole(void **state)
{
	int fd;

	(void)state;
	start();
	fd = rig_dial(&rig);
	send_head(fd, "/whole", LONG);
	rig_send(fd, bytes, LONG);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 403);
	assert_null(rig_header(&reply, "Connection"));
	close(fd);
}

/* The server ends while a body comes. */
static void
test_the_server_ends(void **state)
{
	int fd;

	(void)state;
	start();
	fd = rig_dial(&rig);
	send_head(fd, "/take", LONG);
	rig_send(fd, bytes, LONG / 2);
	RIG_UNTIL(followed == 1);
	rig_call(&rig, rig_free_now, &rig);
	RIG_UNTIL(ends == 1);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, fini)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_short_body_is_whole),
		TEST(test_long_ones_come_in_pieces),
		TEST(test_the_client_waits_while_it_is_paused),
		TEST(test_a_client_that_leaves),
		TEST(test_bad_framing_on_the_way),
		TEST(test_too_much_of_it),
		TEST(test_too_slow),
		TEST(test_an_answer_before_the_end),
		TEST(test_nobody_follows_in_time),
		TEST(test_other_routes_get_it_whole),
		TEST(test_the_server_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
