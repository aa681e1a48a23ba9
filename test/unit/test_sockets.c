/* Listening sockets of several workers: new ones, and ones that were handed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/log.h"
#include "app/manager.h"
#include "http/sockets.h"
#include "http/net.h"

/* A listening socket at this place among our descriptors; its port. */
static int
hand_over(int place, int port, bool shared)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	if (shared)
		assert_int_equal(
		    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(dup2(fd, place), place);
	if (fd != place)
		close(fd);
	return net_port(place);
}

static void
begin(int count)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", count);
	setenv("LISTEN_FDS", text, 1);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	manager_begin();
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_PID"));
}

static void
address_of(char *out, size_t size, int port)
{
	snprintf(out, size, "127.0.0.1:%d", port);
}

static void
test_every_worker_has_one_socket_of_the_same_port(void **state UNUSED)
{
	int fds[SOCKETS_SHARE], port = 0;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(sockets_take("TEST", "127.0.0.1:0", i, 3, fds), 1);
		if (i == 0)
			port = net_port(fds[0]);
		assert_int_equal(net_port(fds[0]), port);
		assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
		close(fds[0]);
	}
}

static void
test_an_address_that_is_taken_or_none_is_refused(void **state UNUSED)
{
	int fds[SOCKETS_SHARE], other = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char address[32];

	assert_int_equal(bind(other, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(other, 1), 0);
	address_of(address, sizeof(address), net_port(other));
	assert_false(sockets_open("TEST", address, 1));
	assert_int_equal(sockets_take("TEST", address, 0, 1, fds), 0);
	assert_false(sockets_open("TEST", "nonsense", 1));
	close(other);
	assert_true(sockets_open("TEST", address, 1));
	sockets_close(); /* what nobody took */
	assert_true(sockets_open("TEST", address, 1));
	sockets_close();
}

static void
test_more_sockets_than_workers_are_divided(void **state UNUSED)
{
	int port = hand_over(3, 0, true), fds[SOCKETS_SHARE];
	char address[32];

	hand_over(4, port, true);
	hand_over(5, port, true);
	begin(3);
	address_of(address, sizeof(address), port);
	assert_true(sockets_open("TEST", address, 2));
	assert_int_equal(sockets_take("TEST", address, 0, 2, fds), 2);
	assert_int_equal(fds[0], 3);
	assert_int_equal(fds[1], 5);
	assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(3, F_GETFL) & O_NONBLOCK);
	assert_int_equal(sockets_take("TEST", address, 1, 2, fds), 1);
	assert_int_equal(fds[0], 4);
	for (int fd = 3; fd <= 5; fd++)
		close(fd);
	assert_int_equal(manager_drop_sockets(), 0);
}

static void
test_workers_without_a_socket_open_one(void **state UNUSED)
{
	int port = hand_over(3, 0, true), fds[SOCKETS_SHARE];
	char address[32];

	begin(1);
	address_of(address, sizeof(address), port);
	assert_true(sockets_open("TEST", address, 2));
	assert_int_equal(sockets_take("TEST", address, 0, 2, fds), 1);
	assert_int_equal(fds[0], 3);
	assert_int_equal(sockets_take("TEST", address, 1, 2, fds), 1);
	assert_int_equal(net_port(fds[0]), port);
	close(fds[0]);
	close(3);
	assert_int_equal(manager_drop_sockets(), 0);
}

/* Of systemd's without ReusePort=: both workers wait at the same socket. */
static void
test_workers_share_a_socket_that_nobody_may_join(void **state UNUSED)
{
	int port = hand_over(3, 0, false), first[SOCKETS_SHARE], second[SOCKETS_SHARE];
	char address[32], a[MANAGER_NAME_SIZE], b[MANAGER_NAME_SIZE];

	begin(1);
	address_of(address, sizeof(address), port);
	assert_true(sockets_open("TEST", address, 2));
	assert_int_equal(sockets_take("TEST", address, 0, 2, first), 1);
	assert_int_equal(sockets_take("TEST", address, 1, 2, second), 1);
	assert_int_not_equal(first[0], second[0]);
	manager_socket_name(first[0], a);
	manager_socket_name(second[0], b);
	assert_string_equal(a, b);
	close(first[0]);
	close(second[0]);
	assert_int_equal(manager_drop_sockets(), 0);
}

static void
test_sockets_of_other_addresses_are_let_go_of(void **state UNUSED)
{
	hand_over(3, 0, true);
	assert_int_equal(dup2(2, 4), 4); /* no socket at all */
	begin(2);
	assert_true(sockets_open("TEST", "127.0.0.1:0", 1));
	assert_int_equal(manager_drop_sockets(), 2);
	assert_int_equal(fcntl(3, F_GETFD), -1);
	sockets_close();
}

static void
test_sockets_that_are_meant_for_another_process_are_left_alone(void **state UNUSED)
{
	hand_over(3, 0, true);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", "1", 1);
	manager_begin();
	assert_int_equal(manager_drop_sockets(), 0);
	assert_true(fcntl(3, F_GETFD) >= 0);
	close(3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_worker_has_one_socket_of_the_same_port),
		cmocka_unit_test(test_an_address_that_is_taken_or_none_is_refused),
		cmocka_unit_test(test_more_sockets_than_workers_are_divided),
		cmocka_unit_test(test_workers_without_a_socket_open_one),
		cmocka_unit_test(test_workers_share_a_socket_that_nobody_may_join),
		cmocka_unit_test(test_sockets_of_other_addresses_are_let_go_of),
		cmocka_unit_test(
		    test_sockets_that_are_meant_for_another_process_are_left_alone),
	};

	/* The places of sockets that are handed over. */
	for (int fd = 3; fd <= 5; fd++)
		close(fd);
	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
