#include "app/gather.h"

void
gather_init(struct gather *g)
{
	*g = (struct gather){ .together = true, .left = GATHER_SPAN };
}

void
gather_sent(struct gather *g, size_t messages, gather_waits *waits)
{
	bool tried = !g->together;
	long before = g->waits;

	if (messages < g->left) {
		g->left -= messages;
		return;
	}
	g->waits = waits();
	g->together = tried && g->waits - before > GATHER_WAITS;
	g->left = g->together ? GATHER_SPAN : GATHER_TRIAL;
}
