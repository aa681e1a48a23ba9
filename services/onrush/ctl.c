/* What every command needs: complaints, the database, names of topics. */
#include "onrush/ctl.h"

#include <stdarg.h>
#include <stdio.h>

#include "store/pgsync.h"

void
ctl_complain(const char *fmt, ...)
{
	va_list ap;

	fputs("onrush: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int
ctl_fail(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("onrush: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

struct pgsync *
ctl_connect(const struct ctl *ctl, int64_t timeout_us)
{
	struct pgsync *pg = pgsync_new(ctl->settings.pg_dsn, "onrush", timeout_us);

	if (pgsync_connect(pg) == ERR_OK)
		return pg;
	ctl_complain(
	    "PostgreSQL (ONRUSH_PG_DSN) is not reachable: %s", pgsync_message(pg));
	pgsync_free(pg);
	return NULL;
}

const char *
ctl_topic(const struct ctl *ctl, const char *name)
{
	return arena_printf(ctl->arena, "%s%s", ctl->settings.topic_prefix, name);
}
