#include "onrush/verify_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "coupon/coupon_rules.h"
#include "http/json.h"
#include "onrush/table.h"

/* Without --seen nothing was compared with what clients saw. */
static bool
was_checked(const struct verify *v, enum verify_check check)
{
	return check != VERIFY_SEEN || verify_seen_count(v) > 0;
}

static int
example_count(const struct verify_finding *f)
{
	return f->wrong < VERIFY_EXAMPLES ? (int)f->wrong : VERIFY_EXAMPLES;
}

static void
print_check(const struct verify *v, enum verify_check check)
{
	const struct verify_finding *f = verify_result(v, check);

	if (!was_checked(v, check))
		return;
	printf(
	    "  %-6s %s\n", f->wrong == 0 ? "ok" : "WRONG", verify_check_sentence(check));
	for (int i = 0; i < example_count(f); i++)
		printf("           %s\n", f->examples[i]);
	if (f->wrong > VERIFY_EXAMPLES)
		printf("           and %" PRId64 " more\n", f->wrong - VERIFY_EXAMPLES);
}

void
verify_report_text(const struct verify *v, bool damaged)
{
	const struct campaign *c = verify_campaign(v);
	struct arena *arena = arena_new();

	printf("Campaign %" PRId64 ", %s: %s, %s", c->coupon_id,
	    printable(arena, str_of(c->name)), coupon_kind_name(c->kind),
	    coupon_state_name(c->state));
	if (c->kind == COUPON_LIMITED)
		printf(", %" PRId64 " pieces", c->quantity);
	printf("\n  %" PRId64 " coupons issued, %" PRId64 " signed heads",
	    verify_issued_count(v), verify_head_count(v));
	if (verify_seen_count(v) > 0)
		printf(", %" PRId64 " seen by clients", verify_seen_count(v));
	putchar('\n');
	for (enum verify_check check = 0; check < VERIFY_CHECK_COUNT; check++)
		print_check(v, check);
	if (damaged)
		printf("  WRONG  the file is as it was written: its sum does not fit\n");
	printf(verify_is_clean(v) && !damaged ? "Clean.\n" : "NOT CLEAN.\n");
	arena_free(arena);
}

static void
put_check(struct json_writer *w, const struct verify *v, enum verify_check check)
{
	const struct verify_finding *f = verify_result(v, check);

	if (!was_checked(v, check))
		return;
	json_begin_object(w, NULL);
	json_put_str(w, "name", str_of(verify_check_key(check)));
	json_put_bool(w, "ok", f->wrong == 0);
	json_put_i64(w, "wrong", f->wrong);
	json_begin_array(w, "examples");
	for (int i = 0; i < example_count(f); i++)
		json_put_str(w, NULL, str_of(f->examples[i]));
	json_end_array(w);
	json_end_object(w);
}

void
verify_report_json(const struct verify *v, bool damaged)
{
	const struct campaign *c = verify_campaign(v);
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };

	json_begin_object(&w, NULL);
	json_put_i64(&w, "couponId", c->coupon_id);
	json_put_bool(&w, "clean", verify_is_clean(v) && !damaged);
	json_put_bool(&w, "damaged", damaged);
	json_put_i64(&w, "issued", verify_issued_count(v));
	json_put_i64(&w, "heads", verify_head_count(v));
	json_put_i64(&w, "seen", verify_seen_count(v));
	json_begin_array(&w, "checks");
	for (enum verify_check check = 0; check < VERIFY_CHECK_COUNT; check++)
		put_check(&w, v, check);
	json_end_array(&w);
	json_end_object(&w);
	printf("%.*s\n", STR_ARG(buf_str(&text)));
	buf_fini(&text);
}
