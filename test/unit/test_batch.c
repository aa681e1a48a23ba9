/* Batching: who goes with whom, how many at once, and what becomes of the late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/batch.h"

#include "http_rig.h"

enum {
	MAX_SIZE = 4,
	MAX_RUNS = 2,
	MAX_QUEUE = 10,
	MAX_SEEN = 100,
};

static struct rig rig;
static struct reply reply;
static struct batch *batch;

/* Written on the loop's thread. */
static size_t sizes[MAX_SEEN];
static size_t runs, max_under_way, under_way;
static atomic_bool held; /* runs do not end while it is set */
static atomic_int joined;

struct running {
	struct batch_run *run;
	struct loop_timer *timer;
};

static void
on_timer(void *arg)
{
	struct running *r = arg;
	struct batch_run *run = r->run;

	if (held) {
		loop_timer_set(r->timer, 1000);
		return;
	}
	under_way--;
	for (size_t i = 0; i < run->count; i++) {
		run->rqs[i]->result = run->items[i];
		/* Each its own outcome. */
		rq_resume(run->rqs[i],
		    *(int *)run->items[i] == 13 ? ERR_COUPON_SOLD_OUT : ERR_OK);
	}
	loop_timer_free(r->timer);
	batch_end(run);
	free(r);
}

static void
flush(struct batch_run *run)
{
	struct running *r = xcalloc(1, sizeof(*r));

	assert_ptr_equal(run->arg, &rig);
	sizes[runs++ % MAX_SEEN] = run->count;
	if (++under_way > max_under_way)
		max_under_way = under_way;
	r->run = run;
	r->timer = loop_timer_new(rig.worker.loop, on_timer, r);
	loop_timer_set(r->timer, 1000);
}

static rq_next
done(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	return rq_ok(rq, str_of(arena_printf(rq->arena, "%d", *(int *)rq->result)));
}

static rq_next
join(struct rq *rq)
{
	int *item = ARENA_NEW(rq->arena, int);

	*item = atoi(rq->params[0].p);
	joined++;
	return rq_join(rq, done, batch, item);
}

static const struct route routes[] = {
	{ HTTP_GET, "/join/{n}", join, 5000000, 0, 0 },
	{ HTTP_GET, "/hurry/{n}", join, 50000, 0, 0 },
};

static int
start(void **state)
{
	(void)state;
	struct batch_conf conf = {
		.max_size = MAX_SIZE,
		.max_runs = MAX_RUNS,
		.max_queue = MAX_QUEUE,
		.flush = flush,
		.arg = &rig,
	};

	runs = max_under_way = under_way = 0;
	held = false;
	joined = 0;
	rig_init(&rig);
	batch = batch_new(rig.worker.loop, &conf);
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	batch_free(batch);
	return 0;
}

/* Sends a request of its own connection; the answer is read later. */
static int
send_one(const char *path, int n)
{
	char request[100];
	int fd = rig_dial(&rig);

	snprintf(
	    request, sizeof(request), "GET /%s/%d HTTP/1.1\r\nHost: t\r\n\r\n", path, n);
	rig_put(fd, request);
	return fd;
}

static void
expect(int fd, int status, int n)
{
	char want[32];

	rig_read(fd, &reply);
	close(fd);
	assert_int_equal(reply.status, status);
	snprintf(want, sizeof(want), "\"data\":%d}", n);
	if (status == 200)
		assert_non_null(strstr(reply.text, want));
}

static void
test_one_alone_goes_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		expect(send_one("join", i), 200, i);
	assert_int_equal(runs, 3);
	assert_int_equal(sizes[0], 1);
	assert_int_equal(max_under_way, 1);
}

static void
test_gathers_while_runs_are_under_way(void **state)
{
	(void)state;
	int fds[MAX_RUNS + MAX_QUEUE];

	held = true;
	for (int i = 0; i < MAX_RUNS + MAX_QUEUE; i++) {
		fds[i] = send_one("join", i);
		RIG_UNTIL(joined == i + 1);
	}
	/* The queue is full: refused at once, although nothing moves. */
	expect(send_one("join", 99), 503, 0);
	held = false;
	for (int i = 0; i < MAX_RUNS + MAX_QUEUE; i++)
		expect(fds[i], 200, i);
	assert_int_equal(max_under_way, MAX_RUNS);
	assert_int_equal(sizes[0], 1);
	assert_int_equal(sizes[1], 1);
	assert_int_equal(sizes[2], MAX_SIZE);
	assert_int_equal(sizes[3], MAX_SIZE);
	assert_int_equal(sizes[4], 2);
	assert_int_equal(runs, 5);
}

static void
test_each_has_its_own_outcome(void **state)
{
	(void)state;
	int fds[6];

	held = true;
	for (int i = 0; i < 6; i++)
		fds[i] = send_one("join", 10 + i);
	RIG_UNTIL(joined == 6);
	held = false;
	for (int i = 0; i < 6; i++)
		expect(fds[i], 10 + i == 13 ? 409 : 200, 10 + i);
}

/* The deadline answers those that wait and those that are under way; both keep their
 * places until their run ends, and nobody else gets their results. */
static void
test_late_ones(void **state)
{
	(void)state;
	int late[MAX_RUNS + 2], fd;

	held = true;
	for (int i = 0; i < MAX_RUNS + 2; i++) {
		late[i] = send_one("hurry", i);
		RIG_UNTIL(joined == i + 1);
	}
	fd = send_one("join", 50);
	for (int i = 0; i < MAX_RUNS + 2; i++)
		expect(late[i], 504, 0);
	held = false;
	expect(fd, 200, 50);
	RIG_UNTIL(rig_metric(&rig, &reply, "onrush_http_requests_under_way") == 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_alone_goes_at_once, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_gathers_while_runs_are_under_way, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_each_has_its_own_outcome, start, stop),
		cmocka_unit_test_setup_teardown(test_late_ones, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
