/*
 * From an outcome to an answer: what steps call, and the one function that gives an
 * answer to whoever asked, counts it and logs it. How it is written is the asker's.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "http/httpd_impl.h"

static const str json_type = { "application/json", 16 };
static const rq_next next_token;

/* --- what steps call -----------------------------------------------------------------
 */

rq_next
rq_ok(struct rq *rq, str data)
{
	return rq_ok_status(rq, 200, "OK", data);
}

rq_next
rq_ok_status(struct rq *rq, int status, const char *message, str data)
{
	struct exchange *x = exchange_of(rq);
	struct buf *text = &x->httpd->text;
	str parts[3];

	ASSERT(status >= 200 && status < 300);
	buf_clear(text);
	buf_add_str(text, STR("{\"code\":"));
	buf_add_i64(text, status);
	buf_add_str(text, STR(",\"message\":"));
	buf_add_json_str(text, str_of(message));
	buf_add_str(text, STR(",\"data\":"));
	parts[0] = buf_str(text);
	parts[1] = data.n > 0 ? data : STR("null");
	parts[2] = STR("}");
	exchange_answer(x, status, ERR_OK, json_type, parts, ARRAY_LEN(parts));
	return next_token;
}

void
exchange_fail(struct exchange *x, enum err err, str message)
{
	const struct err_info *info = err_info(err);
	struct buf *text = &x->httpd->text;
	str part;

	ASSERT(err != ERR_OK);
	if (info->retry && !x->retry_after)
		rq_header(&x->rq, STR("Retry-After"), STR("1"));
	buf_clear(text);
	buf_add_str(text, STR("{\"code\":"));
	buf_add_i64(text, info->status);
	buf_add_str(text, STR(",\"error\":\""));
	buf_add_str(text, str_of(info->code));
	buf_add_str(text, STR("\",\"message\":"));
	buf_add_json_str(text, message.n > 0 ? message : str_of(info->message));
	buf_add_str(text, STR("}"));
	part = buf_str(text);
	exchange_answer(x, info->status, err, json_type, &part, 1);
}

rq_next
rq_fail(struct rq *rq, enum err err)
{
	exchange_fail(exchange_of(rq), err, STR_NULL);
	return next_token;
}

rq_next
rq_fail_because(struct rq *rq, enum err err, const char *fmt, ...)
{
	char message[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	exchange_fail(exchange_of(rq), err, str_of(message));
	return next_token;
}

rq_next
rq_reply(struct rq *rq, int status, str content_type, str body)
{
	ASSERT(status >= 200 && status < 600);
	exchange_answer(exchange_of(rq), status, ERR_OK, content_type, &body, 1);
	return next_token;
}

void
rq_header(struct rq *rq, str name, str value)
{
	struct exchange *x = exchange_of(rq);

	for (size_t i = 0; i < value.n; i++)
		ASSERT(value.p[i] != '\r' && value.p[i] != '\n' && value.p[i] != '\0');
	x->retry_after |= str_eq_nocase(name, STR("Retry-After"));
	buf_add_str(&x->headers, name);
	buf_add_str(&x->headers, STR(": "));
	buf_add_str(&x->headers, value);
	buf_add_str(&x->headers, STR("\r\n"));
}

void
rq_close_after(struct rq *rq)
{
	exchange_of(rq)->close_after = true;
}

/* --- giving it -----------------------------------------------------------------------
 */

bool
status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

void
exchange_answer(struct exchange *x, int status, enum err err, str type, const str *parts,
    size_t count)
{
	struct answer answer = {
		.status = status, .type = type, .parts = parts, .count = count
	};
	struct asker *asker = x->asker;
	int64_t took_us = clock_mono_us() - x->rq.start_us;
	size_t size = 0;

	ASSERT(x->state == RQ_RUNNING);
	for (size_t i = 0; i < count; i++)
		answer.length += (int64_t)parts[i].n;
	x->state = RQ_ANSWERED;
	x->asker = NULL;
	if (asker != NULL)
		size = asker->ops->answer(asker, x, &answer);
	route_count(x, status, took_us);
	log_answer(x, status, err, took_us, size);
}
