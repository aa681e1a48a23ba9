/* The command line that every program has. For app.c only. */
#ifndef ONRUSH_APP_APP_ARGS_H
#define ONRUSH_APP_APP_ARGS_H

#include <stdbool.h>

#include "app/app.h"

/*
 * Loads the settings and starts the log; false when an option such as --help has been
 * answered and the program is done. A wrong option or setting ends the process with a
 * sentence and status 1.
 */
bool app_args_load(int argc, char **argv, const struct app_desc *desc) MUST_USE;

#endif
