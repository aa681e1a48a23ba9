#include "onrush/engines.h"

#include <string.h>

#include "base/clock.h"
#include "bus/topics.h"
#include "http/http_blocking.h"
#include "onrush/api.h"
#include "onrush/table.h"
#include "store/pgsync.h"
#include "store/redsync.h"

static const struct pg_stmt hello = { "engines_hello",
	"select split_part(version(), ' ', 2)" };

static void
look_postgres(struct ctl *ctl, int64_t timeout_us, struct sight *s)
{
	struct pgsync *pg = pgsync_new(ctl->settings.pg_dsn, "look", timeout_us);

	pgsync_queue(pg, &hello, NULL);
	s->ready = s->answered = pgsync_run(pg) == ERR_OK;
	s->detail = s->ready ? arena_printf(ctl->arena, "PostgreSQL %.*s",
				   STR_ARG(pg_str(pgsync_result(pg, 0), 0, 0)))
			     : printable(ctl->arena, str_of(pgsync_message(pg)));
	pgsync_free(pg);
}

static void
look_redis(struct ctl *ctl, int64_t timeout_us, struct sight *s)
{
	struct redsync *redis = redsync_new(ctl->settings.redis_url, timeout_us);
	const struct redis_reply *reply;

	redsync_queue(redis, 1, (str[]){ STR("PING") });
	s->answered = redsync_run(redis) == ERR_OK;
	reply = s->answered ? redsync_reply(redis, 0) : NULL;
	s->ready = reply != NULL;
	s->detail = s->ready      ? ""
		    : s->answered ? "it refused a PING (loading, or another password?)"
				  : "no connection";
	redsync_free(redis);
}

static void
look_kafka(struct ctl *ctl, int64_t timeout_us, struct sight *s)
{
	s->ready = s->answered =
	    topics_reachable(ctl->settings.kafka_brokers, timeout_us);
	s->detail = s->ready ? "" : "no broker answers";
}

static void
look_program(struct ctl *ctl, const char *address, int64_t timeout_us, struct sight *s)
{
	struct http_call call = { .address = address,
		.method = "GET",
		.target = "/readyz",
		.timeout_us = timeout_us };
	struct http_answer answer;
	const char *why;

	if (http_blocking(ctl->arena, &call, &answer, &why) != ERR_OK) {
		s->detail = why;
		return;
	}
	s->answered = true;
	s->ready = answer.status == 200;
	s->detail = s->ready ? "" : api_message(ctl->arena, answer.body);
	if (!s->ready && s->detail[0] == '\0')
		s->detail = arena_printf(ctl->arena, "it answered %d", answer.status);
}

void
target_look(
    struct ctl *ctl, const struct target *t, int64_t timeout_us, struct sight *sight)
{
	int64_t began_us = clock_mono_us();

	*sight = (struct sight){ 0 };
	switch (t->kind) {
	case TARGET_POSTGRES: look_postgres(ctl, timeout_us, sight); break;
	case TARGET_REDIS: look_redis(ctl, timeout_us, sight); break;
	case TARGET_KAFKA: look_kafka(ctl, timeout_us, sight); break;
	case TARGET_PROGRAM: look_program(ctl, t->address, timeout_us, sight); break;
	}
	sight->took_us = clock_mono_us() - began_us;
}

/* --- naming them ------------------------------------------------------------ */

static bool
parse_one(struct ctl *ctl, str word, struct target *t)
{
	static const char *const engines[] = { "postgres", "redis", "kafka" };
	str name, address;

	for (size_t i = 0; i < ARRAY_LEN(engines); i++)
		if (str_eq(word, str_of(engines[i]))) {
			*t = (struct target){ (enum target_kind)i, engines[i], NULL };
			return true;
		}
	address = str_cut(word, '=', &name);
	if (address.p == NULL)
		address = word;
	*t = (struct target){ TARGET_PROGRAM, arena_strdup(ctl->arena, name),
		arena_strdup(ctl->arena, address) };
	if (name.n > 0 && address.n > 0 && memchr(address.p, ':', address.n) != NULL)
		return true;
	ctl_complain(
	    "\"%.*s\" is not postgres, redis, kafka or [name=]host:port", STR_ARG(word));
	return false;
}

bool
targets_parse(struct ctl *ctl, const char *text, struct target *targets, size_t *count)
{
	while (*text != '\0') {
		str word = { text, strcspn(text, ", ") };

		text += word.n + (text[word.n] != '\0');
		if (word.n == 0)
			continue;
		if (*count == MAX_TARGETS) {
			ctl_complain("more than %d targets", MAX_TARGETS);
			return false;
		}
		if (!parse_one(ctl, word, &targets[(*count)++]))
			return false;
	}
	return true;
}

bool
targets_default(struct ctl *ctl, struct target *targets, size_t *count)
{
	const char *engines = ctl->settings.redis_url[0] != '\0' ? "postgres redis kafka"
								 : "postgres kafka";

	return targets_parse(ctl, engines, targets, count) &&
	       targets_parse(ctl, ctl->settings.wait, targets, count);
}
