/*
 * A copy is asked for again 100 ms after it was last asked for, sooner when requests wait
 * for newer numbers, and no more when nobody has needed it for a minute:
 *
 *   used ──> ask ──answer──> numbers ──timer──> ask ──…──> parked ──used──> ask
 *             └──failure──> old numbers, which soon decide nothing
 */
#include "gateway/passes/line_copies.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "app/metrics.h"
#include "base/base64.h"
#include "base/clock.h"
#include "gateway/passes/line_numbers.h"
#include "gateway/passes/place_set.h"
#include "http/httpc.h"
#include "http/json.h"

#define REFRESH_US  (100 * CLOCK_US_PER_MS)
#define HURRY_US    (10 * CLOCK_US_PER_MS) /* between two asks at least */
#define TELL_US     (1 * CLOCK_US_PER_SEC) /* between two tellings of who was seen */
#define PARK_US     (60 * CLOCK_US_PER_SEC)
#define ANSWER_US   (500 * CLOCK_US_PER_MS)
#define PATIENCE_US (1 * CLOCK_US_PER_SEC)

enum {
	TARGET_MAX = 64,
	CONNS = 4,
	QUEUE = LINE_COPIES_MAX,
	MAX_ANSWER = 1 << 20, /* bytes: a window of four million places fits */
};

TAILQ_HEAD(wait_list, line_wait);

struct line_copy {
	LIST_ENTRY(line_copy) link;
	struct line_copies *copies; /* borrowed */
	int64_t line_id;
	char ask_target[TARGET_MAX], tell_target[TARGET_MAX];
	struct httpc_request request; /* the last one */
	struct line_numbers numbers;
	size_t source;         /* which one it was asked of */
	struct place_set seen; /* places that passed and that nobody was told of */
	struct buf told;       /* the request's body, when it tells of them */
	int64_t told_us;       /* when; monotonic, like the next three */
	int64_t sent_us;       /* when it was last asked for */
	int64_t read_us;       /* when the numbers were asked for; 0: there are none */
	int64_t used_us;
	struct loop_timer *timer; /* owned; of the next ask */
	struct wait_list waits;
	size_t failures; /* in a row */
	bool asking, failed;
};

LIST_HEAD(copy_list, line_copy);

struct line_copies {
	struct loop *loop;                      /* borrowed */
	const struct line_sources *sources;     /* borrowed for ever */
	struct httpc *queues[LINE_SOURCES_MAX]; /* owned; one for each source */
	size_t source;                          /* which one is asked */
	struct copy_list list;                  /* owned */
	size_t count;
};

static struct {
	struct counter *answered, *failed;
	struct histogram *age;
} metrics;

static void on_timer(void *arg);
static void on_answer(void *arg, enum err err, const struct httpc_response *response);
static void on_cancel(struct rq *rq);

void
line_copies_register(void)
{
	static const char name[] = "onrush_gateway_line_asks_total";
	static const char help[] = "Asks for a line's numbers, by how they ended.";

	metrics.answered = counter_new(name, help, "outcome=\"answered\"");
	metrics.failed = counter_new(name, help, "outcome=\"failed\"");
	metrics.age = histogram_new("onrush_gateway_line_age_seconds",
	    "How old a line's numbers were when newer ones took their place.", NULL);
}

static struct httpc *
connect_to(struct loop *loop, const char *address)
{
	return httpc_new(loop, &(struct httpc_conf){
				   .address = address,
				   .max_conns = CONNS,
				   .max_queue = QUEUE,
				   .queue_us = ANSWER_US,
				   .connect_us = ANSWER_US,
				   .response_us = ANSWER_US,
				   .idle_us = PARK_US,
				   .max_response = MAX_ANSWER,
			       });
}

struct line_copies *
line_copies_new(struct loop *loop, const struct line_sources *sources)
{
	struct line_copies *copies = xcalloc(1, sizeof(*copies));

	copies->loop = loop;
	copies->sources = sources;
	LIST_INIT(&copies->list);
	for (size_t i = 0; i < sources->count; i++) {
		copies->queues[i] = connect_to(loop, sources->addresses[i]);
		if (copies->queues[i] == NULL) {
			line_copies_free(copies);
			return NULL;
		}
	}
	return copies;
}

static void
free_copy(struct line_copy *copy)
{
	ASSERT(TAILQ_EMPTY(&copy->waits) && !copy->asking);
	LIST_REMOVE(copy, link);
	copy->copies->count--;
	loop_timer_free(copy->timer);
	line_numbers_fini(&copy->numbers);
	place_set_fini(&copy->seen);
	buf_fini(&copy->told);
	free(copy);
}

/* The client of the queue service goes first: it ends what is pending. */
void
line_copies_free(struct line_copies *copies)
{
	if (copies == NULL)
		return;
	for (size_t i = 0; i < copies->sources->count; i++)
		httpc_free(copies->queues[i]);
	while (!LIST_EMPTY(&copies->list))
		free_copy(LIST_FIRST(&copies->list));
	free(copies);
}

/* --- use ---------------------------------------------------------------------------
 */

static bool
is_parked(const struct line_copy *copy, int64_t now_us)
{
	return !copy->asking && TAILQ_EMPTY(&copy->waits) &&
	       now_us - copy->used_us >= PARK_US;
}

/* Makes room for one more; false when all are in use. */
static bool
make_room(struct line_copies *copies, int64_t now_us)
{
	struct line_copy *copy;

	if (copies->count < LINE_COPIES_MAX)
		return true;
	LIST_FOREACH (copy, &copies->list, link)
		if (is_parked(copy, now_us)) {
			free_copy(copy);
			return true;
		}
	return false;
}

static struct line_copy *
add_copy(struct line_copies *copies, int64_t line_id, int64_t now_us)
{
	struct line_copy *copy;

	if (!make_room(copies, now_us))
		return NULL;
	copy = xcalloc(1, sizeof(*copy));
	copy->copies = copies;
	copy->line_id = line_id;
	snprintf(copy->ask_target, TARGET_MAX, "/queue/serving?line=%" PRId64, line_id);
	snprintf(
	    copy->tell_target, TARGET_MAX, "/internal/lines/%" PRId64 "/seen", line_id);
	copy->used_us = now_us - PARK_US;
	copy->timer = loop_timer_new(copies->loop, on_timer, copy);
	TAILQ_INIT(&copy->waits);
	LIST_INSERT_HEAD(&copies->list, copy, link);
	copies->count++;
	return copy;
}

/* Who was seen to be active, for the queue service: it takes their places from people who
 * do nothing. What is lost on the way is told again when they do something again. */
static str
tell(struct line_copy *copy)
{
	const struct place_set *seen = &copy->seen;
	struct json_writer w = { .out = &copy->told };
	char *text = xmalloc(base64_text_size(seen->size));

	buf_clear(&copy->told);
	json_begin_object(&w, NULL);
	json_put_i64(&w, "seenFrom", seen->from);
	json_put_str(
	    &w, "seen", (str){ text, base64_encode(seen->bits, seen->size, text) });
	json_end_object(&w);
	free(text);
	place_set_clear(&copy->seen);
	copy->told_us = copy->sent_us;
	return buf_str(&copy->told);
}

/* Both calls are answered with the numbers. */
static void
ask(struct line_copy *copy)
{
	struct line_copies *copies = copy->copies;
	bool tells;

	copy->asking = true;
	copy->source = copies->source;
	copy->sent_us = clock_mono_us();
	tells = copy->seen.size > 0 && copy->sent_us - copy->told_us >= TELL_US;
	copy->request = (struct httpc_request){
		.method = tells ? HTTP_POST : HTTP_GET,
		.target = str_of(tells ? copy->tell_target : copy->ask_target),
		.body = tells ? tell(copy) : STR_NULL,
		.repeatable = true,
	};
	httpc_send(copies->queues[copies->source], &copy->request, on_answer, copy);
}

struct line_copy *
line_copies_use(struct line_copies *copies, int64_t line_id)
{
	int64_t now_us = loop_now_us(copies->loop);
	struct line_copy *copy;

	LIST_FOREACH (copy, &copies->list, link)
		if (copy->line_id == line_id)
			break;
	if (copy == NULL && (copy = add_copy(copies, line_id, now_us)) == NULL)
		return NULL;
	if (is_parked(copy, now_us)) {
		copy->failed = false;
		copy->failures = 0;
		ask(copy);
	}
	copy->used_us = now_us;
	return copy;
}

static bool
is_fresh(const struct line_copy *copy)
{
	return copy->read_us != 0 && clock_mono_us() - copy->read_us <= LINE_COPY_US;
}

const struct line_view *
line_copy_view(const struct line_copy *copy)
{
	return is_fresh(copy) ? &copy->numbers.view : NULL;
}

bool
line_copy_is_coming(const struct line_copy *copy)
{
	return !copy->failed;
}

void
line_copy_note_seen(struct line_copy *copy, int64_t place)
{
	const struct line_view *v = &copy->numbers.view;

	if (place > v->floor && place <= v->serving)
		place_set_add(&copy->seen, place);
}

/* --- waiting for newer numbers -------------------------------------------------------
 */

rq_next
line_copy_wait(struct rq *rq, rq_step *next, struct line_copy *copy)
{
	struct line_wait *wait = rq->ctx;
	int64_t after_us = copy->sent_us + HURRY_US - clock_mono_us();

	wait->rq = rq;
	wait->copy = copy;
	TAILQ_INSERT_TAIL(&copy->waits, wait, link);
	if (!copy->asking)
		loop_timer_set(copy->timer, after_us > 0 ? after_us : 0);
	return rq_wait(rq, next, PATIENCE_US, on_cancel);
}

static void
on_cancel(struct rq *rq)
{
	struct line_wait *wait = rq->ctx;

	TAILQ_REMOVE(&wait->copy->waits, wait, link);
}

/* Those whom these numbers can tell something; all, if there is nothing to wait for. */
static void
wake(struct line_copy *copy)
{
	struct line_wait *wait, *next;

	for (wait = TAILQ_FIRST(&copy->waits); wait != NULL; wait = next) {
		next = TAILQ_NEXT(wait, link);
		if (!copy->failed && copy->read_us < wait->rq->start_us)
			continue;
		TAILQ_REMOVE(&copy->waits, wait, link);
		rq_wake(wait->rq, ERR_OK, NULL);
	}
}

/* --- asking ------------------------------------------------------------------------
 */

static void
on_timer(void *arg)
{
	struct line_copy *copy = arg;

	if (copy->asking || is_parked(copy, loop_now_us(copy->copies->loop)))
		return;
	ask(copy);
}

static bool
take(struct line_copy *copy, enum err err, const struct httpc_response *response)
{
	int64_t now_us = clock_mono_us();

	if (err != ERR_OK || response->head->status != 200 ||
	    !line_numbers_take(
		&copy->numbers, response->body, clock_wall_us(), is_fresh(copy)))
		return false;
	if (copy->read_us != 0)
		histogram_observe_us(metrics.age, now_us - copy->read_us);
	copy->read_us = copy->sent_us;
	return true;
}

/* Who does not answer is not asked again before the others. */
static void
try_next(struct line_copy *copy)
{
	struct line_copies *copies = copy->copies;

	if (copies->source == copy->source)
		copies->source = (copies->source + 1) % copies->sources->count;
}

/* It has failed when nobody answers. One line when the numbers stop coming and one when
 * they come again. */
static void
note(struct line_copy *copy, bool came)
{
	bool failed;

	counter_add(came ? metrics.answered : metrics.failed, 1);
	copy->failures = came ? 0 : copy->failures + 1;
	failed = copy->failures >= copy->copies->sources->count;
	if (failed && !copy->failed)
		log_warn("the numbers of line %" PRId64 " do not come; its passes are "
			 "refused until they do",
		    copy->line_id);
	else if (came && copy->failed)
		log_info("the numbers of line %" PRId64 " come again", copy->line_id);
	copy->failed = failed;
	if (!came)
		try_next(copy);
}

static void
on_answer(void *arg, enum err err, const struct httpc_response *response)
{
	struct line_copy *copy = arg;

	copy->asking = false;
	if (err != ERR_DRAINING) {
		note(copy, take(copy, err, response));
		wake(copy);
		loop_timer_set(
		    copy->timer, TAILQ_EMPTY(&copy->waits) ? REFRESH_US : HURRY_US);
	}
}
