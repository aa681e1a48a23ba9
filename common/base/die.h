/*
 * What every file may use: assertions that stay on, allocation that cannot fail, and the
 * attributes that make the compiler check our conventions.
 *
 * A failed ASSERT is a bug in this program: it is printed with its place and the process
 * aborts; the supervisor starts a new one and PostgreSQL decides what was true. Running
 * out of memory is treated alike, because no caller could do anything better.
 */
#ifndef ONRUSH_BASE_DIE_H
#define ONRUSH_BASE_DIE_H

#include <stddef.h>

#define MUST_USE                     __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_arg, va_arg) __attribute__((format(printf, fmt_arg, va_arg)))
#define UNUSED                       __attribute__((unused))
#define ARRAY_LEN(a)                 (sizeof(a) / sizeof((a)[0]))

/* The struct of type `type` whose member `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member)                                                  \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define ASSERT(cond)  ((cond) ? (void)0 : die_assert(#cond, __FILE__, __LINE__, __func__))
#define UNREACHABLE() die_assert("unreachable", __FILE__, __LINE__, __func__)

/* Prints the failed condition with its place on stderr and aborts. */
_Noreturn void die_assert(const char *cond, const char *file, int line, const char *func);

/* Prints a sentence on stderr and exits with status 1: for the start of a program only.
 */
_Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Like malloc, calloc, realloc and strdup, but abort when memory is out. The caller owns
 * the result and frees it with free(). */
void *xmalloc(size_t size) MUST_USE;
void *xcalloc(size_t count, size_t size) MUST_USE;
void *xrealloc(void *ptr, size_t size) MUST_USE;
char *xstrdup(const char *s) MUST_USE;

#endif
