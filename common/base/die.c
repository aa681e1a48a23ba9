/* The ends of a process that cannot go on, and malloc with such an end. The log is not
 * used here: it may be what failed. */
#include "base/die.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the form of a log line. */
_Noreturn void
die_assert(const char *cond, const char *file, int line, const char *func)
{
	char escaped[256];
	size_t n = 0;

	for (; *cond != '\0' && n < sizeof(escaped) - 2; cond++) {
		if (*cond == '"' || *cond == '\\')
			escaped[n++] = '\\';
		escaped[n++] = *cond;
	}
	escaped[n] = '\0';
	fprintf(stderr,
	    "{\"level\":\"error\",\"msg\":\"assertion failed: %s at %s:%d in %s\"}\n",
	    escaped, file, line, func);
	abort();
}

_Noreturn void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void *
xmalloc(size_t size)
{
	void *ptr = malloc(size ? size : 1);

	ASSERT(ptr != NULL);
	return ptr;
}

void *
xcalloc(size_t count, size_t size)
{
	void *ptr = calloc(count ? count : 1, size ? size : 1);

	ASSERT(ptr != NULL);
	return ptr;
}

void *
xrealloc(void *ptr, size_t size)
{
	void *grown = realloc(ptr, size ? size : 1);

	ASSERT(grown != NULL);
	return grown;
}

char *
xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xmalloc(size), s, size);
}
