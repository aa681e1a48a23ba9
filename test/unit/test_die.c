/* What is always checked, and how a process ends that fails the check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"

static char printed[1024]; /* by the process that ended */

/* Runs fn in a process of its own; the status of its end. */
static int
run_apart(void (*fn)(void))
{
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		signal(SIGABRT, SIG_DFL); /* cmocka's is of no use here */
		dup2(fds[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	n = read(fds[0], printed, sizeof(printed) - 1);
	close(fds[0]);
	printed[n < 0 ? 0 : n] = '\0';
	return status;
}

static void
fail_assertion(void)
{
	ASSERT(strcmp("a\n", "b") == 0);
}

static void
test_an_assertion_aborts_with_a_log_line(void **state)
{
	(void)state;
	int status = run_apart(fail_assertion);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(
	    strstr(printed, "{\"level\":\"error\",\"msg\":\"assertion failed: "
			    "strcmp(\\\"a\\\\n\\\", \\\"b\\\") == 0 at "));
	assert_non_null(strstr(printed, "test_die.c:"));
	assert_non_null(strstr(printed, " in fail_assertion\"}\n"));
}

static void
pass_assertion(void)
{
	ASSERT(strcmp("a", "a") == 0);
}

static void
reach_the_unreachable(void)
{
	UNREACHABLE();
}

static void
die_of_a_setting(void)
{
	die("ONRUSH_%s: must be set.", "X");
}

static void
test_other_ends(void **state)
{
	(void)state;
	int status = run_apart(pass_assertion);

	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_string_equal(printed, "");
	status = run_apart(reach_the_unreachable);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	status = run_apart(die_of_a_setting);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_string_equal(printed, "ONRUSH_X: must be set.\n");
}

static void
test_memory_of_no_size(void **state)
{
	(void)state;
	void *a = xmalloc(0), *b = xcalloc(0, 8), *c = xrealloc(NULL, 0);

	assert_true(a != NULL && b != NULL && c != NULL);
	free(a);
	free(b);
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_assertion_aborts_with_a_log_line),
		cmocka_unit_test(test_other_ends),
		cmocka_unit_test(test_memory_of_no_size),
	};
	return cmocka_run_group_tests_name("die", tests, NULL, NULL);
}
