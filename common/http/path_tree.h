/*
 * Which patterns a path fits, in a time that does not grow with their number: a tree of
 * segments. A pattern is "/coupons/{couponId}/uses": a {…} stands for one segment that is
 * not empty, {…...} as the last one for all that is left. A path that fits several
 * patterns fits the one with fewer {…} at its beginning first: exact before {…} before
 * the rest, segment by segment.
 *
 *   / ── coupons ──┬── mine            values 0, 1
 *                  ├── {…} ── uses     values 2
 *                  └── {…...}          values 3
 */
#ifndef ONRUSH_HTTP_PATH_TREE_H
#define ONRUSH_HTTP_PATH_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/die.h"
#include "base/str.h"

enum {
	PATH_MAX_PARAMS = 4
};

struct path_tree;

struct path_tree *path_tree_new(void);
void path_tree_free(struct path_tree *t); /* NULL is fine */

/* What is wrong with a pattern, static; NULL if nothing is. */
const char *path_pattern_check(str pattern);

/* Adds a value to a pattern that path_pattern_check accepts; several may have the same.
 */
void path_tree_add(struct path_tree *t, const char *pattern, size_t value);

/*
 * Calls `visit` with the values of the patterns that the path fits, the first pattern's
 * first, those of one pattern in the order in which they were added, until it says true:
 * then the result is true, and params are what the pattern's {…} stand for, in order and
 * escaped as they came; the others are STR_NULL. What {…...} stands for never has a
 * segment "." or "..", escaped or not.
 */
typedef bool path_visit(void *arg, size_t value);
bool path_tree_find(const struct path_tree *t, str path, str params[PATH_MAX_PARAMS],
    path_visit *visit, void *arg);

#endif
