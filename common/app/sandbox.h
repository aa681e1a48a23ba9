/*
 * A fence around the process, which holds for all that it does later and that nobody can
 * take down again: it can start no other program, open no file but those below, write
 * none, and listen at no further TCP port.
 *
 *   files   Landlock (landlock(7)): /etc, /usr, /lib, /proc are read, and the directories
 *           of the files that settings name, so that those can be replaced while it runs
 *   calls   seccomp(2): a list of system calls; any other fails with EPERM, and is seen
 * in the kernel's log
 *
 * What the kernel does not have is left out, with one line in the log. What libraries do
 * is theirs: a program that uses another library needs other calls.
 */
#ifndef ONRUSH_APP_SANDBOX_H
#define ONRUSH_APP_SANDBOX_H

#include <stdbool.h>

#include "app/conf.h"
#include "base/die.h"

/*
 * Closes the fence. On the main thread, before there is a second one. `items` are the
 * program's settings: each file that a text of theirs names, alone or as an absolute path
 * among other words, opens its directory for reading. False, with an error logged, when
 * the kernel has it but refuses.
 */
bool
sandbox_enter(const struct conf_item *items, size_t count, const void *settings) MUST_USE;

/* The second half alone, for sandbox.c: sandbox_calls.c. False and errno. */
bool sandbox_limit_calls(void) MUST_USE;

#endif
