/*
 * Which routes are in force, for the whole process: loaded at the start, loaded again on
 * SIGHUP. A file that is not right is refused whole and changes nothing. Workers look at
 * the version now and then and take the new table over.
 */
#ifndef ONRUSH_GATEWAY_ROUTES_ROUTING_H
#define ONRUSH_GATEWAY_ROUTES_ROUTING_H

#include "gateway/gateway.h"

/* Is the route file that the settings name in order? For --check: looks nothing up. False
 * with a sentence in err[err_size]. */
bool routing_check(const struct gateway_settings *settings, char *err, size_t err_size);

/* False with an error logged. `settings` is borrowed until routing_stop. */
bool routing_start(const struct gateway_settings *settings);
/* Loads the file again; says in the log what became of it. False with a sentence in
 * err[err_size] when it is refused. */
bool routing_reload(char *err, size_t err_size);
/* After the workers have ended. */
void routing_stop(void);

/* Changes with the table. Any thread, cheap. */
uint64_t routing_version(void);
/* The table in force and its version; the caller has it. Any thread. */
struct route_table *routing_table(uint64_t *version);

#endif
