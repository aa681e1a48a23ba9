/* Giving away what a process does not need once it listens. For the main thread, before
 * there is a second one. */
#ifndef ONRUSH_APP_PRIVILEGES_H
#define ONRUSH_APP_PRIVILEGES_H

#include <stdbool.h>

#include "base/die.h"

/*
 * Becomes this user, with the user's groups, for good: when the process is root's and
 * `user` is not empty. False, with an error logged, when there is no such user, or when
 * the process could take root back.
 */
bool privileges_drop(const char *user) MUST_USE;

#endif
