/* onrush probe: one look at a program's /readyz, as health check of a container. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "onrush/commands.h"
#include "onrush/engines.h"

#define TIMEOUT_US (2 * CLOCK_US_PER_SEC)

/* An address to listen on as one to connect to: all addresses becomes this machine's, of
 * whichever family it has. */
static const char *
reachable(struct ctl *ctl, const char *listen)
{
	const char *port = strrchr(listen, ':');
	str host = { listen, port == NULL ? 0 : (size_t)(port - listen) };

	if (port != NULL &&
	    (host.n == 0 || str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("[::]"))))
		return arena_printf(ctl->arena, "localhost%s", port);
	return listen;
}

static int
run(struct ctl *ctl)
{
	bool local = ctl_flag(ctl, "--local");
	struct target target = { TARGET_PROGRAM, "program", NULL };
	struct sight sight;

	if (local == (ctl->operand_count == 1))
		return ctl_fail(CTL_USAGE, "probe needs either HOST:PORT or --local");
	if (local && ctl->settings.listen[0] == '\0')
		return ctl_fail(CTL_USAGE, "--local needs ONRUSH_LISTEN");
	target.address = local ? reachable(ctl, ctl->settings.listen) : ctl->operands[0];
	target_look(ctl, &target, TIMEOUT_US, &sight);
	if (!sight.answered)
		return ctl_fail(CTL_UNREACHABLE, "%s", sight.detail);
	if (!sight.ready)
		return ctl_fail(CTL_FAILED, "%s", sight.detail);
	printf("ready\n");
	return CTL_OK;
}

static const struct ctl_option options[] = {
	{ "--local", NULL, NULL, 0, 0, NULL,
	    "Look at ONRUSH_LISTEN, the setting of the program beside this command." },
};

const struct ctl_command CMD_PROBE = {
	.name = "probe",
	.operands = "HOST:PORT",
	.max_operands = 1,
	.summary = "Ask one program whether it is ready, for health checks",
	.text = "One GET /readyz, for at most two seconds. Status 0: ready; 1: it\n"
		"answered that it is not, and the reason is printed; 3: no answer.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
