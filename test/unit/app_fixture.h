/*
 * What the tests of a program's life share: a program that can be told apart by the
 * letters it notes, forked off with app_main, and what it printed.
 */
#ifndef ONRUSH_TEST_APP_FIXTURE_H
#define ONRUSH_TEST_APP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/app.h"
#include "app/log.h"
#include "base/clock.h"

struct settings {
	struct app_settings app;
	const char *key;
};

static struct settings settings;

static const struct conf_item conf[] = {
	APP_CONF_ITEMS("2"),
	{ "ONRUSH_T_KEY", CONF_SECRET, offsetof(struct settings, key), "", 0, 0,
	    "A secret." },
};

/* What the process under test did; shared with it. */
static struct {
	atomic_size_t size;
	char text[64]; /* a letter each */
} * trace;

static inline void
note(char letter)
{
	trace->text[atomic_fetch_add(&trace->size, 1)] = letter;
}

/* Waits, in the test, until the process has noted so many letters. */
static inline void
await_notes(size_t count)
{
	int64_t until = clock_mono_us() + 10 * CLOCK_US_PER_SEC;

	while (atomic_load(&trace->size) < count && clock_mono_us() < until)
		usleep(500);
	assert_true(atomic_load(&trace->size) >= count);
}

static FILE *out, *err; /* what the process printed */
static char text[1 << 16];

static inline int
begin(void **state)
{
	(void)state;
	trace = mmap(NULL, sizeof(*trace), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	out = tmpfile();
	err = tmpfile();
	unsetenv("ONRUSH_WORKERS");
	unsetenv("ONRUSH_DRAIN_MS");
	unsetenv("ONRUSH_LOG_LEVEL");
	unsetenv("ONRUSH_T_KEY");
	return trace == MAP_FAILED || out == NULL || err == NULL ? -1 : 0;
}

static inline int
end(void **state)
{
	(void)state;
	munmap(trace, sizeof(*trace));
	fclose(out);
	fclose(err);
	return 0;
}

static inline pid_t
launch(const struct app_desc *desc, const char *arg1, const char *arg2)
{
	char *argv[] = { strdup("onrush-test"), arg1 == NULL ? NULL : strdup(arg1),
		arg2 == NULL ? NULL : strdup(arg2), NULL };
	int argc = arg1 == NULL ? 1 : arg2 == NULL ? 2 : 3;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		exit(app_main(argc, argv, desc));
	}
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return pid;
}

static inline int
status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline const char *
printed(FILE *f)
{
	size_t n;

	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	return text;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
