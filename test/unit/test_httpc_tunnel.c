/* The HTTP client's calls that become tunnels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_up.h"

#include "http/httpc_impl.h"

static void
on_room(void *arg, struct call *call)
{
	(void)arg;
	(void)call;
	fail_msg("the server takes what it is given");
}

static const struct httpc_source ops = { on_room };

static struct {
	struct call *call;
	int ends;
	enum err err;
	size_t size;
	char text[64];
} tunnel;

static void
on_tunnel_piece(void *arg, str bytes)
{
	(void)arg;
	assert_true(tunnel.size + bytes.n < sizeof(tunnel.text));
	memcpy(tunnel.text + tunnel.size, bytes.p, bytes.n);
	tunnel.size += bytes.n;
	if (strcmp(tunnel.text, "hello") == 0)
		assert_true(httpc_write(tunnel.call, STR("bye")));
}

static void
on_tunnel_end(void *arg, enum err err)
{
	(void)arg;
	tunnel.ends++;
	tunnel.err = err;
	loop_stop(loop);
}

static const struct httpc_sink from_server = { on_tunnel_piece, on_tunnel_end };

static void
on_tunnel(void *arg, enum err err, const struct httpc_response *response)
{
	on_response(arg, err, response);
	if (response == NULL || response->more == NULL)
		return;
	tunnel.call = response->more;
	httpc_follow(tunnel.call, &from_server, NULL);
	on_tunnel_piece(NULL, response->body);
}

static void
ask_for_tunnel(struct result *r)
{
	struct httpc_request request = get;

	memset(&tunnel, 0, sizeof(tunnel));
	request.upgrade = STR("talk");
	request.streamed = true;
	request.source = &ops;
	*r = (struct result){ 0 };
	pending++;
	httpc_send(client, &request, on_tunnel, r);
	finish();
}

static atomic_bool go_on;

static void
switches(int fd, int n)
{
	char text[4096], bye[3];

	(void)n;
	while (read_request(fd, text, sizeof(text))) {
		if (strstr(text, "\r\nConnection: Upgrade\r\nUpgrade: talk\r\n") ==
		    NULL) {
			put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
			continue;
		}
		put(fd, "HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: "
			"talk\r\n\r\nhe");
		until_set(&go_on);
		put(fd, "llo");
		ASSERT(recv(fd, bye, 3, MSG_WAITALL) == 3 && memcmp(bye, "bye", 3) == 0);
		return;
	}
}

static void
refuses(int fd, int n)
{
	(void)n;
	while (next_request(fd))
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/* No time-out runs; and a call finds the only connection free. */
static void
test_a_tunnel(void **state)
{
	struct result r, other;
	size_t conns, busy, queued;

	(void)state;
	go_on = false;
	server_start(switches);
	connect_with(1);
	httpc_free(client);
	conf.stream_us = 50000;
	client = httpc_new(loop, &conf);
	ask_for_tunnel(&r);
	assert_int_equal(r.status, 101);
	assert_null(tunnel.call->wait.waits);
	assert_int_equal(ask(&other, &get), ERR_OK);
	httpc_stats(client, &conns, &busy, &queued);
	assert_int_equal(conns, 2);
	assert_int_equal(busy, 1);
	run_for(100000);
	assert_int_equal(tunnel.ends, 0);
	go_on = true;
	while (tunnel.ends == 0)
		run_for(10000);
	assert_int_equal(tunnel.err, ERR_OK);
	assert_string_equal(tunnel.text, "hello");
	run_for(10000);
	httpc_stats(client, &conns, &busy, &queued);
	assert_int_equal(conns, 1);
}

static void
test_a_tunnel_that_is_refused(void **state)
{
	struct result r;

	(void)state;
	server_start(refuses);
	connect_with(1);
	ask_for_tunnel(&r);
	assert_int_equal(r.status, 200);
	assert_int_equal(ask(&r, &get), ERR_OK);
	assert_int_equal(server.accepted, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_tunnel, init, fini),
		cmocka_unit_test_setup_teardown(
		    test_a_tunnel_that_is_refused, init, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
