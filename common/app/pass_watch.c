/* Every worker has keys of its own; the first one speaks for all when they change. */
#include "app/pass_watch.h"

#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"
#include "crypto/pass_file.h"

#define LOOK_US (1 * CLOCK_US_PER_SEC)

enum {
	SENTENCE_MAX = 256,
};

struct pass_watch {
	struct pass_file *file;   /* owned */
	struct loop_timer *timer; /* owned; of the next look */
	bool speaks;
};

static void
on_look(void *arg)
{
	struct pass_watch *watch = arg;
	char why[SENTENCE_MAX];
	enum pass_file_news news = pass_file_look(watch->file, why, sizeof(why));

	loop_timer_set(watch->timer, LOOK_US);
	if (!watch->speaks)
		return;
	if (news == PASS_FILE_CHANGED)
		log_info("the file of pass keys has changed; its keys are in force");
	if (news == PASS_FILE_BROKEN)
		log_error("the file of pass keys has changed and cannot be used; the "
			  "keys from before stay in force: %s",
		    why);
}

struct pass_watch *
pass_watch_new(struct worker *w, const char *path)
{
	char why[SENTENCE_MAX];
	struct pass_file *file = pass_file_open(path, why, sizeof(why));
	struct pass_watch *watch;

	if (file == NULL) {
		log_error("ONRUSH_PASS_KEYS=%s: %s", path, why);
		return NULL;
	}
	watch = xcalloc(1, sizeof(*watch));
	watch->file = file;
	watch->speaks = w->index == 0;
	watch->timer = loop_timer_new(w->loop, on_look, watch);
	loop_timer_set(watch->timer, LOOK_US);
	return watch;
}

void
pass_watch_free(struct pass_watch *watch)
{
	if (watch == NULL)
		return;
	loop_timer_free(watch->timer);
	pass_file_free(watch->file);
	free(watch);
}

const struct pass_keys *
pass_watch_keys(const struct pass_watch *watch)
{
	return pass_file_keys(watch->file);
}
