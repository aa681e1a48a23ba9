/* Bytes of a connection with TLS, both ways, and what stops them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_rig.h"

static void
text_passes_both_ways(void **state)
{
	struct tls *t = new_tls(false, false);
	struct ends e;
	char text[64];

	(void)state;
	open_and_shake(&e, t, "a.example");
	assert_true(tls_conn_is_13(e.server));
	assert_false(tls_conn_resumed(e.server));
	assert_int_equal(SSL_write(e.client, "hello", 5), 5);
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), 5);
	assert_memory_equal(room, "hello", 5);
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), TLS_AGAIN);
	assert_int_equal(tls_conn_write(e.server, STR("and back")), 8);
	assert_int_equal(SSL_read(e.client, text, sizeof(text)), 8);
	assert_memory_equal(text, "and back", 8);
	close_ends(&e);
	tls_put(t);
}

/* Nothing of what the socket gave stays behind, however much it was. */
static void
a_read_gives_all_that_came(void **state)
{
	enum {
		CHUNK = 5000,
		COUNT = 37
	};
	struct tls *t = new_tls(false, false);
	char chunk[CHUNK], peeked;
	size_t total = 0;
	struct ends e;
	ssize_t n;

	(void)state;
	open_and_shake(&e, t, NULL);
	setsockopt(
	    e.fds[1], SOL_SOCKET, SO_SNDBUF, (const int[]){ 1 << 20 }, sizeof(int));
	for (int i = 0; i < COUNT; i++) {
		memset(chunk, 'a' + i % 26, CHUNK);
		assert_int_equal(SSL_write(e.client, chunk, CHUNK), CHUNK);
	}
	while (recv(e.fds[0], &peeked, 1, MSG_PEEK) == 1) {
		n = tls_conn_read(e.server, room, sizeof(room));
		assert_true(n > 0 || n == TLS_AGAIN);
		for (ssize_t i = 0; i < n; i++, total++)
			assert_int_equal(room[i], 'a' + (int)(total / CHUNK) % 26);
	}
	assert_int_equal(total, CHUNK * COUNT);
	close_ends(&e);
	tls_put(t);
}

/* What is not taken is given again from another place, and arrives once. */
static void
a_slow_reader_gets_all_once(void **state)
{
	enum {
		SIZE = 3000000
	};
	struct tls *t = new_tls(false, false);
	char *text = malloc(SIZE), *copy = malloc(SIZE), got[7001];
	size_t sent = 0, seen = 0, refusals = 0;
	struct ends e;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		text[i] = (char)(i * 7 + i / 251);
	open_and_shake(&e, t, NULL);
	while (seen < SIZE) {
		size_t left = SIZE - sent < 100000 ? SIZE - sent : 100000;
		ssize_t n;
		int r;

		memcpy(copy, text + sent, left);
		n = tls_conn_write(e.server, (str){ copy, left });
		memset(copy, 'x', left);
		assert_true(n >= 0 || n == TLS_AGAIN);
		sent += n > 0 ? (size_t)n : 0;
		refusals += n < (ssize_t)left;
		while ((r = SSL_read(e.client, got, sizeof(got))) > 0) {
			assert_memory_equal(got, text + seen, (size_t)r);
			seen += (size_t)r;
			if (seen % 5 == 0)
				break;
		}
		ERR_clear_error();
	}
	assert_int_equal(sent, SIZE);
	assert_true(refusals > 0);
	free(text);
	free(copy);
	close_ends(&e);
	tls_put(t);
}

static void
an_end_is_told_both_ways(void **state)
{
	struct tls *t = new_tls(false, false);
	struct ends e;
	char text[8];

	(void)state;
	open_and_shake(&e, t, NULL);
	assert_int_equal(SSL_write(e.client, "last", 4), 4);
	assert_int_equal(SSL_shutdown(e.client), 0);
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), 4);
	assert_int_equal(shutdown(e.fds[1], SHUT_WR), 0);
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), 0);
	assert_int_equal(tls_conn_write(e.server, STR("yes")), 3);
	assert_int_equal(tls_conn_finish(e.server), 0);
	assert_int_equal(SSL_read(e.client, text, sizeof(text)), 3);
	assert_int_equal(SSL_read(e.client, text, sizeof(text)), 0);
	assert_int_equal(SSL_get_error(e.client, 0), SSL_ERROR_ZERO_RETURN);
	close_ends(&e);
	tls_put(t);
}

static void
garbage_breaks_it_for_ever(void **state)
{
	struct tls *t = new_tls(false, false);
	struct ends e;

	(void)state;
	open_ends(&e, t, NULL);
	assert_int_equal(write(e.fds[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), TLS_BROKEN);
	assert_string_equal(tls_conn_why(e.server), "http request");
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), TLS_BROKEN);
	assert_int_equal(ERR_peek_error(), 0);
	close_ends(&e);

	open_and_shake(&e, t, NULL);
	assert_int_equal(write(e.fds[1], "\x17\x03\x03\x00\x05wrong", 10), 10);
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), TLS_BROKEN);
	assert_int_equal(tls_conn_write(e.server, STR("no")), TLS_BROKEN);
	assert_int_equal(tls_conn_finish(e.server), TLS_BROKEN);
	close_ends(&e);
	tls_put(t);
}

/* The server's part does not fit into the socket: it waits, and loses nothing. */
static void
a_blocked_handshake_goes_on(void **state)
{
	struct tls *t = new_tls(false, false);
	static const char filler[4096];
	static char drop[1 << 20];
	size_t filled = 0;
	struct ends e;
	ssize_t n;

	(void)state;
	open_ends(&e, t, NULL);
	while ((n = write(e.fds[0], filler, sizeof(filler))) > 0)
		filled += (size_t)n;
	(void)SSL_do_handshake(e.client); /* sends its hello, reads the filler: broken */
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), TLS_AGAIN);
	assert_true(tls_conn_blocked(e.server));
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), TLS_AGAIN);
	assert_true(tls_conn_blocked(e.server));
	while (read(e.fds[1], drop, sizeof(drop)) > 0)
		continue;
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), TLS_AGAIN);
	assert_false(tls_conn_blocked(e.server));
	assert_false(tls_conn_open(e.server));
	n = read(e.fds[1], drop, sizeof(drop));
	assert_true(n > 100 && drop[0] == 0x16); /* all of the server's part */
	assert_true(filled > 0);
	close_ends(&e);
	tls_put(t);
}

/* What was read before TLS began belongs to it. */
static void
early_bytes_are_the_beginning(void **state)
{
	struct tls *t = new_tls(false, false);
	struct ends e;
	ssize_t n;

	(void)state;
	open_ends(&e, t, NULL);
	(void)SSL_do_handshake(e.client);
	tls_conn_free(e.server);
	n = read(e.fds[0], room, sizeof(room));
	assert_true(n > 100);
	e.server = tls_conn_new(t, e.fds[0], (str){ room, (size_t)n });
	assert_int_equal(shake(&e), TLS_AGAIN);
	assert_true(tls_conn_open(e.server));
	close_ends(&e);
	tls_put(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_passes_both_ways),
		cmocka_unit_test(a_read_gives_all_that_came),
		cmocka_unit_test(a_slow_reader_gets_all_once),
		cmocka_unit_test(an_end_is_told_both_ways),
		cmocka_unit_test(garbage_breaks_it_for_ever),
		cmocka_unit_test(a_blocked_handshake_goes_on),
		cmocka_unit_test(early_bytes_are_the_beginning),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
