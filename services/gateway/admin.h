/*
 * What an operator asks of a gateway that runs, on a port of its own: its routes, what it
 * knows of services and servers, and to read the route file again. Served by one worker's
 * loop; from the others it takes what they have published (views.h).
 *
 *   httpd (ONRUSH_ADMIN_LISTEN) ──> GET  /admin/routes /admin/upstreams /admin/summary
 *                               ──> POST /admin/reload ──app_reload──> supervisor
 *                                            ^                            │
 *                                            └──────── gateway_admin_reloaded ────┘
 *                               ──> /healthz /readyz /metrics
 */
#ifndef ONRUSH_GATEWAY_ADMIN_H
#define ONRUSH_GATEWAY_ADMIN_H

#include "http/httpd.h"

/* Opens the port, on the main thread; true when there is none to open. The settings are
 * those of the other port, borrowed for ever; `listen` is "" for none. */
bool
gateway_admin_open(const struct httpd_settings *settings, const char *listen) MUST_USE;

/* On the thread of the worker that serves it, once. False with an error logged. */
bool gateway_admin_start(struct worker *w) MUST_USE;
/* On the same thread; without gateway_admin_start it does nothing. */
void gateway_admin_stop(void);

/* The supervisor is about to read the route file, and has read it: what was wrong, or
 * NULL. Who asked for it before gateway_admin_reloading is answered. */
void gateway_admin_reloading(void);
void gateway_admin_reloaded(const char *why);

#endif
