#include "gateway/passes/pass_rules.h"

/* Of a pass that is ours and not expired. */
static enum pass_ruling
rule_by_line(const struct pass *pass, const struct line_view *v, int64_t *position)
{
	int64_t place = line_place(v, pass->ticket);

	switch (line_status_of(v, place)) {
	case LINE_ACTIVE: return RULING_ADMITTED;
	case LINE_EXPIRED: return RULING_OVER;
	case LINE_WAITING: break;
	}
	*position = place == 0 ? 0 : line_position(v, place);
	return RULING_WAITING;
}

enum pass_ruling
pass_rule(enum pass_shown shown, const struct pass *pass, const struct line_view *v,
    int64_t *position)
{
	*position = 0;
	if (shown == SHOWN_FORGED)
		return RULING_FORGED;
	if (shown == SHOWN_EXPIRED)
		return RULING_EXPIRED;
	if (shown == SHOWN_BORROWED)
		return RULING_BORROWED;
	if (v == NULL)
		return RULING_BLIND;
	if (shown == SHOWN_PASS)
		return rule_by_line(pass, v, position);
	return v->mode == LINE_PASSTHROUGH ? RULING_ADMITTED : RULING_MISSING;
}
