/*
 * Log lines: JSON, made on the stack, one write(2) each. A line is never longer than
 * PIPE_BUF, so that the lines of several processes that share a pipe stay whole; a
 * message that does not fit is cut. Nothing here calls malloc.
 *
 * The limiter is a fixed table with a slot per format string. Those are literals, so a
 * program has a fixed number of them and no slot is ever given up.
 */
#include "app/log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	LINE_SIZE = PIPE_BUF,
	TAIL_SIZE = 8, /* kept free for `…"}` and the newline */
	ID_MAX = 128,  /* an id is 36 bytes; a longer one is cut */
	SLOTS = 1024,  /* a power of two, several times the number of fmts */
	LINES_PER_SECOND = 20,
};

struct line {
	char text[LINE_SIZE];
	size_t size;
};

/* What was written of one fmt in the second that began at start_us. */
struct slot {
	const char *fmt; /* borrowed: a literal; NULL in a free slot */
	int64_t start_us;
	int written;
	unsigned dropped; /* since the last line that was written */
};

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

static const char *service = ""; /* borrowed */
static enum log_level lowest = LOG_INFO;
static struct slot slots[SLOTS];
static pthread_mutex_t slots_mutex = PTHREAD_MUTEX_INITIALIZER;

static bool admit(const char *fmt, unsigned *dropped);
static struct slot *find_slot(const char *fmt);
static void add_raw(struct line *line, const char *text);
static void add_escaped(struct line *line, str s);
static bool add_char(struct line *line, str *s);
static void write_line(struct line *line);

void
log_init(const char *name, enum log_level level)
{
	service = name;
	lowest = level;
}

const char *
log_service(void)
{
	return service;
}

bool
log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void
log_write(enum log_level level, str id, const char *fmt, ...)
{
	int saved_errno = errno;
	char message[LINE_SIZE], ts[CLOCK_ISO_SIZE], count[16];
	struct line line;
	unsigned dropped;
	va_list ap;

	if (level < lowest || !admit(fmt, &dropped))
		return;
	line.size = 0;
	clock_format_iso(clock_wall_us(), ts);
	add_raw(&line, "{\"ts\":\"");
	add_raw(&line, ts);
	add_raw(&line, "\",\"level\":\"");
	add_raw(&line, level_names[level]);
	add_raw(&line, "\",\"svc\":\"");
	add_escaped(&line, str_of(service));
	if (id.n > 0) {
		add_raw(&line, "\",\"id\":\"");
		add_escaped(&line, (str){ id.p, id.n < ID_MAX ? id.n : ID_MAX });
	}
	add_raw(&line, "\",");
	if (dropped > 0) {
		snprintf(count, sizeof(count), "%u", dropped);
		add_raw(&line, "\"dropped\":");
		add_raw(&line, count);
		add_raw(&line, ",");
	}
	add_raw(&line, "\"msg\":\"");
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	add_escaped(&line, str_of(message));
	add_raw(&line, "\"}\n");
	write_line(&line);
	errno = saved_errno;
}

/* Whether a line with this fmt may be written now, and how many were not before it. */
static bool
admit(const char *fmt, unsigned *dropped)
{
	int64_t now_us = clock_mono_us();
	struct slot *slot;
	bool admitted;

	pthread_mutex_lock(&slots_mutex);
	slot = find_slot(fmt);
	if (now_us - slot->start_us >= CLOCK_US_PER_SEC) {
		slot->start_us = now_us;
		slot->written = 0;
	}
	admitted = slot->written < LINES_PER_SECOND;
	*dropped = slot->dropped;
	slot->written += admitted;
	slot->dropped = admitted ? 0 : slot->dropped + 1;
	pthread_mutex_unlock(&slots_mutex);
	return admitted;
}

/* The slot of fmt, taken if there is none yet. Should the table ever be full, a fmt
 * shares the slot where its search began. */
static struct slot *
find_slot(const char *fmt)
{
	size_t home = ((uintptr_t)fmt * UINT64_C(0x9e3779b97f4a7c15)) >> 32;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &slots[(home + i) % SLOTS];

		if (slot->fmt == NULL)
			slot->fmt = fmt;
		if (slot->fmt == fmt)
			return slot;
	}
	return &slots[home % SLOTS];
}

static void
add_raw(struct line *line, const char *text)
{
	size_t n = strlen(text);

	ASSERT(n <= LINE_SIZE - line->size);
	memcpy(line->text + line->size, text, n);
	line->size += n;
}

/* Adds s as the inside of a JSON string; what does not fit becomes an ellipsis. */
static void
add_escaped(struct line *line, str s)
{
	while (s.n > 0) {
		if (!add_char(line, &s)) {
			add_raw(line, "…");
			return;
		}
	}
}

/* Moves the first character of *s to the line: as it is, escaped, or for a byte that is
 * not UTF-8 the replacement character. False when the line is full. */
static bool
add_char(struct line *line, str *s)
{
	unsigned char c = (unsigned char)s->p[0];
	size_t taken = 1, added;
	char piece[8];

	if (c == '"' || c == '\\') {
		added = (size_t)snprintf(piece, sizeof(piece), "\\%c", c);
	} else if (c < 0x20 || c == 0x7f) {
		added = (size_t)snprintf(piece, sizeof(piece), "\\u%04x", c);
	} else if ((taken = str_utf8_length(*s)) > 0) {
		memcpy(piece, s->p, taken);
		added = taken;
	} else {
		taken = 1;
		added = sizeof("\uFFFD") - 1;
		memcpy(piece, "\uFFFD", added);
	}
	if (line->size + added > LINE_SIZE - TAIL_SIZE)
		return false;
	memcpy(line->text + line->size, piece, added);
	line->size += added;
	*s = (str){ s->p + taken, s->n - taken };
	return true;
}

/* A log that cannot be written is no reason to stop serving. */
static void
write_line(struct line *line)
{
	ssize_t n;

	do
		n = write(STDERR_FILENO, line->text, line->size);
	while (n < 0 && errno == EINTR);
}
