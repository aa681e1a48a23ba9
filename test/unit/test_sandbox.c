/* The fence, in processes of their own: what it lets through, and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/log.h"
#include "app/sandbox.h"
#include "forbid.h"

struct settings {
	const char *file, *list;
	int64_t number;
};

static const struct conf_item items[] = {
	{ "FILE", CONF_STRING, offsetof(struct settings, file), "", 0, 0, "" },
	{ "LIST", CONF_STRING, offsetof(struct settings, list), "", 0, 0, "" },
	{ "NUMBER", CONF_INT, offsetof(struct settings, number), "0", 0, 9, "" },
};

static char named[] = "/tmp/onrush-sandbox-named-XXXXXX";
static char other[] = "/tmp/onrush-sandbox-other-XXXXXX";

/* Runs `body` in a child; what it returns: 0, or the line that is wrong. */
static int
in_child(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body() & 255);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define EXPECT(condition)                                                                \
	do {                                                                             \
		if (!(condition))                                                        \
			return __LINE__;                                                 \
	} while (0)

static void
path_in(char *out, size_t size, const char *directory)
{
	snprintf(out, size, "%s/file", directory);
}

static bool
enter(void)
{
	static char file[64], list[96];
	const struct settings settings = { .file = file, .list = list };

	path_in(file, sizeof(file), named);
	snprintf(list, sizeof(list), "cert=%s/a, ::/0, unix:%s/file", named, named);
	return sandbox_enter(items, ARRAY_LEN(items), &settings);
}

static bool
can_open(const char *directory, int flags)
{
	char path[64];
	int fd;

	path_in(path, sizeof(path), directory);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int
files(void)
{
	EXPECT(enter());
	EXPECT(can_open(named, O_RDONLY));
	EXPECT(!can_open(named, O_WRONLY) && errno == EACCES);
	EXPECT(!can_open(other, O_RDONLY) && errno == EACCES);
	EXPECT(access("/etc/hosts", R_OK) == 0);
	EXPECT(open("/proc/self/statm", O_RDONLY) >= 0);
	EXPECT(unlink(named) != 0 && errno == EPERM);
	return 0;
}

static void *
thread_main(void *arg)
{
	*(bool *)arg = !can_open(other, O_RDONLY) && errno == EACCES;
	return NULL;
}

static int
threads(void)
{
	pthread_t thread;
	bool fenced = false;

	EXPECT(enter());
	EXPECT(pthread_create(&thread, NULL, thread_main, &fenced) == 0);
	EXPECT(pthread_join(thread, NULL) == 0);
	EXPECT(fenced);
	return 0;
}

static int
programs(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	EXPECT(enter());
	EXPECT(execv("/bin/true", argv) != 0 && errno == EPERM);
	EXPECT(syscall(SYS_mount, "a", "b", "c", 0, NULL) != 0 && errno == EPERM);
	EXPECT(syscall(SYS_unshare, 0) != 0 && errno == EPERM);
	return 0;
}

static int
sockets(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct addrinfo *found;
	int fd;

	EXPECT(enter());
	fd = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT(fd >= 0);
	EXPECT(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 &&
	       errno == ECONNREFUSED);
	EXPECT(listen(fd, 1) != 0 && errno == EPERM);
	EXPECT(getaddrinfo("localhost", "80", NULL, &found) == 0);
	freeaddrinfo(found);
	return 0;
}

/* As a kernel from before: the calls are not there. */
static int
without_landlock(void)
{
	char said[256] = "";
	int ends[2];

	EXPECT(pipe2(ends, O_CLOEXEC) == 0);
	EXPECT(forbid_call(SYS_landlock_create_ruleset, ENOSYS));
	EXPECT(dup2(ends[1], STDERR_FILENO) >= 0);
	EXPECT(enter());
	EXPECT(read(ends[0], said, sizeof(said) - 1) > 0);
	EXPECT(strstr(said, "this kernel has no Landlock") != NULL);
	EXPECT(can_open(other, O_RDONLY));
	EXPECT(listen(0, 1) != 0 && errno == EPERM);
	return 0;
}

#define TEST_IN_CHILD(body)                                                              \
	static void test_##body(void **state UNUSED)                                     \
	{                                                                                \
		assert_int_equal(in_child(body), 0);                                     \
	}
TEST_IN_CHILD(files)
TEST_IN_CHILD(threads)
TEST_IN_CHILD(programs)
TEST_IN_CHILD(sockets)
TEST_IN_CHILD(without_landlock)

static int
make_directory(char *template)
{
	char path[64];

	if (mkdtemp(template) == NULL)
		return -1;
	path_in(path, sizeof(path), template);
	return close(open(path, O_CREAT | O_WRONLY, 0600));
}

static int
set_up(void **state UNUSED)
{
	return make_directory(named) != 0 || make_directory(other) != 0;
}

static int
tear_down(void **state UNUSED)
{
	char path[64];

	path_in(path, sizeof(path), named);
	unlink(path);
	path_in(path, sizeof(path), other);
	unlink(path);
	return rmdir(named) != 0 || rmdir(other) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_without_landlock),
	};

	log_init("test", LOG_INFO);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
