#include "keeper/keeper.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	WHY_MAX = 512, /* bytes */
};

enum err
keeper_fail(struct keeper *k, enum err err, const char *fmt, ...)
{
	char *why = arena_alloc(k->arena, WHY_MAX);
	va_list ap;

	ASSERT(err != ERR_OK);
	va_start(ap, fmt);
	vsnprintf(why, WHY_MAX, fmt, ap);
	va_end(ap);
	k->why = why;
	return err;
}

enum err
keeper_fail_sql(struct keeper *k, enum err err)
{
	return keeper_fail(k, err, "%s", pgsync_message(k->pg));
}

struct pg_params *
keeper_params(struct keeper *k)
{
	struct pg_params *p = ARENA_NEW(k->arena, struct pg_params);

	pg_params_init(p, k->arena);
	return p;
}

enum err
keeper_sql(struct keeper *k)
{
	enum err err = pgsync_run(k->pg);

	return err == ERR_OK ? ERR_OK : keeper_fail_sql(k, err);
}
