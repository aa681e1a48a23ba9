/* What leaves together: all of it here twice, with io_submit and where there is none. */
#include "loop_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/sendq.h"
#include "forbid.h"

enum {
	MANY = 200, /* more than there is room for */
	LONG = 8000,
};

struct pair {
	struct sendq_item item;
	int far; /* the other end */
	ssize_t taken;
	str rest;
	int told;
	struct pair *next; /* borrowed; what on_left hurries and puts */
};

static bool together; /* io_submit is to be had */

static void
on_left(struct sendq_item *item, ssize_t taken, str rest)
{
	struct pair *p = CONTAINER_OF(item, struct pair, item);

	p->told++;
	p->taken = taken;
	p->rest = rest;
	if (p->next == NULL)
		return;
	sendq_hurry(loop_sendq(loop), &p->next->item);
	assert_false(sendq_put(loop_sendq(loop), &p->next->item, STR("late")));
}

static void
open_pair(struct pair *p)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	*p = (struct pair){ .item = { .cb = on_left, .fd = fds[0] }, .far = fds[1] };
}

static void
close_pair(struct pair *p)
{
	close(p->item.fd);
	close(p->far);
}

static void
put(struct pair *p, str bytes)
{
	assert_true(sendq_put(loop_sendq(loop), &p->item, bytes));
	assert_true(p->item.queued);
}

/* What has come at the other end; "" when nothing has. */
static const char *
heard(struct pair *p)
{
	static char text[LONG + 1];
	ssize_t n = recv(p->far, text, LONG, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
turn(void)
{
	loop_stop(loop);
	loop_run(loop);
}

/* The kernel maps what io_setup makes. */
static bool
has_aio(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	bool found = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL)
		found |= strstr(line, "[aio]") != NULL;
	fclose(maps);
	return found;
}

static void
test_leave_at_the_end_of_the_turn(void **state)
{
	(void)state;
	struct pair pairs[3];
	char text[2] = "a";

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++, text[0]++) {
		open_pair(&pairs[i]);
		put(&pairs[i], str_of(text));
	}
	assert_string_equal(heard(&pairs[0]), "");
	assert_false(has_aio());
	turn();
	assert_int_equal(has_aio(), together);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		assert_int_equal(heard(&pairs[i])[0], 'a' + (int)i);
		assert_int_equal(pairs[i].taken, 1);
		assert_int_equal(pairs[i].rest.n, 0);
		assert_int_equal(pairs[i].told, 1);
		assert_false(pairs[i].item.queued);
	}
	put(&pairs[0], STR("again"));
	put(&pairs[1], STR("and again"));
	turn();
	assert_string_equal(heard(&pairs[0]), "again");
	assert_string_equal(heard(&pairs[1]), "and again");
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		close_pair(&pairs[i]);
}

static void
test_a_lone_message(void **state)
{
	(void)state;
	struct pair p;

	open_pair(&p);
	put(&p, STR("alone"));
	turn();
	assert_false(has_aio());
	assert_string_equal(heard(&p), "alone");
	assert_int_equal(p.taken, 5);
	close_pair(&p);
}

/* `next` is here so that the first does not leave alone. */
static void
leave_with(struct pair *p, struct pair *next, const char *text, size_t size)
{
	put(p, (str){ text, size });
	put(next, STR("next"));
	turn();
	assert_string_equal(heard(next), "next");
}

static void
test_a_slow_reader_gets_a_part(void **state)
{
	(void)state;
	static const char zeros[65536], text[LONG] = { [LONG - 1] = 'z' };
	struct pair p, next;
	int size = 1; /* the least that there is */

	open_pair(&p);
	open_pair(&next);
	assert_int_equal(
	    setsockopt(p.item.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	leave_with(&p, &next, text, LONG);
	assert_true(p.taken > 0 && p.taken < LONG);
	assert_int_equal(p.rest.n, LONG - p.taken);
	assert_int_equal(p.rest.p[p.rest.n - 1], 'z');
	while (write(p.item.fd, zeros, sizeof(zeros)) > 0)
		;
	leave_with(&p, &next, text, LONG);
	assert_int_equal(p.taken, 0);
	assert_int_equal(p.rest.n, LONG);
	close_pair(&p);
	close_pair(&next);
}

static void
test_a_reader_has_gone(void **state)
{
	(void)state;
	struct pair p, next;

	open_pair(&p);
	open_pair(&next);
	close(p.far);
	leave_with(&p, &next, "x", 1);
	assert_int_equal(p.taken, -1);
	close(p.item.fd);
	close_pair(&next);
}

static void
test_dropped_and_hurried(void **state)
{
	(void)state;
	struct pair dropped, hurried, next;

	open_pair(&dropped);
	open_pair(&hurried);
	open_pair(&next);
	put(&dropped, STR("dropped"));
	put(&hurried, STR("hurried"));
	put(&next, STR("next"));
	sendq_drop(loop_sendq(loop), &dropped.item);
	sendq_hurry(loop_sendq(loop), &hurried.item);
	assert_string_equal(heard(&hurried), "hurried");
	turn();
	assert_string_equal(heard(&dropped), "");
	assert_string_equal(heard(&hurried), "");
	assert_string_equal(heard(&next), "next");
	assert_int_equal(dropped.told + hurried.told, 0);
	put(&dropped, STR("once more"));
	turn();
	assert_string_equal(heard(&dropped), "once more");
	sendq_drop(loop_sendq(loop), &dropped.item); /* not queued: nothing */
	sendq_hurry(loop_sendq(loop), &hurried.item);
	close_pair(&dropped);
	close_pair(&hurried);
	close_pair(&next);
}

/* Its message has left: it is not sent again, and nobody wants to know. */
static void
test_hurried_by_the_one_before(void **state)
{
	(void)state;
	struct pair first, second;

	open_pair(&first);
	open_pair(&second);
	first.next = &second;
	put(&first, STR("first"));
	put(&second, STR("second"));
	turn();
	assert_string_equal(heard(&second), "second");
	assert_int_equal(first.told, 1);
	assert_int_equal(second.told, 0);
	close_pair(&first);
	close_pair(&second);
}

static void
test_there_is_a_bound(void **state)
{
	(void)state;
	static const char text[65536];
	struct sendq *q = loop_sendq(loop);
	struct pair pairs[MANY];
	size_t count = 0;

	for (size_t i = 0; i < MANY; i++)
		open_pair(&pairs[i]);
	assert_false(sendq_put(q, &pairs[0].item, (str){ text, sizeof(text) }));
	while (count < MANY && sendq_put(q, &pairs[count].item, STR("x")))
		count++;
	assert_true(count >= 64 && count < MANY);
	turn();
	for (size_t i = 0; i < MANY; i++)
		assert_string_equal(heard(&pairs[i]), i < count ? "x" : "");
	count = 0;
	while (count < MANY && sendq_put(q, &pairs[count].item, (str){ text, LONG }))
		count++;
	assert_true(count >= 4 && count < 64);
	turn();
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pairs[i].taken, LONG);
	for (size_t i = 0; i < MANY; i++)
		close_pair(&pairs[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_leave_at_the_end_of_the_turn),
		TEST(test_a_lone_message),
		TEST(test_a_slow_reader_gets_a_part),
		TEST(test_a_reader_has_gone),
		TEST(test_dropped_and_hurried),
		TEST(test_hurried_by_the_one_before),
		TEST(test_there_is_a_bound),
	};
	int failed, status;
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	together = true;
	failed = cmocka_run_group_tests_name("sendq", tests, NULL, NULL);
	fflush(NULL);
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		ASSERT(forbid_call(SYS_io_setup, EPERM)); /* as in many a container */
		together = false;
		failed = cmocka_run_group_tests_name("sendq alone", tests, NULL, NULL);
		exit(failed != 0);
	}
	ASSERT(waitpid(pid, &status, 0) == pid);
	return failed != 0 || status != 0;
}
