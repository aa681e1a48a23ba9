/*
 * Logs: one JSON object per line on stderr: ts, level, svc, msg and, where there is one,
 * id (the request's id). ERROR: a person must act; WARN: we coped; INFO: the life of the
 * process; DEBUG: the rest. Log a failure once, where it is handled. Keeps errno. Any
 * thread may log; a line is one write(2).
 */
#ifndef ONRUSH_APP_LOG_H
#define ONRUSH_APP_LOG_H

#include "base/die.h"
#include "base/str.h"

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
};

/* Sets the `svc` of all lines (borrowed for ever) and the lowest level that is written.
 */
void log_init(const char *service, enum log_level lowest);

/* The name that log_init was given. */
const char *log_service(void);

/* "debug", "info", "warn", "error"; false for anything else. */
bool log_level_parse(const char *text, enum log_level *level) MUST_USE;

/*
 * Writes a line. `id` may be empty. More than 20 lines a second with the same fmt are
 * dropped and counted: the next one that is written carries "dropped":n.
 */
void log_write(enum log_level level, str id, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_debug(...) log_write(LOG_DEBUG, STR_NULL, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, STR_NULL, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, STR_NULL, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, STR_NULL, __VA_ARGS__)

#endif
