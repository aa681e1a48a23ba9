/* The export of a campaign as a file: written line by line, read line by line. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coupon/coupon_json.h"
#include "onrush/campaign_sink.h"

enum {
	FORMAT = 1
};

static struct sha256
add_line(const struct sha256 *sum, str line)
{
	return sha256_of((str[]){ { (const char *)sum->b, SHA256_SIZE }, line }, 2);
}

/* --- writing ---------------------------------------------------------------- */

struct campaign_writer {
	FILE *out;         /* borrowed */
	struct buf line;   /* what is being written */
	struct sha256 sum; /* over the lines so far */
	int64_t lines;
};

struct campaign_writer *
campaign_writer_new(FILE *out)
{
	struct campaign_writer *w = xcalloc(1, sizeof(*w));

	w->out = out;
	return w;
}

void
campaign_writer_free(struct campaign_writer *w)
{
	if (w == NULL)
		return;
	buf_fini(&w->line);
	free(w);
}

static struct json_writer
begin_line(struct campaign_writer *w, const char *type)
{
	struct json_writer json = { .out = &w->line };

	buf_clear(&w->line);
	json_begin_object(&json, NULL);
	json_put_str(&json, "type", str_of(type));
	return json;
}

static bool
end_line(struct campaign_writer *w, struct json_writer *json)
{
	str line;

	json_end_object(json);
	line = buf_str(&w->line);
	w->sum = add_line(&w->sum, line);
	w->lines++;
	return fwrite(line.p, 1, line.n, w->out) == line.n && putc('\n', w->out) != EOF;
}

static bool
write_campaign(void *arg, const struct campaign *c)
{
	struct json_writer json = begin_line(arg, "campaign");

	json_put_i64(&json, "format", FORMAT);
	campaign_put(&json, c);
	json_put_uuid(&json, "generation", c->generation);
	json_put_hex(&json, "headHash", c->head.b, SHA256_SIZE);
	return end_line(arg, &json);
}

static bool
write_issued(void *arg, const struct receipt *r, int64_t nth)
{
	struct json_writer json = begin_line(arg, "issued");

	json_put_i64(&json, "rank", r->rank);
	json_put_i64(&json, "userId", r->user_id);
	json_put_i64(&json, "nth", nth);
	json_put_uuid(&json, "requestId", r->request_id);
	json_put_time(&json, "issuedAt", r->issued_us);
	json_put_hex(&json, "hash", r->hash.b, SHA256_SIZE);
	return end_line(arg, &json);
}

static bool
write_head(void *arg, const struct chain_head *h)
{
	struct json_writer json = begin_line(arg, "head");

	json_put_i64(&json, "rank", h->rank);
	json_put_hex(&json, "hash", h->hash.b, SHA256_SIZE);
	json_put_str(&json, "keyId", str_of(h->key_id));
	json_put_hex(&json, "signature", h->signature, SIGN_SIZE);
	return end_line(arg, &json);
}

void
campaign_writer_sink(struct campaign_writer *w, struct campaign_sink *sink)
{
	*sink = (struct campaign_sink){ write_campaign, write_issued, write_head, w };
}

bool
campaign_writer_end(struct campaign_writer *w)
{
	struct sha256 sum = w->sum;
	struct json_writer json = begin_line(w, "end");

	json_put_i64(&json, "lines", w->lines);
	json_put_hex(&json, "sum", sum.b, SHA256_SIZE);
	return end_line(w, &json) && fflush(w->out) == 0;
}

/* --- reading ---------------------------------------------------------------- */

struct file {
	struct arena *line_arena;         /* owned; one line */
	const struct campaign_sink *sink; /* borrowed */
	struct sha256 sum;
	int64_t lines;     /* read so far */
	int64_t coupon_id; /* of the campaign line; 0 before it */
	bool ended;        /* the last line was seen … */
	bool damaged;      /* … and does not fit what came before */
	const char *why;   /* in line_arena or static */
};

static bool
pass_campaign(struct file *f, struct json_reader *r)
{
	struct campaign c = { .version = 0 };

	json_i64(r, r->root, "format", FORMAT, FORMAT);
	campaign_get(r, r->root, &c);
	c.generation = json_get_uuid(r, r->root, "generation");
	json_get_hex(r, r->root, "headHash", c.head.b, SHA256_SIZE);
	if (r->err != ERR_OK)
		return true;
	f->coupon_id = c.coupon_id;
	return f->sink->begin(f->sink->arg, &c);
}

static bool
pass_issued(struct file *f, struct json_reader *r)
{
	struct receipt receipt = { .coupon_id = f->coupon_id };
	int64_t nth;

	receipt.rank = json_i64(r, r->root, "rank", 1, INT64_MAX);
	receipt.user_id = json_i64(r, r->root, "userId", 1, INT64_MAX);
	nth = json_i64(r, r->root, "nth", 1, INT64_MAX);
	receipt.request_id = json_get_uuid(r, r->root, "requestId");
	receipt.issued_us = json_get_time(r, r->root, "issuedAt");
	json_get_hex(r, r->root, "hash", receipt.hash.b, SHA256_SIZE);
	if (r->err == ERR_OK && receipt.issued_us == INT64_MIN)
		f->why = "\"issuedAt\" is missing";
	return r->err != ERR_OK || f->why != NULL ||
	       f->sink->issued(f->sink->arg, &receipt, nth);
}

static bool
pass_head(struct file *f, struct json_reader *r)
{
	struct chain_head head = { .coupon_id = f->coupon_id };
	str key_id = json_str(r, r->root, "keyId", SIGN_KEY_ID_SIZE - 1);

	head.rank = json_i64(r, r->root, "rank", 1, INT64_MAX);
	json_get_hex(r, r->root, "hash", head.hash.b, SHA256_SIZE);
	json_get_hex(r, r->root, "signature", head.signature, SIGN_SIZE);
	if (r->err != ERR_OK)
		return true;
	memcpy(head.key_id, key_id.p, key_id.n);
	return f->sink->head(f->sink->arg, &head);
}

/* The last line: does it fit what came before? */
static void
check_end(struct file *f, struct json_reader *r)
{
	int64_t lines = json_i64(r, r->root, "lines", 0, INT64_MAX);
	struct sha256 sum;

	json_get_hex(r, r->root, "sum", sum.b, SHA256_SIZE);
	if (r->err != ERR_OK)
		return;
	f->ended = true;
	f->damaged = lines != f->lines || !digest_equal(sum.b, f->sum.b, SHA256_SIZE);
}

/* False: stop. f->why is set when the file is the reason, not the sink. */
static bool
pass_line(struct file *f, str line)
{
	struct json_reader r;
	bool go_on = true;
	str type;

	json_open(&r, f->line_arena, line);
	type = json_str(&r, r.root, "type", COUPON_NAME_MAX);
	if (r.err == ERR_OK && f->ended)
		f->why = "there is more after the end";
	else if (r.err == ERR_OK && str_eq(type, STR("campaign")) == (f->coupon_id != 0))
		f->why = "the campaign must stand in the first line, and only there";
	else if (r.err == ERR_OK && str_eq(type, STR("campaign")))
		go_on = pass_campaign(f, &r);
	else if (r.err == ERR_OK && str_eq(type, STR("issued")))
		go_on = pass_issued(f, &r);
	else if (r.err == ERR_OK && str_eq(type, STR("head")))
		go_on = pass_head(f, &r);
	else if (r.err == ERR_OK && str_eq(type, STR("end")))
		check_end(f, &r);
	else if (r.err == ERR_OK)
		f->why = "its type is unknown";
	if (r.err != ERR_OK)
		f->why = r.why;
	json_close(&r);
	f->sum = add_line(&f->sum, line);
	f->lines++;
	return go_on && f->why == NULL;
}

enum campaign_end
campaign_read_file(
    FILE *in, struct arena *arena, const struct campaign_sink *sink, const char **why)
{
	struct file f = { .line_arena = arena_new(), .sink = sink };
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	bool go_on = true;

	while (go_on && (n = getline(&line, &size, in)) > 0) {
		arena_reset(f.line_arena);
		go_on = pass_line(&f, (str){ line, (size_t)n - (line[n - 1] == '\n') });
	}
	*why = NULL;
	if (f.why != NULL)
		*why = arena_printf(arena, "line %" PRId64 ": %s", f.lines, f.why);
	else if (ferror(in))
		*why = arena_strdup(arena, str_of(strerror(errno)));
	else if (go_on && !f.ended)
		*why = "the file ends too early";
	free(line);
	arena_free(f.line_arena);
	if (*why != NULL)
		return CAMPAIGN_BROKEN;
	if (f.damaged)
		return CAMPAIGN_DAMAGED;
	return go_on ? CAMPAIGN_COMPLETE : CAMPAIGN_STOPPED;
}
