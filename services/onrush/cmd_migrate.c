/*
 * onrush migrate: brings the database's tables to what the migration files say. Forward
 * only; each file is one transaction, which first takes the lock that all migrations of a
 * database share and then looks again, so that any number may run at once and one that
 * dies leaves nothing half done.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "onrush/commands.h"
#include "onrush/migrations.h"
#include "onrush/table.h"
#include "store/pgsync.h"

#define CONNECT_US (5 * CLOCK_US_PER_SEC)
#define INSTALLED  "/usr/share/onrush/services"

static const struct pg_stmt lock = { "migrate_lock",
	"select pg_advisory_xact_lock(hashtext('onrush.migrate'))" };
static const struct pg_stmt look = { "migrate_look",
	"select sha256 from public.schema_migrations where version = $1" };
static const struct pg_stmt note = { "migrate_note",
	"insert into public.schema_migrations (version, sha256) values ($1, $2)" };
static const struct pg_stmt has_table = { "migrate_has_table",
	"select to_regclass('public.schema_migrations') is not null" };
static const struct pg_stmt list = { "migrate_list",
	"select version, sha256, applied_at from public.schema_migrations"
	" order by version collate \"C\"" };
static const char create_table[] = "create table if not exists public.schema_migrations ("
				   " version text primary key,"
				   " sha256 text not null,"
				   " applied_at timestamptz not null default now())";

/* One file on its way into the database. */
struct step {
	struct arena *arena;       /* borrowed */
	struct pgsync *pg;         /* borrowed */
	const struct migration *m; /* borrowed; NULL: the table of migrations itself */
	bool applied;              /* it was not there before */
};

static int
fail(const struct step *s, enum err err, const char *what)
{
	bool away = err == ERR_UNAVAILABLE || err == ERR_UNKNOWN_OUTCOME;

	return ctl_fail(
	    away ? CTL_UNREACHABLE : CTL_FAILED, "%s: %s", what, pgsync_message(s->pg));
}

/* Begins the transaction, alone. */
static enum err
enter(const struct step *s)
{
	pgsync_queue(s->pg, &PGSYNC_BEGIN, NULL);
	pgsync_queue(s->pg, &lock, NULL);
	return pgsync_run(s->pg);
}

static enum err
leave(const struct step *s)
{
	struct pg_params p;

	pg_params_init(&p, s->arena);
	if (s->applied && s->m != NULL) {
		pg_add_str(&p, str_of(s->m->version));
		pg_add_str(&p, str_of(s->m->sha256));
		pgsync_queue(s->pg, &note, &p);
	}
	pgsync_queue(s->pg, &PGSYNC_COMMIT, NULL);
	return pgsync_run(s->pg);
}

/* Within the transaction: has another one applied it meanwhile? */
static enum err
look_again(struct step *s)
{
	struct pg_params p;
	enum err err;

	pg_params_init(&p, s->arena);
	pg_add_str(&p, str_of(s->m->version));
	pgsync_queue(s->pg, &look, &p);
	err = pgsync_run(s->pg);
	if (err == ERR_OK)
		s->applied = pg_rows(pgsync_result(s->pg, 0)) == 0;
	return err;
}

static enum err
try_step(struct step *s)
{
	enum err err = enter(s);

	s->applied = s->m == NULL;
	if (err == ERR_OK && s->m != NULL)
		err = look_again(s);
	if (err == ERR_OK && s->applied)
		err = pgsync_script(s->pg, s->m == NULL ? create_table : s->m->up);
	if (err == ERR_OK)
		err = leave(s);
	return err;
}

/* Tries until the time is over: the session gives up a lock after a second, so that a
 * migration that waits for a table does not make everyone else wait behind it. */
static int
run_step(struct step *s, int64_t due_us)
{
	enum err err;

	do
		err = try_step(s);
	while (err == ERR_CONFLICT_RETRY && clock_mono_us() < due_us);
	if (err != ERR_OK)
		return fail(s, err, s->m == NULL ? "schema_migrations" : s->m->version);
	if (s->m != NULL && s->applied)
		printf("applied %s\n", s->m->version);
	return CTL_OK;
}

/* --- what is there ---------------------------------------------------------- */

static const char *
applied_sha(const struct pg_result *rows, const char *version, struct arena *arena)
{
	for (int i = 0; rows != NULL && i < pg_rows(rows); i++)
		if (str_eq(pg_str(rows, i, 0), str_of(version)))
			return arena_strdup(arena, pg_str(rows, i, 1));
	return NULL;
}

/* Reads the table of migrations; *rows is NULL when it does not exist yet. */
static enum err
read_applied(struct pgsync *pg, const struct pg_result **rows)
{
	enum err err;

	*rows = NULL;
	pgsync_queue(pg, &has_table, NULL);
	err = pgsync_run(pg);
	if (err != ERR_OK || !pg_bool(pgsync_result(pg, 0), 0, 0))
		return err;
	pgsync_queue(pg, &list, NULL);
	err = pgsync_run(pg);
	if (err == ERR_OK)
		*rows = pgsync_result(pg, 0);
	return err;
}

/* Gives how many files were changed after they were applied. */
static int
complain_of_changes(
    struct arena *arena, const struct migrations *files, const struct pg_result *rows)
{
	int changed = 0;

	for (size_t i = 0; i < files->count; i++) {
		const struct migration *m = &files->list[i];
		const char *sha = applied_sha(rows, m->version, arena);

		if (sha == NULL || strcmp(sha, m->sha256) == 0)
			continue;
		ctl_complain("%s was changed after it had been applied; put it back as "
			     "it was and write a new migration",
		    m->version);
		changed++;
	}
	return changed;
}

static bool
has_file(const struct migrations *files, str version)
{
	for (size_t i = 0; i < files->count; i++)
		if (str_eq(str_of(files->list[i].version), version))
			return true;
	return false;
}

static int
print_status(
    struct arena *arena, const struct migrations *files, const struct pg_result *rows)
{
	static const char *const heads[] = { "MIGRATION", "STATE" };
	struct table *t = table_new(arena, heads, ARRAY_LEN(heads));
	int pending = 0;

	for (size_t i = 0; i < files->count; i++) {
		const struct migration *m = &files->list[i];
		const char *sha = applied_sha(rows, m->version, arena);

		table_cell(t, "%s", m->version);
		table_cell(t, "%s",
		    sha == NULL                   ? "pending"
		    : strcmp(sha, m->sha256) == 0 ? "applied"
						  : "CHANGED after it was applied");
		pending += sha == NULL || strcmp(sha, m->sha256) != 0;
	}
	for (int i = 0; rows != NULL && i < pg_rows(rows); i++) {
		if (has_file(files, pg_str(rows, i, 0)))
			continue;
		table_cell_str(t, pg_str(rows, i, 0));
		table_cell(t, "applied, but there is no such file");
	}
	table_print(t, 0);
	return pending == 0 ? CTL_OK : CTL_FAILED;
}

/* --- the command ------------------------------------------------------------ */

static int
apply(struct ctl *ctl, struct pgsync *pg, const struct migrations *files)
{
	int64_t due_us = clock_mono_us() + ctl_int(ctl, "--timeout") * CLOCK_US_PER_SEC;
	struct step step = { .arena = ctl->arena, .pg = pg };
	const struct pg_result *rows;
	int status = run_step(&step, due_us), applied = 0;

	if (status != CTL_OK)
		return status;
	if (read_applied(pg, &rows) != ERR_OK)
		return ctl_fail(CTL_UNREACHABLE, "%s", pgsync_message(pg));
	if (complain_of_changes(ctl->arena, files, rows) > 0)
		return CTL_FAILED;
	for (size_t i = 0; i < files->count && status == CTL_OK; i++) {
		step.m = &files->list[i];
		status = run_step(&step, due_us);
		applied += status == CTL_OK && step.applied;
	}
	if (status == CTL_OK)
		printf("%zu migrations, %d of them new\n", files->count, applied);
	return status;
}

static int
run(struct ctl *ctl)
{
	const char *dir = ctl_text(ctl, "--dir"), *why;
	int64_t timeout_us = ctl_int(ctl, "--timeout") * CLOCK_US_PER_SEC;
	struct pgsync *pg;
	struct migrations files;
	const struct pg_result *rows;
	int status;

	if (dir == NULL)
		dir = access("services", F_OK) == 0 ? "services" : INSTALLED;
	if (!migrations_load(ctl->arena, dir, &files, &why))
		return ctl_fail(CTL_FAILED, "%s", why);
	/* A first look with a short deadline: a wrong address is known at once. */
	pg = ctl_connect(ctl, CONNECT_US);
	if (pg == NULL)
		return CTL_UNREACHABLE;
	if (ctl_flag(ctl, "--status")) {
		status = read_applied(pg, &rows) == ERR_OK
			     ? print_status(ctl->arena, &files, rows)
			     : ctl_fail(CTL_UNREACHABLE, "%s", pgsync_message(pg));
	} else {
		pgsync_free(pg);
		pg = pgsync_new(ctl->settings.pg_dsn, "migrate", timeout_us);
		status = apply(ctl, pg, &files);
	}
	pgsync_free(pg);
	return status;
}

static const struct ctl_option options[] = {
	{ "--dir", "DIR", NULL, 0, 0, NULL,
	    "Where the services' folders are. Without it: ./services, or else " INSTALLED
	    "." },
	{ "--status", NULL, NULL, 0, 0, NULL,
	    "Only say what is applied and what is not; status 1 if anything is not." },
	{ "--timeout", "SECONDS", "600", 1, 86400, NULL,
	    "How long one statement, and waiting for locks, may take." },
};

const struct ctl_command CMD_MIGRATE = {
	.name = "migrate",
	.summary = "Create or update the tables",
	.text =
	    "Runs the files DIR/SERVICE/migrations/NUMBER_NAME.sql that were not\n"
	    "run before, by service and number; what stands between their lines \"--\n"
	    "migrate:up\" and \"-- migrate:down\" (dbmate's format), each in one\n"
	    "transaction. What was run is kept in public.schema_migrations with the\n"
	    "SHA-256 of the file: a file that was changed afterwards is refused.\n"
	    "Any number of these may run at the same time. The role must own the\n"
	    "database and be allowed to create roles.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
