#include "onrush/api.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "http/http_blocking.h"
#include "onrush/table.h"

#define TIMEOUT_US (15 * CLOCK_US_PER_SEC)

enum {
	MESSAGE_MAX = 1024
};

const char *
api_message(struct arena *arena, str text)
{
	struct json_reader r;
	str message;

	json_open(&r, arena, text);
	message = json_str(&r, r.root, "message", MESSAGE_MAX);
	json_close(&r);
	if (r.err != ERR_OK)
		message = str_trim(text);
	if (message.n > MESSAGE_MAX)
		message.n = MESSAGE_MAX;
	return printable(arena, message);
}

static int
complain(const struct ctl *ctl, enum err err, const char *why)
{
	if (err == ERR_UNKNOWN_OUTCOME)
		return ctl_fail(CTL_UNREACHABLE,
		    "the gateway (ONRUSH_URL=%s) gave no answer; look before you repeat "
		    "it: %s",
		    ctl->settings.url, why);
	return ctl_fail(
	    CTL_UNREACHABLE, "the gateway (ONRUSH_URL=%s): %s", ctl->settings.url, why);
}

/* Refusals end here; the answer of a success is opened. */
static int
take_answer(struct ctl *ctl, const struct http_answer *http, struct api_answer *answer)
{
	struct json_reader *r = &answer->reader;

	if (http->status == 502 || http->status == 503 || http->status == 504)
		return ctl_fail(CTL_UNREACHABLE, "%d: %s", http->status,
		    api_message(ctl->arena, http->body));
	if (http->status < 200 || http->status > 299)
		return ctl_fail(CTL_FAILED, "%d: %s", http->status,
		    api_message(ctl->arena, http->body));
	answer->text = http->body;
	json_open(r, ctl->arena, http->body);
	answer->data = json_object(r, r->root, "data");
	if (r->err == ERR_OK)
		return CTL_OK;
	json_close(r);
	return ctl_fail(CTL_FAILED, "the answer is not of this API: %s", r->why);
}

int
api_call(struct ctl *ctl, const char *target, str body, struct api_answer *answer)
{
	char key[UUID_TEXT_SIZE];
	struct http_call call = {
		.address = http_url_address(ctl->arena, ctl->settings.url),
		.method = body.p != NULL ? "POST" : "GET",
		.target = target,
		.bearer = ctl->settings.admin_key,
		.key = body.p != NULL ? key : NULL,
		.body = body,
		.timeout_us = TIMEOUT_US,
	};
	struct http_answer http;
	const char *why;
	enum err err;

	if (call.address == NULL)
		return ctl_fail(CTL_USAGE,
		    "ONRUSH_URL is \"%s\"; it must be like http://127.0.0.1:8080",
		    ctl->settings.url);
	if (ctl->settings.admin_key[0] == '\0')
		return ctl_fail(CTL_USAGE, "ONRUSH_ADMIN_KEY is needed for this");
	uuid_format(uuid_new(), key);
	err = http_blocking(ctl->arena, &call, &http, &why);
	if (err != ERR_OK)
		return complain(ctl, err, why);
	return take_answer(ctl, &http, answer);
}

void
api_close(struct api_answer *answer)
{
	json_close(&answer->reader);
}
