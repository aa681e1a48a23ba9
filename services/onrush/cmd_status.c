/* onrush status: one page about everything. */
#include <inttypes.h>
#include <stdio.h>

#include "coupon/coupon_json.h"
#include "onrush/campaign_table.h"
#include "onrush/commands.h"
#include "onrush/status.h"

/* --- for people ------------------------------------------------------------- */

static void
print_targets(struct ctl *ctl, const struct status *s)
{
	static const char *const heads[] = { "SYSTEM", "STATE", ">TIME", "" };
	struct table *t = table_new(ctl->arena, heads, ARRAY_LEN(heads));

	for (size_t i = 0; i < s->target_count; i++) {
		const struct sight *sight = &s->sights[i];

		table_cell(t, "%s", s->targets[i].name);
		table_cell(t, "%s",
		    sight->ready      ? "ready"
		    : sight->answered ? "NOT READY"
				      : "DOWN");
		table_cell(t, "%s", duration_text(ctl->arena, sight->took_us));
		table_cell(t, "%s", sight->detail);
	}
	table_print(t, 0);
}

static void
print_campaigns(struct ctl *ctl, const struct status *s)
{
	struct table *t = campaign_table(ctl->arena);

	if (s->campaign_count == 0)
		return;
	for (size_t i = 0; i < s->campaign_count; i++)
		campaign_row(t, ctl->arena, &s->campaigns[i]);
	printf("\nCampaigns\n");
	table_print(t, 0);
}

/* Records that the group has not acknowledged; a group that never did is behind all. */
static int64_t
lag_of(const struct topic_lag *lag)
{
	return lag->high - (lag->committed < 0 ? lag->low : lag->committed);
}

static void
print_lags(struct ctl *ctl, const struct status *s)
{
	static const char *const heads[] = { "TOPIC", "GROUP", ">PARTITION", ">END",
		">ACKNOWLEDGED", ">LAG" };
	struct table *t = table_new(ctl->arena, heads, ARRAY_LEN(heads));

	if (s->lag_count == 0)
		return;
	for (size_t i = 0; i < s->lag_count; i++) {
		const struct status_lag *l = &s->lags[i];

		table_cell(t, "%s", l->topic);
		table_cell(t, "%s", l->group);
		table_cell(t, "%" PRId32, l->lag.partition);
		table_cell(t, "%" PRId64, l->lag.high);
		table_cell(t, l->lag.committed < 0 ? "-" : "%" PRId64, l->lag.committed);
		table_cell(t, "%" PRId64, lag_of(&l->lag));
	}
	printf("\nConsumers\n");
	table_print(t, 0);
}

static void
print_dlqs(struct ctl *ctl, const struct status *s)
{
	static const char *const heads[] = { "TOPIC", ">RECORDS" };
	struct table *t = table_new(ctl->arena, heads, ARRAY_LEN(heads));

	if (s->dlq_count == 0)
		return;
	for (size_t i = 0; i < s->dlq_count; i++) {
		table_cell(t, "%s", s->dlqs[i].topic);
		table_cell(
		    t, s->dlqs[i].records < 0 ? "?" : "%" PRId64, s->dlqs[i].records);
	}
	printf("\nDead letters\n");
	table_print(t, 0);
}

/* --- for programs ----------------------------------------------------------- */

static void
put_targets(struct json_writer *w, const struct status *s)
{
	json_begin_array(w, "systems");
	for (size_t i = 0; i < s->target_count; i++) {
		const struct target *t = &s->targets[i];
		const struct sight *sight = &s->sights[i];

		json_begin_object(w, NULL);
		json_put_str(w, "name", str_of(t->name));
		if (t->address != NULL)
			json_put_str(w, "address", str_of(t->address));
		json_put_bool(w, "ready", sight->ready);
		json_put_bool(w, "answered", sight->answered);
		json_put_i64(w, "tookMicroseconds", sight->took_us);
		json_put_str(w, "detail", str_of(sight->detail));
		json_end_object(w);
	}
	json_end_array(w);
}

static void
put_topics(struct json_writer *w, const struct status *s)
{
	json_begin_array(w, "consumers");
	for (size_t i = 0; i < s->lag_count; i++) {
		const struct status_lag *l = &s->lags[i];

		json_begin_object(w, NULL);
		json_put_str(w, "topic", str_of(l->topic));
		json_put_str(w, "group", str_of(l->group));
		json_put_i64(w, "partition", l->lag.partition);
		json_put_i64(w, "end", l->lag.high);
		json_put_i64(w, "acknowledged", l->lag.committed);
		json_put_i64(w, "lag", lag_of(&l->lag));
		json_end_object(w);
	}
	json_end_array(w);
	json_begin_array(w, "deadLetters");
	for (size_t i = 0; i < s->dlq_count; i++) {
		json_begin_object(w, NULL);
		json_put_str(w, "topic", str_of(s->dlqs[i].topic));
		json_put_i64(w, "records", s->dlqs[i].records);
		json_end_object(w);
	}
	json_end_array(w);
}

static void
print_json(const struct status *s)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };

	json_begin_object(&w, NULL);
	put_targets(&w, s);
	json_begin_array(&w, "campaigns");
	for (size_t i = 0; i < s->campaign_count; i++) {
		json_begin_object(&w, NULL);
		campaign_put(&w, &s->campaigns[i]);
		json_end_object(&w);
	}
	json_end_array(&w);
	put_topics(&w, s);
	json_end_object(&w);
	printf("%.*s\n", STR_ARG(buf_str(&text)));
	buf_fini(&text);
}

/* --- the command ------------------------------------------------------------ */

static int
verdict(const struct status *s)
{
	int status = CTL_OK;

	for (size_t i = 0; i < s->target_count; i++)
		if (!s->sights[i].answered)
			return CTL_UNREACHABLE;
		else if (!s->sights[i].ready)
			status = CTL_FAILED;
	return status;
}

static int
run(struct ctl *ctl)
{
	struct status *s = ARENA_NEW(ctl->arena, struct status);

	if (!status_gather(ctl, s))
		return CTL_USAGE;
	if (ctl_json(ctl)) {
		print_json(s);
	} else {
		print_targets(ctl, s);
		print_campaigns(ctl, s);
		print_lags(ctl, s);
		print_dlqs(ctl, s);
	}
	return verdict(s);
}

static const struct ctl_option options[] = { CTL_OUTPUT_OPTION };

const struct ctl_command CMD_STATUS = {
	.name = "status",
	.summary = "Show systems, campaigns, consumers and dead letters on one page",
	.text = "Engines and the programs of ONRUSH_WAIT with the time that they took\n"
		"to answer, campaigns as PostgreSQL has them, how far consumers are\n"
		"behind, and what is in the dead letter queues. Status 0: everything is\n"
		"ready; 1: something is not; 3: something does not answer.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
