/* Sockets at paths: who may listen, who gets what was left, a server that has both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>

#include "http/net.h"
#include "http_up.h"

enum {
	BACKLOG = 16,
	PATIENCE_US = 10 * CLOCK_US_PER_SEC,
};

static char folder[] = "/tmp/onrush-net-XXXXXX";
static char address[64];
static char err[512];

static struct net_addr
at(const char *text)
{
	struct net_addr addr;

	assert_int_equal(net_resolve(text, &addr, 1, err, sizeof(err)), 1);
	return addr;
}

static bool
can_connect(const struct net_addr *addr)
{
	int fd = net_connect(addr);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void
test_addresses(void **state)
{
	(void)state;
	struct net_addr addr = at("unix:/run/onrush/coupon.sock");
	char text[NET_TEXT_SIZE],
	    longest[8 + sizeof(((struct sockaddr_un *)0)->sun_path)];

	assert_int_equal(addr.sa.ss_family, AF_UNIX);
	net_text(&addr.sa, text);
	assert_string_equal(text, "unix");
	assert_int_equal(net_resolve("unix:", &addr, 1, err, sizeof(err)), 0);
	assert_int_equal(net_resolve("unix:here", &addr, 1, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "absolute path of at most 107 bytes"));
	snprintf(longest, sizeof(longest), "unix:/%0106d", 0);
	assert_int_equal(net_resolve(longest, &addr, 1, err, sizeof(err)), 1);
	snprintf(longest, sizeof(longest), "unix:/%0107d", 0);
	assert_int_equal(net_resolve(longest, &addr, 1, err, sizeof(err)), 0);
}

/* It is there until it is closed, and there is one at a time. */
static void
test_one_listens(void **state)
{
	(void)state;
	struct net_addr addr = at(address), other = at("unix:/tmp/onrush-another.sock");
	int fd = net_listen(&addr, BACKLOG, false);

	assert_true(fd >= 0);
	assert_int_equal(net_listen(&addr, BACKLOG, false), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_true(net_at_path(fd));
	assert_true(net_listens_at(fd, &addr));
	assert_false(net_listens_at(fd, &other));
	assert_true(can_connect(&addr));
	close(fd);
	assert_false(can_connect(&addr));
	assert_int_equal(errno, ECONNREFUSED);
}

static int
listen_in_child(const struct net_addr *addr)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(net_listen(addr, BACKLOG, false) >= 0 ? 0 : errno);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Another process is told that the path is taken; a path that nobody listens at is not.
 */
static void
test_other_processes(void **state)
{
	(void)state;
	struct net_addr addr = at(address);
	int fd, file;

	assert_int_equal(listen_in_child(&addr), 0); /* and leaves it behind */
	fd = net_listen(&addr, BACKLOG, false);
	assert_true(fd >= 0);
	close(fd);

	int theirs = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(unlink(address + 5) == 0);
	assert_int_equal(bind(theirs, (struct sockaddr *)&addr.sa, addr.size), 0);
	assert_int_equal(listen(theirs, BACKLOG), 0);
	assert_int_equal(listen_in_child(&addr), EADDRINUSE);
	close(theirs);

	/* What is no socket stays. */
	assert_true(unlink(address + 5) == 0);
	file = creat(address + 5, 0600);
	assert_true(file >= 0);
	close(file);
	assert_int_equal(listen_in_child(&addr), EADDRINUSE);
	assert_true(unlink(address + 5) == 0);
}

/* --- a server ------------------------------------------------------------------------
 */

static rq_next
say_peer(struct rq *rq)
{
	return rq_reply(rq, 200, STR("text/plain"), rq->peer);
}

static rq_next
say_host(struct rq *rq)
{
	return rq_reply(rq, 200, STR("text/plain"), http_header(rq->head, STR("host")));
}

static const struct route routes[] = {
	{ HTTP_GET, "/peer", say_peer, 1000000, 0, 0 },
	{ HTTP_GET, "/host", say_host, 1000000, 0, 0 },
};

static void
visit(const struct net_addr *addr, const char *expected)
{
	static const char request[] =
	    "GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	char answer[1024];
	size_t n = 0;
	ssize_t got;
	int fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&addr->sa, addr->size), 0);
	assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
	while ((got = recv(fd, answer + n, sizeof(answer) - 1 - n, 0)) > 0)
		n += (size_t)got;
	close(fd);
	answer[n] = '\0';
	assert_non_null(strstr(answer, "HTTP/1.1 200"));
	assert_non_null(strstr(answer, expected));
}

static void
test_a_server_at_both(void **state)
{
	(void)state;
	struct rig rig;
	char port[32];
	struct net_addr tcp, path = at(address);

	rig_init(&rig);
	rig.settings.listen_too = address;
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
	snprintf(port, sizeof(port), "127.0.0.1:%d", rig.port);
	tcp = at(port);
	visit(&tcp, "\r\n\r\n127.0.0.1");
	visit(&path, "\r\n\r\nunix");
	rig_stop(&rig);
	assert_false(can_connect(&path));
}

/* A path is no name of a host: the client says another one. */
static void
test_a_client(void **state)
{
	(void)state;
	struct rig rig;
	struct result r;
	const struct httpc_request request = { .method = HTTP_GET,
		.target = STR("/host") };

	rig_init(&rig);
	rig.settings.listen_too = address;
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
	loop = loop_new();
	conf = (struct httpc_conf){
		.address = address,
		.max_conns = 1,
		.max_queue = 1,
		.queue_us = PATIENCE_US,
		.connect_us = PATIENCE_US,
		.response_us = PATIENCE_US,
		.idle_us = PATIENCE_US,
		.max_response = 1024,
	};
	client = httpc_new(loop, &conf);
	assert_int_equal(ask(&r, &request), ERR_OK);
	assert_string_equal(r.body, "localhost");
	httpc_free(client);
	run_for(1000); /* its connections are freed by jobs */
	loop_free(loop);
	rig_stop(&rig);
}

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(address, sizeof(address), "unix:%s/socket", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	unlink(address + 5);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_one_listens),
		cmocka_unit_test(test_other_processes),
		cmocka_unit_test(test_a_server_at_both),
		cmocka_unit_test(test_a_client),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
