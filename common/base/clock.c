/*
 * The two clocks of the system, and RFC 3339 both ways. Strict: a text that is not a
 * time, or not one that exists, is refused, never rounded to one that does.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * CLOCK_US_PER_SEC + ts.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

/* Splits into UTC calendar fields and the microseconds of the second. */
static int
split(int64_t wall_us, struct tm *tm)
{
	int64_t us = wall_us % CLOCK_US_PER_SEC;
	time_t sec = (time_t)(wall_us / CLOCK_US_PER_SEC);

	if (us < 0) {
		us += CLOCK_US_PER_SEC;
		sec--;
	}
	gmtime_r(&sec, tm);
	return (int)us;
}

/* The last `width` decimal digits of value. */
static char *
put_digits(char *out, int width, unsigned value)
{
	for (int i = width - 1; i >= 0; i--) {
		out[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return out + width;
}

/* By hand: a log line and every order have one, and strftime(3) costs as much as the rest
 * of a log line. */
void
clock_format_iso(int64_t wall_us, char out[CLOCK_ISO_SIZE])
{
	struct tm tm;
	int us = split(wall_us, &tm), year = tm.tm_year + 1900;
	char *p = out;

	if (year >= 0 && year <= 9999)
		p = put_digits(p, 4, (unsigned)year);
	else
		p += snprintf(p, 8, "%d", year); /* of six digits at most */
	*p++ = '-';
	p = put_digits(p, 2, (unsigned)tm.tm_mon + 1);
	*p++ = '-';
	p = put_digits(p, 2, (unsigned)tm.tm_mday);
	*p++ = 'T';
	p = put_digits(p, 2, (unsigned)tm.tm_hour);
	*p++ = ':';
	p = put_digits(p, 2, (unsigned)tm.tm_min);
	*p++ = ':';
	p = put_digits(p, 2, (unsigned)tm.tm_sec);
	*p++ = '.';
	p = put_digits(p, 6, (unsigned)us);
	*p++ = 'Z';
	*p = '\0';
}

/* A fixed-width run of digits at s->p, taken off s. */
static bool
take_digits(str *s, size_t width, int *out)
{
	int value = 0;

	if (s->n < width)
		return false;
	for (size_t i = 0; i < width; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		value = value * 10 + (s->p[i] - '0');
	}
	*s = (str){ s->p + width, s->n - width };
	*out = value;
	return true;
}

static bool
take_char(str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = (str){ s->p + 1, s->n - 1 };
	return true;
}

/* ".123456", at most six decimals, as microseconds. */
static bool
take_fraction(str *s, int *us)
{
	int scale = 100000;

	*us = 0;
	if (!take_char(s, '.'))
		return true;
	do {
		int digit;

		if (scale == 0 || !take_digits(s, 1, &digit))
			return false;
		*us += digit * scale;
		scale /= 10;
	} while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9');
	return true;
}

/* "Z" or "+hh:mm", as seconds east of UTC. */
static bool
take_zone(str *s, int *east)
{
	int hours, minutes, sign = 1;

	*east = 0;
	if (take_char(s, 'Z'))
		return true;
	if (take_char(s, '-'))
		sign = -1;
	else if (!take_char(s, '+'))
		return false;
	if (!take_digits(s, 2, &hours) || !take_char(s, ':') ||
	    !take_digits(s, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*east = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool
clock_parse_iso(str s, int64_t *wall_us)
{
	struct tm tm = { 0 }, check;
	int us, east;
	time_t sec;

	if (!take_digits(&s, 4, &tm.tm_year) || !take_char(&s, '-') ||
	    !take_digits(&s, 2, &tm.tm_mon) || !take_char(&s, '-') ||
	    !take_digits(&s, 2, &tm.tm_mday) || !take_char(&s, 'T') ||
	    !take_digits(&s, 2, &tm.tm_hour) || !take_char(&s, ':') ||
	    !take_digits(&s, 2, &tm.tm_min) || !take_char(&s, ':') ||
	    !take_digits(&s, 2, &tm.tm_sec) || !take_fraction(&s, &us) ||
	    !take_zone(&s, &east) || s.n != 0)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	check = tm;
	sec = timegm(&check);
	/* timegm normalises 31 February; what changed was not a date. */
	if (check.tm_mday != tm.tm_mday || check.tm_mon != tm.tm_mon ||
	    check.tm_hour != tm.tm_hour || check.tm_min != tm.tm_min ||
	    check.tm_sec != tm.tm_sec)
		return false;
	*wall_us = ((int64_t)sec - east) * CLOCK_US_PER_SEC + us;
	return true;
}

int
clock_day(int64_t wall_us)
{
	struct tm tm;

	split(wall_us, &tm);
	return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}
