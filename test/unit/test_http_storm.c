/*
 * Everything at once, by dice that always fall the same way: clients that send valid,
 * broken and half requests and leave at any moment, servers that answer, break and
 * vanish. Nothing may be lost, doubled or touched after its end (the ASan build looks).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_up.h"

enum {
	CLIENTS = 4,
	SESSIONS = 250, /* of each client */
	CALLS = 600,
};

/* xorshift32 */
static uint32_t
dice(uint32_t *state, uint32_t sides)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % sides;
}

/* --- a server under its clients ------------------------------------------------------
 */

static struct rig rig;
static struct reply reply;

static rq_next
answer(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	return rq_reply(rq, 200, STR("text/plain"), rq->body);
}

static rq_next
soon(struct rq *rq)
{
	return rig_io(rq, answer, rq->start_us % 5000, ERR_OK);
}

static rq_next
too_slow(struct rq *rq)
{
	return rig_io(rq, answer, 30000, ERR_OK);
}

static void
forget(struct rq *rq UNUSED)
{
}

static rq_next
park(struct rq *rq)
{
	return rq_wait(rq, answer, rq->start_us % 5000, forget);
}

static rq_next
large(struct rq *rq)
{
	return rq_reply(
	    rq, 200, STR("text/plain"), (str){ arena_alloc(rq->arena, 300000), 300000 });
}

static const struct route routes[] = {
	{ HTTP_POST, "/now", answer, 1000000, 5000, 0 },
	{ HTTP_POST, "/soon", soon, 1000000, 5000, 0 },
	{ HTTP_GET, "/slow", too_slow, 10000, 0, 0 },
	{ HTTP_GET, "/park", park, 1000000, 0, 0 },
	{ HTTP_GET, "/large", large, 1000000, 0, 0 },
};

#define HEAD(line) line " HTTP/1.1\r\nHost: t\r\n"

static const char *const pieces[] = {
	HEAD("POST /now") "Content-Length: 3\r\n\r\nabc",
	HEAD("POST /soon") "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
	HEAD("POST /soon") "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
	HEAD("POST /now") "Content-Length: 6000\r\n\r\n",
	HEAD("GET /slow") "\r\n",
	HEAD("GET /park") "\r\n",
	HEAD("GET /large") "\r\n",
	HEAD("GET /none") "Connection: close\r\n\r\n",
	"GET /now HTTP/1.0\r\n\r\n",
	"nonsense",
	"\r\n",
};

static void
session(uint32_t *state)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	char sink[4096];
	int fd = rig_dial(&rig);

	for (uint32_t n = dice(state, 6); n > 0; n--) {
		const char *piece = pieces[dice(state, ARRAY_LEN(pieces))];
		size_t size = strlen(piece);

		if (dice(state, 4) == 0)
			size = dice(state, (uint32_t)size);
		(void)!send(fd, piece, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (dice(state, 4) == 0)
			poll(NULL, 0, (int)dice(state, 4));
		if (dice(state, 2) == 0)
			(void)!recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
	}
	if (dice(state, 3) == 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	else if (dice(state, 3) == 0)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static void *
storm(void *arg)
{
	uint32_t state = (uint32_t)(uintptr_t)arg;

	for (int i = 0; i < SESSIONS; i++)
		session(&state);
	return NULL;
}

static void
test_clients_of_every_kind(void **state)
{
	(void)state;
	pthread_t threads[CLIENTS];
	int stderr_copy = dup(STDERR_FILENO);

	/* Each broken request would be a line of the log. */
	assert_non_null(freopen("/dev/null", "w", stderr));
	rig_init(&rig);
	rig.settings.max_requests = 20;
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
	for (uintptr_t i = 0; i < CLIENTS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, storm, (void *)(i + 1)), 0);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	RIG_UNTIL(rig_metric(&rig, &reply, "onrush_http_requests_under_way") == 1);
	RIG_UNTIL(rig_metric(&rig, &reply, "onrush_http_connections") == 1);
	rig_call(&rig, rig_drain_now, &rig);
	RIG_UNTIL(rig.drained);
	rig_stop(&rig);
	dup2(stderr_copy, STDERR_FILENO);
	close(stderr_copy);
}

/* --- a client among its servers ------------------------------------------------------
 */

static const char *const answers[] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
	"nonsense\r\n\r\n",
};

static void
moody(int fd, int n)
{
	uint32_t state = (uint32_t)n + 1;

	while (next_request(fd)) {
		const char *text = answers[dice(&state, ARRAY_LEN(answers))];
		size_t size = strlen(text), first = dice(&state, (uint32_t)size);
		bool until_end = strstr(text, "OK\r\n\r\n") != NULL;

		if (until_end)
			first = size; /* a cut could not be told from the end */
		(void)!send(fd, text, first, MSG_NOSIGNAL);
		if (dice(&state, 4) == 0)
			usleep(dice(&state, 3000));
		if (dice(&state, 8) == 0)
			return;
		(void)!send(fd, text + first, size - first, MSG_NOSIGNAL);
		if (until_end)
			return;
	}
}

static void
test_servers_of_every_mood(void **state)
{
	(void)state;
	static struct result r[CALLS];
	uint32_t s = 7;
	size_t conns, busy, queued;
	int good = 0;

	server_start(moody);
	connect_with(8);
	httpc_free(client);
	conf.max_queue = CALLS;
	client = httpc_new(loop, &conf);
	for (int i = 0; i < CALLS; i++) {
		begin(&r[i], dice(&s, 2) ? &get : &post);
		if (dice(&s, 4) == 0)
			run_for(dice(&s, 2000));
	}
	finish();
	for (int i = 0; i < CALLS; i++) {
		assert_int_equal(r[i].done, 1);
		good += r[i].err == ERR_OK;
		if (r[i].err == ERR_OK)
			assert_string_equal(r[i].body, "hello");
	}
	assert_in_range(good, CALLS / 2, CALLS - 1);
	httpc_stats(client, &conns, &busy, &queued);
	assert_int_equal(busy + queued, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients_of_every_kind),
		cmocka_unit_test_setup_teardown(test_servers_of_every_mood, init, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
