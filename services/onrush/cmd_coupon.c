/* onrush coupon list, show, create, open, close, restock: through the gateway's API. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "coupon/coupon_json.h"
#include "onrush/api.h"
#include "onrush/campaign_table.h"
#include "onrush/commands.h"

enum {
	LIST_MAX = 1000
};

/* --- answers ---------------------------------------------------------------- */

/* Prints the one campaign of an answer, or all of its list "coupons". */
static int
print_answer(struct ctl *ctl, struct api_answer *answer, bool is_list)
{
	struct json_reader *r = &answer->reader;
	struct table *t = campaign_table(ctl->arena);
	const struct json *one = answer->data;

	if (is_list)
		one = json_first(json_array(r, answer->data, "coupons", 0, LIST_MAX));
	while (one != NULL && r->err == ERR_OK) {
		struct campaign c = { .version = 0 };

		campaign_get(r, one, &c);
		if (r->err == ERR_OK)
			campaign_row(t, ctl->arena, &c);
		one = is_list ? json_next(one) : NULL;
	}
	if (r->err != ERR_OK)
		return ctl_fail(
		    CTL_FAILED, "the answer is not about campaigns: %s", r->why);
	if (ctl_json(ctl))
		printf("%.*s\n", STR_ARG(answer->text));
	else
		table_print(t, 0);
	return CTL_OK;
}

static int
call(struct ctl *ctl, const char *target, str body, bool is_list)
{
	struct api_answer answer;
	int status = api_call(ctl, target, body, &answer);

	if (status != CTL_OK)
		return status;
	status = print_answer(ctl, &answer, is_list);
	api_close(&answer);
	return status;
}

/* A call about the coupon of the first operand: `before` ID `after`. */
static int
call_about(struct ctl *ctl, const char *before, const char *after, str body)
{
	int64_t id;

	if (!ctl_operand_id(ctl, 0, &id))
		return CTL_USAGE;
	return call(ctl, arena_printf(ctl->arena, "%s%" PRId64 "%s", before, id, after),
	    body, false);
}

/* --- the simple ones -------------------------------------------------------- */

static int
list(struct ctl *ctl)
{
	return call(ctl, "/admin/coupons", STR_NULL, true);
}

static int
show(struct ctl *ctl)
{
	return call_about(ctl, "/api/v1/coupons/", "", STR_NULL);
}

static int
open_campaign(struct ctl *ctl)
{
	return call_about(ctl, "/admin/coupons/", "/open", STR("{}"));
}

static int
close_campaign(struct ctl *ctl)
{
	return call_about(ctl, "/admin/coupons/", "/close", STR("{}"));
}

static int
restock(struct ctl *ctl)
{
	int64_t quantity;

	if (!str_to_i64(str_of(ctl->operands[1]), 1, INT64_MAX, &quantity))
		return ctl_fail(CTL_USAGE,
		    "\"%s\" is not a quantity; allowed: a whole number from 1",
		    ctl->operands[1]);
	return call_about(ctl, "/admin/coupons/", "/restock",
	    str_of(arena_printf(ctl->arena, "{\"quantity\":%" PRId64 "}", quantity)));
}

/* --- create ----------------------------------------------------------------- */

/* "+5m" and the like as microseconds; false when it is not that. */
static bool
parse_span(str text, int64_t *us)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	int64_t count;

	if (text.n < 3 || text.p[0] != '+' ||
	    !str_to_i64((str){ text.p + 1, text.n - 2 }, 0, 100000, &count))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].unit == text.p[text.n - 1]) {
			*us = count * units[i].seconds * CLOCK_US_PER_SEC;
			return true;
		}
	return false;
}

/* Puts the time that an option names, if it is given; false after a complaint. */
static bool
put_when(struct ctl *ctl, struct json_writer *w, const char *option, const char *member)
{
	const char *text = ctl_text(ctl, option);
	int64_t wall_us, span_us;

	if (text == NULL)
		return true;
	if (parse_span(str_of(text), &span_us))
		wall_us = clock_wall_us() + span_us;
	else if (!clock_parse_iso(str_of(text), &wall_us)) {
		ctl_complain(
		    "%s is \"%s\"; allowed: a time such as 2026-12-24T12:00:00Z, "
		    "or +5m, +2h, +7d from now",
		    option, text);
		return false;
	}
	json_put_time(w, member, wall_us);
	return true;
}

static bool
put_rate(struct ctl *ctl, struct json_writer *w)
{
	const char *text = ctl_text(ctl, "--rate");
	char *end;
	double rate = strtod(text, &end);

	if (*text != '\0' && *end == '\0' && rate >= 0 && rate <= 1) {
		json_put_double(w, "discountRate", rate);
		return true;
	}
	ctl_complain("--rate is \"%s\"; allowed: 0 to 1, 0.3 is 30 %% off", text);
	return false;
}

/* The body of the call; false after a complaint. */
static bool
put_campaign(struct ctl *ctl, struct buf *body)
{
	struct json_writer w = { .out = body };
	bool unlimited = ctl_flag(ctl, "--unlimited");
	int64_t id;

	if (!ctl_operand_id(ctl, 0, &id))
		return false;
	if (unlimited == (ctl_text(ctl, "--quantity") != NULL)) {
		ctl_complain("coupon create needs either --quantity or --unlimited");
		return false;
	}
	json_begin_object(&w, NULL);
	json_put_i64(&w, "couponId", id);
	json_put_str(&w, "name",
	    str_of(ctl->operand_count > 1 ? ctl->operands[1] : ctl->operands[0]));
	json_put_str(&w, "kind", unlimited ? STR("UNLIMITED") : STR("LIMITED"));
	if (!unlimited)
		json_put_i64(&w, "quantity", ctl_int(ctl, "--quantity"));
	json_put_i64(&w, "perUserLimit", ctl_int(ctl, "--per-user"));
	json_put_bool(&w, "open", ctl_flag(ctl, "--open"));
	if (!put_rate(ctl, &w) || !put_when(ctl, &w, "--opens", "opensAt") ||
	    !put_when(ctl, &w, "--closes", "closesAt") ||
	    !put_when(ctl, &w, "--expires", "expiresAt"))
		return false;
	json_end_object(&w);
	return true;
}

static int
create(struct ctl *ctl)
{
	struct buf body = { 0 };
	int status = CTL_USAGE;

	if (ctl->operand_count > 1 && !str_is_utf8(str_of(ctl->operands[1])))
		return ctl_fail(CTL_USAGE, "the name is not UTF-8");
	if (put_campaign(ctl, &body))
		status = call(
		    ctl, "/admin/coupons", arena_str(ctl->arena, buf_str(&body)), false);
	buf_fini(&body);
	return status;
}

/* --- the table -------------------------------------------------------------- */

static const struct ctl_option output[] = { CTL_OUTPUT_OPTION };

static const struct ctl_option create_options[] = {
	{ "--quantity", "N", NULL, 0, INT64_C(1000000000000), NULL,
	    "How many there are." },
	{ "--unlimited", NULL, NULL, 0, 0, NULL,
	    "As many as are asked for while it is open." },
	{ "--per-user", "N", "1", 1, 1000, NULL, "How many one user may have." },
	{ "--rate", "RATE", "0", 0, 0, NULL, "Discount: 0.3 is 30 % off." },
	{ "--opens", "TIME", NULL, 0, 0, NULL,
	    "First moment; without it: as soon as it is opened." },
	{ "--closes", "TIME", NULL, 0, 0, NULL,
	    "Last moment; without it: until it is closed or expires." },
	{ "--expires", "TIME", "+7d", 0, 0, NULL, "Until when the coupons are valid." },
	{ "--open", NULL, NULL, 0, 0, NULL, "Open it at once; otherwise it is a draft." },
	CTL_OUTPUT_OPTION,
};

const struct ctl_command CMD_COUPON_LIST = {
	.name = "coupon list",
	.summary = "List the campaigns",
	.text = "The first 1,000 by id. With -o json: the API's answer.\n",
	.options = output,
	.option_count = ARRAY_LEN(output),
	.run = list,
};

const struct ctl_command CMD_COUPON_SHOW = {
	.name = "coupon show",
	.operands = "ID",
	.min_operands = 1,
	.max_operands = 1,
	.summary = "Show a campaign with its exact remaining count",
	.options = output,
	.option_count = ARRAY_LEN(output),
	.run = show,
};

const struct ctl_command CMD_COUPON_CREATE = {
	.name = "coupon create",
	.operands = "ID [NAME]",
	.min_operands = 1,
	.max_operands = 2,
	.summary = "Create a campaign",
	.text = "A time is like 2026-12-24T12:00:00Z, or like +30s, +5m, +2h, +7d from\n"
		"now.\n"
		"\n"
		"  onrush coupon create 100 \"Christmas\" --quantity 10000 --rate 0.3 "
		"--open\n"
		"  onrush coupon create 101 --unlimited --closes +5m --open\n",
	.options = create_options,
	.option_count = ARRAY_LEN(create_options),
	.run = create,
};

const struct ctl_command CMD_COUPON_OPEN = {
	.name = "coupon open",
	.operands = "ID",
	.min_operands = 1,
	.max_operands = 1,
	.summary = "Open a campaign that is a draft or was closed",
	.options = output,
	.option_count = ARRAY_LEN(output),
	.run = open_campaign,
};

const struct ctl_command CMD_COUPON_CLOSE = {
	.name = "coupon close",
	.operands = "ID",
	.min_operands = 1,
	.max_operands = 1,
	.summary = "Close a campaign at once",
	.options = output,
	.option_count = ARRAY_LEN(output),
	.run = close_campaign,
};

const struct ctl_command CMD_COUPON_RESTOCK = {
	.name = "coupon restock",
	.operands = "ID QUANTITY",
	.min_operands = 2,
	.max_operands = 2,
	.summary = "Add so many to a limited campaign",
	.options = output,
	.option_count = ARRAY_LEN(output),
	.run = restock,
};
