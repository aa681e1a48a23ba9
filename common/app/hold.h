/*
 * The holder: a small process that starts the program, keeps what it listens with, and
 * can put a new copy in its place without losing a connection. Its pid is the program's
 * for everybody outside: a container's, supervisord's, systemd's.
 *
 *   holder ──fork, exec──> copy 1: listens, "keep this socket", "READY=1"
 *      │ SIGUSR2
 *      └────fork, exec──> copy 2, with those sockets: "READY=1"
 *                          copy 1 gets SIGTERM, answers what it has, ends
 *
 * A copy is what stands at the program's path at that moment, with the holder's arguments
 * and environment: a new version, or the same one with changed files of settings. One
 * that ends, or is not ready in a minute, changes nothing but one error line. The sockets
 * stay open all the time, and with them what waits in them. SIGTERM, SIGINT and SIGHUP
 * are passed on; when the program ends the holder ends, with its status.
 *
 * The holder speaks the protocol of app/manager.h, listens to nobody but its copies, and
 * reads nothing that came from a network. It has one thread and never runs what a copy
 * runs.
 */
#ifndef ONRUSH_APP_HOLD_H
#define ONRUSH_APP_HOLD_H

#include <stdbool.h>

#include "base/die.h"

/* Is --hold among the arguments? */
bool hold_is_wanted(int argc, char **argv) MUST_USE;

/* Runs the holder of the program called `name`; the result is main's. argv is borrowed,
 * and --hold is taken out of it. */
int hold_run(const char *name, char **argv);

#endif
