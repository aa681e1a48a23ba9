/*
 * What people were promised, and what they waited. A few of the promises of each line
 * are remembered and compared when their places are served: 1 is as promised, less is
 * sooner. When there is no room for more, every other one is dropped and they are taken
 * half as often, so that a long line is sampled from its beginning to its end.
 */
#include "base/clock.h"
#include "queue/estimates.h"
#include "queue/lines_impl.h"

#define SAMPLE_US (1 * CLOCK_US_PER_SEC)

static int64_t
now_us(const struct line *line)
{
	return loop_now_us(line->lines->service->worker->loop);
}

static void
drop_every_other(struct line *line)
{
	line->sample_count /= 2;
	for (size_t i = 0; i < line->sample_count; i++)
		line->samples[i] = line->samples[2 * i];
	line->sample_every_us *= 2;
}

void
estimates_note(struct line *line, int64_t place, int64_t promised_s)
{
	int64_t now = now_us(line);

	if (line->sample_count == 0)
		line->sample_every_us = SAMPLE_US;
	if (promised_s <= 0 || now - line->sampled_us < line->sample_every_us)
		return;
	if (line->sample_count == LINE_SAMPLES)
		drop_every_other(line);
	line->sampled_us = now;
	line->samples[line->sample_count++] =
	    (struct line_sample){ place, promised_s, now };
}

void
line_compare_samples(struct line *line)
{
	int64_t now = now_us(line);
	size_t kept = 0;

	for (size_t i = 0; i < line->sample_count; i++) {
		const struct line_sample *s = &line->samples[i];

		if (s->place > line->view.serving)
			line->samples[kept++] = *s;
		else /* the histogram's second is the promise */
			histogram_observe_us(
			    line->lines->kept, (now - s->since_us) / s->promised_s);
	}
	line->sample_count = kept;
}
