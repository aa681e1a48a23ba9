/*
 * The keys of passes that a worker goes by: read when it starts, and again within a
 * second of a change of their file. What cannot be used is logged and changes nothing.
 */
#ifndef ONRUSH_APP_PASS_WATCH_H
#define ONRUSH_APP_PASS_WATCH_H

#include "app/app.h"
#include "crypto/pass.h"

struct pass_watch;

/* Reads the file that the setting ONRUSH_PASS_KEYS names. NULL, with an error logged,
 * when it cannot be used; the caller owns the result. */
struct pass_watch *pass_watch_new(struct worker *w, const char *path);
void pass_watch_free(struct pass_watch *watch); /* NULL is fine */

/* The keys in force; borrowed until the loop's turn ends. */
const struct pass_keys *pass_watch_keys(const struct pass_watch *watch);

#endif
